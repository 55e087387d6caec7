//! The only way to stderr and to the trace. Every line is redacted by value and by shape, and
//! escaped, so that it stays one line and cannot steer a terminal. A message that cannot be
//! written is dropped: no answer may fail over it.

#![expect(clippy::disallowed_methods, reason = "the one place for stderr and the trace file")]

use std::cell::RefCell;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use git_credential_gastown::redaction::clean;
use git_credential_gastown::timestamp::Timestamp;
use git_credential_gastown::token::Secret;
use rustix::fs::OFlags;

const PROGRAM: &str = "git-credential-gastown";

/// Where the trace goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TraceTo {
    Nowhere,
    Stderr,
    File(PathBuf),
}

pub(crate) struct Messages {
    now: fn() -> Timestamp,
    trace_to: RefCell<TraceTo>,
    secrets: RefCell<Vec<Secret>>,
}

impl Messages {
    pub(crate) fn new(now: fn() -> Timestamp) -> Self {
        Self { now, trace_to: RefCell::new(TraceTo::Nowhere), secrets: RefCell::default() }
    }

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
        self.stderr(&format!("warning: {text}"));
    }

    /// A second line to the one before.
    pub(crate) fn hint(&self, text: impl fmt::Display) {
        self.stderr(&text.to_string());
    }

    /// One decision with its reason. Costs nothing while the trace is off.
    pub(crate) fn trace(&self, text: fmt::Arguments<'_>) {
        match &*self.trace_to.borrow() {
            TraceTo::Nowhere => {}
            TraceTo::Stderr => write_line(std::io::stderr(), &self.trace_line(text)),
            TraceTo::File(path) => {
                if let Ok(file) = open_trace(path) {
                    write_line(file, &self.trace_line(text));
                }
            }
        }
    }

    /// One line of a report, fit to be pasted anywhere.
    pub(crate) fn clean(&self, text: &str) -> String {
        clean(text, &self.secrets.borrow())
    }

    fn stderr(&self, text: &str) {
        let text = clean(text, &self.secrets.borrow());
        write_line(std::io::stderr(), &format!("{PROGRAM}: {text}"));
        if *self.trace_to.borrow() != TraceTo::Stderr {
            self.trace(format_args!("said: {text}"));
        }
    }

    fn trace_line(&self, text: fmt::Arguments<'_>) -> String {
        let moment = (self.now)().to_rfc3339_millis().unwrap_or_default();
        let text = clean(&text.to_string(), &self.secrets.borrow());
        format!("{moment} {PROGRAM}[{}] {text}", std::process::id())
    }
}

/// One write per line, so that many processes can share one file or terminal.
fn write_line(mut to: impl Write, line: &str) {
    let _ = to.write_all(format!("{line}\n").as_bytes());
}

fn open_trace(path: &Path) -> std::io::Result<std::fs::File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options.custom_flags(flags.bits().cast_signed()).open(path)
}
