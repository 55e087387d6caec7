//! The trace tells each decision with its reason, to stderr or to a file; and neither the trace nor
//! any message ever shows a secret, however an ask ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::town::{Home, RIG, Ran, Script, Town, hash};
use crate::transcript::*;

fn ask(home: &Home, town: &Town, flags: &[&str]) -> Ran {
    home.helper(&[&["get"], flags].concat(), &request(town))
}

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
fn it_tells_each_decision_with_its_reason() {
    let town = Town::start();
    let home = agent(&town);
    let host = format!("http://{}", town.github.host());
    let ran = ask(&home, &town, &["-v"]);
    let name = &hash(&token(&ran))[..8];
    assert_tells(&ran.stderr, &[&host, "empty", "worker", "GASTOWN_CONTAINER_TOKEN", "granted"]);
    assert_tells(&ran.stderr, &["granted", name, "worker"]);
    let ran = ask(&home, &town, &["-v"]);
    assert_tells(&ran.stderr, &[&host, "fresh for 1", name]);
    assert!(!ran.stderr.contains("granted"), "{ran:?}");
    let_pass(&town, &home, HOUR);
    let ran = ask(&home, &town, &["-v"]);
    assert_tells(&ran.stderr, &[&host, "died", "ago", "granted"]);
    let_pass(&town, &home, 26 * MINUTE);
    town.worker.answer_with(Script::error(500, "Internal server error"));
    let ran = ask(&home, &town, &["-v"]);
    assert_tells(&ran.stderr, &["lives another 2 min", "500 Internal server error", "answer"]);
    let ran = home.helper(&["get", "-v"], "protocol=https\nhost=evil.example\n\n");
    assert_tells(&ran.stderr, &["evil.example", "not our"]);
    let ran = home.helper(&["get", "-v"], "protocol=https\nhost=a\nhost=b\n\n");
    assert_tells(&ran.stderr, &["host", "twice"]);
}

#[test]
fn it_is_off_unless_asked_for() {
    let town = Town::start();
    let mut home = agent(&town);
    for value in ["", "0", "false"] {
        home.set("GASTOWN_TRACE", value);
        assert_silently(&get(&home, &town), &credential(&town.worker.token_for(RIG)));
    }
    for value in ["1", "true"] {
        home.set("GASTOWN_TRACE", value);
        let ran = get(&home, &town);
        assert!(token(&ran) == town.worker.token_for(RIG) && !ran.stderr.is_empty(), "{ran:?}");
        assert_eq!(warnings(&ran).len(), 0, "{ran:?}");
    }
    home.set("GASTOWN_TRACE", "relative/path");
    let ran = get(&home, &town);
    token(&ran);
    assert_warns(&ran, &["warning: ", "GASTOWN_TRACE"]);
}

#[test]
fn a_file_holds_the_lines_of_all_processes_and_is_private() {
    let town = Town::start();
    let mut home = agent(&town);
    let file = home.path().join("trace");
    home.set("GASTOWN_TRACE", &file.to_string_lossy());
    let herd: Vec<_> = (0..8).map(|_| start_get(&home, &town)).collect();
    let processes: Vec<_> = herd.iter().map(std::process::Child::id).collect();
    for child in herd {
        let output = child.wait_with_output().expect("pipes can be read");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    let trace = fs::read_to_string(&file).expect("it was written");
    for process in processes {
        assert!(trace.contains(&format!("[{process}]")), "{process} is missing in\n{trace}");
    }
    assert!(trace.lines().all(|line| line.contains(" git-credential-gastown[")), "{trace}");
    let mode = fs::metadata(&file).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn a_file_that_cannot_be_written_costs_no_answer() {
    let town = Town::start();
    let mut home = agent(&town);
    let link = home.path().join("link");
    std::os::unix::fs::symlink(home.path().join("victim"), &link).expect("writable");
    for path in [PathBuf::from("/nonexistent/trace"), home.path(), link] {
        home.set("GASTOWN_TRACE", &path.to_string_lossy());
        assert_eq!(token(&get(&home, &town)), town.worker.token_for(RIG));
    }
    assert!(!home.path().join("victim").exists(), "no link is written through");
}

/// Asks twice, tracing to stderr and to a file: whatever comes of it shows none of these secrets and
/// no token. Gives back the first ask.
#[track_caller]
fn assert_discreet(home: &mut Home, town: &Town, secrets: &[String], request: &str) -> Ran {
    let file = home.path().join("trace");
    home.unset("GASTOWN_TRACE");
    let first = home.helper(&["get", "-v"], request);
    home.set("GASTOWN_TRACE", &file.to_string_lossy());
    let second = home.helper(&["get"], request);
    let trace = fs::read_to_string(&file).expect("it was written");
    for traced in [&first.stderr, &trace] {
        assert!(traced.contains(" git-credential-gastown["), "nothing was traced\n{first:?}");
    }
    for secret in secrets.iter().chain(&town.worker.minted_for(RIG)) {
        for shown in [&first.stderr, &second.stderr, &trace] {
            assert!(!shown.contains(secret.as_str()), "{secret} in\n{shown}");
        }
    }
    first
}

#[test]
fn no_part_of_a_secret_is_shown_where_the_workers_words_are_cut() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_CONTAINER_TOKEN", "sentinel-that-has-no-shape");
    for length in [80, 100, 110, 112, 115, 118] {
        let said = format!("{}sentinel-that-has-no-shape", "x".repeat(length - 1) + " ");
        town.worker.answer_with(Script::error(401, &said));
        home.set("GASTOWN_TOWN_ID", &format!("town-{length}"));
        let first = assert_discreet(&mut home, &town, &["sentinel".to_owned()], &request(&town));
        assert_fails_as(&get(&home, &town), "container-token-rejected");
        assert!(first.stderr.contains("xxx"), "it was quoted\n{first:?}");
    }
}

#[test]
fn a_secret_that_begins_with_another_is_masked_whole() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GIT_TOKEN", "sentinel").set("GITLAB_TOKEN", "sentinel-and-its-tail");
    town.worker.answer_with(Script::error(500, "neither sentinel-and-its-tail nor sentinel"));
    for secret in ["sentinel", "-and-its-tail"] {
        assert_discreet(&mut home, &town, &[secret.to_owned()], &request(&town));
    }
}

#[test]
fn one_agents_secret_is_not_told_to_the_next_by_the_failure_on_record() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_CONTAINER_TOKEN", "sentinel-that-has-no-shape");
    town.worker.answer_with(Script::error(500, "no such token: sentinel-that-has-no-shape"));
    get(&home, &town).assert_fails();
    let asked = calls(&town);
    home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token());
    let ran = get(&home, &town);
    assert_eq!(calls(&town), asked, "the record answered\n{ran:?}");
    assert!(!ran.assert_fails().stderr.contains("sentinel"), "{ran:?}");
}
