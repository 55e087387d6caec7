//! A worker that is down, refuses, fails or talks nonsense: an old token is served for as long as
//! it lives, silently while it has life to spare and with one warning near its end. Without one
//! there is one clear message, and nobody asks again before it can help.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::scene::*;
use crate::town::{Script, TOWN, Town};

/// What is wrong with the worker, the name that the failure has to have, and how many calls a
/// process makes that has no token to fall back on.
type Fault = (&'static str, fn(&Town), &'static str, usize);

fn says(town: &Town, status: u16, headers: &[(&str, &str)], body: &str) {
    town.worker.answer_with(Script::status(status, headers, body));
}

fn fails(town: &Town, status: u16, error: &str) {
    town.worker.answer_with(Script::error(status, error));
}

fn raw(town: &Town, bytes: &[u8]) {
    town.worker.answer_with(Script::Raw(bytes.to_vec()));
}

fn endless(town: &Town, head: &str) {
    town.worker.answer_with(Script::Endless(head.as_bytes().to_vec()));
}

fn grants(town: &Town, token: Value) {
    let answer = json!({ "success": true, "data": { "token": token } });
    town.worker.answer_with(Script::json(200, &answer));
}

const REFUSALS: [Fault; 21] = [
    ("refused connections", |town| town.worker.go_down(), "worker-unreachable", 0),
    ("401", |town| fails(town, 401, "Invalid token signature"), "container-token-rejected", 1),
    (
        "401 for its claims",
        |town| fails(town, 401, "Invalid token payload"),
        "container-token-rejected",
        1,
    ),
    (
        "401 for its form",
        |town| fails(town, 401, "Token validation failed"),
        "container-token-rejected",
        1,
    ),
    (
        "401 without one",
        |town| fails(town, 401, "Authentication required"),
        "container-token-rejected",
        1,
    ),
    ("401 in no words", |town| says(town, 401, &[], ""), "container-token-rejected", 1),
    ("403", |town| fails(town, 403, "Cross-town access denied"), "cross-town", 1),
    ("403 of a firewall", |town| says(town, 403, &[], "<h1>No</h1>"), "worker-error", 1),
    ("404 for the rig", |town| fails(town, 404, "Rig not found"), "rig-not-found", 1),
    (
        "404 for its token",
        |town| fails(town, 404, "No git token available for this rig"),
        "no-git-token",
        1,
    ),
    ("404 of another server", |town| says(town, 404, &[], "Not Found"), "worker-error", 1),
    ("418", |town| says(town, 418, &[], "<html>"), "worker-error", 1),
    ("400", |town| fails(town, 400, "Bad request"), "worker-error", 1),
    ("429", |town| says(town, 429, &[("Retry-After", "120")], ""), "rate-limited", 1),
    ("500", |town| fails(town, 500, "Internal server error"), "worker-error", 2),
    ("502 of a proxy", |town| says(town, 502, &[], "<h1>Bad Gateway</h1>"), "worker-error", 2),
    ("503", |town| says(town, 503, &[], "<html>"), "worker-error", 2),
    ("503, later", |town| says(town, 503, &[("Retry-After", "30")], ""), "worker-error", 1),
    ("a reset", |town| town.worker.answer_with(Script::Reset), "worker-unreachable", 2),
    ("a hang-up", |town| raw(town, b""), "worker-unreachable", 2),
    ("a failure as a success", |town| fails(town, 200, "Oops"), "bad-answer", 2),
];

const NONSENSE: [Fault; 26] = [
    ("a login page", |town| says(town, 200, &[], "<!doctype html><title>Hi"), "bad-answer", 2),
    ("null", |town| says(town, 200, &[], "null"), "bad-answer", 2),
    ("an empty list", |town| says(town, 200, &[], "[]"), "bad-answer", 2),
    ("nothing", |town| says(town, 200, &[], ""), "bad-answer", 2),
    ("half of it", |town| says(town, 200, &[], r#"{"success":true,"data":"#), "bad-answer", 2),
    ("no content", |town| raw(town, b"HTTP/1.1 204 No Content\r\n\r\n"), "bad-answer", 2),
    ("no token", |town| says(town, 200, &[], r#"{"success":true}"#), "bad-answer", 2),
    (
        "no token in it",
        |town| says(town, 200, &[], r#"{"success":true,"data":{}}"#),
        "bad-answer",
        2,
    ),
    (
        "a failure with a token",
        |town| says(town, 200, &[], r#"{"success":false,"data":{"token":"ghs_a"}}"#),
        "bad-answer",
        2,
    ),
    ("a blank", |town| grants(town, json!("ghs_a b")), "bad-answer", 2),
    ("an empty token", |town| grants(town, json!("")), "bad-answer", 2),
    ("a number", |town| grants(town, json!(17)), "bad-answer", 2),
    ("a line more", |town| grants(town, json!("ghs_a\nquit=1\nurl=evil")), "bad-answer", 2),
    ("a carriage return", |town| grants(town, json!("ghs_a\rb")), "bad-answer", 2),
    ("a NUL", |town| grants(town, json!("ghs_a\0b")), "bad-answer", 2),
    ("umlauts", |town| grants(town, json!("ghs_ä")), "bad-answer", 2),
    ("9 KiB", |town| grants(town, json!("a".repeat(9 << 10))), "bad-answer", 2),
    (
        "a body cut short",
        |town| raw(town, b"HTTP/1.1 200 \r\nContent-Length: 99\r\n\r\n{}"),
        "worker-unreachable",
        2,
    ),
    (
        "a lie about its length",
        |town| raw(town, b"HTTP/1.1 200 \r\nContent-Length: -1\r\n\r\n{}"),
        "worker-unreachable",
        2,
    ),
    ("another protocol", |town| raw(town, b"220 smtp.example ready\r\n"), "worker-unreachable", 2),
    ("HTTP/0.9", |town| raw(town, b"<html>hello"), "worker-unreachable", 2),
    (
        "TLS on a plain port",
        |town| raw(town, b"\x15\x03\x03\x00\x02\x02\x28"),
        "worker-unreachable",
        2,
    ),
    (
        "1 GiB",
        |town| endless(town, "HTTP/1.1 200 \r\nContent-Length: 1073741824\r\n\r\n"),
        "bad-answer",
        1,
    ),
    ("no end", |town| endless(town, "HTTP/1.1 200 \r\n\r\n"), "bad-answer", 1),
    (
        "a chunk of 1 GiB",
        |town| endless(town, "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n"),
        "bad-answer",
        1,
    ),
    ("a header without end", |town| endless(town, "HTTP/1.1 200 \r\nX: "), "worker-unreachable", 2),
];

/// A few at a time: each of them mostly waits before its second attempt.
fn each_fault(check: impl Fn(&Fault) + Sync) {
    let faults: Vec<_> = REFUSALS.into_iter().chain(NONSENSE).collect();
    faults.chunks(6).for_each(|some| at_once(some, &check));
}

/// The scene after a fault has befallen the worker.
fn struck(age: std::time::Duration, fault: &Fault) -> (Scene, String) {
    let (scene, token) = Scene::with_token(age);
    fault.1(&scene.town);
    (scene, token)
}

#[test]
fn a_token_with_life_to_spare_is_served_in_silence_whatever_the_worker_does() {
    each_fault(|fault @ (what, ..)| {
        let (scene, old) = struck(SOON, fault);
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
    each_fault(|fault @ (what, _, name, calls)| {
        let (scene, old) = struck(DUE, fault);
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
    each_fault(|fault @ (what, _, name, calls)| {
        let (scene, _) = struck(DEAD, fault);
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
fn a_fresh_token_is_served_without_a_look_at_the_worker_or_at_a_lock() {
    each_fault(|fault| {
        let (scene, old) = struck(FRESH, fault);
        let lock = scene.path_of(".lock").expect("it was taken");
        std::fs::remove_file(lock).expect("the cache is ours");
        let before = scene.names();
        scene.get().answers(&old);
        assert_eq!((scene.calls(), scene.names()), (0, before));
    });
}

#[test]
fn a_failure_that_passes_at_once_is_not_noticed() {
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
        says(&scene.town, status, &[("Location", &format!("http://{host}/"))], "");
        scene.get().quits("worker-error").mentions(&format!("redirected to {host}"));
        assert_eq!(scene.calls(), 1);
        let visit = elsewhere.accept().expect_err("nobody calls there");
        assert_eq!(visit.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn an_answer_without_end_costs_no_memory() {
    for (_, endless, ..) in &NONSENSE[22..] {
        let (scene, _) = Scene::with_token(DEAD);
        endless(&scene.town);
        // In KiB; a Rust program with its libraries takes a tenth of that.
        let ran = scene.shell("ulimit -v 131072; exec \"$HELPER\" get");
        assert_eq!((ran.assert_proper().code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
    }
}

#[test]
fn the_longest_token_that_is_believed_is_handed_out() {
    let scene = Scene::new();
    let longest = "x".repeat(8192);
    grants(&scene.town, json!(longest));
    scene.get().answers(&longest);
}

#[test]
fn the_worker_cannot_put_words_into_a_persons_terminal() {
    let scene = Scene::new();
    let words = format!("Rig\n\u{1b}[2Jfatal: all is well\r\u{202e}{}", "long ".repeat(1000));
    fails(&scene.town, 404, &words);
    let ran = scene.get();
    ran.quits("worker-error");
    let steers = |it: char| it.is_control() || it == '\u{202e}';
    assert!(!ran.stderr.trim_end_matches('\n').contains(steers), "{ran:?}");
}
