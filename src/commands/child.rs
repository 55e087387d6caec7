//! Becoming another program: what `exec` and `gh` share. The variables it takes a token from are
//! those for exactly one host. The exit code is the program's own, or one of three that no program
//! should have, as with `env` and `timeout`.

use std::ffi::OsStr;
use std::fmt;
use std::process::ExitCode;

use anyhow::{Error, Result, anyhow};
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::token;

use crate::Context;
use crate::config::agent;
use crate::messages::Messages;
use crate::program::{self, Obstacle, Start};

const NO_TOKEN: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// For github.com and its tenants.
pub(super) const GITHUB: [&str; 2] = ["GH_TOKEN", "GITHUB_TOKEN"];
/// For every other host that gh talks to.
pub(super) const ENTERPRISE: [&str; 2] = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];
/// For whatever git asks.
pub(super) const GIT: &str = "GIT_TOKEN";

/// Where programs look for the token of a host, and which host that is.
///
/// <https://cli.github.com/manual/gh_help_environment>
/// <https://docs.gitlab.com/cli/#environment-variables>
pub(super) struct Variables {
    pub tokens: &'static [&'static str],
    /// Without it gh and glab would take the token for that of github.com or gitlab.com.
    pub host: Option<(&'static str, String)>,
}

impl Variables {
    pub(super) fn of(context: &Context<'_>, host: &Host) -> Self {
        let name = gh_name(host);
        if context.settings.kind(host) == Kind::GitLab {
            let host = (name != "gitlab.com").then_some(("GITLAB_HOST", name));
            return Self { tokens: &["GITLAB_TOKEN"], host };
        }
        let is_needed = name != "github.com" || agent::gh_host().is_some();
        let tokens: &[_] =
            if name == "github.com" || name.ends_with(".ghe.com") { &GITHUB } else { &ENTERPRISE };
        Self { tokens, host: is_needed.then_some(("GH_HOST", name)) }
    }

    /// Whether gh takes the token for any host that it is told to talk to.
    pub(super) fn are_for_any_host(&self) -> bool {
        self.tokens == ENTERPRISE
    }

    /// The variable of gh's own that holds a user's long-lived token, which stays as it is.
    pub(super) fn kept(&self) -> Option<&'static str> {
        let is_long_lived = |name: &&&str| {
            let token = agent::token(name);
            token.is_some_and(|token| token.kind() == token::Kind::PersonalAccess)
        };
        self.tokens.iter().filter(|name| name.starts_with("GH_")).find(is_long_lived).copied()
    }

    /// What to set for a program.
    pub(super) fn with<'a>(&'a self, token: &'a OsStr) -> Vec<(&'a str, Option<&'a OsStr>)> {
        let kept = self.kept();
        let tokens = self.tokens.iter().filter(|name| kept != Some(**name));
        let host = self.host.iter().map(|(name, host)| (*name, Some(OsStr::new(host))));
        let tokens = tokens.copied().chain([GIT]).map(|name| (name, Some(token)));
        tokens.chain(host).collect()
    }
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
pub(super) fn replace_by(messages: &Messages, start: Start<'_>) -> Result<ExitCode> {
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
