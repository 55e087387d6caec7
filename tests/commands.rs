//! The commands around git's own: each says in its exit code and in one line how it went, and none
//! tells a secret that was not asked for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::town::{Home, Ran, Town};
use crate::transcript::{HELPER, agent, get};

mod audit;
mod completions;
mod exec;
mod gh;
mod refresh;
mod status;
pub(crate) mod terminal;
mod token;

fn settled() -> (Town, Home) {
    let town = Town::start();
    let home = agent(&town);
    (town, home)
}

/// The stand-in GitHub, as messages name it.
fn host(town: &Town) -> String {
    format!("http://{}", town.github.host())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A script below the home, in a directory of its own that can go into `PATH`.
pub(crate) fn script(home: &Home, path: &str, body: &str) -> PathBuf {
    let text = home.path().join("script.txt");
    fs::write(&text, format!("#!/bin/sh\n{body}\n")).expect("the home is writable");
    installed(home, &text, path)
}

/// A program that can be run at once: written by another process, because a child that some other
/// test forks meanwhile would hold it open for writing, and then it is busy.
fn installed(home: &Home, from: &Path, path: &str) -> PathBuf {
    let path = home.path().join(path);
    let mut install = home.command("/usr/bin/install");
    install.args(["-D", "-m", "755"]).arg(from).arg(&path);
    Ran::run(install, b"").assert_ok();
    path
}

/// Changes something below the home, where the script runs.
#[track_caller]
fn change(home: &Home, script: &str) {
    let mut shell = home.command("/bin/sh");
    shell.args(["-euc", script]);
    Ran::run(shell, b"").assert_ok();
}

/// The value of a variable in the output of `env`.
fn variable<'a>(output: &'a str, name: &str) -> Option<&'a str> {
    output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
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
fn assert_tells_no_secret(town: &Town, home: &Home, text: &str) {
    let minted = town.worker.minted_for(crate::town::RIG);
    let held = home.command("env");
    let held = held.get_envs().find(|(name, _)| *name == "GASTOWN_CONTAINER_TOKEN");
    let held = held.and_then(|(_, value)| value).map(|it| it.to_string_lossy().into_owned());
    for secret in minted.into_iter().chain(held) {
        assert!(!text.contains(&secret), "a secret in {text}");
    }
}

#[test]
fn get_answers_for_a_url() {
    let (town, home) = settled();
    let url = format!("{}/acme/app.git", host(&town));
    let ran = home.helper(&["get", &url], "");
    assert_eq!(ran.assert_ok().stdout, get(&home, &town).stdout, "{ran:?}");
    let elsewhere = home.helper(&["get", "https://elsewhere.example/acme/app.git"], "");
    assert_eq!((elsewhere.code, &*elsewhere.stdout), (0, ""), "{elsewhere:?}");
    assert!(elsewhere.stderr.contains("not one of our hosts"), "{elsewhere:?}");
}
