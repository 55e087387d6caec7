//! `refresh`: has the worker asked now, whatever is cached or on record, and says what came of it.

use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::healing::Report;
use git_credential_gastown::host::Host;
use git_credential_gastown::policy::outlook;
use git_credential_gastown::time::spoken;
use git_credential_gastown::token::Entry;

use super::flight::{Flight, NotObtained, Obtained};
use super::ledger::{Outcome, Subject};
use super::{Context, write_answer};
use crate::clock;
use crate::config::Setting;

pub(super) fn run(context: &Context<'_>, url: Option<&str>) -> Result<ExitCode> {
    context.warn_of_settings();
    let host = context.meant_host(url)?;
    match renew(context, &host) {
        Ok((before, obtained)) => {
            let Obtained { entry, is_new } = &obtained;
            let source = Some(if *is_new { "worker" } else { "cache" });
            let first_seen = Some(entry.first_seen);
            let subject = Subject { token: &entry.token, source, first_seen };
            context.log("refresh", &host, Outcome::Answered, Some(subject));
            write_answer(told(context, &host, before.as_ref(), &obtained).as_bytes())?;
            hint_at_first_token(context);
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            context.log("refresh", &host, Outcome::Failed(failure.name), None);
            Err(failure.into())
        }
    }
}

fn renew(context: &Context<'_>, host: &Host) -> Result<(Option<Entry>, Obtained), Failure> {
    if !context.settings.hosts.contains(host) {
        let what = format!("the token for {host} is GITLAB_TOKEN, which no worker renews");
        return Err(Failure::new(Name::ConfigMissing, Retry::WhenMended, what, "set a new one"));
    }
    let place = context.settings.place()?;
    let before = context.cache.entry(&place.key(host)).record;
    let flight = Flight::new(context, place, host, &Report::Nothing).wanting_newer();
    let obtained = flight.obtain().map_err(|NotObtained { failure, .. }| failure)?;
    Ok((before, obtained))
}

fn told(
    context: &Context<'_>,
    host: &Host,
    before: Option<&Entry>,
    Obtained { entry, is_new }: &Obtained,
) -> String {
    let is_same = before.is_some_and(|before| before.token.hash() == entry.token.hash());
    let what = match (is_same, is_new) {
        (true, _) => "the worker gave the same token again",
        (false, true) => "renewed",
        (false, false) => "renewed, by another process",
    };
    let life = spoken(outlook(entry, &context.policy).least.since(clock::now()));
    format!("{what}: {host}, token {}, good for at least {life}\n", entry.token.hash().prefix())
}

fn hint_at_first_token(context: &Context<'_>) {
    let mut first_tokens = context.settings.first_tokens();
    if let Some(first) = first_tokens.find(|it| matches!(it.token, Setting::Set { .. })) {
        context.messages.hint(format_args!("{} is set, and answers before it", first.name));
    }
}
