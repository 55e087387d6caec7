//! `erase` compares before it forgets, counts what happens at one moment once, and waits for
//! nobody.

use std::thread;

use crate::scene::*;
use crate::town::{Git, RIG, Ran};

/// What `erase` says on stderr; it never says anything on stdout, and never fails.
fn erase(scene: &Scene, more: &str) -> String {
    let erased = scene.ask("erase", &format!("protocol=http\nhost=HOST\n{more}\n"));
    assert_eq!(erased.assert_ok().stdout, "");
    erased.stderr
}

#[test]
fn an_erased_token_is_replaced_with_one_call_and_old_erasures_change_nothing() {
    let (scene, old) = Scene::with_token(A_WHILE);
    scene.github.revoke_all();
    let erased = format!("username=x-access-token\npassword={old}\n");
    let said = erase(&scene, &erased);
    assert!(said.contains("the worker will be asked for another: run the command again"), "{said}");
    assert!(said.ends_with("[token-rejected]\n") && said.lines().count() == 1, "{said}");
    assert!(!said.contains(&old));
    let new = scene.get().token();
    assert_ne!(new, old);
    assert_eq!(scene.refusals(), 1);
    for _ in 0..10 {
        let said = erase(&scene, &erased);
        assert!(said.contains("has since been replaced: run the command again"), "{said}");
        scene.get().answers(&new);
    }
    assert_eq!(scene.calls(), 1);
}

#[test]
fn a_young_token_that_a_hundred_fetches_erase_is_asked_about_once_and_a_minute_later() {
    let scene = Scene::new();
    let token = scene.get().token();
    at_once(&[(); 100], |()| {
        scene.erase(&token).mentions("may not be known there yet: run the command again");
    });
    let refusals = scene.record("host").expect("on record")["refusals"].as_u64();
    assert!(refusals.is_some_and(|count| count <= 2), "{refusals:?}");
    scene.get().answers(&token);
    assert_eq!(scene.calls(), 1, "it may not be known everywhere yet");
    scene.let_pass(61 * SECOND);
    scene.get().token();
    assert_eq!(scene.calls(), 2);
}

#[test]
fn a_rejected_token_that_the_worker_repeats_is_served_and_asked_about_once_a_minute() {
    let (scene, old) = Scene::with_token(A_WHILE);
    scene.worker.stuck_on(&old);
    scene.erase(&old).mentions("the worker will be asked for another");
    scene.get().warns(&old, "token-rejected").mentions("doctor");
    scene.erase(&old).mentions("which handed it out 0 s ago").mentions("doctor");
    scene.let_pass(3 * SECOND);
    scene.erase(&old).assert_proper();
    for ran in scene.herd(20) {
        ran.answers(&old);
    }
    assert_eq!(scene.calls(), 1, "once a minute is enough");
    scene.worker.unstuck();
    scene.worker.forget(RIG);
    scene.let_pass(61 * SECOND);
    assert_ne!(scene.get().token(), old);
}

#[test]
fn a_token_is_erased_while_somebody_waits_for_the_worker() {
    let (scene, old) = Scene::with_token(SOON);
    scene.worker.hold();
    thread::scope(|scope| {
        scope.spawn(|| scene.get());
        scene.worker.await_git_token_calls(1);
        scene.erase(&old).assert_proper().within(..2 * SECOND);
        assert!(scene.record("host").is_some());
        assert_eq!(scene.calls(), 1);
        scene.worker.release();
    });
}

#[test]
fn a_git_that_heals_needs_no_advice() {
    let (scene, old) = Scene::with_token(A_WHILE);
    assert_eq!(erase(&scene, &format!("capability[]=state\npassword={old}\n")), "");
}

#[test]
fn another_password_or_none_changes_nothing() {
    let (scene, token) = Scene::with_token(A_WHILE);
    for more in ["", "username=x-access-token\n", "password=\n", "password=other\n"] {
        assert_eq!(erase(&scene, more), "", "{more:?}");
    }
    let elsewhere = format!("protocol=https\nhost=evil.example\npassword={token}\n\n");
    scene.ask("erase", &elsewhere).assert_ok();
    scene.get().answers(&token);
    assert_eq!(scene.calls(), 0);
}

#[test]
fn a_foreign_installation_token_is_named_embedded_and_not_shown() {
    let (scene, _) = Scene::with_token(SECOND);
    for foreign in ["ghs_foreign123".to_owned(), scene.current() + "x"] {
        let said = erase(&scene, &format!("password={foreign}\n"));
        assert!(said.contains("setup --migrate"), "{said}");
        assert!(said.ends_with("[embedded-token]\n"), "{said}");
        assert!(!said.contains(&foreign), "{said}");
    }
    assert_eq!(scene.calls(), 0);
}

#[test]
fn a_hundred_processes_that_erase_the_old_token_while_one_renews_lose_nothing() {
    let (scene, old) = Scene::with_token(HOUR);
    let processes: Vec<_> = (0..101).collect();
    at_once(&processes, |process| match process {
        50 => drop(scene.get()),
        _ => drop(scene.erase(&old)),
    });
    assert_ne!(scene.get().token(), old);
    assert_eq!(scene.calls(), 1);
}

/// What git-lfs does through `git credential`, by a program of this name.
fn fill_and_reject(scene: &Scene, name: &str, times: usize) -> Ran {
    let program = scene.path(name);
    let script = format!(
        "#!/bin/sh\nfor time in $(seq {times}); do\n\
         echo 'url=http://{}/acme/app.git' | git credential fill >filled; code=$?\n\
         test $code = 0 && git credential reject <filled\ndone\nexit $code\n",
        scene.github.host()
    );
    // By another process: a file that a thread of this one writes cannot be run while a third starts
    // a process, which has it open, too, for a moment.
    let write = ["-c", "cat >\"$0\" && chmod +x \"$0\"", name];
    scene.home.run("sh", &write, &script).assert_ok();
    scene.home.run(&program, &[], "")
}

#[test]
fn git_lfs_that_goes_on_to_reject_is_ended_whatever_sources_there_are() {
    at_once(&Git::all(), |git| {
        for (pat, has_worker) in [(None, true), (Some("ghp_mine"), true), (Some("ghp_mine"), false)]
        {
            let mut scene = Scene::configured(git);
            if let Some(pat) = pat {
                scene.home.set("GITHUB_CLI_PAT", pat);
            }
            if has_worker {
                scene.get().token();
                scene.let_pass(A_WHILE);
            } else {
                scene.home.unset("GASTOWN_API_URL");
            }
            fill_and_reject(&scene, "git-lfs", 8).assert_fails().mentions("[token-rejected]");
            assert!(scene.calls() <= 3, "{pat:?}, {has_worker}: {:?}", scene.calls());
        }
    });
}

#[test]
fn another_program_that_goes_on_to_reject_gets_a_live_token_for_its_other_repositories() {
    at_once(&Git::all(), |git| {
        let scene = Scene::configured(git);
        scene.get().token();
        scene.let_pass(A_WHILE);
        fill_and_reject(&scene, "bot", 8).assert_ok();
        assert!(scene.calls() <= 2, "{:?}", scene.calls());
    });
}

#[test]
fn caller_that_asks_again_by_itself_is_not_told_to_run_the_command_again() {
    at_once(&Git::all(), |git| {
        let scene = Scene::configured(git);
        let reject = |token: &str| {
            let mut git = scene.home.command("git");
            git.args(["credential", "reject"]);
            let url = format!("url=http://{}/acme/app.git", scene.github.host());
            let input = format!("{url}\nusername=x-access-token\npassword={token}\n\n");
            Ran::run(git, input.as_bytes()).assert_ok().stderr.clone()
        };
        let young = scene.get().token();
        assert_eq!(reject(&young), "");
        scene.let_pass(A_WHILE);
        scene.github.revoke_all();
        assert_eq!(reject(&young), "");
        let new = scene.get().token();
        assert_ne!(new, young);
        assert_eq!(reject(&young), "");
        // What asking again cannot change is still said.
        scene.let_pass(A_WHILE);
        scene.worker.stuck_on(&new);
        assert_eq!(reject(&new), "");
        scene.get().token();
        let said = reject(&new);
        assert!(
            said.contains("is not asked again so soon") && !said.contains("command again"),
            "{said}"
        );
    });
}

#[test]
fn git_lfs_that_rejected_once_gets_the_token_again() {
    let scene = Scene::configured(&Git::newest());
    scene.get().token();
    scene.let_pass(A_WHILE);
    fill_and_reject(&scene, "git-lfs", 1).assert_ok();
    scene.let_pass(5 * SECOND);
    // The worker vouches for it.
    fill_and_reject(&scene, "git-lfs", 1).assert_ok();
}
