//! Setting up and taking it back: git asks the helper afterwards, and the rest is as it was.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scene::{A_WHILE, HELPER, NOBODY, REPOSITORY, Scene, can_mount, mode, set_mode};
use crate::town::{Git, Options, Ran};

mod at_once;
mod configuring;
mod confining;
mod environment;
mod link;
mod migrating;
mod undoing;

/// A URL with a token, at the host that is ours in a scene without a town.
const TOKEN_URL: &str = "https://x:ghs_sentinel@git.example/a.git";

/// Whether neither tokens nor `store` helpers are left.
fn is_clear(config: &Path) -> bool {
    let text = fs::read_to_string(config).expect("a configuration");
    !text.contains("ghs_sentinel") && !text.contains("store")
}

/// Whether files can be given away here.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        crate::town::skip("only root can give files away");
    }
    is_root
}

fn give_away(path: &Path) {
    let owner = format!("{NOBODY}:{NOBODY}");
    let status = Command::new("chown").args(["-R", "-h", &owner]).arg(path).status();
    assert!(status.expect("chown runs").success());
}

impl Scene {
    /// A scene in which git is not set up yet.
    fn to_set_up(git: &Git) -> Self {
        let mut scene = Self::start(Options::default(), git);
        scene.github.create_repository(REPOSITORY);
        scene.home.set("GIT_EDITOR", "true");
        scene
    }

    fn each_git() -> impl Iterator<Item = Self> {
        Git::all().into_iter().map(|git| Self::to_set_up(&git))
    }

    /// Where neither worker nor server is asked.
    fn alone() -> Self {
        Self::alone_with(&Git::newest())
    }

    fn alone_with(git: &Git) -> Self {
        let mut scene = Self::to_set_up(git);
        scene.host = "https://git.example".to_owned();
        scene.home.set("GASTOWN_GIT_HOSTS", &scene.host);
        scene
    }

    fn each_git_alone() -> impl Iterator<Item = Self> {
        Git::all().into_iter().map(|git| Self::alone_with(&git))
    }

    fn key(&self) -> String {
        format!("credential.{}.helper", self.host)
    }

    fn setup(&self, arguments: &[&str]) -> Ran {
        self.helper(&[&["setup"], arguments].concat())
    }

    fn setup_in(&self, directory: &str, arguments: &[&str]) -> Ran {
        self.home.run_in(directory, HELPER, &[&["setup"], arguments].concat(), "")
    }

    /// A repository with these lines in its configuration, and that file.
    fn repository(&self, directory: &str, lines: &[(&str, &str)]) -> PathBuf {
        self.home.git(&["init", "--quiet", directory]).assert_ok();
        for (key, value) in lines {
            self.home.git_in(directory, &["config", "--add", key, value]).assert_ok();
        }
        self.path(directory).join(".git/config")
    }

    /// One that was made the old way: with a token in its URL and a `store` helper.
    fn old_repository(&self, directory: &str) -> PathBuf {
        self.repository(
            directory,
            &[("remote.origin.url", TOKEN_URL), ("credential.helper", "store")],
        )
    }

    /// In the home.
    fn paste(&self, advice: &str) -> Ran {
        self.paste_in("", advice.trim_end_matches(" [setup-failed]"))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn helpers(&self, arguments: &[&str]) -> Vec<String> {
        let key = self.key();
        let listed =
            self.home.git(&[&["config"], arguments, &["--get-all", key.as_str()]].concat());
        listed.stdout.lines().map(str::to_owned).collect()
    }

    /// The helper line that setup writes. It names the host, which a variable has named here.
    fn line(&self) -> String {
        format!("{HELPER} --host {}", self.host)
    }

    /// The lines that a first setup adds to a file without a section for the host.
    fn added(&self) -> String {
        let (host, line) = (&self.host, self.line());
        format!("[credential \"{host}\"]\n\thelper = \n\thelper = {line}\n")
    }

    fn clone_and_push(&self) {
        let url = self.github.url(REPOSITORY);
        self.home.git(&["clone", "--quiet", &url, "clone"]).assert_ok();
        self.home.commit("clone", "file", b"content");
        self.home.git_in("clone", &["push", "--quiet", "origin", "HEAD"]).assert_ok();
    }

    /// Every file below the home with its content.
    fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let is_file = |path: &PathBuf| {
            path.starts_with(self.path("")) && (path.is_symlink() || !path.is_dir())
        };
        let files = self.home.everything().into_iter().filter(is_file);
        files.map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
    }
}
