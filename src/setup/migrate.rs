//! `--migrate`: finds the repositories in a directory, ordinary and bare ones, their worktrees and
//! submodules, and goes on past one that cannot be changed. Every directory is opened from its
//! parent, and no link is followed. Outside the directory only two things count: the repository
//! that the directory lies in, and that of a worktree or submodule whose files name each other.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::inspection::Fault;
use rustix::fs::Stat;
use rustix::process::geteuid;

use super::configure::{check_includes, flag};
use super::fix::{fix, in_effect, mask};
use super::git_file::GitFile;
use super::undo::Note;
use super::{Setup, named};
use crate::config::variable;
use crate::files::{Directory, Entry, resolve, same};
use crate::git::{Repository, setup_failed};

/// Directories inside a repository's own that hold no repository.
const NO_REPOSITORY: [&str; 7] = ["hooks", "info", "lfs", "logs", "objects", "refs", "worktrees"];
/// One descriptor is open for each level.
const DEEPEST: usize = 200;

struct Walk<'a> {
    setup: &'a Setup<'a>,
    target: &'a GitFile,
    top: &'a Directory,
    seen: Vec<Stat>,
    /// How many files.
    changed: usize,
}

pub(super) fn run(setup: &Setup<'_>, target: &GitFile, top: &Directory) -> Result<()> {
    let global = setup.surroundings.global_git_config.as_ref();
    let global = global.and_then(|path| GitFile::open(&setup.surroundings.absolute(path)).ok());
    if let Some(global) = global.filter(|global| global.bytes().is_ok()) {
        check_includes(setup, &global)?;
    }
    in_effect(setup, None, &[])?.elsewhere().iter().for_each(|left| setup.fail(left));
    let mut walk = Walk { setup, target, top, seen: Vec::new(), changed: 0 };
    walk.look_above()?;
    walk.visit(top, 0);
    let (looked_at, changed, path) = (walk.seen.len(), walk.changed, &top.path);
    let count = |number, one, more| format!("{number} {}", if number == 1 { one } else { more });
    let repositories = count(looked_at, "repository", "repositories");
    let files = count(changed, "file", "files");
    setup.say(format!("looked at {repositories} below {path:?}, changed {files}"));
    let is_noted = |note: Result<Note>| note.is_ok_and(|note| note.migrated.as_ref() == Some(path));
    if setup.notes().unwrap_or_default().into_iter().any(is_noted) {
        setup.say(format!(
            "put removed helpers back with: git credential-gastown setup --undo --migrate {}",
            word(path)
        ));
    }
    Ok(())
}

impl Walk<'_> {
    /// The repository that the directory lies in.
    fn look_above(&mut self) -> Result<()> {
        let mut place = self.top.clone();
        loop {
            let above = place.parent()?;
            if is_repository(&place) || place.stat_of(".git").is_some() || above.is(&place) {
                break;
            }
            place = above;
        }
        if !place.is(self.top) {
            self.look_at(&place);
            if place.entry(".git") == Entry::Directory {
                self.look_at(&place.enter(".git")?);
            }
        }
        Ok(())
    }

    fn visit(&mut self, directory: &Directory, depth: usize) {
        self.look_at(directory);
        let names = match directory.names() {
            Ok(names) if depth < DEEPEST => names,
            Ok(_) => return self.leave(directory, anyhow!("there are too many levels")),
            Err(error) => return self.leave(directory, error),
        };
        let is_repository = is_repository(directory);
        for name in names {
            let is_idle = is_repository && NO_REPOSITORY.iter().any(|idle| name == *idle);
            if !is_idle && directory.entry(&name) == Entry::Directory {
                match directory.enter(&name) {
                    Ok(inner) => self.visit(&inner, depth + 1),
                    Err(error) => self.leave(directory, error),
                }
            }
        }
    }

    fn look_at(&mut self, directory: &Directory) {
        let looked = match directory.entry(".git") {
            Entry::File => self.linked_from(directory),
            // No link is followed.
            Entry::Link(target) => {
                let own = directory.path.join(target);
                let own = Directory::open(&own).map_or(own, |own| own.path);
                self.elsewhere(&directory.path.join(".git"), "is a link to", &own)
            }
            _ if is_repository(directory) => {
                directory.parent().and_then(|above| self.repository(directory, &above))
            }
            _ => Ok(()),
        };
        if let Err(error) = looked {
            self.leave(directory, error);
        }
        let lines = self.setup.git.versioned_lines(directory);
        mask(self.setup, &lines);
        let hosts = &self.setup.context.settings.hosts;
        let faults = lines.iter().filter_map(|line| Fault::of(line, hosts));
        faults.for_each(|fault| self.setup.fail(fault.left_as_versioned()));
    }

    /// A repository, with what it keeps for its worktrees. If it names a worktree itself, that has
    /// to be this one or in the directory given.
    fn repository(&mut self, own: &Directory, worktree: &Directory) -> Result<()> {
        if let Some(named) = self.worktree_of(own)?.filter(|named| !worktree.is(named)) {
            self.elsewhere(&own.path, "belongs to a worktree in", &named.path)?;
        }
        self.fix(own, false)?;
        if own.entry("worktrees") == Entry::Directory {
            let worktrees = own.enter("worktrees")?;
            for name in worktrees.names()? {
                if worktrees.entry(&name) == Entry::Directory {
                    self.fix(&worktrees.enter(&name)?, true)?;
                }
            }
        }
        Ok(())
    }

    /// The repository that the file `.git` of a worktree or submodule names, if that names it back.
    /// Files of that look could be part of a clone, and name any repository.
    fn linked_from(&mut self, worktree: &Directory) -> Result<()> {
        let path = worktree.path.join(".git");
        let Some(named) = pointed_to(worktree, ".git", b"gitdir: ") else { return Ok(()) };
        let own =
            Directory::open(&named).with_context(|| format!("{path:?} names no repository"))?;
        if own.entry("commondir") == Entry::Nothing {
            if self.worktree_of(&own)?.is_some_and(|named| worktree.is(&named)) {
                return self.repository(&own, worktree);
            }
        } else {
            let (parent, link) = (own.parent()?, worktree.stat_of(".git"));
            let common = parent.parent()?;
            if parent.path.ends_with("worktrees")
                && is_repository(&common)
                && names(&own, "commondir", Some(common.stat()?))
                && names(&own, "gitdir", link)
            {
                self.fix(&common, false)?;
                return self.fix(&own, true);
            }
        }
        self.elsewhere(&path, "is not named back by", &own.path)
    }

    /// What lies in the directory given may be changed, and the walk finds it. All else is named.
    fn elsewhere(&self, path: &Path, why: &str, other: &Path) -> Result<()> {
        if other.starts_with(&self.top.path) {
            return Ok(());
        }
        let what = format!("left alone: {path:?} {why} {other:?}, which is not in that directory");
        let command = format!("git credential-gastown setup --migrate {}", word(other));
        Err(setup_failed(what, &format!("if it should be, run: {command}")).into())
    }

    /// A git directory, unless it was looked at: several worktrees can lead to it.
    fn fix(&mut self, own: &Directory, is_worktree: bool) -> Result<()> {
        let stat = own.stat()?;
        if self.seen.iter().any(|seen| same(seen, &stat)) {
            return Ok(());
        }
        self.seen.push(stat);
        let repository = Repository { own: own.clone(), is_worktree };
        let shared = repository.shared()?;
        let mut files = Vec::new();
        for (place, name) in [(&shared, "config"), (own, "config.worktree")] {
            match place.entry(name) {
                Entry::File => files.push(GitFile { directory: place.clone(), name: name.into() }),
                Entry::Nothing => {}
                _ => bail!("{:?} is not a regular file", place.path.join(name)),
            }
        }
        self.check_owner(own, &shared)?;
        files.iter().try_for_each(|file| check_includes(self.setup, file))?;
        let in_effect = in_effect(self.setup, Some(&repository), &files)?;
        // What worktrees share is fixed with the repository itself.
        for file in files.iter().filter(|file| !is_worktree || file.name != "config") {
            match fix(self.setup, &in_effect, &self.top.path, file) {
                Ok(has_changed) => self.changed += usize::from(has_changed),
                Err(error) => self.leave(own, error),
            }
        }
        in_effect.elsewhere().iter().for_each(|left| self.setup.fail(left));
        self.note_owner(stat.st_uid, &in_effect.lines);
        Ok(())
    }

    /// This user's own configuration of git has no effect for another user.
    fn note_owner(&self, owner: u32, lines: &[Line]) {
        let is_for_all = |line: &Line| line.is_ours() && line.scope != "global";
        if owner != geteuid().as_raw() && !lines.iter().any(is_for_all) {
            self.setup.say(format!(
                "user {owner} owns repositories here; to have git ask this helper for that user, too, \
                 run: git credential-gastown setup --system"
            ));
        }
    }

    fn leave(&mut self, directory: &Directory, error: Error) {
        let owner = directory.stat().map(|stat| stat.st_uid).ok();
        let owner = owner.filter(|owner| *owner != geteuid().as_raw() && !geteuid().is_root());
        let advice = match owner {
            Some(owner) => format!("left alone; run this as its owner, user {owner}"),
            None => format!("left alone; to look at it, run: ls -ld {}", word(&directory.path)),
        };
        self.setup.fail(named(error, &advice));
    }

    /// As root, only changes repositories of root and of the caller of `sudo`, unless told.
    fn check_owner(&self, own: &Directory, common: &Directory) -> Result<()> {
        let sudo_user = variable("SUDO_UID").and_then(|user| user.parse().ok());
        let is_trusted = |owner: u32| owner == 0 || sudo_user == Some(owner);
        let owners = [own.stat()?.st_uid, common.stat()?.st_uid];
        let stranger = owners.into_iter().find(|owner| !is_trusted(*owner));
        let is_root = geteuid().is_root() && !self.setup.options.any_owner;
        let Some(owner) = stranger.filter(|_| is_root) else { return Ok(()) };
        let what = format!("{:?} belongs to user {owner}", own.path);
        let (flag, top) = (flag(self.setup, self.target), word(&self.top.path));
        let advice = format!(
            "run this as that user, or as root with --any-owner: git credential-gastown setup \
             {flag} --any-owner --migrate {top}"
        );
        Err(setup_failed(what, &advice).into())
    }

    /// What `core.worktree` names, if it is there. A submodule that was removed leaves its git
    /// directory.
    fn worktree_of(&self, own: &Directory) -> Result<Option<Directory>> {
        let file = GitFile { directory: own.clone(), name: "config".into() };
        let lines = file.lines(&self.setup.git)?;
        let named = lines.iter().rfind(|line| line.is("core", "worktree"));
        Ok(named.and_then(|line| Directory::open(&own.path.join(&line.value)).ok()))
    }
}

/// Whether it is a repository's own directory, by git's own rule.
fn is_repository(directory: &Directory) -> bool {
    ["HEAD", "objects", "refs"].iter().all(|name| directory.entry(name) != Entry::Nothing)
}

/// Whether a file of one line names that very file or directory.
fn names(directory: &Directory, file: &str, wanted: Option<Stat>) -> bool {
    let named = pointed_to(directory, file, b"").and_then(|path| resolve(&path).ok());
    let found = named.and_then(|(place, name)| place.stat_of(&name));
    found.zip(wanted).is_some_and(|(found, wanted)| same(&found, &wanted))
}

/// The path in a file of one line, as seen from that file.
fn pointed_to(directory: &Directory, file: &str, prefix: &[u8]) -> Option<PathBuf> {
    let bytes = directory.read(file).ok()??.bytes;
    let target = bytes.trim_ascii_end().strip_prefix(prefix)?;
    Some(directory.path.join(OsStr::from_bytes(target)))
}
