//! pygit2, as a Python package: libgit2 without a helper of its own.

use std::path::PathBuf;
use std::process::Command;

use super::{made_once, succeed};

const PACKAGE: &str = "pygit2>=1.15,<2";

pub(crate) struct Pygit2 {
    /// The Python that the package was fetched for, past any wrapper on `PATH`.
    pub(crate) python: PathBuf,
    pub(crate) package: PathBuf,
}

impl Pygit2 {
    /// `None` if there is no Python, or the package cannot be fetched.
    pub(crate) fn get() -> Option<Self> {
        let package = made_once("pygit2", |directory| {
            let pip = ["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--target"];
            let mut install = Command::new("python3");
            install.args(pip).arg(directory).arg(PACKAGE).env("PIP_NO_CACHE_DIR", "1");
            succeed(&mut install)
        })?;
        let print = ["-c", "import sys; print(sys.executable)"];
        let output = Command::new("python3").args(print).output().ok()?;
        let python = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
        Some(Self { python, package })
    }
}
