//! What the kernel may answer to a single call, as no test can make it answer: strace answers in
//! its place, or ends the process there.

use std::cell::Cell;

use crate::client::{Client, refused};
use crate::scene::*;
use crate::town::Ran;
use crate::town::home::make_older;

const RENAMES: &str = "?rename,?renameat,?renameat2";

/// A `get` with this fault at its system calls.
fn get(scene: &Scene, calls: &str, fault: &str) -> Ran {
    Ran::run(scene.home.with_fault(calls, fault, &["get"]), scene.request().as_bytes())
}

/// Twenty of them at once, each with its answer.
fn herd(scene: &Scene, calls: &str, fault: &str) {
    at_once(&[(); 20], |()| {
        get(scene, calls, fault).answers(&scene.current());
    });
}

#[test]
fn a_file_system_without_locks_costs_calls_only() {
    for fault in ["error=ENOLCK", "error=EOPNOTSUPP"] {
        let (scene, _) = Scene::with_token(DEAD);
        if !can_inject() {
            return;
        }
        get(&scene, "flock", fault).answers(&scene.current());
        assert_eq!(scene.calls(), 1);
        scene.let_pass(DEAD);
        herd(&scene, "flock", fault);
        assert!(scene.calls() <= 21, "a call each at the most");
        assert_eq!(scene.cached_token(), Some(scene.current()), "and one whole entry");
        let calls = scene.calls();
        scene.get().answers(&scene.current());
        assert_eq!(scene.calls(), calls);
    }
}

#[test]
fn interrupted_system_calls_are_tried_again() {
    for (calls, fault) in [("flock", "error=EINTR:when=1..50"), ("write", "error=EINTR:when=1+2")] {
        let (scene, _) = Scene::with_token(DEAD);
        if can_inject() {
            herd(&scene, calls, fault);
            scene.get().answers(&scene.current());
            assert_eq!(scene.calls(), 1, "{calls}");
        }
    }
}

/// Kills a `get` at the n-th of these calls; whether it came that far. What it leaves of a file
/// that it did not finish is counted.
fn is_killed_at(calls: &str, number: usize, remains: &Cell<usize>) -> bool {
    let (scene, old) = Scene::with_token(DEAD);
    let killed = get(&scene, calls, &format!("signal=KILL:when={number}"));
    let cached = scene.cached_token().expect("an entry is always whole");
    assert!([old, scene.current()].contains(&cached), "{killed:?}");
    let unfinished =
        || scene.names().into_iter().filter(|it| it.starts_with(".new-")).collect::<Vec<_>>();
    let left = unfinished();
    scene.get().answers(&scene.current());
    assert_eq!(unfinished(), left, "somebody may still be writing it");
    left.iter().for_each(|name| make_older(&scene.cache().join(name), 2 * DEAD));
    remains.set(remains.get() + left.len());
    scene.let_pass(DEAD);
    scene.get().answers(&scene.current());
    assert_eq!(scene.names().len(), 2, "an entry and its lock: {:?}", scene.names());
    killed.code == 128 + 9
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_entry_whole_and_its_remains_are_swept() {
    for calls in ["write", RENAMES] {
        let remains = Cell::new(0);
        if can_inject() {
            let kills = (1..).take_while(|number| is_killed_at(calls, *number, &remains)).count();
            assert!(kills > 0 && remains.get() > 0, "{calls}: {kills}, {remains:?}");
        }
    }
}

#[test]
fn a_disk_that_breaks_costs_a_warning_and_not_the_answer() {
    let (scene, old) = Scene::with_token(DEAD);
    if can_inject() {
        let ran = get(&scene, RENAMES, "error=EIO");
        ran.warns(&scene.current(), "cache-unusable").mentions(".token.json");
        assert_eq!(scene.cached_token(), Some(old));
        assert_eq!(scene.names().len(), 2, "{:?}", scene.names());
    }
}

#[test]
fn refused_command_is_told_so_although_the_entry_is_removed_meanwhile() {
    let (scene, _) = Scene::with_token(A_WHILE);
    if !can_inject() {
        return;
    }
    let client = Client::new(&scene).refusing();
    // The worker has just been asked, so the next refusal ends its command at once.
    client.command();
    let state = refused(&client.get(""));
    let request =
        format!("capability[]=state\nprotocol=http\nhost={}\n{state}\n", scene.github.host());
    let mut strace = scene.home.command("strace");
    let entry = scene.path_of(".token.json").expect("it is cached");
    // It is read to record the refusal, to decide, and once more.
    strace.args(["-qq", "-o", "/dev/null", "-e", "inject=openat:error=ENOENT:when=3", "-P"]);
    strace.arg(entry).args([HELPER, "get"]);
    Ran::run(strace, request.as_bytes()).quits("token-rejected");
}
