//! An agent in a town, and what its helper has to say when something is wrong. Owns the forms that
//! an answer may have; refuses every other, above all panics, half answers and secrets on stderr.

use std::fmt::Debug;
use std::fs;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::town::home::{age_cache, aged};
use crate::town::{Git, Home, Options, RIG, Ran, TOWN, Town};
use crate::transcript::value;
pub(crate) use crate::transcript::{HELPER, MINUTE, SECOND};

/// How old a token of unknown expiry is when its next process finds it in each of the states.
pub(crate) const FRESH: Duration = Duration::from_secs(10 * 60);
pub(crate) const SOON: Duration = Duration::from_secs(21 * 60);
pub(crate) const DUE: Duration = Duration::from_secs(40 * 60);
pub(crate) const DEAD: Duration = Duration::from_secs(61 * 60);

pub(crate) struct Scene {
    pub(crate) town: Town,
    pub(crate) home: Home,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        Self::start(options, &Git::newest())
    }

    /// With that git, and a fresh token in the cache.
    pub(crate) fn with_git(git: &Git) -> Self {
        let scene = Self::start(Options::default(), git);
        scene.get().token();
        scene.town.worker.forget_calls();
        scene
    }

    fn start(options: Options, git: &Git) -> Self {
        let town = Town::start_with(options);
        let mut home = Home::new(Path::new(HELPER), git);
        // Whatever goes wrong must not spill a secret, and this makes a panic spill all it can.
        home.as_agent(&town).set("RUST_BACKTRACE", "full").set("HELPER", HELPER);
        Self { town, home }
    }

    /// With a token in the cache that was handed out that long ago, and no calls on record.
    pub(crate) fn with_token(age: Duration) -> (Self, String) {
        let scene = Self::new();
        let token = scene.get().token();
        scene.let_pass(age);
        scene.town.worker.forget_calls();
        (scene, token)
    }

    /// For the town and for the agent's cache alike, wherever that is.
    pub(crate) fn let_pass(&self, time: Duration) {
        self.town.let_pass(time);
        self.home.age_cache(time);
        age_cache(&self.home.last_place(), time);
    }

    /// Makes the cache as if the clock had been set back by that much since it was written.
    pub(crate) fn set_clock_back(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).expect("no test lasts that long");
        for path in self.records() {
            let text = fs::read_to_string(&path).expect("records are text");
            fs::write(&path, aged(&text, -millis)).expect("the cache is ours");
        }
    }

    pub(crate) fn request(&self) -> String {
        // As a git that tells of refusals, so that asking again is no hint.
        format!("capability[]=authtype\nprotocol=http\nhost={}\n\n", self.town.github.host())
    }

    pub(crate) fn get(&self) -> Seen {
        Seen(self.home.helper(&["get"], &self.request()))
    }

    /// In a request `HOST` stands for the host that is ours.
    pub(crate) fn ask(&self, operation: &str, request: &str) -> Seen {
        let request = request.replace("HOST", &self.town.github.host());
        Seen(self.home.helper(&[operation], &request))
    }

    pub(crate) fn erase(&self, token: &str) -> Seen {
        let credential = format!("username=x-access-token\npassword={token}\n");
        self.ask("erase", &format!("protocol=http\nhost=HOST\n{credential}\n"))
    }

    /// That no operation answers, complains, calls or writes; and that the cached token stays.
    #[track_caller]
    pub(crate) fn assert_nothing_comes_of(&self, request: &str) {
        let before = (self.home.everything(), self.cached_token(), self.town.worker.calls().len());
        for operation in ["get", "store", "erase"] {
            let Seen(ran) = self.ask(operation, request);
            assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, "", ""), "{ran:?}");
        }
        if let Some(token) = &before.1 {
            self.get().answers(token);
        }
        let after = (self.home.everything(), self.cached_token(), self.town.worker.calls().len());
        assert_eq!(after, before, "{request:?} left something behind");
    }

    /// `get` by way of a shell script, which finds the program as `"$HELPER"`.
    pub(crate) fn shell(&self, script: &str) -> Seen {
        self.run("sh", &["-c", script])
    }

    /// The same where mounts are the script's own. `None`, and a word about it, where this user
    /// may not mount anything.
    pub(crate) fn mounting_shell(&self, script: &str) -> Option<Seen> {
        let may = Command::new("unshare").args(["-m", "true"]).output();
        if may.is_ok_and(|output| output.status.success()) {
            return Some(self.run("unshare", &["-m", "sh", "-ec", script]));
        }
        crate::town::skip("only root may mount a file system, and has `unshare` to do it");
        None
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Seen {
        let mut command = self.home.command(program);
        command.args(arguments);
        Seen(Ran::run(command, self.request().as_bytes()))
    }

    /// That many processes at once, each of them a `get`.
    pub(crate) fn herd(&self, size: usize) -> Vec<Seen> {
        thread::scope(|scope| {
            let herd: Vec<_> = (0..size).map(|_| scope.spawn(|| self.get())).collect();
            herd.into_iter()
                .map(|get| get.join().expect("it was not the test that failed"))
                .collect()
        })
    }

    pub(crate) fn calls(&self) -> usize {
        self.town.worker.git_token_calls()
    }

    /// What the worker hands out now.
    pub(crate) fn current(&self) -> String {
        self.town.worker.token_for(RIG)
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.home.cache()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.cache())
    }

    fn records(&self) -> Vec<PathBuf> {
        let is_record = |path: &PathBuf| path.extension().is_some_and(|it| it == "json");
        self.home.cache_files().into_iter().filter(is_record).collect()
    }

    /// The record of a kind, if there is one: `token`, `failure`, `rejection`.
    pub(crate) fn record(&self, kind: &str) -> Option<Value> {
        let text = fs::read_to_string(self.path_of(&format!(".{kind}.json"))?).ok()?;
        let record: Value = serde_json::from_str(&text).expect("records are whole");
        Some(record["record"].clone())
    }

    /// How many refusals are on record, for all tokens together.
    pub(crate) fn refusals(&self) -> u64 {
        let is_about_host = |path: &PathBuf| path.to_string_lossy().ends_with(".host.json");
        let refusals = |path: PathBuf| {
            let text = fs::read_to_string(path).expect("records are text");
            let record: Value = serde_json::from_str(&text).expect("records are whole");
            record["record"]["refusals"].as_u64().expect("it is counted")
        };
        self.records().into_iter().filter(is_about_host).map(refusals).sum()
    }

    /// The cache's only file with such a name.
    pub(crate) fn path_of(&self, ending: &str) -> Option<PathBuf> {
        let is_it = |path: &PathBuf| path.to_string_lossy().ends_with(ending);
        self.home.cache_files().into_iter().find(is_it)
    }

    pub(crate) fn cached_token(&self) -> Option<String> {
        Some(self.record("token")?["token"].as_str()?.to_owned())
    }

    /// Who holds the lock, as the lock file has it.
    pub(crate) fn holder(&self) -> u32 {
        let path = self.path_of(".lock").expect("somebody asks the worker");
        let text = fs::read_to_string(path).expect("a lock file is text");
        text.trim().parse().expect("a lock file holds a process id")
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let name = |it: fs::DirEntry| it.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.map(|it| name(it.expect("readable"))).collect();
    names.sort();
    names
}

/// Runs all of them at once, because each of them mostly waits.
pub(crate) fn at_once<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// What one process let be seen.
#[derive(Debug)]
pub(crate) struct Seen(pub(super) Ran);

impl Seen {
    /// The token in an answer, if there is one.
    pub(crate) fn password(&self) -> Option<&str> {
        value(&self.0, "password")
    }

    /// The one answer, whatever else was said.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        self.assert_proper();
        self.password().unwrap_or_else(|| panic!("no token\n{self:?}")).to_owned()
    }

    /// This answer, and not a word beside it.
    #[track_caller]
    pub(crate) fn answers(&self, token: &str) -> &Self {
        self.assert_proper();
        assert_eq!((&*self.token(), &*self.0.stderr), (token, ""), "{self:?}");
        self
    }

    /// This answer, and one warning of this name.
    #[track_caller]
    pub(crate) fn warns(&self, token: &str, name: &str) -> &Self {
        self.assert_proper();
        assert_eq!(self.token(), token, "{self:?}");
        self.says("warning", &format!("[{name}]"))
    }

    /// No answer; git is told to quit, and a person in one line why.
    #[track_caller]
    pub(crate) fn quits(&self, name: &str) -> &Self {
        self.assert_proper();
        assert_eq!((self.0.code, &*self.0.stdout), (1, "quit=1\n"), "{self:?}");
        self.says("error", &format!("[{name}]"))
    }

    #[track_caller]
    fn says(&self, kind: &str, words: &str) -> &Self {
        let start = format!("git-credential-gastown: {kind}: ");
        assert!(self.0.stderr.starts_with(&start), "{self:?}");
        assert_eq!(self.0.stderr.lines().count(), 1, "one line is enough\n{self:?}");
        self.mentions(words)
    }

    /// This answer, and one warning with one of these words.
    #[track_caller]
    pub(crate) fn warns_of(&self, token: &str, words: &[&str]) -> &Self {
        assert!(words.iter().any(|it| self.0.stderr.contains(it)), "none of {words:?}\n{self:?}");
        assert_eq!(self.token(), token, "{self:?}");
        self.says("warning", "")
    }

    #[track_caller]
    pub(crate) fn mentions(&self, words: &str) -> &Self {
        assert!(self.0.stderr.contains(words), "`{words}` is missing\n{self:?}");
        self
    }

    /// Whether stderr names the worker or the town that it is about.
    pub(crate) fn names_place(&self) -> bool {
        [TOWN, "127.0.0.1"].iter().any(|name| self.0.stderr.contains(name))
    }

    #[track_caller]
    pub(crate) fn within(&self, time: impl RangeBounds<Duration> + Debug) -> &Self {
        assert!(time.contains(&self.0.took), "not in {time:?}\n{self:?}");
        self
    }

    /// A whole answer or none, no panic, nothing that never ends, no secret but on stdout.
    #[track_caller]
    pub(crate) fn assert_proper(&self) -> &Self {
        let Ran { code, stdout, stderr, .. } = &self.0;
        let keys: Vec<_> =
            stdout.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        match (code, &keys[..]) {
            (
                0,
                [] | ["username", "password"] | ["username", "password", "password_expiry_utc"],
            )
            | (1, ["quit"]) => {}
            _ => panic!("neither an answer nor none\n{self:?}"),
        }
        assert!(stdout.is_empty() || stdout.ends_with('\n'), "half an answer\n{self:?}");
        for secret in ["ghs_", "eyJ", "panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!stderr.contains(secret), "`{secret}` on stderr\n{self:?}");
        }
        assert!(stderr.lines().all(|line| line.len() < 700), "too long to be read\n{self:?}");
        self
    }
}
