//! Becoming another program: what `exec` and `gh` share. The variables it takes a token from are
//! those for exactly one host. The exit code is the program's own, or one of three that no program
//! should have, as with `env` and `timeout`.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Error, Result, anyhow};
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::token::{self, Secret};

use crate::Context;
use crate::config::{Surroundings, variable};
use crate::messages::Messages;
use crate::program::{self, Obstacle, Start, Variable};

const NO_TOKEN: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Where programs look for the token of a host, and which host that is.
///
/// <https://cli.github.com/manual/gh_help_environment>
/// <https://docs.gitlab.com/cli/#environment-variables>
pub(super) struct Variables {
    tokens: &'static [&'static str],
    /// Without it gh and glab would take the token for that of github.com or gitlab.com.
    host: Option<(&'static str, String)>,
    /// The variable of gh's own that holds a user's long-lived token, which stays as it is.
    pub kept: Option<&'static str>,
}

impl Variables {
    pub(super) fn of(context: &Context<'_>, surroundings: &Surroundings, host: &Host) -> Self {
        let name = gh_name(host);
        if context.settings.kind(host) == Kind::GitLab {
            let host = (name != "gitlab.com").then_some(("GITLAB_HOST", name));
            return Self { tokens: &["GITLAB_TOKEN"], host, kept: None };
        }
        let tokens = match is_githubs_own(&name) {
            true => &["GH_TOKEN", "GITHUB_TOKEN"],
            // For every other host that gh talks to.
            false => &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"],
        };
        let own = surroundings.tokens.iter().find(|(name, _)| *name == tokens[0]);
        let kept = own.filter(|(_, token)| token.kind() == token::Kind::PersonalAccess);
        let is_needed = name != "github.com" || variable("GH_HOST").is_some();
        let host = is_needed.then_some(("GH_HOST", name));
        Self { tokens, host, kept: kept.map(|(name, _)| *name) }
    }

    /// What to set for a program. `GIT_TOKEN` is for whatever git asks.
    pub(super) fn with(self, token: &Secret) -> Vec<Variable> {
        let tokens = self.tokens.iter().filter(|name| self.kept != Some(**name));
        let tokens = tokens.chain([&"GIT_TOKEN"]).map(|name| program::with_token(name, token));
        let host = self.host.map(|(name, host)| (name.to_owned(), Some(host.into())));
        tokens.chain(host).collect()
    }
}

/// Whether that is github.com or a tenant of it.
pub(super) fn is_githubs_own(name: &str) -> bool {
    name == "github.com" || name.ends_with(".ghe.com")
}

/// How gh calls a host: without scheme, and github.com for what belongs to it.
pub(super) fn gh_name(host: &Host) -> String {
    if host.name().ends_with(".github.com") {
        return "github.com".to_owned();
    }
    let shown = host.to_string();
    shown.split_once("://").map_or(shown.clone(), |(_, name)| name.to_owned())
}

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

    fn because_of(obstacle: Obstacle, why: Error) -> Self {
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

/// The first of the programs of that name; `advice` says how to have one.
pub(super) fn first(
    name: &OsStr,
    found: Result<Vec<PathBuf>, Obstacle>,
    advice: &str,
) -> Result<PathBuf, NotRun> {
    let first = found.and_then(|paths| paths.into_iter().next().ok_or(Obstacle::NotFound));
    first.map_err(|obstacle| {
        let why = match obstacle {
            Obstacle::NotFound => anyhow!("no {name:?} on PATH{advice}"),
            Obstacle::NotExecutable => {
                anyhow!("the {name:?} on PATH is no program; check its mode")
            }
        };
        NotRun::because_of(obstacle, why)
    })
}

/// Never returns if all is well.
pub(super) fn replace_by(messages: &Messages, start: Start<'_>) -> Result<()> {
    let path = start.program;
    messages.trace(format_args!("becoming {path:?}"));
    let error = program::replace_by(start);
    let hint = match (Obstacle::of(&error), path.is_file()) {
        (Obstacle::NotFound, true) => "; its first line names an interpreter that is not there",
        (Obstacle::NotFound, false) => "; check the path",
        (Obstacle::NotExecutable, _) => "; check its mode and that it is a program",
    };
    let why = anyhow!("cannot run {path:?}: {error}{hint}");
    Err(NotRun::because_of(Obstacle::of(&error), why).into())
}
