//! An agent whose every mistake would cost a token: one is cached, more are in the environment, and
//! a second town stands for the attacker's host. Owns what "nothing came out" means.

use std::fs;
use std::path::{Path, PathBuf};

use crate::town::{Git, Home, Ran, Town};
pub(super) use crate::transcript::HELPER;

/// Every operation that reads a request.
const OPERATIONS: [&str; 3] = ["get", "store", "erase"];

pub(super) struct Scene {
    pub(super) town: Town,
    pub(super) home: Home,
    /// The one in the cache.
    pub(super) token: String,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(&Git::newest())
    }

    pub(super) fn with(git: &Git) -> Self {
        let town = Town::start();
        let mut home = Home::new(Path::new(HELPER), git);
        home.as_agent(&town);
        let mut scene = Self { town, home, token: String::new() };
        scene.token = scene.get().password().expect("an honest request is answered").to_owned();
        scene.town.worker.forget_calls();
        scene
    }

    /// An honest request.
    pub(super) fn get(&self) -> Outcome {
        self.ask("get", "protocol=http\nhost=HOST\n\n")
    }

    /// In a request `HOST` stands for the host that is ours.
    pub(super) fn ask(&self, operation: &str, request: &str) -> Outcome {
        let request = request.replace("HOST", &self.town.github.host());
        Outcome(self.home.helper(&[operation], &request))
    }

    /// That no operation answers, complains, calls or writes; and that the cached token stays.
    #[track_caller]
    pub(super) fn assert_nothing_comes_of(&self, request: &str) {
        let before = self.everything();
        for operation in OPERATIONS {
            let Outcome(ran) = self.ask(operation, request);
            assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, "", ""), "{ran:?}");
        }
        assert_eq!(self.everything(), before, "{request:?} left something behind");
        let cached = self.get();
        assert_eq!(cached.password(), Some(&*self.token), "{request:?} cost the cached token");
        assert_eq!(self.town.worker.calls().len(), 0, "{request:?} caused a call");
    }

    /// The program as git's only helper for every host, as a careless configuration has it.
    pub(super) fn help_everywhere(&self) {
        self.home.git(&["config", "--global", "credential.helper", HELPER]).assert_ok();
    }

    /// A repository, and a clone of it in `app`.
    pub(super) fn clone_app(&self) {
        self.town.github.create_repository("acme/app");
        self.home.git(&["clone", "--quiet", &self.url(), "app"]).assert_ok();
    }

    pub(super) fn url(&self) -> String {
        self.town.github.url("acme/app")
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.home.path().join(".cache/gastown")
    }

    /// Every file and directory that the program can have made.
    pub(super) fn everything(&self) -> Vec<PathBuf> {
        below(self.home.path().parent().expect("the home lies in a directory of its own"))
    }
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|it| it.expect("readable").path()).collect();
    paths.sort();
    let inside: Vec<_> =
        paths.iter().filter(|it| !it.is_symlink()).flat_map(|it| below(it)).collect();
    paths.extend(inside);
    paths
}

/// A transcript, and what git would make of it.
pub(super) struct Outcome(pub(super) Ran);

impl Outcome {
    pub(super) fn password(&self) -> Option<&str> {
        self.0.stdout.lines().find_map(|line| line.strip_prefix("password="))
    }

    /// That all that was said is lines of ours, and that nothing in them steers a terminal.
    #[track_caller]
    pub(super) fn assert_says_only_lines_of_ours(&self) {
        let Self(ran) = self;
        assert_only_lines_of_ours(&ran.stderr);
    }
}

/// Lines that begin with our name, or in a trace with the time and our name; and no character that
/// a terminal or another program's reader could take for more than itself.
#[track_caller]
pub(super) fn assert_only_lines_of_ours(text: &str) {
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let traced = |line: &str| {
            let (moment, rest) = line.split_once(' ')?;
            (moment.ends_with('Z') && rest.starts_with("git-credential-gastown[")).then_some(())
        };
        let is_ours = line.starts_with("git-credential-gastown: ") || traced(line).is_some();
        assert!(is_ours, "forged: {line:?} in\n{text:?}");
        let steers = |it: char| it.is_control() || matches!(it, '\u{2028}'..='\u{202e}');
        assert!(!line.contains(steers), "a control character in {line:?}");
    }
}

/// That the attacker's host was asked, and was shown no credential.
#[track_caller]
pub(super) fn assert_saw_no_token(attacker: &Town) {
    let requests = attacker.github.requests();
    assert!(!requests.is_empty(), "nobody came: the test proves nothing");
    for request in requests {
        assert_eq!((&request.token, request.status), (&None, 401), "{request:?}");
    }
}
