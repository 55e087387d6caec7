//! Limits of the machine: there is a whole answer or none, and never a panic.

use std::fs;

use crate::scene::*;

#[test]
fn a_limit_of_file_size_costs_the_cache_and_not_the_answer() {
    let (scene, old) = Scene::with_token(DEAD);
    let ran = scene.shell("ulimit -f 0; exec \"$HELPER\" get");
    assert_eq!(ran.token(), scene.current());
    ran.mentions("[cache-unusable]").mentions("File too large");
    assert_eq!(scene.cached_token(), Some(old), "what was there is whole");
    assert!(!scene.names().iter().any(|name| name.starts_with(".new-")), "{:?}", scene.names());
}

#[test]
fn neither_a_name_nor_an_address_needs_a_thread_to_be_looked_up() {
    for host in ["localhost", "127.0.0.1"] {
        let (mut scene, _) = Scene::with_token(DEAD);
        let url = scene.worker.url().replace("127.0.0.1", host);
        scene.home.set("GASTOWN_API_URL", &url);
        // The limit is not for root, and counts all that a user runs.
        let ran = scene.get_as_nobody("exec prlimit --nproc=1 ./helper get");
        let Some(ran) = ran else { return };
        assert_eq!(ran.token(), scene.current(), "{host}");
    }
}

#[test]
fn without_a_home_the_cache_is_a_private_directory_among_the_temporary_ones() {
    let mut scene = Scene::new();
    let temporary = scene.path("temporary");
    fs::create_dir(&temporary).expect("the home is writable");
    scene.home.unset("GASTOWN_CACHE_DIR").set("TMPDIR", &temporary);
    let renewing = scene.shell("unset HOME; exec \"$HELPER\" get");
    renewing.warns_of(
        &scene.current(),
        &["HOME names no directory", "temporary/gastown-", "cache-unusable"],
    );
    for without in ["unset HOME", "export HOME="] {
        scene.shell(&format!("{without}; exec \"$HELPER\" get")).answers(&scene.current());
        if can_inject() {
            let script = format!("{without}; exec strace -f -o calls \"$HELPER\" get");
            scene.shell(&script).assert_ok();
            let calls = fs::read_to_string(scene.path("calls")).expect("strace wrote it");
            assert!(!calls.contains("passwd"), "nobody is looked up: {calls}");
        }
    }
    assert_eq!(scene.calls(), 1, "it is a cache like any other");
    let script = "unset HOME; mkdir -m 700 run; XDG_RUNTIME_DIR=\"$PWD/run\" exec \"$HELPER\" get";
    scene.shell(script).assert_ok();
    assert!(scene.path("run/gastown").is_dir(), "a variable names it without a home, too");
    let user = rustix::process::geteuid().as_raw();
    assert_eq!(mode(temporary.join(format!("gastown-{user}"))), 0o700);
}

#[test]
fn with_hardly_a_file_to_open_there_is_an_answer_or_one_message() {
    // Three are open from the start; the system's loader needs one more for a moment.
    for limit in 4..=9 {
        let (scene, _) = Scene::with_token(DEAD);
        let ran = scene.shell(&format!("ulimit -n {limit}; exec \"$HELPER\" get"));
        ran.assert_proper();
        if ran.code == 0 {
            assert_eq!(ran.token(), scene.current());
        } else {
            ran.mentions("git-credential-gastown: error: ").mentions("tried: ");
        }
    }
}

#[test]
fn with_hardly_any_memory_there_is_no_half_an_answer() {
    let enough = 131_072;
    for kib in [6_000, 8_000, 12_000, 16_000, enough] {
        let (scene, token) = Scene::with_token(FRESH);
        // Where even the program cannot be loaded, that is the shell's or the loader's to say.
        let ran = scene.shell(&format!("ulimit -v {kib}; \"$HELPER\" get 2>/dev/null || true"));
        if kib == enough || !ran.stdout.is_empty() {
            assert_eq!(ran.token(), token);
        }
    }
}

#[test]
fn stdout_that_is_closed_or_full_loses_no_token() {
    for (age, closed) in [
        (FRESH, "\"$HELPER\" get >&-"),
        (DEAD, "\"$HELPER\" get >&-"),
        (DEAD, "\"$HELPER\" get >&- 2>&-"),
        (DEAD, "{ \"$HELPER\" get; echo $? >code; } | true; exit $(cat code)"),
        (DEAD, "exec \"$HELPER\" get >/dev/full"),
        (DEAD, "\"$HELPER\" get >/dev/full 2>/dev/full"),
    ] {
        let (scene, _) = Scene::with_token(age);
        let ran = scene.shell(closed);
        assert!([0, 1].contains(&ran.code) && ran.stdout.is_empty(), "{ran:?}");
        ran.never_says("panicked");
        if closed.ends_with(" >/dev/full") {
            ran.mentions("cannot write the answer").mentions("[io-failed]");
        }
        let calls = scene.calls();
        // The token is in the cache before anybody is told.
        scene.get().answers(&scene.current());
        assert_eq!(scene.calls(), calls, "{closed}");
    }
}

#[test]
fn the_error_is_printed_even_if_stdout_is_not_read() {
    for closed in ["| true", ">/dev/full"] {
        let (scene, _) = Scene::with_token(DEAD);
        scene.worker.go_down();
        let ran = scene.shell(&format!("{{ \"$HELPER\" get; }} {closed}"));
        ran.mentions("[worker-unreachable]");
    }
}

#[test]
fn without_stdin_or_stderr_nothing_is_lost() {
    let scene = Scene::new();
    let nothing = scene.shell("exec \"$HELPER\" get <&-");
    assert_eq!((nothing.code, &*nothing.stdout, &*nothing.stderr), (0, "", ""));
    assert_eq!(scene.calls(), 0);
    assert_eq!(scene.shell("exec \"$HELPER\" get 2>&-").token(), scene.current());
    scene.worker.go_down();
    scene.let_pass(DEAD);
    let ran = scene.shell("exec \"$HELPER\" get 2>&-");
    assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"));
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
        dd count=0 iflag=nonblock status=none
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
fn a_storm_of_signals_changes_nothing() {
    // The program handles the first; the others interrupt what the kernel is at.
    let storm = |request: &str| {
        format!(
            "cat >{request}
            \"$HELPER\" get <{request} & helper=$!
            # Until it handles the signal (the 25th), that would be its end.
            until grep -q 'SigCgt:.*1......$' /proc/$helper/status; do sleep 0.01; done
            : >{request}.stormed
            for i in $(seq 100); do
                for signal in XFSZ WINCH STOP CONT; do kill -$signal $helper; done
            done 2>/dev/null
            wait $helper"
        )
    };
    let (mut scene, _) = Scene::with_token(DEAD);
    scene.trace_to_file();
    scene.worker.hold();
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| scene.shell(&storm("one")));
        scene.worker.await_git_token_calls(1);
        let waiter = scope.spawn(|| scene.shell(&storm("another")));
        scene.await_asks(2);
        while !scene.path("another.stormed").exists() && !waiter.is_finished() {
            std::thread::sleep(SECOND / 100);
        }
        scene.worker.release();
        let token = scene.current();
        holder.join().expect("it ran").answers(&token);
        waiter.join().expect("it ran").answers(&token);
    });
    assert_eq!(scene.calls(), 1);
}
