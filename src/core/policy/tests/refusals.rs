//! What follows from refusals and hints, for the worker's token and for configured ones.

use super::*;

/// What is decided at a moment about a token that lives for an hour from `RECEIVED`.
fn about(record: &HostRecord, evidence: Evidence, seconds: i64) -> Action {
    let entry = known(3600);
    let facts = Facts::about(Some(&entry), after(seconds));
    decided(Facts { at_host: Some(record), evidence, ..facts }).action
}

#[test]
fn a_refusal_has_the_worker_asked_and_the_token_served_if_there_is_no_other() {
    let record = refused(1, after(600));
    assert_eq!(about(&record, Evidence::None, 600), Action::Renew(RENEW_REFUSED));
    assert_eq!(RENEW_REFUSED.otherwise, Otherwise::AnswerAndWarn);
    let asked = record.asked(Evidence::None, after(601));
    assert_eq!(about(&asked, Evidence::None, 602), SERVED);
    assert_eq!(about(&asked, Evidence::None, 661), Action::Renew(RENEW_REFUSED));
}

#[test]
fn only_the_command_that_was_refused_itself_ends() {
    let record = refused(1, after(600));
    assert_eq!(about(&record, Evidence::Refused, 600), Action::Renew(RENEW_REJECTED));
    assert_eq!(RENEW_REJECTED.otherwise, Otherwise::Reject);
    let asked = record.asked(Evidence::None, after(601));
    assert_eq!(about(&asked, Evidence::Refused, 602), Action::Reject);
    assert_eq!(about(&asked, Evidence::Hint, 602), SERVED);
    assert_eq!(about(&asked, Evidence::None, 602), SERVED);
    let unwritten = HostRecord::default();
    assert_eq!(about(&unwritten, Evidence::Refused, 600), Action::Renew(RENEW_REJECTED));
}

#[test]
fn the_worker_is_asked_about_a_refusal_after_1_2_4_and_then_every_5_minutes() {
    let (mut record, mut asks) = (refused(1, after(120)), Vec::new());
    for second in 120..1900 {
        record = record.refused(after(second), None);
        if let Action::Renew(_) = about(&record, Evidence::None, second) {
            record = record.asked(Evidence::None, after(second));
            asks.push((second - 120) / 60);
        }
    }
    assert_eq!(asks, [0, 1, 3, 7, 12, 17, 22, 27]);
}

#[test]
fn a_token_handed_out_again_after_the_refusal_counts_as_asked() {
    let mut entry = known(3600);
    entry.confirmed_at = after(605);
    let record = refused(1, after(600));
    let action = |seconds| {
        let facts = Facts::about(Some(&entry), after(seconds));
        decided(Facts { at_host: Some(&record), ..facts }).action
    };
    assert_eq!(action(606), SERVED);
    assert_eq!(action(665), Action::Renew(RENEW_REFUSED));
}

#[test]
fn a_failure_on_record_serves_a_refused_token_and_ends_a_command_that_was_refused() {
    let (entry, record) = (known(3600), refused(1, after(600)));
    let action = |evidence| {
        let on_record = || Some(failure(after(600)));
        let facts = Facts { failure: &on_record, ..Facts::about(Some(&entry), after(600)) };
        decided(Facts { at_host: Some(&record), evidence, ..facts }).action
    };
    assert_eq!(action(Evidence::None), Action::AnswerAndWarn);
    assert_eq!(action(Evidence::Refused), Action::Reject);
}

#[test]
fn a_refused_token_is_renewed_by_its_age_all_the_same() {
    let asked = refused(1, after(3290)).asked(Evidence::None, after(3290));
    assert_eq!(about(&asked, Evidence::None, 3300), Action::Renew(RENEW_DUE));
    assert_eq!(about(&asked, Evidence::None, 3570), Action::Renew(RENEW_DEAD));
}

#[test]
fn one_refusal_in_the_first_minute_may_be_lag_and_waits_2_seconds() {
    let once = refused(1, after(1));
    for evidence in [Evidence::None, Evidence::Refused] {
        let action = |seconds| about(&once, evidence, seconds);
        assert_eq!(action(1), Action::Answer { pause: Duration::from_secs(2) });
        assert_eq!(action(2), Action::Answer { pause: Duration::from_secs(1) });
        assert_eq!(action(59), SERVED);
    }
    assert_eq!(about(&once, Evidence::None, 60), Action::Renew(RENEW_REFUSED));
    let twice = refused(2, after(3));
    assert_eq!(about(&twice, Evidence::None, 3), Action::Renew(RENEW_REFUSED), "not lag");
    let late = refused(1, after(60));
    assert_eq!(about(&late, Evidence::None, 60), Action::Renew(RENEW_REFUSED), "too late for lag");
    let short = known(10);
    let facts = Facts { at_host: Some(&once), ..Facts::about(Some(&short), after(1)) };
    assert_eq!(decided(facts).state, State::Suspect, "a tenth of a short life");
}

#[test]
fn a_hint_has_the_worker_asked_unless_it_has_just_handed_the_token_out() {
    let none = HostRecord::default();
    assert_eq!(about(&none, Evidence::Hint, 59), SERVED);
    assert_eq!(about(&none, Evidence::Hint, 60), Action::Renew(RENEW_HINTED));
    assert_eq!(RENEW_HINTED.otherwise, Otherwise::Answer);
    let asked = none.asked(Evidence::Hint, after(600));
    assert_eq!(about(&asked, Evidence::Hint, 659), SERVED);
    assert_eq!(about(&asked, Evidence::Hint, 660), Action::Renew(RENEW_HINTED));
}

#[test]
fn a_hint_does_not_keep_a_refusal_from_being_asked_about() {
    let record = HostRecord::default().asked(Evidence::Hint, after(600));
    let record = record.refused(after(601), None);
    assert_eq!(about(&record, Evidence::None, 601), Action::Renew(RENEW_REFUSED));
}

#[test]
fn a_hint_waits_after_an_ask_about_a_refusal_and_longer_after_several() {
    let asked = |record: HostRecord| record.asked(Evidence::Refused, after(600));
    let (once, repeatedly) = (asked(HostRecord::default()), asked(asked(HostRecord::default())));
    let border = |record: &HostRecord, seconds: i64| {
        assert_eq!(about(record, Evidence::Hint, 600 + seconds - 1), SERVED);
        assert_eq!(about(record, Evidence::Hint, 600 + seconds), Action::Renew(RENEW_HINTED));
    };
    border(&once, 60);
    border(&once.inherited(), 60);
    border(&repeatedly, 600);
    border(&repeatedly.inherited().accepted(), 60);
}

#[test]
fn a_repository_that_refuses_what_others_accept_costs_less_than_20_calls_an_hour() {
    let (mut record, mut asks) = (HostRecord::default(), 0);
    for second in (120..120 + 3600).step_by(65) {
        record = record.refused(after(second), None);
        if let Action::Renew(_) = about(&record, Evidence::Refused, second) {
            record = record.asked(Evidence::Refused, after(second)).inherited().accepted();
            asks += 1;
        }
    }
    assert!((10..20).contains(&asks), "{asks}");
}

#[test]
fn a_refused_long_lived_token_is_passed_over_for_5_minutes_doubling_to_an_hour() {
    let decided = |refusals, minutes: i64| {
        let record = refused(refusals, after(0));
        let now = after(60 * minutes);
        decide_configured(true, Some(&record), Evidence::None, now)
    };
    let border = |refusals, minutes| {
        assert_eq!(decided(refusals, minutes - 1), Configured::PassOver, "{refusals}");
        assert_eq!(decided(refusals, minutes), Configured::Use, "{refusals}");
    };
    border(1, 5);
    border(2, 10);
    border(3, 20);
    border(4, 40);
    border(5, 60);
    border(u32::MAX, 60);
}

#[test]
fn a_refused_snapshot_is_never_used_again() {
    let record = refused(1, after(0));
    let decided = |record, evidence| decide_configured(false, record, evidence, after(1_000_000));
    assert_eq!(decided(Some(&record), Evidence::None), Configured::Never);
    assert_eq!(decided(None, Evidence::Refused), Configured::Never);
    assert_eq!(decided(None, Evidence::None), Configured::Use);
}
