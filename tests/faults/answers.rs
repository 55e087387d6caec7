//! A worker that is down, refuses, fails or talks nonsense: an old token is served for as long as
//! it lives; without one there is one clear message, and nobody asks again before it can help.

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

/// One of each kind: what else a refusal or an answer that is none may look like is with their
/// reader, in `src/core/contract`.
fn faults() -> Vec<Fault> {
    let [without_end, chunked, _] = endless();
    [
        (None, UNREACHABLE, 0),
        (Some(Script::error(401, "Invalid token signature")), "container-token-rejected", 1),
        (Some(Script::error(403, "Cross-town access denied")), "cross-town", 1),
        (Some(Script::error(404, "Rig not found")), "rig-not-found", 1),
        (Some(Script::error(404, "No git token available for this rig")), "no-git-token", 1),
        (Some(says(403, &"A long page. ".repeat(10_000))), "worker-error", 1),
        (Some(later(429, "120")), "rate-limited", 1),
        (Some(later(503, "30")), "worker-error", 1),
        (Some(Script::error(500, "Internal server error")), "worker-error", 2),
        (Some(Script::Reset), UNREACHABLE, 2),
        (Some(raw(b"")), UNREACHABLE, 2),
        (Some(says(200, "<!doctype html><title>Hi")), "bad-answer", 2),
        (Some(says(200, r#"{"success":true,"data":"#)), "bad-answer", 2),
        (Some(grants("ghs_a\nquit=1\nurl=evil")), "bad-answer", 2),
        (Some(grants("a".repeat(9 << 10))), "bad-answer", 2),
        (Some(raw(b"HTTP/1.1 204 No Content\r\n\r\n")), "bad-answer", 2),
        // This is not HTTP.
        (Some(raw(b"HTTP/1.1 200 \r\nContent-Length: 99\r\n\r\n{}")), UNREACHABLE, 2),
        (Some(raw(b"220 smtp.example ready\r\n")), UNREACHABLE, 2),
        // TLS on a plain port.
        (Some(raw(b"\x15\x03\x03\x00\x02\x02\x28")), UNREACHABLE, 2),
        (Some(Script::Endless(b"HTTP/1.1 200 \r\nX: ".to_vec())), UNREACHABLE, 2),
        (Some(without_end), "bad-answer", 1),
        (Some(chunked), "bad-answer", 1),
    ]
    .to_vec()
}

fn endless() -> [Script; 3] {
    ["Content-Length: 1073741824\r\n\r\n", "\r\n", "Transfer-Encoding: chunked\r\n\r\n40000000\r\n"]
        .map(|head| Script::Endless(format!("HTTP/1.1 200 \r\n{head}").into_bytes()))
}

/// A few at a time: each of them mostly waits before its second attempt.
fn each_fault(check: impl Fn(&Fault) + Sync) {
    faults().chunks(6).for_each(|some| at_once(some, &check));
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
        scene.prolong_failure();
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
        scene.prolong_failure();
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
        scene.prolong_failure();
        let failure = scene.record("failure").expect("it is on record");
        assert_eq!(failure["count"], 1, "{what}");
        scene.get().quits(name).mentions("will be tried again in").within(..2 * SECOND);
        assert_eq!(scene.calls(), *calls, "{what}: nobody asks again at once");
        assert_eq!(scene.record("failure"), Some(failure), "{what}");
    });
}

#[test]
fn a_fresh_token_is_served_without_worker_or_lock() {
    let (scene, old) = Scene::with_token(FRESH);
    scene.worker.go_down();
    let lock = scene.path_of(".lock").expect("it was taken");
    std::fs::remove_file(lock).expect("the cache is ours");
    let before = scene.names();
    scene.get().answers(&old);
    assert_eq!((scene.calls(), scene.names()), (0, before));
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
        scene.get().quits("worker-error").mentions("redirected to 127.0.0.1,");
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
