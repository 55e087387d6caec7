//! Requests that are cut, forged, too long or somebody else's: no answer, no complaint, no call.

use crate::scene::*;

#[test]
fn what_is_no_request_of_ours_gets_neither_answer_nor_complaint() {
    let scene = Scene::new();
    for request in [
        "",
        "\n",
        "protocol=http\n\n",
        "host=HOST\n\n",
        "protocol=http\nhost=HOST\nhost=HOST\n\n",
        "protocol=http\nhost=HOST\0\n\n",
        "protocol=http\nhost=HOST\r.example\n\n",
        &format!("protocol=http\nhost=HOST\npath={}\n\n", "x".repeat(70_000)),
        "protocol=https\nhost=HOST\n\n",
        "protocol=ftp\nhost=HOST\n\n",
        "protocol=http\nhost=github.com\n\n",
        "protocol=https\nhost=github.com.example\n\n",
        "protocol=https\nhost=gitlab.com\n\n",
        "url=http://HOST/\nhost=github.com\n\n",
    ] {
        scene.assert_nothing_comes_of(request);
    }
    assert_eq!((scene.calls(), scene.names()), (0, vec![]));
}

#[test]
fn what_is_odd_but_clear_is_answered() {
    let scene = Scene::new();
    for request in [
        "protocol=http\nhost=HOST",
        "protocol=http\nhost=HOST\n",
        "protocol=http\r\nhost=HOST\r\n\r\n",
        &format!("protocol=http\nhost=HOST\npath={}\n\n", "x".repeat(2000)),
        "protocol=http\nhost=HOST\nfuture=1\nfuture[]=2\nfuture[]=\n\n",
        "url=http://HOST/acme/app.git\n\n",
        "host=HOST\nprotocol=http\n\nprotocol=https\n",
    ] {
        scene.ask("get", request).answers(&scene.current());
    }
    assert_eq!(scene.calls(), 1);
}

#[test]
fn operations_of_a_git_to_come_are_ignored_and_none_at_all_is_a_usage_error() {
    let scene = Scene::new();
    let Seen(unknown) = scene.ask("approve", &scene.request());
    assert_eq!((unknown.code, &*unknown.stdout, &*unknown.stderr), (0, "", ""));
    let none = scene.home.helper(&[], &scene.request());
    assert_eq!((none.code, &*none.stdout), (2, ""), "{none:?}");
    assert!(none.stderr.contains("Usage: "), "{none:?}");
    assert_eq!((scene.calls(), scene.names()), (0, vec![]));
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
