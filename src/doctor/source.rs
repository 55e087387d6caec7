//! Where a token comes from: the settings, the container token, the worker, and what a `get` would
//! answer now, whatever failure is on record. A cause that breaks several of these is reported
//! once.

use std::time::Duration;

use git_credential_gastown::failure::{Failure, Name};
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::policy::{Otherwise, Plan, entry_for};
use git_credential_gastown::time::{Timestamp, spoken};

use super::{Fail, Inputs, Report, Warn};
use crate::Context;
use crate::cache::host_key;
use crate::clock;
use crate::config::{Origin, Place, Setting, StaticToken};
use crate::credential::{Ask, Credential, cached_entry, find};
use crate::token_client::{container_tokens, git_token, no_container_token};

/// Less than a worker that says nothing could take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Further apart, a JWT or an expiry is misjudged.
const SKEW: Duration = Duration::from_secs(60);

/// The credential that a `get` would answer, if that may be asked.
pub(super) fn check(inputs: &Inputs<'_>, offline: bool, report: &mut Report) -> Option<Credential> {
    let Inputs { context, host, .. } = inputs;
    let settings = &context.settings;
    list_settings(context, report);
    let place = settings.place().and_then(|place| match check_jwts(context, place, report) {
        true => Ok(place),
        false => Err(no_container_token(settings)),
    });
    let Some(host) = host.as_ref().filter(|_| !offline) else {
        let has_other = settings.static_tokens.iter().any(|it| it.token.value().is_some());
        let status = if has_other { Warn } else { Fail };
        place.err().iter().for_each(|failure| report.failure(status, failure));
        return None;
    };
    let mut ask = Ask::by_hand(host);
    ask.demand.respects_failures = false;
    let credential = match find(context, &ask) {
        Ok(credential) => credential,
        Err(failure) => {
            report.failure(Fail, &failure);
            return None;
        }
    };
    tell(&credential, report);
    refusals(context, host, &credential, report);
    if settings.kind(host) == Kind::GitHub {
        match place.and_then(|place| worker(context, place, report)) {
            Ok(Some(newer)) if credential.is_workers() => return Some(newer),
            Ok(_) => {}
            Err(failure) => report.failure(Warn, &failure),
        }
    }
    Some(credential)
}

/// Each setting with its origin. One that the worker needs and lacks is reported with the worker.
fn list_settings(context: &Context<'_>, report: &mut Report) {
    const CHECK: &str = "settings";
    let Context { settings, cache, .. } = context;
    for StaticToken { name, token, first } in &settings.static_tokens {
        // One that is wrong is among the warnings.
        if let Setting::Set { origin, .. } = token {
            let role = if *first { "answers before the worker" } else { "the last resort" };
            report.ok(CHECK, format_args!("{name}: from {origin}, {role}"));
        }
    }
    if settings.place().is_ok() {
        let (worker, town, rig) = (&settings.api_url, &settings.town, &settings.rig);
        report.ok(CHECK, format_args!("worker {worker}, town {town}, rig {rig}"));
    }
    let [of_hosts, ..] = &settings.origins;
    let is_of_git = matches!(of_hosts, Some(Origin::HelperLine(_)));
    let is_listed = |host: &&Host| is_of_git || settings.listed_hosts.contains(host);
    let (listed, of_git): (Vec<_>, Vec<_>) = settings.hosts.iter().partition(is_listed);
    let shown =
        |hosts: Vec<&Host>| hosts.into_iter().map(Host::to_string).collect::<Vec<_>>().join(", ");
    if !of_git.is_empty() {
        let origin = Origin::HelperLine("the host");
        report.ok(CHECK, format_args!("hosts: {} (from {origin})", shown(of_git)));
    }
    let values = [
        ("hosts", shown(listed)),
        ("cache", cache.directory().map(|it| format!("{it:?}")).unwrap_or_default()),
        ("on failure", settings.on_failure.as_str().to_owned()),
    ];
    let values = values.into_iter().zip(&settings.origins);
    for ((name, value), origin) in values.filter(|((_, value), _)| !value.is_empty()) {
        let origin = origin.as_ref().map_or("the default".to_owned(), Origin::to_string);
        report.ok(CHECK, format_args!("{name}: {value} (from {origin})"));
    }
    if let Some(file) = &settings.config_file {
        let state = if file.is_file() { "read" } else { "not there" };
        report.ok(CHECK, format_args!("config file {file:?}: {state}"));
    }
    settings.notes.iter().for_each(|note| report.ok(CHECK, note));
    for warning in &settings.warnings {
        let fix = "do what it says, or correct or remove the setting that it names";
        report.add(CHECK, Warn, warning, fix).error = Some(Name::ConfigMissing);
    }
    if settings.hosts.is_empty() {
        report.add(CHECK, Fail, "no host is served", "export GASTOWN_GIT_HOSTS=github.com");
    }
}

/// Whether there is a container JWT to present.
fn check_jwts(context: &Context<'_>, place: Place<'_>, report: &mut Report) -> bool {
    const CHECK: &str = "container-token";
    let (tokens, fault) = container_tokens(context, place);
    for token in &tokens {
        let moment = token.expires().and_then(Timestamp::to_rfc3339);
        let state = match (moment, token.has_expired(clock::now())) {
            (None, _) => "does not say when it expires".to_owned(),
            (Some(moment), true) => format!("expired at {moment}; the worker renews it"),
            (Some(moment), false) => format!("valid until {moment}"),
        };
        report.ok(CHECK, format_args!("{}: {state}", token.source.name()));
    }
    // If there is no other, this is reported as the reason why the worker cannot be asked.
    if let Some(fault) = fault.filter(|_| !tokens.is_empty()) {
        let fix = "correct or unset GASTOWN_CONTAINER_TOKEN or GASTOWN_CONTAINER_TOKEN_FILE";
        report.add(CHECK, Warn, fault, fix).error = Some(Name::ConfigMissing);
    }
    !tokens.is_empty()
}

fn tell(Credential { token, source, expires, .. }: &Credential, report: &mut Report) {
    let expires = expires.and_then(Timestamp::to_rfc3339);
    let expires = expires.map_or("expiry unknown".to_owned(), |at| format!("until {at}"));
    let is_snapshot = source.starts_with("GIT") && token.is_installation_token();
    let age = if is_snapshot { ", a snapshot of unknown age" } else { "" };
    let hash = token.hash().prefix();
    report.ok("token", format_args!("{hash}… from {source}{age}, {expires}"));
}

/// Configured tokens that the host refused, in place of which another is used.
fn refusals(context: &Context<'_>, host: &Host, credential: &Credential, report: &mut Report) {
    for StaticToken { name, token, .. } in &context.settings.static_tokens {
        let other = token.value().filter(|token| token.hash() != credential.token.hash());
        let record = other.and_then(|token| context.cache.read(&host_key(token, host)));
        if record.is_some_and(|record| record.is_refused()) {
            let what = format_args!("{host} rejected {name}, so another token is used");
            let found = report.add("token", Warn, what, format!("unset {name}"));
            found.error = Some(Name::TokenRejected);
        }
    }
}

/// Asks the worker, although there is a token: it may be a cached one, or a configured one. Keeps
/// another token than the cached one, and returns it.
fn worker(
    context: &Context<'_>,
    place: Place<'_>,
    report: &mut Report,
) -> Result<Option<Credential>, Failure> {
    let started = context.clock.running();
    let plan =
        Plan { wait: Duration::ZERO, attempts: 1, budget: PATIENCE, otherwise: Otherwise::Fail };
    let grant = git_token(context, place, plan)?;
    context.messages.remember(&grant.token);
    let took = (context.clock.running() - started).as_millis();
    let Place { api, rig, .. } = place;
    report.ok("worker", format_args!("{api} gave rig {rig} a token in {took} ms"));
    let off = Duration::from_millis(grant.clock_ahead.unsigned_abs());
    if off >= SKEW {
        let direction = if grant.clock_ahead > 0 { "ahead of" } else { "behind" };
        let what = format_args!("{} {direction} the worker's", spoken(off));
        report.add("clock", Warn, what, "set this machine's clock, or have NTP set it");
    }
    let cached = cached_entry(context);
    if cached.as_ref().is_some_and(|cached| cached.token.hash() == grant.token.hash()) {
        return Ok(None);
    }
    let entry = entry_for(grant, cached.as_ref(), fastrand::f64());
    // Without a cache, which is a finding of its own, the next command asks the worker.
    let _ = context.cache.keep(&place.key(), &entry);
    Ok(Some(Credential::of_entry(entry, "worker")))
}
