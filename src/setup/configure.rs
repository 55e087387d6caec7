//! Has git ask this helper, where it does not yet: finds the lines that are missing, writes them and
//! the note before them, and sees whether git asks this helper then.

use anyhow::Result;
use git_credential_gastown::git_config::{Line, helpers_on};
use git_credential_gastown::helper_line::{Kind, kind, word};

use super::lines::{HostLine, append, is_ours, missing, wanted};
use super::link::Link;
use super::target::{Target, check_includes};
use super::{Report, Setup};

pub(super) fn run(setup: &Setup<'_>, target: &Target, report: &mut Report) -> Result<()> {
    let link = Link::plan(setup)?;
    check_includes(setup, &target.file)?;
    let _turn = target.file.take_turn(setup)?;
    let wanted = wanted(setup, &target.lines_in_effect(setup)?)?;
    let written = match write(setup, target, link.as_ref(), &wanted) {
        // To migrate, it is enough that git asks this helper for some host, with any settings.
        Err(error)
            if setup.options.migrate.is_some()
                && target.lines_in_effect(setup)?.iter().any(is_ours) =>
        {
            report.say(format!(
                "git asks this helper already; its lines stay as they are: {error:#}"
            ));
            Vec::new()
        }
        written => written?,
    };
    let in_effect = target.lines_in_effect(setup)?;
    for wanted in wanted.iter().filter(|wanted| !written.contains(wanted)) {
        if let Some(origin) = wanted.origin_in(&in_effect) {
            report.say(format!("{}: already set up by {origin}", wanted.host));
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
    let mut note = setup.notes.load(&target.file.path(), None)?;
    if let Some(link) = link.map(Link::path).filter(|link| !note.links.contains(link)) {
        note.links.push(link);
        setup.save(&note);
    }
    target.file.change(setup, |copy| {
        let missing = missing(wanted, &target.lines_in_effect(setup)?);
        if !missing.is_empty() {
            let is_first = !copy.lines()?.iter().any(is_ours);
            missing.iter().try_for_each(|wanted| append(copy, wanted))?;
            note.changes(copy.before.as_deref(), copy.now.as_deref(), is_first)?;
            setup.save(&note);
        }
        Ok(missing)
    })
}

/// Reports those that git still asks, because of a line elsewhere.
fn report_store_helpers(in_effect: &[Line], wanted: &[HostLine], report: &mut Report) {
    for HostLine { host, .. } in wanted {
        let chain = helpers_on(in_effect, host, None);
        if let Some(stale) = chain.iter().find(|line| kind(&line.value) == Kind::Store) {
            let file = word(stale.origin.strip_prefix("file:").unwrap_or_default());
            let (Line { key, value, origin, .. }, unset) = (stale, "--fixed-value --unset-all");
            report.fail(format!(
                "{host}: `{value}` ({origin}) is still asked beside this helper; run: git config \
                 --file {file} {unset} {} {}",
                word(key),
                word(value)
            ));
        }
    }
}
