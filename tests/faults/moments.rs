//! Clocks that go wrong and expiries that cannot be: none leads to a loop or a call too many.

use std::time::Duration;

use serde_json::json;

use crate::scene::*;
use crate::town::Expiry;

#[test]
fn a_clock_that_was_set_back_leads_to_a_renewal_and_costs_no_token() {
    for (back, age) in [(2 * HOUR, FRESH), (26 * HOUR, FRESH)] {
        let (scene, old) = Scene::with_token(age);
        scene.set_clock_back(back);
        scene.worker.go_down();
        scene.get().warns(&old, "worker-unreachable").mentions("the clock went back");
        assert!(scene.record("failure").is_some());
        scene.worker.come_up();
        scene.let_pass(90 * SECOND);
        scene.get().answers(&scene.current());
        scene.get().answers(&scene.current());
        assert_eq!(scene.calls(), 1);
    }
}

#[test]
fn a_token_that_the_worker_hands_out_for_over_an_hour_is_warned_of_once_a_minute() {
    let (scene, old) = Scene::with_token(MINUTE);
    scene.worker.stuck_on(&old);
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
fn a_token_with_minutes_to_live_is_used_without_asking_all_the_time() {
    let minutes = Expiry::Literal(json!({ "expires_in": 240 }));
    let scene = Scene::new();
    scene.worker.set_expiry(minutes);
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
