//! The variables in which `exec` and `gh` pass a token to a program: those for exactly one host.

use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::token::{self, Secret};

use crate::Context;
use crate::config::{Surroundings, variable};
use crate::program::{Variable, with_token};

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
            // gh takes these for every other host.
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
        let tokens = tokens.chain([&"GIT_TOKEN"]).map(|name| with_token(name, token));
        let host = self.host.map(|(name, host)| (name.to_owned(), Some(host.into())));
        tokens.chain(host).collect()
    }
}

/// Whether a host is github.com or a tenant of it.
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
