//! The commands around git's own: each says in its exit code and in one line how it went.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::scene::*;
use crate::town::Ran;

mod audit;
mod completions;
mod exec;
mod gh;
mod refresh;
mod status;
mod terminal;
mod token;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn assert_fails(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!((ran.code, &*ran.stdout), (code, ""), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is missing\n{ran:?}");
    }
}

#[track_caller]
fn assert_tells_no_secret(scene: &Scene, text: &str) {
    let minted = scene.worker.minted_for(crate::town::RIG);
    let held = scene.home.command("env");
    let held = held.get_envs().find(|(name, _)| *name == "GASTOWN_CONTAINER_TOKEN");
    let held = held.and_then(|(_, value)| value).map(|it| it.to_string_lossy().into_owned());
    for secret in minted.into_iter().chain(held) {
        assert!(!text.contains(&secret), "a secret in {text}");
    }
}

#[test]
fn get_answers_for_a_url() {
    let scene = Scene::new();
    let url = format!("{}/acme/app.git", scene.host);
    let ran = scene.helper(&["get", &url]);
    assert_eq!(ran.assert_ok().stdout, scene.get().stdout, "{ran:?}");
    let elsewhere = scene.helper(&["get", "https://elsewhere.example/acme/app.git"]);
    assert_eq!((elsewhere.code, &*elsewhere.stdout), (0, ""), "{elsewhere:?}");
    assert!(elsewhere.stderr.contains("not one of our hosts"), "{elsewhere:?}");
}
