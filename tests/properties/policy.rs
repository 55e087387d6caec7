//! The freshness policy: total, never generous, never eager, and never younger as time goes by.

use std::time::Duration;

use git_credential_gastown::failure::{Failure, FailureRecord, Name, Retry};
use git_credential_gastown::policy::{
    Action, Asks, Decision, Demand, Evidence, Facts, HostRecord, LAG_PAUSE, Otherwise, State,
    decide, entry_for,
};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::{Entry, Grant, Secret};
use proptest::prelude::{Just, Strategy, any, prop};
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::config;

const HOUR: i64 = 3_600_000;
const RECEIVED: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Moments around the one of receipt, at its borders, and the ends of time.
fn moment() -> impl Strategy<Value = Timestamp> {
    let seconds = [-7200, -120, -1, 0, 1, 60, 1160, 1440, 1740, 2700, 3000, 3300, 3570, 3600, 3720];
    prop_oneof![
        4 => (-2 * HOUR..3 * HOUR).prop_map(|millis| RECEIVED.shifted(millis)),
        2 => (prop::sample::select(seconds.to_vec()), -1..=1_i64)
            .prop_map(|(seconds, off)| RECEIVED.shifted(seconds * 1000 + off)),
        1 => any::<i64>().prop_map(Timestamp::from_millis),
        1 => prop::sample::select(vec![i64::MIN, -1, 0, i64::MAX]).prop_map(Timestamp::from_millis),
    ]
}

/// An entry as it is written for a fresh token; the contract believes no longer life.
fn honest_entry() -> impl Strategy<Value = Entry> {
    let token = prop::sample::select(vec!["ghs_1_e.y-J", "ghp_user", "0123"]);
    let life = prop_oneof![Just(None), (1..=62 * 60_000_i64).prop_map(Some)];
    (token, life, 0.0..=1.0).prop_map(|(token, life, draw)| {
        let token = Secret::parse(token.as_bytes()).expect("printable");
        let expires = life.map(|life| RECEIVED.shifted(life));
        let grant = Grant { token, expires, asked_at: RECEIVED, clock_ahead: 0 };
        entry_for(grant, None, draw)
    })
}

/// An entry as a file may have it.
fn entry() -> impl Strategy<Value = Entry> {
    let moments = prop::array::uniform4(prop_oneof![Just(None), moment().prop_map(Some)]);
    (honest_entry(), moments).prop_map(|(mut entry, [first, confirmed, expires, renew])| {
        entry.first_seen = first.unwrap_or(entry.first_seen);
        entry.confirmed_at = confirmed.unwrap_or(entry.confirmed_at);
        entry.expires = expires.or(entry.expires);
        entry.renew_at = renew.unwrap_or(entry.renew_at);
        entry
    })
}

fn failure() -> impl Strategy<Value = FailureRecord> {
    let retry = prop::sample::select(vec![Retry::AtOnce, Retry::Later, Retry::WhenMended]);
    (retry, moment()).prop_map(|(retry, at)| {
        let failure = Failure::new(Name::WorkerError, retry, "broke", "look");
        FailureRecord::new(failure, None, 0.5, at)
    })
}

fn host_record() -> impl Strategy<Value = HostRecord> {
    let moments = prop::array::uniform4(prop::option::of(moment()));
    (0_u32..4, 0_u32..6, 0_u32..9, moments).prop_map(
        |(refusals, count, total, [refused_at, one, other, given_at])| {
            let (asked, hinted) =
                (Asks { count, total, last_at: one }, Asks { count, total, last_at: other });
            HostRecord { refusals, refused_at, asked, hinted, given_at, ..HostRecord::default() }
        },
    )
}

fn evidence() -> impl Strategy<Value = Evidence> {
    prop::sample::select(vec![Evidence::None, Evidence::Hint, Evidence::Refused])
}

fn plain(entry: &Entry, now: Timestamp) -> Decision {
    decide(&Facts::about(Some(entry), now))
}

/// The latest moment at which the token may be alive; a long-lived one has none.
fn end(entry: &Entry) -> Option<Timestamp> {
    let is_personal = entry.token.expose().starts_with("ghp_");
    let longest = (!is_personal).then(|| entry.first_seen.plus(Duration::from_secs(3600)));
    entry.expires.or(longest)
}

/// Whether the token may be handed out, now or when a renewal fails.
fn may_answer(action: Action) -> bool {
    match action {
        Action::Answer { .. } | Action::AnswerAndWarn => true,
        Action::Renew(plan) => !matches!(plan.otherwise, Otherwise::Fail | Otherwise::Reject),
        Action::Fail | Action::Reject => false,
    }
}

fn rank(state: State) -> u8 {
    match state {
        State::Fresh => 0,
        State::Soon => 1,
        State::Due => 2,
        State::Dead => 3,
        other => panic!("{other} without a clock that went back or a refusal"),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_fact_has_a_decision_and_none_hands_out_a_token_past_its_end(
        entry in prop::option::of(entry()),
        at_host in prop::option::of(host_record()),
        failure in prop::option::of(failure()),
        waiting_since in prop::option::of(moment()),
        evidence in evidence(),
        now in moment(),
    ) {
        let facts = Facts {
            entry: entry.as_ref(),
            at_host: at_host.as_ref(),
            evidence,
            failure: &|| failure.clone(),
            waiting_since,
            demand: Demand::default(),
            now,
        };
        let decision = decide(&facts);
        if may_answer(decision.action) {
            let entry = entry.as_ref().expect("there is something to hand out");
            prop_assert!(end(entry).is_none_or(|end| now < end), "{:?} of {:?}", decision, entry);
        }
        if let Action::Answer { pause } = decision.action {
            prop_assert!(pause <= LAG_PAUSE);
        }
        if decision.state == State::Fresh {
            prop_assert!(matches!(decision.action, Action::Answer { .. }), "{:?}", decision);
        }
        if decision.action == Action::Fail {
            prop_assert!(failure.is_some(), "it fails for a reason on record");
        }
        // Refusals rule 2 and 3: a live token is withheld from the refused command alone.
        if decision.state != State::Dead && !may_answer(decision.action) {
            prop_assert!(evidence == Evidence::Refused, "{:?}", decision);
        }
    }

    #[test]
    fn no_call_is_made_while_the_token_is_far_from_its_end(
        entry in honest_entry(),
        age in 0..HOUR,
    ) {
        let now = RECEIVED.shifted(age);
        let surely = entry.expires.unwrap_or(RECEIVED.plus(Duration::from_secs(29 * 60)));
        let length = surely.since(RECEIVED);
        // The widest margins: a third for SOON and a sixth for the draw, at most 15 minutes.
        let margin = (length / 3).min(Duration::from_secs(600))
            + (length / 6).min(Duration::from_secs(300));
        if now < surely.minus(margin) {
            let decision = plain(&entry, now);
            prop_assert_eq!(decision.action, Action::Answer { pause: Duration::ZERO });
        }
    }

    #[test]
    fn a_token_never_grows_younger(entry in entry(), one in moment(), other in moment()) {
        let (earlier, later) = (plain(&entry, one.min(other)).state, plain(&entry, one.max(other)).state);
        // A clock that went back is told by what lies ahead, and that can only pass.
        if earlier != State::Odd {
            prop_assert!(later != State::Odd && rank(earlier) <= rank(later), "{} {}", earlier, later);
        }
    }
}
