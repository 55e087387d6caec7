//! Processes that die, stand still or get in each other's way: one asks the worker for all, and
//! nobody depends on its survival. Locks only save calls.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::scene::*;
use crate::town::RIG;

/// Long enough for processes that were started to be waiting, and no harm if they are not yet.
const SETTLING: Duration = Duration::from_millis(300);

fn send(signal: Signal, process: u32) {
    let pid = Pid::from_raw(process.cast_signed()).expect("a process id");
    kill_process(pid, signal).expect("it is ours");
}

#[test]
fn waiters_go_on_when_the_one_that_asks_for_them_is_killed() {
    for signal in [Signal::KILL, Signal::TERM] {
        let (scene, _) = Scene::with_token(DEAD);
        scene.town.worker.hold();
        thread::scope(|scope| {
            let holder = scope.spawn(|| scene.get());
            scene.town.worker.await_git_token_calls(1);
            let herd = scope.spawn(|| scene.herd(50));
            thread::sleep(SETTLING);
            send(signal, scene.holder());
            assert_eq!(holder.join().expect("it ran").0.stdout, "");
            scene.town.worker.await_git_token_calls(2);
            scene.town.worker.release();
            for ran in herd.join().expect("they ran") {
                ran.answers(&scene.current());
            }
        });
        assert_eq!(scene.calls(), 2);
        assert_eq!(scene.names().len(), 2, "an entry and its lock: {:?}", scene.names());
    }
}

#[test]
fn waiters_pass_by_one_that_stands_still_and_it_does_not_undo_what_they_got() {
    let (scene, old) = Scene::with_token(DEAD);
    scene.town.worker.hold();
    thread::scope(|scope| {
        let holder = scope.spawn(|| scene.get());
        scene.town.worker.await_git_token_calls(1);
        let stopped = scene.holder();
        send(Signal::STOP, stopped);
        // Its answer is on the way, and nobody reads it.
        scene.town.worker.release();
        thread::sleep(SETTLING);
        let stale = scene.current();
        scene.town.worker.forget(RIG);
        let herd = scene.herd(50);
        let newer = scene.current();
        assert!(newer != stale && newer != old);
        let passed_by = |ran: &&Seen| ran.0.stderr.contains(&format!("process {stopped} has held"));
        assert_eq!(herd.iter().filter(passed_by).count(), 1, "one goes ahead for all");
        for ran in &herd {
            assert_eq!(ran.within(..19 * SECOND).token(), newer);
        }
        assert_eq!(scene.calls(), 2);
        send(Signal::CONT, stopped);
        // Its own time is over too, but it has an answer all the same.
        holder.join().expect("it ran").answers(&newer);
        assert_eq!(scene.cached_token(), Some(newer));
        assert_eq!(scene.record("failure"), None);
    });
}

#[test]
fn a_process_that_stands_still_costs_a_usable_token_three_seconds_at_most() {
    at_once(&[SOON, DUE], |age| {
        let (scene, old) = Scene::with_token(*age);
        scene.town.worker.hold();
        thread::scope(|scope| {
            let holder = scope.spawn(|| scene.get());
            scene.town.worker.await_git_token_calls(1);
            let stopped = scene.holder();
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
            holder.join().expect("it was killed");
        });
    });
}

#[test]
fn one_that_was_stopped_and_failed_meanwhile_has_the_others_answer() {
    let (scene, _) = Scene::with_token(DEAD);
    scene.town.worker.hold();
    thread::scope(|scope| {
        let holder = scope.spawn(|| scene.get());
        scene.town.worker.await_git_token_calls(1);
        let stopped = scene.holder();
        send(Signal::STOP, stopped);
        // Its lock goes astray, so another need not wait for it.
        fs::remove_file(scene.path_of(".lock").expect("it is held")).expect("the cache is ours");
        let other = scope.spawn(|| scene.get());
        scene.town.worker.await_git_token_calls(2);
        scene.town.worker.release();
        let newer = other.join().expect("it ran").token();
        send(Signal::CONT, stopped);
        assert_eq!(holder.join().expect("it ran").token(), newer);
        assert_eq!(scene.cached_token(), Some(newer));
    });
}

#[test]
fn a_lock_file_that_is_deleted_costs_one_call_more_and_nothing_else() {
    let (scene, _) = Scene::with_token(DEAD);
    scene.town.worker.hold();
    thread::scope(|scope| {
        let holder = scope.spawn(|| scene.get());
        scene.town.worker.await_git_token_calls(1);
        fs::remove_file(scene.path_of(".lock").expect("it is held")).expect("the cache is ours");
        let herd = scope.spawn(|| scene.herd(20));
        scene.town.worker.await_git_token_calls(2);
        scene.town.worker.release();
        let token = scene.current();
        holder.join().expect("it ran").answers(&token);
        for ran in herd.join().expect("they ran") {
            ran.answers(&token);
        }
        assert_eq!(scene.cached_token(), Some(token));
    });
    assert_eq!(scene.calls(), 2);
}

#[test]
fn three_hundred_processes_without_a_token_share_one_call() {
    let (scene, _) = Scene::with_token(DEAD);
    let herd = scene.herd(300);
    let token = scene.current();
    for ran in &herd {
        ran.answers(&token);
    }
    assert_eq!(scene.calls(), 1);
}
