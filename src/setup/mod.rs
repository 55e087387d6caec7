//! `setup`: has git ask this helper, and takes that back. Plans, then writes, then says what was
//! written. Changes git's configuration through git alone, and nothing that it did not write, but
//! for what `--migrate` is asked for.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Error, Result};
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::helper_line::{PROGRAM, quoted, word};
use git_credential_gastown::host::Host;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::umask;

use crate::Context;
use crate::cli::{Flags, Setup as Options};
use crate::commands::{answers_a_terminal, write_answer};
use crate::config::Surroundings;
use crate::git::Git;
use git_file::Change;
use note::{Note, Notes};
use target::Target;

mod configure;
mod fixes;
mod git_file;
mod lines;
mod link;
mod migrate;
mod note;
mod repositories;
mod target;
mod undo;

/// What every part of setting up works with.
struct Setup<'a> {
    context: &'a Context<'a>,
    flags: &'a Flags,
    options: &'a Options,
    surroundings: Surroundings,
    git: Git,
    hosts: Vec<Host>,
    /// The permissions of a new file under the user's umask.
    new_mode: u32,
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

    /// The same line is reported once.
    fn fail(&mut self, line: impl Into<String>) {
        self.has_failed = true;
        let line = format!("FAILED: {}", line.into());
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }
}

pub(crate) fn run(context: &Context<'_>, flags: &Flags, options: &Options) -> Result<ExitCode> {
    for warning in &context.settings.warnings {
        context.messages.warning(warning);
    }
    // New files are private at first, and always usable by this process.
    let mask = umask(Mode::RWXG | Mode::RWXO).as_raw_mode();
    let surroundings = Surroundings::from_process();
    surroundings.tokens.iter().for_each(|(_, token)| context.messages.remember(token));
    let git = Git::find(&surroundings)?;
    let hosts = context.settings.listed_hosts.clone();
    let new_mode = 0o600 | (0o666 & !mask);
    let setup = Setup { context, flags, options, surroundings, git, hosts, new_mode };
    if options.target.print_env {
        write_answer(lines::exports(&setup)?.as_bytes())?;
        if answers_a_terminal() {
            context.messages.hint(format_args!(
                "for the shell: eval \"$({} setup --print-env)\"; the empty values make git forget \
                 helpers that would answer first with a stale token",
                setup.own_command()
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::default();
    let outcome = if options.undo {
        undo::run(&setup, &mut report)
    } else {
        configure_and_migrate(&setup, &mut report)
    };
    let clean = report.lines.iter().map(|line| context.messages.clean(line) + "\n");
    // What was done is told even if the rest could not be.
    write_answer(clean.collect::<String>().as_bytes())?;
    outcome.map_err(named)?;
    if report.has_failed {
        let what = "not everything could be done".to_owned();
        return Err(failure(what, "do what the lines that begin with FAILED say").into());
    }
    Ok(ExitCode::SUCCESS)
}

fn configure_and_migrate(setup: &Setup<'_>, report: &mut Report) -> Result<()> {
    let target = Target::of(setup)?;
    configure::run(setup, &target, report)?;
    if let Some(directory) = &setup.options.migrate {
        migrate::run(setup, &target, &setup.surroundings.absolute(directory), report)?;
    }
    let program = setup.own_command();
    let undo = setup.undo_words();
    report.say(format!("check it with: {program} doctor; take it back with: {program} {undo}"));
    Ok(())
}

impl Setup<'_> {
    /// `would write` instead of `wrote`.
    fn tense<'t>(&self, done: &'t str, planned: &'t str) -> &'t str {
        if self.options.dry_run { planned } else { done }
    }

    fn program(&self) -> Result<PathBuf, Failure> {
        let lack =
            || failure("this program's own path is unknown".to_owned(), "call it by its path");
        self.surroundings.program().ok_or_else(lack)
    }

    /// How to call this program, so that the shell finds it.
    fn own_command(&self) -> String {
        let on_path = self.surroundings.find(PROGRAM);
        match self.surroundings.program() {
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
                format!("setup --undo --file {}", word(&file))
            }
            None if target.system => "setup --undo --system".to_owned(),
            None if target.local => "setup --undo --local".to_owned(),
            None => "setup --undo --global".to_owned(),
        }
    }

    fn change(&self) -> Change<'_> {
        Change { git: &self.git, new_mode: self.new_mode }
    }

    /// `None`, and a warning, where nothing can be noted.
    fn notes(&self) -> Option<Notes> {
        let Some(path) = &self.surroundings.notes else {
            self.warn_unnoted("HOME is unset");
            return None;
        };
        Notes::open(path, true).unwrap_or_else(|reason| {
            self.warn_unnoted(&format!("{reason:#}"));
            None
        })
    }

    /// Best effort: without a note, undo removes our lines.
    fn save(&self, notes: &Notes, note: &Note) {
        if let Err(reason) = notes.save(note) {
            self.warn_unnoted(&format!("{reason:#}"));
        }
    }

    fn warn_unnoted(&self, why: &str) {
        self.context.messages.warning(format_args!(
            "nothing was noted for --undo, which will only remove the lines of this helper: {why}"
        ));
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.surroundings.absolute(path)
    }
}

/// Gives a file's own error the stable name that an agent looks for, and what to do about it.
fn named(error: Error) -> Error {
    if error.is::<Failure>() {
        return error;
    }
    let advice = match error.chain().find_map(errno) {
        Some(Errno::NOSPC | Errno::DQUOT) => "free some space, then run the command again",
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
            "run the command as the owner of that file, or name another file with --file"
        }
        _ => "correct that, or name another file with --file",
    };
    failure(format!("{error:#}"), advice).into()
}

fn errno(error: &(dyn std::error::Error + 'static)) -> Option<Errno> {
    let from_std = || Errno::from_io_error(error.downcast_ref::<std::io::Error>()?);
    error.downcast_ref::<Errno>().copied().or_else(from_std)
}

fn failure(what: String, advice: &str) -> Failure {
    Failure::new(Name::SetupFailed, Retry::WhenMended, what, advice)
}
