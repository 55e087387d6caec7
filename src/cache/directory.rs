//! The directory of the cache: whether a candidate can be used, and making it. A directory is
//! private and ours, whatever the umask; none is made in a home that belongs to another user, as
//! root with that user's `HOME` would.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use git_credential_gastown::helper_line::word;
use rustix::fs::{Access, access, statvfs};
use rustix::process::geteuid;

/// A place where the cache may be.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub path: PathBuf,
    /// Somebody chose it, and wants to know if it cannot be used.
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
    /// It will be made when it is needed.
    Missing,
    Unusable(String),
}

impl Candidate {
    /// # Errors
    /// Why not, if that is worth a warning: that a usual place belongs to somebody else is not.
    pub(super) fn is_usable(&self) -> Result<(), Option<String>> {
        let why = match look(&self.path) {
            Ok(Some(metadata)) if is_ours(&metadata) => return private(&self.path, &metadata),
            Ok(Some(metadata)) if metadata.is_dir() => {
                format!("{:?} belongs to another user", self.path)
            }
            Ok(Some(_)) => return Err(Some(format!("{:?} is not a directory", self.path))),
            Ok(None) if can_be_made(&self.path) => return Ok(()),
            Ok(None) => format!("{:?} cannot be made by this user", self.path),
            Err(error) => format!("cannot look at {:?}: {error}", self.path),
        };
        Err(self.is_configured.then_some(why))
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

/// One that others can enter is not for us to change: somebody may need it like that. One that we
/// cannot enter ourselves is what an unusual umask has left behind.
fn private(path: &Path, metadata: &Metadata) -> Result<(), Option<String>> {
    if metadata.mode() & 0o077 != 0 {
        let word = word(&path.to_string_lossy());
        return Err(Some(format!("others can enter {path:?}; run: chmod 700 {word}")));
    }
    if metadata.mode() & 0o700 != 0o700 {
        // If it cannot be changed, what is tried next says why.
        let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
    }
    Ok(())
}

/// Whether what would be made there lies in a directory of our own, or in one for everybody, as
/// `/tmp` is.
fn can_be_made(path: &Path) -> bool {
    let above = path.ancestors().skip(1).find_map(|above| fs::metadata(above).ok());
    above.is_some_and(|above| {
        let is_for_everybody = above.mode() & 0o1002 == 0o1002;
        above.is_dir() && (above.uid() == geteuid().as_raw() || is_for_everybody)
    })
}

/// Makes the directory, if it is not there, and sees that it is ours, private and can be written.
pub(super) fn make(directory: &Path) -> Result<()> {
    let Ok(Some(metadata)) = look(directory) else {
        make_missing(directory).with_context(|| format!("cannot create {directory:?}"))?;
        return Ok(());
    };
    ensure!(is_ours(&metadata), "{directory:?} is not a directory of this user");
    if let Err(Some(why)) = private(directory, &metadata) {
        bail!(why);
    }
    access(directory, Access::WRITE_OK | Access::EXEC_OK)
        .with_context(|| format!("cannot write to {directory:?}"))
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
    let as_configured = Candidate { path: path.clone(), is_configured: true };
    if let Err(why) = as_configured.is_usable() {
        return Condition::Unusable(why.unwrap_or_default());
    }
    let Ok(Some(metadata)) = look(path) else { return Condition::Missing };
    if let Err(error) = access(path, Access::WRITE_OK | Access::EXEC_OK) {
        return Condition::Unusable(format!("cannot write to it: {error}"));
    }
    let room = statvfs(path).map_or(0, |system| system.f_bavail * system.f_frsize);
    Condition::Ready { owner: metadata.uid(), mode: metadata.mode() & 0o7777, room }
}
