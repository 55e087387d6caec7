//! git, run: found by its absolute path on `PATH`, within a time limit, with its output captured.
//! Refuses to give it a secret as an argument, and gives it none in its environment unless it is
//! to call this helper; no question can hang it.

#![expect(clippy::disallowed_methods, reason = "the one place that runs git")]

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::git_config::{Line, read_listing};
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use crate::config::Surroundings;

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

/// A git to run.
pub(crate) struct Git {
    pub path: PathBuf,
    directory: Option<PathBuf>,
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
            None => Err(Failure::new(
                Name::SetupFailed,
                Retry::WhenMended,
                "git was not found on PATH",
                "install git, or add its directory to PATH",
            )),
        }
    }

    /// Runs a command that has nothing to do with credentials.
    ///
    /// # Errors
    /// If it cannot be started, or does not end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<Said, Failure> {
        let mut command = self.command(arguments);
        without(&mut command, &SECRETS);
        finish(command, b"", QUICK)
    }

    /// Runs a command that asks this helper, which needs its environment.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn ask(&self, arguments: &[&str], input: &[u8]) -> Result<Said, Failure> {
        finish(self.command(arguments), input, PATIENT)
    }

    /// Reads or changes one configuration file, whatever repository it belongs to.
    ///
    /// # Errors
    /// If git did not do it: its own words.
    pub(crate) fn config(&self, file: &Path, arguments: &[&str]) -> Result<Said, Failure> {
        let mut words = vec![OsStr::new("config"), OsStr::new("--file"), file.as_os_str()];
        words.extend(arguments.iter().map(OsStr::new));
        let mut command = self.command(&words);
        without(&mut command, &SECRETS);
        without(&mut command, &REPOSITORY);
        let said = finish(command, b"", QUICK)?;
        if said.succeeded { Ok(said) } else { Err(refused(file, &said)) }
    }

    /// Every line of one file, with those that it includes or without; none if it is not there.
    ///
    /// # Errors
    /// If git cannot read it.
    pub(crate) fn lines_of(&self, file: &Path, includes: bool) -> Result<Vec<Line>, Failure> {
        if !file.exists() {
            return Ok(Vec::new());
        }
        let includes = if includes { "--includes" } else { "--no-includes" };
        let said =
            self.config(file, &[includes, "-z", "--show-scope", "--show-origin", "--list"])?;
        Ok(read_listing(&said.stdout))
    }

    /// Every line that is in effect where this process runs.
    ///
    /// # Errors
    /// If git cannot read it.
    pub(crate) fn effective_lines(&self) -> Result<Vec<Line>, Failure> {
        let said = self.run(&["config", "-z", "--show-scope", "--show-origin", "--list"])?;
        if said.succeeded {
            return Ok(read_listing(&said.stdout));
        }
        let what = format!("git cannot read its configuration: {}", said.complaint());
        let advice = "mend the file that it names";
        Err(Failure::new(Name::SetupFailed, Retry::WhenMended, what, advice))
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
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
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
}

fn without(command: &mut Command, names: &[&str]) {
    for name in names {
        command.env_remove(name);
    }
}

fn refused(file: &Path, said: &Said) -> Failure {
    let what = format!("git cannot read or change {file:?}: {}", said.complaint());
    let advice = "check who owns the file and its directory, and that nobody else is writing it";
    Failure::new(Name::SetupFailed, Retry::WhenMended, what, advice)
}

fn finish(mut command: Command, input: &[u8], limit: Duration) -> Result<Said, Failure> {
    let failed = |what: String| {
        let advice = "run the command again; if it stays, run that git by hand";
        Failure::new(Name::SetupFailed, Retry::AtOnce, what, advice)
    };
    let program = command.get_program().to_owned();
    let not_run = |error: std::io::Error| failed(format!("cannot run {program:?}: {error}"));
    let mut child = command.spawn().map_err(not_run)?;
    let group = Pid::from_child(&child);
    if let Some(mut stdin) = child.stdin.take() {
        // Fits into a pipe; who does not read it says so by the outcome.
        let _ = stdin.write_all(input);
    }
    let (sender, receiver) = mpsc::channel();
    let waiting = thread::Builder::new().spawn(move || sender.send(child.wait_with_output()));
    waiting.map_err(not_run)?;
    match receiver.recv_timeout(limit) {
        Ok(output) => output.map(Said::from).map_err(not_run),
        Err(_) => {
            let _ = kill_process_group(group, Signal::KILL);
            Err(failed(format!("{program:?} did not end within {} s", limit.as_secs())))
        }
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
