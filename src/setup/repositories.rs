//! Finds the repositories in a directory: ordinary and bare ones, their worktrees and submodules.
//! Every directory is opened from its parent, and no link is followed. Outside the directory only
//! two things count: the repository that the directory lies in, and that of a worktree or submodule
//! whose files name each other.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::fs::Stat;

use super::git_file::GitFile;
use crate::files::{Directory, Entry, resolve, same};
use crate::git::{Git, Repository as GitDirectory};

/// Directories inside a repository's own that hold no repository.
const NO_REPOSITORY: [&str; 7] = ["hooks", "info", "lfs", "logs", "objects", "refs", "worktrees"];
/// One descriptor is open for each level.
const DEEPEST: usize = 200;

/// What a walk finds.
pub(super) enum Found<'a> {
    Repository(&'a Repository),
    /// A list of submodules, which is versioned: only a commit can change it for good.
    Modules(&'a GitFile),
    /// What is left alone, and why.
    Problem(String),
}

pub(super) struct Repository {
    /// `.git`, or the directory of one worktree in it.
    pub directory: GitDirectory,
    /// Its configuration files, as far as they are there, each with the name that git has for it.
    pub files: Vec<(GitFile, &'static str)>,
}

pub(super) struct Walk<'a, F> {
    git: &'a Git,
    top: &'a Directory,
    report: F,
    seen: Vec<Stat>,
}

impl<'a, F: FnMut(Found<'_>)> Walk<'a, F> {
    pub(super) fn new(git: &'a Git, top: &'a Directory, report: F) -> Self {
        Self { git, top, report, seen: Vec::new() }
    }

    /// Everything below the directory, and the repository that it lies in.
    pub(super) fn run(mut self) -> Result<()> {
        let is_of_one = |place: &Directory| {
            is_repository(place) || matches!(place.entry(".git"), Entry::File | Entry::Directory)
        };
        let (top, mut place) = (self.top, self.top.clone());
        while !is_of_one(&place) {
            let above = place.parent()?;
            if above.is(&place.stat()?) {
                break;
            }
            place = above;
        }
        if !place.is(&top.stat()?) {
            self.look_at(&place);
        }
        self.visit(top, 0);
        Ok(())
    }

    fn visit(&mut self, directory: &Directory, depth: usize) {
        self.look_at(directory);
        let names = match directory.names() {
            Ok(names) if depth < DEEPEST => names,
            Ok(_) => return self.problem(format!("{:?} is too deep to look into", directory.path)),
            Err(error) => return self.problem(format!("{error:#}")),
        };
        let idle: &[&str] = if is_repository(directory) { &NO_REPOSITORY } else { &[] };
        for name in names.iter().filter(|name| !idle.iter().any(|idle| name == idle)) {
            if directory.entry(name) != Entry::Directory {
                continue;
            }
            match directory.enter(name) {
                Ok(inner) => self.visit(&inner, depth + 1),
                Err(error) => self.problem(format!("{error:#}")),
            }
        }
    }

    fn look_at(&mut self, directory: &Directory) {
        let looked = match directory.entry(".git") {
            Entry::Directory => {
                directory.enter(".git").and_then(|own| self.repository(&own, Some(directory)))
            }
            Entry::File => self.linked_from(directory),
            _ if is_repository(directory) => self.repository(directory, None),
            _ => Ok(()),
        };
        if let Err(error) = looked {
            self.problem(format!("{error:#}"));
        }
        if directory.entry(".gitmodules") == Entry::File {
            let name = OsString::from(".gitmodules");
            (self.report)(Found::Modules(&GitFile { directory: directory.clone(), name }));
        }
    }

    /// A repository that lies here, with what it keeps for its worktrees. A worktree that it names
    /// itself has to be this one or in the directory given.
    fn repository(&mut self, own: &Directory, worktree: Option<&Directory>) -> Result<()> {
        if let Some(named) = self.worktree_of(own)?
            && !named.path.starts_with(&self.top.path)
            && !worktree.is_some_and(|here| named.stat().is_ok_and(|named| here.is(&named)))
        {
            self.problem(format!("{:?} is of a worktree elsewhere", own.path));
            return Ok(());
        }
        self.add(GitDirectory::Whole(own.clone()), own)?;
        if own.entry("worktrees") == Entry::Directory {
            let worktrees = own.enter("worktrees")?;
            for name in worktrees.names()? {
                if worktrees.entry(&name) == Entry::Directory {
                    self.add(GitDirectory::OfWorktree(worktrees.enter(&name)?), own)?;
                }
            }
        }
        Ok(())
    }

    /// The repository that the file `.git` of a worktree or submodule names, if that names it back.
    /// Files of that look could be part of a clone, and name any repository.
    fn linked_from(&mut self, worktree: &Directory) -> Result<()> {
        let path = worktree.path.join(".git");
        let Some(named) = pointed_to(worktree, ".git", "gitdir: ") else { return Ok(()) };
        let Ok(own) = Directory::open(&named) else {
            self.problem(format!("{path:?} names no repository"));
            return Ok(());
        };
        if own.entry("commondir") == Entry::Nothing {
            let named = self.worktree_of(&own)?.map(|named| named.stat()).transpose()?;
            if named.is_some_and(|named| worktree.is(&named)) {
                return self.add(GitDirectory::Whole(own.clone()), &own);
            }
        } else {
            let (parent, link) = (own.parent()?, worktree.stat_of(".git"));
            let common = parent.parent()?;
            if parent.path.ends_with("worktrees")
                && is_repository(&common)
                && names(&own, "commondir", Some(common.stat()?))
                && names(&own, "gitdir", link)
            {
                self.add(GitDirectory::Whole(common.clone()), &common)?;
                return self.add(GitDirectory::OfWorktree(own), &common);
            }
        }
        // Below the directory given, the walk finds it.
        if !own.path.starts_with(&self.top.path) {
            self.problem(format!(
                "{path:?} names {:?}, which does not name it back; if it should, migrate that \
                 directory",
                own.path
            ));
        }
        Ok(())
    }

    fn add(&mut self, directory: GitDirectory, common: &Directory) -> Result<()> {
        let (own, shared) = match &directory {
            GitDirectory::Whole(own) => (own, "config"),
            GitDirectory::OfWorktree(own) => (own, "../../config"),
        };
        let stat = own.stat()?;
        if self.seen.iter().any(|seen| same(seen, &stat)) {
            return Ok(());
        }
        self.seen.push(stat);
        let mut files = Vec::new();
        for (place, name, origin) in
            [(common, "config", shared), (own, "config.worktree", "config.worktree")]
        {
            match place.entry(name) {
                Entry::File => {
                    files.push((GitFile { directory: place.clone(), name: name.into() }, origin));
                }
                Entry::Nothing => {}
                _ => {
                    self.problem(format!("{:?} is no file", place.path.join(name)));
                    return Ok(());
                }
            }
        }
        (self.report)(Found::Repository(&Repository { directory, files }));
        Ok(())
    }

    /// What `core.worktree` names, if it is there. A submodule that was removed leaves its git
    /// directory.
    fn worktree_of(&self, own: &Directory) -> Result<Option<Directory>> {
        let file = GitFile { directory: own.clone(), name: "config".into() };
        let lines = file.lines(self.git)?;
        let named = lines.iter().rfind(|line| line.is("core", "worktree"));
        Ok(named.and_then(|line| Directory::open(&own.path.join(&line.value)).ok()))
    }

    fn problem(&mut self, what: String) {
        (self.report)(Found::Problem(what));
    }
}

/// A repository's own directory, as git tells one.
fn is_repository(directory: &Directory) -> bool {
    ["HEAD", "objects", "refs"].iter().all(|name| directory.entry(name) != Entry::Nothing)
}

/// Whether a file of one line names that very file or directory.
fn names(directory: &Directory, file: &str, wanted: Option<Stat>) -> bool {
    let named = pointed_to(directory, file, "").and_then(|path| resolve(&path).ok());
    let found = named.and_then(|(place, name)| place.stat_of(&name));
    found.zip(wanted).is_some_and(|(found, wanted)| same(&found, &wanted))
}

/// The path in a file of one line, as seen from that file.
fn pointed_to(directory: &Directory, file: &str, prefix: &str) -> Option<PathBuf> {
    let bytes = directory.read(file).ok()??.bytes;
    let target = bytes.trim_ascii_end().strip_prefix(prefix.as_bytes())?;
    Some(directory.path.join(Path::new(OsStr::new(&OsString::from_vec(target.to_vec())))))
}
