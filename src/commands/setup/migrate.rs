//! `--migrate`: puts right what the old way left in the repositories below a directory, one after
//! the other. Goes on past one that cannot be changed, and says so.

use std::path::Path;

use anyhow::Result;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::remote_url::credential_in;

use super::{Bench, Report, failure, repository};
use crate::files::repositories;

pub(super) fn run(bench: &Bench<'_>, directory: &Path, report: &mut Report) -> Result<()> {
    let Some(directory) = directory.canonicalize().ok().filter(|directory| directory.is_dir())
    else {
        let what = format!("{directory:?} is not a directory");
        return Err(failure(what, "name one that holds repositories with --migrate").into());
    };
    let found = repositories::below(&directory);
    let mut changed = 0;
    for file in &found.configurations {
        match repository::mend(bench, file, report) {
            Ok(0) => {}
            Ok(_) => changed += 1,
            Err(failure) => report.fail(failure.to_string()),
        }
    }
    for file in &found.module_lists {
        check_module_list(bench, file, report);
    }
    for (path, reason) in &found.unreadable {
        report.fail(format!("cannot look into `{}`: {reason}", path.display()));
    }
    let (all, did) = (found.configurations.len(), bench.tense("changed", "would change"));
    report.say(format!("looked at {all} git configurations below {directory:?}, {did} {changed}"));
    Ok(())
}

/// A list of submodules is versioned, so the next checkout would bring its URL back.
fn check_module_list(bench: &Bench<'_>, file: &Path, report: &mut Report) {
    let lines = bench.git.lines_of(file, false).unwrap_or_default();
    for line in lines.iter().filter(|line| line.is("submodule", "url")) {
        if let Some(embedded) = credential_in(&line.value) {
            embedded.secrets.iter().for_each(|secret| bench.context.messages.remember(secret));
            report.fail(format!(
                "`{}`: {} carries a token and is versioned; run: git config --file {} {} {}, \
                 then commit it",
                file.display(),
                line.key,
                word(&file.to_string_lossy()),
                word(&line.key),
                word(&embedded.cleared)
            ));
        }
    }
}
