//! One configuration file of git, changed by one rename. git edits a private copy beside the file;
//! a hard link to the copy takes git's own lock, `<file>.lock`, and renaming the lock publishes it.
//! The lock is held for two system calls, so a killed setup leaves the old file or the new one. If
//! it also leaves the lock, the next setup recognises it as a link to an abandoned copy.

#![expect(
    clippy::disallowed_methods,
    reason = "waiting for git's lock has nothing to do with git's patience"
)]

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::time::{Timestamp, spoken};
use rustix::fs::Stat;
use rustix::process::geteuid;

use super::failure;
use crate::clock;
use crate::files::{Directory, Snapshot, resolve, same};
use crate::git::Git;

/// How the name of the private directory that holds a copy begins.
const COPY: &str = ".gastown-setup-";
/// How long to wait while another process holds git's lock.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);
/// How often to start again because the file was changed meanwhile.
const ATTEMPTS: usize = 400;

pub(super) struct GitFile {
    pub directory: Directory,
    pub name: OsString,
}

/// How the file is to be changed.
pub(super) struct Change<'a> {
    pub git: &'a Git,
    /// The permissions of a file that was not there.
    pub new_mode: u32,
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

    pub(super) fn read(&self) -> Result<Option<Snapshot>> {
        self.directory.read(&self.name)
    }

    /// Without what it includes.
    pub(super) fn lines(&self, git: &Git) -> Result<Vec<Line>> {
        let snapshot = self.read()?;
        let bytes = snapshot.map(|snapshot| snapshot.bytes).unwrap_or_default();
        Ok(git.lines_in(&bytes, &self.path())?)
    }

    /// Calls `edit` with a copy and `note` with the content before and after, then publishes the
    /// copy. Starts again if the file was changed meanwhile. `None` if `edit` changed nothing. On
    /// error the file is as it was.
    pub(super) fn change<T>(
        &self,
        change: &Change<'_>,
        mut edit: impl FnMut(&mut WorkingCopy<'_>) -> Result<T>,
        mut note: impl FnMut(Option<&[u8]>, Option<&[u8]>, &T) -> Result<()>,
    ) -> Result<Option<T>> {
        self.remove_leftovers();
        for _ in 0..ATTEMPTS {
            let before = self.read()?;
            let before_bytes = before.as_ref().map(|before| &*before.bytes);
            self.check_links(before.as_ref())?;
            let Some(mut copy) = WorkingCopy::new(self, before_bytes, change.git)? else {
                continue;
            };
            let outcome = edit(&mut copy)?;
            let after = copy.bytes()?;
            if after.as_deref() == before_bytes {
                return Ok(None);
            }
            note(before_bytes, after.as_deref(), &outcome)?;
            if after.is_none() {
                // The lock has to be a link to something.
                copy.replace(Some(b""))?;
            }
            let directory = self.directory.stat()?;
            let owner = before.as_ref().map_or(&directory, |before| &before.stat);
            let mode = before.as_ref().map_or(change.new_mode, |before| before.stat.st_mode);
            copy.work.copy_attributes(&self.name, owner, Some(mode))?;
            if self.publish(&copy, before.as_ref().map(|it| &it.stat), after.is_some())? {
                return Ok(Some(outcome));
            }
        }
        let what = format!("other programs keep changing {:?}", self.path());
        Err(failure(what, "run the command again when they have finished").into())
    }

    /// Returns whether the file was still what had been copied; otherwise it is left alone.
    fn publish(&self, copy: &WorkingCopy<'_>, before: Option<&Stat>, stays: bool) -> Result<bool> {
        let lock = lock_of(&self.name);
        let mut waited = Duration::ZERO;
        while !copy.work.link_to(&self.name, &self.directory, &lock)? {
            if waited >= PATIENCE {
                return Err(self.locked(&lock));
            }
            self.remove_leftovers();
            std::thread::sleep(PAUSE);
            waited += PAUSE;
        }
        let is_same = match (before, self.directory.stat_of(&self.name)) {
            (Some(before), Some(now)) => unchanged(before, &now),
            (before, now) => before.is_none() && now.is_none(),
        };
        if !is_same {
            self.directory.remove(&lock)?;
            return Ok(false);
        }
        let published = match stays {
            true => self.directory.rename(&lock, &self.name),
            false => self.directory.remove(&self.name).and_then(|()| self.directory.remove(&lock)),
        };
        if published.is_err() {
            self.directory.remove(&lock)?;
        }
        published.map(|()| true)
    }

    fn locked(&self, lock: &OsStr) -> anyhow::Error {
        let path = self.directory.path.join(lock);
        let since = self.directory.stat_of(lock).map_or(0, |stat| stat.st_mtime);
        let age = clock::now().since(Timestamp::from_millis(since.saturating_mul(1000)));
        let what = format!("{:?} is locked by {path:?}, which is {} old", self.path(), spoken(age));
        let advice = "run the command again when that git has ended; if none is running, remove \
                      the lock: rm";
        failure(what, &format!("{advice} {}", word(&path.to_string_lossy()))).into()
    }

    /// Another user's file with several names may be one that was linked here to be changed.
    fn check_links(&self, before: Option<&Snapshot>) -> Result<()> {
        let Some(Snapshot { stat, .. }) = before else { return Ok(()) };
        if stat.st_nlink > 1 && stat.st_uid != geteuid().as_raw() {
            let what = format!("{:?} of user {} has other names", self.path(), stat.st_uid);
            return Err(failure(what, "run the command as that user").into());
        }
        Ok(())
    }

    /// Removes the copies that killed setups left here, and their locks.
    pub(super) fn remove_leftovers(&self) {
        let names = self.directory.names().unwrap_or_default();
        let is_copy = |name: &&OsString| name.as_encoded_bytes().starts_with(COPY.as_bytes());
        for name in names.iter().filter(is_copy) {
            let Ok(work) = self.directory.enter(name) else { continue };
            let is_ours = work.stat().is_ok_and(|stat| stat.st_uid == geteuid().as_raw());
            // The lock ends with the process that made the copy.
            let Some(_lock) = is_ours.then(|| work.try_lock().ok()).flatten().flatten() else {
                continue;
            };
            for file in work.names().unwrap_or_default() {
                let lock = lock_of(&file);
                if let (Some(copy), Some(held)) =
                    (work.stat_of(&file), self.directory.stat_of(&lock))
                    && same(&copy, &held)
                {
                    let _ = self.directory.remove(&lock);
                }
                let _ = work.remove(&file);
            }
            self.directory.remove_emptied(name);
        }
    }
}

/// git's own name for the lock of a file.
fn lock_of(name: &OsStr) -> OsString {
    let mut lock = name.to_owned();
    lock.push(".lock");
    lock
}

fn unchanged(before: &Stat, now: &Stat) -> bool {
    let content = |stat: &Stat| {
        let changed = (stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
        (stat.st_dev, stat.st_ino, stat.st_size, changed)
    };
    content(before) == content(now)
}

/// A copy of a configuration file in a private directory; removed when dropped.
pub(super) struct WorkingCopy<'a> {
    file: &'a GitFile,
    git: &'a Git,
    work: Directory,
    work_name: OsString,
    /// `None` where the file system has no locks: leftovers are not removed there.
    _lock: Option<OwnedFd>,
}

impl<'a> WorkingCopy<'a> {
    /// `None` if another setup removed the directory before it was locked.
    fn new(file: &'a GitFile, bytes: Option<&[u8]>, git: &'a Git) -> Result<Option<Self>> {
        let context = || format!("cannot change {:?}", file.path());
        let work_name = OsString::from(format!("{COPY}{:016x}", fastrand::u64(..)));
        file.directory.make(&work_name).with_context(context)?;
        let Ok(work) = file.directory.enter(&work_name) else { return Ok(None) };
        let stat = work.stat()?;
        if stat.st_uid != geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
            bail!("{:?} was made by somebody else", work.path);
        }
        let alive = work.try_lock();
        if matches!(alive, Ok(None)) {
            return Ok(None);
        }
        let mut copy = Self { file, git, work, work_name, _lock: alive.ok().flatten() };
        match copy.replace(bytes) {
            Err(_) if file.directory.stat_of(&copy.work_name).is_none() => Ok(None),
            written => written.map(|()| Some(copy)).with_context(context),
        }
    }

    pub(super) fn bytes(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.work.read(&self.file.name)?.map(|snapshot| snapshot.bytes))
    }

    /// Gives it another content, or has the file removed.
    pub(super) fn replace(&mut self, bytes: Option<&[u8]>) -> Result<()> {
        self.work.remove(&self.file.name)?;
        bytes.map_or(Ok(()), |bytes| self.work.write_new(&self.file.name, bytes))
    }

    pub(super) fn lines(&self) -> Result<Vec<Line>> {
        let bytes = self.bytes()?.unwrap_or_default();
        Ok(self.git.lines_in(&bytes, &self.file.path())?)
    }

    /// Changes it as `git config` does.
    pub(super) fn edit<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<()> {
        Ok(self.git.edit(&self.work, &self.file.name, arguments, &self.file.path())?)
    }
}

impl Drop for WorkingCopy<'_> {
    fn drop(&mut self) {
        for name in [self.file.name.clone(), lock_of(&self.file.name)] {
            let _ = self.work.remove(&name);
        }
        self.file.directory.remove_emptied(&self.work_name);
    }
}
