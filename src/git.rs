//! git, run: found by its absolute path on `PATH`, within a time limit, with its output captured.
//! Refuses to give it a secret as an argument, and gives it none in its environment unless it is
//! to call this helper; no question can hang it.

#![expect(clippy::disallowed_methods, reason = "the one place that runs git")]

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::git_config::{Line, read_listing};
use git_credential_gastown::helper_line::word;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{Pid, Signal, fchdir, kill_process_group};
use zeroize::Zeroizing;

use crate::config::Surroundings;
use crate::files::Directory;

/// Reading what a command can do without. A pipe that the configuration includes takes for ever.
const GLANCE: Duration = Duration::from_secs(2);
/// Reading or writing a configuration file.
const QUICK: Duration = Duration::from_secs(10);
/// A command that asks this helper, and maybe a server.
const PATIENT: Duration = Duration::from_secs(40);

/// What no git needs that only handles configuration.
const SECRETS: [&str; 8] = [
    "GASTOWN_CONTAINER_TOKEN",
    "GITHUB_CLI_PAT",
    "GIT_TOKEN",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITLAB_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "GITHUB_ENTERPRISE_TOKEN",
];

/// What names a repository other than the one in the directory: git sets it for its hooks.
const REPOSITORY: [&str; 5] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"];

const LISTING: &[&str] = &["-z", "--show-scope", "--show-origin", "--list"];

/// A git to run.
pub(crate) struct Git {
    pub path: PathBuf,
    directory: Option<PathBuf>,
}

/// A directory that git keeps a repository in.
pub(crate) enum Repository {
    Whole(Directory),
    /// What it keeps for one of its worktrees, in `worktrees/<name>`.
    OfWorktree(Directory),
}

/// What it said. Its output may hold a secret.
pub(crate) struct Said {
    pub succeeded: bool,
    pub stdout: Zeroizing<Vec<u8>>,
    pub stderr: String,
}

impl Git {
    /// # Errors
    /// If there is none on `PATH`.
    pub(crate) fn find(surroundings: &Surroundings) -> Result<Self, Failure> {
        let directory = surroundings.directory.clone();
        match surroundings.find("git") {
            Some(path) => Ok(Self { path, directory }),
            None => {
                let advice = "install git, or add its directory to PATH";
                Err(failure("git was not found on PATH".to_owned(), advice))
            }
        }
    }

    /// Runs a command that has nothing to do with credentials.
    ///
    /// # Errors
    /// If it cannot be started, or does not end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<Said, Failure> {
        let mut command = self.command_here(arguments);
        without(&mut command, &SECRETS);
        finish(command, b"", QUICK)
    }

    /// Runs a command that asks this helper, which needs its environment, and maybe a server, over
    /// http(s) only: a repository may name programs as other transports.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn ask<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        input: &[u8],
    ) -> Result<Said, Failure> {
        let mut command = self.command_here(arguments);
        command.env("GIT_ALLOW_PROTOCOL", "http:https");
        finish(command, input, PATIENT)
    }

    /// Changes a configuration file. Git reads no other one and looks for no repository. `shown` is
    /// what messages name.
    ///
    /// # Errors
    /// If git did not do it: its own words.
    pub(crate) fn edit(
        &self,
        path: &Path,
        arguments: &[&str],
        shown: &Path,
    ) -> Result<(), Failure> {
        let said = finish(self.config_of(path.as_os_str(), arguments), b"", QUICK)?;
        if said.succeeded { Ok(()) } else { Err(refused(shown, &said)) }
    }

    /// Every line of a configuration file, without what it includes. `path` is for messages.
    ///
    /// # Errors
    /// If git cannot read it.
    pub(crate) fn lines_in(&self, bytes: &[u8], path: &Path) -> Result<Vec<Line>, Failure> {
        // Relative includes of a file that comes through a pipe cannot be found.
        let command = self.config_of("-".as_ref(), &[&["--no-includes"], LISTING].concat());
        finish(command, bytes, QUICK)?.lines().map_err(|said| refused(path, &said))
    }

    /// Every line of a configuration file, with what it includes.
    ///
    /// # Errors
    /// If git cannot read it.
    pub(crate) fn lines_with_includes(&self, path: &Path) -> Result<Vec<Line>, Failure> {
        let command = self.config_of(path.as_os_str(), &[&["--includes"], LISTING].concat());
        finish(command, b"", QUICK)?.lines().map_err(|said| refused(path, &said))
    }

    /// Every line that is in effect in a repository, whoever owns it; or outside of all.
    ///
    /// # Errors
    /// If git cannot read it, or takes it for no repository.
    pub(crate) fn lines_for(&self, repository: Option<&Repository>) -> Result<Vec<Line>, Failure> {
        let run = |words: &[&str]| {
            let mut command = self.plain_command(words);
            command.env("GIT_DIR", if repository.is_some() { "." } else { "/dev/null" });
            match repository {
                // A file `commondir` could lead anywhere.
                Some(Repository::Whole(_)) => command.env("GIT_COMMON_DIR", "."),
                Some(Repository::OfWorktree(_)) => command.env("GIT_COMMON_DIR", "../.."),
                None => &mut command,
            };
            finish_in(repository.map(Repository::own), command, b"", QUICK)
        };
        if let Some(repository) = repository
            && !run(&["rev-parse", "--git-common-dir"])?.succeeded
        {
            let path = &repository.own().path;
            let what = format!("git takes {path:?} for no repository");
            let path = word(&path.to_string_lossy());
            return Err(failure(what, &format!("to see why, run: git --git-dir {path} rev-parse")));
        }
        run(&[&["config"], LISTING].concat())?.lines().map_err(|said| unreadable(&said))
    }

    /// Every line that is in effect where this process runs.
    ///
    /// # Errors
    /// If git cannot read it.
    pub(crate) fn effective_lines(&self) -> Result<Vec<Line>, Failure> {
        self.run(&[&["config"], LISTING].concat())?.lines().map_err(|said| unreadable(&said))
    }

    /// `git config` for that file and no other: not even one of the user's that is broken.
    fn config_of(&self, file: &OsStr, arguments: &[&str]) -> Command {
        let mut command = self.plain_command(&[OsStr::new("config"), "--file".as_ref(), file]);
        command.args(arguments);
        command.env("GIT_DIR", "/dev/null").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        without(&mut command, &["GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"]);
        command
    }

    /// The same, for commands that can do without.
    ///
    /// # Errors
    /// If git cannot read it, or not at once.
    pub(crate) fn lines_at_a_glance(&self) -> Result<Vec<Line>, Failure> {
        let mut command = self.command_here(&[&["config"], LISTING].concat());
        without(&mut command, &SECRETS);
        let said = finish(command, b"", GLANCE)?;
        if said.succeeded { Ok(read_listing(&said.stdout)) } else { Err(unreadable(&said)) }
    }

    /// A command that needs no secret, in no repository yet.
    fn plain_command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = self.command(arguments);
        without(&mut command, &SECRETS);
        without(&mut command, &REPOSITORY);
        command
    }

    fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that what git starts ends with it; and nobody to ask.
        command.process_group(0).env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "");
        // An editor would wait for somebody; this one tells which file it was to open.
        command.env("GIT_EDITOR", "printf %s");
        // Its words are read, so they must not be translated.
        command.env("LC_ALL", "C");
        command
    }

    /// The same in the working directory, which is known by its path.
    fn command_here<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = self.command(arguments);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}

impl Repository {
    pub(crate) fn own(&self) -> &Directory {
        let (Self::Whole(own) | Self::OfWorktree(own)) = self;
        own
    }
}

impl Said {
    /// What a listing tells.
    fn lines(self) -> Result<Vec<Line>, Self> {
        if self.succeeded { Ok(read_listing(&self.stdout)) } else { Err(self) }
    }

    /// The line that says what went wrong.
    pub(crate) fn complaint(&self) -> &str {
        let mut lines = self.stderr.lines();
        let is_verdict = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
        let verdict = lines.clone().find(is_verdict).or_else(|| lines.next_back());
        verdict.unwrap_or("it gave no reason")
    }
}

fn without(command: &mut Command, names: &[&str]) {
    for name in names {
        command.env_remove(name);
    }
}

fn refused(path: &Path, said: &Said) -> Failure {
    let what = format!("git cannot read or change {path:?}: {}", said.complaint());
    let file = word(&path.to_string_lossy());
    failure(what, &format!("to correct it, run: git config --file {file} --edit"))
}

fn unreadable(said: &Said) -> Failure {
    let what = format!("git cannot read its configuration: {}", said.complaint());
    failure(what, "correct the file that it names")
}

fn failure(what: String, advice: &str) -> Failure {
    Failure::new(Name::SetupFailed, Retry::WhenMended, what, advice)
}

fn finish(command: Command, input: &[u8], limit: Duration) -> Result<Said, Failure> {
    finish_in(None, command, input, limit)
}

fn finish_in(
    directory: Option<&Directory>,
    mut command: Command,
    input: &[u8],
    limit: Duration,
) -> Result<Said, Failure> {
    let failed = |what: String| {
        let advice = "run the command again; if it stays, run that git by hand";
        Failure::new(Name::SetupFailed, Retry::AtOnce, what, advice)
    };
    let program = command.get_program().to_owned();
    let not_run = |error: std::io::Error| failed(format!("cannot run {program:?}: {error}"));
    let mut child = spawn(directory, &mut command).map_err(not_run)?;
    let group = Pid::from_child(&child);
    let stdin = child.stdin.take();
    let (sender, receiver) = mpsc::channel();
    let waiting = thread::Builder::new().spawn(move || sender.send(child.wait_with_output()));
    waiting.map_err(not_run)?;
    let ended = thread::scope(|scope| {
        // If git does not read it all, its exit code says why.
        // Dropped at once where there is nothing to write.
        if let Some(mut stdin) = stdin.filter(|_| !input.is_empty()) {
            scope.spawn(move || stdin.write_all(input));
        }
        let ended = receiver.recv_timeout(limit);
        if ended.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        ended
    });
    match ended {
        Ok(output) => output.map(Said::from).map_err(not_run),
        Err(_) => Err(failed(format!("{program:?} did not end within {} s", limit.as_secs()))),
    }
}

/// Starts it in a directory by descriptor, because its path may lead elsewhere by now.
fn spawn(directory: Option<&Directory>, command: &mut Command) -> std::io::Result<Child> {
    let Some(directory) = directory else { return command.spawn() };
    let here = openat(CWD, ".", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    fchdir(directory)?;
    let child = command.spawn();
    // Every other command is started in a directory by its path.
    let _ = here.and_then(fchdir);
    child
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
