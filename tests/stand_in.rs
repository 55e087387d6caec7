//! The stand-in worker keeps its contract, row by row, and hands out a token for half an hour; no
//! server takes a dead token; and nothing of the machine reaches an agent. Without these tests
//! others could pass for the wrong reason. A knob that does nothing fails the test that turns it,
//! so there is none of those here.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::scene::*;
use crate::town::home::aged;
use crate::town::{Expiry, Git, Home, Options, RIG, Ran, Rig, TOWN, Town, Verdict};

/// The status, the head and the body of what comes back for these bytes.
fn send(url: &str, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers");
    let (head, body) = reply.split_once("\r\n\r\n").expect("HTTP has a head");
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

fn post(town: &Town, path: &str, bearer: Option<&str>) -> (u16, Value) {
    let bearer = bearer.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let bearer = bearer.unwrap_or_default();
    let head = format!("POST {path} HTTP/1.1\r\nHost: worker\r\n{bearer}Content-Length: 2\r\n\r\n");
    let (status, head, body) = send(&town.worker.url(), &(head + "{}"));
    assert!(head.contains("content-type: application/json"), "{head}");
    (status, serde_json::from_str(&body).expect("JSON"))
}

fn git_token_path(rig: &str) -> String {
    format!("/api/towns/{TOWN}/rigs/{rig}/refresh-git-token")
}

fn container_token_path() -> String {
    format!("/api/towns/{TOWN}/refresh-container-token")
}

/// What the worker grants a rig, with a good container token.
fn granted(town: &Town, rig: &str) -> Value {
    let (status, body) = post(town, &git_token_path(rig), Some(&town.worker.container_token()));
    assert_eq!(status, 200, "{body}");
    body
}

fn git_token(town: &Town) -> String {
    granted(town, RIG)["data"]["token"].as_str().expect("a token").to_owned()
}

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
        let expected = (status, json!({ "success": false, "error": error }));
        assert_eq!(post(&town, path, bearer.map(String::as_str)), expected, "{path}");
    }
    let get = format!("GET {git} HTTP/1.1\r\nAuthorization: Bearer {good}\r\n\r\n");
    assert_eq!(send(&worker.url(), &get).0, 404);
    assert_eq!(worker.minted(), 0);
}

#[test]
fn a_git_token_comes_bare_opaque_and_long_unless_told_otherwise() {
    let town = Town::start();
    let answer = granted(&town, RIG);
    let [token] = &town.worker.minted_for(RIG)[..] else { panic!("one token minted") };
    assert_eq!(answer, json!({ "success": true, "data": { "token": token } }));
    assert_eq!(town.github.judge(token), Verdict::Live);
    assert!((480..560).contains(&token.len()), "{} characters: {token}", token.len());
    assert!(token.starts_with("ghs_") && ['.', '-', '_'].iter().all(|it| token.contains(*it)));
    town.worker.set_short_tokens();
    assert_eq!(town.worker.prime(RIG, SECOND).len(), 40, "as before April 2026");
}

#[test]
fn the_cache_hands_out_one_token_for_half_an_hour_and_none_with_five_minutes_left() {
    let half_an_hour = Options::default();
    let an_hour = Options { cached_for: HOUR, ..Options::default() };
    for (options, age, is_handed_out) in [
        (&half_an_hour, 0, true),
        (&half_an_hour, 29, true),
        (&half_an_hour, 31, false),
        (&an_hour, 54, true),
        (&an_hour, 56, false),
    ] {
        let town = Town::start_with(options.clone());
        let first = git_token(&town);
        town.let_pass(age * MINUTE);
        assert_eq!(git_token(&town) == first, is_handed_out, "{age} min old");
        assert_eq!(town.github.judge(&first), Verdict::Live);
        town.let_pass(HOUR);
        assert_eq!(town.github.judge(&first), Verdict::Dead);
    }
}

#[test]
fn an_expired_container_token_buys_a_new_one_and_nothing_else() {
    let town = Town::start();
    let old = town.worker.container_token();
    for (time, is_expired) in [(0, false), (9, true)] {
        town.let_pass(time * HOUR);
        let asked = post(&town, &git_token_path(RIG), Some(&old));
        assert_eq!(asked.0, if is_expired { 401 } else { 200 });
        let (status, renewed) = post(&town, &container_token_path(), Some(&old));
        let expired_inbound = &renewed["data"]["expiredInbound"];
        assert_eq!((status, expired_inbound), (200, &json!(is_expired)));
        let new = renewed["data"]["token"].as_str().expect("a token");
        assert_eq!(post(&town, &git_token_path(RIG), Some(new)).0, 200);
    }
}

/// The forms and the moments are proved by `expiry`, where git is told them.
#[test]
fn an_expiry_is_in_the_answer_where_it_is_known_and_asked_for() {
    let town = Town::start();
    town.worker.add_rig("rig-pat", Rig::Pat("ghp_mine".to_owned()));
    town.worker.set_expiry(Expiry::ExpiresAt);
    assert!(granted(&town, RIG)["data"]["expires_at"].is_string());
    assert_eq!(granted(&town, "rig-pat")["data"], json!({ "token": "ghp_mine" }));
}

/// An agent without the program under test.
fn visitor(git: &Git) -> Home {
    Home::new(Path::new("/nonexistent/helper"), git)
}

#[test]
fn a_request_without_a_live_token_is_refused() {
    for git in Git::all() {
        let town = Town::start();
        town.github.create_repository(REPOSITORY);
        let expired = town.worker.token_for(RIG);
        town.let_pass(HOUR);
        let revoked = town.worker.token_for(RIG);
        town.github.revoke(&revoked);
        for (token, verdict) in [
            (Some(expired), Verdict::Dead),
            (Some(revoked), Verdict::Dead),
            (Some("ghs_invented".to_owned()), Verdict::Unknown),
            (None, Verdict::Anonymous),
        ] {
            town.github.forget_requests();
            let url = token.as_ref().map(|token| town.github.url_with(REPOSITORY, token));
            let url = url.unwrap_or_else(|| town.github.url(REPOSITORY));
            visitor(&git).git(&["clone", "--quiet", &url, "app"]).assert_fails();
            let requests = town.github.requests();
            let last = requests.last().expect("git came by");
            assert_eq!((&last.token, last.verdict, last.status), (&token, verdict, 401));
        }
        let path = "/acme/app.git/info/lfs/objects/batch";
        let batch = format!("POST {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}");
        assert_eq!(send(&format!("http://{}", town.github.host()), &batch).0, 401);
    }
}

#[test]
fn an_agent_sees_its_own_environment_only() {
    let town = Town::start();
    let mut home = visitor(&Git::newest());
    home.as_agent(&town).set("EXTRA", "1").unset("GASTOWN_AGENT_ID");
    let ran = Ran::run(home.command("env"), b"");
    let names = ran.assert_ok().stdout.lines().filter_map(|line| Some(line.split_once('=')?.0));
    let expected = "EXTRA GASTOWN_AGENT_ROLE GASTOWN_API_URL GASTOWN_CONTAINER_TOKEN \
                    GASTOWN_GIT_HOSTS GASTOWN_RIG_ID GASTOWN_TOWN_ID GIT_AUTHOR_EMAIL \
                    GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_NAME GIT_CONFIG_NOSYSTEM \
                    GIT_TERMINAL_PROMPT HOME LC_ALL PATH TMPDIR";
    assert_eq!(names.collect::<BTreeSet<_>>(), expected.split_whitespace().collect());
}

#[test]
fn only_moments_outside_of_strings_grow_older() {
    let json = r#"{"at":1800000000000,"n":60000,"text":"1800000000000 \" 1800000000000"}"#;
    let older = r#"{"at":1799999999000,"n":60000,"text":"1800000000000 \" 1800000000000"}"#;
    assert_eq!(aged(json, 1000), older);
}
