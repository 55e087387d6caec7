//! No ask gets a dead token, however old the worker's token is when it is first handed out and
//! however the asks are spread; and few asks reach the worker.

use std::time::Duration;

use crate::scene::*;
use crate::town::{Expiry, RIG, Rig, Verdict};

const AGES: [u32; 3] = [0, 15, 29];
/// Half the lives that a token has at the least when it comes, rounded up.
const MOST_CALLS: usize = 9;

/// Moments at which somebody asks, in seconds: now and then, as people push.
const NOW_AND_THEN: [u64; 11] = [0, 1, 840, 900, 1200, 2401, 2460, 4199, 4200, 5700, 6000];
/// Around the ends of 29, 30, 31, 45 and 60 minutes, with nobody asking in between.
const AT_THE_WORST: [u64; 16] =
    [0, 1739, 1740, 1799, 1801, 1859, 1861, 2699, 2701, 3539, 3541, 3599, 3601, 5399, 5401, 6000];

/// Asks at these moments; the worker's cached token has that age at the first of them.
#[track_caller]
fn ask_through(age: u32, expiry: &Expiry, moments: impl IntoIterator<Item = u64>) {
    let scene = Scene::new();
    scene.worker.set_expiry(expiry.clone());
    scene.worker.prime(RIG, age * MINUTE);
    let mut passed = 0;
    for moment in moments {
        scene.let_pass(Duration::from_secs(moment - passed));
        passed = moment;
        let ran = scene.get();
        let verdict = scene.github.judge(&ran.token());
        assert_eq!(verdict, Verdict::Live, "{age} min old, after {passed} s\n{ran:?}");
        assert_eq!(ran.stderr, "", "{age} min old, after {passed} s\n{ran:?}");
    }
    assert_eq!(passed, 6000, "the asks cover 100 minutes");
    let asked = scene.calls();
    assert!(asked <= MOST_CALLS, "{age} min old: {asked} calls");
}

fn every(seconds: u64) -> impl Iterator<Item = u64> {
    (0..=6000 / seconds).map(move |count| count * seconds)
}

#[test]
fn every_ask_of_100_minutes_gets_a_live_token_whatever_its_age_and_expiry() {
    at_once(&AGES, |age| {
        for expiry in [Expiry::None, Expiry::ExpiresAt] {
            ask_through(*age, &expiry, every(60));
            ask_through(*age, &expiry, NOW_AND_THEN);
            ask_through(*age, &expiry, AT_THE_WORST);
            // Nobody asked before, so nobody renewed before.
            AT_THE_WORST.iter().for_each(|moment| ask_through(*age, &expiry, [0, *moment, 6000]));
        }
    });
}

#[test]
fn a_personal_token_is_asked_for_again_every_half_hour_only() {
    let scene = Scene::new();
    scene.worker.add_rig(RIG, Rig::Pat("ghp_mine".to_owned()));
    for _ in 0..=100 {
        scene.get().answers("ghp_mine");
        scene.let_pass(MINUTE);
    }
    assert_eq!(scene.both_calls(), (4, 0), "at 0, 30, 60 and 90 minutes");
}
