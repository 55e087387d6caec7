//! Processes that die, stand still or get in each other's way: one asks the worker for all, and
//! nobody depends on its survival. Locks only save calls.

use std::fs;
use std::thread;

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use serde_json::json;

use crate::client::{Client, refused};
use crate::scene::*;
use crate::town::{RIG, Ran, Script};

fn send(signal: Signal, process: u32) {
    let pid = Pid::from_raw(process.cast_signed()).expect("a process id");
    kill_process(pid, signal).expect("it is ours");
}

/// Does something while one process, whose id is given, waits for the worker's answer. Returns what
/// that process had to say in the end.
fn while_one_asks(scene: &Scene, act: impl FnOnce(u32)) -> Ran {
    while_it_asks(scene, || scene.get(), act)
}

/// The same for any command that asks the worker.
fn while_it_asks(scene: &Scene, ask: impl Fn() -> Ran + Sync, act: impl FnOnce(u32)) -> Ran {
    scene.worker.hold();
    thread::scope(|scope| {
        let holder = scope.spawn(&ask);
        scene.worker.await_git_token_calls(1);
        act(scene.holder());
        scene.worker.release();
        holder.join().expect("it ran")
    })
}

fn remove_lock(scene: &Scene) {
    fs::remove_file(scene.path_of(".lock").expect("it is held")).expect("the cache is ours");
}

/// So many processes, of which one makes the second call.
fn herd_with_a_second_call(scene: &Scene, size: usize, before: impl FnOnce()) {
    thread::scope(|scope| {
        let herd = scope.spawn(|| scene.herd(size));
        before();
        scene.worker.await_git_token_calls(2);
        scene.worker.release();
        for ran in herd.join().expect("they ran") {
            ran.answers(&scene.current());
        }
    });
    assert_eq!(scene.calls(), 2);
}

#[test]
fn waiters_go_on_when_the_one_that_asks_for_them_is_killed() {
    at_once(&[Signal::KILL, Signal::TERM], |signal| {
        let (mut scene, _) = Scene::with_token(DEAD);
        scene.trace_to_file();
        let killed = while_one_asks(&scene, |holder| {
            herd_with_a_second_call(&scene, 50, || {
                scene.await_asks(51);
                assert_eq!(scene.calls(), 1, "the others wait");
                send(*signal, holder);
            });
        });
        assert_eq!(killed.stdout, "");
        assert_eq!(scene.names().len(), 2, "an entry and its lock: {:?}", scene.names());
    });
}

#[test]
fn a_stopped_holder_delays_a_usable_token_by_three_seconds_at_most() {
    at_once(&[SOON, DUE], |age| {
        let (scene, old) = Scene::with_token(*age);
        while_one_asks(&scene, |stopped| {
            send(Signal::STOP, stopped);
            let ran = scene.get();
            if *age == SOON {
                ran.answers(&old).within(..2 * SECOND);
            } else {
                ran.warns_of(&old, &[&format!("process {stopped} has been renewing")])
                    .within(2 * SECOND..6 * SECOND);
            }
            assert_eq!(scene.calls(), 1);
            send(Signal::KILL, stopped);
        });
    });
}

#[test]
fn waiters_go_ahead_of_a_stopped_holder_which_does_not_replace_their_token() {
    let (scene, _) = Scene::with_token(DEAD);
    let resumed = while_one_asks(&scene, |stopped| {
        send(Signal::STOP, stopped);
        // Its answer is on the way, and nobody reads it.
        scene.worker.release();
        scene.worker.await_answers(1);
        let stale = scene.current();
        scene.worker.forget(RIG);
        let herd = scene.herd(50);
        assert_ne!(scene.current(), stale);
        let passed_by = |ran: &&Ran| ran.stderr.contains(&format!("process {stopped} has held"));
        assert_eq!(herd.iter().filter(passed_by).count(), 1, "one goes ahead for all");
        for ran in &herd {
            assert_eq!(ran.within(..19 * SECOND).token(), scene.current());
        }
        assert_eq!(scene.calls(), 2);
        send(Signal::CONT, stopped);
    });
    // Its own time is over too, but it has an answer all the same.
    resumed.answers(&scene.current());
    assert_eq!(scene.cached_token(), Some(scene.current()));
    assert_eq!(scene.record("failure"), None);
}

#[test]
fn a_process_that_was_stopped_while_it_asked_asks_again_and_blames_nobody() {
    at_once(&[12, 22], |seconds| {
        let (scene, _) = Scene::with_token(DEAD);
        let has_time = *seconds < 20;
        let resumed = while_one_asks(&scene, |stopped| {
            send(Signal::STOP, stopped);
            thread::sleep(*seconds * SECOND);
            send(Signal::CONT, stopped);
            if has_time {
                scene.worker.await_git_token_calls(2);
            } else {
                thread::sleep(SECOND);
            }
        });
        if has_time {
            resumed.answers(&scene.current());
        } else {
            resumed.quits("timeout").mentions("this process was stopped");
            scene.get().answers(&scene.current());
        }
        assert_eq!(scene.record("failure"), None);
    });
}

#[test]
fn a_deleted_lock_file_costs_one_call() {
    at_once(&[false, true], |stops| {
        let (scene, _) = Scene::with_token(DEAD);
        let first = while_one_asks(&scene, |holder| {
            remove_lock(&scene);
            if *stops {
                // What it gets when it goes on is too late, and it has the others' answer.
                send(Signal::STOP, holder);
            }
            herd_with_a_second_call(&scene, 20, || ());
            if *stops {
                send(Signal::CONT, holder);
            }
        });
        first.answers(&scene.current());
        assert_eq!(scene.cached_token(), Some(scene.current()));
    });
}

#[test]
fn a_newer_entry_ends_every_wait() {
    let (mut scene, _) = Scene::with_token(DEAD);
    let (elsewhere, newer) = (scene.path("elsewhere"), scene.current());
    let place = elsewhere.to_string_lossy();
    scene.get_with(&["--cache-dir", &place]).answers(&newer);
    scene.worker.forget_calls();
    scene.trace_to_file();
    let asked = while_one_asks(&scene, |_| {
        thread::scope(|scope| {
            let waiter = scope.spawn(|| scene.get());
            scene.await_asks(2);
            // Where an entry lies is told by what it is about, so it can move from cache to cache.
            let name = names(&elsewhere).into_iter().find(|name| name.ends_with(".token.json"));
            let name = name.expect("an entry");
            fs::rename(elsewhere.join(&name), scene.cache().join(&name)).expect("ours");
            waiter.join().expect("it ran").answers(&newer);
        });
        assert_eq!(scene.calls(), 1);
    });
    asked.answers(&newer);
}

#[test]
fn refused_command_that_is_given_the_same_token_takes_the_newer_one_of_another_process() {
    let (scene, old) = Scene::with_token(A_WHILE);
    let client = Client::new(&scene);
    let state = refused(&client.get(""));
    let again = json!({ "success": true, "data": { "token": old } });
    scene.worker.answer_with(Script::json(200, &again).next(1));
    let resumed = while_it_asks(
        &scene,
        || client.get(&state),
        |stopped| {
            send(Signal::STOP, stopped);
            scene.worker.release();
            scene.worker.await_answers(1);
            remove_lock(&scene);
            scene.worker.forget(RIG);
            scene.get().answers(&scene.current());
            send(Signal::CONT, stopped);
        },
    );
    resumed.answers(&scene.current());
    assert_eq!(scene.calls(), 2);
}

/// A shell allows 1024 open files, which are three pipes for each of 300 processes, and little
/// more.
fn allow_more_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.unwrap_or(u64::MAX).min(4096);
    limit.current = limit.current.map(|current| current.max(enough));
    setrlimit(Resource::Nofile, limit).expect("it is within the hard limit");
}

#[test]
fn three_hundred_processes_share_one_call_of_each_kind() {
    allow_more_open_files();
    // With a dead token in the cache, and with nothing there and an expired container token.
    let mut empty = Scene::new();
    let expired = empty.worker.container_token_issued(9 * HOUR);
    empty.home.set("GASTOWN_CONTAINER_TOKEN", &expired);
    for (scene, calls, files) in [(Scene::with_token(DEAD).0, (1, 0), 2), (empty, (1, 1), 3)] {
        for ran in scene.herd(300) {
            ran.answers(&scene.current());
        }
        assert_eq!(scene.both_calls(), calls);
        assert_eq!(scene.names().len(), files, "tokens and a lock: {:?}", scene.names());
    }
}
