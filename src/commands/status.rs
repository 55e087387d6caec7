//! `status`: what is cached, in what state, and what failed. No network, no lock, nothing written,
//! and no token other than by the beginning of its hash.

use std::fmt::Display;
use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::failure::FailureKey;
use git_credential_gastown::failure::FailureRecord;
use git_credential_gastown::host::{CacheKey, TownKey};
use git_credential_gastown::policy::{
    Decision, Demand, Evidence, Facts, HostRecord, Outlook, decide, outlook,
};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::Entry;
use git_credential_gastown::token::container::{ContainerToken, Source};

use super::{answers_a_terminal, write_answer};
use crate::Context;
use crate::cache::host_key;
use crate::clock;
use crate::config::{Origin, Setting, agent};

mod object;
mod text;

/// All that there is to tell.
struct Status {
    now: Timestamp,
    /// Where the cache is.
    directory: String,
    records: Vec<Record>,
    /// Files that are not used, and why.
    faults: Vec<String>,
    /// What the worker would be asked for here.
    settings: [Shown; 3],
}

/// A setting, with where it comes from.
struct Shown {
    name: &'static str,
    value: Option<String>,
    origin: Option<String>,
    /// All of it, or what is wrong with it.
    text: String,
}

/// What is known for one key.
struct Record {
    key: CacheKey,
    decision: Decision,
    token: Option<Token>,
    failure: Option<FailureRecord>,
    /// When the cached container JWT of the town runs out.
    container_token_expires: Option<Timestamp>,
}

struct Token {
    entry: Entry,
    outlook: Outlook,
    /// The hosts that refused it, with what is on record.
    refusals: Vec<(String, HostRecord)>,
}

pub(super) fn run(context: &Context<'_>, as_json: bool) -> Result<ExitCode> {
    context.warn_of_settings();
    let status = Status::look(context);
    // Line by line, because a line end would be escaped.
    let clean = |text: &str| context.messages.clean(text);
    let text = if as_json {
        object::of(&status, clean)
    } else {
        let in_colour = answers_a_terminal() && agent::wants_colour();
        text::of(&status, in_colour, clean)
    };
    write_answer(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

impl Status {
    fn look(context: &Context<'_>) -> Self {
        let cache = &context.cache;
        let now = clock::now();
        let (keys, faults) = cache.keys();
        Self {
            now,
            directory: cache.directory().map_or_else(String::new, |it| it.display().to_string()),
            records: keys.into_iter().map(|key| Record::look(context, key, now)).collect(),
            faults: faults.into_iter().map(|fault| fault.what).collect(),
            settings: [
                Shown::of("api_url", &context.settings.api_url),
                Shown::of("town", &context.settings.town),
                Shown::of("rig", &context.settings.rig),
            ],
        }
    }
}

impl Shown {
    fn of<T: Display>(name: &'static str, setting: &Setting<T>) -> Self {
        let value = setting.value().map(T::to_string);
        let origin = setting.origin().map(Origin::to_string);
        Self { name, value, origin, text: setting.to_string() }
    }
}

impl Record {
    fn look(context: &Context<'_>, key: CacheKey, now: Timestamp) -> Self {
        let Context { cache, policy, settings, .. } = context;
        let entry = cache.entry(&key, now).unwrap_or_default();
        let refusals = entry.iter().flat_map(|entry| {
            let record = |host| Some((host, cache.host_record(&host_key(&entry.token, host))?));
            settings.hosts.iter().filter_map(record)
        });
        let refusals: Vec<_> = refusals
            .filter(|(_, record)| record.is_refused())
            .map(|(host, record)| (host.to_string(), record))
            .collect();
        let facts = Facts {
            entry: entry.as_ref(),
            at_host: refusals.first().map(|(_, record)| record),
            evidence: Evidence::None,
            failure: &|| None,
            waiting_since: None,
            demand: Demand::default(),
            now,
        };
        let decision = decide(&facts, policy);
        let town = TownKey { api: key.api.clone(), town: key.town.clone() };
        let renewal = cache.container_token(&town);
        let token = entry.map(|entry| {
            context.messages.remember(&entry.token);
            Token { outlook: outlook(&entry, policy), entry, refusals }
        });
        Self {
            decision,
            token,
            failure: failure_on_record(context, &key),
            container_token_expires: renewal
                .and_then(|secret| ContainerToken::new(secret, Source::Renewal).expires()),
            key,
        }
    }
}

/// Of the place, or of this process's container tokens there.
fn failure_on_record(context: &Context<'_>, key: &CacheKey) -> Option<FailureRecord> {
    let fingerprint = context.settings.container_tokens_fingerprint();
    let records = [None, Some(fingerprint)].map(|container_tokens| {
        context.cache.failure(&FailureKey { place: key.clone(), container_tokens })
    });
    records.into_iter().flatten().max_by_key(|record| record.until)
}
