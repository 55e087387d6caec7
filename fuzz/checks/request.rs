//! What must hold for any bytes on stdin: whatever the program does with a request, short of
//! touching the world. Shared by the fuzz target and the smoke run of `cargo test`.

use git_credential_gastown::host::Host;
use git_credential_gastown::protocol::{Answer, Handed, Report, Request, is_complete};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::Secret;

pub fn check(bytes: &[u8]) {
    let Ok(request) = Request::parse(bytes) else { return };
    let username = request.username().unwrap_or_default();
    for plain in [request.protocol(), request.host(), username] {
        assert!(!plain.iter().any(u8::is_ascii_control), "a control byte came through");
    }
    assert!(!request.protocol().is_empty() && !request.host().is_empty(), "a blank came through");
    if let Some(host) = Host::requested(request.protocol(), request.host()) {
        let again = Host::listed(&host.to_string());
        assert_eq!(again.as_ref(), Ok(&host), "a host has one spelling that the list takes");
    }
    comes_back_the_same(&request);
    let _ = Handed::of(&request);
    can_be_answered(&request);
    if is_complete(bytes) {
        let more = [bytes, b"host=evil.example\n\0\r"].concat();
        let again = Request::parse(&more).map(|it| written(&it));
        assert_eq!(again, Ok(written(&request)), "what follows the blank line counts");
    }
}

/// The request, written again by what the parser made of it.
fn written(request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut line = |key: &str, value: &[u8]| {
        bytes.extend([key.as_bytes(), b"=", value, b"\n"].concat());
    };
    line("protocol", request.protocol());
    line("host", request.host());
    if let Some(username) = request.username() {
        line("username", username);
    }
    if let Some(secret) = request.secret() {
        line("password", secret.expose().as_bytes());
    }
    if request.keeps_state() {
        line("capability[]", b"state");
    }
    request.states().for_each(|state| line("state[]", state));
    bytes
}

fn comes_back_the_same(request: &Request) {
    let bytes = written(request);
    let again = Request::parse(&bytes).map(|it| written(&it));
    assert_eq!(again, Ok(bytes), "parse, write, parse");
}

/// The answer is lines that hold one pair each, and git's `erase` gives the token in it back.
fn can_be_answered(request: &Request) {
    let (username, token) = ("x-access-token", Secret::parse(b"ghs_1_e.y-J").expect("printable"));
    let expires = Some(Timestamp::from_seconds(1_800_000_000));
    let continuation =
        request.keeps_state().then(|| Report::of(request).continuation(&token, || true));
    let answer = Answer { username, password: &token, expires, continuation }.to_bytes();
    let lines: Vec<_> = answer.split_inclusive(|byte| *byte == b'\n').collect();
    for line in &lines {
        let (end, pair) = line.split_last().expect("no piece is empty");
        assert_eq!(*end, b'\n');
        assert!(pair.iter().all(u8::is_ascii_graphic) && pair.contains(&b'='), "{lines:?}");
    }
    let erase = [b"protocol=https\nhost=github.com\n".as_slice(), &answer].concat();
    let erase = Request::parse(&erase).expect("our own answer is good form");
    let given_back = erase.secret();
    let given_back = given_back.as_ref().map(Secret::hash);
    assert_eq!(given_back, Some(token.hash()), "git gives back what it got");
}
