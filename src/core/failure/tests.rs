use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn failure(retry: Retry) -> Failure {
    Failure::new(Name::WorkerError, retry, "the worker broke", "look at it")
}

fn record(retry: Retry, draw: f64) -> FailureRecord {
    FailureRecord::new(failure(retry), None, draw, NOW)
}

/// The waits of seven failures in a row, in seconds.
fn waits(retry: Retry, usable: bool) -> Vec<u64> {
    let mut streak = record(retry, 0.5);
    let mut waits = vec![streak.until(usable).since(NOW).as_secs()];
    for _ in 1..7 {
        streak = FailureRecord::new(failure(retry), Some(&streak), 0.5, NOW);
        waits.push(streak.until(usable).since(NOW).as_secs());
    }
    waits
}

#[test]
fn transient_failures_back_off_to_a_bound() {
    assert_eq!(waits(Retry::AtOnce, false), [2, 4, 8, 15, 15, 15, 15]);
    assert_eq!(waits(Retry::Later, true), [2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn definite_failures_wait_a_minute_or_with_a_usable_token_five() {
    assert_eq!(waits(Retry::WhenMended, false), [60; 7]);
    assert_eq!(waits(Retry::WhenMended, true), [300; 7]);
}

#[test]
fn the_draw_spreads_by_half_either_way() {
    assert_eq!(record(Retry::AtOnce, 0.0).until.millis_since(NOW), 1000);
    assert_eq!(record(Retry::AtOnce, 1.0).until.millis_since(NOW), 3000);
}

#[test]
fn retry_after_is_honoured_up_to_five_minutes_and_never_shortens_the_wait() {
    for (asked, granted) in [(0, 2), (1, 2), (120, 120), (300, 300), (1_000_000_000, 300)] {
        let failure = failure(Retry::Later).asking_to_wait(Some(Duration::from_secs(asked)));
        let record = FailureRecord::new(failure, None, 0.5, NOW);
        assert_eq!(record.until.since(NOW).as_secs(), granted);
        assert_eq!(record.until_usable, record.until);
    }
}

#[test]
fn a_record_answers_until_it_is_time_to_ask_again() {
    let record = record(Retry::WhenMended, 0.5);
    let answers = |usable, seconds: i64| record.answers(usable, None, NOW.shifted(seconds * 1000));
    assert!(answers(false, 0) && answers(false, 59) && !answers(false, 60));
    assert!(answers(true, 60) && answers(true, 299) && !answers(true, 300));
}

#[test]
fn a_failure_during_my_wait_is_my_answer_however_late_i_look() {
    let record = record(Retry::AtOnce, 0.5);
    let late = record.until.plus(Duration::from_secs(9));
    assert!(record.answers(false, Some(NOW), late));
    assert!(!record.answers(false, Some(NOW.shifted(1)), late));
}

#[test]
fn a_clock_set_back_voids_the_record() {
    let record = record(Retry::WhenMended, 1.0);
    assert!(!record.answers(true, None, NOW.minus(Duration::from_hours(2))));
    assert!(!record.answers(true, None, Timestamp::from_millis(i64::MIN)));
}

#[test]
fn a_moment_from_disk_cannot_silence_a_machine_for_ever() {
    let mut record = record(Retry::AtOnce, 0.5);
    record.until = Timestamp::from_millis(i64::MAX);
    assert!(!record.answers(false, None, NOW.plus(LONGEST_WAIT)));
}

#[test]
fn a_streak_ends_after_five_quiet_minutes() {
    let first = record(Retry::AtOnce, 0.5);
    let later = first.until_usable.plus(LONGEST_WAIT);
    let next = |now| FailureRecord::new(failure(Retry::AtOnce), Some(&first), 0.5, now).count;
    assert_eq!((next(later.shifted(-1)), next(later)), (2, 1));
}

#[test]
fn names_are_what_the_records_say() {
    for name in Name::ALL {
        assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{name}\""));
    }
}

#[test]
fn a_retold_failure_says_when_it_will_be_tried_again() {
    let record = record(Retry::WhenMended, 0.5);
    assert_eq!(
        record.retold(false, NOW.plus(Duration::from_secs(20))).to_string(),
        "the worker broke (20 s ago); look at it; will be tried again in 40 s, or at once: git \
         credential-gastown refresh [worker-error]"
    );
}
