//! The small program on git2-rs, in a package of its own. Built with the cargo that built the
//! tests; a build that is up to date costs next to nothing and needs no network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{lock_for, succeed};
use crate::town::skip;

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/git2-client/Cargo.toml");

/// Its path, or `None` if its dependencies cannot be fetched.
pub(crate) fn git2_client() -> Option<PathBuf> {
    let (directory, _lock) = lock_for("git2-client");
    fs::create_dir_all(&directory).expect("the target directory is writable");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--manifest-path", MANIFEST, "--target-dir"]);
    // Flags for the crate under test, such as those for coverage, are not for this one.
    build.arg(&directory).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    match succeed(&mut build) {
        Ok(()) => Some(Path::new(&directory).join("debug/git2-client")),
        Err(reason) => {
            skip(format_args!("cannot build git2-client: {reason}"));
            None
        }
    }
}
