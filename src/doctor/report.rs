//! What was found, and how it is told: problems first, as lines for a person or as JSON for a
//! program.

use git_credential_gastown::failure::{Failure, Name};
use serde::Serialize;
use serde_json::json;

/// The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Fail,
    /// To be looked at; a push would not fail over it.
    Warn,
    Ok,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub check: &'static str,
    pub status: Status,
    pub what: String,
    /// The name of the error that it would be elsewhere.
    pub error: Option<Name>,
    /// What to type, or to change where.
    pub fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, what: what.into(), error: None, fix: None }
    }

    pub(super) fn warn(
        check: &'static str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status: Status::Warn, fix: Some(fix.into()), ..Self::ok(check, what) }
    }

    pub(super) fn fail(
        check: &'static str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status: Status::Fail, ..Self::warn(check, what, fix) }
    }

    /// An error, with the advice that it has everywhere.
    pub(super) fn of(check: &'static str, Failure { name, what, advice, .. }: &Failure) -> Self {
        Self::fail(check, what, advice).named(*name)
    }

    pub(super) fn named(self, name: Name) -> Self {
        Self { error: Some(name), ..self }
    }

    pub(super) fn fails(&self) -> bool {
        self.status == Status::Fail
    }

    pub(super) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        [&mut self.what].into_iter().chain(&mut self.fix)
    }

    /// The same, as bad as it is here.
    pub(super) fn weighed(self, status: Status) -> Self {
        Self { status, ..self }
    }
}

/// What is known of a push from here, and how that is said.
pub(super) struct Push {
    pub would_succeed: Option<bool>,
    pub said: String,
}

impl Push {
    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self { would_succeed: None, said: why.into() }
    }
}

pub(super) fn as_lines(findings: &[Finding], push: &Push, in_colour: bool) -> String {
    let mut text = String::new();
    for Finding { check, status, what, error, fix } in findings {
        let (name, colour) = match status {
            Status::Fail => ("fail", 31),
            Status::Warn => ("warn", 33),
            Status::Ok => ("ok  ", 32),
        };
        match in_colour {
            true => text += &format!("\x1b[{colour}m{name}\x1b[0m  {check}: {what}"),
            false => text += &format!("{name}  {check}: {what}"),
        }
        text.extend(error.map(|name| format!(" [{name}]")));
        text.extend(fix.as_ref().map(|fix| format!("\n      fix: {fix}")));
        text.push('\n');
    }
    for (label, status) in [("to fix", Status::Fail), ("to look at", Status::Warn)] {
        let count = findings.iter().filter(|finding| finding.status == status).count();
        text.extend((count > 0).then(|| format!("{label}: {count}; ")));
    }
    text + &push.said + "\n"
}

pub(super) fn as_json(findings: &[Finding], push: &Push, offline: bool) -> String {
    let report = json!({
        "version": 1,
        "program_version": env!("CARGO_PKG_VERSION"),
        "offline": offline,
        "push_would_succeed": push.would_succeed,
        "findings": findings,
    });
    format!("{report:#}\n")
}
