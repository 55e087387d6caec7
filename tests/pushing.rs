//! The promise itself: whenever an agent's own git asks, it gets a token that works. Real git,
//! every version on `PATH`, pushes through a day of a town: an idle hour, a worker that is down, a
//! town whose hour takes ten seconds.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::scene::at_once;
use crate::town::{Git, Home, Options, Ran, Town};
use crate::transcript::*;

fn town() -> Town {
    let town = Town::start();
    town.github.create_repository(REPOSITORY);
    town
}

/// Commits a file and pushes it.
fn push(home: &Home, file: &str) -> Ran {
    home.commit("app", file, b"content");
    home.git_in("app", &["push", "--quiet", "origin", "main"])
}

#[track_caller]
fn assert_arrived(home: &Home, town: &Town) {
    let head = home.git_in("app", &["rev-parse", "HEAD"]).stdout;
    let arrived = town.github.commit_at(REPOSITORY, "main").expect("main is there");
    assert_eq!(arrived, head.trim());
}

/// An agent with a clone, a push, and a token that was confirmed this long ago.
fn agent_after(town: &Town, git: &Git, age: Duration) -> Home {
    let home = cloned(town, git);
    push(&home, "before").assert_ok();
    let_pass(town, &home, age);
    town.worker.forget_calls();
    home
}

#[test]
fn a_clone_and_a_push_cost_one_call() {
    for git in Git::all() {
        let town = town();
        let home = cloned(&town, &git);
        let ran = push(&home, "file");
        assert_silently(&ran, "");
        assert_arrived(&home, &town);
        assert_eq!((calls(&town), town.github.refused_tokens()), ((1, 0), 0), "{}", git.version);
    }
}

#[test]
fn a_push_after_an_idle_hour_costs_one_call_and_no_refusal() {
    for git in Git::all() {
        let town = town();
        let home = agent_after(&town, &git, HOUR);
        let ran = push(&home, "after");
        assert_silently(&ran, "");
        assert_arrived(&home, &town);
        assert_eq!((calls(&town), town.github.refused_tokens()), ((1, 0), 0), "{}", git.version);
        assert_eq!(town.worker.minted(), 2);
    }
}

#[test]
fn after_a_whole_day_idle_in_a_container_one_push_renews_both_tokens() {
    for git in Git::all() {
        let town = town();
        let home = agent_after(&town, &git, 24 * HOUR);
        assert_silently(&push(&home, "after"), "");
        assert_arrived(&home, &town);
        assert_eq!(calls(&town), (2, 1), "expired, renewed, granted");
        assert_eq!(town.github.refused_tokens(), 0);
    }
}

#[test]
fn a_token_of_ten_seconds_is_never_refused_in_real_time() {
    let _machine = have_the_machine();
    thread::scope(|scope| {
        for git in Git::all() {
            scope.spawn(move || {
                let town = Town::start_with(Options::fast());
                town.github.create_repository(REPOSITORY);
                let home = cloned(&town, &git);
                let started = Instant::now();
                let mut pushes = 0;
                while started.elapsed() < 12 * SECOND {
                    pushes += 1;
                    assert_silently(&push(&home, &format!("file-{pushes}")), "");
                    thread::sleep(Duration::from_millis(500));
                }
                assert_arrived(&home, &town);
                assert_eq!(town.github.refused_tokens(), 0, "git {}", git.version);
                assert!(town.worker.minted() >= 2, "a token died meanwhile");
                assert!(calls(&town).0 < pushes, "{pushes} pushes, {:?} calls", calls(&town));
            });
        }
    });
}

/// Commits a file in each of sixteen worktrees and pushes them all at once, without a word.
fn push_sixteen(home: &Home, town: &Town, file: &str) {
    for number in 0..16 {
        home.commit(&format!("agent-{number}"), file, file.as_bytes());
    }
    thread::scope(|scope| {
        for number in 0..16 {
            scope.spawn(move || {
                let (worktree, branch) = (format!("agent-{number}"), format!("branch-{number}"));
                let ran = home.git_in(&worktree, &["push", "--quiet", "origin", &branch]);
                assert_silently(&ran, "");
                let head = home.git_in(&worktree, &["rev-parse", "HEAD"]).stdout;
                let arrived = town.github.commit_at(REPOSITORY, &branch);
                assert_eq!(arrived.as_deref(), Some(head.trim()));
            });
        }
    });
}

#[test]
fn sixteen_pushes_at_once_cost_one_call_after_an_hour_and_one_after_a_revocation() {
    let _machine = have_the_machine();
    for git in Git::all() {
        let town = town();
        let home = cloned(&town, &git);
        for number in 0..16 {
            let (path, branch) = (format!("../agent-{number}"), format!("branch-{number}"));
            home.git_in("app", &["worktree", "add", "--quiet", "-b", &branch, &path]).assert_ok();
        }
        let_pass(&town, &home, HOUR);
        town.worker.forget_calls();
        push_sixteen(&home, &town, "first");
        assert_eq!((calls(&town), town.github.refused_tokens()), ((1, 0), 0), "{}", git.version);
        if git.heals() {
            let_pass(&town, &home, 2 * MINUTE);
            town.github.revoke_all();
            push_sixteen(&home, &town, "second");
            assert_eq!(calls(&town), (2, 0), "{}", git.version);
        }
    }
    if !Git::newest().heals() {
        crate::town::skip("the revocation, as no git on PATH heals");
    }
}

#[test]
fn a_worker_that_is_down_is_not_noticed_while_the_token_is_good() {
    for git in Git::all() {
        at_once(&[0, 10, 20], |minutes| {
            let town = town();
            let home = agent_after(&town, &git, MINUTE * *minutes);
            town.worker.go_down();
            assert_silently(&push(&home, "down"), "");
            assert_arrived(&home, &town);
        });
    }
}

#[test]
fn a_worker_that_is_down_costs_one_warning_near_the_end_of_the_token() {
    for git in Git::all() {
        at_once(&[26, 40, 58], |minutes| {
            let town = town();
            let home = agent_after(&town, &git, MINUTE * *minutes);
            town.worker.go_down();
            let ran = push(&home, "down");
            assert_warns(ran.assert_ok(), &["warning: ", "[worker-unreachable]"]);
            assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
            assert_arrived(&home, &town);
            assert_eq!(town.github.refused_tokens(), 0);
        });
    }
}

/// Notes that git asked a person.
fn watch_for_prompts(home: &mut Home) {
    let script = home.path().join("askpass");
    fs::write(&script, "#!/bin/sh\n: > \"$HOME/asked\"\nexit 1\n").expect("the home is writable");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("the script is ours");
    home.set("GIT_ASKPASS", &script.to_string_lossy()).unset("GIT_TERMINAL_PROMPT");
}

#[test]
fn without_a_token_a_push_fails_at_once_with_one_message_and_no_prompt() {
    for git in Git::all() {
        let town = town();
        let mut home = agent_after(&town, &git, HOUR);
        watch_for_prompts(&mut home);
        town.worker.go_down();
        let ran = push(&home, "down");
        assert_warns(ran.assert_fails(), &["error: ", "[worker-unreachable]", "; tried: "]);
        assert!(ran.took < 13 * SECOND, "as long as a worker may take that says nothing: {ran:?}");
        assert!(!home.path().join("asked").exists(), "{ran:?}");
        assert!(ran.stderr.contains("told us to quit"), "{ran:?}");
        assert_eq!(town.github.refused_tokens(), 0);

        home.set("GASTOWN_ON_FAILURE", "next");
        assert_warns(push(&home, "next").assert_fails(), &["error: ", "[worker-unreachable]"]);
        assert!(home.path().join("asked").exists(), "the next one is asked only if wanted");
    }
}

#[test]
fn a_worker_that_is_back_is_asked_again() {
    let town = town();
    let home = agent_after(&town, &Git::newest(), HOUR);
    town.worker.go_down();
    push(&home, "down").assert_fails();
    town.worker.come_up();
    home.age_cache(MINUTE);
    assert_silently(&push(&home, "up"), "");
    assert_arrived(&home, &town);
}
