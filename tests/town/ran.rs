//! A command that ran: its whole transcript and how long it took. Owns the time limit, after which
//! a command and all its children are killed and the test fails; refuses to set an environment.

use std::fmt;
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Generous: nothing here should take a tenth of that on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(60);

pub struct Ran {
    command: String,
    stdin: Vec<u8>,
    /// As a shell has it: 128 and the signal for a command that was killed.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ran {
    /// Runs a command to its end.
    pub fn run(mut command: Command, stdin: &[u8]) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that git's helpers can be killed with git.
        command.process_group(0);
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let group = Pid::from_child(&child);
        let (sender, receiver) = mpsc::channel();
        let input = stdin.to_vec();
        thread::spawn(move || sender.send((finish(child, &input), started.elapsed())));
        let in_time = receiver.recv_timeout(TIME_LIMIT);
        let killed = in_time.is_err();
        let (output, took) = in_time.unwrap_or_else(|_| {
            let _ = kill_process_group(group, Signal::KILL);
            receiver.recv_timeout(TIME_LIMIT).expect("nobody survives SIGKILL")
        });
        let ran = Self::new(&command, stdin, &output, took);
        assert!(!killed, "killed after {TIME_LIMIT:?}\n{ran:?}");
        ran
    }

    fn new(command: &Command, stdin: &[u8], output: &Output, took: Duration) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let signal = output.status.signal().map_or(-1, |signal| 128 + signal);
        Self {
            command: words.join(" "),
            stdin: stdin.to_vec(),
            code: output.status.code().unwrap_or(signal),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took,
        }
    }

    #[track_caller]
    pub fn assert_ok(&self) -> &Self {
        assert!(self.code == 0, "should have succeeded\n{self:?}");
        self
    }

    #[track_caller]
    pub fn assert_fails(&self) -> &Self {
        assert!(self.code != 0, "should have failed\n{self:?}");
        self
    }
}

/// Feeds and drains all three streams at once, so that no full pipe can stop the child.
fn finish(mut child: Child, input: &[u8]) -> Output {
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("pipes can be read")
    })
}

/// The transcript.
impl fmt::Debug for Ran {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "$ {}", self.command)?;
        writeln!(formatter, "--- stdin\n{}", String::from_utf8_lossy(&self.stdin))?;
        writeln!(formatter, "--- stdout\n{}", self.stdout)?;
        writeln!(formatter, "--- stderr\n{}", self.stderr)?;
        write!(formatter, "--- exit code {} after {:?}", self.code, self.took)
    }
}
