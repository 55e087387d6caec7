//! Limits of the machine: no room for a file, no thread, no descriptor, nobody who reads. Whatever
//! is missing, there is a whole answer or none, and never a panic.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
fn a_name_needs_no_thread_to_be_looked_up() {
    let (mut scene, _) = Scene::with_token(DEAD);
    let url = scene.town.worker.url().replace("127.0.0.1", "localhost");
    scene.home.set("GASTOWN_API_URL", &url);
    // The limit is not for root, and counts all that a user runs.
    let Some(ran) = as_nobody(&scene, "exec prlimit --nproc=1 ./helper get") else { return };
    assert_eq!(ran.token(), scene.current());
}

#[test]
fn an_address_needs_no_thread_to_be_looked_up() {
    let (scene, _) = Scene::with_token(DEAD);
    let Some(ran) = as_nobody(&scene, "exec prlimit --nproc=1 ./helper get") else { return };
    assert_eq!(ran.token(), scene.current());
}

/// Runs a script as a user who is not root and has no home: this one if that is so, else one who
/// is nobody. The program is there as `./helper`, and the cache is where the user may write.
fn as_nobody(scene: &Scene, script: &str) -> Option<Seen> {
    const NOBODY: u32 = 54_321;
    let place = scene.home.path().join("place");
    fs::create_dir(&place).expect("the home is writable");
    // By another process: what this one has open for writing, a child of another test may hold,
    // and then the file cannot be run.
    assert_eq!(scene.run("cp", &[HELPER, "place/helper"]).0.code, 0);
    let script = format!("cd place; export GASTOWN_CACHE_DIR=\"$PWD/cache\"; {script}");
    if !["/usr/bin/setpriv", "/usr/bin/prlimit"].iter().all(|it| Path::new(it).exists()) {
        crate::town::skip("there is no `prlimit`, or no `setpriv` to be somebody else");
        return None;
    }
    if !rustix::process::geteuid().is_root() {
        return Some(scene.shell(&script));
    }
    let above = scene.home.path();
    for path in [above.parent().expect("it is temporary"), &above] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
    }
    std::os::unix::fs::chown(&place, Some(NOBODY), Some(NOBODY)).expect("root may");
    let user = NOBODY.to_string();
    let ids = ["--reuid", &user, "--regid", &user, "--clear-groups", "sh", "-c", &script];
    Some(scene.run("setpriv", &ids))
}

#[test]
fn without_a_home_the_cache_is_a_private_directory_among_the_temporary_ones() {
    if !rustix::process::geteuid().is_root() {
        return crate::town::skip("a user who may be looked up has a home even without HOME");
    }
    let scene = Scene::new();
    let script = "unset GASTOWN_CACHE_DIR HOME; mkdir temporary; export TMPDIR=\"$PWD/temporary\"
        cat >request; ./helper get <request && exec ./helper get <request";
    let Some(ran) = as_nobody(&scene, script) else { return };
    let answer = format!("username=x-access-token\npassword={}\n", scene.current());
    assert_eq!(ran.0.stdout, answer.repeat(2), "{ran:?}");
    assert_eq!(scene.calls(), 1, "it is a cache like any other");
    let cache = scene.home.path().join("place/temporary/gastown-54321");
    assert_eq!(fs::metadata(cache).expect("it is there").permissions().mode() & 0o777, 0o700);
}

#[test]
fn with_hardly_a_file_to_open_there_is_an_answer_or_one_message() {
    // Three are open from the start; the system's loader needs one more for a moment.
    for limit in 4..=9 {
        let (scene, _) = Scene::with_token(DEAD);
        let ran = scene.shell(&format!("ulimit -n {limit}; exec \"$HELPER\" get"));
        ran.assert_proper();
        if ran.0.code == 0 {
            assert_eq!(ran.token(), scene.current());
        } else {
            ran.mentions("git-credential-gastown: error: ").mentions("tried: ");
        }
    }
}

#[test]
fn with_hardly_any_memory_there_is_no_half_an_answer() {
    for kib in [6_000, 8_000, 12_000, 16_000] {
        let (scene, _) = Scene::with_token(FRESH);
        // Where even the program cannot be loaded, that is the shell's or the loader's to say.
        let ran = scene.shell(&format!("ulimit -v {kib}; \"$HELPER\" get 2>/dev/null || true"));
        if !ran.0.stdout.is_empty() {
            ran.token();
        }
    }
}

#[test]
fn whoever_closes_the_answers_pipe_costs_nobody_anything() {
    for (age, closed) in [
        (FRESH, "\"$HELPER\" get >&-"),
        (DEAD, "\"$HELPER\" get >&-"),
        (DEAD, "\"$HELPER\" get >&- 2>&-"),
        (DEAD, "{ \"$HELPER\" get; echo $? >code; } | true; exit $(cat code)"),
        (DEAD, "\"$HELPER\" get >/dev/full"),
        (DEAD, "\"$HELPER\" get >/dev/full 2>/dev/full"),
    ] {
        let (scene, _) = Scene::with_token(age);
        let ran = scene.shell(closed);
        assert!([0, 1].contains(&ran.0.code) && ran.0.stdout.is_empty(), "{ran:?}");
        assert!(!ran.0.stderr.contains("panicked"), "{ran:?}");
        let calls = scene.calls();
        // The token is in the cache before anybody is told.
        scene.get().answers(&scene.current());
        assert_eq!(scene.calls(), calls, "{closed}");
    }
}

#[test]
fn the_reason_is_told_even_where_nobody_reads_the_answer() {
    for closed in ["| true", ">/dev/full"] {
        let (scene, _) = Scene::with_token(DEAD);
        scene.town.worker.go_down();
        let ran = scene.shell(&format!("{{ \"$HELPER\" get; }} {closed}"));
        ran.mentions("[worker-unreachable]");
    }
}

#[test]
fn without_stdin_or_stderr_nothing_is_lost() {
    let scene = Scene::new();
    let nothing = scene.shell("exec \"$HELPER\" get <&-");
    assert_eq!((nothing.0.code, &*nothing.0.stdout, &*nothing.0.stderr), (0, "", ""));
    assert_eq!(scene.calls(), 0);
    assert_eq!(scene.shell("exec \"$HELPER\" get 2>&-").token(), scene.current());
    scene.town.worker.go_down();
    scene.let_pass(DEAD);
    let ran = scene.shell("exec \"$HELPER\" get 2>&-");
    assert_eq!((ran.0.code, &*ran.0.stdout), (1, "quit=1\n"));
}

#[test]
fn a_storm_of_signals_is_sat_out() {
    // The program handles the first; the others interrupt what the kernel is at.
    let storm = |request: &str| {
        format!(
            "cat >{request}
            \"$HELPER\" get <{request} & helper=$!
            # Until it handles the signal (the 25th), that would be its end.
            until grep -q 'SigCgt:.*1......$' /proc/$helper/status; do sleep 0.01; done
            for i in $(seq 300); do
                for signal in XFSZ WINCH STOP CONT; do kill -$signal $helper; done
            done 2>/dev/null
            wait $helper"
        )
    };
    let (scene, _) = Scene::with_token(DEAD);
    scene.town.worker.hold();
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| scene.shell(&storm("one")));
        scene.town.worker.await_git_token_calls(1);
        let waiter = scope.spawn(|| scene.shell(&storm("another")));
        std::thread::sleep(SECOND);
        scene.town.worker.release();
        let token = scene.current();
        holder.join().expect("it ran").answers(&token);
        waiter.join().expect("it ran").answers(&token);
    });
    assert_eq!(scene.calls(), 1);
}
