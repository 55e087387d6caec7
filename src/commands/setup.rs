//! `setup`: has git ask this helper, and takes that back. Writes through `git config` alone, says
//! what it wrote, and touches nothing that it did not write, but for what `--migrate` is asked for.

use std::process::ExitCode;

use anyhow::{Error, Result};
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::helper_line::{PROGRAM, quoted};

use super::{Context, write_answer};
use crate::cli::{Flags, Setup};
use crate::config::Surroundings;
use crate::git::Git;

mod configure;
mod environment;
mod helpers;
mod line;
mod link;
mod migrate;
mod note;
mod repository;
mod target;
mod undo;

/// What every part of setting up works with.
struct Bench<'a> {
    context: &'a Context<'a>,
    flags: &'a Flags,
    options: &'a Setup,
    surroundings: Surroundings,
    git: Git,
}

/// What was done, for a person; and whether all of it could be.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    has_failed: bool,
}

impl Report {
    fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn fail(&mut self, line: impl Into<String>) {
        self.has_failed = true;
        self.lines.push(format!("FAILED: {}", line.into()));
    }
}

pub(super) fn run(context: &Context<'_>, flags: &Flags, options: &Setup) -> Result<ExitCode> {
    for warning in &context.settings.warnings {
        context.messages.warning(warning);
    }
    let surroundings = Surroundings::from_process();
    surroundings.tokens.iter().for_each(|(_, token)| context.messages.remember(token));
    let git = Git::find(&surroundings)?;
    let bench = Bench { context, flags, options, surroundings, git };
    if options.target.print_env {
        write_answer(environment::exports(&bench)?.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::default();
    let outcome = work(&bench, &mut report);
    let clean = report.lines.iter().map(|line| context.messages.clean(line) + "\n");
    // What was done is told even if the rest could not be.
    write_answer(clean.collect::<String>().as_bytes())?;
    outcome.map_err(named)?;
    Ok(if report.has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn work(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    if bench.options.undo {
        return undo::run(bench, report);
    }
    configure::run(bench, report)?;
    if let Some(directory) = &bench.options.migrate {
        migrate::run(bench, &bench.surroundings.absolute(directory), report)?;
    }
    let program = bench.own_command();
    let undo = bench.undo_words();
    report.say(format!("check it with: {program} doctor; take it back with: {program} {undo}"));
    Ok(())
}

impl Bench<'_> {
    /// `would write` instead of `wrote`.
    fn tense<'t>(&self, done: &'t str, planned: &'t str) -> &'t str {
        if self.options.dry_run { planned } else { done }
    }

    /// How to call this program, so that the shell finds it.
    fn own_command(&self) -> String {
        let on_path = self.surroundings.find(PROGRAM);
        let own = self.surroundings.program();
        match own {
            Some(own) if on_path.as_ref() != Some(&own) => {
                quoted(&own.to_string_lossy()).unwrap_or_else(|| PROGRAM.to_owned())
            }
            _ => "git credential-gastown".to_owned(),
        }
    }

    fn undo_words(&self) -> String {
        let target = &self.options.target;
        match &target.file {
            Some(file) => {
                let file = self.surroundings.absolute(file).to_string_lossy().into_owned();
                format!("setup --undo --file {}", quoted(&file).unwrap_or_default())
            }
            None if target.system => "setup --undo --system".to_owned(),
            None if target.local => "setup --undo --local".to_owned(),
            None => "setup --undo --global".to_owned(),
        }
    }
}

/// Gives a file's own error the stable name that an agent looks for.
fn named(error: Error) -> Error {
    if error.is::<Failure>() {
        return error;
    }
    failure(format!("{error:#}"), "make that file readable and writable, or name another").into()
}

fn failure(what: String, advice: &str) -> Failure {
    Failure::new(Name::SetupFailed, Retry::WhenMended, what, advice)
}
