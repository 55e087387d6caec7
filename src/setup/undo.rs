//! `setup --undo`: makes a file what it was, to the byte where nobody else has changed it since;
//! otherwise takes out our lines and leaves the rest. With `--migrate`, puts the helpers back that
//! were removed from repositories.

use std::path::Path;

use anyhow::Result;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::{Kind, kind};

use super::git_file::{GitFile, WorkingCopy};
use super::note::{Note, Notes};
use super::target::Target;
use super::{Report, Setup, lines, link, named};

pub(super) fn run(setup: &Setup<'_>, report: &mut Report) -> Result<()> {
    let path = setup.surroundings.notes.as_deref();
    let notes = path.and_then(|path| Notes::open(path, false).transpose()).transpose();
    let notes = notes.unwrap_or_else(|reason| {
        setup.context.messages.warning(format_args!(
            "no undo note is used, only the lines of this helper are removed: {reason:#}"
        ));
        None
    });
    let directory = setup.options.migrate.as_deref().map(|path| setup.absolute(path));
    let directory = directory.map(|path| path.canonicalize().unwrap_or(path));
    match &directory {
        Some(directory) => undo_migration(setup, notes.as_ref(), directory, report)?,
        None => undo_setup(setup, notes.as_ref(), report)?,
    }
    if report.lines.is_empty() {
        report.say("nothing to undo");
    }
    Ok(())
}

/// Undoes the file named, or else the usual one and all that are on note.
fn undo_setup(setup: &Setup<'_>, notes: Option<&Notes>, report: &mut Report) -> Result<()> {
    let is_named = setup.options.target.is_named();
    let usual = Target::of(setup).map(|target| target.file);
    let mut paths = match &usual {
        Ok(file) => vec![file.path()],
        Err(_) => Vec::new(),
    };
    if is_named {
        usual?;
    } else {
        for note in all(notes, report)?.iter().filter(|note| note.migrated.is_none()) {
            paths.push(note.file.clone());
        }
    }
    paths.sort();
    paths.dedup();
    for path in paths {
        let note = match notes.map(|notes| notes.load(&path, None)).transpose() {
            Ok(note) => note,
            Err(reason) => {
                report.fail(named(reason).to_string());
                continue;
            }
        };
        let undone = undo(setup, &path, note.as_ref(), report);
        let is_noted = note.as_ref().is_some_and(Note::has_changes);
        match (undone, notes.zip(note)) {
            // The usual file may be one that setup never wrote to, for example a device.
            (Err(_), _) if !is_named && !is_noted => {}
            (Err(error), _) if is_named => return Err(error),
            (Err(error), _) => report.fail(named(error).to_string()),
            (Ok(()), Some((notes, note))) if !setup.options.dry_run => notes.remove(&note)?,
            (Ok(()), _) => {}
        }
    }
    if let Some(directory) = &setup.options.gh_shim {
        link::remove_from(setup, directory, report)?;
    }
    Ok(())
}

/// The usable notes; reports the others.
fn all(notes: Option<&Notes>, report: &mut Report) -> Result<Vec<Note>> {
    let mut usable = Vec::new();
    for note in notes.map_or_else(|| Ok(Vec::new()), Notes::all)? {
        match note {
            Ok(note) => usable.push(note),
            Err(reason) => report.fail(named(reason).to_string()),
        }
    }
    Ok(usable)
}

fn undo(setup: &Setup<'_>, path: &Path, note: Option<&Note>, report: &mut Report) -> Result<()> {
    if path.parent().is_some_and(Path::is_dir) {
        let file = GitFile::open(path)?;
        if !setup.options.dry_run {
            file.remove_leftovers();
        }
        if file.read()?.is_some() {
            undo_lines(setup, &file, note, report)?;
        }
    }
    for link in note.iter().flat_map(|note| &note.links) {
        link::remove(setup, link, report)?;
    }
    Ok(())
}

fn undo_lines(
    setup: &Setup<'_>,
    file: &GitFile,
    note: Option<&Note>,
    report: &mut Report,
) -> Result<()> {
    let path = file.path();
    let now = file.read()?.map(|snapshot| snapshot.bytes);
    let keys = keys(note, &file.lines(&setup.git)?);
    let origin = note.map(|note| note.origin(now.as_deref())).transpose()?.flatten();
    if !setup.options.dry_run {
        let take_out = |copy: &mut WorkingCopy<'_>| {
            let now = copy.bytes()?;
            match note.map(|note| note.origin(now.as_deref())).transpose()?.flatten() {
                Some(origin) => copy.replace(origin.as_deref()),
                None => keys.iter().try_for_each(|key| lines::remove(copy, key).map(drop)),
            }
        };
        if file.change(&setup.change(), take_out, |_, _, ()| Ok(()))?.is_none() {
            return Ok(());
        }
    }
    let shown = path.display();
    match origin {
        Some(Some(_)) => {
            let did = setup.tense("is as it was before", "would be as it was before");
            report.say(format!("`{shown}` {did}"));
        }
        Some(None) => {
            let did = setup.tense("removed", "would remove");
            report.say(format!("{did} `{shown}`, which was not there before"));
        }
        None => {
            let did = setup.tense("took", "would take");
            for key in &keys {
                report.say(format!("{did} the lines of this helper for {key} out of `{shown}`"));
            }
        }
    }
    Ok(())
}

/// The keys whose values name this helper; only those on note, if the note has keys.
fn keys(note: Option<&Note>, lines: &[Line]) -> Vec<String> {
    let noted =
        |key: &String| note.is_none_or(|note| note.keys.is_empty() || note.keys.contains(key));
    let ours = lines.iter().filter(|line| line.is_helper() && kind(&line.value) == Kind::Ours);
    let mut keys: Vec<_> = ours.map(|line| line.key.clone()).filter(noted).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Puts the helpers back that were removed below the directory. Tokens are not restored.
fn undo_migration(
    setup: &Setup<'_>,
    notes: Option<&Notes>,
    directory: &Path,
    report: &mut Report,
) -> Result<()> {
    let is_below = |note: &Note| {
        let migrated = note.migrated.as_ref();
        migrated.is_some_and(|migrated| {
            migrated.starts_with(directory) || note.file.starts_with(directory)
        })
    };
    for note in all(notes, report)?.into_iter().filter(is_below) {
        if note.file.parent().is_some_and(Path::is_dir)
            && let Err(error) = put_back(setup, &note, report)
        {
            report.fail(named(error).to_string());
            continue;
        }
        if let Some(notes) = notes.filter(|_| !setup.options.dry_run) {
            notes.remove(&note)?;
        }
    }
    Ok(())
}

fn put_back(setup: &Setup<'_>, note: &Note, report: &mut Report) -> Result<()> {
    let file = GitFile::open(&note.file)?;
    if !setup.options.dry_run && file.read()?.is_some() {
        let add = |copy: &mut WorkingCopy<'_>| {
            let now = copy.bytes()?;
            if let Some(Some(origin)) = note.origin(now.as_deref())? {
                return copy.replace(Some(&origin));
            }
            for (key, value) in &note.helpers {
                if !lines::values(copy, key)?.contains(value) {
                    copy.edit(&["--add", key, value])?;
                }
            }
            Ok(())
        };
        file.change(&setup.change(), add, |_, _, ()| Ok(()))?;
    }
    let did = setup.tense("put back", "would put back");
    for (key, value) in &note.helpers {
        report.say(format!("`{}`: {did} {key} = {value}", note.file.display()));
    }
    Ok(())
}
