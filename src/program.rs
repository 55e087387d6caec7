//! Other programs: finding them, and becoming one of them. Starts nothing beside itself: the process
//! is replaced.

#![expect(clippy::disallowed_methods, reason = "the one place that looks for and runs programs")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use git_credential_gastown::token::Secret;
use rustix::fs::{Access, access};

/// Why a program cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    NotFound,
    NotExecutable,
}

impl Obstacle {
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::NotFound,
            _ => Self::NotExecutable,
        }
    }
}

/// Every file of this name in the directories that can be executed, in order; if there is none,
/// whether there is one that cannot be executed.
pub(crate) fn find_all(name: &OsStr, directories: &[PathBuf]) -> Result<Vec<PathBuf>, Obstacle> {
    let paths = directories.iter().map(|directory| directory.join(name));
    let files: Vec<_> = paths.filter(|path| path.is_file()).collect();
    let obstacle = if files.is_empty() { Obstacle::NotFound } else { Obstacle::NotExecutable };
    let executable: Vec<_> = files.into_iter().filter(|path| is_executable(path)).collect();
    if executable.is_empty() { Err(obstacle) } else { Ok(executable) }
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

/// What a program is started with.
pub(crate) struct Start<'a> {
    pub program: &'a Path,
    /// How it was called.
    pub name: &'a OsStr,
    pub arguments: &'a [OsString],
    pub variables: Vec<Variable>,
}

/// Becomes the program. Returns only if that is not possible.
pub(crate) fn replace_by(start: Start<'_>) -> Error {
    let Start { program, name, arguments, variables } = start;
    let mut command = Command::new(program);
    command.arg0(name).args(arguments);
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.exec()
}
