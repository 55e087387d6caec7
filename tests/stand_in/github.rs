//! The git server as real git and git-lfs see it, with every git on `PATH`, and the few things
//! that only a bare socket can show.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{send, visitor};
use crate::town::{Git, Home, RIG, Town, Verdict};

const REPOSITORY: &str = "acme/app";
const HOUR: Duration = Duration::from_secs(3600);

fn town_with_repository() -> Town {
    let town = Town::start();
    town.github.create_repository(REPOSITORY);
    town
}

/// The URL as Gastown clones today, with a live token inside.
fn url_with_token(town: &Town) -> String {
    town.github.url_with(REPOSITORY, &town.worker.token_for(RIG))
}

fn cloned(town: &Town, git: &Git) -> Home {
    let home = visitor(git);
    home.git(&["clone", "--quiet", &url_with_token(town), "app"]).assert_ok();
    home
}

/// Bytes that no compression makes small.
fn noise(length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect()
}

/// As the server has it, if the push arrived.
fn head(home: &Home) -> Option<String> {
    let ran = home.git_in("app", &["rev-parse", "--verify", "HEAD"]);
    (ran.code == 0).then(|| ran.stdout.trim().to_owned())
}

#[test]
fn a_live_token_clones_pushes_and_fetches() {
    for git in Git::all() {
        let town = town_with_repository();
        let home = cloned(&town, &git);
        assert_eq!(
            fs::read_to_string(home.path().join("app/README.md")).ok(),
            Some("# Town\n".into())
        );
        home.commit("app", "file", b"content");
        home.git_in("app", &["push", "origin", "main"]).assert_ok();
        assert_eq!(town.github.commit_at(REPOSITORY, "main"), head(&home));
        assert_eq!(head(&cloned(&town, &git)), head(&home));
        assert_eq!(town.github.refused_tokens(), 0);
    }
}

#[test]
fn whoever_has_no_live_token_is_asked_for_one() {
    for git in Git::all() {
        let town = town_with_repository();
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
fn a_personal_token_outlives_the_hour() {
    let town = town_with_repository();
    town.github.register_pat("ghp_mine");
    town.let_pass(1000 * HOUR);
    let url = town.github.url_with(REPOSITORY, "ghp_mine");
    visitor(&Git::newest()).git(&["clone", "--quiet", &url]).assert_ok();
}

#[test]
fn an_unknown_repository_is_not_found_even_with_a_token() {
    let town = town_with_repository();
    let url = town.github.url_with("acme/other", &town.worker.token_for(RIG));
    let ran = visitor(&Git::newest()).git(&["clone", &url]);
    assert!(ran.assert_fails().stderr.contains("not found"), "{ran:?}");
}

#[test]
fn a_large_push_arrives_in_chunks() {
    for git in Git::all() {
        let town = town_with_repository();
        let home = cloned(&town, &git);
        home.commit("app", "noise", &noise(3 << 20));
        let push = ["-c", "http.postBuffer=65536", "push", "-v", "origin", "main"];
        let ran = home.git_in("app", &push);
        assert!(ran.assert_ok().stderr.contains("POST git-receive-pack (chunked)"), "{ran:?}");
        assert_eq!(town.github.commit_at(REPOSITORY, "main"), head(&home));
    }
}

#[test]
fn a_long_negotiation_arrives_compressed() {
    for git in Git::all() {
        let town = town_with_repository();
        let (here, there) = (cloned(&town, &git), cloned(&town, &git));
        for number in 0..60 {
            let message = format!("{number}");
            let commit = ["commit", "--quiet", "--allow-empty", "--message", &message];
            here.git_in("app", &commit).assert_ok();
        }
        there.commit("app", "file", b"content");
        there.git_in("app", &["push", "--quiet", "origin", "main"]).assert_ok();
        let ran = here.git_in("app", &["fetch", "-v", "origin"]);
        assert!(ran.assert_ok().stderr.contains("POST git-upload-pack (gzip"), "{ran:?}");
    }
}

#[test]
fn a_token_revoked_after_info_refs_fails_the_push_itself() {
    for git in Git::all() {
        for post_buffer in ["http.postBuffer=65536", "http.postBuffer=16777216"] {
            let town = town_with_repository();
            let home = cloned(&town, &git);
            home.commit("app", "noise", &noise(3 << 20));
            town.github.forget_requests();
            town.github.revoke_after_info_refs();
            let ran = home.git_in("app", &["-c", post_buffer, "push", "origin", "main"]);
            let requests = town.github.requests();
            let last = requests.last().expect("git came by");
            assert_eq!((last.method.as_str(), last.status), ("POST", 401), "{ran:?}");
            assert!(ran.assert_fails().stderr.contains("HTTP 401"), "{ran:?}");
        }
    }
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let town = town_with_repository();
    let chunk = [b"100000\r\n", noise(1 << 20).as_slice(), b"\r\n"].concat();
    let head =
        b"POST /acme/app.git/git-receive-pack HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let request = [head.as_slice(), &chunk.repeat(16), b"0\r\n\r\n"].concat();
    let url = format!("http://{}", town.github.host());
    let reply = send(&url, &request).expect("an answer");
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"GitHub\""));
}

#[test]
fn leave_to_continue_is_given_with_a_token_only() {
    let town = town_with_repository();
    let url = format!("http://{}", town.github.host());
    let credential = STANDARD.encode(format!("anybody:{}", town.worker.token_for(RIG)));
    let post = "POST /acme/app.git/git-upload-pack HTTP/1.1\r\nExpect: 100-continue\r\n";
    let with_token =
        format!("{post}Authorization: Basic {credential}\r\nContent-Length: 4\r\n\r\n0000");
    assert_eq!(send(&url, with_token.as_bytes()).expect("an answer").status, 100);
    let without = format!("{post}Content-Length: 1000000\r\n\r\n");
    assert_eq!(send(&url, without.as_bytes()).expect("an answer").status, 401);
}

#[test]
fn a_young_token_is_refused_until_it_is_known_everywhere() {
    let town = town_with_repository();
    let lag = Duration::from_secs(2);
    town.github.set_replication_lag(lag);
    let minted = Instant::now();
    let url = url_with_token(&town);
    let home = visitor(&Git::newest());
    let first = home.git(&["clone", "--quiet", &url, "app"]);
    if minted.elapsed() < lag {
        first.assert_fails();
        assert_eq!(town.github.requests().last().map(|it| it.verdict), Some(Verdict::Lagging));
    }
    town.let_pass(HOUR / 2);
    thread::sleep(lag.saturating_sub(minted.elapsed()));
    home.git(&["clone", "--quiet", &url, "again"]).assert_ok();
}

#[test]
fn thirty_two_pushes_at_once_all_arrive() {
    let town = town_with_repository();
    let home = cloned(&town, &Git::newest());
    thread::scope(|scope| {
        for number in 0..32 {
            let home = &home;
            scope.spawn(move || {
                let branch = format!("main:refs/heads/branch-{number}");
                home.git_in("app", &["push", "--quiet", "origin", &branch]).assert_ok();
            });
        }
    });
    for number in 0..32 {
        assert_eq!(town.github.commit_at(REPOSITORY, &format!("branch-{number}")), head(&home));
    }
}

#[test]
fn git_lfs_pushes_and_clones() {
    for git in Git::all() {
        let town = town_with_repository();
        let home = visitor(&git);
        if home.git(&["lfs", "version"]).code != 0 {
            crate::town::skip(format_args!("no git-lfs beside git {}", git.version));
            continue;
        }
        home.git(&["lfs", "install"]).assert_ok();
        home.git(&["clone", "--quiet", &url_with_token(&town), "app"]).assert_ok();
        home.git_in("app", &["lfs", "track", "*.bin"]).assert_ok();
        home.git_in("app", &["add", ".gitattributes"]).assert_ok();
        let content = noise(100_000);
        home.commit("app", "large.bin", &content);
        home.git_in("app", &["push", "origin", "main"]).assert_ok();
        let uploads = |town: &Town| {
            let requests = town.github.requests().into_iter();
            requests.filter(|it| it.method == "PUT" && it.verdict == Verdict::Live).count()
        };
        assert_eq!(uploads(&town), 1);
        home.git(&["clone", "--quiet", &url_with_token(&town), "again"]).assert_ok();
        assert!(fs::read(home.path().join("again/large.bin")).is_ok_and(|it| it == content));
    }
}

#[test]
fn git_lfs_is_refused_with_a_dead_token() {
    let town = town_with_repository();
    let url = format!("http://{}", town.github.host());
    let request =
        "POST /acme/app.git/info/lfs/objects/batch HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(send(&url, request.as_bytes()).expect("an answer").status, 401);
}
