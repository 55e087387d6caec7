//! The repositories below a directory: finds the configuration files of ordinary and bare ones,
//! of their worktrees and of their submodules. Follows no symbolic link, but does follow a
//! worktree to the repository that it is one of, because its configuration is there.

#![expect(clippy::disallowed_methods, reason = "the one place that walks directories")]

use std::collections::BTreeSet;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

/// Directories inside a repository's own that hold no configuration.
const NO_CONFIGURATION: [&str; 6] = ["hooks", "info", "lfs", "logs", "objects", "refs"];

/// What was found below a directory.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Every configuration file of a repository, worktree or submodule, once.
    pub configurations: BTreeSet<PathBuf>,
    /// Files that are part of what is versioned: only a commit can change them for good.
    pub module_lists: BTreeSet<PathBuf>,
    /// What could not be looked into, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Looks into everything below a directory, itself included.
pub(crate) fn below(directory: &Path) -> Found {
    let mut found = Found::default();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        found.look_at(&directory);
        match subdirectories(&directory) {
            Ok(more) => waiting.extend(more),
            Err(error) => found.unreadable.push((directory, error.to_string())),
        }
    }
    found
}

impl Found {
    fn look_at(&mut self, directory: &Path) {
        if is_repository(directory) {
            self.add_repository(directory);
        }
        self.module_lists.extend(file_at(directory.join(".gitmodules")));
        if let Some(link) = file_at(directory.join(".git"))
            && let Some(target) = pointer(&link, "gitdir: ")
        {
            self.add_repository(&target);
        }
    }

    /// `directory` is a repository's own, or that of one of its worktrees.
    fn add_repository(&mut self, directory: &Path) {
        let common = pointer(&directory.join("commondir"), "");
        let common = common.as_deref().unwrap_or(directory);
        let files = [directory.join("config.worktree"), common.join("config")];
        for file in files.into_iter().filter_map(file_at) {
            self.configurations.insert(file.canonicalize().unwrap_or(file));
        }
    }
}

/// A repository's own directory, as git tells one; or that of a worktree, which has less.
fn is_repository(directory: &Path) -> bool {
    let has = |name: &str| fs::symlink_metadata(directory.join(name)).is_ok();
    has("HEAD") && (has("commondir") || (has("objects") && has("refs")))
}

fn file_at(path: PathBuf) -> Option<PathBuf> {
    fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()).then_some(path)
}

/// The directory that a file of one line points to, as seen from that file.
fn pointer(file: &Path, prefix: &str) -> Option<PathBuf> {
    let file = file_at(file.to_owned())?;
    let text = fs::read_to_string(&file).ok()?;
    let target = text.trim_end().strip_prefix(prefix)?;
    let target = file.parent()?.join(target);
    target.canonicalize().ok()
}

fn subdirectories(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_inside = is_repository(directory);
    let mut directories = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let is_idle = is_inside && NO_CONFIGURATION.iter().any(|name| entry.file_name() == *name);
        if entry.file_type().is_ok_and(|kind: FileType| kind.is_dir()) && !is_idle {
            directories.push(entry.path());
        }
    }
    directories.sort();
    directories.reverse();
    Ok(directories)
}
