//! `setup --undo`: makes a file what it was, to the byte where nobody else has changed it since;
//! otherwise takes out our lines and leaves the rest. With `--migrate`, puts the helpers back that
//! were removed from repositories; tokens are not restored. Owns the notes that this takes: private,
//! and without a copy of what did not change. A note is written before its file, so a killed setup
//! can be undone. Setups that take turns at a file take turns at its notes.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::host::stem;
use git_credential_gastown::patch::WayBack;
use rustix::fs::Stat;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::configure::{remove_link, target};
use super::git_file::{GitFile, WorkingCopy};
use super::{Setup, lines};
use crate::files::Directory;
use crate::git::setup_failed;

pub(super) fn run(setup: &Setup<'_>) -> Result<()> {
    let said = setup.report.borrow().len();
    if let Err(reason) = setup.notes_directory(false) {
        setup.context.messages.warning(format_args!(
            "no undo note is used, only the lines of this helper are removed: {reason:#}"
        ));
    }
    let migrated = setup.options.migrate.as_ref().map(|path| setup.surroundings.absolute(path));
    let migrated = migrated.map(|path| path.canonicalize().unwrap_or(path));
    if setup.options.target.is_named() && migrated.is_none() {
        undo(setup, &target(setup)?.path(), None)?;
    } else {
        for (path, migrated) in noted(setup, migrated.as_deref()) {
            if let Err(error) = undo(setup, &path, migrated.as_deref()) {
                setup.fail(setup.failure(error));
            }
        }
    }
    if let Some(directory) = &setup.options.gh_shim {
        remove_link(setup, &setup.surroundings.absolute(directory))?;
    }
    if setup.report.borrow().len() == said {
        setup.say("nothing to undo");
    }
    Ok(())
}

/// The files that the notes tell of: those that were migrated in a directory; else those that were
/// to have git ask this helper, and the usual one.
fn noted(setup: &Setup<'_>, directory: Option<&Path>) -> BTreeSet<(PathBuf, Option<PathBuf>)> {
    let is_meant = |note: &Note| match (directory, &note.migrated) {
        (Some(directory), Some(migrated)) => {
            migrated.starts_with(directory) || note.file.starts_with(directory)
        }
        (directory, migrated) => directory.is_none() && migrated.is_none(),
    };
    let mut noted = BTreeSet::new();
    for note in setup.notes().unwrap_or_default() {
        match note {
            Ok(note) if !is_meant(&note) => {}
            Ok(note) => _ = noted.insert((note.file, note.migrated)),
            Err(reason) => setup.fail(setup.failure(reason)),
        }
    }
    // It need not be one that setup can change, for example a device.
    let is_file = |target: &GitFile| directory.is_none() && target.bytes().is_ok();
    let usual = target(setup).ok().filter(is_file);
    noted.extend(usual.map(|target| (target.path(), None)));
    noted
}

fn undo(setup: &Setup<'_>, path: &Path, migrated: Option<&Path>) -> Result<()> {
    let file = path.parent().is_some_and(Path::is_dir).then(|| GitFile::open(path)).transpose()?;
    let _turn = file.as_ref().map(|file| file.take_turn(setup)).transpose()?;
    let note = setup.note(path, migrated)?;
    if let Some(file) = file {
        let did = file.change(setup, |copy| restore(copy, &note, &file.path()))?;
        did.into_iter().for_each(|did| setup.say(did));
    }
    for directory in note.links.iter().filter_map(|link| link.parent()) {
        remove_link(setup, directory)?;
    }
    setup.forget(&note)
}

/// Returns what it did, in words.
fn restore(copy: &mut WorkingCopy<'_>, note: &Note, path: &Path) -> Result<Vec<String>> {
    let (shown, ours) = (path.display(), copy.lines()?.into_iter().filter(Line::is_ours));
    let put_back = |(key, value): &(String, String)| format!("`{shown}`: put back {key} = {value}");
    let mut did = Vec::new();
    let Some(now) = &copy.now else { return Ok(did) };
    if let Some(origin) = note.way_back.origin(now).map_err(|_| damaged(&note.path))? {
        if origin != copy.now {
            did.extend(note.helpers.iter().map(put_back));
            if origin.is_none() {
                did.push(format!("removed `{shown}`, which was not there before"));
            } else if note.migrated.is_none() {
                did.push(format!("`{shown}` is as it was before"));
            }
            copy.now = origin;
        }
        return Ok(did);
    }
    // Somebody else has changed the file: removes our lines, and puts back what we removed.
    let keys: BTreeSet<_> = ours.map(|line| line.key).collect();
    for key in keys.iter().filter(|_| note.migrated.is_none()) {
        lines::remove(copy, key)?;
        did.push(format!("took the lines of this helper for {key} out of `{shown}`"));
    }
    for helper @ (key, value) in &note.helpers {
        if !copy.values(key)?.contains(value) {
            copy.edit(&["--add", key, value])?;
            did.push(put_back(helper));
        }
    }
    Ok(did)
}

/// What was changed in one file.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Note {
    /// Of the note itself.
    #[serde(skip)]
    path: PathBuf,
    pub file: PathBuf,
    /// The directory that was migrated; `None` if the file was to have git ask this helper.
    pub migrated: Option<PathBuf>,
    #[serde(flatten)]
    way_back: WayBack,
    /// Other helpers that were removed: key and value.
    pub helpers: Vec<(String, String)>,
    /// The links that were made.
    pub links: BTreeSet<PathBuf>,
}

impl Note {
    /// Records a change that is about to be made. `is_first` if nothing of ours is in the file.
    pub(super) fn changes(&mut self, copy: &WorkingCopy<'_>, is_first: bool) -> Result<()> {
        let (before, after) = (copy.base.as_deref(), copy.now.as_deref().unwrap_or_default());
        let recorded = self.way_back.record(before, after, is_first);
        Ok(recorded.map_err(|_| damaged(&self.path))?)
    }

    fn name(&self, extension: &str) -> OsString {
        self.path.with_extension(extension).file_name().unwrap_or_default().to_owned()
    }
}

fn file_name(file: &Path, is_migration: bool) -> OsString {
    let kind = if is_migration { "migrate" } else { "setup" };
    format!("{}.json", stem(&[kind, &file.to_string_lossy()])).into()
}

fn damaged(path: &Path) -> Failure {
    let shown = word(path);
    let advice = format!("put it aside, then run this again: mv {shown} {shown}.damaged");
    setup_failed(format!("the undo note {path:?} is damaged, or of another version"), &advice)
}

/// The notes lie in a directory that need not be there.
impl Setup<'_> {
    /// What is known of a file; nothing, if there is no note or no place for notes.
    pub(super) fn note(&self, file: &Path, migrated: Option<&Path>) -> Result<Note> {
        let name = file_name(file, migrated.is_some());
        let directory = self.notes_directory(false).ok().flatten();
        let note = directory.map(|directory| read(&directory, &name)).transpose()?.flatten();
        let path = self.surroundings.notes.clone().unwrap_or_default().join(name);
        let (file, migrated) = (file.to_owned(), migrated.map(Path::to_owned));
        let new = Note { path, file, migrated, ..Note::default() };
        Ok(note.unwrap_or(new))
    }

    /// Each note, or why it cannot be used.
    pub(super) fn notes(&self) -> Result<Vec<Result<Note>>> {
        let Some(directory) = self.notes_directory(false)? else { return Ok(Vec::new()) };
        let mut names = directory.names()?;
        names.retain(|name| name.as_encoded_bytes().ends_with(b".json"));
        Ok(names.iter().filter_map(|name| read(&directory, name).transpose()).collect())
    }

    /// Best effort: without a note, undo removes our lines.
    pub(super) fn save(&self, note: &Note) {
        let save = || {
            let bytes = serde_json::to_vec(note).context("its path is not text")?;
            let directory = self.notes_directory(true)?.context("it is not there")?;
            directory.remove(note.name("new"))?;
            directory.write_new(note.name("new"), &bytes)?;
            directory.rename(note.name("new"), note.name("json"))
        };
        let saved = if self.options.dry_run { Ok(()) } else { save() };
        if let Err(reason) = saved {
            let lost = match note.helpers.is_empty() {
                true => "which will only remove the lines of this helper",
                false => "which cannot put back the helpers that are removed here",
            };
            let messages = self.context.messages;
            messages.warning(format_args!("nothing was noted for --undo, {lost}: {reason:#}"));
        }
    }

    fn forget(&self, note: &Note) -> Result<()> {
        match self.notes_directory(false).ok().flatten() {
            Some(directory) if !self.options.dry_run => {
                directory.remove(note.name("new"))?;
                directory.remove(note.name("json"))
            }
            _ => Ok(()),
        }
    }

    /// Makes missing directories only in one that belongs to this user, for example never as root
    /// in another user's home.
    fn notes_directory(&self, is_to_make: bool) -> Result<Option<Directory>> {
        let path = self.surroundings.notes.as_deref().context("HOME is unset")?;
        let there = path.ancestors().find(|path| path.symlink_metadata().is_ok());
        let there = there.unwrap_or(Path::new("/"));
        if there != path && !is_to_make {
            return Ok(None);
        }
        let mut directory = Directory::open(there)?;
        let is_own = |stat: &Stat| stat.st_uid == geteuid().as_raw();
        for name in path.strip_prefix(there).unwrap_or(path) {
            let place = &directory.path;
            ensure!(is_own(&directory.stat()?), "{place:?} belongs to another user");
            let made = directory.make_private(name);
            // Another setup may have made it.
            directory = directory.enter(name).or(made)?;
        }
        let stat = directory.stat()?;
        let is_safe = is_own(&stat) && stat.st_mode & 0o022 == 0;
        ensure!(is_safe, "others can write to {:?}", directory.path);
        Ok(Some(directory))
    }
}

fn read(directory: &Directory, name: &OsStr) -> Result<Option<Note>> {
    let path = directory.path.join(name);
    let Some(found) = directory.read(name)? else { return Ok(None) };
    let note = serde_json::from_slice::<Note>(&found.bytes).ok();
    let note = note.filter(|note| file_name(&note.file, note.migrated.is_some()) == name);
    let Some(note) = note else { bail!(damaged(&path)) };
    Ok(Some(Note { path, ..note }))
}
