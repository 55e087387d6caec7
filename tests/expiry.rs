//! What git is told of a token's end: the moment in terms of the local clock if the worker told it,
//! and nothing otherwise, because git throws away a token whose moment has passed.

use std::time::Duration;

use serde_json::json;

use crate::scene::*;
use crate::town::clock::real_now;
use crate::town::{Expiry, RIG, Ran, Rig};

/// Asserts that so many seconds are left by what git is told, give or take the roundings on the
/// way: late by none.
#[track_caller]
fn assert_left(ran: &Ran, seconds: i64) {
    let told = ran.value("password_expiry_utc").and_then(|told| told.parse::<i64>().ok());
    let left = told.unwrap_or_else(|| panic!("no expiry\n{ran:?}")) - real_now() / 1000;
    assert!((seconds - 5..=seconds + 1).contains(&left), "{left} s left, not {seconds}\n{ran:?}");
}

/// Where the worker tells the expiry in this form, and its cached token is that old.
fn told(expiry: &Expiry, age: Duration) -> Scene {
    let scene = Scene::new();
    scene.worker.set_expiry(expiry.clone());
    scene.worker.prime(RIG, age);
    scene
}

#[test]
fn a_cached_answer_tells_the_same_moment_and_keeps_its_order() {
    let scene = told(&Expiry::ExpiresAt, Duration::ZERO);
    let ran = scene.get();
    assert_left(&ran, 3600);
    let expiry = ran.value("password_expiry_utc").expect("it was told");
    ran.prints(&format!("{}password_expiry_utc={expiry}\n", credential(&ran.token())));
    scene.let_pass(30 * MINUTE);
    assert_left(&scene.get(), 1800);
    assert_eq!(scene.both_calls(), (1, 0));
}

#[test]
fn an_unknown_expiry_is_not_made_up() {
    let scene = told(&Expiry::None, 15 * MINUTE);
    scene.get().prints(&credential(&scene.current()));
    let scene = told(&Expiry::ExpiresAt, 15 * MINUTE);
    scene.worker.add_rig(RIG, Rig::Pat("ghp_mine".to_owned()));
    scene.get().prints(&credential("ghp_mine"));
}

#[test]
fn a_worker_whose_clock_is_off_is_understood_by_its_date() {
    for skew in [-7200, -90, 90, 7200] {
        let scene = told(&Expiry::ExpiresAt, 20 * MINUTE);
        scene.worker.set_clock_skew(skew);
        assert_left(&scene.get(), 2400);
        assert_left(&scene.get(), 2400);
        assert_eq!(scene.calls(), 1, "{skew}");
    }
}

#[test]
fn an_expiry_that_has_passed_or_is_not_sane_counts_as_unknown() {
    for fields in [
        json!({ "expires_at": "soon" }),
        json!({ "expires_at": "2001-01-01T00:00:00Z" }),
        json!({ "expiresAt": real_now() - 60_000 }),
        json!({ "expiresAt": real_now() + 86_400_000 }),
        json!({ "expires_in": -5 }),
    ] {
        let scene = told(&Expiry::Literal(fields.clone()), Duration::ZERO);
        for age in [Duration::ZERO, SOON] {
            scene.let_pass(age);
            scene.worker.forget_calls();
            scene.worker.forget(RIG);
            scene.get().prints(&credential(&scene.current()));
            scene.get().prints(&credential(&scene.current()));
            assert_eq!(scene.calls(), 1, "{fields} is cached like any other");
        }
    }
}
