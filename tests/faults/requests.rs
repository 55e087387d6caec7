//! Streams that cannot be read or written, or not yet.

use crate::scene::*;

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
    assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
    ran.mentions("cannot read git's request").mentions("[io-failed]");
    assert_eq!(scene.calls(), 0);
}

#[test]
fn output_that_cannot_be_written_is_told() {
    let scene = Scene::new();
    let ran = scene.shell("\"$HELPER\" get >/dev/full");
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.mentions("cannot write the answer").mentions("[io-failed]");
}
