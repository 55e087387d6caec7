//! The link `gh` to this program, which then runs the real `gh` with a fresh token. Refuses to
//! replace anything that is not such a link.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use git_credential_gastown::helper_line::word;

use super::lines::is_program;
use super::{Report, Setup, failure};
use crate::files::{Directory, Entry};

const NAME: &str = "gh";
const UNFINISHED: &str = ".gh.gastown-new";

/// A link to be made, in a directory where it can be.
pub(super) struct Link {
    directory: Directory,
    target: PathBuf,
    is_there: bool,
}

impl Link {
    /// Finds out what is in the way before anything is written.
    pub(super) fn plan(setup: &Setup<'_>) -> Result<Option<Self>> {
        let Some(path) = &setup.options.gh_shim else { return Ok(None) };
        let path = setup.surroundings.absolute(path);
        let target = setup.program()?;
        if !path.is_dir() {
            let what = format!("{path:?} is not a directory");
            let advice = format!("run: mkdir -p {}", word(&path.to_string_lossy()));
            return Err(failure(what, &advice).into());
        }
        let directory = Directory::open(&path)?;
        let is_there = match directory.entry(OsStr::new(NAME)) {
            Entry::Link(found) if found == target => true,
            Entry::Link(found) if is_program(&found) => false,
            Entry::Nothing => false,
            _ => {
                let path = directory.path.join(NAME);
                let what = format!("{path:?} is there already and is not a link to this program");
                return Err(failure(what, "name another directory with --gh-shim").into());
            }
        };
        Ok(Some(Self { directory, target, is_there }))
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path.join(NAME)
    }

    pub(super) fn make(&self, setup: &Setup<'_>, report: &mut Report) -> Result<()> {
        let path = self.path();
        if self.is_there {
            report.say(format!("`{}`: already a link to this program", path.display()));
        } else {
            if !setup.options.dry_run {
                self.directory.remove(OsStr::new(UNFINISHED))?;
                self.directory.make_link(OsStr::new(UNFINISHED), &self.target)?;
                self.directory.rename(OsStr::new(UNFINISHED), OsStr::new(NAME))?;
            }
            let (did, target) = (setup.tense("made", "would make"), self.target.display());
            report.say(format!("{did} the link `{}` -> `{target}`", path.display()));
        }
        let first = setup.surroundings.find(NAME).filter(|_| !setup.options.dry_run);
        if let Some(first) =
            first.filter(|first| first.canonicalize().ok() != path.canonicalize().ok())
        {
            let directory = word(&self.directory.path.to_string_lossy());
            report.say(format!(
                "note: `{}` comes first on PATH; run: export PATH={directory}:$PATH",
                first.display()
            ));
        }
        Ok(())
    }
}

pub(super) fn remove(setup: &Setup<'_>, path: &Path, report: &mut Report) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let Some(directory) = Some(parent).filter(|parent| parent.is_dir()) else { return Ok(()) };
    let directory = Directory::open(directory)?;
    if !matches!(directory.entry(name), Entry::Link(target) if is_program(&target)) {
        return Ok(());
    }
    if !setup.options.dry_run {
        directory.remove(name)?;
    }
    report.say(format!("{} the link `{}`", setup.tense("removed", "would remove"), path.display()));
    Ok(())
}

pub(super) fn remove_from(setup: &Setup<'_>, directory: &Path, report: &mut Report) -> Result<()> {
    remove(setup, &setup.surroundings.absolute(directory).join(NAME), report)
}
