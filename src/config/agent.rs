//! What the environment says about whoever typed a command, each looked up when it is asked for:
//! git's own asks do without.

use std::env::var_os;
use std::ffi::OsString;

use git_credential_gastown::token::Secret;

/// Tells a `gh` that this process has become before, so that two of them cannot take turns.
pub(crate) const TRIED: &str = "GASTOWN_GH_TRIED";

/// Where programs are looked for.
pub(crate) fn search_path() -> OsString {
    var_os("PATH").unwrap_or_default()
}

/// The host that `gh` is told to talk to.
pub(crate) fn gh_host() -> Option<String> {
    text("GH_HOST")
}

/// The repository that `gh` is told to look at.
pub(crate) fn gh_repository() -> Option<String> {
    text("GH_REPO")
}

/// A token that a program would take from its environment.
pub(crate) fn token(variable: &str) -> Option<Secret> {
    Secret::parse(text(variable)?.trim_ascii().as_bytes())
}

/// The `gh` that was tried, after the id of the process that did.
pub(crate) fn tried() -> Option<String> {
    text(TRIED)
}

/// Who asks, as the audit log names it.
pub(crate) fn id() -> Option<String> {
    text("GASTOWN_AGENT_ID")
}

/// <https://no-color.org>, and terminals that have none.
pub(crate) fn wants_colour() -> bool {
    text("NO_COLOR").is_none() && text("TERM").is_some_and(|terminal| terminal != "dumb")
}

fn text(name: &str) -> Option<String> {
    Some(var_os(name)?.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
}
