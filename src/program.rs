//! Other programs: finding them, and becoming one of them. Starts nothing beside itself: the process
//! is replaced. The exit code is the program's own, or one of three that no program should have, as
//! with `env` and `timeout`.

#![expect(clippy::disallowed_methods, reason = "the one place that looks for and runs programs")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use git_credential_gastown::token::Secret;
use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::messages::Messages;

/// Why a program cannot be run, with the exit code for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    NotExecutable = 126,
    NotFound = 127,
}

/// Why this process did not become another program.
#[derive(Debug)]
pub(crate) struct NotRun {
    pub code: u8,
    why: String,
}

impl NotRun {
    pub(crate) fn without_token(why: impl Display) -> Self {
        Self { code: 125, why: why.to_string() }
    }

    fn because_of(obstacle: Obstacle, why: String) -> Self {
        Self { code: obstacle as u8, why }
    }
}

impl Display for NotRun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)
    }
}

impl std::error::Error for NotRun {}

/// Every file of this name in the directories that can be executed, in order.
///
/// # Errors
/// If there is none; whether there is one that cannot be executed.
pub(crate) fn find_all(name: &OsStr, directories: &[PathBuf]) -> Result<Vec<PathBuf>, Obstacle> {
    let paths = directories.iter().map(|directory| directory.join(name));
    let files: Vec<_> = paths.filter(|path| path.is_file()).collect();
    let obstacle = if files.is_empty() { Obstacle::NotFound } else { Obstacle::NotExecutable };
    let executable: Vec<_> = files.into_iter().filter(|path| is_executable(path)).collect();
    if executable.is_empty() { Err(obstacle) } else { Ok(executable) }
}

/// The first of the programs of that name; `advice` says how to have one.
pub(crate) fn first(
    name: &OsStr,
    found: Result<Vec<PathBuf>, Obstacle>,
    advice: &str,
) -> Result<PathBuf, NotRun> {
    let first = found.and_then(|paths| paths.into_iter().next().ok_or(Obstacle::NotFound));
    first.map_err(|obstacle| {
        let why = match obstacle {
            Obstacle::NotFound => format!("no {name:?} on PATH{advice}"),
            Obstacle::NotExecutable => {
                format!("the {name:?} on PATH is no program; check its mode")
            }
        };
        NotRun::because_of(obstacle, why)
    })
}

pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// Whether the path leads to this very program, however it is linked.
pub(crate) fn is_ourselves(path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    // Leads to the file even after another was installed in its place.
    let running = fs::metadata("/proc/self/exe");
    let running = running.or_else(|_| fs::metadata(env::current_exe()?));
    let same = running.and_then(|running| Ok(identity(running) == identity(fs::metadata(path)?)));
    same.unwrap_or(false)
}

/// A variable for a program, given beside the environment as it is; `None` takes it away.
pub(crate) type Variable = (String, Option<OsString>);

/// The token as the value of a variable.
pub(crate) fn with_token(name: &str, token: &Secret) -> Variable {
    (name.to_owned(), Some(token.expose().into()))
}

/// Becomes the program, which is called by this name. Returns only if that is not possible.
pub(crate) fn become_program(
    path: &Path,
    name: &OsStr,
    arguments: &[OsString],
    variables: &[Variable],
    messages: &Messages,
) -> NotRun {
    messages.trace(format_args!("becoming {path:?}"));
    let replace_by = |command: &mut Command| {
        for (name, value) in variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(arguments).exec()
    };
    let mut error = replace_by(Command::new(path).arg0(name));
    if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) {
        // The shell runs a script without `#!`, as with `env`. glibc sees to that itself, musl not.
        error = replace_by(Command::new("/bin/sh").arg(path));
    }
    let (obstacle, hint) = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory if path.is_file() => {
            (Obstacle::NotFound, "its first line names an interpreter that is not there")
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory => (Obstacle::NotFound, "check the path"),
        _ => (Obstacle::NotExecutable, "check its mode and that it is a program"),
    };
    NotRun::because_of(obstacle, format!("cannot run {path:?}: {error}; {hint}"))
}
