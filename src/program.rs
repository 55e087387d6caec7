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

const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

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
}

impl Display for NotRun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)
    }
}

impl std::error::Error for NotRun {}

/// Every program of this name in the directories, in order.
pub(crate) fn find_all(name: &OsStr, directories: &[PathBuf]) -> Vec<PathBuf> {
    let paths = directories.iter().map(|directory| directory.join(name));
    paths.filter(|path| is_executable(path)).collect()
}

/// Why there is none; `advice` says how to have one.
pub(crate) fn missing(name: &OsStr, directories: &[PathBuf], advice: &str) -> NotRun {
    let mut paths = directories.iter().map(|directory| directory.join(name));
    if paths.any(|path| path.is_file() && !is_executable(&path)) {
        let why = format!("the {name:?} on PATH is no program; check its mode");
        return NotRun { code: NOT_EXECUTABLE, why };
    }
    NotRun { code: NOT_FOUND, why: format!("no {name:?} on PATH{advice}") }
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
    let (code, hint) = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory if path.is_file() => {
            (NOT_FOUND, "its first line names an interpreter that is not there")
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory => (NOT_FOUND, "check the path"),
        _ => (NOT_EXECUTABLE, "check its mode and that it is a program"),
    };
    NotRun { code, why: format!("cannot run {path:?}: {error}; {hint}") }
}
