//! `refresh`: the worker is asked now, by one process, and it says what came of it.

use std::thread;

use serde_json::Value;

use super::*;
use crate::town::{RIG, Rig};

fn refresh(scene: &Scene) -> Ran {
    scene.helper(&["refresh"])
}

#[test]
fn refresh_renews_a_fresh_token_and_says_if_the_worker_repeats_one() {
    let scene = Scene::new();
    let before = scene.get().assert_ok().stdout.clone();
    scene.worker.forget(RIG);
    let ran = refresh(&scene);
    assert!(ran.assert_ok().stdout.starts_with("renewed: token "), "{ran:?}");
    assert!(ran.stdout.contains("good for at least 2"), "{ran:?}");
    assert_eq!((ran.stdout.lines().count(), &*ran.stderr), (1, ""), "{ran:?}");
    assert_tells_no_secret(&scene, &ran.stdout);
    assert_ne!(scene.get().stdout, before);
    let again = refresh(&scene);
    let told = "the worker gave the same token again: ";
    assert!(again.assert_ok().stdout.starts_with(told), "{again:?}");
    assert_eq!(scene.calls(), 3);
}

#[test]
fn token_that_its_host_rejected_is_not_vouched_for() {
    let scene = Scene::new();
    refresh(&scene).assert_ok();
    scene.let_pass(10 * MINUTE);
    let token = scene.current();
    scene.erase(&token);
    let ran = refresh(&scene);
    let told = format!(
        "the worker gave the same token again: token {}, which {} rejected ",
        &crate::town::hash(&token)[..16],
        scene.host
    );
    assert!(ran.assert_ok().stdout.starts_with(&told), "{ran:?}");
    assert!(ran.stdout.ends_with("ago; if other repositories reject it, too, it is revoked\n"));
    assert_eq!((ran.stdout.lines().count(), &*ran.stderr), (1, ""), "{ran:?}");
    let object = json(&scene.helper(&["refresh", "--json"]).assert_ok().stdout);
    assert!(object["is_same_token"] == true && object["rejected_at"].is_string(), "{object}");
    scene.worker.forget(RIG);
    assert!(refresh(&scene).assert_ok().stdout.contains("good for at least"));
    let object = json(&scene.helper(&["refresh", "--json"]).assert_ok().stdout);
    assert_eq!(object["rejected_at"], Value::Null);
}

#[test]
fn a_renewal_that_fails_says_why_and_costs_nobody_the_cached_token() {
    let scene = Scene::new();
    let before = scene.get().assert_ok().stdout.clone();
    scene.worker.go_down();
    let ran = refresh(&scene);
    assert_fails(&ran, 1, &["[worker-unreachable]"]);
    assert_tells_no_secret(&scene, &ran.stderr);
    assert_eq!(scene.get().stdout, before);
}

#[test]
fn json_tells_the_token_by_its_hash_and_a_failure_by_its_name() {
    let scene = Scene::new();
    let told = |ran: &Ran| json(&ran.stdout);
    let renewed = scene.helper(&["refresh", "--json"]);
    let object = told(renewed.assert_ok());
    assert_eq!((&object["version"], &object["error"]), (&1.into(), &Value::Null));
    assert_eq!(object["host"], scene.host);
    assert_eq!(object["token_hash"], crate::town::hash(&scene.current())[..16]);
    assert_eq!(object["is_same_token"], false);
    assert!(object["lives_until"].is_string() && object["dies_by"].is_string(), "{object}");
    assert_tells_no_secret(&scene, &renewed.stdout);
    assert_eq!(told(&scene.helper(&["refresh", "--json"]))["is_same_token"], true);
    scene.worker.go_down();
    let failed = scene.helper(&["refresh", "--json"]);
    let object = told(failed.assert_fails());
    assert_eq!((&object["version"], &object["error"]), (&1.into(), &"worker-unreachable".into()));
    assert!(failed.stderr.contains("[worker-unreachable]"), "{failed:?}");
    let foreign = scene.helper(&["refresh", "--json", "https://git.example"]);
    let object = told(foreign.assert_fails());
    assert_eq!((&object["host"], &object["error"]), (&Value::Null, &"config-missing".into()));
}

#[test]
fn a_personal_token_that_goes_first_is_mentioned() {
    let mut scene = Scene::new();
    scene.home.set("GITHUB_CLI_PAT", "ghp_mine");
    let ran = refresh(&scene);
    assert!(ran.assert_ok().stderr.contains("GITHUB_CLI_PAT is set"), "{ran:?}");
}

#[test]
fn a_personal_token_of_the_worker_is_said_to_be_long_lived() {
    let scene = Scene::new();
    scene.worker.add_rig(RIG, Rig::Pat("ghp_workers".to_owned()));
    assert!(refresh(&scene).assert_ok().stdout.ends_with(", long-lived\n"));
    let told = json(&scene.helper(&["refresh", "--json"]).assert_ok().stdout);
    assert_eq!((&told["lives_until"], &told["dies_by"]), (&Value::Null, &Value::Null));
}

#[test]
fn many_at_once_share_what_was_asked_after_they_came() {
    let mut scene = Scene::new();
    scene.trace_to_file();
    scene.worker.hold();
    thread::scope(|threads| {
        threads.spawn(|| {
            at_once(&[(); 12], |()| {
                refresh(&scene).assert_ok();
            });
        });
        scene.await_asks(12);
        scene.worker.release();
    });
    assert!(scene.calls() <= 2, "the one that was under way, and one for all who came later");
}
