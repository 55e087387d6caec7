//! What was found, and how it is told: problems first, as lines for a person or as JSON for a
//! program. Every text goes through the redaction that every message goes through.

use git_credential_gastown::failure::{Failure, Name};
use serde_json::{Value, json};

use super::server::Push;

/// The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    Fail,
    /// To be looked at; a push would not fail over it.
    Warn,
    Ok,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Ok => "ok",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Fail => "31",
            Self::Warn => "33",
            Self::Ok => "32",
        }
    }
}

#[derive(Debug)]
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

    pub(super) fn problem(
        status: Status,
        check: &'static str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { check, status, what: what.into(), error: None, fix: Some(fix.into()) }
    }

    /// The error as it is told elsewhere.
    pub(super) fn of(status: Status, check: &'static str, failure: &Failure) -> Self {
        let Failure { name, what, advice, .. } = failure;
        Self { error: Some(*name), ..Self::problem(status, check, what, advice) }
    }

    pub(super) fn named(self, name: Name) -> Self {
        Self { error: Some(name), ..self }
    }
}

pub(super) struct Report {
    pub findings: Vec<Finding>,
    pub push: Push,
    pub offline: bool,
}

impl Report {
    pub(super) fn fails(&self) -> bool {
        self.count(Status::Fail) > 0
    }

    fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    fn sorted(&self) -> Vec<&Finding> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        findings.sort_by_key(|finding| finding.status);
        findings
    }

    pub(super) fn as_lines(&self, in_colour: bool, clean: impl Fn(&str) -> String) -> String {
        let painted = |status: Status| {
            let name = format!("{:<4}", status.name());
            if in_colour { format!("\x1b[{}m{name}\x1b[0m", status.colour()) } else { name }
        };
        let mut text = String::new();
        for Finding { check, status, what, error, fix } in self.sorted() {
            let error = error.map_or_else(String::new, |name| format!(" [{name}]"));
            text += &format!("{}  {check}: {}{error}\n", painted(*status), clean(what));
            if let Some(fix) = fix {
                text += &format!("      fix: {}\n", clean(fix));
            }
        }
        let conclusion = match &self.push {
            Push::WouldSucceed(remote) => {
                format!("a push to {remote} would succeed: its server says so")
            }
            Push::WouldFail(remote) => format!("a push to {remote} would fail"),
            Push::Unknown(why) => why.clone(),
        };
        let counts = match (self.count(Status::Fail), self.count(Status::Warn)) {
            (0, 0) => String::new(),
            (0, warnings) => format!("to look at: {warnings}; "),
            (failures, 0) => format!("to fix: {failures}; "),
            (failures, warnings) => format!("to fix: {failures}, to look at: {warnings}; "),
        };
        format!("{text}{counts}{}\n", clean(&conclusion))
    }

    pub(super) fn as_json(&self, clean: impl Fn(&str) -> String) -> String {
        let told = |finding: &&Finding| -> Value {
            let Finding { check, status, what, error, fix } = finding;
            json!({
                "check": check,
                "status": status.name(),
                "what": clean(what),
                "error": error.map(Name::as_str),
                "fix": fix.as_deref().map(&clean),
            })
        };
        let report = json!({
            "version": 1,
            "program_version": env!("CARGO_PKG_VERSION"),
            "offline": self.offline,
            "push_would_succeed": match &self.push {
                Push::WouldSucceed(_) => Some(true),
                Push::WouldFail(_) => Some(false),
                Push::Unknown(_) => None,
            },
            "findings": self.sorted().iter().map(told).collect::<Vec<_>>(),
        });
        format!("{report:#}\n")
    }
}
