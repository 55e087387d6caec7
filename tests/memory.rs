//! No core dump holds a token, and no other process of the same user reads it out of `/proc`.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::*;

/// A `get` that waits for its answer with the container token in hand. Root may look at everything:
/// only somebody else can be refused.
struct Waiting {
    child: Child,
    scene: Scene,
}

impl Waiting {
    fn start() -> Option<Self> {
        let scene = Scene::new();
        scene.worker.hold();
        scene.write("request", scene.request());
        // Where it may, the kernel shall dump.
        let script =
            r#"ulimit -c "$(ulimit -H -c)"; exec ./helper get <../request >/dev/null 2>&1"#;
        let child = scene.command_of_nobody(script)?.spawn().expect("there is a shell");
        scene.worker.await_git_token_calls(1);
        Some(Self { child, scene })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.scene.worker.release();
        let _ = self.child.wait();
    }
}

#[test]
fn no_other_process_of_the_user_reads_its_memory() {
    let Some(waiting) = Waiting::start() else { return };
    for name in ["mem", "environ"] {
        let path = format!("/proc/{}/{name}", waiting.child.id());
        let owner = fs::metadata(&path).expect("it is still running").uid();
        assert_eq!(owner, 0, "{name} is not the user's to read");
        let read = waiting.scene.get_as_nobody(&format!("cat {path}")).expect("as before");
        assert!(read.code != 0 && read.stdout.is_empty(), "{name} was read: {read:?}");
    }
}

#[test]
fn a_process_that_is_killed_dumps_no_core() {
    let Some(mut waiting) = Waiting::start() else { return };
    let pid = Pid::from_child(&waiting.child);
    // Not SIGQUIT, which whoever starts the tests in the background ignores for all of them.
    kill_process(pid, Signal::ABORT).expect("it is still running");
    let status = waiting.child.wait().expect("it is ours");
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}

/// Neither the cache, nor its lock, the trace, the audit log or a connection to the worker.
#[test]
fn a_program_that_it_becomes_inherits_no_open_file() {
    let mut scene = Scene::new();
    for name in ["GASTOWN_TRACE", "GASTOWN_AUDIT_LOG"] {
        let file = scene.path(name);
        scene.home.set(name, &file);
    }
    let ran = scene.helper(&["exec", "--", "ls", "/proc/self/fd"]);
    let listed = scene.home.run("ls", &["/proc/self/fd"], "");
    // What the tests themselves were started with, both have.
    assert_eq!(ran.assert_ok().stdout, listed.stdout, "{ran:?}");
    assert_eq!(scene.calls(), 1, "there was a connection and a lock");
}
