//! `refresh`: has the worker asked now, whatever is cached or on record, and says what came of it.

use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::policy::{Demand, outlook};
use git_credential_gastown::protocol::Report;
use git_credential_gastown::time::spoken;
use git_credential_gastown::token::Entry;

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

pub(super) fn run(context: &Context<'_>, url: Option<&str>) -> Result<ExitCode> {
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
    write_answer(told(context, &outcome?).as_bytes())?;
    hint_at_first_token(context);
    Ok(ExitCode::SUCCESS)
}

fn renew(context: &Context<'_>, host: &Host) -> Result<Renewed, Failure> {
    if context.settings.kind(host) == Kind::GitLab {
        let what = format!("the token for {host} is GITLAB_TOKEN, which no worker renews");
        return Err(Failure::new(Name::ConfigMissing, Retry::WhenMended, what, "set a new one"));
    }
    let place = context.settings.place()?;
    let before = cached_entry(context);
    let demand =
        Demand { newer_than: Some(clock::now()), heeds_failures: false, ..Demand::default() };
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

fn told(context: &Context<'_>, Renewed { before, entry, is_new }: &Renewed) -> String {
    let is_same = before.as_ref().is_some_and(|before| before.token.hash() == entry.token.hash());
    let what = match (is_same, is_new) {
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
