//! `status`: what is cached, in what state, and what failed. No network, no lock, nothing written,
//! and no token other than by the beginning of its hash.

use anyhow::Result;
use git_credential_gastown::failure::FailureRecord;
use git_credential_gastown::host::{CacheKey, TownKey};
use git_credential_gastown::policy::{Decision, Facts, HostRecord, Life, State, decide};
use git_credential_gastown::time::{Timestamp, spoken};
use git_credential_gastown::token::Entry;
use git_credential_gastown::token::container::{ContainerToken, Source};
use serde_json::{Value, json};

use crate::Context;
use crate::cache::host_key;
use crate::clock;
use crate::look::failure_on_record;
use crate::stdio::{Colour, Text, moment, write_object};

/// What is known for one key.
struct Record {
    key: CacheKey,
    decision: Decision,
    entry: Option<Entry>,
    /// The hosts that refused the token, with what is on record.
    refusals: Vec<(String, HostRecord)>,
    failure: Option<FailureRecord>,
    /// When the cached container JWT of the town runs out.
    container_token_expires: Option<Timestamp>,
}

pub(super) fn run(context: &Context<'_>, as_json: bool) -> Result<()> {
    let Context { cache, messages, .. } = context;
    let now = clock::now();
    let (keys, faults) = cache.keys();
    let records: Vec<_> = keys.into_iter().map(|key| Record::look(context, key, now)).collect();
    let directory = cache.directory().map_or_else(String::new, |it| it.display().to_string());
    if as_json {
        let object = json!({
            "version": 1,
            "time": moment(now),
            "cache": directory,
            "entries": records.iter().map(|it| it.object(now)).collect::<Vec<_>>(),
            "unusable": faults.iter().map(|fault| &fault.what).collect::<Vec<_>>(),
        });
        return Ok(write_object(messages, object)?);
    }
    let mut text = Text::new(messages);
    records.iter().for_each(|record| record.tell(&mut text, now));
    if records.is_empty() {
        text.line(format_args!("nothing is cached in {directory}"));
    }
    faults.iter().for_each(|fault| text.line(&fault.what));
    Ok(text.write()?)
}

impl Record {
    fn look(context: &Context<'_>, key: CacheKey, now: Timestamp) -> Self {
        let Context { cache, messages, settings, .. } = context;
        let entry = cache.entry(&key, now).unwrap_or_default();
        entry.iter().for_each(|entry| messages.remember(&entry.token));
        let refusals = entry.iter().flat_map(|entry| {
            let record = |host| Some((host, cache.read(&host_key(&entry.token, host))?));
            settings.hosts.iter().filter_map(record)
        });
        let refusals: Vec<_> = refusals
            .filter(|(_, record)| record.is_refused())
            .map(|(host, record)| (host.to_string(), record))
            .collect();
        let at_host = refusals.first().map(|(_, record)| record);
        let facts = Facts { at_host, ..Facts::about(entry.as_ref(), now) };
        let decision = decide(&facts);
        let town = TownKey { api: key.api.clone(), town: key.town.clone() };
        let renewal = cache.read(&town);
        let expires = |secret| ContainerToken::new(secret, Source::Renewal).expires();
        let container_token_expires = renewal.and_then(expires);
        let failure = failure_on_record(context, &key);
        Self { key, decision, entry, refusals, failure, container_token_expires }
    }

    /// For programs: moments in RFC 3339, what is not known as null.
    fn object(&self, now: Timestamp) -> Value {
        let failure = self.failure.as_ref().map(|record| {
            json!({
                "error": record.failure.name,
                "what": record.failure.what,
                "advice": record.failure.advice,
                "at": moment(record.at),
                "count": record.count,
                "next_try_at": moment(record.until),
                "next_try_with_a_token_left_at": moment(record.until_usable),
            })
        });
        let refusal = |(host, record): &(String, HostRecord)| {
            json!({
                "host": host,
                "count": record.refusals,
                "at": moment(record.refused_at),
                "worker_asked_at": moment(record.asked.last_at),
            })
        };
        let token = self.entry.as_ref().map(|entry| {
            let Life { least, most, renew_at, .. } = Life::of(entry);
            let expiry = match (entry.expires, most) {
                (Some(_), _) => "known",
                (None, Some(_)) => "assumed",
                (None, None) => "none",
            };
            json!({
                "hash": entry.token.hash().prefix(),
                "kind": entry.token.kind().to_string(),
                "source": "worker",
                "age": now.since(entry.first_seen).as_secs(),
                "first_seen": moment(entry.first_seen),
                "confirmed_at": moment(entry.confirmed_at),
                "expiry": expiry,
                "lives_until": moment(least),
                "dies_by": moment(most),
                "renewal_at": moment(renew_at),
                "refusals": self.refusals.iter().map(refusal).collect::<Vec<_>>(),
            })
        });
        json!({
            "api": self.key.api,
            "town": self.key.town,
            "rig": self.key.rig,
            "state": self.decision.state.to_string(),
            "reason": self.decision.reason.to_string(),
            "token": token,
            "failure": failure,
            "container_token_expires": moment(self.container_token_expires),
        })
    }

    /// For people: a paragraph, with times as one says them.
    fn tell(&self, text: &mut Text<'_>, now: Timestamp) {
        let Self { key, decision: Decision { state, reason, .. }, .. } = self;
        text.line(format_args!("rig {} of town {} at {}", key.rig, key.town, key.api));
        let colour = match state {
            State::Fresh => Colour::Green,
            State::Soon | State::Due | State::Suspect => Colour::Yellow,
            State::Dead | State::Odd => Colour::Red,
        };
        if let Some(entry) = &self.entry {
            text.marked("  state    ", state, colour, format_args!(": {reason}"));
            let (token, life) = (&entry.token, Life::of(entry));
            let (seen, confirmed) = (when(entry.first_seen, now), when(entry.confirmed_at, now));
            let renewal = match state {
                State::Fresh => when(life.renew_at, now),
                _ => "when next asked".to_owned(),
            };
            text.line(format_args!("  token    {}, {}", token.hash().prefix(), token.kind()));
            text.line(format_args!("  source   the worker, first {seen}, last {confirmed}"));
            text.line(format_args!("  expiry   {}", end(entry.expires, &life, now)));
            text.line(format_args!("  renewal  {renewal}"));
        } else {
            text.line("  state    none: nothing is cached");
        }
        for (host, HostRecord { refusals, refused_at, .. }) in &self.refusals {
            let last = refused_at.map_or_else(String::new, |at| when(at, now));
            text.line(format_args!("  refused  by {host}, {refusals} time(s), last {last}"));
        }
        if let Some(failure) = &self.failure {
            let usable = *state != State::Dead;
            text.line(format_args!("  failure  {}", failure.retold(usable, now)));
        }
        if let Some(expires) = self.container_token_expires {
            let expires = when(expires, now);
            text.line(format_args!("  renewed  container token, which expires {expires}"));
        }
    }
}

/// When a token dies, and how that is known.
fn end(expires: Option<Timestamp>, life: &Life, now: Timestamp) -> String {
    let Life { least, most, .. } = *life;
    match (expires, most) {
        (Some(expires), _) => format!("{}, as the worker said", when(expires, now)),
        (None, Some(most)) if least > now && most > least => {
            let (least, most) = (spoken(least.since(now)), spoken(most.since(now)));
            format!("in {least} to {most}, assumed: the worker did not say")
        }
        (None, Some(most)) => {
            format!("{} at the latest, assumed: the worker did not say", when(most, now))
        }
        (None, None) => "none, a long-lived token".to_owned(),
    }
}

/// A moment as seen from now.
fn when(moment: Timestamp, now: Timestamp) -> String {
    if moment > now {
        format!("in {}", spoken(moment.since(now)))
    } else {
        format!("{} ago", spoken(now.since(moment)))
    }
}
