//! What must hold for any answer of a worker: it is a token that can travel in a credential line,
//! or a failure that can be shown and put on record. Shared by the fuzz target and the smoke run.
//!
//! The input is four lines, status, `Date`, `Retry-After` and `Location`, and then the body.

use std::time::Duration;

use git_credential_gastown::contract::{Denial, Question, Reply, container_token, git_token};
use git_credential_gastown::failure::{Failure, FailureRecord};
use git_credential_gastown::policy::{Facts, State, decide, entry_for};
use git_credential_gastown::record::{from_bytes, to_bytes};
use git_credential_gastown::redact::clean;
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::Secret;

const ASKED: Timestamp = Timestamp::from_seconds(1_800_000_000);
const ANSWERED: Timestamp = Timestamp::from_seconds(1_800_000_001);
/// Secrets that the worker may repeat: the container token, and one that has no shape.
const BEARER: &str = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln";
const PASSWORD: &str = "correct-horse-battery";
/// Our own words around the 120 characters of the worker's, each of which may be escaped.
const LONGEST_MESSAGE: usize = 2000;

pub fn check(bytes: &[u8]) {
    let Some(reply) = reply(bytes) else { return };
    let secrets = [BEARER, PASSWORD].map(|text| Secret::parse(text.as_bytes()).expect("printable"));
    let question = Question {
        worker: "https://worker.example",
        town: "town-1",
        rig: "rig-1",
        rig_origin: "GASTOWN_RIG_ID",
        rig_advice: "set GASTOWN_RIG_ID, or run git inside the rig's worktree",
        secrets: &secrets,
        asked_at: ASKED,
        answered_at: ANSWERED,
    };
    match git_token(&reply, question) {
        Ok(grant) => {
            can_travel(&grant.token);
            let lives = grant.expires.is_none_or(|expires| {
                expires > ANSWERED && expires.since(ANSWERED) <= Duration::from_mins(62)
            });
            assert!(reply.status == 200 && lives, "a token that is dead, or outlives belief");
            let entry = entry_for(grant, None, 0.5);
            let decision = decide(&Facts::about(Some(&entry), ASKED));
            assert_ne!(decision.state, State::Dead, "granted and dead at once: {entry:?}");
        }
        Err(denial) => can_be_told(denial),
    }
    match container_token(&reply, question) {
        Ok(token) => can_travel(&token),
        Err(denial) => can_be_told(denial),
    }
}

fn reply(bytes: &[u8]) -> Option<Reply> {
    let mut parts = bytes.splitn(5, |byte| *byte == b'\n');
    // A header that is not text counts as absent.
    let mut header = || {
        let text = std::str::from_utf8(parts.next()?).ok()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    let status = header()?.parse().ok()?;
    let (date, retry_after, location) = (header(), header(), header());
    let body = parts.next().unwrap_or_default().to_vec();
    Some(Reply { status, date, retry_after, location, body: body.into() })
}

fn can_travel(token: &Secret) {
    let bytes = token.expose().as_bytes();
    let fits = (1..=8192).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    assert!(fits, "a token that could start a line, a field or a header");
}

fn can_be_told(denial: Denial) {
    let Denial::Failed(failure) = denial else {
        return;
    };
    let told = clean(&failure.to_string(), &[]);
    assert!(!told.chars().any(char::is_control), "a message of more than one line: {told:?}");
    let record = String::from_utf8(to_bytes(&7, &failure).to_vec()).expect("JSON is text");
    for secret in [BEARER, PASSWORD] {
        assert!(!told.contains(secret) && !record.contains(secret), "a secret is shown: {told}");
    }
    assert!(told.len() <= LONGEST_MESSAGE, "a message of {} bytes", told.len());
    can_be_kept(failure);
}

fn can_be_kept(failure: Failure) {
    let record = FailureRecord::new(failure, None, 0.5, ANSWERED);
    let latest = ANSWERED.plus(Duration::from_mins(5));
    assert!(record.until <= latest && record.until_usable <= latest, "nobody asks for too long");
    let again: FailureRecord = from_bytes(&7, &to_bytes(&7, &record)).expect("it can be read");
    assert!(again.answers(false, Some(ANSWERED), ANSWERED), "those who wait share it");
}
