//! `refresh`: has the worker asked now, whatever is cached or on record, and says what came of it.

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::policy::{Demand, Outlook, outlook};
use git_credential_gastown::protocol::Report;
use git_credential_gastown::time::spoken;
use git_credential_gastown::token::Entry;
use serde_json::{Value, json};

use crate::Context;
use crate::audit::{Subject, Verdict};
use crate::caller::Caller;
use crate::clock;
use crate::config::Setting;
use crate::credential::cached_entry;
use crate::look::{Lookup, Outcome};
use crate::stdio::{Text, moment, write_object};

/// What the worker gave.
struct Renewed {
    entry: Entry,
    outlook: Outlook,
    /// Whether it gave it to this very process.
    is_new: bool,
    /// Whether it is the token that was cached before.
    is_same: bool,
}

pub(super) fn run(context: &Context<'_>, as_json: bool) -> Result<()> {
    let host = match context.meant_host() {
        Ok(host) => host,
        Err(failure) => {
            let outcome = Err(failure);
            if as_json {
                write_object(context.messages, object(None, &outcome))?;
            }
            return outcome.map(drop).map_err(Into::into);
        }
    };
    let outcome = renew(context, &host);
    let (verdict, subject) = match &outcome {
        Ok(Renewed { entry, is_new, .. }) => {
            let source = Some(if *is_new { "worker" } else { "cache" });
            let first_seen = Some(entry.first_seen);
            (Verdict::Answered, Some(Subject { token: &entry.token, source, first_seen }))
        }
        Err(failure) => (Verdict::Failed(failure.name), None),
    };
    context.log("refresh", &host, verdict, subject);
    context.cache.sweep(clock::now());
    if as_json {
        write_object(context.messages, object(Some(&host), &outcome))?;
    }
    let Renewed { entry, outlook, is_new, is_same } = outcome?;
    if !as_json {
        let what = match (is_same, is_new) {
            (true, _) => "the worker gave the same token again",
            (false, true) => "renewed",
            (false, false) => "renewed, by another process",
        };
        let (hash, life) = (entry.token.hash(), spoken(outlook.least.since(clock::now())));
        let mut text = Text::new(context.messages);
        text.line(format_args!("{what}: token {}, good for at least {life}", hash.prefix()));
        text.write()?;
    }
    let mut first_tokens = context.settings.first_tokens();
    if let Some(first) = first_tokens.find(|it| matches!(it.token, Setting::Set { .. })) {
        context.messages.hint(format_args!("{} is set, and answers before it", first.name));
    }
    Ok(())
}

/// What is not known is null; of a failure, all that is about the token.
fn object(host: Option<&Host>, outcome: &Result<Renewed, Failure>) -> Value {
    let (renewed, failure) = (outcome.as_ref().ok(), outcome.as_ref().err());
    json!({
        "version": 1,
        "host": host.map(Host::to_string),
        "token_hash": renewed.map(|it| it.entry.token.hash().prefix()),
        "is_same_token": renewed.map(|it| it.is_same),
        "expires": moment(renewed.and_then(|it| it.entry.expires)),
        "lives_until": moment(renewed.map(|it| it.outlook.least)),
        "dies_by": moment(renewed.and_then(|it| it.outlook.most)),
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
    let demand =
        Demand { newer_than: Some(clock::now()), respects_failures: false, ..Demand::default() };
    let (report, caller) = (&Report::NOTHING, &Caller::by_hand());
    let (entry, is_new) = match (Lookup { context, place, host, report, caller, demand }).token() {
        Outcome::Fresh(entry) => (entry, true),
        Outcome::Serve { entry, warning } => {
            warning.iter().for_each(|warning| context.messages.warning(warning));
            (entry, false)
        }
        Outcome::Fail { failure, .. } => return Err(failure),
    };
    let is_same = before.is_some_and(|before| before.token.hash() == entry.token.hash());
    Ok(Renewed { outlook: outlook(&entry, &context.policy), entry, is_new, is_same })
}
