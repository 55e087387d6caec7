//! Where a token comes from: the settings, the container token, the worker, and what a `get` would
//! answer now, whatever failure is on record. A cause that breaks several of these is reported
//! once.

use std::time::Duration;

use git_credential_gastown::failure::{Failure, Name};
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::policy::{Otherwise, Plan};
use git_credential_gastown::time::{Timestamp, spoken};
use git_credential_gastown::token::container::{ContainerToken, Source, latest_first};

use super::{Examination, Finding, Status};
use crate::Context;
use crate::cache::host_key;
use crate::caller::Caller;
use crate::clock;
use crate::config::{Setting, StaticToken};
use crate::credential::{Ask, Credential, find};
use crate::token_client::{TokenClient, no_container_token};

/// Less than a worker that says nothing could take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Further apart, a JWT or an expiry is misjudged.
const SKEW: Duration = Duration::from_secs(60);

/// What was found, and the credential that a `get` would answer, if that may be asked.
pub(super) fn check(
    examination: &Examination<'_>,
    offline: bool,
) -> (Vec<Finding>, Option<Credential>) {
    let mut findings = settings(examination);
    findings.extend(container_tokens(examination));
    let Some(host) = examination.host.as_ref().filter(|_| !offline) else {
        findings.extend(missing(examination));
        return (findings, None);
    };
    let caller = Caller::by_hand();
    let mut ask = Ask::by_hand(host, &caller);
    ask.demand.respects_failures = false;
    match find(examination.context, &ask) {
        Err(lack) => {
            findings.push(of_failure(&lack.failure));
            (findings, None)
        }
        Ok(credential) => {
            findings.push(of_credential(&credential));
            findings.extend(refusals(examination, host, &credential));
            if examination.context.settings.kind(host) == Kind::GitHub {
                findings.extend(worker(examination));
            }
            (findings, Some(credential))
        }
    }
}

/// Each setting with its origin. A setting that the worker needs is reported with the worker.
fn settings(examination: &Examination<'_>) -> Vec<Finding> {
    let Context { settings, cache, .. } = examination.context;
    let (mut fine, mut findings) = (Vec::new(), Vec::new());
    if settings.place().is_ok() {
        let (worker, town, rig) = (&settings.api_url, &settings.town, &settings.rig);
        fine.push(format!("worker {worker}, town {town}, rig {rig}"));
    }
    let hosts: Vec<_> = settings.hosts.iter().map(ToString::to_string).collect();
    for (name, origin) in &settings.origins {
        let value = match *name {
            "hosts" => hosts.join(", "),
            "cache" => cache.directory().map(|it| format!("{it:?}")).unwrap_or_default(),
            _ => format!("{:?}", settings.on_failure).to_ascii_lowercase(),
        };
        let origin = origin.as_ref().map_or("the default".to_owned(), ToString::to_string);
        fine.push(format!("{name}: {value} (from {origin})"));
    }
    if let Some(file) = &settings.config_file {
        let state = if file.is_file() { "read" } else { "not there" };
        fine.push(format!("config file {file:?}: {state}"));
    }
    for StaticToken { name, token, first } in &settings.static_tokens {
        let role = if *first { "answers before the worker" } else { "the last resort" };
        match token {
            Setting::Set { origin, .. } => fine.push(format!("{name}: from {origin}, {role}")),
            Setting::Unset => {}
            Setting::Wrong { origin, why } => {
                let (what, fix) = (format!("{origin} is {why}"), format!("unset {name}"));
                findings.push(Finding::warn("settings", what, fix));
            }
        }
    }
    fine.extend(settings.notes.iter().cloned());
    findings.extend(fine.into_iter().map(|what| Finding::ok("settings", what)));
    findings.extend(settings.warnings.iter().map(|text| {
        let fix = "correct or remove the setting that this names";
        Finding::warn("settings", text, fix).named(Name::ConfigMissing)
    }));
    if hosts.is_empty() {
        let fix = "export GASTOWN_GIT_HOSTS=github.com";
        findings.push(Finding::fail("settings", "no host is served", fix));
    }
    findings
}

fn container_tokens(examination: &Examination<'_>) -> Vec<Finding> {
    const CHECK: &str = "container-token";
    let Ok(place) = examination.context.settings.place() else { return Vec::new() };
    let (mut tokens, fault) = examination.context.settings.container_tokens();
    let renewal = examination.context.cache.container_token(&place.town_key());
    tokens.extend(renewal.map(|secret| ContainerToken::new(secret, Source::Renewal)));
    let now = clock::now();
    // If there is no other, this is reported as the reason why the worker cannot be asked.
    let fault = fault.filter(|_| !tokens.is_empty()).map(|fault| {
        let fix = "correct or unset GASTOWN_CONTAINER_TOKEN_FILE";
        Finding::warn(CHECK, fault, fix).named(Name::ConfigMissing)
    });
    let told = latest_first(tokens).into_iter().map(|token| {
        let moment = token.expires().and_then(Timestamp::to_rfc3339);
        let state = match (moment, token.has_expired(now)) {
            (None, _) => "does not say when it expires".to_owned(),
            (Some(moment), true) => format!("expired at {moment}; the worker renews it"),
            (Some(moment), false) => format!("valid until {moment}"),
        };
        Finding::ok(CHECK, format!("{}: {state}", token.source.name()))
    });
    told.chain(fault).collect()
}

/// What is missing to ask the worker, as far as that is known without asking.
fn missing(examination: &Examination<'_>) -> Option<Finding> {
    let Context { settings, cache, .. } = examination.context;
    let failure = match settings.place() {
        Err(failure) => failure,
        Ok(place) => {
            let has_renewal = cache.container_token(&place.town_key()).is_some();
            let has_any = has_renewal || !settings.container_tokens().0.is_empty();
            (!has_any).then(|| no_container_token(settings))?
        }
    };
    let has_other = settings.static_tokens.iter().any(|token| token.token.value().is_some());
    let status = if has_other { Status::Warn } else { Status::Fail };
    Some(of_failure(&failure).weighed(status))
}

fn of_credential(credential: &Credential) -> Finding {
    let expires = credential.expires.and_then(Timestamp::to_rfc3339);
    let expires = expires.map_or("expiry unknown".to_owned(), |at| format!("until {at}"));
    let is_snapshot =
        credential.source.starts_with("GIT") && credential.token.is_installation_token();
    let age = if is_snapshot { ", a snapshot of unknown age" } else { "" };
    let hash = credential.token.hash();
    let what = format!("{}… from {}{age}, {expires}", hash.prefix(), credential.source);
    Finding::ok("token", what)
}

/// Configured tokens that the host refused, in place of which another is used.
fn refusals(examination: &Examination<'_>, host: &Host, credential: &Credential) -> Vec<Finding> {
    let context = examination.context;
    let set =
        context.settings.static_tokens.iter().filter_map(|it| Some((it.name, it.token.value()?)));
    let refused = set.filter(|(_, token)| {
        let record = context.cache.host_record(&host_key(token, host));
        token.hash() != credential.token.hash() && record.is_some_and(|it| it.is_refused())
    });
    let found = refused.map(|(name, _)| {
        let what = format!("{host} rejected {name}, so another token is used");
        let fix = format!("unset {name}");
        Finding::warn("token", what, fix).named(Name::TokenRejected)
    });
    found.collect()
}

/// The worker, although there is a token: it may be a cached one, or a configured one.
fn worker(examination: &Examination<'_>) -> Vec<Finding> {
    let context = examination.context;
    let started = context.clock.running();
    let plan =
        Plan { wait: Duration::ZERO, attempts: 1, budget: PATIENCE, otherwise: Otherwise::Fail };
    let asked = context.settings.place().and_then(|place| {
        Ok((place, TokenClient::new(context, place, &context.cache, plan).git_token()?))
    });
    let (place, grant) = match asked {
        Ok(granted) => granted,
        Err(failure) => return vec![of_failure(&failure).weighed(Status::Warn)],
    };
    context.messages.remember(&grant.token);
    let took = (context.clock.running() - started).as_millis();
    let what = format!("{} gave rig {} a token in {took} ms", place.api, place.rig);
    let mut findings = vec![Finding::ok("worker", what)];
    let off = Duration::from_millis(grant.clock_ahead.unsigned_abs());
    if off >= SKEW {
        let direction = if grant.clock_ahead > 0 { "ahead of" } else { "behind" };
        let what = format!("{} {direction} the worker's", spoken(off));
        let fix = "set this machine's clock, or have NTP set it";
        findings.push(Finding::warn("clock", what, fix));
    }
    findings
}

/// By what it is about, not by where it showed.
fn of_failure(failure: &Failure) -> Finding {
    let check = match failure.name {
        Name::ConfigMissing => "settings",
        Name::RigNotFound | Name::NoGitToken => "rig",
        Name::CrossTown | Name::ContainerTokenRejected => "container-token",
        Name::TokenRejected => "token",
        _ => "worker",
    };
    Finding::of(check, failure)
}
