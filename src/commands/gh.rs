//! `gh`, and this program called by that name: becomes the real `gh` with a live token for the host
//! that gh will talk to. Hands a token to no host but ours (CVE-2024-53858).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;
use git_credential_gastown::gh::{Words, host_of_repository, normal};
use git_credential_gastown::host::{Host, Kind};

use super::credential;
use super::variables::{Variables, gh_name, is_githubs_own};
use crate::Context;
use crate::cli::{Flags, OnFailure};
use crate::config::{Surroundings, variable};
use crate::messages::Messages;
use crate::program::{NotRun, Variable, become_program, find_all, is_ourselves, missing};

const NAME: &str = "gh";
/// The gh that this process last became: two links named gh must not run each other for ever.
const TRIED: &str = "GASTOWN_GH_TRIED";

pub(super) fn run(flags: &Flags, messages: &Messages, arguments: &[OsString]) -> Result<()> {
    let surroundings = Surroundings::from_process();
    let program = real_gh(&surroundings)?;
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    let mut variables = variables(flags, messages, &surroundings, &Words::new(&words))?;
    variables.push((TRIED.to_owned(), Some(tried(&program).into())));
    let name = OsStr::new(NAME);
    Err(become_program(&program, name, arguments, &variables, messages).into())
}

/// What to change in the environment for gh.
fn variables(
    flags: &Flags,
    messages: &Messages,
    surroundings: &Surroundings,
    words: &Words<'_>,
) -> Result<Vec<Variable>> {
    if words.need_no_token() && !words.set_up_git() {
        return Ok(Vec::new());
    }
    let context = Context::for_people(flags, messages, None);
    if words.set_up_git() && context.git_config.has_helper() {
        messages.warning(format_args!(
            "gh may now make git ask it instead of this helper; to put that right afterwards, run: {}",
            context.git_config.setup_command()
        ));
    }
    if words.need_no_token() {
        return Ok(Vec::new());
    }
    // gh sends an enterprise token to every host but github.com.
    let is_certain = |host: &Host| match gh_name(host) {
        name if words.are_about_codespaces() => {
            let api = variable("GITHUB_API_URL");
            name == "github.com" && api.is_none_or(|url| url == "https://api.github.com")
        }
        name => words.mean_one_host() || is_githubs_own(&name),
    };
    let Some(host) = host(&context, words).filter(is_certain) else {
        messages.trace(format_args!("gh may talk to a host that is not ours: no token"));
        // A short-lived token is for a host of ours, and gh would take some for another host too.
        let snapshots = surroundings.installation_tokens();
        return Ok(snapshots.map(|name| (name.to_owned(), None)).collect());
    };
    let context = context.about(flags, host.clone());
    let variables = Variables::of(&context, surroundings, &host);
    let mut changes = if let Some(name) = variables.kept {
        messages.trace(format_args!("{name} is long-lived and stays"));
        Vec::new()
    } else {
        context.warn_of_settings();
        match credential(&context, NAME, &host, None) {
            Ok(credential) => variables.with(&credential.token),
            Err(lack) if context.settings.on_failure == OnFailure::Next => {
                messages.warning(format_args!("{lack}; gh runs with what it has"));
                return Ok(Vec::new());
            }
            Err(lack) => return Err(NotRun::without_token(lack).into()),
        }
    };
    // Else gh would take the only host that it has a login for, and before 2.63 in a codespace
    // GITHUB_TOKEN for any host (CVE-2024-53858).
    changes.push(("GH_HOST".to_owned(), Some(gh_name(&host).into())));
    changes.push(("CODESPACES".to_owned(), None));
    Ok(changes)
}

/// The host that gh will talk to, if it is ours: the one that is named, else that of the
/// repository, else the first.
fn host(context: &Context<'_>, words: &Words<'_>) -> Option<Host> {
    if words.leave_the_host_open() {
        return None;
    }
    let hosts = context.settings.hosts.iter();
    let ours = hosts.filter(|host| context.settings.kind(host) == Kind::GitHub).cloned();
    let ours: Vec<_> = ours.collect();
    let repository = variable("GH_REPO").filter(|_| !words.name_a_repository());
    let mut named = words.hosts();
    if named.is_empty() {
        named.extend(repository.as_ref().and_then(|text| host_of_repository(text)));
    }
    if named.is_empty() {
        named.extend(variable("GH_HOST").map(|name| normal(&name)));
    }
    match named.as_slice() {
        [name] => return ours.into_iter().find(|host| gh_name(host) == *name),
        [] => {}
        _ => return None,
    }
    let first = ours.first().cloned();
    if words.name_a_repository() || repository.is_some() {
        return first;
    }
    let is_elsewhere = words.look_at_remotes() && !context.git_config.remotes().is_empty();
    context.git_config.remote_host(&ours).or(first.filter(|_| !is_elsewhere))
}

/// The first `gh` on the search path that is not this program. If this process has become one
/// before and came back, that was another copy of this program, or a script that calls it: then
/// the first one after it.
fn real_gh(surroundings: &Surroundings) -> Result<PathBuf, NotRun> {
    let (name, directories) = (OsStr::new(NAME), &surroundings.search_path);
    let mut paths = find_all(name, directories);
    let last = variable(TRIED);
    if let Some(index) = paths.iter().position(|path| Some(tried(path)) == last) {
        paths.drain(..=index);
    }
    let advice = " but this one; install GitHub's: apt-get install gh";
    let found = paths.into_iter().find(|path| !is_ourselves(path));
    found.ok_or_else(|| missing(name, directories, advice))
}

/// Names a `gh` that this process tries: the id stays the same in what it becomes.
fn tried(path: &Path) -> String {
    format!("{}:{}", std::process::id(), path.display())
}
