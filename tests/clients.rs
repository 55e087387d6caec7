//! Clients other than git, which the machine need not have: each is fetched or built once, into
//! cargo's target directory. No registry is named: the ordinary clients know theirs.

pub(crate) mod git2_client;
pub(crate) mod git_lfs;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::town::skip;

/// A directory for a client, which may not exist yet, and the lock that goes with it.
fn lock_for(name: &str) -> (PathBuf, File) {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    fs::create_dir_all(&all).expect("the target directory is writable");
    let lock = File::create(all.join(format!("{name}.lock"))).expect("as above");
    lock.lock().expect("a lock in the target directory");
    (all.join(name), lock)
}

/// Runs `make` in a directory of that name, once for all test runs, and returns the directory. If
/// `make` fails the test is skipped, and the next test that needs it tries again.
fn made_once(name: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Option<PathBuf> {
    let (made, _lock) = lock_for(name);
    if !made.exists() {
        let unfinished = made.with_extension("unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        fs::create_dir(&unfinished).expect("as above");
        if let Err(reason) = make(&unfinished) {
            skip(format_args!("cannot get {name}: {reason}"));
            return None;
        }
        fs::rename(&unfinished, &made).expect("as above");
    }
    Some(made)
}

/// Runs a command, with the machine's own environment.
fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}
