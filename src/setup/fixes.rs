//! Takes tokens out of URLs and `store` helpers out of the files of one repository, says so, and
//! notes the helpers, so that undo can put them back. Never shows a token, not even to git on a
//! command line.

use std::path::Path;

use anyhow::{Result, bail};
use git_credential_gastown::helper_line::{command, word};

use super::git_file::{GitFile, WorkingCopy};
use super::target::{Target, check_includes};
use super::view::{Fix, Repository, View, credential};
use super::{Report, Setup};

/// Returns how many files were changed.
pub(super) fn fix(
    setup: &Setup<'_>,
    target: &Target,
    top: &Path,
    repository: &Repository,
    report: &mut Report,
) -> Result<usize> {
    for (file, _) in &repository.files {
        check_includes(setup, file)?;
    }
    let view = View::new(setup, target, Some(repository))?;
    let mut changed = 0;
    for (file, _) in &repository.files {
        match fix_file(&view, top, file, report) {
            Ok(has_changed) => changed += usize::from(has_changed),
            Err(error) => report.leave(&file.path(), &error),
        }
    }
    view.report_elsewhere(report);
    Ok(changed)
}

fn fix_file(view: &View<'_>, top: &Path, file: &GitFile, report: &mut Report) -> Result<bool> {
    let setup = view.setup;
    let _turn = (!setup.options.dry_run).then(|| file.take_turn()).transpose()?;
    let shown = file.path();
    let (mut fixes, problems) = view.plan(&shown, &file.lines(&setup.git)?);
    for problem in problems {
        report.fail(format_args!("{shown:?}: {problem}"));
    }
    if fixes.is_empty() {
        return Ok(false);
    }
    if !setup.options.dry_run {
        fixes = file.change(&setup.git, setup.new_mode, |copy| {
            let (fixes, _) = view.plan(&shown, &copy.lines()?);
            let cleared = apply(copy, &fixes)?;
            let (left, _) = view.plan(&shown, &copy.lines()?);
            if !left.is_empty() {
                bail!("git did not change {shown:?} as it was told to; nothing was changed");
            }
            note(setup, top, copy, file, &fixes, &cleared)?;
            Ok(fixes)
        })?;
    }
    let has_changed = !fixes.is_empty();
    let shown = shown.display();
    for fix in fixes {
        match fix {
            Fix::ClearUrl { key, cleared } => report
                .say(format_args!("`{shown}`: took the token out of {key}, leaving {cleared}")),
            Fix::RemoveHelper { key, value } => {
                report.say(format_args!("`{shown}`: removed {key} = {value}"));
                if let Some(store) = token_file(&value) {
                    report.say(format_args!(
                        "  old tokens are still in `{store}`; if it is yours, look at it and \
                         delete it"
                    ));
                }
            }
        }
    }
    Ok(has_changed)
}

/// Notes the helpers, so that undo can put them back, and no token.
fn note(
    setup: &Setup<'_>,
    top: &Path,
    copy: &WorkingCopy<'_>,
    file: &GitFile,
    fixes: &[Fix],
    cleared: &[u8],
) -> Result<()> {
    let removed = |fix: &Fix| match fix {
        Fix::RemoveHelper { key, value } => Some((key.clone(), value.clone())),
        Fix::ClearUrl { .. } => None,
    };
    let helpers: Vec<_> = fixes.iter().filter_map(removed).collect();
    if helpers.is_empty() {
        return Ok(());
    }
    let mut note = setup.notes.load(&file.path(), Some(top))?;
    let is_first = note.helpers.is_empty();
    note.helpers.extend(helpers);
    note.changes(Some(cleared), copy.file.bytes()?.as_deref(), is_first)?;
    setup.save(&note);
    Ok(())
}

/// Only reported: it is versioned, and the next checkout would bring the URL back.
pub(super) fn report_modules(setup: &Setup<'_>, file: &GitFile, report: &mut Report) {
    let path = file.path();
    let lines = file.lines(&setup.git).unwrap_or_default();
    for line in lines.iter().filter(|line| line.is("submodule", "url")) {
        if let Some(embedded) = credential(setup, &line.value) {
            report.fail(format_args!(
                "`{}`: {} carries a token and is versioned; run: git config --file {} {} {}, \
                 then commit it",
                path.display(),
                line.key,
                word(&path.to_string_lossy()),
                word(&line.key),
                word(&embedded.cleared)
            ));
        }
    }
}

/// Clears the URLs, then removes the helpers. Returns the content in between, which is what undo
/// restores.
fn apply(copy: &WorkingCopy<'_>, fixes: &[Fix]) -> Result<Vec<u8>> {
    for (index, fix) in fixes.iter().enumerate() {
        // Where nothing matches any more, git would add a line.
        if let Fix::ClearUrl { key, cleared } = fix
            && !fixes[..index].contains(fix)
        {
            copy.edit(&["--replace-all", key, cleared, &with_any_user(cleared)])?;
        }
    }
    let cleared = copy.file.bytes()?.unwrap_or_default();
    for fix in fixes {
        let Fix::RemoveHelper { key, value } = fix else { continue };
        let values = copy.values(key)?;
        // With the last helper goes an empty line before it, which would make git forget ours.
        if values.iter().all(|other| other == value || other.is_empty()) && !values.is_empty() {
            copy.edit(&["--unset-all", key])?;
        } else if values.contains(value) {
            copy.edit(&["--fixed-value", "--unset-all", key, value])?;
        }
    }
    Ok(cleared)
}

/// The file of a `store` helper, if it exists. A repository can name any file here.
fn token_file(value: &str) -> Option<String> {
    let words = command(value);
    let after = |(index, word): (usize, &String)| match word.strip_prefix("--file") {
        Some("") => words.get(index + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    words.iter().enumerate().find_map(after).filter(|file| Path::new(file).is_file())
}

/// A pattern for the same URL with any user, so that the token is not among git's arguments.
fn with_any_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let mut pattern = format!("^{scheme}://[^/]*@");
    for character in rest.chars() {
        if r"\.[]{}()*+?^$|".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "$"
}
