//! What the audit log is told of a call, if there is such a log. A log that cannot be written
//! costs a line of trace, never the answer.

use git_credential_gastown::failure::Name;
use git_credential_gastown::host::{Host, Id};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::Secret;

use super::Context;
use super::supply::{Exhausted, Supply};
use crate::audit::{self, Line};
use crate::clock;
use crate::config::agent;

/// How a call went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    Failed(Name),
    /// A refusal that is on record from here on.
    Noted,
    /// A refusal that changes nothing.
    Ignored,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed(_) => "failed",
            Self::Noted => "noted",
            Self::Ignored => "ignored",
        }
    }
}

/// The token that a call was about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub token: &'a Secret,
    pub source: Option<&'static str>,
    pub first_seen: Option<Timestamp>,
}

impl Context<'_> {
    pub(super) fn log_supply(
        &self,
        operation: &str,
        host: &Host,
        outcome: &Result<Supply, Exhausted>,
    ) {
        match outcome {
            Ok(Supply { token, source, first_seen, .. }) => {
                let (source, first_seen) = (Some(*source), *first_seen);
                let subject = Subject { token, source, first_seen };
                self.log(operation, host, Outcome::Answered, Some(subject));
            }
            Err(exhausted) => {
                self.log(operation, host, Outcome::Failed(exhausted.failure().name), None)
            }
        }
    }

    pub(super) fn log(
        &self,
        operation: &str,
        host: &Host,
        outcome: Outcome,
        subject: Option<Subject<'_>>,
    ) {
        let Some(path) = &self.settings.audit_log else { return };
        let now = clock::now();
        let failed = match outcome {
            Outcome::Failed(name) => Some(name.as_str()),
            _ => None,
        };
        let first_seen = subject.and_then(|subject| subject.first_seen);
        let line = Line {
            time: now.to_rfc3339(),
            pid: std::process::id(),
            agent: agent::id().map(|id| self.messages.clean(&id)),
            town: self.settings.town.value().map(Id::as_str),
            rig: self.settings.rig.value().map(Id::as_str),
            host: host.to_string(),
            operation,
            outcome: outcome.as_str(),
            error: failed,
            source: subject.and_then(|subject| subject.source),
            hashed_token: subject.map(|subject| subject.token.audit_hash()),
            age: first_seen.map(|first_seen| now.since(first_seen).as_secs()),
            ms: self.clock.running().as_millis(),
        };
        if let Err(error) = audit::append(path, &line) {
            self.messages.trace(format_args!("audit log {path:?}: {error}"));
        }
    }
}
