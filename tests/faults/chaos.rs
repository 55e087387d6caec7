//! Everything at once: processes that are killed and files that vanish at random, and a worker that
//! fails one call in three. Whatever is answered is a token that the worker minted and that is
//! alive.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::scene::*;
use crate::town::{Expiry, Git, Options, RIG, Ran, Script, Verdict};

const LONGEST: Duration = MINUTE;
const HERDS: usize = 12;
/// Killed after so many milliseconds at most, if at all: a process lives for a few.
const LONGEST_LIFE: u64 = 60;

/// So short a life that tokens die within the test, with margins that a busy machine can keep.
fn short_lives() -> Options {
    Options {
        token_life: Duration::from_secs(30),
        cached_for: Duration::from_secs(3),
        expiry: Expiry::ExpiresAt,
    }
}

/// What came of it all.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicUsize,
    failed: AtomicUsize,
    killed: AtomicUsize,
}

#[test]
fn every_answer_is_a_live_token_though_processes_are_killed_and_files_vanish() {
    let scene = Scene::start(short_lives(), &Git::newest());
    let (tally, is_over) = (Tally::default(), AtomicBool::new(false));
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..HERDS {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    live(&scene, &tally);
                }
            });
        }
        scope.spawn(|| fail_one_in_three(&scene, &is_over));
        scope.spawn(|| lose_files(&scene, &is_over));
        // Some tokens were replaced, and either end met often.
        let is_enough = || {
            let counts = [(&tally.answered, 100), (&tally.killed, 100)];
            scene.worker.minted() > 3
                && counts.iter().all(|(count, least)| count.load(Ordering::SeqCst) >= *least)
        };
        while !is_enough() && started.elapsed() < LONGEST {
            thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, Ordering::SeqCst);
        assert!(is_enough(), "{tally:?}");
    });
    assert!(started.elapsed() < LONGEST + 25 * SECOND, "everything ends: {:?}", started.elapsed());
}

/// One process, from its start to its end or to what ends it.
fn live(scene: &Scene, tally: &Tally) {
    let seen = if fastrand::bool() {
        let seconds = Duration::from_millis(fastrand::u64(..LONGEST_LIFE)).as_secs_f64();
        scene.run("timeout", &["--signal", "KILL", &seconds.to_string(), HELPER, "get"])
    } else {
        scene.get()
    };
    let count = |tally: &AtomicUsize| tally.fetch_add(1, Ordering::SeqCst);
    let Ran { code, stdout, .. } = &seen;
    // `timeout` dies of the signal that it sends.
    let is_killed = *code == 128 + 9;
    let password = stdout.lines().find_map(|line| line.strip_prefix("password="));
    match (password, &**stdout) {
        (Some(token), _) => {
            assert!(stdout.ends_with('\n'), "half an answer\n{seen:?}");
            assert!(scene.worker.minted_for(RIG).iter().any(|it| it == token), "{seen:?}");
            assert_eq!(scene.github.judge(token), Verdict::Live, "{seen:?}");
            count(&tally.answered);
        }
        (None, "" | "quit=1\n") if is_killed => drop(count(&tally.killed)),
        (None, _) => {
            seen.quits("worker-error");
            count(&tally.failed);
        }
    }
}

/// Both attempts of a process, so that it counts.
fn fail_one_in_three(scene: &Scene, is_over: &AtomicBool) {
    let mut next = 1;
    while !is_over.load(Ordering::SeqCst) {
        if scene.calls() >= next {
            scene.worker.answer_with(Script::error(500, "Internal server error").next(2));
            next = scene.calls() + 6;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Any file of the cache, at any time, whatever it is for.
fn lose_files(scene: &Scene, is_over: &AtomicBool) {
    while !is_over.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(fastrand::u64(1..40)));
        let names = scene.names();
        if let Some(name) = fastrand::choice(names) {
            // Somebody may have been faster.
            let _ = fs::remove_file(scene.cache().join(name));
        }
    }
}
