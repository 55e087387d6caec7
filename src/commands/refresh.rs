//! `refresh`: has the worker asked now, whatever is cached or on record, and says what came of it.

use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::policy::{Demand, outlook};
use git_credential_gastown::protocol::Report;
use git_credential_gastown::time::{Timestamp, spoken};
use git_credential_gastown::token::Entry;
use serde_json::{Value, json};

use super::write_answer;
use crate::Context;
use crate::audit::{Subject, Verdict};
use crate::caller::Caller;
use crate::clock;
use crate::config::Setting;
use crate::credential::cached_entry;
use crate::look::{Lookup, Outcome};

/// A renewed entry, and whether this very process got it from the worker.
struct Renewed {
    before: Option<Entry>,
    entry: Entry,
    is_new: bool,
}

pub(super) fn run(context: &Context<'_>, url: Option<&str>, as_json: bool) -> Result<ExitCode> {
    context.warn_of_settings();
    let host = context.meant_host(url)?;
    let outcome = renew(context, &host);
    match &outcome {
        Ok(Renewed { entry, is_new, .. }) => {
            let source = Some(if *is_new { "worker" } else { "cache" });
            let first_seen = Some(entry.first_seen);
            let subject = Subject { token: &entry.token, source, first_seen };
            context.log("refresh", &host, Verdict::Answered, Some(subject));
        }
        Err(failure) => context.log("refresh", &host, Verdict::Failed(failure.name), None),
    }
    context.cache.sweep(clock::now());
    if as_json {
        write_answer(format!("{}\n", object(context, &host, &outcome)).as_bytes())?;
    }
    let renewed = outcome?;
    if !as_json {
        write_answer(told(context, &renewed).as_bytes())?;
    }
    hint_at_first_token(context);
    Ok(ExitCode::SUCCESS)
}

/// What is not known is null; of a failure, all that is about the token.
fn object(context: &Context<'_>, host: &Host, outcome: &Result<Renewed, Failure>) -> Value {
    let renewed = outcome.as_ref().ok();
    let outlook = renewed.map(|renewed| outlook(&renewed.entry, &context.policy));
    let moment = |moment: Option<Timestamp>| moment.and_then(Timestamp::to_rfc3339);
    let failure = outcome.as_ref().err();
    json!({
        "version": 1,
        "host": host.to_string(),
        "token_hash": renewed.map(|renewed| renewed.entry.token.hash().prefix().to_owned()),
        "is_same_token": renewed.map(Renewed::is_same),
        "expires": moment(renewed.and_then(|renewed| renewed.entry.expires)),
        "lives_until": moment(outlook.as_ref().map(|outlook| outlook.least)),
        "dies_by": moment(outlook.and_then(|outlook| outlook.most)),
        "error": failure.map(|failure| failure.name.as_str()),
        "what": failure.map(|failure| context.messages.clean(&failure.what)),
        "advice": failure.map(|failure| context.messages.clean(&failure.advice)),
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
    match (Lookup { context, place, host, report, caller, demand }).token() {
        Outcome::Fresh(entry) => Ok(Renewed { before, entry, is_new: true }),
        Outcome::Serve { entry, warning } => {
            warning.iter().for_each(|warning| context.messages.warning(warning));
            Ok(Renewed { before, entry, is_new: false })
        }
        Outcome::Fail { failure, .. } => Err(failure),
    }
}

impl Renewed {
    fn is_same(&self) -> bool {
        let hash = self.entry.token.hash();
        self.before.as_ref().is_some_and(|before| before.token.hash() == hash)
    }
}

fn told(context: &Context<'_>, renewed: &Renewed) -> String {
    let Renewed { entry, is_new, .. } = renewed;
    let what = match (renewed.is_same(), is_new) {
        (true, _) => "the worker gave the same token again",
        (false, true) => "renewed",
        (false, false) => "renewed, by another process",
    };
    let life = spoken(outlook(entry, &context.policy).least.since(clock::now()));
    format!("{what}: token {}, good for at least {life}\n", entry.token.hash().prefix())
}

fn hint_at_first_token(context: &Context<'_>) {
    let mut first_tokens = context.settings.first_tokens();
    if let Some(first) = first_tokens.find(|it| matches!(it.token, Setting::Set { .. })) {
        context.messages.hint(format_args!("{} is set, and answers before it", first.name));
    }
}
