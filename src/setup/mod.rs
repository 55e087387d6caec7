//! `setup`: has git ask this helper, and takes that back. Plans, then writes, then says what was
//! written. Changes git's configuration through git alone, and nothing that it did not write, but
//! for what `--migrate` is asked for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Error, Result};
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::helper_line::word;
use git_credential_gastown::host::Host;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::umask;

use crate::Context;
use crate::cli::{Flags, Setup as Options};
use crate::config::Surroundings;
use crate::git::Git;
use crate::stdio::{answers_a_terminal, write_answer};
use note::{Note, Notes};
use target::Target;

mod configure;
mod fixes;
mod git_file;
mod lines;
mod migrate;
mod note;
mod target;
mod undo;
mod view;

/// What every part of setting up works with.
struct Setup<'a> {
    context: &'a Context<'a>,
    flags: &'a Flags,
    options: &'a Options,
    surroundings: Surroundings,
    git: Git,
    notes: Notes,
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
    fn say(&mut self, line: impl fmt::Display) {
        self.lines.push(line.to_string());
    }

    /// The same line is reported once.
    fn fail(&mut self, line: impl fmt::Display) {
        self.has_failed = true;
        let line = format!("FAILED: {line}");
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    /// Something in a directory that is migrated.
    fn leave(&mut self, path: &Path, why: &Error) {
        let path = word(&path.to_string_lossy());
        match why.is::<Failure>() {
            true => self.fail(why),
            false => {
                self.fail(format_args!("left alone: {why:#}; to look at it, run: ls -ld {path}"))
            }
        }
    }
}

pub(crate) fn run(context: &Context<'_>, flags: &Flags, options: &Options) -> Result<ExitCode> {
    // Every start of a shell prints the environment: nobody reads warnings there.
    if !options.target.print_env || answers_a_terminal() {
        context.warn_of_settings();
    }
    // New files are private at first, and always usable by this process.
    let mask = umask(Mode::RWXG | Mode::RWXO).as_raw_mode();
    let surroundings = Surroundings::from_process();
    surroundings.tokens.iter().for_each(|(_, token)| context.messages.remember(token));
    let notes = Notes::new(surroundings.notes.clone());
    let git = Git::find(&surroundings)?;
    let hosts = context.settings.hosts_to_set_up.clone();
    let new_mode = 0o600 | (0o666 & !mask);
    let setup = Setup { context, flags, options, surroundings, git, notes, hosts, new_mode };
    if options.target.print_env {
        write_answer(lines::exports(&setup)?.as_bytes())?;
        if answers_a_terminal() {
            context.messages.hint(
                "for the shell: eval \"$(git credential-gastown setup --print-env)\"; the empty \
                 values make git forget helpers that would answer first with a stale token",
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::default();
    if options.dry_run {
        report.say("dry run: nothing is changed; without --dry-run:");
    }
    let outcome = match options.undo {
        true => undo::run(&setup, &mut report),
        false => configure_and_migrate(&setup, &mut report),
    };
    let clean = report.lines.iter().map(|line| context.messages.clean(line) + "\n");
    // What was done is reported even if the rest failed.
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
    report.say(format_args!(
        "check it with: git credential-gastown doctor; take it back with: git credential-gastown \
         setup --undo{}",
        target.flag()
    ));
    Ok(())
}

impl Setup<'_> {
    fn program(&self) -> Result<PathBuf, Failure> {
        let lack =
            || failure("this program's own path is unknown".to_owned(), "call it by its path");
        self.surroundings.program().ok_or_else(lack)
    }

    /// Best effort: without a note, undo removes our lines.
    fn save(&self, note: &Note) {
        if let Err(reason) = self.notes.save(note) {
            self.context.messages.warning(format_args!(
                "nothing was noted for --undo, which will only remove the lines of this helper: \
                 {reason:#}"
            ));
        }
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
