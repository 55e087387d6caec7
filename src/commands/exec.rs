//! `exec`: becomes a command that has a live token in its environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use git_credential_gastown::gh::host_of_repository;

use super::child::{NotRun, Variables, gh_name, replace_by};
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
    // gh would go by it, and send the token to that host.
    let repository = agent::gh_repository().and_then(|text| host_of_repository(&text));
    let is_elsewhere = repository.is_some_and(|name| name != gh_name(&host));
    let unset = is_elsewhere.then_some(("GH_REPO", None));
    let variables = variables.with(token).into_iter().chain(more).chain(unset).collect();
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
