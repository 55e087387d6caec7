//! `doctor`: looks at every link between git and a token, and in a repository asks its server. Each
//! cause is reported once, with what fixes it. Shows no secret, changes nothing but what any `get`
//! would, and says that a push would succeed only if the server said so.

use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name};
use git_credential_gastown::git_config::Line;
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{credential_in, host_of};
use serde::Serialize;
use serde_json::json;

use crate::Context;
use crate::cli::Doctor;
use crate::commands::{answers_a_terminal, write_answer};
use crate::config::{Surroundings, agent};
use crate::git::{Git, QUICK};
use server::Remote;

mod configuration;
mod machine;
mod server;
mod source;

/// What the checks look at.
struct Examination<'a> {
    context: &'a Context<'a>,
    surroundings: Surroundings,
    git: Result<Git, Failure>,
    /// git's configuration, as it is in effect here.
    lines: Result<Vec<Line>, Failure>,
    /// Where a push from here would go, in a repository.
    remote: Option<Remote>,
    /// The host in question, if one is served.
    host: Option<Host>,
}

pub(crate) fn run(context: &Context<'_>, options: &Doctor) -> Result<ExitCode> {
    // What it would warn of is found here.
    context.messages.keep_warnings_to_the_trace();
    let examination = Examination::new(context);
    let mut findings = machine::check(&examination);
    findings.extend(configuration::check(&examination));
    let (sources, credential) = source::check(&examination, options.offline);
    findings.extend(sources);
    let mut push = match credential {
        _ if options.offline => Push::unknown("offline: no worker and no server was asked"),
        Some(credential) if !findings.iter().any(Finding::fails) => {
            server::check(&examination, &credential, &mut findings)
        }
        _ => Push::unknown("no server was asked, because of what fails"),
    };
    // Everything that is printed goes through the one redaction.
    for text in findings.iter_mut().flat_map(Finding::texts).chain([&mut push.said]) {
        *text = context.messages.clean(text);
    }
    findings.sort_by_key(|finding| finding.status);
    let text = match options.json {
        true => as_json(&findings, &push, options.offline),
        false => as_lines(&findings, &push, answers_a_terminal() && agent::wants_colour()),
    };
    write_answer(text.as_bytes())?;
    let fails = findings.iter().any(Finding::fails);
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl<'a> Examination<'a> {
    fn new(context: &'a Context<'a>) -> Self {
        let surroundings = Surroundings::from_process();
        surroundings.tokens.iter().for_each(|(_, token)| context.messages.remember(token));
        let git = Git::find(&surroundings);
        let lines = git.as_ref().map_err(Clone::clone).and_then(|git| git.lines_here(QUICK));
        let known = git.as_ref().ok().zip(lines.as_ref().ok());
        let remote = known.and_then(|(git, lines)| Remote::find(git, lines));
        let urls = remote.iter().flat_map(|remote| &remote.push);
        let served = |host: &Host| context.settings.serves(host);
        let host = urls.filter_map(|url| host_of(url)).find(served);
        let host = host.or_else(|| context.meant_host(None).ok());
        Self { context, surroundings, git, lines, remote, host }
    }

    fn lines(&self) -> &[Line] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// What git prints, if it succeeds.
    fn output(&self, words: &[&str]) -> Option<String> {
        server::output(self.git.as_ref().ok()?, words)
    }

    /// Whether git asks this helper for a URL, if it is set up.
    fn is_ours(&self, url: &str) -> bool {
        let is_served = host_of(url).is_some_and(|host| self.context.settings.serves(&host));
        is_served && credential_in(url).is_none()
    }

    /// The URL of the remote if it is ours, or else one at the host in question.
    fn url(&self) -> Option<String> {
        let mut urls = self.remote.iter().flat_map(|remote| &remote.push);
        let ours = urls.find(|url| self.is_ours(url)).cloned();
        ours.or_else(|| Some(format!("{}/", self.host.as_ref()?)))
    }
}

/// The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Fail,
    /// To be looked at; a push would not fail over it.
    Warn,
    Ok,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    what: String,
    /// The name of the error that it would be elsewhere.
    error: Option<Name>,
    /// What to type, or to change where.
    fix: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, what: what.into(), error: None, fix: None }
    }

    fn warn(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: Status::Warn, fix: Some(fix.into()), ..Self::ok(check, what) }
    }

    fn fail(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: Status::Fail, ..Self::warn(check, what, fix) }
    }

    /// An error, with the advice that it has everywhere.
    fn of(check: &'static str, Failure { name, what, advice, .. }: &Failure) -> Self {
        Self::fail(check, what, advice).named(*name)
    }

    fn named(self, name: Name) -> Self {
        Self { error: Some(name), ..self }
    }

    fn fails(&self) -> bool {
        self.status == Status::Fail
    }

    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        [&mut self.what].into_iter().chain(&mut self.fix)
    }

    /// The same, as bad as it is here.
    fn weighed(self, status: Status) -> Self {
        Self { status, ..self }
    }
}

/// What is known of a push from here, and how that is said.
struct Push {
    would_succeed: Option<bool>,
    said: String,
}

impl Push {
    fn unknown(why: impl Into<String>) -> Self {
        Self { would_succeed: None, said: why.into() }
    }
}

fn as_lines(findings: &[Finding], push: &Push, in_colour: bool) -> String {
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

fn as_json(findings: &[Finding], push: &Push, offline: bool) -> String {
    let report = json!({
        "version": 1,
        "program_version": env!("CARGO_PKG_VERSION"),
        "offline": offline,
        "push_would_succeed": push.would_succeed,
        "findings": findings,
    });
    format!("{report:#}\n")
}
