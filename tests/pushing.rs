//! The promise itself, with every real git on `PATH`: whenever an agent's own git asks, it gets a
//! token that works.

use std::time::Duration;

use crate::scene::*;
use crate::town::{Git, Home};

#[track_caller]
fn assert_arrived(scene: &Scene) {
    let head = scene.home.git_in("app", &["rev-parse", "HEAD"]).stdout;
    let arrived = scene.github.commit_at(REPOSITORY, "main").expect("main is there");
    assert_eq!(arrived, head.trim());
}

/// With a clone, a push, and a token that was confirmed this long ago.
fn scene_after(git: &Git, age: Duration) -> Scene {
    let scene = Scene::cloned(git);
    scene.push("before").prints("");
    assert_arrived(&scene);
    assert_eq!(scene.both_calls(), (1, 0), "for the clone and the push, git {}", git.version);
    scene.let_pass(age);
    scene.worker.forget_calls();
    scene
}

#[test]
fn a_push_after_an_idle_hour_costs_one_call_and_no_refusal() {
    // After a day the container token is renewed, too: expired, renewed, granted.
    for (hours, calls) in [(1, (1, 0)), (24, (2, 1))] {
        for git in Git::all() {
            let scene = scene_after(&git, hours * HOUR);
            scene.push("after").prints("");
            assert_arrived(&scene);
            assert_eq!((scene.both_calls(), scene.worker.minted()), (calls, 2), "{}", git.version);
            assert_eq!(scene.github.refused_tokens(), 0);
        }
    }
}

/// Commits a file in each of sixteen worktrees and pushes them all at once, without a word.
fn push_sixteen(scene: &Scene, file: &str) {
    let home: &Home = &scene.home;
    let numbers: Vec<_> = (0..16).collect();
    for number in &numbers {
        home.commit(&format!("agent-{number}"), file, file.as_bytes());
    }
    at_once(&numbers, |number| {
        let (worktree, branch) = (format!("agent-{number}"), format!("branch-{number}"));
        home.git_in(&worktree, &["push", "--quiet", "origin", &branch]).prints("");
        let head = home.git_in(&worktree, &["rev-parse", "HEAD"]).stdout;
        let arrived = scene.github.commit_at(REPOSITORY, &branch);
        assert_eq!(arrived.as_deref(), Some(head.trim()));
    });
}

#[test]
fn sixteen_pushes_at_once_cost_one_call_after_an_hour_and_one_after_a_revocation() {
    for git in Git::all() {
        let scene = Scene::cloned(&git);
        for number in 0..16 {
            let (path, branch) = (format!("../agent-{number}"), format!("branch-{number}"));
            let add = ["worktree", "add", "--quiet", "-b", &branch, &path];
            scene.home.git_in("app", &add).assert_ok();
        }
        scene.let_pass(HOUR);
        scene.worker.forget_calls();
        push_sixteen(&scene, "first");
        assert_eq!((scene.both_calls(), scene.github.refused_tokens()), ((1, 0), 0));
        if git.heals() {
            scene.let_pass(A_WHILE);
            scene.github.revoke_all();
            push_sixteen(&scene, "second");
            assert_eq!(scene.both_calls(), (2, 0), "{}", git.version);
        }
    }
    if !Git::newest().heals() {
        crate::town::skip("the revocation, as no git on PATH heals");
    }
}

/// Notes that git asked a person.
fn watch_for_prompts(scene: &mut Scene) {
    let script = scene.script("askpass", ": > \"$HOME/asked\"\nexit 1");
    // git asks this program first. The terminal stays forbidden: the tests may run at one.
    scene.home.set("GIT_ASKPASS", &script);
}

#[test]
fn a_worker_that_is_down_costs_a_push_a_warning_or_without_a_token_one_message_and_no_prompt() {
    for git in Git::all() {
        let mut scene = scene_after(&git, DUE);
        watch_for_prompts(&mut scene);
        scene.worker.go_down();
        scene.push("due").assert_ok().warned(&["warning: ", "[worker-unreachable]"]);
        scene.let_pass(HOUR);
        let asked = scene.path("asked");
        let ran = scene.push("down");
        ran.assert_fails();
        ran.warned(&["error: ", "[worker-unreachable]", "; tried: ", "told us to quit"]);
        // As long as a worker may take that says nothing.
        ran.within(..13 * SECOND);
        assert!(!asked.exists(), "{ran:?}");
        assert_eq!(scene.github.refused_tokens(), 0);

        scene.home.set("GASTOWN_ON_FAILURE", "next");
        scene.push("next").assert_fails().warned(&["error: ", "[worker-unreachable]"]);
        assert!(asked.exists(), "the next one is asked only if wanted");
    }
}
