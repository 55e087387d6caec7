//! Has git ask this helper, where it does not yet: finds the lines that are missing, writes them and
//! the note before them, and sees whether git asks this helper then. Makes the link `gh` to this
//! program, which runs the real `gh` with a fresh token, and replaces nothing but such a link.

use std::path::{Path, PathBuf};

use anyhow::Result;
use git_credential_gastown::git_config::{Line, helpers_on};
use git_credential_gastown::helper_line::{Kind, PROGRAM, kind, word};

use super::lines::{HostLine, append, is_ours, wanted};
use super::target::{Scope, Target, check_includes};
use super::{Report, Setup, failure};
use crate::files::{Directory, Entry};

pub(super) fn run(setup: &Setup<'_>, target: &Target, report: &mut Report) -> Result<()> {
    let link = Link::plan(setup)?;
    check_includes(setup, &target.file)?;
    let _turn = (!setup.options.dry_run).then(|| target.file.take_turn()).transpose()?;
    let wanted = wanted(setup, &target.lines_in_effect(setup)?)?;
    let mut written = target.missing(setup, &wanted)?;
    if !setup.options.dry_run && (!written.is_empty() || link.is_some()) {
        written = match write(setup, target, link.as_ref(), &wanted) {
            // To migrate, it is enough that git asks this helper for some host, with any settings.
            Err(error)
                if setup.options.migrate.is_some()
                    && target.lines_in_effect(setup)?.iter().any(is_ours) =>
            {
                report.say(format_args!(
                    "git asks this helper already; its lines stay as they are: {error:#}"
                ));
                Vec::new()
            }
            written => written?,
        };
    }
    let in_effect = target.lines_in_effect(setup)?;
    for wanted in wanted.iter().filter(|wanted| !written.contains(wanted)) {
        if let Some(origin) = wanted.origin_in(&in_effect) {
            report.say(format_args!("{}: already set up by {origin}", wanted.host));
        }
    }
    if !written.is_empty() {
        report.say(format_args!("wrote `{}`:", target.file.path().display()));
        for written in written {
            report.say(format_args!("  {} = ", written.key()));
            report.say(format_args!("  {} = {}", written.key(), written.line));
        }
        report.say(
            "  the empty line makes git forget the helpers configured before it, such as `store`, \
             which would answer first with a stale token",
        );
    }
    if let Some(link) = link {
        link.make(setup, report)?;
    }
    if !setup.options.dry_run {
        report_store_helpers(&in_effect, &wanted, report);
    }
    Ok(())
}

/// Writes the note, then the missing lines. Returns what was written.
fn write<'w>(
    setup: &Setup<'_>,
    target: &Target,
    link: Option<&Link>,
    wanted: &'w [HostLine],
) -> Result<Vec<&'w HostLine>> {
    let file = &target.file;
    let mut note = setup.notes.load(&file.path(), None)?;
    if let Some(link) = link.map(Link::path).filter(|link| !note.links.contains(link)) {
        note.links.push(link);
        setup.save(&note);
    }
    // Every user has to read that of the system, whatever the umask of root.
    let mode = if matches!(target.scope, Scope::System) { 0o644 } else { setup.new_mode };
    file.change(&setup.git, mode, |copy| {
        let missing = target.missing(setup, wanted)?;
        if missing.is_empty() {
            return Ok(missing);
        }
        let is_first = !copy.lines()?.iter().any(is_ours);
        missing.iter().try_for_each(|wanted| append(copy, wanted))?;
        note.changes(copy.before.as_deref(), copy.file.bytes()?.as_deref(), is_first)?;
        setup.save(&note);
        Ok(missing)
    })
}

/// Reports those that git still asks, because of a line elsewhere.
fn report_store_helpers(in_effect: &[Line], wanted: &[HostLine], report: &mut Report) {
    for HostLine { host, .. } in wanted {
        let chain = helpers_on(in_effect, host, None);
        if let Some(stale) = chain.iter().find(|line| kind(&line.value) == Kind::Store) {
            let file = stale.origin.strip_prefix("file:").unwrap_or_default();
            report.fail(format_args!(
                "{host}: `{}` ({}) is still asked beside this helper; run: git config --file \
                 {} --fixed-value --unset-all {} {}",
                stale.value,
                stale.origin,
                word(file),
                word(&stale.key),
                word(&stale.value)
            ));
        }
    }
}

/// A link to be made, in a directory where it can be.
struct Link {
    directory: Directory,
    program: PathBuf,
    is_there: bool,
}

impl Link {
    const NAME: &str = "gh";
    const UNFINISHED: &str = ".gh.gastown-new";

    /// Finds out what is in the way before anything is written.
    fn plan(setup: &Setup<'_>) -> Result<Option<Self>> {
        let Some(path) = &setup.options.gh_shim else { return Ok(None) };
        let path = setup.surroundings.absolute(path);
        let program = setup.program()?;
        if !path.is_dir() {
            let what = format!("{path:?} is not a directory");
            let advice = format!("run: mkdir -p {}", word(&path.to_string_lossy()));
            return Err(failure(what, &advice).into());
        }
        let directory = Directory::open(&path)?;
        let is_there = match directory.entry(Self::NAME) {
            Entry::Link(found) if is_program(&found) => found == program,
            Entry::Nothing => false,
            _ => {
                let path = directory.path.join(Self::NAME);
                let what = format!("{path:?} is there already and is not a link to this program");
                return Err(failure(what, "name another directory with --gh-shim").into());
            }
        };
        Ok(Some(Self { directory, program, is_there }))
    }

    fn path(&self) -> PathBuf {
        self.directory.path.join(Self::NAME)
    }

    fn make(&self, setup: &Setup<'_>, report: &mut Report) -> Result<()> {
        let (path, program) = (self.path(), self.program.display());
        if self.is_there {
            report.say(format_args!("`{}`: already a link to this program", path.display()));
        } else {
            report.say(format_args!("made the link `{}` -> `{program}`", path.display()));
        }
        if setup.options.dry_run {
            return Ok(());
        }
        if !self.is_there {
            self.directory.remove(Self::UNFINISHED)?;
            self.directory.make_link(Self::UNFINISHED, &self.program)?;
            self.directory.rename(Self::UNFINISHED, Self::NAME)?;
        }
        let first = setup.surroundings.find(Self::NAME);
        if let Some(first) = first.filter(|it| it.canonicalize().ok() != path.canonicalize().ok()) {
            let directory = word(&self.directory.path.to_string_lossy());
            report.say(format_args!(
                "note: `{}` comes first on PATH; run: export PATH={directory}:$PATH",
                first.display()
            ));
        }
        Ok(())
    }
}

/// Removes a link to this program; what is none stays.
pub(super) fn remove_link(setup: &Setup<'_>, path: &Path, report: &mut Report) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let Some(directory) = parent.is_dir().then(|| Directory::open(parent)).transpose()? else {
        return Ok(());
    };
    if matches!(directory.entry(name), Entry::Link(target) if is_program(&target)) {
        if !setup.options.dry_run {
            directory.remove(name)?;
        }
        report.say(format_args!("removed the link `{}`", path.display()));
    }
    Ok(())
}

/// Whether a path is this program's, wherever that lies.
fn is_program(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == PROGRAM)
}
