//! Processes that die, stand still or get in each other's way: one asks the worker for all, and
//! nobody depends on its survival. Locks only save calls.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::*;
use crate::town::{RIG, Ran};
use crate::transcript::{HOUR, have_the_machine};

/// Long enough for processes that were started to be waiting, and no harm if they are not yet.
const SETTLING: Duration = Duration::from_millis(300);

fn send(signal: Signal, process: u32) {
    let pid = Pid::from_raw(process.cast_signed()).expect("a process id");
    kill_process(pid, signal).expect("it is ours");
}

/// Does something while one process, whose id is given, waits for the worker's answer. Returns what
/// that process had to say in the end.
fn while_one_asks(scene: &Scene, act: impl FnOnce(u32)) -> Seen {
    scene.town.worker.hold();
    thread::scope(|scope| {
        let holder = scope.spawn(|| scene.get());
        scene.town.worker.await_git_token_calls(1);
        act(scene.holder());
        scene.town.worker.release();
        holder.join().expect("it ran")
    })
}

#[test]
fn waiters_go_on_when_the_one_that_asks_for_them_is_killed() {
    at_once(&[Signal::KILL, Signal::TERM], |signal| {
        let (scene, _) = Scene::with_token(DEAD);
        let killed = while_one_asks(&scene, |holder| {
            thread::scope(|scope| {
                let herd = scope.spawn(|| scene.herd(50));
                thread::sleep(SETTLING);
                assert_eq!(scene.calls(), 1, "the others wait");
                send(*signal, holder);
                scene.town.worker.await_git_token_calls(2);
                scene.town.worker.release();
                for ran in herd.join().expect("they ran") {
                    ran.answers(&scene.current());
                }
            });
        });
        assert_eq!(killed.0.stdout, "");
        assert_eq!(scene.calls(), 2);
        assert_eq!(scene.names().len(), 2, "an entry and its lock: {:?}", scene.names());
    });
}

#[test]
fn a_process_that_stands_still_costs_a_usable_token_three_seconds_at_most() {
    at_once(&[SOON, DUE], |age| {
        let (scene, old) = Scene::with_token(*age);
        while_one_asks(&scene, |stopped| {
            send(Signal::STOP, stopped);
            let ran = scene.get();
            if *age == SOON {
                ran.answers(&old).within(..2 * SECOND);
            } else {
                ran.warns_of(&old, &[&format!("process {stopped} has been renewing")]);
                ran.within(2 * SECOND..6 * SECOND);
            }
            assert_eq!(scene.calls(), 1);
            send(Signal::KILL, stopped);
        });
    });
}

#[test]
fn waiters_pass_by_one_that_stands_still_and_it_does_not_undo_what_they_got() {
    let (scene, _) = Scene::with_token(DEAD);
    let resumed = while_one_asks(&scene, |stopped| {
        send(Signal::STOP, stopped);
        // Its answer is on the way, and nobody reads it.
        scene.town.worker.release();
        scene.town.worker.await_answers(1);
        let stale = scene.current();
        scene.town.worker.forget(RIG);
        let herd = scene.herd(50);
        assert_ne!(scene.current(), stale);
        let passed_by = |ran: &&Seen| ran.0.stderr.contains(&format!("process {stopped} has held"));
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
fn one_that_was_stopped_and_failed_meanwhile_has_the_others_answer() {
    let (scene, _) = Scene::with_token(DEAD);
    let resumed = while_one_asks(&scene, |stopped| {
        send(Signal::STOP, stopped);
        // Its lock goes astray, so another need not wait for it.
        fs::remove_file(scene.path_of(".lock").expect("it is held")).expect("the cache is ours");
        thread::scope(|scope| {
            let other = scope.spawn(|| scene.get());
            scene.town.worker.await_git_token_calls(2);
            scene.town.worker.release();
            other.join().expect("it ran").answers(&scene.current());
        });
        send(Signal::CONT, stopped);
    });
    assert_eq!(resumed.token(), scene.current());
    assert_eq!(scene.cached_token(), Some(scene.current()));
}

#[test]
fn a_lock_file_that_is_deleted_costs_one_call_more_and_nothing_else() {
    let (scene, _) = Scene::with_token(DEAD);
    let first = while_one_asks(&scene, |_| {
        fs::remove_file(scene.path_of(".lock").expect("it is held")).expect("the cache is ours");
        thread::scope(|scope| {
            let herd = scope.spawn(|| scene.herd(20));
            scene.town.worker.await_git_token_calls(2);
            scene.town.worker.release();
            for ran in herd.join().expect("they ran") {
                ran.answers(&scene.current());
            }
        });
    });
    first.answers(&scene.current());
    assert_eq!(scene.cached_token(), Some(scene.current()));
    assert_eq!(scene.calls(), 2);
}

#[test]
fn a_newer_entry_ends_every_wait_whoever_wrote_it() {
    let (scene, _) = Scene::with_token(DEAD);
    let (elsewhere, newer) = (scene.home.path().join("elsewhere"), scene.current());
    let mut other = scene.home.command(HELPER);
    other.arg("get").env("GASTOWN_CACHE_DIR", &elsewhere);
    Seen(Ran::run(other, scene.request().as_bytes())).answers(&newer);
    scene.town.worker.forget_calls();
    let asked = while_one_asks(&scene, |_| {
        thread::scope(|scope| {
            let waiter = scope.spawn(|| scene.get());
            thread::sleep(SETTLING);
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
fn three_hundred_processes_without_a_token_share_one_call() {
    let _machine = have_the_machine();
    let (scene, _) = Scene::with_token(DEAD);
    let herd = scene.herd(300);
    let token = scene.current();
    for ran in &herd {
        ran.answers(&token);
    }
    assert_eq!(scene.calls(), 1);
}

#[test]
fn three_hundred_processes_on_an_empty_cache_share_one_call_of_each_kind() {
    let _machine = have_the_machine();
    let mut scene = Scene::new();
    let expired = scene.town.worker.container_token_issued(9 * HOUR);
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &expired);
    let herd = scene.herd(300);
    for ran in &herd {
        ran.answers(&scene.current());
    }
    assert_eq!((scene.calls(), scene.town.worker.container_token_calls()), (1, 1));
    let kept = scene.names();
    assert_eq!(kept.len(), 3, "a token, a container token and a lock: {kept:?}");
}
