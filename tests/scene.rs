//! An agent in a town: what most tests begin with, what they ask of it, and what is in its cache.

mod records;

use std::fs::{self, Permissions};
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use self::records::names;
use crate::town::home::age_cache;
use crate::town::{Git, Home, Options, RIG, Ran, Town};
pub(crate) use crate::transcript::*;

/// How old a token of unknown expiry is when its next process finds it in each of the states.
pub(crate) const FRESH: Duration = Duration::from_secs(10 * 60);
pub(crate) const SOON: Duration = Duration::from_secs(21 * 60);
pub(crate) const DUE: Duration = Duration::from_secs(40 * 60);
pub(crate) const DEAD: Duration = Duration::from_secs(61 * 60);

/// Neither root nor whoever runs the tests.
pub(crate) const NOBODY: u32 = 54_321;

pub(crate) struct Scene {
    pub(crate) town: Town,
    pub(crate) home: Home,
    /// The served one, as messages name it.
    pub(crate) host: String,
}

/// A scene is a town, with an agent in it.
impl Deref for Scene {
    type Target = Town;

    fn deref(&self) -> &Town {
        &self.town
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::start(Options::default(), &Git::newest())
    }

    pub(crate) fn start(options: Options, git: &Git) -> Self {
        let town = Town::start_with(options);
        let mut home = Home::new(Path::new(HELPER), git);
        // Whatever goes wrong must not spill a secret, and this makes a panic spill all it can.
        home.as_agent(&town).set("RUST_BACKTRACE", "full").set("HELPER", HELPER);
        let host = format!("http://{}", town.github.host());
        Self { town, home, host }
    }

    /// Whose git asks the program under test, with a repository to clone.
    pub(crate) fn configured(git: &Git) -> Self {
        let scene = Self::start(Options::default(), git);
        scene.github.create_repository(REPOSITORY);
        scene.home.configure_helper(&scene);
        scene
    }

    /// The same with a clone in `app`.
    pub(crate) fn cloned(git: &Git) -> Self {
        let scene = Self::configured(git);
        scene.clone_into("app");
        scene
    }

    pub(crate) fn clone_into(&self, directory: &str) {
        let url = self.github.url(REPOSITORY);
        self.home.git(&["clone", "--quiet", &url, directory]).assert_ok();
    }

    /// With a careless configuration: the program is git's helper for every host. A fresh token is
    /// in the cache, which every mistake would cost.
    pub(crate) fn careless(git: &Git) -> Self {
        let scene = Self::start(Options::default(), git);
        scene.home.git(&["config", "--global", "credential.helper", HELPER]).assert_ok();
        scene.github.create_repository(REPOSITORY);
        scene.get().token();
        scene.worker.forget_calls();
        scene
    }

    /// With a token in the cache that was handed out that long ago, and no calls on record.
    pub(crate) fn with_token(age: Duration) -> (Self, String) {
        let scene = Self::new();
        let token = scene.get().token();
        scene.let_pass(age);
        scene.worker.forget_calls();
        (scene, token)
    }

    /// For the town and for the agent's cache alike, wherever that is.
    pub(crate) fn let_pass(&self, time: Duration) {
        self.town.let_pass(time);
        self.home.age_cache(time);
        age_cache(&self.home.last_place(), time);
    }

    /// Below the home.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.home.path().join(name)
    }

    /// The program with nothing on stdin, as a person runs it.
    pub(crate) fn helper(&self, arguments: &[&str]) -> Ran {
        self.home.helper(arguments, "")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(HELPER);
        command.args(arguments);
        command
    }

    /// A file below the home.
    pub(crate) fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let directory = path.parent().expect("it is below the home");
        fs::create_dir_all(directory).expect("the home is writable");
        fs::write(&path, text).expect("the home is writable");
        path
    }

    /// A program below the home that can be run at once: written by another process, because a child
    /// that some other test forks meanwhile would hold it open for writing, and then it is busy.
    pub(crate) fn install(&self, from: impl AsRef<Path>, path: impl AsRef<Path>) -> PathBuf {
        let path = self.path(path);
        let mut install = self.home.command("/usr/bin/install");
        install.args(["-D", "-m", "755"]).arg(from.as_ref()).arg(&path);
        Ran::run(install, b"").assert_ok();
        path
    }

    /// The same with a script of the shell.
    pub(crate) fn script(&self, path: &str, body: &str) -> PathBuf {
        self.install(self.write("script.txt", format!("#!/bin/sh\n{body}\n")), path)
    }

    pub(crate) fn request(&self) -> String {
        // As a git that tells of refusals, so that asking again is no hint.
        format!("capability[]=authtype\nprotocol=http\nhost={}\n\n", self.github.host())
    }

    pub(crate) fn get(&self) -> Ran {
        self.home.helper(&["get"], &self.request())
    }

    /// In a request `HOST` stands for the host that is ours.
    pub(crate) fn ask(&self, operation: &str, request: &str) -> Ran {
        self.home.helper(&[operation], &request.replace("HOST", &self.github.host()))
    }

    /// What a host gets over https.
    pub(crate) fn get_for(&self, host: &str) -> Ran {
        self.ask("get", &format!("protocol=https\nhost={host}\n\n"))
    }

    pub(crate) fn erase(&self, token: &str) -> Ran {
        let credential = format!("username=x-access-token\npassword={token}\n");
        self.ask("erase", &format!("protocol=http\nhost=HOST\n{credential}\n"))
    }

    /// Asserts that no operation answers, complains, calls or writes; and that the cached token
    /// stays.
    #[track_caller]
    pub(crate) fn assert_nothing_comes_of(&self, request: &str) {
        let before = (self.home.everything(), self.cached_token(), self.worker.calls().len());
        for operation in ["get", "store", "erase"] {
            self.ask(operation, request).prints("");
        }
        if let Some(token) = &before.1 {
            self.get().answers(token);
        }
        let after = (self.home.everything(), self.cached_token(), self.worker.calls().len());
        assert_eq!(after, before, "{request:?} left something behind");
    }

    /// `get` by way of a shell script, which finds the program as `"$HELPER"`.
    pub(crate) fn shell(&self, script: &str) -> Ran {
        self.run("sh", &["-c", script])
    }

    /// The same where mounts are the script's own, if it `can_mount`.
    pub(crate) fn mounting_shell(&self, script: &str) -> Ran {
        self.run("unshare", &["-m", "sh", "-ec", script])
    }

    /// The same as a user who is not root and has no home: this one if that is so, else `NOBODY`.
    /// The program is there as `./helper`, and the cache is where the user may write.
    pub(crate) fn get_as_nobody(&self, script: &str) -> Option<Ran> {
        let command = self.command_of_nobody(script)?;
        Some(Ran::run(command, self.request().as_bytes()))
    }

    /// `None`, and a word about it, where this user cannot be somebody else.
    pub(crate) fn command_of_nobody(&self, script: &str) -> Option<Command> {
        if !["/usr/bin/setpriv", "/usr/bin/prlimit"].iter().all(|it| Path::new(it).exists()) {
            crate::town::skip("there is no `prlimit`, or no `setpriv` to be somebody else");
            return None;
        }
        let place = self.path("place");
        if !place.exists() {
            fs::create_dir(&place).expect("the home is writable");
            self.install(HELPER, "place/helper");
        }
        let script = format!("cd place; export GASTOWN_CACHE_DIR=\"$PWD/cache\"; {script}");
        if !rustix::process::geteuid().is_root() {
            let mut command = self.home.command("sh");
            command.args(["-c", &script]);
            return Some(command);
        }
        let above = self.home.path();
        for path in [above.parent().expect("it is temporary"), &above] {
            set_mode(path, 0o755);
        }
        chown(&place, Some(NOBODY), Some(NOBODY)).expect("root may");
        let (user, mut command) = (NOBODY.to_string(), self.home.command("setpriv"));
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "sh", "-c", &script]);
        Some(command)
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        self.home.run(program, arguments, &self.request())
    }

    /// Changes something below the home, where the script runs.
    #[track_caller]
    pub(crate) fn change(&self, script: &str) {
        self.home.run("/bin/sh", &["-euc", script], "").assert_ok();
    }

    /// Runs what a message says, as somebody would who has this program on `PATH`.
    pub(crate) fn paste_in(&self, directory: &str, command: &str) -> Ran {
        let program = Path::new(HELPER).parent().expect("it lies in a directory").display();
        let script = format!("PATH={program}:$PATH; {command}");
        self.home.run_in(directory, "/bin/sh", &["-c", &script], "")
    }

    /// From here on processes trace to a file, which `await_asks` reads.
    pub(crate) fn trace_to_file(&mut self) -> PathBuf {
        let file = self.path("trace");
        self.home.set("GASTOWN_TRACE", &file);
        file
    }

    /// Waits until that many processes have looked into the cache, and sleep: they wait for the
    /// worker's answer, or for another process that does.
    pub(crate) fn await_asks(&self, count: usize) {
        let file = self.path("trace");
        let deadline = Instant::now() + MINUTE;
        loop {
            let trace = fs::read_to_string(&file).unwrap_or_default();
            let looked = trace.lines().filter(|line| line.contains(" cache: "));
            let processes =
                looked.filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0));
            if processes.filter(|process| sleeps(process)).count() >= count {
                return;
            }
            assert!(Instant::now() < deadline, "fewer than {count} wait\n{trace}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs that many processes at once, each of them a `get`.
    pub(crate) fn herd(&self, size: usize) -> Vec<Ran> {
        thread::scope(|scope| {
            let herd: Vec<_> = (0..size).map(|_| scope.spawn(|| self.get())).collect();
            herd.into_iter()
                .map(|get| get.join().expect("it was not the test that failed"))
                .collect()
        })
    }

    pub(crate) fn calls(&self) -> usize {
        self.worker.git_token_calls()
    }

    /// For a git token and for a container token.
    pub(crate) fn both_calls(&self) -> (usize, usize) {
        (self.calls(), self.worker.container_token_calls())
    }

    /// Runs the program with these flags and no other input than a request for a token.
    pub(crate) fn get_with(&self, flags: &[&str]) -> Ran {
        self.home.helper(&[&["get"], flags].concat(), &self.request())
    }

    /// Commits a file in `app` and pushes it.
    pub(crate) fn push(&self, file: &str) -> Ran {
        self.home.commit("app", file, file.as_bytes());
        self.home.git_in("app", &["push", "--quiet", "origin", "HEAD"])
    }

    /// What the worker hands out now.
    pub(crate) fn current(&self) -> String {
        self.worker.token_for(RIG)
    }
}

/// Whether this works here. If not, a part of a test is skipped.
pub(crate) fn works(program: &str, arguments: &[&str], lacking: &str) -> bool {
    let ran = Command::new(program).args(arguments).output();
    let works = ran.is_ok_and(|output| output.status.success());
    if !works {
        crate::town::skip(lacking);
    }
    works
}

/// Whether the kernel can be made to fail where a test wants it to.
pub(crate) fn can_inject() -> bool {
    works("strace", &["-qq", "-o", "/dev/null", "true"], "no strace to make the kernel fail")
}

pub(crate) fn can_mount() -> bool {
    works("unshare", &["-m", "true"], "only root may mount, and has `unshare` to do it")
}

/// Runs all of them at once, because each of them mostly waits.
pub(crate) fn at_once<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// Of a file or a link, without its type.
pub(crate) fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).expect("it is there").mode() & 0o7777
}

pub(crate) fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// As Linux has it.
fn sleeps(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| state.starts_with('S'))
}
