//! `--gh-shim`: the link `gh` to this program, which runs the real `gh` with a fresh token. Replaces
//! and removes nothing but such a link.

use std::path::{Path, PathBuf};

use anyhow::Result;
use git_credential_gastown::helper_line::{PROGRAM, word};

use super::{Report, Setup};
use crate::files::{Directory, Entry};
use crate::git::setup_failed;

const NAME: &str = "gh";
const UNFINISHED: &str = ".gh.gastown-new";

/// A link to be made, in a directory where it can be.
pub(super) struct Link {
    directory: Directory,
    program: PathBuf,
    is_there: bool,
}

impl Link {
    /// Finds out what is in the way before anything is written.
    pub(super) fn plan(setup: &Setup<'_>) -> Result<Option<Self>> {
        let Some(path) = &setup.options.gh_shim else { return Ok(None) };
        let (directory, program) = (setup.open_directory(path)?, setup.program()?);
        let is_there = match directory.entry(NAME) {
            Entry::Link(found) if found.ends_with(PROGRAM) => found == program,
            Entry::Nothing => false,
            _ => {
                let path = directory.path.join(NAME);
                let what = format!("{path:?} is there already and is not a link to this program");
                return Err(setup_failed(what, "name another directory with --gh-shim").into());
            }
        };
        Ok(Some(Self { directory, program, is_there }))
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path.join(NAME)
    }

    pub(super) fn make(&self, setup: &Setup<'_>, report: &mut Report) -> Result<()> {
        let (path, program) = (self.path(), self.program.display());
        report.say(match self.is_there {
            true => format!("`{}`: already a link to this program", path.display()),
            false => format!("made the link `{}` -> `{program}`", path.display()),
        });
        if setup.options.dry_run {
            return Ok(());
        }
        if !self.is_there {
            self.directory.remove(UNFINISHED)?;
            self.directory.make_link(UNFINISHED, &self.program)?;
            self.directory.rename(UNFINISHED, NAME)?;
        }
        let first = setup.surroundings.find(NAME);
        if let Some(first) = first.filter(|it| it.canonicalize().ok() != path.canonicalize().ok()) {
            let directory = word(&self.directory.path.to_string_lossy());
            report.say(format!(
                "note: `{}` comes first on PATH; run: export PATH={directory}:$PATH",
                first.display()
            ));
        }
        Ok(())
    }
}

/// Removes a link to this program; what is none stays.
pub(super) fn remove(setup: &Setup<'_>, directory: &Path, report: &mut Report) -> Result<()> {
    let directory = directory.is_dir().then(|| Directory::open(directory)).transpose()?;
    if let Some(directory) = directory
        && matches!(directory.entry(NAME), Entry::Link(target) if target.ends_with(PROGRAM))
    {
        if !setup.options.dry_run {
            directory.remove(NAME)?;
        }
        report.say(format!("removed the link `{}`", directory.path.join(NAME).display()));
    }
    Ok(())
}
