//! The undo notes: what setup changed in a file, so that it can be undone to the byte. Private, and
//! without a copy of what did not change. A note is written before its file, so a killed setup can
//! be undone. Setups that take turns at a file take turns at its notes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use git_credential_gastown::failure::Failure;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::host::stem;
use git_credential_gastown::patch::Patch;
use rustix::fs::Stat;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use crate::files::{Directory, Entry};
use crate::git::setup_failed;

const VERSION: u32 = 2;

/// What was changed in one file.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Note {
    version: u32,
    /// Of the note itself.
    #[serde(skip)]
    path: PathBuf,
    pub file: PathBuf,
    /// The directory that was migrated; `None` if the file was to have git ask this helper.
    pub migrated: Option<PathBuf>,
    /// Whether there was a file before.
    was_there: bool,
    /// From each content that we gave the file to the one before the first change; none if another
    /// program has changed the file between two changes of ours.
    patches: Vec<Patch>,
    /// Other helpers that were removed: key and value.
    pub helpers: Vec<(String, String)>,
    /// The links that were made.
    pub links: Vec<PathBuf>,
}

impl Note {
    /// Records a change that is about to be made. `is_first` if nothing of ours is in the file.
    pub(super) fn changes(
        &mut self,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        is_first: bool,
    ) -> Result<()> {
        let origin = if is_first { Some(before.map(<[u8]>::to_vec)) } else { self.origin(before)? };
        if is_first || origin.is_none() {
            self.patches.clear();
        }
        if let Some(origin) = origin {
            self.was_there = origin.is_some();
            let (after, origin) = (after.unwrap_or_default(), origin.unwrap_or_default());
            self.patches.push(Patch::back(after, &origin));
        }
        Ok(())
    }

    /// The content before the first change, if `now` is that or one that we left; `Some(None)`: no
    /// file.
    #[expect(clippy::option_option, reason = "unknown, absent and present are three things")]
    pub(super) fn origin(&self, now: Option<&[u8]>) -> Result<Option<Option<Vec<u8>>>> {
        let now = now.unwrap_or_default();
        let Some(way) = self.patches.iter().find(|way| way.is_for(now)) else { return Ok(None) };
        let origin = way.apply(now).ok_or_else(|| damaged(&self.path, "is damaged"))?;
        Ok(Some(self.was_there.then_some(origin)))
    }

    fn file_name(&self) -> OsString {
        file_name(&self.file, self.migrated.is_some())
    }
}

fn file_name(file: &Path, is_migration: bool) -> OsString {
    let kind = if is_migration { "migrate" } else { "setup" };
    format!("{}.json", stem(&[kind, &file.to_string_lossy()])).into()
}

fn unfinished(name: &OsStr) -> OsString {
    [name, OsStr::new(".new")].into_iter().collect()
}

fn damaged(path: &Path, why: &str) -> Failure {
    let shown = word(&path.to_string_lossy());
    let advice = format!("put it aside, then run this again: mv {shown} {shown}.damaged");
    setup_failed(format!("the undo note {path:?} {why}"), &advice)
}

/// The directory of the notes, which need not be there.
pub(super) struct Notes {
    pub path: Option<PathBuf>,
}

impl Notes {
    /// What is known of a file; nothing, if there is no note or no place for notes.
    pub(super) fn load(&self, file: &Path, migrated: Option<&Path>) -> Result<Note> {
        let directory = self.open(false).ok().flatten();
        let name = file_name(file, migrated.is_some());
        let note = directory.and_then(|directory| read(&directory, &name).transpose());
        Ok(note.transpose()?.unwrap_or_else(|| Note {
            version: VERSION,
            file: file.to_owned(),
            migrated: migrated.map(Path::to_owned),
            ..Note::default()
        }))
    }

    /// Each note, or why it cannot be used.
    pub(super) fn all(&self) -> Result<Vec<Result<Note>>> {
        let Some(directory) = self.open(false)? else { return Ok(Vec::new()) };
        let mut names = directory.names()?;
        names.retain(|name| name.as_encoded_bytes().ends_with(b".json"));
        Ok(names.iter().filter_map(|name| read(&directory, name).transpose()).collect())
    }

    pub(super) fn save(&self, note: &Note) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(note).context("its path is not text")?;
        let name = note.file_name();
        let save = || {
            let directory = self.open(true)?.context("it is not there")?;
            directory.remove(unfinished(&name))?;
            directory.write_new(unfinished(&name), &bytes)?;
            directory.rename(unfinished(&name), &name)
        };
        // An undo of another file may remove the directory once.
        save().or_else(|_| save())
    }

    /// Removes directories, too, unless something else is in them.
    pub(super) fn remove(&self, note: &Note) -> Result<()> {
        let Ok(Some(mut directory)) = self.open(false) else { return Ok(()) };
        for name in [unfinished(&note.file_name()), note.file_name()] {
            directory.remove(&name)?;
        }
        for _ in 0..2 {
            let parent = directory.parent()?;
            directory.path.file_name().iter().for_each(|name| parent.remove_emptied(name));
            directory = parent;
        }
        Ok(())
    }

    /// Makes missing directories only in one that belongs to this user, for example never as root
    /// in another user's home.
    fn open(&self, is_to_make: bool) -> Result<Option<Directory>> {
        let path = self.path.as_deref().context("HOME is unset")?;
        let there = path.ancestors().find(|path| path.symlink_metadata().is_ok());
        let there = there.unwrap_or(Path::new("/"));
        if there != path && !is_to_make {
            return Ok(None);
        }
        let mut directory = Directory::open(there)?;
        for name in path.strip_prefix(there).unwrap_or(path) {
            if directory.stat()?.st_uid != geteuid().as_raw() {
                bail!("{:?} belongs to another user", directory.path);
            }
            let made = directory.make_private(name);
            let is_there = directory.entry(name) == Entry::Directory;
            directory = if is_there { directory.enter(name)? } else { made? };
        }
        if !is_private(&directory.stat()?) {
            bail!("others can write to {:?}", directory.path);
        }
        Ok(Some(directory))
    }
}

fn read(directory: &Directory, name: &OsStr) -> Result<Option<Note>> {
    let path = directory.path.join(name);
    let Some(found) = directory.read(name)? else { return Ok(None) };
    if !is_private(&found.stat) {
        return Err(damaged(&path, "could have been written by others").into());
    }
    let note = serde_json::from_slice::<Note>(&found.bytes).ok();
    let is_sound = |note: &Note| note.version == VERSION && note.file_name() == name;
    let note = note.filter(is_sound).ok_or_else(|| damaged(&path, "is damaged"))?;
    Ok(Some(Note { path, ..note }))
}

fn is_private(stat: &Stat) -> bool {
    stat.st_uid == geteuid().as_raw() && stat.st_mode & 0o022 == 0
}
