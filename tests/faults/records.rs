//! Failures are shared by way of the disk: how long one stands, for whom, and what ends it.

use crate::scene::*;
use crate::town::{CallKind, Script};

#[test]
fn failures_back_off_and_forget_it_all_after_the_first_success() {
    let (scene, _) = Scene::with_token(DEAD);
    scene.worker.answer_with(Script::error(500, "Internal server error"));
    for count in 1..=3 {
        scene.get().quits("worker-error");
        assert_eq!(scene.record("failure").expect("it is on record")["count"], count);
        scene.let_pass(23 * SECOND);
    }
    scene.worker.answer_honestly();
    scene.get().answers(&scene.current());
    assert_eq!(scene.record("failure"), None);
}

#[test]
fn the_first_failure_says_when_it_will_be_tried_again_and_how_at_once() {
    for refreshes in [true, false] {
        let (scene, _) = Scene::with_token(DEAD);
        scene.worker.go_down();
        scene
            .get()
            .quits("worker-unreachable")
            .mentions("will be tried again in")
            .mentions("refresh")
            .within(..4 * SECOND);
        scene.worker.come_up();
        scene.prolong_failure();
        scene.get().quits("worker-unreachable").mentions("will be tried again in");
        assert_eq!(scene.calls(), 0, "its time has not come");
        if refreshes {
            scene.helper(&["refresh"]).assert_ok();
        } else {
            scene.let_pass(MINUTE + 4 * SECOND);
        }
        scene.get().answers(&scene.current());
    }
}

#[test]
fn fifty_waiters_on_a_refused_container_token_cost_one_call() {
    let (scene, _) = Scene::with_token(DEAD);
    let refusal = Script::error(401, "Invalid token signature").only(CallKind::GitToken);
    scene.worker.answer_with(refusal);
    for ran in scene.herd(50) {
        ran.quits("container-token-rejected");
    }
    assert_eq!(scene.calls(), 1);
}

/// Agents of a town, each with a container JWT of its own and the id of a rig that is not there.
#[test]
fn sixty_agents_with_tokens_of_their_own_share_the_failure_of_their_rig() {
    let scene = Scene::new();
    let ids: Vec<_> = (0..60).collect();
    at_once(&ids, |id| {
        let ago = SECOND * *id;
        let mut command = scene.command(&["get"]);
        command.env("GASTOWN_RIG_ID", "rig-9");
        command.env("GASTOWN_CONTAINER_TOKEN", scene.worker.container_token_issued(ago));
        crate::town::Ran::run(command, scene.request().as_bytes()).quits("rig-not-found");
    });
    assert!(scene.calls() <= 3, "{} calls", scene.calls());
    let failures = scene.names().into_iter().filter(|name| name.ends_with(".failure.json"));
    assert_eq!(failures.count(), 1);
}
