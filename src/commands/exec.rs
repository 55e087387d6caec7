//! `exec`: becomes a command that has a live token in its environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::child::{NotRun, replace_by};
use crate::Context;
use crate::config::agent;
use crate::program::{Obstacle, Start, as_value, find_all};

/// Where git's and GitHub's own tools look for a token.
const VARIABLES: [&str; 3] = ["GH_TOKEN", "GITHUB_TOKEN", "GIT_TOKEN"];

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
    let names = VARIABLES.into_iter().chain(more_variables.iter().map(String::as_str));
    let variables = names.map(|name| (name, as_value(&credential.token))).collect();
    replace_by(context, Start { program: &program, name, arguments, variables })
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
