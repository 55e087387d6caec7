//! One configuration file of git, changed by one rename. git edits a copy in a private directory
//! beside the file. A hard link to that copy takes git's own lock, `<file>.lock`, and renaming the
//! lock publishes it. The lock is held for two system calls, so a killed setup leaves the old file
//! or the new one. If it also leaves the lock, the next setup recognises it as a link to the copy.
//! Among each other setups take turns by a lock of the kernel, which ends with its process.

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

use super::Setup;
use crate::clock;
use crate::files::{Directory, resolve, same};
use crate::git::{Git, setup_failed};

/// How the name of the directory beside a file begins: this, 16 digits, a hyphen, the file's name.
const PLACE: &str = ".gastown-setup-";
/// The name of the copy in it.
const COPY: &str = "config";
/// How long to wait for a git that changes the file, and for other setups.
const PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE_WITH_SETUPS: Duration = Duration::from_secs(20);
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
    /// other changes files in that directory. `None` in a dry run; and on a file system without
    /// locks, or if somebody keeps the lock, where only git's lock keeps setups apart.
    pub(super) fn take_turn(&self, setup: &Setup<'_>) -> Result<Option<OwnedFd>> {
        if setup.options.dry_run {
            return Ok(None);
        }
        let take = || Ok(self.directory.try_lock().map_or(Some(None), |lock| lock.map(Some)));
        let turn = wait(PATIENCE_WITH_SETUPS, take)?.flatten();
        if turn.is_some() {
            self.remove_leftovers();
        }
        Ok(turn)
    }

    /// Has `edit` change a copy, and publishes that if its content is another. Starts again if the
    /// file was changed meanwhile. On error the file is as it was.
    pub(super) fn change<T>(
        &self,
        setup: &Setup<'_>,
        mut edit: impl FnMut(&mut WorkingCopy<'_>) -> Result<T>,
    ) -> Result<T> {
        for _ in 0..ATTEMPTS {
            let (before, stat) =
                self.directory.read(&self.name)?.map(|found| (found.bytes, found.stat)).unzip();
            let (now, base) = (before.clone(), before.clone());
            let mut copy =
                WorkingCopy { setup, original: self, before, now, base, stat, place: None };
            let changed = edit(&mut copy).and_then(|outcome| {
                let is_unchanged = setup.options.dry_run || copy.now == copy.before;
                let is_done = is_unchanged || copy.publish()?;
                Ok(is_done.then_some(outcome))
            });
            if let Some(outcome) =
                changed.with_context(|| format!("cannot change {:?}", self.path()))?
            {
                return Ok(outcome);
            }
        }
        let what = format!("other programs keep changing {:?}", self.path());
        Err(setup_failed(what, "run the command again when they have finished").into())
    }

    fn locked(&self, lock: &OsStr) -> Error {
        let path = self.directory.path.join(lock);
        let since = self.directory.stat_of(lock).map_or(0, |stat| stat.st_mtime);
        let age = clock::now().since(Timestamp::from_millis(since.saturating_mul(1000)));
        let what = format!("{:?} is locked by {path:?}, which is {} old", self.path(), spoken(age));
        let advice = "run the command again when that git has ended; if none is running, run: rm";
        setup_failed(what, &format!("{advice} {}", word(path))).into()
    }

    /// Removes what killed setups of this user left here, and their locks. Best effort.
    fn remove_leftovers(&self) {
        for name in self.directory.names().unwrap_or_default() {
            let rest = name.as_encoded_bytes().strip_prefix(PLACE.as_bytes());
            let Some(file) = rest.and_then(|rest| rest.get(17..)).map(OsStr::from_bytes) else {
                continue;
            };
            let place = self.directory.enter(&name).ok().filter(Directory::is_private);
            let Some(place) = place else { continue };
            let lock = lock_of(file);
            let held = self.directory.stat_of(&lock).zip(place.stat_of(COPY));
            if held.is_some_and(|(lock, copy)| same(&lock, &copy)) {
                let _ = self.directory.remove(&lock);
            }
            clear(&self.directory, &name, &place);
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

/// Ends a last line that is continued, which would swallow what comes next.
fn complete(text: &[u8]) -> Vec<u8> {
    let end: &[u8] = if text.trim_ascii_end().ends_with(b"\\") { b"\n\n" } else { b"" };
    [text, end].concat()
}

/// Whether a line of a configuration file is the head of a section and nothing else.
fn is_head(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.starts_with(b"[") && line.ends_with(b"]")
}

fn lock_of(name: &OsStr) -> OsString {
    [name, OsStr::new(".lock")].into_iter().collect()
}

/// Removes a private directory and the copies in it: ours, and that of a git that was killed.
fn clear(directory: &Directory, name: &OsStr, place: &Directory) {
    for copy in [OsStr::new(COPY), &lock_of(OsStr::new(COPY))] {
        let _ = place.remove(copy);
    }
    directory.remove_emptied(name);
}

/// What differs once a file was changed or replaced.
fn version(stat: &Stat) -> impl PartialEq + use<> {
    let changed = (stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
    (stat.st_dev, stat.st_ino, stat.st_size, changed)
}

/// A configuration file while it is changed.
pub(super) struct WorkingCopy<'a> {
    setup: &'a Setup<'a>,
    original: &'a GitFile,
    /// What was copied, and what it is now; `None` for no file.
    before: Option<Vec<u8>>,
    pub now: Option<Vec<u8>>,
    /// What undo restores.
    pub base: Option<Vec<u8>>,
    stat: Option<Stat>,
    /// The private directory and its name; made for the first change, removed when dropped.
    place: Option<(OsString, Directory)>,
}

impl WorkingCopy<'_> {
    pub(super) fn lines(&self) -> Result<Vec<Line>> {
        let bytes = self.now.as_deref().unwrap_or_default();
        Ok(self.setup.git.lines_in(bytes, &self.original.path())?)
    }

    /// The values of a key, in the order of the file.
    pub(super) fn values(&self, key: &str) -> Result<Vec<String>> {
        let lines = self.lines()?.into_iter().filter(|line| line.key == key);
        Ok(lines.map(|line| line.value).collect())
    }

    /// Changes it as `git config` does.
    pub(super) fn edit(&mut self, arguments: &[&str]) -> Result<()> {
        if self.setup.options.dry_run {
            return Ok(());
        }
        let place = self.write(&complete(self.now.as_deref().unwrap_or_default()))?;
        self.setup.git.edit(&place, COPY, arguments, &self.original.path())?;
        self.now = place.read(COPY)?.map(|found| found.bytes);
        Ok(())
    }

    /// Adds values in a section of their own at the end. git itself would add them to the last
    /// section of that name, which may have other helpers behind it.
    pub(super) fn append(&mut self, key: &str, values: &[&str]) -> Result<()> {
        let mut all = complete(self.now.take().as_deref().unwrap_or_default());
        if !all.is_empty() && !all.ends_with(b"\n") {
            all.push(b'\n');
        }
        if !self.setup.options.dry_run {
            // On a full disk git would only say that it failed.
            self.write(&all)?;
        }
        values.iter().try_for_each(|value| self.edit(&["--add", key, value]))?;
        self.now = Some([all, self.now.take().unwrap_or_default()].concat());
        Ok(())
    }

    /// Takes out one of the `lines`, and the head above it if nothing else is in that section. git
    /// itself would take out all lines of that value, and leave the head. Looks for it in the text
    /// before the line with number `end`, from there upwards, and returns the number of its line.
    pub(super) fn cut(&mut self, position: usize, end: usize) -> Result<usize> {
        let (mut rest, path) = (self.lines()?, self.original.path());
        let Line { key, value, .. } = rest.remove(position);
        let now = self.now.clone().unwrap_or_default();
        let mut text: Vec<_> = now.split_inclusive(|byte| *byte == b'\n').collect();
        // It is found when git reads all other lines, and nothing else, from the text without it.
        for at in (0..text.len().min(end)).rev() {
            let line = text.remove(at);
            let is_it = line.to_ascii_lowercase().windows(6).any(|part| part == b"helper")
                && self.setup.git.lines_in(&text.concat(), &path).is_ok_and(|lines| lines == rest);
            if is_it {
                let has_ended = text.get(at).is_none_or(|next| is_head(next));
                if has_ended && at > 0 && is_head(text[at - 1]) {
                    text.remove(at - 1);
                }
                self.now = Some(text.concat());
                return Ok(at);
            }
            text.insert(at, line);
        }
        // Not found: it goes on in the next line, or stands in the same line as a head.
        if self.values(&key)?.iter().filter(|other| **other == value).count() == 1 {
            self.edit(&["--fixed-value", "--unset-all", &key, &value])?;
        }
        Ok(end)
    }

    /// Writes the copy for git to change, or to become the file.
    fn write(&mut self, bytes: &[u8]) -> Result<Directory> {
        let place = self.place()?;
        place.remove(COPY)?;
        place.write_new(COPY, bytes)?;
        Ok(place)
    }

    fn place(&mut self) -> Result<Directory> {
        if let Some((_, place)) = &self.place {
            return Ok(place.clone());
        }
        let GitFile { directory, name } = self.original;
        let is_foreign = |stat: &Stat| stat.st_nlink > 1 && stat.st_uid != geteuid().as_raw();
        if let Some(stat) = self.stat.filter(is_foreign) {
            // It may have been linked here to be changed.
            let path = self.original.path();
            let what = format!("{path:?} of user {} has other names", stat.st_uid);
            let advice = "run the command as that user; to look at it, run: ls -l";
            bail!(setup_failed(what, &format!("{advice} {}", word(path))));
        }
        let mut place_name = OsString::from(format!("{PLACE}{:016x}-", fastrand::u64(..)));
        place_name.push(name);
        let place = directory.make_private(&place_name)?;
        self.place = Some((place_name, place.clone()));
        Ok(place)
    }

    /// Returns whether the file was still what had been copied; otherwise it is left alone.
    fn publish(&mut self) -> Result<bool> {
        let place = self.write(&self.now.clone().unwrap_or_default())?;
        let GitFile { directory, name } = self.original;
        let new_mode = self.setup.new_mode;
        let owner = self.stat.map_or_else(|| directory.stat(), Ok)?;
        place.give(COPY, &owner, self.stat.map_or(new_mode, |stat| stat.st_mode))?;
        let lock = lock_of(name);
        let take = || Ok(place.link(COPY, directory, &lock)?.then_some(()));
        if wait(PATIENCE, take)?.is_none() {
            return Err(self.original.locked(&lock));
        }
        let is_same =
            self.stat.as_ref().map(version) == directory.stat_of(name).as_ref().map(version);
        let published = match &self.now {
            _ if !is_same => Ok(()),
            Some(_) => directory.rename(&lock, name),
            None => directory.remove(name),
        };
        if !is_same || self.now.is_none() || published.is_err() {
            directory.remove(&lock)?;
        }
        published.map(|()| is_same)
    }
}

impl Drop for WorkingCopy<'_> {
    fn drop(&mut self) {
        if let Some((name, place)) = &self.place {
            clear(&self.original.directory, name, place);
        }
    }
}
