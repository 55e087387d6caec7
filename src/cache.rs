//! The cache: one directory with a small JSON file for each record: token entries, failures, what
//! is on record of a token at a host, renewed container JWTs. The directory is this user's and
//! 0700, files are 0600 and replaced by rename. A file that cannot be trusted is a miss, never an
//! error: a link, a FIFO, another user's file, one that others can read, too long, damaged.

#![expect(clippy::disallowed_methods, reason = "the one place for the cache's files")]

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use git_credential_gastown::helper_line::word;
use git_credential_gastown::host::{CacheKey, Host, stem};
use git_credential_gastown::policy::HostKey;
use git_credential_gastown::record::{Key, from_bytes, to_bytes};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::{Entry, Secret};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use directory::Obstacle;
pub(crate) use directory::{Candidate, Condition, DIRECTORY};

use crate::files::read_trusted;

mod directory;
mod inspection;
mod sweep;

/// No record is longer; a longer file is not a record.
const LONGEST_FILE: u64 = 64 * 1024;
const LOCK: &str = "lock";
const BYPASS: &str = "bypass.lock";
/// Begins the name of a file that is still being written.
const UNFINISHED: &str = ".new-";

/// Why a record's file is not used. Damage is only traced; what another user must have put there is
/// worth a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub what: String,
    pub is_suspicious: bool,
}

/// The cache in the directory that was chosen for this process.
pub(crate) struct Cache {
    /// `None` if no candidate can be written: then nothing is kept.
    directory: Option<PathBuf>,
    /// Candidates before it that are ours but cannot be written: they are still read.
    readable: Vec<PathBuf>,
    /// Why candidates before it were not chosen, where that is worth a warning.
    pub problems: Vec<String>,
    was_written: Cell<bool>,
}

impl Cache {
    /// Takes the first candidate that is ours and can be written, or could be made. Makes nothing.
    /// All commands choose alike: the one that finds a token and the one that records its refusal
    /// must use the same directory.
    pub(crate) fn choose(candidates: Vec<Candidate>) -> Self {
        let (mut readable, mut obstacles) = (Vec::new(), Vec::new());
        // Without a home, the only candidate is the one under the temporary directory.
        let homeless = (candidates.len() == 1).then(|| "HOME names no directory".to_owned());
        let directory = candidates.into_iter().find_map(|candidate| match candidate.is_usable() {
            Ok(()) => Some(candidate.path),
            Err(obstacle) => {
                readable.extend(obstacle.is_readable.then_some(candidate.path));
                obstacles.push(obstacle);
                None
            }
        });
        let is_told = |obstacle: &Obstacle| obstacle.is_suspicious || directory.is_none();
        let told = obstacles.into_iter().filter(is_told).map(|it| it.why);
        let problems = homeless.into_iter().chain(told).collect();
        Self { directory, readable, problems, was_written: Cell::default() }
    }

    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Makes its directory if it is not there.
    pub(crate) fn make(&self) -> Result<()> {
        self.directory.iter().try_for_each(|directory| directory::make(directory))
    }

    /// The newest entry; one from the future counts as the oldest. The error says why a file that is
    /// there is not used.
    pub(crate) fn entry(&self, key: &CacheKey, now: Timestamp) -> Result<Option<Entry>, Fault> {
        let name = key.file();
        let (mut newest, mut fault) = (None::<Entry>, None);
        let rank = |entry: &Entry| (entry.confirmed_at <= now, entry.confirmed_at);
        for directory in self.directories() {
            match read_record(&directory.join(&name), key) {
                Ok(found) => newest = newest.into_iter().chain(found).max_by_key(rank),
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        match (newest, fault) {
            (None, Some(fault)) => Err(fault),
            (newest, _) => Ok(newest),
        }
    }

    /// The lock of a key, and the one that a waiter takes to go ahead when the holder of the first
    /// is stuck. `None` without a directory.
    pub(crate) fn lock_paths(&self, key: &CacheKey) -> Option<[PathBuf; 2]> {
        let (directory, stem) = (self.directory()?, stem(&key.parts()));
        Some([LOCK, BYPASS].map(|kind| directory.join(format!("{stem}.{kind}"))))
    }

    /// Removes what has been dead for over a day, if this process has written anything. Called
    /// after the answer is out, so that a failure here costs nothing.
    pub(crate) fn sweep(&self, now: Timestamp) {
        if let Some(directory) = self.directory.as_deref().filter(|_| self.was_written.get()) {
            sweep::sweep(directory, now);
        }
    }

    /// The directories to read, the one that is written first.
    fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directory.iter().chain(&self.readable).map(PathBuf::as_path)
    }

    pub(crate) fn read<K: Key>(&self, key: &K) -> Option<K::Record> {
        let name = key.file();
        self.directories().find_map(|it| read_record(&it.join(&name), key).ok()?)
    }

    /// Needs no lock: a record that is lost to another process costs one call at most. Without a
    /// directory there is nothing to keep, which was said when it was chosen.
    pub(crate) fn keep<K: Key>(&self, key: &K, record: &K::Record) -> Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        self.make()?;
        self.was_written.set(true);
        write(&directory.join(key.file()), directory, &to_bytes(key, record))
    }

    pub(crate) fn forget(&self, key: &impl Key) {
        if let Some(directory) = &self.directory {
            let _ = fs::remove_file(directory.join(key.file()));
        }
    }
}

fn read_record<K: Key>(path: &Path, key: &K) -> Result<Option<K::Record>, Fault> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    from_bytes(key, &bytes).map(Some).map_err(|why| fault(path, why, false))
}

/// The key of the record of a token at a host.
pub(crate) fn host_key(token: &Secret, host: &Host) -> HostKey {
    HostKey { token: token.hash().prefix().to_owned(), host: host.to_string() }
}

/// Not synced to disk: a token lost in a power cut costs one call, and a truncated file is a miss.
fn write(path: &Path, directory: &Path, bytes: &[u8]) -> Result<()> {
    let written = || -> std::io::Result<()> {
        // Removed again if anything fails.
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory)?;
        // The umask may have removed the owner's own permissions.
        file.as_file().set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().with_context(|| format!("cannot write {path:?}"))
}

fn fault(path: &Path, why: &str, is_suspicious: bool) -> Fault {
    Fault {
        what: format!("{path:?} is not used: {why}; run: rm -rf {}", word(path)),
        is_suspicious,
    }
}

/// Reads a file if nobody else can read or write it. No link is followed.
fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    let trusted = Some((&[geteuid().as_raw()][..], 0o077));
    match read_trusted(path, OFlags::NOFOLLOW, LONGEST_FILE, trusted) {
        Ok((bytes, _)) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            Err(fault(path, "it is a symbolic link", true))
        }
        Err(error) => Err(fault(path, &error.to_string(), true)),
    }
}
