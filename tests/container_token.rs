//! The container token: the one that lives longest is presented, an expired one is renewed once,
//! and one agent's renewal serves all agents of the town.

use std::fs;
use std::path::PathBuf;

use crate::scene::*;
use crate::town::{CallKind, Rig, Script, Town, hash};

/// With an agent that was dispatched nine hours ago.
fn old_scene() -> Scene {
    let mut scene = Scene::new();
    let expired = scene.worker.container_token_issued(9 * HOUR);
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &expired);
    scene
}

/// With an agent whose container token lies in a file.
fn scene_with_file(content: &str) -> (Scene, PathBuf) {
    let mut scene = Scene::new();
    let file = scene.write("container-token", content);
    scene.home.unset("GASTOWN_CONTAINER_TOKEN");
    scene.home.set("GASTOWN_CONTAINER_TOKEN_FILE", &file);
    (scene, file)
}

/// The bearers of all calls, in order, each as its place among those given.
fn bearers(scene: &Scene, known: &[&str]) -> Vec<Option<usize>> {
    let known: Vec<_> = known.iter().map(|token| Some(hash(token))).collect();
    let calls = scene.worker.calls().into_iter();
    calls.map(|call| known.iter().position(|it| *it == call.bearer)).collect()
}

#[test]
fn one_agents_renewal_serves_all_agents_of_the_town() {
    let mut scene = old_scene();
    scene.worker.add_rig("rig-2", Rig::Installation);
    scene.get().answers(&scene.current());
    assert_eq!(scene.both_calls(), (1, 1));
    scene.let_pass(HOUR);
    scene.get().token();
    assert_eq!(scene.both_calls(), (2, 1), "the same agent again");
    scene.home.set("GASTOWN_AGENT_ID", "agent-2").set("GASTOWN_RIG_ID", "rig-2");
    scene.get().answers(&scene.worker.token_for("rig-2"));
    assert_eq!(scene.both_calls(), (3, 1), "another agent, of another rig");
    let older = scene.worker.container_token_issued(10 * HOUR);
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &older);
    scene.let_pass(HOUR);
    scene.get().token();
    assert_eq!(scene.both_calls(), (4, 1), "an agent with another old snapshot");
    scene.home.unset("GASTOWN_CONTAINER_TOKEN");
    scene.let_pass(HOUR);
    scene.get().token();
    assert_eq!(scene.both_calls(), (5, 1), "an agent without any");
}

#[test]
fn one_towns_renewal_is_not_presented_for_another() {
    let (mut scene, other) = (old_scene(), Town::start());
    scene.get().token();
    scene.home.set("GASTOWN_TOWN_ID", "town-2").unset("GASTOWN_CONTAINER_TOKEN");
    scene.get().quits("config-missing");
    scene.home.set("GASTOWN_TOWN_ID", "town-1").set("GASTOWN_API_URL", other.worker.url());
    scene.get().quits("config-missing");
    assert_eq!((scene.both_calls(), other.worker.calls().len()), ((1, 1), 0));
}

#[test]
fn the_one_that_lives_longest_is_presented() {
    let (mut scene, file) = scene_with_file("");
    let [old, new] = [7, 1].map(|hours| scene.worker.container_token_issued(hours * HOUR));
    for (variable, content) in [(&old, &new), (&new, &old)] {
        scene.write(&file, content);
        scene.home.set("GASTOWN_CONTAINER_TOKEN", variable);
        scene.get().token();
        assert_eq!(bearers(&scene, &[&old, &new]), [Some(1)]);
        scene.home.age_cache(HOUR);
        scene.worker.forget_calls();
    }
    let mut scene = old_scene();
    scene.get().token();
    scene.home.age_cache(HOUR);
    let new = scene.worker.container_token_issued(HOUR);
    scene.worker.forget_calls();
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &new);
    scene.get().token();
    assert_eq!(bearers(&scene, &[&new]), [None], "the cached renewal outlives it");
}

#[test]
fn agent_whose_container_token_cannot_be_renewed_stops_no_other_agent() {
    for status in [404, 500] {
        let mut scene = Scene::new();
        let expired = scene.worker.container_token_issued(9 * HOUR);
        let live = scene.worker.container_token();
        let script = Script::error(status, "Not here").only(CallKind::ContainerToken);
        scene.worker.answer_with(script);
        scene.home.set("GASTOWN_CONTAINER_TOKEN", &expired);
        scene.get().quits("worker-error").mentions("the container token was not renewed");
        scene.home.set("GASTOWN_CONTAINER_TOKEN", &live);
        scene.get().answers(&scene.current());
    }
}

#[test]
fn a_rotated_file_takes_effect_at_once() {
    let (scene, file) = scene_with_file("");
    let wrong = scene.worker.container_token_of_town("town-2");
    scene.write(&file, &wrong);
    scene.get().quits("cross-town");
    scene.write(&file, scene.worker.container_token() + "\n");
    scene.get().answers(&scene.current());
    assert_eq!(bearers(&scene, &[&wrong]), [Some(0), None]);
}

#[test]
fn a_file_that_holds_nothing_is_told_and_the_variable_serves() {
    let (mut scene, file) = scene_with_file("");
    let path = file.to_string_lossy();
    let ran = scene.get();
    assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
    ran.mentions(&path).mentions("[config-missing]");
    ran.mentions("; make GASTOWN_CONTAINER_TOKEN_FILE name a file that you can read");
    fs::remove_file(&file).expect("the home is writable");
    scene.get().mentions("No such file").never_says("is unset");
    assert_eq!(scene.worker.calls().len(), 0);
    let good = scene.worker.container_token();
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &good);
    for spoil in [": >container-token", "echo two words >container-token", "rm container-token"] {
        scene.change(spoil);
        scene.get().warned(&["warning: ", &path]).token();
        scene.let_pass(HOUR);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_warned_of_once_although_a_renewal_looks_again() {
    let mut scene = old_scene();
    scene.home.set("GASTOWN_CONTAINER_TOKEN_FILE", "/nonexistent");
    scene.get().warned(&["warning: ", "/nonexistent"]).token();
    assert_eq!(scene.both_calls(), (1, 1));
}

#[test]
fn a_token_that_stays_expired_is_renewed_once_and_no_more() {
    let scene = Scene::new();
    scene.worker.answer_with(Script::error(401, "Token expired").only(CallKind::GitToken));
    scene.get().quits("container-token-rejected");
    assert_eq!(scene.both_calls(), (2, 1));
}

#[test]
fn a_transient_failure_of_a_renewal_is_tried_once_more_and_a_definite_one_is_not() {
    let passing = Script::error(500, "Internal server error").only(CallKind::ContainerToken);
    for (script, name, calls) in [
        (Script::error(401, "Invalid token signature").into(), "container-token-rejected", (0, 1)),
        (Script::error(403, "Cross-town access denied").into(), "cross-town", (0, 1)),
        (passing.clone(), "worker-error", (0, 2)),
    ] {
        let scene = old_scene();
        scene.worker.answer_with(script);
        scene.get().quits(name);
        assert_eq!(scene.both_calls(), calls, "{name}");
    }
    let scene = old_scene();
    scene.worker.answer_with(passing.next(1));
    scene.get().answers(&scene.current());
    assert_eq!(scene.both_calls(), (1, 2));
}

#[test]
fn a_cached_git_token_needs_no_container_token() {
    let mut scene = Scene::new();
    let cached = scene.get().token();
    scene.home.unset("GASTOWN_CONTAINER_TOKEN");
    scene.get().answers(&cached);
}
