//! Clocks that go wrong and expiries that cannot be: what is told is believed only as far as it
//! makes sense, and none of it leads to a loop, a call too many, or a token that git throws away.

use std::time::Duration;

use serde_json::json;

use crate::scene::*;
use crate::town::clock::{millis, real_now, rfc3339};
use crate::town::{Expiry, RIG};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn in_seconds(moment: i64) -> i64 {
    (moment - real_now()) / 1000
}

/// The expiry in an answer, in seconds from now.
fn expires_in(ran: &Seen) -> Option<i64> {
    ran.token();
    let line = ran.0.stdout.lines().find_map(|line| line.strip_prefix("password_expiry_utc="))?;
    Some(line.parse::<i64>().expect("seconds") - real_now() / 1000)
}

#[test]
fn a_clock_that_was_set_back_leads_to_a_renewal_and_costs_no_token() {
    for (back, age) in [(2 * HOUR, FRESH), (26 * HOUR, FRESH)] {
        let (scene, old) = Scene::with_token(age);
        scene.set_clock_back(back);
        scene.town.worker.go_down();
        scene.get().warns(&old, "worker-unreachable").mentions("the clock went back");
        assert!(scene.record("failure").is_some());
        scene.town.worker.come_up();
        scene.let_pass(90 * SECOND);
        scene.get().answers(&scene.current());
        let renewed = scene.record("token").expect("it is cached");
        assert!(in_seconds(renewed["confirmed_at"].as_i64().expect("a moment")) < 1);
        assert_eq!(scene.calls(), 1);
    }
}

#[test]
fn without_an_expiry_a_token_is_renewed_after_fourteen_to_nineteen_minutes() {
    let scene = Scene::new();
    let ran = scene.get();
    ran.answers(&scene.current());
    assert_eq!(expires_in(&ran), None, "nobody told, so git is told nothing");
    let entry = scene.record("token").expect("it is cached");
    assert_eq!(entry["first_seen"], entry["confirmed_at"]);
    let renewal = in_seconds(entry["renew_at"].as_i64().expect("a moment"));
    assert!((14 * 60 - 60..=19 * 60).contains(&renewal), "{renewal} s");
}

#[test]
fn a_token_that_is_confirmed_again_is_no_younger_for_it() {
    let (scene, old) = Scene::with_token(SOON);
    scene.get().answers(&old);
    assert_eq!(scene.calls(), 1);
    let entry = scene.record("token").expect("it is cached");
    let first_seen = in_seconds(entry["first_seen"].as_i64().expect("a moment"));
    assert!((-22 * 60..=-21 * 60).contains(&first_seen), "{first_seen} s");
    assert!(in_seconds(entry["confirmed_at"].as_i64().expect("a moment")) > -30);
}

#[test]
fn a_token_that_the_worker_hands_out_for_over_an_hour_is_warned_of_once_a_minute() {
    let (scene, old) = Scene::with_token(MINUTE);
    scene.town.worker.stuck_on(&old);
    scene.let_pass(64 * MINUTE);
    let first = scene.get();
    first.warns_of(&old, &["first handed out an hour ago"]);
    assert_eq!(scene.calls(), 1);
    for ran in scene.herd(10) {
        ran.answers(&old);
    }
    assert_eq!(scene.calls(), 1);
}

#[test]
fn token_with_an_expiry_in_the_past_is_used() {
    let passed = Expiry::Literal(json!({ "expires_at": rfc3339(real_now() - millis(MINUTE)) }));
    for age in [SOON, DEAD] {
        let (scene, _) = Scene::with_token(age);
        scene.town.worker.set_expiry(passed.clone());
        let ran = scene.get();
        ran.answers(&scene.current());
        assert_eq!(expires_in(&ran), None);
        assert_eq!((scene.calls(), scene.record("failure")), (1, None));
    }
}

#[test]
fn a_token_with_minutes_to_live_is_used_without_asking_all_the_time() {
    let minutes = Expiry::Literal(json!({ "expires_in": 240 }));
    let scene = Scene::new();
    scene.town.worker.set_expiry(minutes);
    let token = scene.get().token();
    for ran in scene.herd(10) {
        assert_eq!(ran.token(), token);
    }
    assert_eq!(scene.calls(), 1);
    // Its margins are as short as its life: 60 s before its end it is due at the latest.
    scene.let_pass(Duration::from_secs(200));
    scene.get().token();
    assert_eq!(scene.calls(), 2);
    for ran in scene.herd(10) {
        ran.token();
    }
    assert_eq!(scene.calls(), 2, "once in a tenth of its life");
}

#[test]
fn an_erased_token_is_replaced_with_one_call_and_a_hundred_old_erasures_change_nothing() {
    let (scene, old) = Scene::with_token(2 * MINUTE);
    scene.town.github.revoke_all();
    scene.erase(&old).assert_proper();
    let new = scene.get().token();
    assert_ne!(new, old);
    assert_eq!(scene.refusals(), 1);
    for _ in 0..20 {
        scene.erase(&old).assert_proper();
        scene.get().answers(&new);
    }
    assert_eq!(scene.calls(), 1);
}

#[test]
fn a_young_token_that_a_hundred_fetches_erase_is_asked_about_once_and_a_minute_later() {
    let scene = Scene::new();
    let token = scene.get().token();
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| scene.erase(&token));
        }
    });
    let refusals = scene.record("host").expect("on record")["refusals"].as_u64();
    assert!(refusals.is_some_and(|count| count <= 2), "{refusals:?}");
    scene.get().answers(&token);
    assert_eq!(scene.calls(), 1, "it may not be known everywhere yet");
    scene.let_pass(61 * SECOND);
    scene.get().token();
    assert_eq!(scene.calls(), 2);
}

#[test]
fn a_worker_that_insists_on_a_rejected_token_is_asked_once_a_minute_and_nobody_goes_without() {
    let (scene, old) = Scene::with_token(2 * MINUTE);
    scene.town.worker.stuck_on(&old);
    scene.erase(&old).assert_proper();
    scene.get().warns(&old, "token-rejected").mentions("doctor");
    scene.let_pass(3 * SECOND);
    scene.erase(&old).assert_proper();
    for ran in scene.herd(20) {
        ran.answers(&old);
    }
    assert_eq!(scene.calls(), 1, "once a minute is enough");
    scene.town.worker.unstuck();
    scene.town.worker.forget(RIG);
    scene.let_pass(61 * SECOND);
    assert_ne!(scene.get().token(), old);
}

#[test]
fn a_token_is_erased_while_somebody_waits_for_the_worker() {
    let (scene, old) = Scene::with_token(SOON);
    scene.town.worker.hold();
    std::thread::scope(|scope| {
        scope.spawn(|| scene.get());
        scene.town.worker.await_git_token_calls(1);
        scene.erase(&old).assert_proper().within(..2 * SECOND);
        assert!(scene.record("host").is_some());
        assert_eq!(scene.calls(), 1);
        scene.town.worker.release();
    });
}
