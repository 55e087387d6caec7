//! One configuration file of git, changed by one rename. git edits a private copy elsewhere, because
//! it goes by paths, which the owner of a directory can lead anywhere. The result is written beside
//! the file; a hard link to that takes git's own lock, `<file>.lock`, and renaming the lock publishes
//! it. The lock is held for two system calls, so a killed setup leaves the old file or the new one.
//! If it also leaves the lock, the next setup recognises it as a link to what was written beside the
//! file. Among each other setups take turns by a lock of the kernel, which ends with its process.

#![expect(
    clippy::disallowed_methods,
    reason = "waiting for other programs' locks has nothing to do with git's patience"
)]

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail};
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::time::{Timestamp, spoken};
use rustix::fs::Stat;
use rustix::process::geteuid;
use tempfile::TempDir;

use super::failure;
use crate::clock;
use crate::files::{Directory, resolve, same};
use crate::git::Git;

/// How the name of what is written beside a file begins: this, a number of 16 digits, the name.
const RESULT: &str = ".gastown-setup-";
/// How the name of the private directory of a copy begins.
const COPY: &str = "gastown-setup-";
/// Between making a directory and locking it, in seconds.
const JUST_MADE: i64 = 5;
/// No setup takes so long, in seconds.
const OLDEST_COPY: i64 = 3600;
/// How long to wait for a git that changes the file, and for other setups.
const PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE_WITH_SETUPS: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
/// How often to start again because the file was changed meanwhile.
const ATTEMPTS: usize = 100;

pub(super) struct GitFile {
    pub directory: Directory,
    pub name: OsString,
}

impl GitFile {
    /// Follows links, as git does, which changes the file that they lead to.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (directory, name) = resolve(path)?;
        Ok(Self { directory, name })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path.join(&self.name)
    }

    pub(super) fn bytes(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.directory.read(&self.name)?.map(|found| found.bytes))
    }

    /// Without what it includes.
    pub(super) fn lines(&self, git: &Git) -> Result<Vec<Line>> {
        Ok(git.lines_in(&self.bytes()?.unwrap_or_default(), &self.path())?)
    }

    /// Waits for other setups, then removes what killed ones left here. While the lock is held, no
    /// other changes files in that directory; `None` on a file system without locks, where only
    /// git's lock keeps setups apart.
    pub(super) fn take_turn(&self) -> Result<Option<OwnedFd>> {
        let take = || Ok(self.directory.try_lock().map_or(Some(None), |lock| lock.map(Some)));
        let Some(turn) = wait(PATIENCE_WITH_SETUPS, take)? else {
            let what = format!("another setup changes files in {:?}", self.directory.path);
            return Err(failure(what, "run the command again when it has ended").into());
        };
        if turn.is_some() {
            self.remove_leftovers();
        }
        Ok(turn)
    }

    /// Has `edit` change a copy, and publishes that if its content is another. Starts again if the
    /// file was changed meanwhile. On error the file is as it was.
    pub(super) fn change<T>(
        &self,
        git: &Git,
        new_mode: u32,
        mut edit: impl FnMut(&mut WorkingCopy<'_>) -> Result<T>,
    ) -> Result<T> {
        for _ in 0..ATTEMPTS {
            let found = self.directory.read(&self.name)?;
            let (before, stat) = found.map(|found| (found.bytes, found.stat)).unzip();
            self.check_links(stat.as_ref())?;
            let mut copy = WorkingCopy::new(self, before, git)?;
            let outcome = edit(&mut copy)?;
            let after = copy.file.bytes()?;
            if after == copy.before || self.publish(stat.as_ref(), after.as_deref(), new_mode)? {
                return Ok(outcome);
            }
        }
        let what = format!("other programs keep changing {:?}", self.path());
        Err(failure(what, "run the command again when they have finished").into())
    }

    /// Returns whether the file was still what had been copied; otherwise it is left alone.
    fn publish(&self, before: Option<&Stat>, after: Option<&[u8]>, mode: u32) -> Result<bool> {
        let mut result = OsString::from(format!("{RESULT}{:016x}-", fastrand::u64(..)));
        result.push(&self.name);
        let owner = before.map_or_else(|| self.directory.stat(), |stat| Ok(*stat))?;
        let mode = before.map_or(mode, |stat| stat.st_mode);
        // Where the file is to go, the lock still has to be a link to something.
        let bytes = after.unwrap_or_default();
        let written = self.directory.write_new(&result, bytes, Some((&owner, mode)));
        let written = written.with_context(|| format!("cannot change {:?}", self.path()));
        let published = written.and_then(|()| self.swap(&result, before, after.is_some()));
        let removed = self.directory.remove(&result);
        // Why it was not published is what counts.
        published.and_then(|published| removed.map(|()| published))
    }

    fn swap(&self, result: &OsStr, before: Option<&Stat>, stays: bool) -> Result<bool> {
        let lock = lock_of(&self.name);
        if wait(PATIENCE, || Ok(self.directory.link(result, &lock)?.then_some(())))?.is_none() {
            return Err(self.locked(&lock));
        }
        let now = self.directory.stat_of(&self.name);
        let published = if before.map(version) != now.as_ref().map(version) {
            Ok(false)
        } else if stays {
            self.directory.rename(&lock, &self.name).map(|()| true)
        } else {
            let removed = self.directory.remove(&self.name);
            removed.and_then(|()| self.directory.remove(&lock)).map(|()| true)
        };
        if !matches!(published, Ok(true)) {
            self.directory.remove(&lock)?;
        }
        published
    }

    fn locked(&self, lock: &OsStr) -> Error {
        let path = self.directory.path.join(lock);
        let since = self.directory.stat_of(lock).map_or(0, |stat| stat.st_mtime);
        let age = clock::now().since(Timestamp::from_millis(since.saturating_mul(1000)));
        let what = format!("{:?} is locked by {path:?}, which is {} old", self.path(), spoken(age));
        let advice = "run the command again when that git has ended; if none is running, run: rm";
        failure(what, &format!("{advice} {}", word(&path.to_string_lossy()))).into()
    }

    /// Another user's file with several names may be one that was linked here to be changed.
    fn check_links(&self, stat: Option<&Stat>) -> Result<()> {
        let is_foreign = |stat: &&Stat| stat.st_nlink > 1 && stat.st_uid != geteuid().as_raw();
        let Some(stat) = stat.filter(is_foreign) else { return Ok(()) };
        let what = format!("{:?} of user {} has other names", self.path(), stat.st_uid);
        let advice = "run the command as that user; to look at it, run: ls -l";
        Err(failure(what, &format!("{advice} {}", word(&self.path().to_string_lossy()))).into())
    }

    /// Removes what killed setups of this user left here, and their locks. Best effort.
    fn remove_leftovers(&self) {
        for result in self.directory.names().unwrap_or_default() {
            let name = result.as_encoded_bytes().strip_prefix(RESULT.as_bytes());
            let (Some(name), Some(stat)) =
                (name.and_then(|name| name.get(17..)), self.directory.stat_of(&result))
            else {
                continue;
            };
            let user = geteuid();
            if user.is_root() || stat.st_uid == user.as_raw() {
                let lock = lock_of(OsStr::from_bytes(name));
                if self.directory.stat_of(&lock).is_some_and(|held| same(&stat, &held)) {
                    let _ = self.directory.remove(&lock);
                }
                let _ = self.directory.remove(&result);
            }
        }
    }
}

/// Removes the copies of setups of this user that were killed: nobody has a lock on them, or they
/// are old and the file system has no locks. Best effort.
fn remove_old_copies(temporary: &Directory) {
    let names = temporary.names().unwrap_or_default();
    let is_copy = |name: &&OsString| name.as_encoded_bytes().starts_with(COPY.as_bytes());
    let now = clock::now().millis() / 1000;
    for name in names.iter().filter(is_copy) {
        let Ok(copy) = temporary.enter(name) else { continue };
        let longest = match copy.try_lock() {
            Ok(Some(_)) => JUST_MADE,
            Ok(None) => continue,
            Err(_) => OLDEST_COPY,
        };
        let is_old =
            |stat: Stat| stat.st_uid == geteuid().as_raw() && stat.st_mtime < now - longest;
        if copy.stat().is_ok_and(is_old) {
            for file in copy.names().unwrap_or_default() {
                let _ = copy.remove(file);
            }
            temporary.remove_emptied(name);
        }
    }
}

/// Tries until it gets something, or for long enough.
fn wait<T>(limit: Duration, attempt: impl Fn() -> Result<Option<T>>) -> Result<Option<T>> {
    let mut waited = Duration::ZERO;
    loop {
        match attempt()? {
            None if waited < limit => sleep(PAUSE),
            outcome => return Ok(outcome),
        }
        waited += PAUSE;
    }
}

fn lock_of(name: &OsStr) -> OsString {
    [name, OsStr::new(".lock")].into_iter().collect()
}

/// What differs once a file was changed or replaced.
fn version(stat: &Stat) -> impl PartialEq + use<> {
    let changed = (stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
    (stat.st_dev, stat.st_ino, stat.st_size, changed)
}

/// A copy of a configuration file in a private directory; removed when dropped.
pub(super) struct WorkingCopy<'a> {
    git: &'a Git,
    original: &'a GitFile,
    pub file: GitFile,
    /// What was copied; `None` if there is no such file.
    pub before: Option<Vec<u8>>,
    place: TempDir,
    /// Tells other setups that this one still runs.
    _lock: Option<OwnedFd>,
}

impl<'a> WorkingCopy<'a> {
    fn new(original: &'a GitFile, before: Option<Vec<u8>>, git: &'a Git) -> Result<Self> {
        let place = tempfile::Builder::new().prefix(COPY).tempdir();
        let place = place.context("there is no place for temporary files, see TMPDIR")?;
        let directory = Directory::open(place.path())?;
        let above = directory.parent()?;
        remove_old_copies(&above);
        let lock = directory.try_lock().ok().flatten();
        let (own, above) = (directory.stat()?, above.stat()?);
        let is_safe = above.st_mode & 0o022 == 0 || above.st_mode & 0o1000 != 0;
        if own.st_uid != geteuid().as_raw() || own.st_mode & 0o077 != 0 || !is_safe {
            bail!("others can change {:?}, set TMPDIR to another directory", directory.path);
        }
        let file = GitFile { directory, name: "config".into() };
        let copy = Self { git, original, file, before, place, _lock: lock };
        copy.replace(copy.before.as_deref())?;
        Ok(copy)
    }

    /// Gives it another content, or has the file removed.
    pub(super) fn replace(&self, bytes: Option<&[u8]>) -> Result<()> {
        let GitFile { directory, name } = &self.file;
        directory.remove(name)?;
        bytes.map_or(Ok(()), |bytes| directory.write_new(name, bytes, None))
    }

    pub(super) fn lines(&self) -> Result<Vec<Line>> {
        self.file.lines(self.git)
    }

    /// The values of a key, in the order of the file.
    pub(super) fn values(&self, key: &str) -> Result<Vec<String>> {
        let lines = self.lines()?.into_iter().filter(|line| line.key == key);
        Ok(lines.map(|line| line.value).collect())
    }

    /// Changes it as `git config` does.
    pub(super) fn edit(&self, arguments: &[&str]) -> Result<()> {
        let path = self.place.path().join(&self.file.name);
        Ok(self.git.edit(&path, arguments, &self.original.path())?)
    }
}
