//! `refresh`: the worker is asked now, by one process, and it says what came of it.

use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::town::{RIG, Rig};

fn refresh(home: &Home) -> Ran {
    home.helper(&["refresh"], "")
}

#[test]
fn a_fresh_token_is_renewed_all_the_same() {
    let (town, home) = settled();
    let before = get(&home, &town).assert_ok().stdout.clone();
    town.worker.forget(RIG);
    let ran = refresh(&home);
    assert!(ran.assert_ok().stdout.starts_with("renewed: token "), "{ran:?}");
    assert!(ran.stdout.contains("good for at least 2"), "{ran:?}");
    assert_eq!((ran.stdout.lines().count(), &*ran.stderr), (1, ""), "{ran:?}");
    assert_tells_no_secret(&town, &home, &ran.stdout);
    assert_ne!(get(&home, &town).stdout, before);
    assert_eq!(town.worker.git_token_calls(), 2);
}

#[test]
fn the_same_token_again_is_reported_as_the_same() {
    let (town, home) = settled();
    assert!(refresh(&home).stdout.starts_with("renewed: "));
    let again = refresh(&home);
    let told = "the worker gave the same token again: ";
    assert!(again.assert_ok().stdout.starts_with(told), "{again:?}");
    assert_eq!(town.worker.git_token_calls(), 2);
}

#[test]
fn a_renewal_that_fails_says_why_and_costs_nobody_the_cached_token() {
    let (town, home) = settled();
    let before = get(&home, &town).assert_ok().stdout.clone();
    town.worker.go_down();
    let ran = refresh(&home);
    assert_fails(&ran, 1, &["[worker-unreachable]"]);
    assert_tells_no_secret(&town, &home, &ran.stderr);
    assert_eq!(get(&home, &town).stdout, before);
}

#[test]
fn json_tells_the_token_by_its_hash_and_a_failure_by_its_name() {
    let (town, home) = settled();
    let told = |ran: &Ran| json(&ran.stdout);
    let renewed = home.helper(&["refresh", "--json"], "");
    let object = told(renewed.assert_ok());
    assert_eq!((&object["version"], &object["error"]), (&1.into(), &Value::Null));
    assert_eq!(object["host"], host(&town));
    assert_eq!(object["token_hash"], crate::town::hash(&town.worker.token_for(RIG))[..16]);
    assert_eq!(object["is_same_token"], false);
    assert!(object["lives_until"].is_string() && object["dies_by"].is_string(), "{object}");
    assert_tells_no_secret(&town, &home, &renewed.stdout);
    assert_eq!(told(&home.helper(&["refresh", "--json"], ""))["is_same_token"], true);
    town.worker.go_down();
    let failed = home.helper(&["refresh", "--json"], "");
    let object = told(failed.assert_fails());
    assert_eq!((&object["version"], &object["error"]), (&1.into(), &"worker-unreachable".into()));
    assert!(failed.stderr.contains("[worker-unreachable]"), "{failed:?}");
    let foreign = home.helper(&["refresh", "--json", "https://git.example"], "");
    let object = told(foreign.assert_fails());
    assert_eq!((&object["host"], &object["error"]), (&Value::Null, &"config-missing".into()));
}

#[test]
fn a_personal_token_that_goes_first_is_mentioned() {
    let (_town, mut home) = settled();
    home.set("GITHUB_CLI_PAT", "ghp_mine");
    let ran = refresh(&home);
    assert!(ran.assert_ok().stderr.contains("GITHUB_CLI_PAT is set"), "{ran:?}");
}

#[test]
fn a_personal_token_of_the_worker_is_said_to_be_long_lived() {
    let (town, home) = settled();
    town.worker.add_rig(RIG, Rig::Pat("ghp_workers".to_owned()));
    assert!(refresh(&home).assert_ok().stdout.ends_with(", long-lived\n"));
    let told = json(&home.helper(&["refresh", "--json"], "").assert_ok().stdout);
    assert_eq!((&told["lives_until"], &told["dies_by"]), (&Value::Null, &Value::Null));
}

#[test]
fn many_at_once_share_what_was_asked_after_they_came() {
    const MANY: usize = 12;
    let (town, home) = settled();
    town.worker.hold();
    let start = || -> Child {
        let mut command = home.command(HELPER);
        command.arg("refresh").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..MANY).map(|_| start()).collect();
    town.worker.await_git_token_calls(1);
    // Until all of them wait; if one does not by then, it only costs one call more.
    thread::sleep(Duration::from_secs(1));
    town.worker.release();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert!(town.worker.git_token_calls() < MANY / 2, "{}", town.worker.git_token_calls());
}
