//! Writes the helper lines, where they are not in effect already, and remembers how to undo it.

use anyhow::Result;
use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::{Line, helpers_for};
use git_credential_gastown::helper_line::{Kind, kind};
use git_credential_gastown::host::Host;

use super::helpers::Helpers;
use super::note::Note;
use super::target::Place;
use super::{Bench, Report, line, link};
use crate::files;

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let place = Place::of(bench)?;
    let lines = line::all(bench)?;
    let mut note = Note::of(bench, &place.file);
    let before = files::read(&place.file)?;
    let in_effect = place.lines_in_effect(bench)?;
    let mut added = Vec::new();
    for (host, line) in &lines {
        match origin_in_effect(&in_effect, host, line) {
            Some(origin) => report.say(format!("{host}: already set up by {origin}")),
            None => added.push((line::key(host), line)),
        }
    }
    let outcome = write(bench, &place, &added, report);
    let after = files::read(&place.file)?;
    if after != before {
        // Also after a failure half-way: what was written shall be undone.
        let keys = added.iter().map(|(key, _)| key.clone());
        note.wrote(before.as_deref(), after.as_deref(), keys);
    }
    if outcome.is_ok() {
        link::run(bench, &mut note, report)?;
    }
    if !bench.options.dry_run {
        note.keep(bench);
    }
    outcome?;
    check(bench, &place, &lines, report)
}

/// Where the line comes from, if git asks it first and no stale helper after it.
fn origin_in_effect(lines: &[Line], host: &Host, wanted: &str) -> Option<String> {
    let chain = helpers_for(lines, host);
    let (first, others) = chain.split_first()?;
    let is_stale = |line: &&Line| kind(&line.value) == Kind::Store;
    (first.value == wanted && !others.iter().any(is_stale)).then(|| first.origin.clone())
}

fn write(
    bench: &Bench<'_>,
    place: &Place,
    added: &[(String, &String)],
    report: &mut Report,
) -> Result<(), Failure> {
    if added.is_empty() {
        return Ok(());
    }
    report.say(format!("{} `{}`:", bench.tense("wrote", "would write"), place.file.display()));
    for (key, line) in added {
        let helpers = Helpers { git: &bench.git, file: &place.file, key };
        if !bench.options.dry_run {
            // An older line of ours may stand where others come after it.
            helpers.remove_ours()?;
            helpers.append_ours(line)?;
        }
        report.say(format!("  {key} = "));
        report.say(format!("  {key} = {line}"));
    }
    report.say(
        "  the empty line makes git forget the helpers configured before it, such as `store`, which \
         would answer first with a stale token",
    );
    Ok(())
}

/// Whether git now asks this helper, which lines elsewhere may prevent.
fn check(
    bench: &Bench<'_>,
    place: &Place,
    lines: &[(Host, String)],
    report: &mut Report,
) -> Result<()> {
    if bench.options.dry_run {
        return Ok(());
    }
    let in_effect = place.lines_in_effect(bench)?;
    for (host, line) in lines {
        let chain = helpers_for(&in_effect, host);
        let stranger = chain.iter().find(|found| found.value != *line);
        if let Some(stranger) = stranger.filter(|found| kind(&found.value) == Kind::Store) {
            let (value, origin) = (&stranger.value, &stranger.origin);
            report.fail(format!(
                "{host}: `{value}` from {origin} is still asked beside this helper; remove it, or \
                 move it before the lines above"
            ));
        }
    }
    Ok(())
}
