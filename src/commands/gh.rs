//! `gh`, and this program called by that name: becomes the real `gh` with a live token for the host
//! that gh will talk to. Hands a token to no host but ours (CVE-2024-53858).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use git_credential_gastown::gh::{Words, host_of_repository, normal};
use git_credential_gastown::host::{Host, Kind};

use super::child::{ENTERPRISE, GIT, GITHUB, NotRun, Variables, gh_name, replace_by};
use crate::Context;
use crate::cli::{Flags, OnFailure};
use crate::config::agent;
use crate::messages::Messages;
use crate::program::{Obstacle, Start, as_value, find_all, is_ourselves};

const NAME: &str = "gh";

pub(super) fn run(flags: &Flags, messages: &Messages, arguments: &[OsString]) -> Result<ExitCode> {
    let program = real_gh()?;
    let tried = OsString::from(tried(&program));
    let become_gh = |mut variables: Vec<_>| {
        variables.push((agent::TRIED, Some(tried.as_os_str())));
        let name = OsStr::new(NAME);
        replace_by(messages, Start { program: &program, name, arguments, variables })
    };
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    let words = Words::new(&words);
    if words.need_no_token() && !words.set_up_git() {
        return become_gh(Vec::new());
    }
    let context = Context::for_people(flags, messages, None);
    if words.set_up_git() && context.git_config.has_helper() {
        messages.warning(
            "gh may now make git ask it instead of this helper; to put that right afterwards, run: \
             git credential-gastown setup",
        );
    }
    if words.need_no_token() {
        return become_gh(Vec::new());
    }
    let Some(host) = host(&context, &words) else {
        messages.trace(format_args!("gh may talk to a host that is not ours: no token"));
        return become_gh(snapshots());
    };
    let context = context.about(flags, host.clone());
    let variables = Variables::of(&context, &host);
    if let Some(name) = variables.kept() {
        messages.trace(format_args!("{name} is long-lived and stays"));
        return become_gh(Vec::new());
    }
    match context.credential(NAME, &host, None) {
        Ok(credential) => become_gh(variables.with(as_value(&credential.token))),
        Err(lack) if context.settings.on_failure == OnFailure::Next => {
            messages.warning(format_args!("{lack}; gh runs with what it has"));
            become_gh(Vec::new())
        }
        Err(lack) => Err(NotRun::without_token(lack).into()),
    }
}

/// The host that gh will talk to, if it is ours: the one that is named, else that of the
/// repository, else the first.
fn host(context: &Context<'_>, words: &Words<'_>) -> Option<Host> {
    if words.leave_the_host_open() {
        return None;
    }
    let host = probable_host(context, words)?;
    // gh sends the token for an enterprise host to whatever host it talks to, but github.com.
    let is_certain = words.name_a_command() || !Variables::of(context, &host).are_for_any_host();
    is_certain.then_some(host)
}

fn probable_host(context: &Context<'_>, words: &Words<'_>) -> Option<Host> {
    let hosts = context.settings.hosts.iter();
    let ours = hosts.filter(|host| context.settings.kind(host) == Kind::GitHub).cloned();
    let ours: Vec<_> = ours.collect();
    let mut named = words.hosts();
    let is_repository_named = words.name_a_repository() || agent::gh_repository().is_some();
    if named.is_empty() && !words.name_a_repository() {
        named.extend(agent::gh_repository().and_then(|text| host_of_repository(&text)));
    }
    if named.is_empty() {
        named.extend(agent::gh_host().map(|name| normal(&name)));
    }
    match named.as_slice() {
        [name] => return ours.into_iter().find(|host| gh_name(host) == *name),
        [] => {}
        _ => return None,
    }
    let remote = if is_repository_named { None } else { context.git_config.remote_host(&ours) };
    let is_elsewhere = remote.is_none()
        && !is_repository_named
        && words.look_at_remotes()
        && !context.git_config.remotes().is_empty();
    remote.or_else(|| ours.into_iter().next().filter(|_| !is_elsewhere))
}

/// The variables that hold a short-lived token, which is for a host of ours: gh would take one of
/// them for another host too.
fn snapshots<'a>() -> Vec<(&'a str, Option<&'a OsStr>)> {
    let names = GITHUB.into_iter().chain(ENTERPRISE).chain([GIT]);
    let is_snapshot =
        |name: &&str| agent::token(name).is_some_and(|token| token.is_installation_token());
    names.filter(is_snapshot).map(|name| (name, None)).collect()
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
