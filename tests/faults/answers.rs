//! A worker that is down, refuses, fails or talks nonsense: an old token is served for as long as
//! it lives, silently while it has life to spare and with one warning near its end. Without one
//! there is one clear message, and nobody asks again before it can help.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::*;
use crate::town::{Script, TOWN};

/// What the worker does, if it is not down; the name that the failure has to have; and how many
/// calls a process makes that has no token to fall back on.
type Fault = (Option<Script>, &'static str, usize);

const UNREACHABLE: &str = "worker-unreachable";

fn says(status: u16, body: &str) -> Script {
    Script::status(status, &[], body)
}

fn later(status: u16, seconds: &str) -> Script {
    Script::status(status, &[("Retry-After", seconds)], "")
}

fn raw(bytes: &[u8]) -> Script {
    Script::Raw(bytes.to_vec())
}

fn grants(token: impl Into<Value>) -> Script {
    Script::json(200, &json!({ "success": true, "data": { "token": token.into() } }))
}

fn refusals() -> Vec<Fault> {
    let definite = [
        (Script::error(401, "Invalid token signature"), "container-token-rejected"),
        (Script::error(401, "Invalid token payload"), "container-token-rejected"),
        (Script::error(401, "Token validation failed"), "container-token-rejected"),
        (Script::error(401, "Authentication required"), "container-token-rejected"),
        (says(401, ""), "container-token-rejected"),
        (Script::error(403, "Cross-town access denied"), "cross-town"),
        (says(403, "<h1>No</h1>"), "worker-error"),
        (says(403, &"A long page. ".repeat(10_000)), "worker-error"),
        (Script::error(404, "Rig not found"), "rig-not-found"),
        (Script::error(404, "No git token available for this rig"), "no-git-token"),
        (says(404, "Not Found"), "worker-error"),
        (says(418, "<html>"), "worker-error"),
        (Script::error(400, "Bad request"), "worker-error"),
        (later(429, "120"), "rate-limited"),
        (later(503, "30"), "worker-error"),
    ];
    let transient = [
        (Script::error(500, "Internal server error"), "worker-error"),
        (says(502, "<h1>Bad Gateway</h1>"), "worker-error"),
        (says(503, "<html>"), "worker-error"),
        (Script::Reset, UNREACHABLE),
        (raw(b""), UNREACHABLE),
        (Script::error(200, "Oops"), "bad-answer"),
    ];
    let definite = definite.into_iter().map(|(script, name)| (Some(script), name, 1));
    let transient = transient.into_iter().map(|(script, name)| (Some(script), name, 2));
    [(None, UNREACHABLE, 0)].into_iter().chain(definite).chain(transient).collect()
}

/// Answers that are none.
fn nonsense() -> Vec<Fault> {
    let bad_answers = [
        says(200, "<!doctype html><title>Hi"),
        says(200, "null"),
        says(200, "[]"),
        says(200, ""),
        says(200, r#"{"success":true,"data":"#),
        raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
        says(200, r#"{"success":true}"#),
        says(200, r#"{"success":true,"data":{}}"#),
        says(200, r#"{"success":false,"data":{"token":"ghs_a"}}"#),
        grants("ghs_a b"),
        grants(""),
        grants(17),
        grants("ghs_a\nquit=1\nurl=evil"),
        grants("ghs_a\rb"),
        grants("ghs_a\0b"),
        grants("ghs_ä"),
        grants("a".repeat(9 << 10)),
    ];
    let no_http = [
        raw(b"HTTP/1.1 200 \r\nContent-Length: 99\r\n\r\n{}"),
        raw(b"HTTP/1.1 200 \r\nContent-Length: -1\r\n\r\n{}"),
        raw(b"220 smtp.example ready\r\n"),
        raw(b"<html>hello"),
        // TLS on a plain port.
        raw(b"\x15\x03\x03\x00\x02\x02\x28"),
        Script::Endless(b"HTTP/1.1 200 \r\nX: ".to_vec()),
    ];
    let bad_answers = bad_answers.into_iter().map(|script| (Some(script), "bad-answer", 2));
    let no_http = no_http.into_iter().map(|script| (Some(script), UNREACHABLE, 2));
    let endless = endless().into_iter().map(|script| (Some(script), "bad-answer", 1));
    bad_answers.chain(no_http).chain(endless).collect()
}

fn endless() -> [Script; 3] {
    ["Content-Length: 1073741824\r\n\r\n", "\r\n", "Transfer-Encoding: chunked\r\n\r\n40000000\r\n"]
        .map(|head| Script::Endless(format!("HTTP/1.1 200 \r\n{head}").into_bytes()))
}

/// A few at a time: each of them mostly waits before its second attempt.
fn each_fault(check: impl Fn(&Fault) + Sync) {
    let faults = [refusals(), nonsense()].concat();
    faults.chunks(6).for_each(|some| at_once(some, &check));
}

/// The scene after a fault has befallen the worker, and what it is.
fn struck(age: Duration, (script, ..): &Fault) -> (Scene, String, String) {
    let (scene, token) = Scene::with_token(age);
    match script {
        Some(script) => scene.worker.answer_with(script.clone()),
        None => scene.worker.go_down(),
    }
    let what = format!("{script:?}").chars().take(200).collect();
    (scene, token, what)
}

#[test]
fn a_token_with_life_to_spare_is_served_in_silence_whatever_the_worker_does() {
    each_fault(|fault| {
        let (scene, old, what) = struck(SOON, fault);
        let before = scene.record("token");
        scene.get().answers(&old);
        let calls = scene.calls();
        assert!(calls <= 1, "{what}: one attempt is enough for now");
        assert!(scene.record("failure").is_some(), "{what}: it is on record");
        scene.get().answers(&old);
        assert_eq!((scene.calls(), scene.record("token")), (calls, before), "{what}");
    });
}

#[test]
fn a_token_near_its_end_is_served_with_one_warning_whatever_the_worker_does() {
    each_fault(|fault @ (_, name, calls)| {
        let (scene, old, what) = struck(DUE, fault);
        let before = scene.record("token");
        scene.get().warns(&old, name);
        assert_eq!(scene.calls(), *calls, "{what}");
        // The failure on record answers for the next one.
        scene.get().warns(&old, name).mentions("will be tried again in");
        assert_eq!((scene.calls(), scene.record("token")), (*calls, before), "{what}");
    });
}

#[test]
fn without_a_usable_token_there_is_one_clear_message_whatever_the_worker_does() {
    each_fault(|fault @ (_, name, calls)| {
        let (scene, _, what) = struck(DEAD, fault);
        let ran = scene.get();
        ran.quits(name).mentions("; tried: ").mentions("cache (died ").mentions("worker (");
        let names_it = [TOWN, "127.0.0.1"].iter().any(|name| ran.stderr.contains(name));
        assert!(names_it, "{what}: it tells what it is about\n{ran:?}");
        assert_eq!(scene.calls(), *calls, "{what}");
        let failure = scene.record("failure").expect("it is on record");
        assert_eq!(failure["count"], 1, "{what}");
        scene.get().quits(name).mentions("will be tried again in").within(..2 * SECOND);
        assert_eq!(scene.calls(), *calls, "{what}: nobody asks again at once");
        assert_eq!(scene.record("failure"), Some(failure), "{what}");
    });
}

#[test]
fn a_fresh_token_is_served_without_worker_or_lock() {
    each_fault(|fault| {
        let (scene, old, _) = struck(FRESH, fault);
        let lock = scene.path_of(".lock").expect("it was taken");
        std::fs::remove_file(lock).expect("the cache is ours");
        let before = scene.names();
        scene.get().answers(&old);
        assert_eq!((scene.calls(), scene.names()), (0, before));
    });
}

#[test]
fn a_failure_that_the_second_attempt_overcomes_is_not_reported() {
    for script in [
        Script::error(500, "Internal server error"),
        Script::Reset,
        Script::Raw(b"junk".to_vec()),
        Script::status(200, &[], "<html>"),
    ] {
        let (scene, old) = Scene::with_token(DEAD);
        scene.worker.answer_with(script.next(1));
        let ran = scene.get();
        ran.answers(&scene.current());
        assert_ne!(ran.token(), old);
        assert_eq!(scene.calls(), 2);
        assert_eq!(scene.record("failure"), None);
    }
}

/// GHSA-9857-6mw7-fq2m: a client that follows a redirect carries its credential along.
#[test]
fn a_redirect_is_refused_and_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (scene, _) = Scene::with_token(DEAD);
        let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a free port");
        elsewhere.set_nonblocking(true).expect("a socket can be told");
        let host = elsewhere.local_addr().expect("it is bound").to_string();
        let moved = [("Location", &*format!("http://{host}/"))];
        scene.worker.answer_with(Script::status(status, &moved, ""));
        scene.get().quits("worker-error").mentions(&format!("redirected to {host}"));
        assert_eq!(scene.calls(), 1);
        let visit = elsewhere.accept().expect_err("nobody calls there");
        assert_eq!(visit.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn an_answer_without_end_costs_no_memory() {
    for script in endless() {
        let (scene, _) = Scene::with_token(DEAD);
        scene.worker.answer_with(script);
        // In KiB; a Rust program with its libraries takes a tenth of that.
        let ran = scene.shell("ulimit -v 131072; exec \"$HELPER\" get");
        assert_eq!((ran.assert_proper().code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
    }
}

#[test]
fn the_longest_token_that_is_believed_is_handed_out() {
    let scene = Scene::new();
    let longest = "x".repeat(8192);
    scene.worker.answer_with(grants(longest.clone()));
    scene.get().answers(&longest);
}

#[test]
fn control_characters_from_the_worker_are_not_printed() {
    let scene = Scene::new();
    let words = format!("Rig\n\u{1b}[2Jfatal: all is well\r\u{202e}{}", "long ".repeat(1000));
    scene.worker.answer_with(Script::error(404, &words));
    let ran = scene.get();
    ran.quits("worker-error");
    let steers = |it: char| it.is_control() || it == '\u{202e}';
    assert!(!ran.stderr.trim_end_matches('\n').contains(steers), "{ran:?}");
}
