//! What setup remembers of a file that it wrote to, so that it can be undone to the byte: beside
//! the config file, private, and without a copy of what it did not change.

use std::path::{Path, PathBuf};

use git_credential_gastown::host::stem;
use git_credential_gastown::patch::Patch;
use serde::{Deserialize, Serialize};

use super::Bench;
use crate::files;

const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    version: u32,
    pub file: PathBuf,
    /// The way back; `None` once somebody else has changed the file between two setups.
    pub back: Option<Back>,
    /// The keys whose lines are ours.
    pub keys: Vec<String>,
    /// The links that were made.
    pub links: Vec<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Back {
    patch: Patch,
    was_there: bool,
}

impl Note {
    /// What is known of a file; nothing so far, if there is no note.
    pub(super) fn of(bench: &Bench<'_>, file: &Path) -> Self {
        let path = path(bench, file);
        path.and_then(|path| read(&path)).filter(|note| note.file == file).unwrap_or_else(|| Self {
            version: VERSION,
            file: file.to_owned(),
            back: None,
            keys: Vec::new(),
            links: Vec::new(),
        })
    }

    pub(super) fn all(bench: &Bench<'_>) -> Vec<Self> {
        let Some(directory) = &bench.surroundings.notes else { return Vec::new() };
        let paths = files::names(directory).unwrap_or_default();
        paths.iter().filter_map(|path| read(path)).collect()
    }

    /// Takes down that the file was changed from one content to another.
    pub(super) fn wrote(
        &mut self,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        keys: impl Iterator<Item = String>,
    ) {
        let is_first = self.keys.is_empty();
        let oldest = match &self.back {
            _ if is_first => Some(before.map(<[u8]>::to_vec)),
            Some(back) => back.before(before.unwrap_or_default()),
            None => None,
        };
        self.back = oldest.map(|oldest| Back {
            patch: Patch::back(after.unwrap_or_default(), oldest.as_deref().unwrap_or_default()),
            was_there: oldest.is_some(),
        });
        self.keys.extend(keys);
        self.keys.sort();
        self.keys.dedup();
    }

    /// Best effort: without a note, undoing takes out our lines.
    pub(super) fn keep(&self, bench: &Bench<'_>) {
        if self.keys.is_empty() && self.links.is_empty() {
            return;
        }
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        let outcome = path(bench, &self.file).map(|path| files::write_private(&path, &bytes));
        match outcome {
            Some(Ok(())) => {}
            Some(Err(reason)) => warn(bench, &format!("{reason:#}")),
            None => warn(bench, "HOME is unset"),
        }
    }

    pub(super) fn forget(&self, bench: &Bench<'_>) {
        if let Some(path) = path(bench, &self.file) {
            // What cannot be removed no longer fits the file.
            let _ = files::remove(&path);
            path.parent().inspect(|notes| files::remove_emptied(notes));
        }
    }
}

impl Back {
    /// What the file was, if it is still as we left it; `Some(None)`: it was not there.
    #[expect(clippy::option_option, reason = "unknown, absent and present are three things")]
    pub(super) fn before(&self, now: &[u8]) -> Option<Option<Vec<u8>>> {
        self.patch.apply(now).map(|bytes| self.was_there.then_some(bytes))
    }
}

fn path(bench: &Bench<'_>, file: &Path) -> Option<PathBuf> {
    let name = stem(&[&file.to_string_lossy()]);
    Some(bench.surroundings.notes.as_ref()?.join(format!("{name}.json")))
}

fn read(path: &Path) -> Option<Note> {
    let bytes = files::read(path).ok()??;
    serde_json::from_slice::<Note>(&bytes).ok().filter(|note| note.version == VERSION)
}

fn warn(bench: &Bench<'_>, why: &str) {
    bench.context.messages.warning(format_args!(
        "nothing was noted for undoing, which will take out the lines of this helper: {why}"
    ));
}
