//! `erase` and `store`: record that a host refused or accepted a token. A refusal is compared first:
//! a hundred parallel fetches each erase the old token after one of them has renewed it, and the new
//! one must not suffer. Neither keeps a token, takes a lock or makes a call.

use anyhow::Result;
use git_credential_gastown::failure::Name;
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::policy::{Action, Facts, LAG, decide, is_within};
use git_credential_gastown::protocol::{Handed, Request};
use git_credential_gastown::time::spoken;
use git_credential_gastown::token::{Entry, Secret};

use crate::Context;
use crate::audit::Event;
use crate::cache::host_key;
use crate::caller::Caller;
use crate::cli::Flags;
use crate::clock;
use crate::credential::{cached_entry, note_acceptance, note_refusal};
use crate::messages::Messages;
use crate::stdio::read_request;

/// Clears the refusals on record.
pub(super) fn store(flags: &Flags, messages: &Messages) -> Result<()> {
    let Some(request) = read_request(messages)? else { return Ok(()) };
    if Handed::of(&request).is_some_and(|handed| handed.is_second) {
        messages.trace(format_args!("healed: the second token of this command was accepted"));
    }
    let Some(token) = request.secret() else { return Ok(()) };
    messages.remember(&token);
    let context = Context::for_git(flags, messages);
    if let Some(host) = context.served_host(&request) {
        note_acceptance(&context, &host, &token);
    }
    Ok(())
}

pub(super) fn run(flags: &Flags, messages: &Messages) -> Result<()> {
    let Some(request) = read_request(messages)? else { return Ok(()) };
    let context = Context::for_git(flags, messages);
    if let Some(host) = context.served_host(&request)
        && let Some(token) = request.secret()
    {
        messages.remember(&token);
        erase(&context, &request, &host, &token);
        context.cache.sweep(clock::now());
    }
    Ok(())
}

/// Where a refused token came from.
enum Source<'a> {
    Cache(&'a Entry),
    /// The cache, before the token there now.
    Predecessor,
    Setting(&'static str),
    /// Not from here, but an installation token.
    Elsewhere,
    Unknown,
}

impl Source<'_> {
    fn name(&self) -> Option<&'static str> {
        match self {
            Self::Cache(_) | Self::Predecessor => Some("cache"),
            Self::Setting(name) => Some(name),
            Self::Elsewhere | Self::Unknown => None,
        }
    }
}

fn erase(context: &Context<'_>, request: &Request, host: &Host, token: &Secret) {
    let kind = context.settings.kind(host);
    let entry = cached_entry(context).filter(|_| kind == Kind::GitHub);
    let is_cached = entry.as_ref().filter(|entry| entry.token.hash() == token.hash());
    let is_replaced = entry.as_ref().is_some_and(|entry| entry.predecessors.contains(token.hash()));
    let source = match (is_cached, context.settings.static_name(token, kind)) {
        (Some(entry), _) => Source::Cache(entry),
        (None, Some(name)) if was_given(context, request, host, token) => Source::Setting(name),
        (None, _) if is_replaced => Source::Predecessor,
        (None, _) if token.is_installation_token() => Source::Elsewhere,
        (None, Some(name)) => Source::Setting(name),
        (None, None) => Source::Unknown,
    };
    // Only a token that may be handed out again is worth a record.
    let is_noted = matches!(source, Source::Cache(_) | Source::Setting(_));
    let caller = Caller::of(request);
    if is_noted {
        note_refusal(context, host, token, caller.git_lfs());
    }
    context.log("erase", host, Event::Refused { token, source: source.name(), is_noted });
    tell(context, request, &caller, host, token, &source);
}

/// A snapshot may also stand in the remote's URL, where git finds it without us. It came from here
/// if the client returns our state, or if it is on record that it was given out.
fn was_given(context: &Context<'_>, request: &Request, host: &Host, token: &Secret) -> bool {
    let record = || context.cache.read(&host_key(token, host));
    Handed::of(request).is_some_and(|handed| handed.is(token))
        || record().is_some_and(|record| record.given_at.is_some())
}

/// Whether the worker will be asked when git next asks for this host.
fn is_worker_next(context: &Context<'_>, host: &Host, entry: &Entry) -> bool {
    let record = context.cache.read(&host_key(&entry.token, host));
    let facts = Facts { at_host: record.as_ref(), ..Facts::about(Some(entry), clock::now()) };
    matches!(decide(&facts).action, Action::Renew(_))
}

fn tell(
    context: &Context<'_>,
    request: &Request,
    caller: &Caller,
    host: &Host,
    token: &Secret,
    source: &Source<'_>,
) {
    let (messages, rejected, now) = (context.messages, Name::TokenRejected, clock::now());
    let doctor = "git credential-gastown doctor";
    let may_be = "it may be revoked, or this repository may refuse it; to tell which, run";
    let migrate = format!("git credential-gastown setup --migrate . [{}]", Name::EmbeddedToken);
    let is_young = |entry: &Entry| {
        let record = context.cache.read(&host_key(&entry.token, host)).unwrap_or_default();
        is_within(LAG, entry.first_seen, now) && record.refusals <= 1
    };
    let hint = match source {
        Source::Cache(_) if Handed::of(request).is_some_and(|handed| handed.is_second) => {
            format!("a token for the second time in this command: {may_be}: {doctor} [{rejected}]")
        }
        // git will ask again within the same command.
        Source::Cache(_) | Source::Predecessor if request.keeps_state() => return,
        Source::Cache(entry) if !is_young(entry) && !is_worker_next(context, host, entry) => {
            let ago = spoken(now.since(entry.confirmed_at));
            format!(
                "the token: {may_be}: {doctor}; the worker, which handed it out {ago} ago, is not \
                 asked again so soon; to ask it now, run: git credential-gastown refresh [{rejected}]"
            )
        }
        // It gets another token then, or this one once the host knows it.
        Source::Cache(_) | Source::Predecessor if caller.asks_again() => return,
        Source::Cache(entry) if is_young(entry) => format!(
            "the token, which is so new that it may not be known there yet: run the command again \
             [{rejected}]"
        ),
        Source::Cache(_) => format!(
            "the token; the worker will be asked for another: run the command again; if it fails \
             like this once more, run: {doctor} [{rejected}]"
        ),
        Source::Predecessor => format!(
            "a token that has since been replaced: run the command again; if it fails like this \
             once more, it is in the remote's URL; run in this repository: {migrate}"
        ),
        Source::Setting(name) => {
            let has_worker = context.settings.kind(host) == Kind::GitHub;
            let has_worker = has_worker && context.settings.place().is_ok();
            let otherwise =
                if has_worker { ", or remove it to use the worker's token" } else { "" };
            let what = format_args!("{name}; replace it{otherwise} [{rejected}]");
            return messages.warning(format_args!("{host} rejected {what}"));
        }
        // git uses a token in the remote's URL without asking any helper, and `store` answers
        // with what it once saw.
        Source::Elsewhere => {
            return messages.warning(format_args!(
                "{host} rejected a token that did not come from here: it is in the remote's URL or \
                 in another credential helper; run in this repository: {migrate}"
            ));
        }
        Source::Unknown => {
            let hash = token.hash().prefix();
            return messages.trace(format_args!("erase: {hash} is not ours"));
        }
    };
    messages.hint(format_args!("{host} rejected {hint}"));
}
