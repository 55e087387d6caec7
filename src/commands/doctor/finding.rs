//! What was found at one link, and how findings are told: as lines for a person, as JSON for a
//! program. Every text goes through the cleaning that every message goes through.

use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    /// To be looked at; a push would not fail over it.
    Warn,
    Fail,
    /// Not looked at, as asked.
    Skip,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

#[derive(Debug)]
pub(super) struct Finding {
    pub link: &'static str,
    pub verdict: Verdict,
    pub what: String,
    /// What to type or to do.
    pub mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(link: &'static str, what: impl Into<String>) -> Self {
        Self { link, verdict: Verdict::Ok, what: what.into(), mend: None }
    }

    pub(super) fn skip(link: &'static str, what: impl Into<String>) -> Self {
        Self { link, verdict: Verdict::Skip, what: what.into(), mend: None }
    }

    pub(super) fn warn(
        link: &'static str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { link, verdict: Verdict::Warn, what: what.into(), mend: Some(mend.into()) }
    }

    pub(super) fn fail(
        link: &'static str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(link, what, mend) }
    }

    /// The same, as bad as it is here.
    pub(super) fn weighed(self, verdict: Verdict) -> Self {
        Self { verdict, ..self }
    }
}

pub(super) fn as_lines(
    findings: &[Finding],
    offline: bool,
    clean: impl Fn(&str) -> String,
) -> String {
    let mut text = String::new();
    for Finding { link, verdict, what, mend } in findings {
        text += &format!("{:<4}  {link}: {}\n", verdict.as_str(), clean(what));
        if let Some(mend) = mend {
            text += &format!("      mend: {}\n", clean(mend));
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let scope = if offline { " (as far as can be told offline)" } else { "" };
    text + &match (count(Verdict::Fail), count(Verdict::Warn)) {
        (0, 0) => format!("a push would succeed{scope}\n"),
        (0, warnings) => format!("a push would succeed{scope}; to look at: {warnings}\n"),
        (failures, _) => format!("a push would fail{scope}; to mend: {failures}\n"),
    }
}

pub(super) fn as_json(
    findings: &[Finding],
    offline: bool,
    clean: impl Fn(&str) -> String,
) -> String {
    let fails = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    let told: Vec<Value> = findings
        .iter()
        .map(|Finding { link, verdict, what, mend }| {
            let mend = mend.as_deref().map(&clean);
            json!({ "link": link, "verdict": verdict.as_str(), "what": clean(what), "mend": mend })
        })
        .collect();
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "offline": offline,
        "push_would_succeed": !fails,
        "findings": told,
    });
    format!("{report:#}\n")
}
