//! The directory of the cache: whether a candidate can be used, and making it. It is ours and
//! private, whatever the umask. None is made in another user's home, which root may have as its
//! `HOME`.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use git_credential_gastown::helper_line::word;
use rustix::fs::{Access, access, statvfs};
use rustix::process::geteuid;

/// The name of a cache directory, unless another one is configured.
pub(crate) const DIRECTORY: &str = "gastown";
/// As much as a few records and a lock need, in bytes.
const LEAST_ROOM: u64 = 16 * 1024;

/// A place where the cache may be.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub path: PathBuf,
    /// Configured, so that it is worth a warning if it cannot be used.
    pub is_configured: bool,
}

/// What a directory of the cache is like.
#[derive(Debug)]
pub(crate) enum Condition {
    Ready {
        owner: u32,
        mode: u32,
        room: u64,
    },
    /// It can be made when it is needed.
    Missing,
    Unusable(String),
}

/// Why a candidate is not used.
pub(super) struct Obstacle {
    pub why: String,
    /// Worth a warning although the next candidate will do.
    pub is_suspicious: bool,
    /// It is ours, so what it holds can be trusted.
    pub is_readable: bool,
}

impl Candidate {
    /// Whether it is a directory of this user that can be written, or could become one.
    pub(super) fn is_usable(&self) -> Result<(), Obstacle> {
        let path = &self.path;
        let (why, is_suspicious, is_readable) = match look(path) {
            Ok(Some(metadata)) if is_ours(&metadata) => {
                open_to_ourselves(path, &metadata);
                let Err(why) = is_writable(path, &metadata) else { return Ok(()) };
                (format!("{why:#}"), true, true)
            }
            // Root with another user's `HOME` is no cause for a warning.
            Ok(Some(metadata)) if metadata.is_dir() => {
                let above = path.parent().and_then(|above| look(above).ok()?);
                let lies_with_us = above.is_some_and(|above| is_ours(&above));
                (format!("{path:?} belongs to another user"), lies_with_us, false)
            }
            Ok(Some(metadata)) => {
                let what =
                    if metadata.is_symlink() { "a symbolic link" } else { "not a directory" };
                (format!("{path:?} is {what}"), true, false)
            }
            Ok(None) => {
                let Err(why) = can_be_made(path) else { return Ok(()) };
                (format!("{path:?} cannot be made: {why:#}"), false, false)
            }
            Err(error) => (format!("cannot look at {path:?}: {error}"), false, false),
        };
        let is_suspicious = is_suspicious || self.is_configured;
        Err(Obstacle { why, is_suspicious, is_readable })
    }
}

/// `None` if there is nothing.
fn look(path: &Path) -> std::io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn is_ours(metadata: &Metadata) -> bool {
    metadata.is_dir() && metadata.uid() == geteuid().as_raw()
}

/// Corrects the mode of a directory of ours that we cannot enter, as an unusual umask leaves it.
fn open_to_ourselves(path: &Path, metadata: &Metadata) {
    if metadata.mode() & 0o777 != 0o700 && metadata.mode() & 0o077 == 0 {
        // If that fails, the next step fails and says why.
        let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
    }
}

/// A new directory must lie in one of our own, or in one for everybody such as `/tmp`.
fn can_be_made(path: &Path) -> Result<()> {
    let found = path.ancestors().skip(1).find_map(|above| Some((above, fs::metadata(above).ok()?)));
    let (above, metadata) = found.context("nothing is above it")?;
    let is_for_everybody = metadata.mode() & 0o1002 == 0o1002;
    ensure!(metadata.is_dir(), "{above:?} is not a directory");
    let is_allowed = metadata.uid() == geteuid().as_raw() || is_for_everybody;
    ensure!(is_allowed, "{above:?} belongs to another user");
    takes_files(above)
}

/// Makes the directory if it is not there, and checks that it is ours and can be written.
pub(super) fn make(directory: &Path) -> Result<()> {
    let Ok(Some(metadata)) = look(directory) else {
        make_missing(directory).with_context(|| format!("cannot create {directory:?}"))?;
        return Ok(());
    };
    ensure!(is_ours(&metadata), "{directory:?} is not a directory of this user");
    is_writable(directory, &metadata)
}

/// Whether a directory of ours is private and takes files.
fn is_writable(directory: &Path, metadata: &Metadata) -> Result<()> {
    // Not changed: somebody may want it like that.
    let is_private = metadata.mode() & 0o077 == 0;
    // Other programs may need a directory that is not the cache's alone, such as `/tmp`.
    let is_for_cache =
        directory.file_name().is_some_and(|it| it.to_string_lossy().contains(DIRECTORY));
    let fix = match is_for_cache {
        true => format!("run: chmod 700 {}", word(directory)),
        false => format!("name a directory in it instead: {}", word(directory.join(DIRECTORY))),
    };
    ensure!(is_private, "others can enter {directory:?}; {fix}");
    takes_files(directory)
}

fn takes_files(directory: &Path) -> Result<()> {
    access(directory, Access::WRITE_OK | Access::EXEC_OK)
        .with_context(|| format!("cannot write to {directory:?}"))?;
    let has_room = room(directory).is_none_or(|room| room >= LEAST_ROOM);
    ensure!(has_room, "no room is left in {directory:?}");
    Ok(())
}

/// In bytes. A file system without a free file has no room either; one that does not count its
/// files says that it has none at all.
fn room(directory: &Path) -> Option<u64> {
    let system = statvfs(directory).ok()?;
    let has_files = system.f_files == 0 || system.f_favail > 0;
    Some(if has_files { system.f_bavail * system.f_frsize } else { 0 })
}

/// Each missing one with its mode set, because the umask only ever takes away.
fn make_missing(directory: &Path) -> std::io::Result<()> {
    if let Some(above) = directory.parent()
        && look(above)?.is_none()
    {
        make_missing(above)?;
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        // Another process was first.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::set_permissions(directory, Permissions::from_mode(0o700)),
    }
}

/// For people to read; changes nothing.
pub(super) fn condition(candidate: &Candidate) -> Condition {
    let path = &candidate.path;
    if let Err(obstacle) = candidate.is_usable() {
        return Condition::Unusable(obstacle.why);
    }
    let Ok(Some(metadata)) = look(path) else { return Condition::Missing };
    let room = room(path).unwrap_or_default();
    Condition::Ready { owner: metadata.uid(), mode: metadata.mode() & 0o7777, room }
}
