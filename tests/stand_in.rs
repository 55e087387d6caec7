//! Tests of the stand-in town itself, without which others could pass for the wrong reason: the
//! worker keeps its contract, no server takes a dead token, and nothing of the machine reaches an
//! agent. A knob that does nothing fails the test that turns it, so there is none of those here.

mod contract;

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::town::home::aged;
use crate::town::{Git, Home, RIG, Ran, TOWN, Town, Verdict, Worker};
use crate::transcript::{HOUR, REPOSITORY};

/// What came back: the head as sent, and the body.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Sends these bytes to `http://host:port` and reads until the other side is done.
fn send(url: &str, request: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let (head, body) = reply.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Reply { status, head: head.to_owned(), body: body.to_owned() })
}

/// An agent without the program under test.
fn visitor(git: &Git) -> Home {
    Home::new(Path::new("/nonexistent/helper"), git)
}

/// An error as the contract words it.
fn failure(error: &str) -> Value {
    json!({ "success": false, "error": error })
}

fn post(worker: &Worker, path: &str, bearer: Option<&str>) -> io::Result<Reply> {
    let bearer = bearer.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let bearer = bearer.unwrap_or_default();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: worker\r\n{bearer}Content-Length: 2\r\n\r\n{{}}");
    send(&worker.url(), request.as_bytes())
}

fn git_token_path(rig: &str) -> String {
    format!("/api/towns/{TOWN}/rigs/{rig}/refresh-git-token")
}

fn container_token_path() -> String {
    format!("/api/towns/{TOWN}/refresh-container-token")
}

fn ask(town: &Town, rig: &str) -> io::Result<Reply> {
    post(&town.worker, &git_token_path(rig), Some(&town.worker.container_token()))
}

fn git_token(town: &Town) -> String {
    let reply = ask(town, RIG).expect("the worker answers");
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["data"]["token"].as_str().expect("a token").to_owned()
}

#[test]
fn whoever_has_no_live_token_is_asked_for_one() {
    for git in Git::all() {
        let town = Town::start();
        town.github.create_repository(REPOSITORY);
        let token = town.worker.token_for(RIG);
        town.let_pass(HOUR);
        let revoked = town.worker.token_for(RIG);
        town.github.revoke(&revoked);
        for (token, verdict) in [
            (Some(token), Verdict::Dead),
            (Some(revoked), Verdict::Dead),
            (Some("ghs_invented".to_owned()), Verdict::Unknown),
            (None, Verdict::Anonymous),
        ] {
            town.github.forget_requests();
            let url = token.as_ref().map(|token| town.github.url_with(REPOSITORY, token));
            let url = url.unwrap_or_else(|| town.github.url(REPOSITORY));
            let ran = visitor(&git).git(&["clone", "--quiet", &url, "app"]);
            let complaint = match token {
                Some(_) => "Authentication failed",
                None => "could not read Username",
            };
            assert!(ran.assert_fails().stderr.contains(complaint), "{ran:?}");
            let requests = town.github.requests();
            let last = requests.last().expect("git came by");
            assert_eq!((&last.token, last.verdict, last.status), (&token, verdict, 401));
        }
    }
}

#[test]
fn git_lfs_is_refused_with_a_dead_token() {
    let town = Town::start();
    let url = format!("http://{}", town.github.host());
    let request =
        "POST /acme/app.git/info/lfs/objects/batch HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(send(&url, request.as_bytes()).expect("an answer").status, 401);
}

fn names(home: &Home) -> BTreeSet<String> {
    let ran = Ran::run(home.command("env"), b"");
    let lines = ran.assert_ok().stdout.lines();
    lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn an_agent_sees_its_own_environment_only() {
    let town = Town::start();
    let mut home = visitor(&Git::newest());
    let bare = names(&home);
    let expected = "GIT_AUTHOR_EMAIL GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_NAME \
                    GIT_CONFIG_NOSYSTEM GIT_TERMINAL_PROMPT HOME LC_ALL PATH TMPDIR";
    assert_eq!(bare, expected.split_whitespace().map(str::to_owned).collect());
    home.as_agent(&town).set("EXTRA", "1");
    let added: Vec<_> = names(&home).difference(&bare).cloned().collect();
    let expected = "EXTRA GASTOWN_AGENT_ID GASTOWN_AGENT_ROLE GASTOWN_API_URL \
                    GASTOWN_CONTAINER_TOKEN GASTOWN_GIT_HOSTS GASTOWN_RIG_ID GASTOWN_TOWN_ID";
    assert_eq!(added.join(" "), expected);
    home.unset("EXTRA");
    assert!(!names(&home).contains("EXTRA"));
}

#[test]
fn only_moments_outside_of_strings_grow_older() {
    let json = r#"{"at":1800000000000,"n":60000,"text":"1800000000000 \" 1800000000000","list":[1800000000001]}"#;
    let older = r#"{"at":1799999999000,"n":60000,"text":"1800000000000 \" 1800000000000","list":[1799999999001]}"#;
    assert_eq!(aged(json, 1000), older);
}
