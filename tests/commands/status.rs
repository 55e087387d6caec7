//! `status`: what is cached, told without a secret, without the network, without a trace.

use std::time::Duration;

use super::*;
use crate::town::{RIG, Rig, hash};

/// The same whatever the moment, the port and the token: `12 min` becomes `[TIME]`.
fn told(scene: &Scene, text: &str) -> String {
    assert_tells_no_secret(scene, text);
    let mut text = text.replace(&scene.worker.url(), "[API]").replace(&scene.host, "[HOST]");
    for token in scene.worker.minted_for(RIG) {
        text = text.replace(&hash(&token)[..16], "[HASH]");
    }
    let text = text.replace(&scene.home.path().display().to_string(), "[HOME]");
    let lines = text.lines().map(without_times);
    lines.map(|line| line + "\n").collect()
}

fn without_times(line: &str) -> String {
    let is_unit =
        |word: &str| ["s", "min", "h", "days"].contains(&word.trim_end_matches([',', ';', ')']));
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for index in (1..words.len()).rev() {
        let number = words[index - 1].trim_start_matches('(').to_owned();
        if is_unit(&words[index]) && number.parse::<u64>().is_ok() {
            let rest = words[index].trim_start_matches(char::is_alphabetic).to_owned();
            words[index - 1] = words[index - 1].replace(&number, "[TIME]") + &rest;
            words.remove(index);
        }
    }
    words.join(" ")
}

fn status(scene: &Scene) -> String {
    let ran = scene.helper(&["status"]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""), "{ran:?}");
    told(scene, &ran.stdout)
}

fn status_json(scene: &Scene) -> Value {
    json(&scene.helper(&["status", "--json"]).assert_ok().stdout)
}

#[test]
fn an_empty_cache_is_reported_and_not_made() {
    let scene = Scene::new();
    let told = status(&scene);
    assert!(told.starts_with("nothing is cached in [HOME]/.cache/gastown"), "{told}");
    assert_eq!(status_json(&scene)["entries"], json("[]"));
    assert!(!scene.path(".cache").exists());
}

#[test]
fn a_fresh_token_is_shown_with_all_its_times() {
    let scene = Scene::new();
    scene.get().assert_ok();
    scene.worker.forget_calls();
    assert_eq!(
        status(&scene),
        "rig rig-1 of town town-1 at [API]\n\
         \x20 state    FRESH: fresh for [TIME]\n\
         \x20 token    [HASH], installation\n\
         \x20 source   the worker, first [TIME] ago, last [TIME] ago\n\
         \x20 expiry   in [TIME] to [TIME], assumed: the worker did not say\n\
         \x20 renewal  in [TIME]\n"
    );
    assert_eq!(scene.worker.calls().len(), 0);
}

#[test]
fn as_json_it_tells_the_same_in_moments() {
    let mut scene = Scene::new();
    scene.worker.set_expiry(crate::town::Expiry::ExpiresAt);
    scene.home.set(
        "GASTOWN_CONTAINER_TOKEN",
        scene.worker.container_token_issued(Duration::from_secs(36_000)),
    );
    scene.get().assert_ok();
    let text = scene.helper(&["status", "--json"]).assert_ok().stdout.clone();
    assert_tells_no_secret(&scene, &text);
    let told = json(&text);
    let entry = &told["entries"][0];
    let expected = [("town", "town-1"), ("rig", "rig-1"), ("state", "FRESH")];
    for (key, value) in expected {
        assert_eq!(entry[key], value, "{text}");
    }
    assert_eq!((&entry["api"], &told["version"]), (&scene.worker.url().into(), &1.into()));
    assert_eq!(entry["token"]["hash"], hash(&scene.current())[..16]);
    assert_eq!(entry["token"]["expiry"], "known");
    assert_eq!(entry["token"]["lives_until"], entry["token"]["dies_by"]);
    for moment in ["first_seen", "confirmed_at", "lives_until", "renewal_at"] {
        assert!(entry["token"][moment].as_str().is_some_and(|it| it.ends_with('Z')), "{text}");
    }
    assert!(entry["container_token_expires"].is_string(), "{text}");
    assert_eq!((&entry["failure"], &told["unusable"]), (&Value::Null, &json("[]")));
}

#[test]
fn failures_and_refusals_on_record_are_told() {
    let scene = Scene::new();
    scene.get().assert_ok();
    scene.home.age_cache(Duration::from_secs(600));
    let token = scene.current();
    scene.erase(&token).assert_ok();
    scene.worker.go_down();
    scene.get().assert_ok();
    scene.home.age_cache(Duration::from_secs(1));
    scene.prolong_failure();
    let told = status(&scene);
    assert_eq!(
        told,
        "rig rig-1 of town town-1 at [API]\n\
         \x20 state    SUSPECT: rejected by the server\n\
         \x20 token    [HASH], installation\n\
         \x20 source   the worker, first [TIME] ago, last [TIME] ago\n\
         \x20 expiry   in [TIME] to [TIME], assumed: the worker did not say\n\
         \x20 renewal  when next asked\n\
         \x20 refused  by [HOST], 1 time(s), last [TIME] ago\n\
         \x20 failure  the worker at [API] refused the connection ([TIME] ago); check GASTOWN_API_URL \
         and whether the worker runs, then run the command again; will be tried again in [TIME], or \
         at once: git credential-gastown refresh [worker-unreachable]\n"
    );
    let told = status_json(&scene);
    assert_eq!(told["entries"][0]["failure"]["error"], "worker-unreachable");
    assert_eq!(told["entries"][0]["token"]["refusals"][0]["count"], 1);
}

#[test]
fn a_dead_token_and_a_long_lived_one_are_told_apart() {
    let mut scene = Scene::new();
    scene.get().assert_ok();
    scene.home.age_cache(Duration::from_secs(2 * 3600));
    scene.worker.add_rig("rig-2", Rig::Pat("ghp_mine".to_owned()));
    scene.home.set("GASTOWN_RIG_ID", "rig-2");
    scene.get().assert_ok();
    let told = status(&scene);
    let (dead, personal) = told.split_once("rig rig-2").unwrap();
    assert!(dead.contains("state    DEAD: died [TIME] ago"), "{told}");
    assert!(dead.contains("expiry   [TIME] ago at the latest"), "{told}");
    assert!(personal.contains("token    "), "{told}");
    assert!(personal.contains(", personal\n"), "{told}");
    assert!(personal.contains("expiry   none, a long-lived token"), "{told}");
}

#[test]
fn what_is_in_the_way_is_reported_and_never_read_for_a_token() {
    let scene = Scene::new();
    scene.get().assert_ok();
    let is_entry = |path: &PathBuf| path.to_string_lossy().ends_with("token.json");
    let entry = scene.home.cache_files().into_iter().find(is_entry).unwrap().display().to_string();
    scene.change(&format!("cp -p {entry} kept"));
    for (reason, spoil) in [
        ("it is damaged", "echo '{' >ENTRY"),
        ("others can read", "chmod 644 ENTRY"),
        ("about something else", "mv ENTRY .cache/gastown/0.token.json"),
        ("symbolic link", "ln -sf /dev/null ENTRY"),
    ] {
        let restore = "rm .cache/gastown/*.token.json; cp -p kept ENTRY";
        scene.change(&format!("{restore}; {spoil}").replace("ENTRY", &entry));
        let told = status(&scene);
        assert!(told.starts_with("nothing is cached") && told.contains(reason), "{reason}: {told}");
        assert_eq!(status_json(&scene)["unusable"].as_array().map(Vec::len), Some(1), "{reason}");
    }
}

#[test]
fn failure_of_the_container_token_is_reported_too() {
    let mut scene = Scene::new();
    scene.home.set("GASTOWN_CONTAINER_TOKEN", scene.worker.container_token_badly_signed());
    scene.get().assert_fails();
    let told = status(&scene);
    assert!(told.contains("[container-token-rejected]"), "{told}");
    assert!(told.contains("\n  state    none: nothing is cached\n"), "{told}");
    let entry = &status_json(&scene)["entries"][0];
    assert_eq!(entry["failure"]["error"], "container-token-rejected");
    assert_eq!((&entry["state"], &entry["reason"]), (&"DEAD".into(), &"empty".into()));
}
