//! `erase`: takes note that a server refused a token. Compares before it forgets: a hundred
//! parallel fetches each erase the old token after one of them has renewed it, and none of them
//! may cost the new one. Waits for no lock and no network.

use std::process::ExitCode;

use git_credential_gastown::failure::Name;
use git_credential_gastown::healing::Handed;
use git_credential_gastown::host::Host;
use git_credential_gastown::policy::{is_within, refused_again};
use git_credential_gastown::protocol::Request;
use git_credential_gastown::token::{Entry, Rejection, Secret};

use super::Context;
use super::ledger::{Outcome, Subject};
use crate::clock;

pub(super) fn run(context: &Context<'_>) -> ExitCode {
    if let Some((request, host)) = context.request()
        && let Some(token) = request.rejected_secret()
    {
        context.messages.remember(&token);
        erase(context, &request, &host, &token);
    }
    ExitCode::SUCCESS
}

/// Where a refused token came from.
enum Source {
    /// Is it so young that a refusal may be replication lag?
    Cache {
        is_young: bool,
    },
    /// The cache, before the token there now.
    Predecessor,
    Setting(&'static str),
    /// Not from here, and yet an installation token.
    Elsewhere,
    Unknown,
}

impl Source {
    fn name(&self) -> Option<&'static str> {
        match self {
            Self::Cache { .. } | Self::Predecessor => Some("cache"),
            Self::Setting(name) => Some(name),
            Self::Elsewhere | Self::Unknown => None,
        }
    }
}

fn erase(context: &Context<'_>, request: &Request, host: &Host, token: &Secret) {
    let (messages, rejected) = (context.messages, Name::TokenRejected);
    let source = source_of(context, host, token);
    take_note(context, host, &source, token);
    let handed = Handed::of(request);
    match source {
        Source::Cache { .. } | Source::Predecessor
            if handed.as_ref().is_some_and(|it| it.is_second) =>
        {
            messages.hint(format_args!(
                "{host} rejected the second token of this command, too: run the command again in \
                 a minute [{rejected}]"
            ));
        }
        // git will ask again within the same command.
        Source::Cache { .. } | Source::Predecessor if handed.is_some() || request.keeps_state() => {
        }
        Source::Cache { is_young: true } => messages.hint(format_args!(
            "{host} rejected the token, which is so new that it may not be known there yet: run \
             the command again [{rejected}]"
        )),
        Source::Cache { is_young: false } => messages.hint(format_args!(
            "{host} rejected the token; a fresh one will be fetched: run the command again; if it \
             fails like this once more, run: git credential-gastown doctor [{rejected}]"
        )),
        Source::Predecessor => messages.hint(format_args!(
            "{host} rejected a token that has since been replaced: run the command again; if it \
             fails like this once more, it is in the remote's URL; run in this repository: git \
             credential-gastown setup --migrate . [{}]",
            Name::EmbeddedToken
        )),
        Source::Setting(name) => messages.warning(format_args!(
            "{host} rejected {name}; replace it, or unset it to use the worker's token [{rejected}]"
        )),
        Source::Elsewhere => warn_embedded(context, host),
        Source::Unknown => {
            messages.trace(format_args!("erase: {} is not ours", token.hash().prefix()));
        }
    }
}

/// Only a token that may be handed out again is worth a record.
fn take_note(context: &Context<'_>, host: &Host, source: &Source, token: &Secret) {
    let is_noted = matches!(source, Source::Cache { .. } | Source::Setting(_));
    if is_noted {
        context.note_rejection(token);
    }
    let outcome = if is_noted { Outcome::Noted } else { Outcome::Ignored };
    let subject = Subject { token, source: source.name(), first_seen: None };
    context.log("erase", host, outcome, Some(subject));
}

fn source_of(context: &Context<'_>, host: &Host, token: &Secret) -> Source {
    let entry = context.cached_entry(host);
    let hash = token.hash();
    match (&entry, context.settings.static_name(token)) {
        (Some(entry), _) if entry.token.hash() == hash => Source::Cache {
            is_young: is_within(context.policy.lag, entry.first_seen, clock::now()),
        },
        (Some(entry), _) if entry.predecessors.contains(&hash) => Source::Predecessor,
        // A snapshot is only ever handed out where the worker has given nothing.
        (Some(_), _) if token.is_installation_token() => Source::Elsewhere,
        (_, Some(name)) => Source::Setting(name),
        _ if token.is_installation_token() => Source::Elsewhere,
        _ => Source::Unknown,
    }
}

/// git uses a token in the remote's URL without asking any helper, and a helper like `store`
/// answers with what it once saw.
fn warn_embedded(context: &Context<'_>, host: &Host) {
    context.messages.warning(format_args!(
        "{host} rejected a token that did not come from here: it is in the remote's URL or in \
         another credential helper; run in this repository: git credential-gastown setup --migrate \
         . [{}]",
        Name::EmbeddedToken
    ));
}

impl Context<'_> {
    fn cached_entry(&self, host: &Host) -> Option<Entry> {
        let key = self.settings.place().ok()?.key(host);
        self.cache.entry(&key).record
    }

    /// Puts a refusal on record, for every process of the machine.
    pub(super) fn note_rejection(&self, token: &Secret) -> Rejection {
        let hash = token.hash();
        let before = self.cache.rejection(&hash).unwrap_or_else(|| Rejection::none(hash));
        let after = refused_again(before.clone(), clock::now(), &self.policy);
        if after != before
            && let Err(reason) = self.cache.keep_rejection(&after)
        {
            self.messages.warning(format_args!("{reason:#} [{}]", Name::CacheUnusable));
        }
        self.messages.trace(format_args!(
            "rejected: {}, {} time(s) so far",
            after.hash.prefix(),
            after.count
        ));
        after
    }
}
