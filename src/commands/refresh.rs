//! `refresh`: has the worker asked now, whatever is cached or on record, and says what came of it.

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::policy::HostRecord;
use git_credential_gastown::time::{Timestamp, spoken};
use git_credential_gastown::token::Entry;
use serde_json::{Value, json};

use crate::Context;
use crate::audit::Event;
use crate::cache::host_key;
use crate::clock;
use crate::credential::{Ask, Credential, cached_entry};
use crate::look::{Lookup, Outcome};
use crate::stdio::{Text, moment, write_object};

/// What the worker gave: to this very process, or to another one a moment ago.
struct Renewed {
    credential: Credential,
    /// Whether it is the token that was cached before.
    is_same: bool,
    /// When the host rejected it, if it did.
    rejected_at: Option<Timestamp>,
}

pub(super) fn run(context: &Context<'_>, as_json: bool) -> Result<()> {
    let Context { messages, settings, .. } = context;
    let host = context.meant_host();
    let outcome = host.clone().and_then(|host| renew(context, &host));
    if let Ok(host) = &host {
        let event = match &outcome {
            Ok(renewed) => Event::Answered(&renewed.credential),
            Err(failure) => Event::Failed(failure.name),
        };
        context.log("refresh", host, event);
        context.cache.sweep(clock::now());
    }
    if as_json {
        write_object(messages, object(host.as_ref().ok(), &outcome))?;
    }
    let Renewed { credential, is_same, rejected_at } = outcome?;
    if !as_json {
        let what = match (is_same, credential.source) {
            (true, _) => "the worker gave the same token again",
            (false, "worker") => "renewed",
            (false, _) => "renewed, by another process",
        };
        let life = match (rejected_at, credential.lives_until) {
            (Some(at), _) => format!(
                "which {} rejected {} ago; if other repositories reject it, too, it is revoked",
                host?,
                spoken(clock::now().since(at))
            ),
            (_, Some(until)) => format!("good for at least {}", spoken(until.since(clock::now()))),
            (_, None) => "long-lived".to_owned(),
        };
        let mut text = Text::new(messages);
        text.line(format_args!("{what}: token {}, {life}", credential.token.hash().prefix()));
        text.write()?;
    }
    let first = settings.first_tokens().find(|first| first.token.value().is_some());
    if let Some(first) = first {
        messages.hint(format_args!("{} is set, and answers before it", first.name));
    }
    Ok(())
}

/// What is not known is null; of a failure, all that is about the token.
fn object(host: Option<&Host>, outcome: &Result<Renewed, Failure>) -> Value {
    let (renewed, failure) = (outcome.as_ref().ok(), outcome.as_ref().err());
    let credential = renewed.map(|renewed| &renewed.credential);
    json!({
        "version": 1,
        "host": host.map(Host::to_string),
        "token_hash": credential.map(|it| it.token.hash().prefix()),
        "is_same_token": renewed.map(|it| it.is_same),
        "rejected_at": moment(renewed.and_then(|it| it.rejected_at)),
        "expires": moment(credential.and_then(|it| it.expires)),
        "lives_until": moment(credential.and_then(|it| it.lives_until)),
        "dies_by": moment(credential.and_then(|it| it.dies_by)),
        "error": failure.map(|it| it.name),
        "what": failure.map(|it| &it.what),
        "advice": failure.map(|it| &it.advice),
    })
}

fn renew(context: &Context<'_>, host: &Host) -> Result<Renewed, Failure> {
    if context.settings.kind(host) == Kind::GitLab {
        let what = format!("the token for {host} is GITLAB_TOKEN, which no worker renews");
        return Err(Failure::new(Name::ConfigMissing, Retry::WhenMended, what, "set a new one"));
    }
    let place = context.settings.place()?;
    let before = cached_entry(context);
    let mut ask = Ask::by_hand(host);
    ask.demand.newer_than = Some(clock::now());
    ask.demand.respects_failures = false;
    let rejected_at = |entry: &Entry| {
        let record = context.cache.read(&host_key(&entry.token, host));
        record.filter(HostRecord::is_refused)?.refused_at
    };
    let (entry, source) = match (Lookup { context, place, ask: &ask }).token() {
        Outcome::Fresh(entry) => (entry, "worker"),
        Outcome::Serve { entry, warning } => {
            // The answer says already that it was rejected.
            let warning = warning.filter(|_| rejected_at(&entry).is_none());
            warning.iter().for_each(|warning| context.messages.warning(warning));
            (entry, "cache")
        }
        Outcome::Fail { failure, .. } => return Err(failure),
    };
    let is_same = before.is_some_and(|before| before.token.hash() == entry.token.hash());
    let rejected_at = rejected_at(&entry);
    let credential = Credential::of_entry(entry, source);
    Ok(Renewed { credential, is_same, rejected_at })
}
