//! Where a credential comes from, in order: a long-lived token that somebody set on purpose, the
//! cache and the worker, and at last a snapshot from the environment. Keeps the chain of what was
//! tried, because an error tells it.

use std::fmt;

use git_credential_gastown::failure::{Failure, Name};
use git_credential_gastown::healing::Report;
use git_credential_gastown::host::Host;
use git_credential_gastown::policy::is_within;
use git_credential_gastown::protocol::TOKEN_USER;
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::{Secret, TokenHash};

use super::Context;
use super::flight::{Flight, NotObtained, Obtained};
use crate::clock;
use crate::config::{Setting, StaticToken};

/// The user name that GitLab expects beside a token.
const GITLAB_USER: &str = "oauth2";

/// A credential, ready to be handed out.
#[derive(Debug)]
pub(super) struct Supply {
    pub username: &'static str,
    pub token: Secret,
    pub expires: Option<Timestamp>,
    /// When it was first handed to this machine, if that is known.
    pub first_seen: Option<Timestamp>,
    /// `worker`, `cache`, or the name of a setting.
    pub source: &'static str,
    /// Whether there may be another one if this is refused.
    pub may_heal: bool,
}

impl Supply {
    fn configured(username: &'static str, token: Secret, source: &'static str) -> Self {
        Self { username, token, expires: None, first_seen: None, source, may_heal: true }
    }
}

/// That no source has a token: the failure that matters most, and all that was tried.
#[derive(Debug)]
pub(super) struct Exhausted {
    failure: Failure,
    tried: Vec<String>,
}

impl Exhausted {
    pub(super) fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; tried: {}", self.failure, self.tried.join(", "))
    }
}

impl std::error::Error for Exhausted {}

/// Finds a credential for a host that is ours.
///
/// # Errors
/// If no source has one.
pub(super) fn supply(
    context: &Context<'_>,
    host: &Host,
    report: &Report,
) -> Result<Supply, Exhausted> {
    if let Some(gitlab) = context.settings.gitlab.as_ref().filter(|gitlab| gitlab.host == *host) {
        let (token, source) = (gitlab.token.clone(), "GITLAB_TOKEN");
        let supply = Supply { may_heal: false, ..Supply::configured(GITLAB_USER, token, source) };
        return Ok(supply);
    }
    let mut tried = Vec::new();
    for candidate in context.settings.first_tokens() {
        if let Some(supply) = offer(context, candidate, report, None, &mut tried) {
            return Ok(supply);
        }
    }
    let (failure, dead) = match from_worker(context, host, report, &mut tried) {
        Ok(supply) => return Ok(supply),
        Err(NotObtained { failure, dead, .. }) => (failure, dead),
    };
    for candidate in context.settings.last_tokens() {
        if let Some(supply) = offer(context, candidate, report, dead.as_ref(), &mut tried) {
            context.messages.warning(format_args!(
                "{failure}; using {} from the environment, which may be dead",
                candidate.name
            ));
            return Ok(supply);
        }
    }
    Err(Exhausted { failure, tried })
}

fn from_worker(
    context: &Context<'_>,
    host: &Host,
    report: &Report,
    tried: &mut Vec<String>,
) -> Result<Supply, NotObtained> {
    let place = context.settings.place().map_err(|failure| {
        tried.push(format!("worker ({})", failure.brief));
        NotObtained { failure, dead: None, cached: None }
    })?;
    let rig = &context.settings.rig;
    context.messages.trace(format_args!("place: {}, rig {rig}", place.api));
    match Flight::new(context, place, host, report).obtain() {
        Ok(Obtained { entry, is_new }) => Ok(Supply {
            username: TOKEN_USER,
            token: entry.token,
            expires: entry.expires,
            first_seen: Some(entry.first_seen),
            source: if is_new { "worker" } else { "cache" },
            may_heal: true,
        }),
        Err(lack) => {
            tried.extend(lack.cached.iter().map(|cached| format!("cache ({cached})")));
            tried.push(format!("worker ({})", lack.failure.brief));
            Err(lack)
        }
    }
}

/// A configured token, unless it is known to be refused. `dead` is one that is known to be dead
/// by its age.
fn offer(
    context: &Context<'_>,
    candidate: &StaticToken,
    report: &Report,
    dead: Option<&TokenHash>,
    tried: &mut Vec<String>,
) -> Option<Supply> {
    let source = candidate.name;
    let mut pass = |why: &str| {
        tried.push(format!("{source} ({why})"));
        None
    };
    let token = match &candidate.token {
        Setting::Set { value, .. } => value,
        Setting::Unset => return pass("unset"),
        Setting::Wrong { why, .. } => return pass(why),
    };
    if dead == Some(&token.hash()) {
        return pass("known dead");
    }
    if report.refuses(token) {
        context.note_rejection(token);
    }
    if was_rejected(context, token) {
        context.messages.warning(format_args!(
            "{source} is not used: it was rejected; replace or unset it [{}]",
            Name::TokenRejected
        ));
        return pass("rejected");
    }
    Some(Supply::configured(TOKEN_USER, token.clone(), source))
}

/// A refusal counts against a configured token for as long as other tokens live; then it gets
/// another chance, because nothing else would ever tell that it works again.
fn was_rejected(context: &Context<'_>, token: &Secret) -> bool {
    let rejection = context.cache.rejection(&token.hash());
    rejection.is_some_and(|rejection| {
        rejection.count > 0
            && is_within(context.policy.longest_life, rejection.last_at, clock::now())
    })
}
