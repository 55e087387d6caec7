//! The gits of this machine: each version on `PATH` once, because they differ in what they tell a
//! helper. Owns finding them; refuses to run anything but `git --version`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// From here on git asks a helper again within one command.
const HEALS_SINCE: &[u32] = &[2, 46];

#[derive(Clone, Debug)]
pub struct Git {
    pub path: PathBuf,
    pub version: String,
}

impl Git {
    /// The distinct versions in the order of `PATH`, looked for once; at least one.
    pub fn all() -> Vec<Self> {
        static FOUND: OnceLock<Vec<Git>> = OnceLock::new();
        FOUND.get_or_init(Self::find).clone()
    }

    fn find() -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for directory in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
            let git = Self::at(&directory.join("git"));
            let is_new = |git: &Self| found.iter().all(|other| other.version != git.version);
            found.extend(git.filter(is_new));
        }
        assert!(!found.is_empty(), "the tests need git on PATH");
        found
    }

    pub fn newest() -> Self {
        let newest = Self::all().into_iter().max_by_key(Self::numbers);
        newest.expect("`all` finds at least one")
    }

    /// Whether it asks a helper again within one command, given `continue=1`.
    pub fn heals(&self) -> bool {
        self.numbers() >= HEALS_SINCE.to_vec()
    }

    fn at(path: &Path) -> Option<Self> {
        let output = Command::new(path).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = text.strip_prefix("git version ")?.split_whitespace().next()?;
        Some(Self { path: path.to_owned(), version: version.to_owned() })
    }

    fn numbers(&self) -> Vec<u32> {
        self.version.split('.').map_while(|number| number.parse().ok()).collect()
    }
}
