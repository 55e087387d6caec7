//! What must hold for any bytes in a file of the cache: it is a miss, or it is a record under its
//! own key that every decision can live with. Shared by the fuzz target and the smoke run.

use git_credential_gastown::failure::FailureRecord;
use git_credential_gastown::host::CacheKey;
use git_credential_gastown::policy::{
    Action, Demand, Evidence, Facts, HostRecord, State, decide, died_before,
};
use git_credential_gastown::record::{from_bytes, record_of, to_bytes};
use git_credential_gastown::redact::clean;
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::Entry;

/// The moments at which a record may be found; the third is that of the seeds.
const MOMENTS: [i64; 6] =
    [i64::MIN, 0, 1_800_000_000_000, 1_800_003_599_000, i64::MAX - 1, i64::MAX];

pub fn check(bytes: &[u8]) {
    let key = key("rig-1");
    let entry = from_bytes::<_, Entry>(&key, bytes).ok();
    let at_host: Option<HostRecord> = record_of(bytes).ok();
    let failure: Option<FailureRecord> = record_of(bytes).ok();
    if let Some(entry) = &entry {
        comes_back_the_same(&key, entry);
    }
    for now in MOMENTS.map(Timestamp::from_millis) {
        if let Some(entry) = &entry {
            died_before(entry, now);
        }
        if let Some(record) = at_host.clone() {
            let _ = record.refused(now, Some("7@7".to_owned())).asked(Evidence::Hint, now);
        }
        if let Some(failure) = &failure {
            let told = clean(&failure.retold(true, now).to_string(), &[]);
            assert!(!told.chars().any(char::is_control), "a record that steers a terminal");
        }
        decides(entry.as_ref(), at_host.as_ref(), failure.as_ref(), now);
    }
}

fn key(rig: &str) -> CacheKey {
    let part = |text: &str| text.to_owned();
    CacheKey { api: part("https://worker.example"), town: part("town-1"), rig: part(rig) }
}

fn comes_back_the_same(key: &CacheKey, entry: &Entry) {
    let wire = to_bytes(key, entry);
    let again: Entry = from_bytes(key, &wire).expect("what is written can be read");
    assert_eq!(*to_bytes(key, &again), *wire, "read, write, read");
    let other = self::key("rig-2");
    assert!(from_bytes::<_, Entry>(&other, &wire).is_err(), "read under another key");
}

/// A decision about whatever the cache says, and never an answer with what is dead.
fn decides(
    entry: Option<&Entry>,
    at_host: Option<&HostRecord>,
    failure: Option<&FailureRecord>,
    now: Timestamp,
) {
    for evidence in [Evidence::None, Evidence::Hint, Evidence::Refused] {
        let facts = Facts {
            entry,
            at_host,
            evidence,
            failure: &|| failure.cloned(),
            waiting_since: failure.map(|failure| failure.at),
            demand: Demand::default(),
            now,
        };
        let decision = decide(&facts);
        let _ = format!("{} {} {}", decision.state, decision.action, decision.reason);
        let answers = matches!(decision.action, Action::Answer { .. } | Action::AnswerAndWarn);
        assert!(!(answers && decision.state == State::Dead), "a dead token is handed out");
        if let (true, Some(Entry { expires: Some(expires), .. })) = (answers, entry) {
            assert!(now < *expires, "a token is handed out past its end");
        }
    }
}
