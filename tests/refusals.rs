//! Every row of the worker contract's table of errors: its name, how often the worker is asked, and
//! what is remembered of it. What may pass is tried once more; what is definite is not, and neither
//! is asked again before its time, unless the settings have been mended.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::town::{CallKind, Home, RIG, Ran, Rig, Script, Town};
use crate::transcript::*;

/// That an agent's ask fails with this name, this link in the chain, and so many calls.
#[track_caller]
fn assert_refused(town: &Town, home: &Home, name: &str, link: &str, expected: (usize, usize)) {
    let ran = get(home, town);
    assert_fails_as(&ran, name);
    assert!(ran.stderr.contains(link), "`{link}` is missing\n{ran:?}");
    assert_eq!(calls(town), expected, "{ran:?}");
    assert!(ran.took < 13 * SECOND, "{ran:?}");
}

#[test]
fn a_wrong_container_token_is_definite_and_costs_one_call() {
    let town = Town::start();
    let worker = &town.worker;
    for (bearer, said) in [
        (worker.container_token_badly_signed(), "401 Invalid token signature"),
        (worker.container_token_without_claims(), "401 Invalid token payload"),
        ("opaque".to_owned(), "401 Token validation failed"),
    ] {
        let mut home = agent(&town);
        home.set("GASTOWN_CONTAINER_TOKEN", &bearer);
        let link = format!("worker ({said})");
        assert_refused(&town, &home, "container-token-rejected", &link, (1, 0));
        worker.forget_calls();
    }
    let mut home = agent(&town);
    home.set("GASTOWN_CONTAINER_TOKEN", &worker.container_token_of_town("town-2"));
    assert_refused(&town, &home, "cross-town", "worker (403 Cross-town access denied)", (1, 0));
}

#[test]
fn a_rig_without_a_token_is_definite_and_costs_one_call() {
    let town = Town::start();
    town.worker.add_rig("rig-2", Rig::NoToken);
    for (rig, name, link) in [
        ("rig-9", "rig-not-found", "worker (404 Rig not found)"),
        ("rig-2", "no-git-token", "worker (404 No git token available for this rig)"),
    ] {
        let mut home = agent(&town);
        home.set("GASTOWN_RIG_ID", rig);
        assert_refused(&town, &home, name, link, (1, 0));
        town.worker.forget_calls();
    }
}

#[test]
fn every_other_answer_has_its_name() {
    let html = |status| Script::status(status, &[("Content-Type", "text/html")], "<html>");
    let answer = |body: &serde_json::Value| Script::json(200, body);
    let granted = |token: &str| answer(&json!({ "success": true, "data": { "token": token } }));
    let too_long = "x".repeat(8193);
    let rows = [
        (Script::error(401, "Authentication required"), "container-token-rejected", 1),
        (Script::error(401, "No such thing"), "container-token-rejected", 1),
        (Script::error(500, "Internal server error"), "worker-error", 2),
        (html(502), "worker-error", 2),
        (html(503), "worker-error", 2),
        (html(404), "worker-error", 1),
        (html(403), "worker-error", 1),
        (html(418), "worker-error", 1),
        (Script::error(429, "Slow down"), "rate-limited", 1),
        (html(200), "bad-answer", 2),
        (Script::status(200, &[], ""), "bad-answer", 2),
        (html(204), "bad-answer", 2),
        (answer(&json!(null)), "bad-answer", 2),
        (answer(&json!([])), "bad-answer", 2),
        (answer(&json!({ "success": true })), "bad-answer", 2),
        (answer(&json!({ "success": true, "data": {} })), "bad-answer", 2),
        (answer(&json!({ "success": true, "data": { "token": 7 } })), "bad-answer", 2),
        (answer(&json!({ "success": false, "data": { "token": "ghs_a" } })), "bad-answer", 2),
        (granted(""), "bad-answer", 2),
        (granted("ghs_a b"), "bad-answer", 2),
        (granted("ghs_a\nhost=evil.example"), "bad-answer", 2),
        (granted("ghs_\u{e9}"), "bad-answer", 2),
        (granted(&too_long), "bad-answer", 2),
        (Script::Reset, "worker-unreachable", 2),
        (Script::Raw(b"SSH-2.0-nonsense\r\n".to_vec()), "worker-unreachable", 2),
        (Script::Raw(Vec::new()), "worker-unreachable", 2),
        (
            Script::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()),
            "worker-unreachable",
            2,
        ),
    ];
    thread::scope(|scope| {
        for (script, name, asked) in rows {
            scope.spawn(move || {
                let town = Town::start();
                let home = agent(&town);
                town.worker.answer_with(script);
                assert_refused(&town, &home, name, "worker (", (asked, 0));
                let entry = home
                    .cache_files()
                    .into_iter()
                    .find(|path| path.to_string_lossy().ends_with("token.json"));
                assert_eq!(entry, None);
            });
        }
    });
}

#[test]
fn the_longest_token_that_is_believed_is_handed_out() {
    let town = Town::start();
    let longest = "x".repeat(8192);
    let body = json!({ "success": true, "data": { "token": longest } });
    town.worker.answer_with(Script::json(200, &body));
    assert_silently(&get(&agent(&town), &town), &credential(&longest));
}

#[test]
fn a_worker_that_is_down_is_unreachable() {
    let town = Town::start();
    town.worker.go_down();
    assert_refused(&town, &agent(&town), "worker-unreachable", "worker (", (0, 0));
}

#[test]
fn what_may_pass_is_tried_once_more_in_silence() {
    for script in [
        Script::error(500, "Internal server error"),
        Script::Reset,
        Script::status(200, &[], "<html>"),
    ] {
        let town = Town::start();
        town.worker.answer_with(script.next(1));
        let ran = get(&agent(&town), &town);
        let [token] = &town.worker.minted_for(RIG)[..] else { panic!("one token") };
        assert_silently(&ran, &credential(token));
        assert_eq!(calls(&town), (2, 0));
    }
}

/// A second ask, which is answered by the record of the first one.
#[track_caller]
fn assert_is_remembered(town: &Town, home: &Home, name: &str) -> Ran {
    let before = calls(town);
    let ran = get(home, town);
    assert_fails_as(&ran, name);
    assert_eq!(calls(town), before, "{ran:?}");
    assert!(ran.stderr.contains("again in"), "it says when it will be tried again\n{ran:?}");
    ran
}

#[test]
fn a_definite_refusal_is_not_asked_about_again_for_a_minute() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_RIG_ID", "rig-9");
    get(&home, &town).assert_fails();
    assert_is_remembered(&town, &home, "rig-not-found");
    home.age_cache(50 * SECOND);
    assert_is_remembered(&town, &home, "rig-not-found");
    town.worker.add_rig("rig-9", Rig::Installation);
    home.age_cache(11 * SECOND);
    token(&get(&home, &town));
    assert_eq!(calls(&town), (2, 0));
}

#[test]
fn a_passing_failure_is_asked_about_again_within_seconds() {
    let town = Town::start();
    let home = agent(&town);
    town.worker.answer_with(Script::error(500, "Internal server error"));
    get(&home, &town).assert_fails();
    town.worker.answer_honestly();
    home.age_cache(3 * SECOND);
    token(&get(&home, &town));
}

#[test]
fn no_back_off_without_a_token_is_longer_than_half_a_minute() {
    let town = Town::start();
    let home = agent(&town);
    town.worker.answer_with(Script::error(500, "Internal server error"));
    for round in 1..=6 {
        get(&home, &town).assert_fails();
        assert_eq!(calls(&town), (2 * round, 0), "asked again after at most 15 s and a half");
        home.age_cache(Duration::from_millis(22_500));
    }
}

#[test]
fn the_worker_may_ask_to_wait_for_five_minutes_at_most() {
    for (asked, silent, over) in [("120", 110, 11), ("1000000", 290, 11)] {
        for status in [429, 503] {
            let town = Town::start();
            let home = agent(&town);
            let script = Script::status(status, &[("Retry-After", asked)], "");
            town.worker.answer_with(script.next(1));
            get(&home, &town).assert_fails();
            home.age_cache(silent * SECOND);
            get(&home, &town).assert_fails();
            assert_eq!(calls(&town), (1, 0), "{status}, {asked} s");
            home.age_cache(over * SECOND);
            token(&get(&home, &town));
        }
    }
}

#[test]
fn mended_settings_are_tried_at_once() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token_badly_signed());
    get(&home, &town).assert_fails();
    assert_is_remembered(&town, &home, "container-token-rejected");
    home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token());
    token(&get(&home, &town));
}

#[test]
fn one_rigs_refusal_says_nothing_about_another() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_RIG_ID", "rig-9");
    get(&home, &town).assert_fails();
    home.set("GASTOWN_RIG_ID", RIG);
    assert_silently(&get(&home, &town), &credential(&town.worker.token_for(RIG)));
}

#[test]
fn the_worker_cannot_put_words_into_a_persons_terminal() {
    let town = Town::start();
    let home = agent(&town);
    let words = format!("Rig\n\u{1b}[2Jfatal: all is well\r\u{202e}{}", "long ".repeat(1000));
    town.worker.answer_with(Script::error(404, &words).only(CallKind::GitToken));
    let ran = get(&home, &town);
    assert_fails_as(&ran, "worker-error");
    let line = ran.stderr.trim_end_matches('\n');
    assert!(!line.contains(|it: char| it.is_control() || it == '\u{202e}'), "{ran:?}");
    assert!(line.len() < 1000, "{ran:?}");
}
