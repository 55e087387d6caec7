//! `exec`: becomes a command that has a live token in its environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use git_credential_gastown::gh::host_of_repository;

use super::credential;
use super::variables::{Variables, gh_name};
use crate::Context;
use crate::config::{Surroundings, variable};
use crate::program::{NotRun, become_program, find_all, missing, with_token};

pub(super) fn run(
    context: &Context<'_>,
    more_variables: &[String],
    min_life: Option<Duration>,
    command: &[OsString],
) -> Result<()> {
    let (name, arguments) = command.split_first().expect("clap wants at least one word");
    let surroundings = Surroundings::from_process();
    // First of all: a program that cannot be run is not worth a token.
    let program = find(&surroundings, name)?;
    let host = context.meant_host().map_err(NotRun::without_token)?;
    let credential = credential(context, "exec", &host, min_life).map_err(NotRun::without_token)?;
    let token = &credential.token;
    let mut variables = Variables::of(context, &surroundings, &host).with(token);
    variables.extend(more_variables.iter().map(|name| with_token(name, token)));
    // gh would go by it, and send the token to that host.
    let repository = variable("GH_REPO").and_then(|text| host_of_repository(&text));
    let is_elsewhere = repository.is_some_and(|name| name != gh_name(&host));
    variables.extend(is_elsewhere.then(|| ("GH_REPO".to_owned(), None)));
    Err(become_program(&program, name, arguments, &variables, context.messages).into())
}

/// A path as it is, or a name looked up.
fn find(surroundings: &Surroundings, name: &OsStr) -> Result<PathBuf, NotRun> {
    if name.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(name));
    }
    let directories = &surroundings.search_path;
    let found = find_all(name, directories).into_iter().next();
    found.ok_or_else(|| missing(name, directories, "; install it, or give its path"))
}
