//! The freshness table, tested one second before, at and after every border.

use super::*;
use crate::failure::{Failure, Name, Retry};
use crate::token::{Grant, Secret};

mod refusals;

const RECEIVED: Timestamp = Timestamp::from_seconds(1_800_000_000);
const LONG_LIVED: &str = "ghp_user";

fn after(seconds: i64) -> Timestamp {
    RECEIVED.shifted(seconds * 1000)
}

fn secret(text: &str) -> Secret {
    Secret::parse(text.as_bytes()).unwrap()
}

fn grant(token: &str, life: Option<i64>, asked_at: Timestamp) -> Grant {
    let expires = life.map(|seconds| asked_at.shifted(seconds * 1000));
    Grant { token: secret(token), expires, asked_at, clock_ahead: 0 }
}

/// Received at `RECEIVED`; `draw` 0 puts the border of FRESH exactly at its margin.
fn entry(token: &str, life: Option<i64>, draw: f64) -> Entry {
    entry_for(grant(token, life, RECEIVED), None, draw)
}

fn known(life: i64) -> Entry {
    entry("ghs_known", Some(life), 0.0)
}

fn unknown() -> Entry {
    entry("ghs_unknown", None, 0.0)
}

fn decided(facts: Facts<'_>) -> Decision {
    decide(&facts)
}

fn state(entry: &Entry, now: Timestamp) -> State {
    decided(Facts::about(Some(entry), now)).state
}

fn failure(at: Timestamp) -> FailureRecord {
    let failure = Failure::new(Name::WorkerError, Retry::AtOnce, "broke", "look");
    FailureRecord::new(failure, None, 0.5, at)
}

fn refused(refusals: u32, at: Timestamp) -> HostRecord {
    HostRecord { refusals, refused_at: Some(at), ..HostRecord::default() }
}

#[track_caller]
fn border(entry: &Entry, seconds: i64, before: State, from: State) {
    assert_eq!(state(entry, after(seconds - 1)), before, "1 s before {seconds} s");
    assert_eq!(state(entry, after(seconds)), from, "at {seconds} s");
    assert_eq!(state(entry, after(seconds + 1)), from, "1 s after {seconds} s");
}

#[test]
fn a_known_hour_is_fresh_for_50_minutes_soon_for_5_due_until_30_seconds_before_its_end() {
    let entry = known(3600);
    border(&entry, 3000, State::Fresh, State::Soon);
    border(&entry, 3300, State::Soon, State::Due);
    border(&entry, 3570, State::Due, State::Dead);
}

#[test]
fn the_draw_begins_renewal_up_to_5_minutes_earlier() {
    border(&entry("ghs_a", Some(3600), 1.0), 2700, State::Fresh, State::Soon);
    border(&entry("ghs_a", Some(3600), 0.5), 2850, State::Fresh, State::Soon);
    for (draw, seconds) in [(-1.0, 3000), (9.0, 2700), (f64::NAN, 3000)] {
        assert_eq!(entry("ghs_a", Some(3600), draw).renew_at, after(seconds), "{draw}");
    }
}

#[test]
fn an_unknown_expiry_is_trusted_for_29_minutes_and_hoped_for_until_60() {
    let entry = unknown();
    // A third of 29 minutes is a little less than ten.
    border(&entry, 29 * 60 - 580, State::Fresh, State::Soon);
    border(&entry, (29 - 5) * 60, State::Soon, State::Due);
    border(&entry, 3570, State::Due, State::Dead);
    assert_eq!(entry.expires, None, "no expiry is told where none is known");
}

#[test]
fn a_token_that_was_up_to_30_minutes_old_is_never_answered_unasked_after_its_true_end() {
    let entry = entry("ghs_old", None, 0.0);
    for age_when_received in 0..=30 {
        let true_end = (60 - age_when_received) * 60;
        for second in true_end..3700 {
            let decision = decided(Facts::about(Some(&entry), after(second)));
            let renews = matches!(decision.action, Action::Renew(_));
            assert!(renews, "{second} s after receipt, {age_when_received} min old at receipt");
        }
    }
}

#[test]
fn the_same_token_again_is_confirmed_but_no_younger() {
    let first = unknown();
    let again = grant("ghs_unknown", None, after(15 * 60));
    let entry = entry_for(again, Some(&first), 0.0);
    assert_eq!((entry.first_seen, entry.confirmed_at), (RECEIVED, after(15 * 60)));
    border(&entry, (15 + 29) * 60 - 580, State::Fresh, State::Soon);
    border(&entry, 3570, State::Due, State::Dead);
}

#[test]
fn a_late_confirmation_does_not_stretch_the_hour() {
    let first = unknown();
    let again = grant("ghs_unknown", None, after(50 * 60));
    let entry = entry_for(again, Some(&first), 0.0);
    // Ten minutes are left, so the margins are a third, a fifth and a twentieth of ten minutes.
    border(&entry, 3600 - 200, State::Fresh, State::Soon);
    border(&entry, 3600 - 120, State::Soon, State::Due);
    border(&entry, 3600 - 30, State::Due, State::Dead);
}

#[test]
fn the_same_token_after_its_longest_life_starts_anew() {
    let first = unknown();
    let again = grant("ghs_unknown", None, after(65 * 60));
    let entry = entry_for(again, Some(&first), 0.0);
    assert_eq!(entry.first_seen, after(65 * 60));
    assert_eq!(state(&entry, after(65 * 60)), State::Fresh);
}

#[test]
fn an_expiry_once_told_is_remembered_for_the_same_token() {
    let first = entry("ghs_a", Some(3600), 0.0);
    let again = grant("ghs_a", None, after(1200));
    let entry = entry_for(again, Some(&first), 0.0);
    assert_eq!(entry.expires, Some(after(3600)));
}

#[test]
fn another_token_starts_anew() {
    let other = grant("ghs_other", None, after(60));
    let entry = entry_for(other, Some(&unknown()), 0.0);
    assert_eq!(entry.first_seen, after(60));
}

#[test]
fn short_lives_have_short_margins() {
    // Ten seconds: a third, a fifth and a twentieth, as an hour has 10 min, 5 min and 30 s.
    let entry = known(10);
    let at = |millis: i64| state(&entry, RECEIVED.shifted(millis));
    assert_eq!([at(6666), at(6667)], [State::Fresh, State::Soon]);
    assert_eq!([at(7999), at(8000)], [State::Soon, State::Due]);
    assert_eq!([at(9499), at(9500)], [State::Due, State::Dead]);
}

#[test]
fn a_long_lived_token_is_asked_for_again_after_30_minutes_and_never_dies() {
    let entry = entry(LONG_LIVED, None, 0.0);
    border(&entry, 1800, State::Fresh, State::Soon);
    assert_eq!(state(&entry, after(365 * 86_400)), State::Soon);
}

#[test]
fn a_clock_that_went_back_more_than_2_minutes_is_odd() {
    let entry = known(3600);
    border(&entry, -120, State::Odd, State::Fresh);
    border(&unknown(), -120, State::Odd, State::Fresh);
    assert_eq!(state(&super::tests::entry(LONG_LIVED, None, 0.0), after(-121)), State::Odd);
}

#[test]
fn more_than_62_minutes_left_is_odd() {
    let mut entry = known(3720);
    (entry.first_seen, entry.confirmed_at) = (after(-600), after(-600));
    border(&entry, 0, State::Odd, State::Fresh);
}

#[test]
fn a_clock_that_went_back_does_not_keep_a_token_odd_for_ever() {
    for life in [None, Some(3600)] {
        let ahead = grant("ghs_a", life, after(3 * 86_400));
        let future = entry_for(ahead, None, 0.0);
        assert_eq!(state(&future, RECEIVED), State::Odd);
        let again = grant("ghs_a", None, RECEIVED);
        let rewritten = entry_for(again, Some(&future), 0.0);
        assert_eq!(state(&rewritten, RECEIVED), State::Fresh);
        assert_eq!(rewritten.expires, None, "what the other clock said is no news");
    }
}

#[test]
fn what_each_state_does() {
    let entry = known(3600);
    let action = |seconds| decided(Facts::about(Some(&entry), after(seconds))).action;
    assert_eq!(action(0), Action::Answer { pause: Duration::ZERO });
    assert_eq!(action(3000), Action::Renew(RENEW_SOON));
    assert_eq!(action(3300), Action::Renew(RENEW_DUE));
    assert_eq!(action(3570), Action::Renew(RENEW_DEAD));
    assert_eq!(action(-3600), Action::Renew(RENEW_DUE), "odd is as due");
    assert_eq!(decided(Facts::about(None, RECEIVED)).action, Action::Renew(RENEW_DEAD));
}

#[test]
fn the_plans_are_those_of_the_table() {
    let plan = |plan: Plan| (plan.wait.as_secs(), plan.attempts, plan.budget.as_secs());
    assert_eq!(plan(RENEW_SOON), (0, 1, 4));
    assert_eq!(plan(RENEW_DUE), (3, 2, 8));
    assert_eq!(plan(RENEW_DEAD), (14, 2, 13));
}

#[test]
fn a_recent_failure_stands_for_another_attempt() {
    let entry = known(3600);
    let action = |entry, seconds| {
        let failure = failure(after(seconds));
        let on_record = || Some(failure.clone());
        decided(Facts { failure: &on_record, ..Facts::about(entry, after(seconds)) }).action
    };
    assert_eq!(action(Some(&entry), 0), Action::Answer { pause: Duration::ZERO });
    assert_eq!(action(Some(&entry), 3000), Action::Answer { pause: Duration::ZERO });
    assert_eq!(action(Some(&entry), 3300), Action::AnswerAndWarn);
    assert_eq!(action(Some(&entry), -3600), Action::AnswerAndWarn);
    assert_eq!(action(Some(&entry), 3570), Action::Fail);
    assert_eq!(action(None, 0), Action::Fail);
}

#[test]
fn a_failure_holds_back_until_its_time_and_ends_a_wait_even_later() {
    let failure = failure(after(0));
    let action = |seconds, waiting_since| {
        let facts = Facts::about(None, after(seconds));
        let on_record = || Some(failure.clone());
        decided(Facts { failure: &on_record, waiting_since, ..facts }).action
    };
    assert_eq!(action(1, None), Action::Fail);
    assert_eq!(action(2, None), Action::Renew(RENEW_DEAD));
    assert_eq!(action(9, Some(after(-1))), Action::Fail);
    assert_eq!(action(9, Some(after(1))), Action::Renew(RENEW_DEAD));
}

#[test]
fn one_successful_call_a_minute_is_enough() {
    // Confirmed with four minutes left: a tenth of that, 24 s, passes before the next call.
    let mut entry = known(240);
    entry.renew_at = RECEIVED;
    let action = |seconds| decided(Facts::about(Some(&entry), after(seconds))).action;
    assert_eq!(action(23), Action::Answer { pause: Duration::ZERO });
    assert_eq!(action(24), Action::Renew(RENEW_SOON));
    let mut hour = known(3600);
    hour.renew_at = RECEIVED;
    assert_eq!(state(&hour, after(59)), State::Soon);
    assert_eq!(decided(Facts::about(Some(&hour), after(59))).reason, Reason::JustConfirmed);
    assert_eq!(decided(Facts::about(Some(&hour), after(60))).action, Action::Renew(RENEW_SOON));
}

const SERVED: Action = Action::Answer { pause: Duration::ZERO };

#[test]
fn a_token_that_may_die_too_soon_has_the_worker_asked_first() {
    let entry = known(3600);
    let action = |minutes, seconds| {
        let least_life = Duration::from_mins(minutes);
        let demand = Demand { least_life, ..Demand::default() };
        decided(Facts { demand, ..Facts::about(Some(&entry), after(seconds)) }).action
    };
    assert_eq!(action(20, 60), SERVED);
    assert_eq!(action(20, 2400), SERVED);
    assert_eq!(action(20, 2401), Action::Renew(RENEW_WANTED));
    assert_eq!(RENEW_WANTED.otherwise, Otherwise::AnswerAndWarn);
    assert_eq!(action(90, 59), SERVED, "the worker has just been asked");
}

#[test]
fn an_entry_remembers_what_it_replaced() {
    let mut entry = entry("ghs_0", None, 0.0);
    for index in 1..=6 {
        let next = grant(&format!("ghs_{index}"), None, after(index * 1000));
        entry = entry_for(next, Some(&entry), 0.0);
        let again = grant(&format!("ghs_{index}"), None, after(index * 1000 + 1));
        entry = entry_for(again, Some(&entry), 0.0);
    }
    for known in 0..6 {
        assert!(entry.predecessors.contains(secret(&format!("ghs_{known}")).hash()), "{known}");
    }
    assert!(!entry.predecessors.contains(secret("ghs_6").hash()), "that is the token itself");
    for index in 7..200 {
        let next = grant(&format!("ghs_{index}"), None, after(index * 1000));
        entry = entry_for(next, Some(&entry), 0.0);
    }
    assert!(entry.predecessors.contains(secret("ghs_120").hash()));
    assert!(!entry.predecessors.contains(secret("ghs_0").hash()), "the list is bounded");
    assert!(serde_json::to_string(&entry).unwrap().len() < 2000);
}

#[test]
fn every_input_has_an_answer_at_the_ends_of_time() {
    let moments = [i64::MIN, i64::MIN + 1, -1, 0, 1, RECEIVED.millis(), i64::MAX - 1, i64::MAX];
    let moments = moments.map(Timestamp::from_millis);
    for first_seen in moments {
        for confirmed_at in moments {
            for expires in moments.map(Some).into_iter().chain([None]) {
                let times = Entry { first_seen, confirmed_at, expires, ..known(3600) };
                let entry = Entry { renew_at: confirmed_at, ..times };
                for now in moments {
                    let record = refused(1, first_seen).refused(now, None);
                    for evidence in [Evidence::None, Evidence::Hint, Evidence::Refused] {
                        let facts = Facts::about(Some(&entry), now);
                        decided(Facts { at_host: Some(&record), evidence, ..facts });
                    }
                    let decision = decided(Facts::about(Some(&entry), now));
                    let dead = expires.is_some_and(|expires| now >= expires);
                    assert!(!dead || decision.state == State::Dead, "{entry:?} at {now:?}");
                    let grant = grant("ghs_known", None, now);
                    entry_for(grant, Some(&entry), 1.0);
                    died_before(&entry, now);
                }
            }
        }
    }
}

#[test]
fn a_drawn_moment_from_disk_cannot_keep_a_token_fresh_too_long() {
    let mut entry = known(3600);
    entry.renew_at = Timestamp::from_millis(i64::MAX);
    border(&entry, 3000, State::Fresh, State::Soon);
}

#[test]
fn a_newer_token_that_is_wanted_is_asked_for_whatever_is_cached_or_on_record() {
    let (entry, old, new) = (unknown(), failure(after(9)), failure(after(10)));
    let action = |failure: Option<&FailureRecord>, newer_than: Option<Timestamp>| {
        let on_record = || failure.cloned();
        let respects_failures = newer_than.is_none();
        let demand = Demand { newer_than, respects_failures, ..Demand::default() };
        let facts = Facts::about(Some(&entry), after(10));
        decided(Facts { failure: &on_record, demand, ..facts }).action
    };
    let answer = Action::Answer { pause: Duration::ZERO };
    assert_eq!(action(Some(&old), None), answer);
    assert_eq!(action(Some(&old), Some(after(10))), Action::Renew(RENEW_DEAD));
    // Another process was refused, or got one, after it was wanted.
    assert_eq!(action(Some(&new), Some(after(10))), Action::Fail);
    assert_eq!(action(None, Some(after(0))), answer);
}

#[test]
fn a_life_tells_the_borders_that_the_states_have() {
    for entry in [known(3600), unknown(), entry(LONG_LIVED, None, 0.0), entry("ghs_a", None, 1.0)] {
        let Life { most, renew_at, .. } = Life::of(&entry);
        let before = |moment: Timestamp| state(&entry, moment.shifted(-1));
        assert_eq!((before(renew_at), state(&entry, renew_at)), (State::Fresh, State::Soon));
        assert!(most.is_none_or(|most| before(most) == State::Dead));
    }
}
