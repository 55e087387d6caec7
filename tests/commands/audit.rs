//! The audit log: a line for each call, whole and without a secret, and never in the way.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::*;

/// An agent whose calls are logged, and the log.
fn logged() -> (Scene, PathBuf) {
    let mut scene = Scene::new();
    let log = scene.path("audit.log");
    scene.home.set("GASTOWN_AUDIT_LOG", &log);
    (scene, log)
}

fn lines(log: &Path) -> Vec<Value> {
    fs::read_to_string(log).unwrap_or_default().lines().map(json).collect()
}

fn hashed(token: &str) -> String {
    STANDARD.encode(Sha256::digest(token))
}

#[test]
fn each_call_is_one_line_that_names_the_token_as_github_does() {
    let (scene, log) = logged();
    scene.get().assert_ok();
    let token = scene.current();
    scene.helper(&["token"]).assert_ok();
    scene.helper(&["exec", "--", "true"]).assert_ok();
    scene.helper(&["refresh"]).assert_ok();
    scene.erase(&token).assert_ok();
    scene.erase("ghp_unknown").assert_ok();
    let known = hashed(&token);
    let told: Vec<_> = lines(&log)
        .iter()
        .map(|line| {
            let fields = ["operation", "outcome", "source", "hashed_token", "error"];
            json!(fields.map(|field| line[field].clone()))
        })
        .collect();
    assert_eq!(
        told,
        [
            json!(["get", "answered", "worker", known, null]),
            json!(["token", "answered", "cache", known, null]),
            json!(["exec", "answered", "cache", known, null]),
            json!(["refresh", "answered", "worker", known, null]),
            json!(["erase", "noted", "cache", known, null]),
            json!(["erase", "ignored", null, hashed("ghp_unknown"), null]),
        ]
    );
    let first = &lines(&log)[0];
    assert_eq!(first["token_hash"], crate::town::hash(&token)[..16], "{first}");
    for (field, value) in [("agent", "agent-1"), ("town", "town-1"), ("rig", "rig-1")] {
        assert_eq!(first[field], value, "{first}");
    }
    assert_eq!(first["host"], scene.host);
    assert!(first["pid"].is_u64() && first["ms"].is_u64() && first["age"].is_u64(), "{first}");
    assert!(first["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{first}");
    assert_eq!(mode(&log), 0o600);
    assert_tells_no_secret(&scene, &fs::read_to_string(&log).unwrap());
}

#[test]
fn a_failure_is_logged_by_its_name_and_other_hosts_not_at_all() {
    let (mut scene, log) = logged();
    scene.home.set("GASTOWN_AGENT_ID", format!("a {}", scene.current()));
    scene.worker.go_down();
    scene.get().assert_fails();
    scene.helper(&["gh", "status"]).assert_fails();
    scene.get_for("elsewhere.example").assert_ok();
    scene.helper(&["store"]).assert_ok();
    scene.helper(&["status"]).assert_ok();
    let told: Vec<_> = lines(&log)
        .iter()
        .map(|line| json!([line["operation"], line["outcome"], line["error"], line["agent"]]))
        .collect();
    let failed = |operation| json!([operation, "failed", "worker-unreachable", "a [redacted]"]);
    assert_eq!(told.first(), Some(&failed("get")));
    assert!(told.len() <= 2 && told.iter().skip(1).all(|line| *line == failed("gh")), "{told:?}");
}

#[test]
fn fifty_at_once_leave_fifty_whole_lines() {
    let (scene, log) = logged();
    scene.herd(50);
    let lines = lines(&log);
    let pids: HashSet<_> = lines.iter().map(|line| line["pid"].as_u64().unwrap()).collect();
    assert_eq!((lines.len(), pids.len()), (50, 50));
    assert_eq!(lines.iter().filter(|line| line["source"] == "worker").count(), 1);
}

#[test]
fn log_that_cannot_be_written_is_told_to_people_and_to_git_with_each_new_token() {
    let (mut scene, _) = logged();
    let trace = scene.trace_to_file();
    scene.get().assert_ok();
    for spoil in
        ["chmod 622 LOG", "ln -sf victim LOG", "rm LOG; mkdir LOG", "rmdir LOG; mkfifo LOG"]
    {
        scene.change(&spoil.replace("LOG", "audit.log"));
        let ran = scene.get();
        assert!(ran.assert_ok().stdout.contains("password="), "{ran:?}");
        assert_eq!(ran.stderr, "", "{ran:?}");
    }
    assert!(!scene.path("victim").exists());
    let trace = fs::read_to_string(trace).unwrap();
    assert_eq!(trace.matches("audit log ").count(), 4, "{trace}");
    let lacks = |ran: &Ran| ran.stderr.matches("lacks a line").count();
    assert_eq!(lacks(&scene.helper(&["token"])), 1);
    scene.let_pass(HOUR);
    assert_eq!(lacks(&scene.get()), 1, "with the answer of the worker");
    assert_eq!(lacks(&scene.get()), 0);
}

#[test]
fn the_config_file_may_name_the_log_and_a_relative_path_is_refused() {
    let (mut scene, log) = logged();
    let config = scene.write("config.json", json!({ "audit_log": log }).to_string());
    scene.home.unset("GASTOWN_AUDIT_LOG").set("GASTOWN_CONFIG", &config);
    assert_eq!(scene.get().assert_ok().stderr, "");
    assert_eq!(lines(&log).len(), 1);
    scene.home.set("GASTOWN_AUDIT_LOG", "audit.log");
    let ran = scene.get();
    assert!(ran.assert_ok().stderr.contains("GASTOWN_AUDIT_LOG is ignored"), "{ran:?}");
    assert_eq!(lines(&log).len(), 1);
}
