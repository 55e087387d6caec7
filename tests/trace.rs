//! The trace tells each decision with its reason; neither it nor any message shows a secret.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use crate::scene::*;
use crate::town::{Script, hash};

/// Finds the words in this order, each in the line of the one before or a later one.
#[track_caller]
fn assert_tells(trace: &str, words: &[&str]) {
    let mut rest = trace;
    for word in words {
        let found = rest.find(word).unwrap_or_else(|| panic!("`{word}` is missing in\n{trace}"));
        rest = &rest[found..];
    }
}

#[test]
fn the_verbose_flag_prints_to_stderr_even_if_a_trace_file_is_set() {
    let mut scene = Scene::new();
    scene.trace_to_file();
    assert_tells(&scene.get_with(&["-v"]).stderr, &["cache: ", "granted"]);
}

#[test]
fn it_tells_each_decision_with_its_reason() {
    let scene = Scene::new();
    let host = format!("http://{}", scene.github.host());
    let ran = scene.get_with(&["-v"]);
    let name = &hash(&ran.token())[..8];
    assert_tells(&ran.stderr, &[&host, "empty", "worker", "GASTOWN_CONTAINER_TOKEN", "granted"]);
    assert_tells(&ran.stderr, &["granted", name, "worker"]);
    let ran = scene.get_with(&["-v"]);
    assert_tells(&ran.stderr, &[&host, "fresh for 1", name]);
    ran.never_says("granted");
    scene.let_pass(HOUR);
    let ran = scene.get_with(&["-v"]);
    assert_tells(&ran.stderr, &[&host, "died", "ago", "granted"]);
    scene.let_pass(26 * MINUTE);
    scene.worker.answer_with(Script::error(500, "Internal server error"));
    let ran = scene.get_with(&["-v"]);
    assert_tells(&ran.stderr, &["lives another 2 min", "500 Internal server error", "answer"]);
    let ran = scene.home.helper(&["get", "-v"], "protocol=https\nhost=evil.example\n\n");
    assert_tells(&ran.stderr, &["evil.example", "not our"]);
    let ran = scene.home.helper(&["get", "-v"], "protocol=https\nhost=a\nhost=b\n\n");
    assert_tells(&ran.stderr, &["host", "twice"]);
}

#[test]
fn it_is_off_unless_asked_for() {
    let mut scene = Scene::new();
    for value in ["", "0", "false"] {
        scene.home.set("GASTOWN_TRACE", value);
        scene.get().answers(&scene.current());
    }
    for value in ["1", "true"] {
        scene.home.set("GASTOWN_TRACE", value);
        let ran = scene.get();
        assert!(ran.token() == scene.current() && !ran.stderr.is_empty(), "{ran:?}");
        assert_eq!(ran.warnings().len(), 0, "{ran:?}");
    }
    scene.home.set("GASTOWN_TRACE", "relative/path");
    let ran = scene.get();
    ran.token();
    ran.warned(&["warning: ", "GASTOWN_TRACE"]);
}

#[test]
fn a_file_holds_the_lines_of_all_processes_and_is_private() {
    let mut scene = Scene::new();
    let file = scene.trace_to_file();
    for ran in scene.herd(8) {
        ran.answers(&scene.current());
    }
    let trace = fs::read_to_string(&file).expect("it was written");
    let process = |line: &str| {
        let (_, rest) = line.split_once(" git-credential-gastown[").expect("a line of its own");
        rest.split(']').next().map(str::to_owned)
    };
    let processes: HashSet<_> = trace.lines().map(process).collect();
    assert_eq!(processes.len(), 8, "{trace}");
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn a_file_that_cannot_be_written_costs_no_answer() {
    let mut scene = Scene::new();
    let [link, victim] = ["link", "victim"].map(|name| scene.path(name));
    std::os::unix::fs::symlink(&victim, &link).expect("writable");
    for path in [PathBuf::from("/nonexistent/trace"), scene.home.path(), link] {
        scene.home.set("GASTOWN_TRACE", &path);
        assert_eq!(scene.get().token(), scene.current());
    }
    assert!(!victim.exists(), "no link is written through");
}

#[test]
fn one_agents_secret_is_not_shown_to_the_next_by_the_failure_on_record() {
    let mut scene = Scene::new();
    scene.home.set("GASTOWN_CONTAINER_TOKEN", "sentinel-that-has-no-shape");
    scene.worker.answer_with(Script::error(500, "no such token: sentinel-that-has-no-shape"));
    scene.get().assert_fails();
    scene.prolong_failure();
    let asked = scene.both_calls();
    scene.home.set("GASTOWN_CONTAINER_TOKEN", scene.worker.container_token());
    let ran = scene.get();
    assert_eq!(scene.both_calls(), asked, "the record answered\n{ran:?}");
    assert!(!ran.assert_fails().stderr.contains("sentinel"), "{ran:?}");
}
