//! `gh`, and this program called by that name: becomes the real `gh` with a live token. Hands a
//! token to no host but ours, and GitHub's to none but GitHub (CVE-2024-53858).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use git_credential_gastown::host::Host;

use super::child::{NotRun, replace_by};
use crate::Context;
use crate::config::agent;
use crate::program::{Obstacle, Start, as_value, find_all, is_ourselves};

const NAME: &str = "gh";
/// <https://cli.github.com/manual/gh_help_environment>
const GITHUB: [&str; 2] = ["GH_TOKEN", "GITHUB_TOKEN"];
const ENTERPRISE: [&str; 2] = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

pub(super) fn run(context: &Context<'_>, arguments: &[OsString]) -> Result<ExitCode> {
    let program = real_gh()?;
    let credential = match host(context)? {
        Some(host) => {
            let credential =
                context.credential(NAME, &host, None).map_err(NotRun::without_token)?;
            Some((variables_for(&host), credential))
        }
        None => None,
    };
    let tried = OsString::from(tried(&program));
    let mut variables = vec![(agent::TRIED, tried.as_os_str())];
    if let Some((names, credential)) = &credential {
        variables.extend(names.map(|name| (name, as_value(&credential.token))));
    }
    let name = OsStr::new(NAME);
    replace_by(context, Start { program: &program, name, arguments, variables })
}

/// The host that gh will talk to, as far as can be told; `None` if it is not ours, and then gh has
/// to do with what it has.
fn host(context: &Context<'_>) -> Result<Option<Host>, NotRun> {
    match agent::gh_host() {
        None => context.meant_host(None).map(Some).map_err(NotRun::without_token),
        Some(name) => {
            let request = context.request_for(&name);
            Ok(request.and_then(|request| context.served_host(&request)))
        }
    }
}

fn variables_for(host: &Host) -> [&'static str; 2] {
    let is_github = host.name() == "github.com" || host.name().ends_with(".github.com");
    if is_github { GITHUB } else { ENTERPRISE }
}

/// The first `gh` on the search path that is not this program. If this process has become one
/// before and came back, that was another copy of this program, or a script that calls it: then
/// the first one after it.
fn real_gh() -> Result<PathBuf, NotRun> {
    let mut found = find_all(OsStr::new(NAME), &agent::search_path());
    if let Ok(paths) = &mut found
        && let Some(last) = agent::tried()
        && let Some(index) = paths.iter().position(|path| tried(path) == last)
    {
        paths.drain(..=index);
    }
    let others = found.map(|paths| paths.into_iter().find(|path| !is_ourselves(path)));
    match others {
        Ok(Some(path)) => Ok(path),
        Err(Obstacle::NotExecutable) => {
            let why = anyhow!("the `gh` on PATH is no program; check its mode");
            Err(NotRun::because_of(Obstacle::NotExecutable, why))
        }
        Ok(None) | Err(Obstacle::NotFound) => {
            let why = anyhow!("no `gh` on PATH but this one; install GitHub's: apt-get install gh");
            Err(NotRun::because_of(Obstacle::NotFound, why))
        }
    }
}

/// Names a `gh` that this process tries: the id stays the same in what it becomes.
fn tried(path: &Path) -> String {
    format!("{}:{}", std::process::id(), path.display())
}
