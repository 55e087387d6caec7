//! The files that setup changes beside the cache: git's configuration, its own notes, a link.
//! Replaces by rename and keeps mode and owner, so that nobody ever sees half a file and root does
//! not take over an agent's; what is private is 0600 from the first byte on.

#![expect(clippy::disallowed_methods, reason = "the one place for the files that setup changes")]

use std::fs::{self, DirBuilder, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub(crate) mod repositories;

/// `None` if there is no such file.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {path:?}")),
    }
}

/// The names in a directory.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn names(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read {directory:?}"))?,
    };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
}

/// Gives a file another content; mode and owner stay.
///
/// # Errors
/// If it cannot be written; the old content stays then.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mode = fs::metadata(path).map(|metadata| metadata.mode() & 0o7777);
    write(path, bytes, mode.unwrap_or(0o644))
}

/// Writes a file that only its owner can read, in a directory that only its owner can enter.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let created = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    created.with_context(|| format!("cannot create {directory:?}"))?;
    write(path, bytes, 0o600)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let written = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".gastown-").tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        let owner = fs::metadata(path).or_else(|_| fs::metadata(directory))?;
        give_to(file.path(), (owner.uid(), owner.gid()));
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().with_context(|| format!("cannot write {path:?}"))
}

/// Has git change a file, which makes a new one in its place, and gives that to the old owner.
pub(crate) fn keeping_owner<T>(path: &Path, change: impl FnOnce() -> T) -> T {
    let before = fs::metadata(path).or_else(|_| fs::metadata(path.parent().unwrap_or(path)));
    let outcome = change();
    if let Ok(before) = before {
        give_to(path, (before.uid(), before.gid()));
    }
    outcome
}

/// Only root can, and only root needs to.
fn give_to(path: &Path, (user, group): (u32, u32)) {
    let is_other = |metadata: fs::Metadata| (metadata.uid(), metadata.gid()) != (user, group);
    if fs::metadata(path).is_ok_and(is_other) {
        let _ = std::os::unix::fs::chown(path, Some(user), Some(group));
    }
}

/// # Errors
/// If it is there and cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {path:?}"))
        }
        _ => Ok(()),
    }
}

/// Removes a directory and the one above it if nothing is left in them.
pub(crate) fn remove_emptied(directory: &Path) {
    for directory in directory.ancestors().take(2) {
        // What is not empty is somebody's.
        let _ = fs::remove_dir(directory);
    }
}

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Nothing,
    /// A link, and what it says.
    Link(PathBuf),
    Else,
}

pub(crate) fn standing(path: &Path) -> Standing {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Standing::Nothing,
        _ => fs::read_link(path).map_or(Standing::Else, Standing::Link),
    }
}

/// Puts a link at a path where there is none, or another link.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn link(path: &Path, target: &Path) -> Result<()> {
    remove(path)?;
    let made = std::os::unix::fs::symlink(target, path);
    made.with_context(|| format!("cannot make the link {path:?}"))
}
