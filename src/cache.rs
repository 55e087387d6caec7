//! The cache directory: token entries, failures, rejections and renewed container JWTs, one small
//! JSON file each. The directory is 0700 and ours, files are 0600 from the first byte on and are
//! replaced by rename. Whatever is not certainly ours is a miss, never an error: a link, a FIFO,
//! another's file, one that others can read, one that is too long, one that cannot be parsed.

#![expect(clippy::disallowed_methods, reason = "the one place for the cache's files")]

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use anyhow::{Context, Result, ensure};
use git_credential_gastown::failure::FailureRecord;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::host::{CacheKey, TownKey};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::{Entry, Rejection, Secret, TokenHash, from_wire, to_wire};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

mod inspection;
mod listing;
mod sweep;

pub(crate) use inspection::Condition;

/// No record is longer; what is, is not ours.
const LONGEST_FILE: u64 = 64 * 1024;
const TOKEN: &str = "token.json";
const FAILURE: &str = "failure.json";
const REJECTION: &str = "rejection.json";
const CONTAINER: &str = "container.json";
const LOCK: &str = "lock";
const BYPASS: &str = "bypass.lock";
/// Begins the name of a file that is still being written.
const UNFINISHED: &str = ".new-";

/// A file that is in the way of a record. Damage is a plain miss; what somebody else must have
/// put there is worth a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub what: String,
    pub is_suspicious: bool,
}

/// What the places of the cache held under one name.
#[derive(Debug)]
pub(crate) struct Found<R> {
    pub record: Option<R>,
    pub faults: Vec<Fault>,
}

/// The places where the cache may be, best first.
pub(crate) struct Cache {
    directories: Vec<PathBuf>,
}

impl Cache {
    pub(crate) fn new(directories: Vec<PathBuf>) -> Self {
        Self { directories }
    }

    pub(crate) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    pub(crate) fn entry(&self, key: &CacheKey) -> Found<Entry> {
        self.newest(&name(&key.file_stem(), TOKEN), key, |entry: &Entry| entry.confirmed_at)
    }

    pub(crate) fn failure(&self, key: &CacheKey) -> Option<FailureRecord> {
        let name = name(&key.file_stem(), FAILURE);
        self.newest(&name, key, |failure: &FailureRecord| failure.at).record
    }

    pub(crate) fn rejection(&self, hash: &TokenHash) -> Option<Rejection> {
        self.newest(&rejection_name(hash), hash, |rejection: &Rejection| rejection.last_at).record
    }

    pub(crate) fn container_token(&self, key: &TownKey) -> Option<Secret> {
        let name = name(&key.file_stem(), CONTAINER);
        self.newest(&name, key, |renewal: &Renewal| renewal.at).record.map(|renewal| renewal.token)
    }

    /// The first place that can be written to, with what `open` makes of the lock file there. The
    /// reasons why others cannot be used come along.
    pub(crate) fn shelf<T>(
        &self,
        key: &CacheKey,
        open: impl Fn(&Path) -> std::io::Result<T>,
    ) -> (Option<(Shelf<'_>, T)>, Vec<anyhow::Error>) {
        let mut reasons = Vec::new();
        for (index, directory) in self.directories.iter().enumerate() {
            let shelf = Shelf { directories: &self.directories[index..] };
            let lock = directory.join(name(&key.file_stem(), LOCK));
            let opened = prepare(directory)
                .and_then(|()| open(&lock).with_context(|| format!("cannot open {lock:?}")));
            match opened {
                Ok(lock) => return (Some((shelf, lock)), reasons),
                Err(reason) => reasons.push(reason),
            }
        }
        (None, reasons)
    }

    /// Puts a rejection on record in the first place that takes it; needs no lock, because each
    /// token has a record of its own.
    ///
    /// # Errors
    /// If no place takes it: why the last one did not.
    pub(crate) fn keep_rejection(&self, rejection: &Rejection) -> Result<()> {
        let mut outcome = Ok(());
        for directory in &self.directories {
            outcome = Shelf { directories: from_ref(directory) }.keep_rejection(rejection);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn newest<K, R>(&self, name: &str, key: &K, moment: impl Fn(&R) -> Timestamp) -> Found<R>
    where
        K: PartialEq + for<'de> Deserialize<'de>,
        R: for<'de> Deserialize<'de>,
    {
        let mut found = Found { record: None, faults: Vec::new() };
        for directory in &self.directories {
            let path = directory.join(name);
            let record = read(&path).and_then(|bytes| {
                let Some(bytes) = bytes else { return Ok(None) };
                from_wire(key, &bytes).map(Some).map_err(|why| fault(&path, why, false))
            });
            match record {
                Ok(None) => {}
                Ok(Some(record)) => {
                    let is_newer = |other| moment(&record) > moment(other);
                    if found.record.as_ref().is_none_or(is_newer) {
                        found.record = Some(record);
                    }
                }
                Err(fault) => found.faults.push(fault),
            }
        }
        found
    }
}

/// A container JWT as it is kept.
#[derive(Serialize, Deserialize)]
struct Renewal {
    token: Secret,
    at: Timestamp,
}

/// The places of the cache from the first one on that can be used. A record goes to the first that
/// takes it, because a disk may be full although it has a lock.
#[derive(Clone, Copy)]
pub(crate) struct Shelf<'a> {
    directories: &'a [PathBuf],
}

impl Shelf<'_> {
    /// The first place, which also has the lock.
    pub(crate) fn directory(&self) -> &Path {
        &self.directories[0]
    }

    /// # Errors
    /// Why the first place does not take it; the old record stays as it was there, and the next
    /// place may have taken it. So for every `keep_…`.
    pub(crate) fn keep_entry(&self, key: &CacheKey, entry: &Entry) -> Result<()> {
        self.write(&name(&key.file_stem(), TOKEN), key, entry)
    }

    pub(crate) fn keep_failure(&self, key: &CacheKey, failure: &FailureRecord) -> Result<()> {
        self.write(&name(&key.file_stem(), FAILURE), key, failure)
    }

    pub(crate) fn forget_failure(&self, key: &CacheKey) {
        self.forget(&name(&key.file_stem(), FAILURE));
    }

    pub(crate) fn keep_rejection(&self, rejection: &Rejection) -> Result<()> {
        self.write(&rejection_name(&rejection.hash), &rejection.hash, rejection)
    }

    pub(crate) fn keep_container_token(
        &self,
        key: &TownKey,
        token: &Secret,
        at: Timestamp,
    ) -> Result<()> {
        let renewal = Renewal { token: token.clone(), at };
        self.write(&name(&key.file_stem(), CONTAINER), key, &renewal)
    }

    pub(crate) fn forget_container_token(&self, key: &TownKey) {
        self.forget(&name(&key.file_stem(), CONTAINER));
    }

    /// The lock that one waiter takes to go ahead when the holder of the other does not move.
    pub(crate) fn bypass_path(&self, key: &CacheKey) -> PathBuf {
        self.directory().join(name(&key.file_stem(), BYPASS))
    }

    /// Removes what died over a day ago; `retire` removes a lock file that nobody holds.
    pub(crate) fn sweep(&self, now: Timestamp, retire: impl Fn(&Path)) {
        sweep::sweep(self.directory(), now, retire);
    }

    fn write(&self, name: &str, key: &impl Serialize, record: &impl Serialize) -> Result<()> {
        let bytes = to_wire(key, record);
        let write = |directory: &PathBuf| {
            prepare(directory).and_then(|()| write(&directory.join(name), directory, &bytes))
        };
        let first = write(&self.directories[0]);
        if first.is_err() {
            let _ = self.directories[1..].iter().find(|directory| write(directory).is_ok());
        }
        first
    }

    fn forget(&self, name: &str) {
        for directory in self.directories {
            let _ = fs::remove_file(directory.join(name));
        }
    }
}

/// Not synced to disk: after a power cut a lost token costs one call, and a cut one is a miss.
fn write(path: &Path, directory: &Path, bytes: &[u8]) -> Result<()> {
    let written = || -> std::io::Result<()> {
        // Created 0600; removed again if anything fails.
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().with_context(|| format!("cannot write {path:?}"))
}

fn name(stem: &str, kind: &str) -> String {
    format!("{stem}.{kind}")
}

fn rejection_name(hash: &TokenHash) -> String {
    name(hash.prefix(), REJECTION)
}

fn fault(path: &Path, why: &str, is_suspicious: bool) -> Fault {
    Fault { what: format!("{path:?} is not used: {why}"), is_suspicious }
}

/// Reads a file if it is certainly ours: checked on the open descriptor, so that nobody can swap
/// it in between, and opened so that neither a link nor a FIFO can trap us.
fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    let suspicious = |why: &str| fault(path, why, true);
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return Err(suspicious("it is a symbolic link"));
        }
        Err(error) => return Err(suspicious(&error.to_string())),
    };
    let metadata = file.metadata().map_err(|error| suspicious(&error.to_string()))?;
    if !metadata.is_file() {
        return Err(suspicious("it is not a regular file"));
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(suspicious("it belongs to another user"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(suspicious("others can read or write it"));
    }
    if metadata.len() > LONGEST_FILE {
        return Err(suspicious("it is too long"));
    }
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(LONGEST_FILE.min(metadata.len()) as usize + 1));
    let read = file.take(LONGEST_FILE).read_to_end(&mut bytes);
    read.map_err(|error| suspicious(&error.to_string()))?;
    Ok(Some(bytes))
}

/// Makes sure that the directory is there, a real one, ours and private.
fn prepare(directory: &Path) -> Result<()> {
    let missing = match fs::symlink_metadata(directory) {
        Ok(_) => false,
        Err(error) => error.kind() == ErrorKind::NotFound,
    };
    if missing {
        let created = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        created.with_context(|| format!("cannot create {directory:?}"))?;
    }
    let metadata =
        fs::symlink_metadata(directory).with_context(|| format!("cannot look at {directory:?}"))?;
    ensure!(metadata.is_dir(), "{directory:?} is not a directory");
    ensure!(metadata.uid() == geteuid().as_raw(), "{directory:?} belongs to another user");
    let is_private = metadata.mode() & 0o077 == 0;
    let word = word(&directory.to_string_lossy());
    ensure!(is_private, "others can enter {directory:?}; run: chmod 700 {word}");
    Ok(())
}
