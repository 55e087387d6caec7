//! `setup --undo`: makes a file what it was, to the byte where nobody else has changed it since;
//! otherwise takes out our lines and leaves the rest. With `--migrate`, puts the helpers back that
//! were removed from repositories. Tokens are not restored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::configure::remove_link;
use super::git_file::{GitFile, WorkingCopy};
use super::note::Note;
use super::target::Target;
use super::{Report, Setup, lines, named};

pub(super) fn run(setup: &Setup<'_>, report: &mut Report) -> Result<()> {
    let said = report.lines.len();
    let migrated = setup.options.migrate.as_ref().map(|path| setup.surroundings.absolute(path));
    let migrated = migrated.map(|path| path.canonicalize().unwrap_or(path));
    if setup.options.target.is_named() && migrated.is_none() {
        undo(setup, &Target::of(setup)?.file.path(), None, report)?;
    } else {
        for (path, migrated) in noted(setup, migrated.as_deref(), report) {
            if let Err(error) = undo(setup, &path, migrated.as_deref(), report) {
                report.fail(named(error));
            }
        }
    }
    if let Some(directory) = &setup.options.gh_shim {
        remove_link(setup, &setup.surroundings.absolute(directory).join("gh"), report)?;
    }
    if report.lines.len() == said {
        report.say("nothing to undo");
    }
    Ok(())
}

/// The files that the notes tell of: those that were migrated in a directory; else those that were
/// to have git ask this helper, and the usual one.
fn noted(
    setup: &Setup<'_>,
    directory: Option<&Path>,
    report: &mut Report,
) -> BTreeSet<(PathBuf, Option<PathBuf>)> {
    let notes = setup.notes.all().unwrap_or_else(|reason| {
        setup.context.messages.warning(format_args!(
            "no undo note is used, only the lines of this helper are removed: {reason:#}"
        ));
        Vec::new()
    });
    let is_meant = |note: &Note| match (directory, &note.migrated) {
        (Some(directory), Some(migrated)) => {
            migrated.starts_with(directory) || note.file.starts_with(directory)
        }
        (directory, migrated) => directory.is_none() && migrated.is_none(),
    };
    let mut noted = BTreeSet::new();
    for note in notes {
        match note {
            Ok(note) if is_meant(&note) => noted.extend([(note.file, note.migrated)]),
            Ok(_) => {}
            Err(reason) => report.fail(named(reason)),
        }
    }
    // It need not be one that setup can change, for example a device.
    let usual = Target::of(setup).ok().filter(|_| directory.is_none());
    let usual = usual.filter(|target| target.file.bytes().is_ok());
    noted.extend(usual.map(|target| (target.file.path(), None)));
    noted
}

fn undo(
    setup: &Setup<'_>,
    path: &Path,
    migrated: Option<&Path>,
    report: &mut Report,
) -> Result<()> {
    let dry_run = setup.options.dry_run;
    let file = path.parent().is_some_and(Path::is_dir).then(|| GitFile::open(path)).transpose()?;
    let _turn = file.as_ref().filter(|_| !dry_run).map(GitFile::take_turn).transpose()?;
    let note = setup.notes.load(path, migrated)?;
    if let Some(file) = file {
        undo_lines(setup, &file, &note, report)?;
    }
    for link in &note.links {
        remove_link(setup, link, report)?;
    }
    if dry_run { Ok(()) } else { setup.notes.remove(&note) }
}

fn undo_lines(setup: &Setup<'_>, file: &GitFile, note: &Note, report: &mut Report) -> Result<()> {
    let Some(now) = file.bytes()? else { return Ok(()) };
    let origin = note.origin(Some(&now))?;
    let ours = file.lines(&setup.git)?.into_iter().filter(lines::is_ours);
    let ours = ours.filter(|_| note.migrated.is_none());
    let keys: BTreeSet<_> = ours.map(|line| line.key).collect();
    let has_changed = match &origin {
        Some(origin) => origin.as_ref() != Some(&now),
        None => !keys.is_empty() || !note.helpers.is_empty(),
    };
    if !has_changed {
        return Ok(());
    }
    if !setup.options.dry_run {
        file.change(&setup.git, setup.new_mode, |copy| {
            match note.origin(copy.before.as_deref())? {
                Some(origin) => copy.replace(origin.as_deref()),
                None => take_back(copy, &keys, note),
            }
        })?;
    }
    let shown = file.path();
    let shown = shown.display();
    if note.migrated.is_some() {
        for (key, value) in &note.helpers {
            report.say(format_args!("`{shown}`: put back {key} = {value}"));
        }
        return Ok(());
    }
    match origin {
        Some(Some(_)) => report.say(format_args!("`{shown}` is as it was before")),
        Some(None) => report.say(format_args!("removed `{shown}`, which was not there before")),
        None => {
            for key in &keys {
                let did = "took the lines of this helper for";
                report.say(format_args!("{did} {key} out of `{shown}`"));
            }
        }
    }
    Ok(())
}

/// Somebody else has changed the file: removes our lines, and puts back what we removed.
fn take_back(copy: &WorkingCopy<'_>, keys: &BTreeSet<String>, note: &Note) -> Result<()> {
    keys.iter().try_for_each(|key| lines::remove(copy, key))?;
    for (key, value) in &note.helpers {
        if !copy.values(key)?.contains(value) {
            copy.edit(&["--add", key, value])?;
        }
    }
    Ok(())
}
