//! `setup`: has git ask this helper, and takes that back. Plans, then writes, then says what was
//! written. Changes git's configuration through git alone, and nothing that it did not write, but
//! for what `--migrate` is asked for.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Error, Result, bail};
use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::umask;

use crate::Context;
use crate::cli::{Flags, Setup as Options};
use crate::config::Surroundings;
use crate::files::Directory;
use crate::git::{Git, setup_failed};
use crate::stdio::{Text, answers_a_terminal, write_answer};

mod configure;
mod fix;
mod git_file;
mod lines;
mod migrate;
mod undo;

struct Setup<'a> {
    context: &'a Context<'a>,
    flags: &'a Flags,
    options: &'a Options,
    surroundings: Surroundings,
    git: Git,
    /// The permissions of a new file: under the user's umask, or those of the system's file, which
    /// every user has to read.
    new_mode: u32,
    /// Lines for a person about what was done, and whether anything could not be done.
    report: RefCell<Vec<String>>,
    has_failed: Cell<bool>,
}

pub(crate) fn run(context: &Context<'_>, flags: &Flags, options: &Options) -> Result<ExitCode> {
    // Every start of a shell prints the environment: nobody reads warnings there.
    if !options.target.print_env || answers_a_terminal() {
        context.warn_of_settings();
    }
    // New files are private at first, and always usable by this process.
    let mask = umask(Mode::RWXG | Mode::RWXO).as_raw_mode();
    let surroundings = Surroundings::from_process();
    let git = Git::find(&surroundings)?;
    let new_mode = if options.target.system { 0o644 } else { 0o600 | (0o666 & !mask) };
    let (report, has_failed) = (RefCell::default(), Cell::new(false));
    let setup = Setup { context, flags, options, surroundings, git, new_mode, report, has_failed };
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
    if options.dry_run {
        setup.say("dry run: nothing is changed; without --dry-run it would say:");
    }
    let outcome = match options.undo {
        true => undo::run(&setup),
        false => configure_and_migrate(&setup),
    };
    // What was done is reported even if the rest failed.
    let mut text = Text::new(context.messages);
    setup.report.borrow().iter().for_each(|line| text.line(line));
    text.write()?;
    outcome.map_err(|error| setup.failure(error))?;
    if setup.has_failed.get() {
        let advice = "do what the lines that begin with FAILED say";
        return Err(setup_failed("not everything could be done", advice).into());
    }
    Ok(ExitCode::SUCCESS)
}

fn configure_and_migrate(setup: &Setup<'_>) -> Result<()> {
    // Nothing is written if there is no such directory.
    let top = setup.options.migrate.as_ref().map(|path| setup.open_directory(path)).transpose()?;
    let target = configure::target(setup)?;
    configure::run(setup, &target)?;
    if let Some(top) = top {
        migrate::run(setup, &target, &top)?;
    }
    let mut check = "check it with: git credential-gastown doctor".to_owned();
    // What another file has set up is not for this one to take back.
    if setup.options.dry_run
        || (target.directory.is_writable() && target.lines(&setup.git)?.iter().any(Line::is_ours))
    {
        let undo = "git credential-gastown setup --undo";
        check += &format!("; take it back with: {undo} {}", configure::flag(setup, &target));
    }
    setup.say(check);
    Ok(())
}

impl Setup<'_> {
    /// The same line is reported once.
    fn say(&self, line: impl Into<String>) {
        let line = line.into();
        if !self.report.borrow().contains(&line) {
            self.report.borrow_mut().push(line);
        }
    }

    fn fail(&self, line: impl Display) {
        self.has_failed.set(true);
        self.say(format!("FAILED: {line}"));
    }

    fn program(&self) -> Result<PathBuf, Failure> {
        let lack = || setup_failed("this program's own path is unknown", "call it by its path");
        self.surroundings.program().ok_or_else(lack)
    }

    /// One that an option names.
    fn open_directory(&self, path: &Path) -> Result<Directory> {
        let path = self.surroundings.absolute(path);
        if !path.is_dir() {
            let advice = match self.options.gh_shim {
                None => "name another".to_owned(),
                Some(_) => format!("name another, or run: mkdir -p {}", word(&path)),
            };
            bail!(setup_failed(format!("{path:?} is not a directory"), &advice));
        }
        Directory::open(&path)
    }

    /// With advice that fits the error.
    fn failure(&self, error: Error) -> Failure {
        let cause = error.root_cause();
        let errno = cause.downcast_ref().and_then(Errno::from_io_error);
        let advice = match errno.as_ref().or_else(|| cause.downcast_ref()) {
            Some(&Errno::NOSPC | &Errno::DQUOT) => "free some space, then run it again",
            Some(&Errno::ACCESS | &Errno::PERM | &Errno::ROFS) if self.options.target.system => {
                "run it as root, or for this user alone: git credential-gastown setup --global"
            }
            Some(&Errno::ACCESS | &Errno::PERM | &Errno::ROFS | &Errno::BUSY) => {
                "run it as the owner, or without a file: eval \"$(git credential-gastown setup \
                 --print-env)\""
            }
            _ => "correct that, or name another file with --file",
        };
        named(error, advice)
    }
}

/// Gives an error the stable name that an agent looks for, and advice unless it has its own.
fn named(error: Error, advice: &str) -> Failure {
    error.downcast().unwrap_or_else(|error| setup_failed(format!("{error:#}"), advice))
}
