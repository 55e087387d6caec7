//! git, run: found by its absolute path on `PATH`, within a time limit, with its output captured.
//! Refuses to give it a secret as an argument, and gives it none in its environment unless it is
//! to call this helper; no question can hang it.

#![expect(clippy::disallowed_methods, reason = "the one place that runs git")]

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::git_config::{Line, read_listing};
use git_credential_gastown::helper_line::word;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{Pid, Signal, fchdir, geteuid, kill_process_group};
use zeroize::Zeroizing;

use crate::config::{Surroundings, TOKEN_VARIABLES};
use crate::files::{Directory, SEARCH};

/// For reads that can fail: git waits for ever at an included pipe.
pub(crate) const GLANCE: Duration = Duration::from_secs(2);
/// Reading or writing a configuration file.
pub(crate) const QUICK: Duration = Duration::from_secs(10);
/// A command that asks this helper, and maybe a server.
const PATIENT: Duration = Duration::from_secs(40);

/// What no git needs that only handles configuration.
const SECRETS: &[&[&str]] =
    &[&TOKEN_VARIABLES, &["GASTOWN_CONTAINER_TOKEN", "GITHUB_CLI_PAT", "GITLAB_TOKEN"]];

/// What names a repository other than the one in the directory: git sets it for its hooks.
const REPOSITORY: [&str; 5] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"];

/// Settings beside those of the files.
const CONFIGURATION: [&str; 2] = ["GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"];

const LISTING: &[&str] = &["-z", "--show-scope", "--show-origin", "--list"];

pub(crate) struct Git {
    pub path: PathBuf,
}

/// A directory that git keeps a repository in, or one of its worktrees.
pub(crate) struct Repository {
    pub own: Directory,
    /// Whether it is that of a linked worktree; the shared one is two levels up then.
    pub is_worktree: bool,
}

impl Repository {
    /// The directory that all worktrees share.
    pub(crate) fn shared(&self) -> anyhow::Result<Directory> {
        if self.is_worktree { self.own.parent()?.parent() } else { Ok(self.own.clone()) }
    }

    /// The path of a file that git names as seen from here.
    fn locate(&self, file: &str) -> PathBuf {
        let above = self.own.path.ancestors().nth(2).filter(|_| self.is_worktree);
        let shared = above.and_then(|above| Some(above.join(file.strip_prefix("../../")?)));
        shared.unwrap_or_else(|| self.own.path.join(file))
    }
}

/// What it said. Its output may hold a secret.
pub(crate) struct Said {
    pub succeeded: bool,
    pub stdout: Zeroizing<Vec<u8>>,
    pub stderr: String,
}

impl Git {
    /// The first on `PATH`.
    pub(crate) fn find(surroundings: &Surroundings) -> Result<Self, Failure> {
        let advice = "install git, or add its directory to PATH";
        let lack = || setup_failed("git was not found on PATH", advice);
        surroundings.find("git").map(|path| Self { path }).ok_or_else(lack)
    }

    /// Runs a command that has nothing to do with credentials.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<Said, Failure> {
        Run::new(self.command(arguments, SECRETS)).finish()
    }

    /// What such a command prints, if it succeeds.
    pub(crate) fn output(&self, arguments: &[&str]) -> Option<String> {
        let said = self.run(arguments).ok().filter(|said| said.succeeded)?;
        Some(String::from_utf8_lossy(&said.stdout).trim_end().to_owned())
    }

    /// Runs a command that asks this helper, which needs its environment, and maybe a server, over
    /// http(s) only: a repository may name programs as other transports.
    pub(crate) fn ask<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        input: &[u8],
    ) -> Result<Said, Failure> {
        let mut command = self.command(arguments, &[]);
        command.env("GIT_ALLOW_PROTOCOL", "http:https");
        Run { input, limit: PATIENT, ..Run::new(command) }.finish()
    }

    /// Every line that is in effect where this process runs.
    pub(crate) fn lines_here(&self, limit: Duration) -> Result<Vec<Line>, Failure> {
        let command = self.command(&[&["config"], LISTING].concat(), SECRETS);
        Run { limit, ..Run::new(command) }.list(None)
    }

    /// Every line that is in effect in a repository, whoever owns it; or outside of all. Fails if
    /// git takes it for no repository.
    pub(crate) fn lines_for(&self, repository: Option<&Repository>) -> Result<Vec<Line>, Failure> {
        let place = repository.map(|repository| &repository.own);
        let run = |arguments: &[&str]| {
            let mut command = self.command(arguments, &[SECRETS, &[&REPOSITORY]].concat());
            command.env("GIT_DIR", repository.map_or("/dev/null", |_| "."));
            if let Some(Repository { is_worktree, .. }) = repository {
                // A file `commondir` could lead anywhere.
                command.env("GIT_COMMON_DIR", if *is_worktree { "../.." } else { "." });
            }
            Run { place, ..Run::new(command) }
        };
        if let Some(Directory { path, .. }) = place
            && !run(&["rev-parse", "--git-common-dir"]).finish()?.succeeded
        {
            let what = format!("git takes {path:?} for no repository");
            let advice = format!("to see why, run: git --git-dir {} rev-parse", word(path));
            return Err(setup_failed(what, &advice));
        }
        let mut lines = run(&[&["config"], LISTING].concat()).list(None)?;
        for line in &mut lines {
            let path = repository.zip(line.file()).map(|(it, file)| it.locate(file));
            path.iter().for_each(|path| line.origin = origin(path));
        }
        Ok(lines)
    }

    /// Every line of a configuration file, without what it includes. `path` is where it lies.
    pub(crate) fn lines_in(&self, bytes: &[u8], path: &Path) -> Result<Vec<Line>, Failure> {
        // Relative includes of a file that comes through a pipe cannot be found.
        let command = self.config_of("-".as_ref(), &[&["--no-includes"], LISTING].concat());
        let mut lines = Run { input: bytes, ..Run::new(command) }.list(Some(path))?;
        lines.iter_mut().for_each(|line| line.origin = origin(path));
        Ok(lines)
    }

    /// Every line of the versioned files of a worktree that git and git-lfs take URLs from. No link
    /// is followed.
    pub(crate) fn versioned_lines(&self, worktree: &Directory) -> Vec<Line> {
        let lines_of = |name| {
            let file = worktree.read(name).ok()??;
            self.lines_in(&file.bytes, &worktree.path.join(name)).ok()
        };
        [".gitmodules", ".lfsconfig"].into_iter().filter_map(lines_of).flatten().collect()
    }

    /// Every line of a configuration file, with what it includes.
    pub(crate) fn lines_with_includes(&self, path: &Path) -> Result<Vec<Line>, Failure> {
        let command = self.config_of(path.as_os_str(), &[&["--includes"], LISTING].concat());
        Run::new(command).list(Some(path))
    }

    /// Changes the configuration file of that name in a directory; `shown` is what messages name.
    /// Without `/proc` it fails if others can move that directory.
    pub(crate) fn edit(
        &self,
        place: &Directory,
        name: &str,
        arguments: &[&str],
        shown: &Path,
    ) -> anyhow::Result<()> {
        // git makes a relative path absolute. This one leads to the directory by whatever name.
        let here = Path::new("/proc/self/cwd");
        let is_safe = here.exists() || place.path.ancestors().skip(1).all(is_fixed);
        ensure!(is_safe, "others can have {shown:?} lead elsewhere, as /proc is not mounted");
        let file = if here.exists() { here.join(name) } else { name.into() };
        let command = self.config_of(file.as_os_str(), arguments);
        let said = Run { place: Some(place), ..Run::new(command) }.finish()?;
        if said.succeeded { Ok(()) } else { Err(said.unreadable(Some(shown)).into()) }
    }

    /// `git config` for that file and no other: not even one of the user's that is broken.
    fn config_of(&self, file: &OsStr, arguments: &[&str]) -> Command {
        let withheld = [SECRETS, &[&REPOSITORY, &CONFIGURATION]].concat();
        let mut command = self.command(&[OsStr::new("config"), "--file".as_ref(), file], &withheld);
        command.args(arguments).env("GIT_DIR", "/dev/null");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// Without the variables that are withheld.
    fn command<A: AsRef<OsStr>>(&self, arguments: &[A], withheld: &[&[&str]]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that what git starts ends with it; and nobody to ask.
        command.process_group(0).env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "");
        // An editor would wait for somebody; this one tells which file it was to open.
        command.env("GIT_EDITOR", "printf %s");
        // `git config` alone obeys it.
        command.env_remove("GIT_CONFIG");
        // Its words are read, so they must not be translated.
        command.env("LC_ALL", "C");
        for name in withheld.iter().copied().flatten() {
            command.env_remove(name);
        }
        command
    }
}

impl Said {
    /// The line that says what went wrong.
    pub(crate) fn complaint(&self) -> &str {
        let mut lines = self.stderr.lines();
        let is_verdict = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
        let verdict = lines.clone().find(is_verdict).or_else(|| lines.next_back());
        verdict.unwrap_or("it gave no reason")
    }

    fn unreadable(&self, file: Option<&Path>) -> Failure {
        let complaint = self.complaint();
        let Some(path) = file else {
            let what = format!("git cannot read its configuration: {complaint}");
            return setup_failed(what, "correct the file or variable that it names");
        };
        let what = format!("git cannot read or change {path:?}: {complaint}");
        let advice = format!("to correct it, run: git config --file {} --edit", word(path));
        setup_failed(what, &advice)
    }
}

/// How git names a file as the origin of a line.
fn origin(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// Whether others can rename nothing in a directory but what is theirs.
fn is_fixed(directory: &Path) -> bool {
    directory.metadata().is_ok_and(|found| {
        let is_trusted = [0, geteuid().as_raw()].contains(&found.uid());
        is_trusted && (found.mode() & 0o022 == 0 || found.mode() & 0o1000 != 0)
    })
}

pub(crate) fn setup_failed(what: impl Into<String>, advice: &str) -> Failure {
    Failure::new(Name::SetupFailed, Retry::WhenMended, what, advice)
}

/// A command, and how to run it.
struct Run<'a> {
    command: Command,
    /// Where, if its path may lead elsewhere by now.
    place: Option<&'a Directory>,
    input: &'a [u8],
    limit: Duration,
}

impl<'a> Run<'a> {
    fn new(command: Command) -> Self {
        Self { command, place: None, input: b"", limit: QUICK }
    }

    /// Runs a listing of git's configuration, or of that file.
    fn list(self, file: Option<&Path>) -> Result<Vec<Line>, Failure> {
        let said = self.finish()?;
        if said.succeeded { Ok(read_listing(&said.stdout)) } else { Err(said.unreadable(file)) }
    }

    fn finish(mut self) -> Result<Said, Failure> {
        let program = self.command.get_program().to_owned();
        let failed = |what: String| {
            let advice = "run the command again; if it stays, run that git by hand";
            Failure::new(Name::SetupFailed, Retry::AtOnce, what, advice)
        };
        let not_run = |error: std::io::Error| failed(format!("cannot run {program:?}: {error}"));
        let mut child = self.spawn().map_err(not_run)?;
        let group = Pid::from_child(&child);
        let (sender, receiver) = mpsc::channel();
        let (stdin, input) = (child.stdin.take(), self.input.to_vec());
        // If git does not read it all, its exit code says why.
        let write = move || stdin.map(|mut stdin| stdin.write_all(&input));
        let wait = move || sender.send(child.wait_with_output());
        let started = thread::Builder::new().spawn(write).map(drop);
        let started = started.and_then(|()| thread::Builder::new().spawn(wait).map(drop));
        let limit = self.limit.as_secs();
        let too_late = |_| failed(format!("{program:?} did not end within {limit} s"));
        let ended = started.map_err(not_run);
        let ended = ended.and_then(|()| receiver.recv_timeout(self.limit).map_err(too_late));
        if ended.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        ended?.map(Said::from).map_err(not_run)
    }

    fn spawn(&mut self) -> std::io::Result<Child> {
        let Some(place) = self.place else { return self.command.spawn() };
        let flags = SEARCH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path| openat(CWD, path, flags, Mode::empty());
        // A user who may not enter the working directory, as after `su`, has no use for it.
        let here = open(".").or_else(|_| open("/"))?;
        fchdir(&place.fd)?;
        let child = self.command.spawn();
        fchdir(here)?;
        child
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            succeeded: output.status.success(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            stdout: Zeroizing::new(output.stdout),
        }
    }
}
