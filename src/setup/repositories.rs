//! Finds the repositories in a directory: ordinary and bare ones, their worktrees and submodules.
//! Every directory is opened from its parent, and no link is followed. Outside the directory only
//! two things count: the repository that the directory lies in, and that of a worktree or submodule
//! whose files name each other.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use git_credential_gastown::git_config::Line;
use rustix::fs::Stat;

use super::git_file::GitFile;
use crate::files::{Directory, Entry, resolve, same};
use crate::git::Git;

/// Directories inside a repository's own that hold no configuration.
const NO_CONFIGURATION: [&str; 6] = ["hooks", "info", "lfs", "logs", "objects", "refs"];
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
    pub directory: Directory,
    /// Its configuration files, as far as they are there.
    pub files: Vec<GitFile>,
}

pub(super) struct Walk<'a, F> {
    git: &'a Git,
    top: PathBuf,
    report: F,
    seen: Vec<Stat>,
}

impl<'a, F: FnMut(Found<'_>) -> Result<()>> Walk<'a, F> {
    pub(super) fn new(git: &'a Git, top: &Directory, report: F) -> Self {
        Self { git, top: top.path.clone(), report, seen: Vec::new() }
    }

    /// Everything below the directory, and the repository that it lies in.
    pub(super) fn run(mut self, top: &Directory) -> Result<()> {
        let is_of_one = |place: &Directory| is_repository(place) || has_git(place);
        let mut place = top.reopen()?;
        while !is_of_one(&place) {
            let above = place.parent()?;
            if place.is(&above.stat()?) {
                break;
            }
            place = above;
        }
        if is_of_one(&place) && !place.is(&top.stat()?) {
            self.look_at(&place)?;
        }
        self.visit(top, 0)
    }

    fn visit(&mut self, directory: &Directory, depth: usize) -> Result<()> {
        self.look_at(directory)?;
        let is_inside = is_repository(directory);
        let names = match directory.names() {
            Ok(names) if depth < DEEPEST => names,
            Ok(_) => return self.problem(format!("{:?} is too deep to look into", directory.path)),
            Err(error) => return self.problem(format!("{error:#}")),
        };
        let is_idle = |name: &OsStr| is_inside && NO_CONFIGURATION.iter().any(|idle| name == *idle);
        for name in names.iter().filter(|name| !is_idle(name)) {
            if directory.entry(name) != Entry::Directory {
                continue;
            }
            match directory.enter(name) {
                Ok(inner) => self.visit(&inner, depth + 1)?,
                Err(error) => self.problem(format!("{error:#}"))?,
            }
        }
        Ok(())
    }

    fn look_at(&mut self, directory: &Directory) -> Result<()> {
        let git = OsStr::new(".git");
        let looked = match directory.entry(git) {
            Entry::Directory => self.repository(directory.enter(git)?, Some(directory)),
            Entry::File => self.linked_from(directory),
            _ if is_repository(directory) => self.repository(directory.reopen()?, None),
            _ => Ok(()),
        };
        if let Err(error) = looked {
            self.problem(format!("{error:#}"))?;
        }
        let modules =
            GitFile { directory: directory.reopen()?, name: OsString::from(".gitmodules") };
        match directory.entry(&modules.name) {
            Entry::File => (self.report)(Found::Modules(&modules)),
            _ => Ok(()),
        }
    }

    /// A git directory, or that of a linked worktree. What it names has to be where git puts it, or
    /// inside the directory given.
    fn repository(&mut self, own: Directory, worktree: Option<&Directory>) -> Result<()> {
        let commondir = OsStr::new("commondir");
        if own.entry(commondir) == Entry::Nothing {
            let lines = self.lines_of(&own)?;
            let named = lines.iter().rfind(|line| line.is("core", "worktree"));
            let named = named.map(|line| resolve_directory(&own, Path::new(&line.value)));
            let is_inside = match (named, worktree) {
                (Some(Ok(named)), worktree) => {
                    let is_here = |here: &Directory| named.stat().is_ok_and(|stat| here.is(&stat));
                    named.path.starts_with(&self.top) || worktree.is_some_and(is_here)
                }
                // A submodule that was removed leaves its git directory.
                (Some(Err(_)), _) | (None, _) => true,
            };
            if !is_inside {
                return self.problem(format!("{:?} is of a worktree elsewhere", own.path));
            }
            return self.add(own, None);
        }
        self.worktree_of_its_parent(own, false)
    }

    /// The directory of a linked worktree, which git keeps in `<repository>/worktrees`. Other files
    /// of that look could be part of a clone, and name any repository above it.
    fn worktree_of_its_parent(&mut self, own: Directory, is_named_back: bool) -> Result<()> {
        let (parent, commondir) = (own.parent()?, OsStr::new("commondir"));
        let common = parent.parent()?;
        let is_in_place = parent.path.file_name().is_some_and(|name| name == "worktrees")
            && (is_named_back || common.path.starts_with(&self.top));
        if is_in_place && names(&own, commondir, &common.stat()?) {
            return self.add(own, Some(common));
        }
        let path = own.path.join(commondir);
        self.problem(format!("{path:?} names a repository that it does not lie in"))
    }

    /// The repository that the file `.git` of a worktree or submodule names, if that names it back.
    fn linked_from(&mut self, worktree: &Directory) -> Result<()> {
        let link = OsStr::new(".git");
        let Some(own) = pointed_to(worktree, link, "gitdir: ") else { return Ok(()) };
        let Ok(own) = Directory::open(&own) else {
            return self.problem(format!("{:?} names no repository", worktree.path.join(link)));
        };
        if own.entry(OsStr::new("commondir")) == Entry::File {
            let back = worktree.stat_of(link);
            if back.is_some_and(|back| names(&own, OsStr::new("gitdir"), &back)) {
                return self.worktree_of_its_parent(own, true);
            }
        } else {
            let lines = self.lines_of(&own)?;
            let named = lines.iter().rfind(|line| line.is("core", "worktree"));
            let named = named.map(|line| resolve_directory(&own, Path::new(&line.value)));
            if let Some(Ok(named)) = named
                && worktree.is(&named.stat()?)
            {
                return self.add(own, None);
            }
        }
        if own.path.starts_with(&self.top) {
            // The walk finds it.
            return Ok(());
        }
        self.problem(format!(
            "{:?} names {:?}, which does not name it back; if it should, migrate that directory",
            worktree.path.join(link),
            own.path
        ))
    }

    fn add(&mut self, own: Directory, common: Option<Directory>) -> Result<()> {
        let stat = own.stat()?;
        if self.seen.iter().any(|seen| same(seen, &stat)) {
            return Ok(());
        }
        self.seen.push(stat);
        let mut files = Vec::new();
        for (directory, name) in
            [(&own, "config.worktree"), (common.as_ref().unwrap_or(&own), "config")]
        {
            match directory.entry(OsStr::new(name)) {
                Entry::File => {
                    files.push(GitFile { directory: directory.reopen()?, name: name.into() })
                }
                Entry::Nothing => {}
                _ => return self.problem(format!("{:?} is no file", directory.path.join(name))),
            }
        }
        (self.report)(Found::Repository(&Repository { directory: own, files }))
    }

    fn lines_of(&self, own: &Directory) -> Result<Vec<Line>> {
        let name = OsStr::new("config");
        let Some(snapshot) = own.read(name)? else { return Ok(Vec::new()) };
        Ok(self.git.lines_in(&snapshot.bytes, &own.path.join(name))?)
    }

    fn problem(&mut self, what: String) -> Result<()> {
        (self.report)(Found::Problem(what))
    }
}

fn has_git(directory: &Directory) -> bool {
    matches!(directory.entry(OsStr::new(".git")), Entry::File | Entry::Directory)
}

/// A repository's own directory, as git tells one; or that of a worktree, which has less.
fn is_repository(directory: &Directory) -> bool {
    let has = |name: &str| directory.entry(OsStr::new(name)) != Entry::Nothing;
    has("HEAD") && (has("commondir") || (has("objects") && has("refs")))
}

/// Whether a file of one line names that very file or directory.
fn names(directory: &Directory, file: &OsStr, wanted: &Stat) -> bool {
    let Some(path) = pointed_to(directory, file, "") else { return false };
    let Ok((place, name)) = resolve(&path) else { return false };
    place.stat_of(&name).is_some_and(|found| same(&found, wanted))
}

/// The path in a file of one line, as seen from that file.
fn pointed_to(directory: &Directory, file: &OsStr, prefix: &str) -> Option<PathBuf> {
    let mut bytes = directory.read(file).ok()??.bytes;
    while bytes.last().is_some_and(u8::is_ascii_whitespace) {
        bytes.pop();
    }
    let target = bytes.strip_prefix(prefix.as_bytes())?;
    Some(directory.path.join(OsString::from_vec(target.to_vec())))
}

fn resolve_directory(from: &Directory, path: &Path) -> Result<Directory> {
    Directory::open(&from.path.join(path))
}
