//! The worker's answers against its contract, row by row, and how old its tokens may be.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ask, container_token_path, failure, git_token, git_token_path, post, send};
use crate::town::{Expiry, Options, RIG, Rig, Town, Verdict};
use crate::transcript::{HOUR, MINUTE};

#[test]
fn every_refusal_is_worded_as_in_the_contract() {
    let town = Town::start();
    let worker = &town.worker;
    worker.add_rig("rig-without", Rig::NoToken);
    let good = worker.container_token();
    let expired = worker.container_token_issued(9 * HOUR);
    let foreign = worker.container_token_of_town("town-2");
    let forged = worker.container_token_badly_signed();
    let empty = worker.container_token_without_claims();
    let (git, container) = (git_token_path(RIG), container_token_path());
    let (unknown, without) = (git_token_path("rig-9"), git_token_path("rig-without"));
    for (path, bearer, status, error) in [
        (&git, None, 401, "Authentication required"),
        (&git, Some(&expired), 401, "Token expired"),
        (&git, Some(&forged), 401, "Invalid token signature"),
        (&git, Some(&empty), 401, "Invalid token payload"),
        (&git, Some(&"opaque".to_owned()), 401, "Token validation failed"),
        (&git, Some(&foreign), 403, "Cross-town access denied"),
        (&unknown, Some(&good), 404, "Rig not found"),
        (&without, Some(&good), 404, "No git token available for this rig"),
        (&container, None, 401, "Authentication required"),
        (&container, Some(&forged), 401, "Invalid token signature"),
        (&container, Some(&foreign), 403, "Cross-town access denied"),
    ] {
        let reply = post(worker, path, bearer.map(String::as_str)).expect("the worker answers");
        assert_eq!((reply.status, reply.json()), (status, failure(error)), "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    let request = format!("GET {git} HTTP/1.1\r\nAuthorization: Bearer {good}\r\n\r\n");
    assert_eq!(send(&worker.url(), request.as_bytes()).expect("an answer").status, 404);
    assert_eq!(worker.minted(), 0);
}

#[test]
fn a_git_token_comes_bare_and_without_an_expiry() {
    let town = Town::start();
    let reply = ask(&town, RIG).expect("the worker answers");
    let [token] = &town.worker.minted_for(RIG)[..] else { panic!("one token minted") };
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({ "success": true, "data": { "token": token } }));
    assert_eq!(town.github.judge(token), Verdict::Live);
}

#[test]
fn tokens_are_long_opaque_and_unique_and_can_be_short() {
    let town = Town::start();
    let long = town.worker.prime(RIG, Duration::ZERO);
    assert_ne!(long, town.worker.prime(RIG, Duration::ZERO));
    assert!((480..560).contains(&long.len()), "{} characters: {long}", long.len());
    assert!(long.starts_with("ghs_") && ['.', '-', '_'].iter().all(|it| long.contains(*it)));
    assert!(long.bytes().all(|it| it.is_ascii_alphanumeric() || b".-_".contains(&it)), "{long}");
    town.worker.set_short_tokens();
    let short = town.worker.prime(RIG, Duration::ZERO);
    assert_eq!(short.len(), 40);
    assert!(short["ghs_".len()..].bytes().all(|it| it.is_ascii_alphanumeric()), "{short}");
}

#[test]
fn each_rig_gets_its_own_kind_of_token() {
    let town = Town::start();
    town.worker.add_rig("rig-2", Rig::Installation);
    town.worker.add_rig("rig-pat", Rig::Pat("ghp_mine".to_owned()));
    town.worker.add_rig("rig-stored", Rig::Stored("ghs_stale".to_owned()));
    town.worker.set_expiry(Expiry::ExpiresAt);
    let data = |rig| ask(&town, rig).expect("the worker answers").json()["data"].take();
    assert_ne!(data(RIG)["token"], data("rig-2")["token"]);
    assert_eq!(data("rig-pat"), json!({ "token": "ghp_mine" }));
    assert_eq!(data("rig-stored"), json!({ "token": "ghs_stale" }));
    assert_eq!(town.worker.minted(), 2);
}

#[test]
fn the_cache_hands_out_one_token_for_half_an_hour() {
    for (age, is_handed_out) in [(0, true), (29, true), (31, false), (59, false)] {
        let town = Town::start();
        let cached = town.worker.prime(RIG, age * MINUTE);
        assert_eq!(git_token(&town) == cached, is_handed_out, "{age} min old");
    }
}

#[test]
fn moving_the_clock_ages_the_cache_as_well() {
    let town = Town::start();
    let first = git_token(&town);
    town.let_pass(29 * MINUTE);
    assert_eq!(git_token(&town), first);
    town.let_pass(2 * MINUTE);
    assert_ne!(git_token(&town), first);
    assert_eq!(town.github.judge(&first), Verdict::Live);
    town.let_pass(29 * MINUTE);
    assert_eq!(town.github.judge(&first), Verdict::Dead);
}

#[test]
fn the_cache_drops_a_token_with_under_five_minutes_left() {
    for (age, is_handed_out) in [(54, true), (56, false)] {
        let town = Town::start_with(Options { cached_for: HOUR, ..Options::default() });
        let cached = town.worker.prime(RIG, age * MINUTE);
        assert_eq!(git_token(&town) == cached, is_handed_out, "{age} min old");
    }
}

#[test]
fn the_cache_notices_a_revocation_unless_told_not_to() {
    let town = Town::start();
    let first = git_token(&town);
    town.worker.ignores_revocations(true);
    town.github.revoke(&first);
    assert_eq!(git_token(&town), first);
    town.worker.ignores_revocations(false);
    assert_ne!(git_token(&town), first);
}

#[test]
fn a_stuck_worker_repeats_itself_and_forgetting_mints_anew() {
    let town = Town::start();
    let first = git_token(&town);
    town.worker.forget(RIG);
    let second = git_token(&town);
    assert_ne!(second, first);
    town.github.revoke_all();
    town.worker.stuck_on(&first);
    assert_eq!(git_token(&town), first);
    town.worker.unstuck();
    assert_eq!(town.worker.minted(), 2);
    assert!(![first, second].contains(&git_token(&town)));
}

#[test]
fn an_expired_container_token_buys_a_new_one_and_nothing_else() {
    let town = Town::start();
    let old = town.worker.container_token();
    let renew = |token: &str| post(&town.worker, &container_token_path(), Some(token));
    let in_time = renew(&old).expect("the worker answers").json();
    assert_eq!(in_time["data"]["expiredInbound"], false);
    town.let_pass(9 * HOUR);
    let ask = |token: &str| post(&town.worker, &git_token_path(RIG), Some(token));
    assert_eq!(ask(&old).expect("the worker answers").status, 401);
    let renewed = renew(&old).expect("the worker answers").json();
    assert_eq!(
        (&renewed["success"], &renewed["data"]["expiredInbound"]),
        (&json!(true), &json!(true))
    );
    let new = renewed["data"]["token"].as_str().expect("a token");
    assert_eq!(ask(new).expect("the worker answers").status, 200);
}

#[test]
fn an_expiry_comes_in_the_form_asked_for_and_in_real_time() {
    let town = Town::start();
    town.let_pass(3 * HOUR);
    let answer = |expiry| {
        town.worker.set_expiry(expiry);
        town.worker.prime(RIG, 20 * MINUTE);
        ask(&town, RIG).expect("the worker answers").json()
    };
    let told = |value: &Value| left(millis_of(value));
    assert!(is_near(told(&answer(Expiry::ExpiresAt)["data"]["expires_at"]), 40 * MINUTE));
    assert!(is_near(told(&answer(Expiry::ExpiresAtText)["data"]["expiresAt"]), 40 * MINUTE));
    assert!(is_near(told(&answer(Expiry::ExpiresAtMillis)["data"]["expiresAt"]), 40 * MINUTE));
    assert!(is_near(told(&answer(Expiry::TopLevelExpiresAt)["expires_at"]), 40 * MINUTE));
    let seconds = answer(Expiry::ExpiresIn)["data"]["expires_in"].as_i64().expect("a number");
    assert!(is_near(seconds * 1000, 40 * MINUTE));
    let literal = answer(Expiry::Literal(json!({ "expires_at": "soon", "expires_in": -1 })));
    assert_eq!(literal["data"]["expires_at"], "soon");
    assert_eq!(literal["data"]["expires_in"], -1);
}

#[test]
fn a_skewed_clock_shows_in_date_and_expiry_alike() {
    let town = Town::start();
    town.worker.set_expiry(Expiry::ExpiresAt);
    town.worker.set_clock_skew(7200);
    let reply = ask(&town, RIG).expect("the worker answers");
    let date = reply.header("date").expect("a date");
    assert!(date.ends_with(" GMT"), "{date}");
    let date = time::OffsetDateTime::parse(
        &date.replace("GMT", "+0000"),
        &time::format_description::well_known::Rfc2822,
    );
    assert!(is_near(left(date.expect("a date").unix_timestamp() * 1000), 2 * HOUR));
    assert!(is_near(left(millis_of(&reply.json()["data"]["expires_at"])), 3 * HOUR));
}

/// Reads either form of a moment.
fn millis_of(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| {
        let text = value.as_str().expect("a number or a text");
        let format = &time::format_description::well_known::Rfc3339;
        let moment = time::OffsetDateTime::parse(text, format).expect("RFC 3339");
        i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).expect("a date of our time")
    })
}

fn left(moment: i64) -> i64 {
    moment - crate::town::clock::real_now()
}

/// Within half a minute, which even a very busy machine keeps.
fn is_near(milliseconds: i64, expected: Duration) -> bool {
    let expected = i64::try_from(expected.as_millis()).expect("short");
    (expected - milliseconds).abs() < 30_000
}
