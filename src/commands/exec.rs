//! `exec`: becomes a command that has a live token in its environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::child::{NotRun, Variables, replace_by};
use crate::Context;
use crate::config::agent;
use crate::program::{Obstacle, Start, as_value, find_all};

pub(super) fn run(
    context: &Context<'_>,
    more_variables: &[String],
    min_life: Option<Duration>,
    command: &[OsString],
) -> Result<ExitCode> {
    let (name, arguments) = command.split_first().expect("clap wants at least one word");
    // First of all: a program that cannot be run is not worth a token.
    let program = find(name)?;
    let host = context.meant_host(None).map_err(NotRun::without_token)?;
    let credential = context.credential("exec", &host, min_life).map_err(NotRun::without_token)?;
    let token = as_value(&credential.token);
    let variables = Variables::of(context, &host);
    let more = more_variables.iter().map(|name| (name.as_str(), Some(token)));
    let variables = variables.with(token).into_iter().chain([("GIT_TOKEN", Some(token))]);
    let variables = variables.chain(more).collect();
    replace_by(context.messages, Start { program: &program, name, arguments, variables })
}

/// A path as it is, or a name looked up.
fn find(name: &OsStr) -> Result<PathBuf, NotRun> {
    if name.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(name));
    }
    let found = find_all(name, &agent::search_path());
    let first = found.and_then(|paths| paths.into_iter().next().ok_or(Obstacle::NotFound));
    first.map_err(|obstacle| {
        let why = match obstacle {
            Obstacle::NotFound => anyhow!("no {name:?} on PATH; install it, or give its path"),
            Obstacle::NotExecutable => anyhow!("{name:?} on PATH is no program; check its mode"),
        };
        NotRun::because_of(obstacle, why)
    })
}
