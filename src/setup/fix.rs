//! Fixes what keeps git from asking this helper in a repository, as far as git will ask it instead:
//! takes tokens out of URLs, removes `store` helpers and notes them for undo; reports what it leaves.
//! Never shows a token, not even to git on a command line.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use git_credential_gastown::git_config::Line;
use git_credential_gastown::inspection::{Fault, Fix, InEffect};
use git_credential_gastown::remote_url::any_user;

use super::Setup;
use super::git_file::{GitFile, WorkingCopy};
use crate::git::Repository;

/// git's configuration as it applies in a repository with these files of its own, or outside of
/// any.
pub(super) fn in_effect<'a>(
    setup: &'a Setup<'_>,
    repository: Option<&Repository>,
    files: &[GitFile],
) -> Result<InEffect<'a>> {
    let (settings, options) = (&setup.context.settings, &setup.options.target);
    let mut lines = setup.git.lines_for(repository)?;
    if options.system {
        // For every user: the configuration of this one does not count.
        lines.retain(|line| !["global", "command"].contains(&line.scope.as_str()));
    }
    mask(setup, &lines);
    let files = files.iter().map(|file| file.path().to_string_lossy().into_owned()).collect();
    let will_ask = setup.options.dry_run && options.file.is_none();
    Ok(InEffect { hosts: &settings.hosts, lines, files, will_ask })
}

/// Masks the tokens of these lines in every later message.
pub(super) fn mask(setup: &Setup<'_>, lines: &[Line]) {
    let tokens = lines.iter().filter_map(Line::token).flat_map(|(token, _)| token.secrets);
    tokens.for_each(|token| setup.context.messages.remember(&token));
}

/// Fixes a file of the repository, and returns whether there was anything to fix.
pub(super) fn fix(
    setup: &Setup<'_>,
    in_effect: &InEffect<'_>,
    top: &Path,
    file: &GitFile,
) -> Result<bool> {
    let _turn = file.take_turn(setup)?;
    let path = file.path();
    let mut known = None;
    let (fixed, left) = file.change(setup, |copy| {
        let lines = copy.lines()?;
        mask(setup, &lines);
        let (fixed, left) = in_effect.faults(&lines);
        if fixed.is_empty() {
            return Ok((fixed, left));
        }
        let removed = apply(copy, &fixed)?;
        let is_done = setup.options.dry_run || in_effect.faults(&copy.lines()?).0.is_empty();
        ensure!(is_done, "git did not change {path:?} as it should; nothing was changed");
        if !removed.is_empty() {
            // As it was before the first attempt.
            let before = match known.take() {
                Some(note) => note,
                None => setup.note(&path, Some(top))?,
            };
            let mut note = before.clone();
            known = Some(before);
            let is_first = note.helpers.is_empty();
            note.helpers.extend(removed);
            note.changes(copy, is_first)?;
            setup.save(&note);
        }
        Ok((fixed, left))
    })?;
    left.iter().for_each(|left| setup.fail(left));
    let shown = path.display();
    for Fault { line: Line { key, value, .. }, fix, .. } in &fixed {
        if let Some(Fix::ClearUrl(cleared, _)) = fix {
            setup.say(format!("`{shown}`: took the token out of {key}, leaving {cleared}"));
        } else {
            setup.say(format!("`{shown}`: removed {key} = {value}"));
        }
    }
    Ok(!fixed.is_empty())
}

/// Clears the URLs, then removes the helpers, whose keys and values it returns.
fn apply(copy: &mut WorkingCopy<'_>, faults: &[Fault]) -> Result<Vec<(String, String)>> {
    let (mut urls, mut helpers) = (BTreeSet::new(), Vec::new());
    for Fault { line, fix, .. } in faults {
        match fix {
            Some(Fix::ClearUrl(cleared, _)) => _ = urls.insert((&line.key, cleared)),
            _ => helpers.push((line.key.clone(), line.value.clone())),
        }
    }
    // Each once: where nothing matches any more, git would add a line.
    for (key, cleared) in urls {
        copy.edit(&["--replace-all", key, cleared, &any_user(cleared)])?;
    }
    // Tokens do not come back.
    copy.base = copy.now.clone();
    for (key, value) in &helpers {
        let values = copy.values(key)?;
        // With the last helper goes an empty line before it, which would make git forget ours.
        if values.iter().all(|other| other == value || other.is_empty()) && !values.is_empty() {
            copy.edit(&["--unset-all", key])?;
        } else if values.contains(value) {
            copy.edit(&["--fixed-value", "--unset-all", key, value])?;
        }
    }
    Ok(helpers)
}
