//! The link `gh` to this program, which then runs the real `gh` with a fresh token. Refuses to
//! replace anything that is not such a link.

use std::path::Path;

use anyhow::Result;
use git_credential_gastown::helper_line::{PROGRAM, word};

use super::note::Note;
use super::{Bench, Report, failure};
use crate::files::{self, Standing, standing};

const NAME: &str = "gh";

pub(super) fn run(bench: &Bench<'_>, note: &mut Note, report: &mut Report) -> Result<()> {
    let Some(directory) = &bench.options.gh_shim else { return Ok(()) };
    let directory = bench.surroundings.absolute(directory);
    let path = directory.join(NAME);
    let shown = path.display();
    let lack = || failure("this program's own path is unknown".to_owned(), "call it by its path");
    let program = bench.surroundings.program().ok_or_else(lack)?;
    if !directory.is_dir() {
        let what = format!("{directory:?} is not a directory");
        return Err(failure(
            what,
            &format!("run: mkdir -p {}", word(&directory.to_string_lossy())),
        )
        .into());
    }
    match standing(&path) {
        Standing::Link(target) if target == program => {
            report.say(format!("`{shown}`: already a link to this program"));
        }
        found if found == Standing::Nothing || is_ours(&path) => {
            if !bench.options.dry_run {
                files::link(&path, &program)?;
            }
            let did = bench.tense("made", "would make");
            report.say(format!("{did} the link `{shown}` -> `{}`", program.display()));
        }
        _ => {
            let what = format!("{path:?} is there already and is not a link to this program");
            return Err(failure(what, "name another directory with --gh-shim").into());
        }
    }
    if !note.links.contains(&path) {
        note.links.push(path.clone());
    }
    match bench.surroundings.find(NAME) {
        Some(first) if first != path && !bench.options.dry_run => report.say(format!(
            "note: `{}` comes first on PATH; put {directory:?} before it",
            first.display()
        )),
        _ => {}
    }
    Ok(())
}

pub(super) fn remove(bench: &Bench<'_>, path: &Path, report: &mut Report) -> Result<()> {
    if !is_ours(path) {
        return Ok(());
    }
    if !bench.options.dry_run {
        files::remove(path)?;
    }
    report.say(format!("{} the link `{}`", bench.tense("removed", "would remove"), path.display()));
    Ok(())
}

pub(super) fn remove_from(bench: &Bench<'_>, directory: &Path, report: &mut Report) -> Result<()> {
    remove(bench, &bench.surroundings.absolute(directory).join(NAME), report)
}

/// A link to this program by its name, even where the program has gone.
fn is_ours(path: &Path) -> bool {
    match standing(path) {
        Standing::Link(target) => target.file_name().is_some_and(|name| name == PROGRAM),
        Standing::Nothing | Standing::Else => false,
    }
}
