//! Has git ask this helper, where it does not yet: finds the lines that are missing, writes them and
//! the note before them, and sees whether git asks this helper then. Makes the link `gh` to this
//! program, which runs the real `gh` with a fresh token, and replaces nothing but such a link.

use std::path::{Path, PathBuf};

use anyhow::Result;
use git_credential_gastown::helper_line::{Kind, PROGRAM, word};

use super::lines::{HostLine, append, wanted};
use super::target::{Target, check_includes};
use super::{Report, Setup};
use crate::files::{Directory, Entry};
use crate::git::setup_failed;

const LINK: &str = "gh";
const UNFINISHED: &str = ".gh.gastown-new";

pub(super) fn run(setup: &Setup<'_>, target: &Target, report: &mut Report) -> Result<()> {
    let link = Link::plan(setup)?;
    check_includes(setup, &target.file)?;
    let _turn = target.file.take_turn(setup)?;
    let wanted = wanted(setup, &target.lines_in_effect(setup)?)?;
    if let Some(link) = &link {
        let mut note = setup.notes.load(&target.file.path(), None)?;
        note.links.extend(Some(link.path()).filter(|link| !note.links.contains(link)));
        setup.save(&note);
    }
    let written = match write(setup, target, &wanted) {
        // To migrate, it is enough that git asks this helper for some host, with any settings.
        Err(error)
            if setup.options.migrate.is_some()
                && target
                    .lines_in_effect(setup)?
                    .iter()
                    .any(|line| line.is_helper_of(Kind::Ours)) =>
        {
            let already = "git asks this helper already; its lines stay as they are";
            report.say(format!("{already}: {error:#}"));
            Vec::new()
        }
        written => written?,
    };
    let in_effect = target.lines_in_effect(setup)?;
    for wanted in &wanted {
        let host = &wanted.host;
        match (wanted.origin_in(&in_effect), written.contains(&wanted)) {
            (Some(origin), false) => report.say(format!("{host}: already set up by {origin}")),
            // Because of a line in another file.
            (None, true) if !setup.options.dry_run => report.fail(format_args!(
                "{host}: git asks another helper, too; to see which, run: git credential-gastown \
                 doctor"
            )),
            _ => {}
        }
    }
    if !written.is_empty() {
        report.say(format!("wrote `{}`:", target.file.path().display()));
        for HostLine { key, line, .. } in &written {
            report.say(format!("  {key} = "));
            report.say(format!("  {key} = {line}"));
        }
        report.say(
            "  the empty line makes git forget the helpers configured before it, such as `store`, \
             which would answer first with a stale token",
        );
    }
    link.map_or(Ok(()), |link| link.make(setup, report))
}

/// Writes the note, then the missing lines. Returns what was written.
fn write<'w>(
    setup: &Setup<'_>,
    target: &Target,
    wanted: &'w [HostLine],
) -> Result<Vec<&'w HostLine>> {
    target.file.change(setup, |copy| {
        let in_effect = target.lines_in_effect(setup)?;
        let is_missing = |wanted: &&HostLine| wanted.origin_in(&in_effect).is_none();
        let missing: Vec<_> = wanted.iter().filter(is_missing).collect();
        if !missing.is_empty() {
            let mut note = setup.notes.load(&target.file.path(), None)?;
            let is_first = !copy.lines()?.iter().any(|line| line.is_helper_of(Kind::Ours));
            missing.iter().try_for_each(|wanted| append(copy, wanted))?;
            note.changes(copy, is_first)?;
            setup.save(&note);
        }
        Ok(missing)
    })
}

/// A link to be made, in a directory where it can be.
struct Link {
    directory: Directory,
    program: PathBuf,
    is_there: bool,
}

impl Link {
    /// Finds out what is in the way before anything is written.
    fn plan(setup: &Setup<'_>) -> Result<Option<Self>> {
        let Some(path) = &setup.options.gh_shim else { return Ok(None) };
        let (directory, program) = (setup.open_directory(path)?, setup.program()?);
        let is_there = match directory.entry(LINK) {
            Entry::Link(found) if found.ends_with(PROGRAM) => found == program,
            Entry::Nothing => false,
            _ => {
                let path = directory.path.join(LINK);
                let what = format!("{path:?} is there already and is not a link to this program");
                return Err(setup_failed(what, "name another directory with --gh-shim").into());
            }
        };
        Ok(Some(Self { directory, program, is_there }))
    }

    fn path(&self) -> PathBuf {
        self.directory.path.join(LINK)
    }

    fn make(&self, setup: &Setup<'_>, report: &mut Report) -> Result<()> {
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
            self.directory.rename(UNFINISHED, LINK)?;
        }
        let first = setup.surroundings.find(LINK);
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
pub(super) fn remove_link(setup: &Setup<'_>, directory: &Path, report: &mut Report) -> Result<()> {
    let directory = directory.is_dir().then(|| Directory::open(directory)).transpose()?;
    if let Some(directory) = directory
        && matches!(directory.entry(LINK), Entry::Link(target) if target.ends_with(PROGRAM))
    {
        if !setup.options.dry_run {
            directory.remove(LINK)?;
        }
        report.say(format!("removed the link `{}`", directory.path.join(LINK).display()));
    }
    Ok(())
}
