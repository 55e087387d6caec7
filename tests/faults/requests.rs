//! Requests that are cut, forged, too long or somebody else's: no answer, no complaint, no call.

use super::scene::*;
use crate::town::Ran;

fn ask(scene: &Scene, operation: &[&str], request: &str) -> Seen {
    Seen(scene.home.helper(operation, request))
}

#[test]
fn what_is_no_request_of_ours_gets_neither_answer_nor_complaint() {
    let scene = Scene::new();
    let host = scene.town.github.host();
    let long = "x".repeat(70_000);
    for request in [
        "".to_owned(),
        "\n".to_owned(),
        "protocol=http\n\n".to_owned(),
        format!("host={host}\n\n"),
        format!("protocol=http\nhost={host}\nhost={host}\n\n"),
        format!("protocol=http\nhost={host}\0\n\n"),
        format!("protocol=http\nhost={host}\r.example\n\n"),
        format!("protocol=http\nhost={host}\npath={long}\n\n"),
        format!("protocol=http\nhost={host}\n{}\n", "x[]=y\n".repeat(200_000)),
        format!("protocol=https\nhost={host}\n\n"),
        format!("protocol=ftp\nhost={host}\n\n"),
        "protocol=http\nhost=github.com\n\n".to_owned(),
        "protocol=https\nhost=github.com.example\n\n".to_owned(),
        "protocol=https\nhost=gitlab.com\n\n".to_owned(),
        format!("url=http://{host}/\nhost=github.com\n\n"),
    ] {
        for operation in ["get", "erase", "store"] {
            let Seen(Ran { code, stdout, stderr, .. }) = ask(&scene, &[operation], &request);
            assert_eq!((code, &*stdout, &*stderr), (0, "", ""), "{:.80}", request);
        }
    }
    assert_eq!((scene.calls(), scene.names()), (0, vec![]));
}

#[test]
fn what_is_odd_but_clear_is_answered() {
    let scene = Scene::new();
    let host = scene.town.github.host();
    for request in [
        format!("protocol=http\nhost={host}"),
        format!("protocol=http\nhost={host}\n"),
        format!("protocol=http\r\nhost={host}\r\n\r\n"),
        format!("protocol=http\nhost={host}\npath={}\n\n", "x".repeat(2000)),
        format!("protocol=http\nhost={host}\nfuture=1\nfuture[]=2\nfuture[]=\n\n"),
        format!("url=http://{host}/acme/app.git\n\n"),
        format!("host={host}\nprotocol=http\n\nprotocol=https\n"),
    ] {
        ask(&scene, &["get"], &request).answers(&scene.current());
    }
    assert_eq!(scene.calls(), 1);
}

#[test]
fn operations_of_a_git_to_come_are_ignored_and_none_at_all_is_a_usage_error() {
    let scene = Scene::new();
    let Seen(unknown) = ask(&scene, &["approve"], &scene.request());
    assert_eq!((unknown.code, &*unknown.stdout, &*unknown.stderr), (0, "", ""));
    let Seen(none) = ask(&scene, &[], &scene.request());
    assert_eq!((none.code, &*none.stdout), (2, ""), "{none:?}");
    assert!(none.stderr.contains("Usage: "), "{none:?}");
    assert_eq!((scene.calls(), scene.names()), (0, vec![]));
}

#[test]
fn the_time_runs_from_the_end_of_the_request() {
    let (scene, _) = Scene::with_token(DEAD);
    let request = scene.request();
    // One second more than a process has.
    let late = scene.shell(&format!("{{ sleep 21; printf '%s' '{request}'; }} | \"$HELPER\" get"));
    late.answers(&scene.current());
    assert_eq!(scene.record("failure"), None);
}

#[test]
fn input_that_does_not_block_is_waited_for() {
    let scene = Scene::new();
    let request = scene.request();
    // The flag belongs to the open pipe, so that one process sets it for the other.
    let script = format!(
        "mkfifo pipe
        {{ sleep 1; printf '%s' '{request}'; }} >pipe &
        exec <pipe
        python3 -c 'import os; os.set_blocking(0, False)'
        \"$HELPER\" get"
    );
    scene.shell(&script).answers(&scene.current());
}

#[test]
fn input_that_cannot_be_read_is_told_and_ends_git() {
    let scene = Scene::new();
    let ran = scene.shell("\"$HELPER\" get </");
    assert_eq!((ran.0.code, &*ran.0.stdout), (1, "quit=1\n"), "{ran:?}");
    ran.mentions("cannot read git's request").mentions("[io-failed]");
    assert_eq!(scene.calls(), 0);
}

#[test]
fn output_that_cannot_be_written_is_told() {
    let scene = Scene::new();
    let ran = scene.shell("\"$HELPER\" get >/dev/full");
    assert_eq!(ran.0.code, 1, "{ran:?}");
    ran.mentions("cannot write the answer").mentions("[io-failed]");
}
