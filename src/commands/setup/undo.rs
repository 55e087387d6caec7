//! `setup --undo`: makes a file what it was, to the byte where nobody else has changed it since;
//! otherwise takes out our lines and leaves the rest.

use std::path::Path;

use anyhow::Result;

use super::helpers::Helpers;
use super::note::Note;
use super::target::Place;
use super::{Bench, Report, link};
use crate::files;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    for note in notes(bench)? {
        undo(bench, &note, report)?;
        for path in &note.links {
            link::remove(bench, path, report)?;
        }
        if !bench.options.dry_run {
            note.forget(bench);
        }
    }
    if let Some(directory) = &bench.options.gh_shim {
        link::remove_from(bench, directory, report)?;
    }
    if report.lines.is_empty() {
        report.say("nothing to undo");
    }
    Ok(())
}

/// The place named, or all that were written to and the usual one.
fn notes(bench: &Bench<'_>) -> Result<Vec<Note>> {
    if bench.options.target.is_named() {
        return Ok(vec![Note::of(bench, &Place::of(bench)?.file)]);
    }
    let mut notes = Note::all(bench);
    let usual = Place::of(bench)?.file;
    if notes.iter().all(|note| note.file != usual) {
        notes.push(Note::of(bench, &usual));
    }
    Ok(notes)
}

fn undo(bench: &Bench<'_>, note: &Note, report: &mut Report) -> Result<()> {
    let shown = note.file.display();
    let Some(now) = files::read(&note.file)? else { return Ok(()) };
    let is_dry = bench.options.dry_run;
    match note.back.as_ref().and_then(|back| back.before(&now)) {
        Some(Some(before)) => {
            if !is_dry {
                files::replace(&note.file, &before)?;
            }
            let did = bench.tense("is as it was before", "would be as it was before");
            report.say(format!("`{shown}` {did}"));
        }
        Some(None) => {
            if !is_dry {
                files::remove(&note.file)?;
            }
            let did = bench.tense("removed", "would remove");
            report.say(format!("{did} `{shown}`, which was not there before"));
        }
        None => {
            for key in keys(bench, note)? {
                take_out(bench, &note.file, &key, report)?;
            }
        }
    }
    Ok(())
}

/// Those on note; without a note, every key that names this helper.
fn keys(bench: &Bench<'_>, note: &Note) -> Result<Vec<String>> {
    if !note.keys.is_empty() {
        return Ok(note.keys.clone());
    }
    let lines = bench.git.lines_of(&note.file, false)?;
    let mut keys: Vec<_> =
        lines.into_iter().filter(|line| line.is_helper()).map(|line| line.key).collect();
    keys.sort();
    keys.dedup();
    Ok(keys)
}

fn take_out(bench: &Bench<'_>, file: &Path, key: &str, report: &mut Report) -> Result<()> {
    let helpers = Helpers { git: &bench.git, file, key };
    let is_there =
        if bench.options.dry_run { helpers.has_ours()? } else { helpers.remove_ours()? };
    if is_there {
        let did = bench.tense("took", "would take");
        report.say(format!("{did} the lines of this helper for {key} out of `{}`", file.display()));
    }
    Ok(())
}
