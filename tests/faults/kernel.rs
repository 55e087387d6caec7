//! What the kernel may answer to a single call, as no test can make it answer: a library of a few
//! lines, loaded before the system's, answers in its place. It is built by the C compiler that
//! also links this program; without one, or without a loader that does this, the rows are skipped.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::scene::*;

/// `FAULT` tells which call fails, and how.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is(const char *fault) {
    const char *wanted = getenv("FAULT");
    return wanted && !strcmp(wanted, fault);
}

static int fails(int error) { errno = error; return -1; }

/* Shows that the program is one that such a library can be loaded into. */
__attribute__((constructor)) static void show(void) {
    const char *mark = getenv("FAULT_MARK");
    if (mark) close(open(mark, O_CREAT | O_WRONLY, 0600));
}

int flock(int file, int operation) {
    static int interruptions = 50;
    if (is("no locks")) return fails(ENOLCK);
    if (is("locks unsupported")) return fails(EOPNOTSUPP);
    if (is("interrupted lock") && interruptions-- > 0) return fails(EINTR);
    return syscall(SYS_flock, file, operation);
}

ssize_t write(int file, const void *bytes, size_t length) {
    static int interruptions = 50;
    size_t written = length;
    if (length && memmem(bytes, length, "\"first_seen\"", 12)) {
        if (is("disk error")) return fails(EIO);
        if (is("interrupted write") && interruptions-- > 0) return fails(EINTR);
        if (is("killed while writing")) syscall(SYS_write, file, bytes, length / 2);
        if (is("killed before renaming")) syscall(SYS_write, file, bytes, length);
        if (is("killed while writing") || is("killed before renaming")) raise(SIGKILL);
        if (is("short writes")) written = length > 7 ? 7 : length;
    }
    return syscall(SYS_write, file, bytes, written);
}
"#;

/// The scene where the kernel answers so, until `FAULT` is unset; `None`, and a word about it,
/// where the library cannot be built.
fn faulty(fault: &str, age: Duration) -> Option<(Scene, String)> {
    let (mut scene, token) = Scene::with_token(age);
    fs::write(scene.home.path().join("kernel.c"), LIBRARY).expect("the home is writable");
    let mut compiler = scene.home.command("cc");
    compiler.args(["-shared", "-fPIC", "-o", "kernel.so", "kernel.c"]);
    if !compiler.output().is_ok_and(|output| output.status.success()) {
        crate::town::skip("no C compiler that can build a library for this program");
        return None;
    }
    let [library, mark] = ["kernel.so", "mark"].map(|name| scene.home.path().join(name));
    scene.home.set("LD_PRELOAD", &library.to_string_lossy());
    scene.home.set("FAULT_MARK", &mark.to_string_lossy());
    scene.home.helper(&["--version"], "").assert_ok();
    if !mark.exists() {
        crate::town::skip("the program is static, so no library can be loaded before it");
        return None;
    }
    scene.home.unset("FAULT_MARK").set("FAULT", fault);
    Some((scene, token))
}

#[test]
fn a_file_system_without_locks_costs_calls_only() {
    for fault in ["no locks", "locks unsupported"] {
        let Some((scene, _)) = faulty(fault, DEAD) else { return };
        scene.get().answers(&scene.current());
        assert_eq!(scene.calls(), 1);
        scene.let_pass(DEAD);
        for ran in scene.herd(20) {
            ran.answers(&scene.current());
        }
        assert!(scene.calls() <= 21, "a call each at the most");
        assert_eq!(scene.cached_token(), Some(scene.current()), "and one whole entry");
        let calls = scene.calls();
        scene.get().answers(&scene.current());
        assert_eq!(scene.calls(), calls);
    }
}

#[test]
fn a_lock_that_is_interrupted_is_tried_again() {
    let Some((scene, _)) = faulty("interrupted lock", DEAD) else { return };
    for ran in scene.herd(20) {
        ran.answers(&scene.current());
    }
    assert_eq!(scene.calls(), 1);
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_entry_whole_and_its_remains_are_swept() {
    for fault in ["killed while writing", "killed before renaming"] {
        let Some((mut scene, old)) = faulty(fault, DEAD) else { return };
        let killed = scene.get();
        assert_eq!((killed.code, &*killed.stdout), (128 + 9, ""), "{killed:?}");
        assert_eq!(scene.cached_token(), Some(old), "{fault}");
        let remains = |scene: &Scene| {
            scene.names().into_iter().filter(|name| name.starts_with(".new-")).collect::<Vec<_>>()
        };
        assert_eq!(remains(&scene).len(), 1, "{fault}: {:?}", scene.names());

        scene.home.unset("FAULT");
        scene.get().answers(&scene.current());
        assert_eq!(remains(&scene).len(), 1, "somebody may still be writing it");
        let unfinished = scene.cache().join(&remains(&scene)[0]);
        let file = File::options().write(true).open(unfinished).expect("the cache is ours");
        file.set_modified(SystemTime::now() - 2 * DEAD).expect("the cache is ours");
        scene.let_pass(DEAD);
        scene.get().answers(&scene.current());
        assert_eq!(scene.names().len(), 2, "an entry and its lock: {:?}", scene.names());
    }
}

#[test]
fn writes_that_are_short_or_interrupted_make_a_whole_entry_all_the_same() {
    for fault in ["short writes", "interrupted write"] {
        let Some((scene, _)) = faulty(fault, DEAD) else { return };
        scene.get().answers(&scene.current());
        scene.get().answers(&scene.current());
        assert_eq!(scene.calls(), 1, "{fault}");
    }
}

#[test]
fn a_disk_that_breaks_costs_a_warning_and_not_the_answer() {
    let Some((scene, old)) = faulty("disk error", DEAD) else { return };
    scene.get().warns(&scene.current(), "cache-unusable").mentions(".token.json");
    assert_eq!(scene.cached_token(), Some(old));
    assert_eq!(scene.names().len(), 2, "{:?}", scene.names());
}
