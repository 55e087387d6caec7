//! The worker: one call that tells whether it can be reached, what its clock says, whether it takes
//! the container JWT and knows the rig; and whether a token comes out in the end.

use std::time::Duration;

use git_credential_gastown::contract::{self, Denial, Question, Reply};
use git_credential_gastown::failure::{Failure, Name};
use git_credential_gastown::host::Kind;
use git_credential_gastown::time::{Timestamp, spoken};
use git_credential_gastown::token::Secret;
use git_credential_gastown::token::container::{ContainerToken, Source, latest_first};

use super::Examination;
use super::finding::Finding;
use crate::clock;
use crate::config::Place;
use crate::worker::{Route, Worker};

/// Less than a worker that says nothing could take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Further apart, a JWT or an expiry is misjudged.
const SKEW: Duration = Duration::from_secs(60);

pub(super) fn container_token(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "container token";
    let settings = &examination.context.settings;
    let (tokens, fault) = at_hand(examination);
    let now = clock::now();
    let mut findings: Vec<_> = tokens.iter().map(|token| of_token(token, now)).collect();
    if let Some(fault) = fault {
        let mend = "correct or unset GASTOWN_CONTAINER_TOKEN_FILE";
        findings.push(Finding::warn(LINK, format!("{fault} [{}]", Name::ConfigMissing), mend));
    }
    if tokens.is_empty() {
        let what = format!("none: {}", unset_or_wrong(settings));
        let mend =
            "export GASTOWN_CONTAINER_TOKEN=…, or name a file in GASTOWN_CONTAINER_TOKEN_FILE";
        findings.push(Finding::fail(LINK, what, mend).weighed(examination.without_worker()));
    }
    findings
}

fn unset_or_wrong(settings: &crate::config::Settings) -> &'static str {
    match settings.container_token {
        crate::config::Setting::Wrong { .. } => "GASTOWN_CONTAINER_TOKEN is not a token",
        _ => "GASTOWN_CONTAINER_TOKEN is unset",
    }
}

fn of_token(token: &ContainerToken, now: Timestamp) -> Finding {
    const LINK: &str = "container token";
    let source = token.source.name();
    let Some(expires) = token.expires() else {
        return Finding::ok(LINK, format!("{source}: does not say until when it is valid"));
    };
    let moment = expires.to_rfc3339().unwrap_or_default();
    match token.has_expired(now) {
        false => {
            let left = spoken(expires.since(now));
            Finding::ok(LINK, format!("{source}: valid until {moment}, for {left}"))
        }
        true => {
            let ago = spoken(now.since(expires));
            let what = format!("{source}: expired at {moment}, {ago} ago; the worker renews it");
            Finding::ok(LINK, what)
        }
    }
}

/// The container JWTs, the one to present first.
fn at_hand(examination: &Examination<'_>) -> (Vec<ContainerToken>, Option<String>) {
    let context = examination.context;
    let (mut tokens, fault) = context.settings.container_tokens();
    let place = context.settings.place().ok();
    let renewal = place.and_then(|place| context.cache.container_token(&place.town_key()));
    tokens.extend(renewal.map(|secret| ContainerToken::new(secret, Source::Renewal)));
    tokens.iter().for_each(|token| context.messages.remember(&token.secret));
    (latest_first(tokens), fault)
}

pub(super) fn token(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "token";
    let finding = match examination.credential() {
        None if examination.options.offline => {
            Finding::skip(LINK, "not fetched, because of --offline")
        }
        None => Finding::fail(LINK, "there is no host to fetch one for", "set GASTOWN_GIT_HOSTS"),
        Some(Ok(credential)) => {
            let expires = credential.expires.and_then(Timestamp::to_rfc3339);
            let until = expires.map_or("expiry not told".to_owned(), |at| format!("until {at}"));
            let name = credential.token.hash().prefix().to_owned();
            let what = format!("{name}… from {}, {until}", credential.source);
            let settings = &examination.context.settings;
            let kind = examination.host().map_or(Kind::GitHub, |host| settings.kind(&host));
            match settings.static_name(&credential.token, kind) {
                Some(_) if credential.token.is_installation_token() => Finding::warn(
                    LINK,
                    format!("{what}; a snapshot, which may be dead"),
                    "mend the way to the worker",
                ),
                _ => Finding::ok(LINK, what),
            }
        }
        Some(Err(lack)) => Finding::fail(LINK, lack.to_string(), &lack.failure.advice),
    };
    vec![finding]
}

/// After the token, which tells how bad it is if this fails.
pub(super) fn worker(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "worker";
    if examination.options.offline {
        return vec![Finding::skip(LINK, "not asked, because of --offline")];
    }
    let worst = examination.without_worker();
    let place = match examination.context.settings.place() {
        Ok(place) => place,
        Err(failure) => return vec![told(LINK, &failure).weighed(worst)],
    };
    let (tokens, _) = at_hand(examination);
    let Some(bearer) = tokens.first() else {
        return vec![Finding::skip(LINK, "not asked, for want of a container token")];
    };
    let secrets = examination.context.messages.secrets();
    let mut question = question(place, bearer, &secrets);
    let reply = match call(examination, place, &question) {
        Ok(reply) => reply,
        Err(failure) => return vec![told(LINK, &failure).weighed(worst)],
    };
    question.answered_at = clock::now();
    let took = question.answered_at.since(question.asked_at).as_millis();
    let reached = format!("{} answered in {took} ms, status {}", place.api, reply.status);
    let mut findings = vec![Finding::ok(LINK, reached)];
    findings.extend(skew(&reply, question));
    let outcome = match contract::git_token(&reply, question) {
        Ok(grant) => {
            examination.context.messages.remember(&grant.token);
            Finding::ok("rig", format!("{} of town {} gets a token", place.rig, place.town))
        }
        Err(Denial::ContainerTokenExpired) => {
            let what = "the worker says that the container token has expired; it renews it";
            Finding::ok("container token", what)
        }
        Err(Denial::ContainerTokenRejected(failure)) => {
            told("container token", &failure).weighed(worst)
        }
        Err(Denial::Failed(failure)) => told(link_of(failure.name), &failure).weighed(worst),
    };
    findings.push(outcome);
    findings
}

fn question<'a>(
    place: Place<'a>,
    bearer: &'a ContainerToken,
    secrets: &'a [Secret],
) -> Question<'a> {
    let asked_at = clock::now();
    Question {
        worker: place.api.as_str(),
        town: place.town.as_str(),
        rig: place.rig.as_str(),
        rig_origin: place.rig_origin.name(),
        rig_advice: place.rig_advice(),
        bearer: &bearer.secret,
        secrets,
        asked_at,
        answered_at: asked_at,
    }
}

fn call(
    examination: &Examination<'_>,
    place: Place<'_>,
    question: &Question<'_>,
) -> Result<Reply, Failure> {
    let settings = &examination.context.settings;
    let worker = Worker::new(Route {
        api: place.api,
        proxy: settings.proxy.as_ref(),
        no_proxy: settings.no_proxy.as_deref(),
        certificates: &settings.certificates,
    })?;
    let within = PATIENCE.min(examination.context.clock.remaining()).max(Duration::from_secs(1));
    worker.refresh_git_token(question, within)
}

fn link_of(name: Name) -> &'static str {
    match name {
        Name::RigNotFound | Name::NoGitToken => "rig",
        Name::CrossTown => "container token",
        _ => "worker",
    }
}

fn told(link: &'static str, failure: &Failure) -> Finding {
    Finding::fail(link, format!("{} [{}]", failure.what, failure.name), &failure.advice)
}

/// How far apart the clocks are, as far as whole seconds tell.
fn skew(reply: &Reply, question: Question<'_>) -> Option<Finding> {
    const LINK: &str = "clock";
    let theirs = Timestamp::from_http_date(reply.date.as_deref()?)?;
    let (ahead, behind) = (question.asked_at.since(theirs), theirs.since(question.answered_at));
    let off = ahead.max(behind);
    let direction = if ahead > behind { "ahead of" } else { "behind" };
    Some(match off < SKEW {
        true => Finding::ok(LINK, "agrees with the worker's to within a minute"),
        false => Finding::warn(
            LINK,
            format!("{} {direction} the worker's", spoken(off)),
            "set this machine's clock, or have it set by NTP",
        ),
    })
}
