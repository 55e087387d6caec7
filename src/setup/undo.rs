//! `setup --undo`: makes a file what it was, to the byte where nobody else has changed it since;
//! otherwise takes out our lines and leaves the rest. With `--migrate`, puts the helpers back that
//! were removed from repositories. Tokens are not restored.

use std::path::{Path, PathBuf};

use anyhow::Result;
use git_credential_gastown::git_config::Line;

use super::configure::remove_link;
use super::git_file::{GitFile, WorkingCopy};
use super::note::Note;
use super::target::Target;
use super::{Report, Setup, lines, named};

/// A file to undo, and the directory that was migrated when it was changed.
type Meant = (PathBuf, Option<PathBuf>);

pub(super) fn run(setup: &Setup<'_>, report: &mut Report) -> Result<()> {
    let said = report.lines.len();
    let is_named = setup.options.target.is_named() && setup.options.migrate.is_none();
    let noted = noted(setup, is_named, report);
    let meant = match &setup.options.migrate {
        Some(directory) => migrated_in(&setup.surroundings.absolute(directory), noted),
        None if is_named => vec![(Target::of(setup)?.file.path(), None)],
        None => everywhere(setup, noted),
    };
    for (path, migrated) in meant {
        match undo(setup, &path, migrated.as_deref(), report) {
            Err(error) if is_named => return Err(error),
            Err(error) => report.fail(named(error)),
            Ok(()) => {}
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

/// What the notes tell of; reports those that cannot be used, unless only one file is meant.
fn noted(setup: &Setup<'_>, is_named: bool, report: &mut Report) -> Vec<Meant> {
    let notes = setup.notes.all().unwrap_or_else(|reason| {
        setup.context.messages.warning(format_args!(
            "no undo note is used, only the lines of this helper are removed: {reason:#}"
        ));
        Vec::new()
    });
    let mut noted = Vec::new();
    for note in notes {
        match note {
            Ok(note) => noted.push((note.file, note.migrated)),
            Err(reason) if !is_named => report.fail(named(reason)),
            Err(_) => {}
        }
    }
    noted
}

fn migrated_in(directory: &Path, mut noted: Vec<Meant>) -> Vec<Meant> {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    noted.retain(|(file, migrated)| {
        migrated.as_ref().is_some_and(|migrated| migrated.starts_with(&directory))
            || (migrated.is_some() && file.starts_with(&directory))
    });
    noted
}

/// What setup has noted, and the usual file, which need not be one that setup can change.
fn everywhere(setup: &Setup<'_>, mut noted: Vec<Meant>) -> Vec<Meant> {
    noted.retain(|(_, migrated)| migrated.is_none());
    let usual = Target::of(setup).map(|target| target.file);
    noted.extend(usual.ok().filter(|file| file.bytes().is_ok()).map(|file| (file.path(), None)));
    noted.sort();
    noted.dedup();
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
    let keys = match note.migrated {
        Some(_) => Vec::new(),
        None => our_keys(file.lines(&setup.git)?),
    };
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
                None => take_back(copy, &keys, &note.helpers),
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
                report
                    .say(format_args!("took the lines of this helper for {key} out of `{shown}`"));
            }
        }
    }
    Ok(())
}

/// Somebody else has changed the file: removes our lines, and puts back what we removed.
fn take_back(copy: &WorkingCopy<'_>, keys: &[String], helpers: &[(String, String)]) -> Result<()> {
    keys.iter().try_for_each(|key| lines::remove(copy, key))?;
    for (key, value) in helpers {
        if !copy.values(key)?.contains(value) {
            copy.edit(&["--add", key, value])?;
        }
    }
    Ok(())
}

/// The keys whose values name this helper.
fn our_keys(lines: Vec<Line>) -> Vec<String> {
    let mut keys: Vec<_> = lines.into_iter().filter(lines::is_ours).map(|line| line.key).collect();
    keys.sort();
    keys.dedup();
    keys
}
