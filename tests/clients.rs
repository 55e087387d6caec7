//! Clients other than git, which the machine need not have: each is fetched or built once, into
//! cargo's target directory, by the tests that need it. Owns the lock that lets parallel tests and
//! test runs share that directory; refuses to name a registry: the ordinary clients know theirs.

pub(crate) mod git_lfs;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::town::skip;

/// Runs `make` in a directory of that name, once for all test runs, and returns the directory. If
/// `make` fails the test is skipped, and the next run tries again.
pub(crate) fn made_once(
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Option<PathBuf> {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    fs::create_dir_all(&all).expect("the target directory is writable");
    let lock = File::create(all.join(format!("{name}.lock"))).expect("as above");
    lock.lock().expect("a lock in the target directory");
    let (made, unfinished) = (all.join(name), all.join(format!("{name}.unfinished")));
    if !made.exists() {
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
pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}
