//! Becoming another program: what `exec` and `gh` share. Their exit code is the program's own, or
//! one of three that no program should have, as with `env` and `timeout`.

use std::fmt;
use std::process::ExitCode;

use anyhow::{Error, Result, anyhow};

use crate::Context;
use crate::program::{self, Obstacle, Start};

const NO_TOKEN: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Why this process did not become the program.
#[derive(Debug)]
pub(crate) struct NotRun {
    pub code: u8,
    why: Error,
}

impl NotRun {
    pub(super) fn without_token(why: impl Into<Error>) -> Self {
        Self { code: NO_TOKEN, why: why.into() }
    }

    pub(super) fn because_of(obstacle: Obstacle, why: Error) -> Self {
        let code = match obstacle {
            Obstacle::NotFound => NOT_FOUND,
            Obstacle::NotExecutable => NOT_EXECUTABLE,
        };
        Self { code, why }
    }
}

impl fmt::Display for NotRun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#}", self.why)
    }
}

impl std::error::Error for NotRun {}

/// Never returns if all is well.
pub(super) fn replace_by(context: &Context<'_>, start: Start<'_>) -> Result<ExitCode> {
    let path = start.program;
    context.messages.trace(format_args!("becoming {path:?}"));
    let error = program::replace_by(start);
    let hint = match (Obstacle::of(&error), path.is_file()) {
        (Obstacle::NotFound, true) => "; its first line names an interpreter that is not there",
        (Obstacle::NotFound, false) => "; check the path",
        (Obstacle::NotExecutable, _) => "; check its mode and that it is a program",
    };
    let why = anyhow!("cannot run {path:?}: {error}{hint}");
    Err(NotRun::because_of(Obstacle::of(&error), why).into())
}
