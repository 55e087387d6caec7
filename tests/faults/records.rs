//! Failures are shared by way of the disk: how long one stands, for whom, and what ends it.

use std::time::Duration;

use serde_json::Value;

use crate::scene::*;
use crate::town::{CallKind, Script};

/// How many seconds a failure keeps others from asking, with and without a usable token.
fn stands(record: &Value) -> (i64, i64) {
    let moment = |name: &str| record[name].as_i64().expect("a moment");
    let since = |name| (moment(name) - moment("at")) / 1000;
    (since("until_usable"), since("until"))
}

fn failed(scene: &Scene) -> Value {
    scene.record("failure").expect("it is on record")
}

#[test]
fn failures_back_off_and_forget_it_all_after_the_first_success() {
    let (scene, _) = Scene::with_token(DEAD);
    scene.worker.answer_with(Script::error(500, "Internal server error"));
    for (count, most) in [(1, 3), (2, 6), (3, 12), (4, 22), (5, 22)] {
        scene.get().quits("worker-error");
        let failure = failed(&scene);
        assert_eq!(failure["count"], count);
        let (usable, without) = stands(&failure);
        assert!((most / 4..=most).contains(&without), "{without} s at the {count}th");
        assert!(usable >= without && usable <= 90, "{usable} s at the {count}th");
        scene.let_pass(Duration::from_secs(most.unsigned_abs() + 1));
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
        scene.get().quits("worker-unreachable").mentions("will be tried again in");
        assert_eq!(scene.calls(), 0, "its time has not come");
        if refreshes {
            scene.helper(&["refresh"]).assert_ok();
        } else {
            scene.let_pass(4 * SECOND);
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

#[test]
fn a_failure_ends_the_wait_of_others_even_if_a_retry_is_allowed_at_once() {
    let (mut scene, _) = Scene::with_token(DEAD);
    scene.trace_to_file();
    scene.worker.answer_with(Script::status(429, &[("Retry-After", "0")], ""));
    scene.worker.hold();
    std::thread::scope(|scope| {
        let herd = scope.spawn(|| scene.herd(30));
        scene.await_asks(30);
        scene.worker.release();
        for ran in herd.join().expect("they ran") {
            ran.quits("rate-limited");
        }
    });
    // One that has only just looked may not be waiting yet.
    assert!(scene.calls() <= 3, "{}", scene.calls());
}

/// Agents of a town, each with a container JWT of its own and the id of a rig that is not there.
#[test]
fn sixty_agents_with_tokens_of_their_own_share_the_failure_of_their_rig() {
    let scene = Scene::new();
    let ids: Vec<_> = (0..60).collect();
    at_once(&ids, |id| {
        let ago = SECOND * *id;
        let mut command = scene.home.command(HELPER);
        command.arg("get").env("GASTOWN_RIG_ID", "rig-9");
        command.env("GASTOWN_CONTAINER_TOKEN", scene.worker.container_token_issued(ago));
        crate::town::Ran::run(command, scene.request().as_bytes()).quits("rig-not-found");
    });
    assert!(scene.calls() <= 3, "{} calls", scene.calls());
    let failures = scene.names().into_iter().filter(|name| name.ends_with(".failure.json"));
    assert_eq!(failures.count(), 1);
}
