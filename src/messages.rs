//! The only way to stderr and to the trace. Every line is redacted by value and by shape, and
//! escaped, so that it stays one line and cannot steer a terminal; a command of ours in it is one
//! that can be typed where it is read. A message that cannot be written is dropped: no answer may
//! fail over it.

#![expect(clippy::disallowed_methods, reason = "the one place for stderr and the trace file")]

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::fs::{File, Permissions};
use std::io::{Error, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt as _};
use std::path::{Path, PathBuf};

use git_credential_gastown::helper_line::{COMMAND, PROGRAM};
use git_credential_gastown::redact::{clean, one_line};
use git_credential_gastown::token::Secret;
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, fchown, fstat, openat};
use rustix::process::geteuid;

use crate::clock;
use crate::config::Surroundings;
use crate::files::SEARCH;

/// Where the trace goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum TraceTo {
    #[default]
    Nowhere,
    Stderr,
    File(PathBuf),
}

#[derive(Default)]
pub(crate) struct Messages {
    trace_to: RefCell<TraceTo>,
    secrets: RefCell<Vec<Secret>>,
    /// How to call this program here, once that has been looked up.
    command: OnceCell<String>,
    is_quiet: Cell<bool>,
}

impl Messages {
    pub(crate) fn trace_to(&self, target: TraceTo) {
        self.trace_to.replace(target);
    }

    /// Has a secret masked by value from here on.
    pub(crate) fn remember(&self, secret: &Secret) {
        self.secrets.borrow_mut().push(secret.clone());
    }

    /// Every secret that this process has seen so far.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        self.secrets.borrow().clone()
    }

    /// Why there is no answer.
    pub(crate) fn error(&self, text: impl fmt::Display) {
        self.stderr(&format!("error: {text}"));
    }

    /// Something to look at, beside an answer.
    pub(crate) fn warning(&self, text: impl fmt::Display) {
        match self.is_quiet.get() {
            false => self.stderr(&format!("warning: {text}")),
            true => self.trace(format_args!("warning: {text}")),
        }
    }

    /// For who reports in another way what would be warned of.
    pub(crate) fn keep_warnings_to_the_trace(&self) {
        self.is_quiet.set(true);
    }

    /// A second line to the one before.
    pub(crate) fn hint(&self, text: impl fmt::Display) {
        self.stderr(&text.to_string());
    }

    /// Why a command line is not understood, which quotes what was typed.
    pub(crate) fn usage(&self, text: &str) {
        text.lines().for_each(|line| write_line(std::io::stderr(), &self.clean(line)));
    }

    /// Text that goes elsewhere than here, as it would be printed here.
    pub(crate) fn clean(&self, text: &str) -> String {
        let text = clean(text, &self.secrets.borrow());
        if !text.contains(COMMAND) {
            return text;
        }
        let command = self.command.get_or_init(|| Surroundings::from_process().command());
        text.replace(COMMAND, command)
    }

    /// One decision with its reason. Costs nothing while the trace is off.
    pub(crate) fn trace(&self, text: fmt::Arguments<'_>) {
        match &*self.trace_to.borrow() {
            TraceTo::Nowhere => {}
            TraceTo::Stderr => write_line(std::io::stderr(), &self.trace_line(text)),
            TraceTo::File(path) => {
                if let Ok(file) = open_log(path) {
                    write_line(file, &self.trace_line(text));
                }
            }
        }
    }

    fn stderr(&self, text: &str) {
        let text = self.clean(text);
        write_line(std::io::stderr(), &format!("{PROGRAM}: {text}"));
        if *self.trace_to.borrow() != TraceTo::Stderr {
            self.trace(format_args!("said: {text}"));
        }
    }

    fn trace_line(&self, text: fmt::Arguments<'_>) -> String {
        let moment = clock::now().to_rfc3339_millis().unwrap_or_default();
        let text = self.clean(&text.to_string());
        format!("{moment} {PROGRAM}[{}] {text}", std::process::id())
    }
}

/// Makes a panic, in any thread, say where it happened, give the last answer, and end the program
/// with this exit code. Its message and a backtrace may repeat a secret, so neither is shown.
pub(crate) fn exit_on_panic(code: u8, last_answer: fn()) {
    #[expect(clippy::exit, reason = "after a panic nothing of this process can be relied on")]
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let place = one_line(&place);
        let line = format!("{PROGRAM}: internal error at {place}; please report this line");
        write_line(std::io::stderr(), &line);
        last_answer();
        std::process::exit(code.into());
    }));
}

/// One write per line, so that many processes can share one file or terminal.
fn write_line(mut to: impl Write, line: &str) {
    let _ = to.write_all(format!("{line}\n").as_bytes());
}

/// Opens a file to add lines to. What others could write to would let them forge lines; what is not
/// ours they could read, and a pipe could stop us. Checked on the open descriptor. A file
/// that root makes in another user's directory is given to that user.
pub(crate) fn open_log(path: &Path) -> std::io::Result<File> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::other("not a plain file"));
    };
    let flags = SEARCH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, parent, flags, Mode::empty())?;
    let above = fstat(&directory)?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(openat(&directory, name, flags, Mode::RUSR | Mode::WUSR)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Error::other("not a plain file"));
    }
    let user = geteuid();
    let is_theirs = user.is_root() && metadata.uid() == above.st_uid;
    if !(metadata.uid() == user.as_raw() || is_theirs) || metadata.mode() & 0o022 != 0 {
        return Err(Error::other("others own it or can write to it"));
    }
    if metadata.mode() & 0o600 != 0o600 {
        // The umask took away what the next process needs.
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    if user.is_root() && metadata.len() == 0 && !is_theirs {
        let (owner, group) = (Uid::from_raw(above.st_uid), Gid::from_raw(above.st_gid));
        fchown(&file, Some(owner), Some(group))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    #[ignore = "panics; the test below runs it in a process of its own"]
    fn panicking() {
        exit_on_panic(7, || std::io::stdout().write_all(b"quit=1\n").unwrap());
        let panic = || panic!("ghs_sentinel\nforged");
        let _ = std::thread::spawn(panic).join();
        unreachable!("the panic has ended the process");
    }

    #[test]
    fn a_panic_says_where_it_happened_and_ends_the_program() {
        let name = "messages::tests::panicking";
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--ignored", "--exact", "--nocapture", name]).env("RUST_BACKTRACE", "full");
        let output = test.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(7));
        let line = stderr.trim_end_matches('\n');
        let place = concat!("git-credential-gastown: internal error at ", file!(), ":");
        assert!(line.starts_with(place) && line.ends_with("; please report this line"), "{line}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.ends_with("quit=1\n") && !stdout.contains("sentinel"), "{stdout}");
    }
}
