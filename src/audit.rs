//! The audit log: a line of JSON for each call that a token was asked for or refused in. Each is one
//! appending write, so that any number of processes share the file. Knows tokens by their hash only.

use std::io::{self, Error, Write as _};
use std::path::Path;

use git_credential_gastown::failure::{Failure, Name};
use git_credential_gastown::host::{Host, Id};
use git_credential_gastown::token::Secret;
use serde::Serialize;

use crate::Context;
use crate::clock;
use crate::config::variable;
use crate::credential::Credential;
use crate::messages::open_log;

pub(crate) enum Event<'a> {
    Answered(&'a Credential),
    Failed(Name),
    /// A refusal, and whether it is on record from here on.
    Refused {
        token: &'a Secret,
        source: Option<&'static str>,
        is_noted: bool,
    },
}

impl<'a> From<&'a Result<Credential, Failure>> for Event<'a> {
    fn from(outcome: &'a Result<Credential, Failure>) -> Self {
        match outcome {
            Ok(credential) => Self::Answered(credential),
            Err(failure) => Self::Failed(failure.name),
        }
    }
}

impl Context<'_> {
    /// A log that cannot be written never costs the answer. People are warned each time; git, which
    /// runs us many times an hour, only with each new token. The trace always has it.
    pub(crate) fn log<'a>(&self, operation: &str, host: &Host, event: impl Into<Event<'a>>) {
        let Some(path) = &self.settings.audit_log else { return };
        let now = clock::now();
        let (mut error, mut source, mut subject, mut first_seen) = (None, None, None, None);
        let outcome = match event.into() {
            Event::Answered(credential) => {
                (source, subject) = (Some(credential.source), Some(&credential.token));
                first_seen = credential.first_seen;
                "answered"
            }
            Event::Failed(name) => {
                error = Some(name);
                "failed"
            }
            Event::Refused { token, source: from, is_noted } => {
                (source, subject) = (from, Some(token));
                if is_noted { "noted" } else { "ignored" }
            }
        };
        let line = Line {
            time: now.to_rfc3339(),
            pid: std::process::id(),
            agent: variable("GASTOWN_AGENT_ID").map(|id| self.messages.clean(&id)),
            town: self.settings.town.value().map(Id::as_str),
            rig: self.settings.rig.value().map(Id::as_str),
            host: host.to_string(),
            operation,
            outcome,
            error,
            source,
            token_hash: subject.map(|token| token.hash().prefix()),
            hashed_token: subject.map(Secret::audit_hash),
            age: first_seen.map(|first_seen| now.since(first_seen).as_secs()),
            ms: self.clock.running().as_millis(),
        };
        let Err(error) = append(path, &line) else { return };
        let is_for_git = matches!(operation, "get" | "erase");
        if is_for_git && line.source != Some("worker") {
            self.messages.trace(format_args!("audit log {path:?}: {error}"));
        } else {
            self.messages.warning(format_args!(
                "the audit log {path:?} lacks a line: {error}; name a file of this user in \
                 GASTOWN_AUDIT_LOG, or unset it"
            ));
        }
    }
}

/// One call. The order is that of the line; what is not known is null.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339, in UTC.
    time: Option<String>,
    pid: u32,
    agent: Option<String>,
    town: Option<&'a str>,
    rig: Option<&'a str>,
    host: String,
    operation: &'a str,
    outcome: &'a str,
    /// The stable name of the error.
    error: Option<Name>,
    source: Option<&'a str>,
    /// As in the status, the trace and the messages.
    token_hash: Option<&'a str>,
    /// As in GitHub's audit log.
    hashed_token: Option<String>,
    /// For how many seconds this machine has known the token.
    age: Option<u64>,
    /// How long the call took, in milliseconds.
    ms: u128,
}

fn append(path: &Path, line: &Line<'_>) -> io::Result<()> {
    let mut file = open_log(path)?;
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    // A second write might land behind another process's line.
    match file.write(&bytes)? {
        written if written == bytes.len() => Ok(()),
        _ => Err(Error::other("only a part was written")),
    }
}
