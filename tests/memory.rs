//! The process keeps its memory to itself: no core dump holds a token, and no other process of the
//! same user reads it out of `/proc`. Linux only, as the rest of the suite's kernel matters are.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::town::{Git, Home, Ran, Town};
use crate::transcript::HELPER;

const NOBODY: &str = "65534";

/// A `get` that waits for its answer with the container token in hand, and the user it runs as.
struct Waiting {
    child: Child,
    as_nobody: bool,
    town: Town,
    _program: TempDir,
}

impl Waiting {
    fn start() -> Self {
        let town = Town::start();
        let mut home = Home::new(Path::new(HELPER), &Git::newest());
        home.as_agent(&town);
        town.worker.hold();
        // Root may look at everything: only somebody else can be refused.
        let as_nobody = geteuid().is_root() && Path::new("/usr/bin/setpriv").exists();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let program = open_to_all(&directory);
        let mut command =
            if as_nobody { as_nobody_in(&home) } else { home.command("/usr/bin/env") };
        // Where it may, the kernel shall dump.
        let shell = r#"ulimit -c "$(ulimit -H -c)"; exec "$0" get"#;
        command.args(["/bin/sh", "-c", shell]).arg(program).current_dir(directory.path());
        command.env("HOME", "/nonexistent").stdout(Stdio::null()).stderr(Stdio::null());
        let request = directory.path().join("request");
        fs::write(&request, format!("protocol=http\nhost={}\n\n", town.github.host()))
            .expect("the directory is ours");
        command.stdin(fs::File::open(request).expect("just written"));
        let child = command.spawn().expect("the program under test can be started");
        town.worker.await_git_token_calls(1);
        Self { child, as_nobody, town, _program: directory }
    }

    /// A file below `/proc` that tells of its memory.
    fn of_kernel(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.town.worker.release();
        let _ = self.child.wait();
    }
}

fn as_nobody_in(home: &Home) -> Command {
    let mut command = home.command("/usr/bin/setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    command
}

fn open_to_all(directory: &TempDir) -> PathBuf {
    let program = directory.path().join("helper");
    // Not by our own hand: a child that another thread forks at that moment would hold the file
    // open for writing, and the kernel refuses to run such a one.
    let copied = Command::new("cp").arg(HELPER).arg(&program).status();
    assert!(copied.expect("cp is everywhere").success());
    let open = fs::Permissions::from_mode(0o777);
    for path in [directory.path(), &program] {
        fs::set_permissions(path, open.clone()).expect("ours");
    }
    program
}

#[test]
fn no_other_process_of_the_user_reads_its_memory() {
    let waiting = Waiting::start();
    if geteuid().is_root() && !waiting.as_nobody {
        crate::town::skip("root may look at everything, and there is no setpriv");
        return;
    }
    for name in ["mem", "environ"] {
        let path = waiting.of_kernel(name);
        let owner = fs::metadata(&path).expect("it is still running").uid();
        assert_eq!(owner, 0, "{name} is not the user's to read");
        let home = Home::new(Path::new(HELPER), &Git::newest());
        let mut reader =
            if waiting.as_nobody { as_nobody_in(&home) } else { home.command("/usr/bin/env") };
        let read = reader.arg("cat").arg(&path).current_dir("/").output().expect("cat runs");
        assert!(!read.status.success() && read.stdout.is_empty(), "{name} was read: {read:?}");
    }
}

#[test]
fn a_process_that_is_killed_dumps_no_core() {
    let mut waiting = Waiting::start();
    let pid = Pid::from_child(&waiting.child);
    // Not SIGQUIT, which whoever starts the tests in the background ignores for all of them.
    kill_process(pid, Signal::ABORT).expect("it is still running");
    let status = waiting.child.wait().expect("it is ours");
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}

/// Neither the cache, nor its lock, the trace, the audit log or a connection to the worker.
#[test]
fn a_program_that_it_becomes_inherits_no_open_file() {
    let town = Town::start();
    let mut home = Home::new(Path::new(HELPER), &Git::newest());
    home.as_agent(&town);
    let (trace, audit) = (home.path().join("trace"), home.path().join("audit"));
    home.set("GASTOWN_TRACE", &trace.to_string_lossy());
    home.set("GASTOWN_AUDIT_LOG", &audit.to_string_lossy());
    let ran = home.helper(&["exec", "--", "ls", "/proc/self/fd"], "");
    let mut list = home.command("ls");
    list.arg("/proc/self/fd");
    // What the tests themselves were started with, both have.
    assert_eq!(ran.assert_ok().stdout, Ran::run(list, b"").stdout, "{ran:?}");
    assert_eq!(town.worker.git_token_calls(), 1, "there was a connection and a lock");
}
