//! Where a token comes from: the settings, the container token, the worker, and what a `get` would
//! answer now, whatever failure is on record. A cause that breaks several of these is told once.

use std::time::Duration;

use git_credential_gastown::failure::{Failure, Name};
use git_credential_gastown::host::Kind;
use git_credential_gastown::policy::{Otherwise, Plan};
use git_credential_gastown::time::{Timestamp, spoken};
use git_credential_gastown::token::container::{ContainerToken, Source, latest_first};

use super::Examination;
use super::report::{Finding, Status};
use crate::cache::host_key;
use crate::caller::Caller;
use crate::clock;
use crate::config::{Origin, Setting};
use crate::credential::{Ask, Credential, find};
use crate::token_client::{TokenClient, no_container_token};

/// Less than a worker that says nothing could take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Further apart, a JWT or an expiry is misjudged.
const SKEW: Duration = Duration::from_secs(60);

/// What was found, and the credential that a `get` would answer, if that may be asked.
pub(super) fn check(examination: &Examination<'_>) -> (Vec<Finding>, Option<Credential>) {
    let mut findings = settings(examination);
    findings.extend(container_tokens(examination));
    let mut credential = None;
    if examination.offline {
        findings.extend(without_asking(examination));
    } else if let Some(host) = &examination.host {
        let caller = Caller::by_hand();
        let mut ask = Ask::by_hand(host, &caller);
        ask.demand.heeds_failures = false;
        match find(examination.context, &ask) {
            Err(lack) => findings.push(of_failure(Status::Fail, &lack.failure)),
            Ok(found) => {
                findings.push(of_credential(&found));
                findings.extend(refusals(examination, &found));
                if examination.context.settings.kind(host) == Kind::GitHub {
                    findings.extend(worker(examination));
                }
                credential = Some(found);
            }
        }
    }
    (findings, credential)
}

fn settings(examination: &Examination<'_>) -> Vec<Finding> {
    const CHECK: &str = "settings";
    let settings = &examination.context.settings;
    let origin = |name: &str| {
        let origin = settings.origins.iter().find(|(it, _)| *it == name);
        origin.and_then(|(_, origin)| origin.as_ref())
    };
    let told = |name| origin(name).map_or("the default".to_owned(), Origin::to_string);
    let hosts: Vec<_> = settings.hosts.iter().map(ToString::to_string).collect();
    let on_failure = format!("{:?}", settings.on_failure).to_ascii_lowercase();
    let mut fine = vec![
        format!("worker: {}", settings.api_url),
        format!("town: {}", settings.town),
        format!("rig: {}", settings.rig),
        format!("hosts: {} (from {})", hosts.join(", "), told("hosts")),
        format!("on failure: {on_failure} (from {})", told("on failure")),
    ];
    fine.extend(settings.config_file.as_ref().map(|file| {
        let state = if file.is_file() { "read" } else { "not there" };
        format!("config file {file:?}: {state}")
    }));
    fine.extend(settings.static_tokens.iter().filter_map(|token| match &token.token {
        Setting::Set { origin, .. } if token.first => {
            Some(format!("{}: set (from {origin}), answers before the worker", token.name))
        }
        Setting::Set { origin, .. } => {
            Some(format!("{}: set (from {origin}), the last resort", token.name))
        }
        _ => None,
    }));
    fine.extend(settings.notes.iter().cloned());
    let mut findings: Vec<_> = fine.into_iter().map(|what| Finding::ok(CHECK, what)).collect();
    findings.extend(settings.static_tokens.iter().filter_map(|token| match &token.token {
        Setting::Wrong { origin, why } => {
            let fix = format!("unset {}", token.name);
            Some(Finding::problem(Status::Warn, CHECK, format!("{origin} is {why}"), fix))
        }
        _ => None,
    }));
    findings.extend(settings.warnings.iter().map(|text| {
        let fix = "correct or remove the setting that this names";
        Finding::problem(Status::Warn, CHECK, text, fix).named(Name::ConfigMissing)
    }));
    if hosts.is_empty() {
        let fix = "export GASTOWN_GIT_HOSTS=github.com";
        findings.push(Finding::problem(Status::Fail, CHECK, "no host is served", fix));
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
    // Without any other, the fault is told as the reason why the worker cannot be asked.
    let fault = fault.filter(|_| !tokens.is_empty()).map(|fault| {
        let fix = "correct or unset GASTOWN_CONTAINER_TOKEN_FILE";
        Finding::problem(Status::Warn, CHECK, fault, fix).named(Name::ConfigMissing)
    });
    let told = latest_first(tokens).into_iter().map(|token| {
        let name = token.source.name();
        let Some(expires) = token.expires() else {
            return Finding::ok(CHECK, format!("{name}: does not say when it expires"));
        };
        let moment = expires.to_rfc3339().unwrap_or_default();
        Finding::ok(
            CHECK,
            match token.has_expired(now) {
                false => {
                    format!("{name}: valid until {moment}, for {}", spoken(expires.since(now)))
                }
                true => format!("{name}: expired at {moment}; the worker renews it"),
            },
        )
    });
    told.chain(fault).collect()
}

/// What is missing to ask the worker, as far as that can be told without asking.
fn without_asking(examination: &Examination<'_>) -> Option<Finding> {
    let settings = &examination.context.settings;
    let has_other = settings.static_tokens.iter().any(|token| token.token.value().is_some());
    let status = if has_other { Status::Warn } else { Status::Fail };
    let failure = match settings.place() {
        Err(failure) => failure,
        Ok(place) => {
            let renewal = examination.context.cache.container_token(&place.town_key());
            let has_none = settings.container_tokens().0.is_empty() && renewal.is_none();
            has_none.then(|| no_container_token(settings))?
        }
    };
    Some(of_failure(status, &failure))
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
fn refusals(examination: &Examination<'_>, credential: &Credential) -> Vec<Finding> {
    let context = examination.context;
    let Some(host) = &examination.host else { return Vec::new() };
    let set =
        context.settings.static_tokens.iter().filter_map(|it| Some((it.name, it.token.value()?)));
    let refused = set.filter(|(_, token)| {
        let record = context.cache.host_record(&host_key(token, host));
        token.hash() != credential.token.hash() && record.is_some_and(|it| it.is_refused())
    });
    let found = refused.map(|(name, _)| {
        let what = format!("{host} rejected {name}, so another token is used");
        let fix = format!("unset {name}");
        Finding::problem(Status::Warn, "token", what, fix).named(Name::TokenRejected)
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
        Err(failure) => return vec![of_failure(Status::Warn, &failure)],
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
        findings.push(Finding::problem(Status::Warn, "clock", what, fix));
    }
    findings
}

/// By what it is about, not by where it showed.
fn of_failure(status: Status, failure: &Failure) -> Finding {
    let check = match failure.name {
        Name::ConfigMissing => "settings",
        Name::RigNotFound | Name::NoGitToken => "rig",
        Name::CrossTown | Name::ContainerTokenRejected => "container-token",
        Name::TokenRejected => "token",
        _ => "worker",
    };
    Finding::of(status, check, failure)
}
