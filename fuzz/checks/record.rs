//! What must hold for any bytes in a file of the cache: it is a miss, or it is a record under its
//! own key that every decision can live with. Shared by the fuzz target and the smoke run.

use git_credential_gastown::failure::FailureRecord;
use git_credential_gastown::host::CacheKey;
use git_credential_gastown::policy::{
    Action, Facts, Policy, State, decide, died_before, refused_again,
};
use git_credential_gastown::redact::clean;
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::{
    Entry, Rejection, TokenHash, from_wire, record_from_wire, to_wire,
};

/// The moments at which a record may be found; the third is that of the seeds.
const MOMENTS: [i64; 6] =
    [i64::MIN, 0, 1_800_000_000_000, 1_800_003_599_000, i64::MAX - 1, i64::MAX];

pub fn check(bytes: &[u8]) {
    let key = key("github.com");
    let entry = from_wire::<_, Entry>(&key, bytes).ok();
    let rejection: Option<Rejection> = record_from_wire(bytes).ok();
    let failure: Option<FailureRecord> = record_from_wire(bytes).ok();
    if let Some(entry) = &entry {
        comes_back_the_same(&key, entry);
    }
    for hash in rejection.iter().map(|it| &it.hash) {
        assert_eq!(TokenHash::parse(hash.as_str()).as_ref(), Some(hash), "a hash that is none");
    }
    for now in MOMENTS.map(Timestamp::from_millis) {
        if let Some(entry) = &entry {
            died_before(entry, now, &Policy::default());
        }
        if let Some(rejection) = &rejection {
            refused_again(rejection.clone(), now, &Policy::default());
        }
        if let Some(failure) = &failure {
            let told = clean(&failure.retold(true, now).to_string(), &[]);
            assert!(!told.chars().any(char::is_control), "a record that steers a terminal");
        }
        decides(entry.as_ref(), rejection.as_ref(), failure.as_ref(), now);
    }
}

fn key(host: &str) -> CacheKey {
    let part = |text: &str| text.to_owned();
    let api = part("https://worker.example");
    CacheKey { api, town: part("town-1"), rig: part("rig-1"), host: format!("https://{host}") }
}

fn comes_back_the_same(key: &CacheKey, entry: &Entry) {
    let wire = to_wire(key, entry);
    let again: Entry = from_wire(key, &wire).expect("what is written can be read");
    assert_eq!(*to_wire(key, &again), *wire, "read, write, read");
    let other = self::key("evil.example");
    assert!(from_wire::<_, Entry>(&other, &wire).is_err(), "read under another key");
}

/// A decision about whatever the cache says, and never an answer with what is dead.
fn decides(
    entry: Option<&Entry>,
    rejection: Option<&Rejection>,
    failure: Option<&FailureRecord>,
    now: Timestamp,
) {
    let waiting_since = failure.map(|failure| failure.at);
    for doubted in [false, true] {
        let wanted_since = None;
        let facts = Facts { entry, rejection, failure, waiting_since, wanted_since, doubted, now };
        let decision = decide(facts, &Policy::default());
        let _ = format!("{} {} {}", decision.state, decision.action, decision.reason);
        let answers = matches!(decision.action, Action::Answer { .. } | Action::AnswerAndWarn);
        assert!(!(answers && decision.state == State::Dead), "a dead token is handed out");
        if let (true, Some(Entry { expires: Some(expires), .. })) = (answers, entry) {
            assert!(now < *expires, "a token is handed out past its end");
        }
    }
}
