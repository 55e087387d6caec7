//! What git is told of a token's end: the moment in terms of the local clock if the worker told it
//! in any of its forms, whatever the worker's clock says; and nothing otherwise, because git throws
//! away a token whose moment has passed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::town::{Expiry, Home, RIG, Ran, Rig, Town};
use crate::transcript::*;

const FORMS: [Expiry; 5] = [
    Expiry::ExpiresAt,
    Expiry::ExpiresAtMillis,
    Expiry::ExpiresAtText,
    Expiry::ExpiresIn,
    Expiry::TopLevelExpiresAt,
];

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
    i64::try_from(since.as_secs()).expect("years to go")
}

/// The seconds that are left by what git is told.
fn left(ran: &Ran) -> Option<i64> {
    token(ran);
    let told = value(ran, "password_expiry_utc")?;
    Some(told.parse::<i64>().unwrap_or_else(|_| panic!("whole seconds\n{ran:?}")) - now())
}

/// That so many seconds are left, give or take the roundings on the way: late by none.
#[track_caller]
fn assert_left(ran: &Ran, seconds: i64) {
    let left = left(ran).unwrap_or_else(|| panic!("no expiry\n{ran:?}"));
    assert!((seconds - 5..=seconds + 1).contains(&left), "{left} s left, not {seconds}\n{ran:?}");
}

fn asked(expiry: &Expiry, age: Duration) -> (Town, Home) {
    let town = Town::start();
    town.worker.set_expiry(expiry.clone());
    town.worker.prime(RIG, age);
    let home = agent(&town);
    (town, home)
}

#[test]
fn an_expiry_in_every_form_reaches_git() {
    for form in FORMS {
        for minutes in [0, 15, 29] {
            let (town, home) = asked(&form, minutes * MINUTE);
            assert_left(&get(&home, &town), 60 * (60 - i64::from(minutes)));
        }
    }
}

#[test]
fn a_cached_answer_tells_the_same_moment() {
    let (town, home) = asked(&Expiry::ExpiresAt, Duration::ZERO);
    assert_left(&get(&home, &town), 3600);
    let_pass(&town, &home, 30 * MINUTE);
    assert_left(&get(&home, &town), 1800);
    assert_eq!(calls(&town), (1, 0));
}

#[test]
fn the_answer_keeps_its_order() {
    let (town, home) = asked(&Expiry::ExpiresAt, Duration::ZERO);
    let ran = get(&home, &town);
    let told = value(&ran, "password_expiry_utc").expect("it was told");
    let expected = format!("{}password_expiry_utc={told}\n", credential(&token(&ran)));
    assert_silently(&ran, &expected);
}

#[test]
fn an_unknown_expiry_is_not_made_up() {
    let (town, home) = asked(&Expiry::None, 15 * MINUTE);
    assert_eq!(left(&get(&home, &town)), None);
    let town = Town::start();
    town.worker.set_expiry(Expiry::ExpiresAt);
    town.worker.add_rig(RIG, Rig::Pat("ghp_mine".to_owned()));
    assert_silently(&get(&agent(&town), &town), &credential("ghp_mine"));
}

#[test]
fn a_worker_whose_clock_is_off_is_understood_by_its_date() {
    for form in FORMS {
        for skew in [-7200, -90, 90, 7200] {
            let (town, home) = asked(&form, 20 * MINUTE);
            town.worker.set_clock_skew(skew);
            let (first, cached) = (get(&home, &town), get(&home, &town));
            assert_left(&first, 2400);
            assert_left(&cached, 2400);
            assert_eq!(calls(&town).0, 1, "{form:?}, {skew}");
        }
    }
}

#[test]
fn an_expiry_that_has_passed_or_is_not_sane_counts_as_unknown() {
    let later = (now() + 86_400) * 1000;
    for fields in [
        json!({ "expires_at": "soon" }),
        json!({ "expires_at": "" }),
        json!({ "expires_at": null }),
        json!({ "expires_at": true }),
        json!({ "expires_at": { "at": 1 } }),
        json!({ "expires_at": [1] }),
        json!({ "expires_at": -1 }),
        json!({ "expires_at": 1e300 }),
        json!({ "expires_at": "9999-12-31T23:59:59Z" }),
        json!({ "expires_at": "2001-01-01T00:00:00Z" }),
        json!({ "expiresAt": (now() - 60) * 1000 }),
        json!({ "expires_at": "2199-01-01T00:00:00Z" }),
        json!({ "expires_at": "9999-99-99T99:99:99Z" }),
        json!({ "expiresAt": later }),
        json!({ "expiresAt": 1e300 }),
        json!({ "expiresAt": i64::MAX }),
        json!({ "expiresAt": -1 }),
        json!({ "expiresAt": 0 }),
        json!({ "expires_in": 1e300 }),
        json!({ "expires_in": 86_400 }),
        json!({ "expires_in": "3600s" }),
        json!({ "expires_in": "3600" }),
        json!({ "expires_in": -5 }),
        json!({ "expires_in": 0 }),
    ] {
        let (town, home) = asked(&Expiry::Literal(fields.clone()), Duration::ZERO);
        let ran = get(&home, &town);
        assert_silently(&ran, &credential(&town.worker.token_for(RIG)));
        assert_silently(&get(&home, &town), &ran.stdout);
        assert_eq!(calls(&town), (1, 0), "{fields} is cached like any other");
    }
}
