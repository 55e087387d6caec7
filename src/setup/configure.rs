//! Has git ask this helper, where it does not yet: finds the lines that are missing, writes them and
//! the note before them, and sees whether git asks this helper then.

use anyhow::{Error, Result};
use git_credential_gastown::git_config::{Line, helpers_on};
use git_credential_gastown::helper_line::{Kind, kind, word};
use git_credential_gastown::host::Host;

use super::git_file::{Change, GitFile};
use super::lines::{HostLine, append, wanted};
use super::link::Link;
use super::target::{Scope, Target, check_includes};
use super::{Report, Setup};

pub(super) fn run(setup: &Setup<'_>, target: &Target, report: &mut Report) -> Result<()> {
    let wanted = wanted(setup)?;
    let link = Link::plan(setup)?;
    check_includes(setup, &target.file)?;
    let missing = || -> Result<Vec<&HostLine>> {
        let lines = target.lines_in_effect(setup)?;
        Ok(wanted.iter().filter(|wanted| wanted.origin_in(&lines).is_none()).collect())
    };
    let is_needed = !missing()?.is_empty() || link.is_some();
    let written = if setup.options.dry_run || !is_needed {
        missing()?
    } else {
        write(setup, target, link.as_ref(), missing)
            .or_else(|error| allow_unwritable(setup, target, &wanted, error, report))?
    };
    let in_effect = target.lines_in_effect(setup)?;
    for wanted in &wanted {
        if let Some(origin) = wanted.origin_in(&in_effect)
            && !written.iter().any(|written| written.host == wanted.host)
        {
            report.say(format!("{}: already set up by {origin}", wanted.host));
        }
    }
    say_written(setup, &target.file, &written, report);
    if let Some(link) = link {
        link.make(setup, report)?;
    }
    check(setup, target, &wanted, report)
}

/// Writes the note, then the missing lines. Returns what was written.
fn write<'w>(
    setup: &Setup<'_>,
    target: &Target,
    link: Option<&Link>,
    missing: impl Fn() -> Result<Vec<&'w HostLine>>,
) -> Result<Vec<&'w HostLine>> {
    let notes = setup.notes();
    let path = target.file.path();
    let mut note = notes.as_ref().map(|notes| notes.load(&path, None)).transpose()?;
    if let (Some(notes), Some(note), Some(link)) = (&notes, &mut note, link)
        && !note.links.contains(&link.path())
    {
        note.links.push(link.path());
        setup.save(notes, note);
    }
    let change = match target.scope {
        // Every user has to read it, whatever the umask of root.
        Scope::System => Change { git: &setup.git, new_mode: 0o644 },
        _ => setup.change(),
    };
    let written = target.file.change(
        &change,
        |copy| {
            let is_ours = |line: &Line| line.is_helper() && kind(&line.value) == Kind::Ours;
            let is_first = !copy.lines()?.iter().any(is_ours);
            let missing = missing()?;
            for wanted in &missing {
                append(copy, wanted)?;
            }
            Ok((missing, is_first))
        },
        |before, after, (written, is_first)| {
            if let (Some(notes), Some(note)) = (&notes, &mut note) {
                note.changes(before, after, *is_first)?;
                written.iter().for_each(|written| note.add_key(written.key()));
                setup.save(notes, note);
            }
            Ok(())
        },
    )?;
    Ok(written.map(|(written, _)| written).unwrap_or_default())
}

/// With `--migrate`, a file that cannot be written is no error if git asks this helper already, even
/// with other settings.
fn allow_unwritable<'w>(
    setup: &Setup<'_>,
    target: &Target,
    wanted: &[HostLine],
    error: Error,
    report: &mut Report,
) -> Result<Vec<&'w HostLine>> {
    let lines = target.lines_in_effect(setup)?;
    let asks_us = |host: &Host| {
        helpers_on(&lines, host, None).first().is_some_and(|line| kind(&line.value) == Kind::Ours)
    };
    if setup.options.migrate.is_none() || !wanted.iter().all(|wanted| asks_us(&wanted.host)) {
        return Err(error);
    }
    report.say(format!("git asks this helper already; its lines stay as they are: {error:#}"));
    Ok(Vec::new())
}

fn say_written(setup: &Setup<'_>, file: &GitFile, written: &[&HostLine], report: &mut Report) {
    if written.is_empty() {
        return;
    }
    report.say(format!("{} `{}`:", setup.tense("wrote", "would write"), file.path().display()));
    for written in written {
        report.say(format!("  {} = ", written.key()));
        report.say(format!("  {} = {}", written.key(), written.line));
    }
    report.say(
        "  the empty line makes git forget the helpers configured before it, such as `store`, which \
         would answer first with a stale token",
    );
}

/// Reports a `store` helper that git still asks, because of a line elsewhere.
fn check(
    setup: &Setup<'_>,
    target: &Target,
    wanted: &[HostLine],
    report: &mut Report,
) -> Result<()> {
    if setup.options.dry_run {
        return Ok(());
    }
    let in_effect = target.lines_in_effect(setup)?;
    for HostLine { host, .. } in wanted {
        let chain = helpers_on(&in_effect, host, None);
        if let Some(stale) = chain.iter().find(|line| kind(&line.value) == Kind::Store) {
            let file = stale.origin.strip_prefix("file:").unwrap_or_default();
            report.fail(format!(
                "{host}: `{}` ({}) is still asked beside this helper; remove it: git config --file \
                 {} --fixed-value --unset-all {} {}",
                stale.value,
                stale.origin,
                word(file),
                word(&stale.key),
                word(&stale.value)
            ));
        }
    }
    Ok(())
}
