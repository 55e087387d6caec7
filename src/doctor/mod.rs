//! `doctor`: looks at every link between git and a token, and in a repository asks its server. Each
//! cause is reported once, with what fixes it. Shows no secret, changes nothing but what any `get`
//! would, and says that a push would succeed only if the server said so.

use std::fmt::Display;
use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::git_config::Line;
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{credential_in, host_of};
use serde::Serialize;
use serde_json::json;

use crate::Context;
use crate::cli::{Doctor, Flags};
use crate::config::{Surroundings, TO_CHECK};
use crate::git::Git;
use crate::stdio::{Colour, Text, write_object};
use Status::{Fail, Warn};
use server::{Push, Remote};

mod configuration;
mod machine;
mod server;
mod source;

struct Inputs<'a> {
    context: Context<'a>,
    surroundings: Surroundings,
    git: Result<Git, Failure>,
    /// Where a push from here would go, in a repository.
    remote: Option<Remote>,
    /// The host in question, if one is served.
    host: Option<Host>,
}

pub(crate) fn run(context: Context<'_>, flags: &Flags, options: &Doctor) -> Result<ExitCode> {
    // What it would warn of is found here.
    context.messages.keep_warnings_to_the_trace();
    let messages = context.messages;
    let inputs = Inputs::new(context, flags);
    let mut report = Report::default();
    machine::check(&inputs, &mut report);
    configuration::check(&inputs, &mut report);
    let push = match source::check(&inputs, options.offline, &mut report) {
        _ if options.offline => Push::unknown("offline: no worker and no server was asked"),
        Some(credential) if !report.fails() => server::check(&inputs, &credential, &mut report),
        _ => Push::unknown("no server was asked, because of what fails"),
    };
    let fails = report.fails();
    let findings = report.worst_first();
    match options.json {
        true => write_object(
            messages,
            json!({
                "version": 1,
                "program_version": env!("CARGO_PKG_VERSION"),
                "offline": options.offline,
                "push_would_succeed": push.would_succeed,
                "findings": findings,
            }),
        )?,
        false => tell(Text::new(messages), &findings, &push)?,
    }
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(mut text: Text<'_>, findings: &[Finding], push: &Push) -> Result<(), Failure> {
    for Finding { check, status, what, error, fix, .. } in findings {
        let (word, colour) = match status {
            Fail => ("fail", Colour::Red),
            Warn => ("warn", Colour::Yellow),
            Status::Ok => ("ok  ", Colour::Green),
        };
        let error = error.map(|name| format!(" [{name}]")).unwrap_or_default();
        text.marked("", word, colour, format_args!("  {check}: {what}{error}"));
        fix.iter().for_each(|fix| text.line(format_args!("      fix: {fix}")));
    }
    let mut last = String::new();
    for (label, status) in [("to fix", Fail), ("to look at", Warn)] {
        let count = findings.iter().filter(|finding| finding.status == status).count();
        last.extend((count > 0).then(|| format!("{label}: {count}; ")));
    }
    text.line(last + &push.said);
    text.write()
}

impl<'a> Inputs<'a> {
    fn new(context: Context<'a>, flags: &Flags) -> Self {
        let surroundings = Surroundings::from_process();
        // A git that did not end would use up the time limit of every check.
        let hung = context.git_config.fault.clone().filter(|fault| fault.retry == Retry::AtOnce);
        let git = hung.map_or_else(|| Git::find(&surroundings), Err);
        let lines = &context.git_config.lines;
        let remote = git.as_ref().ok().and_then(|git| Remote::find(git, lines));
        let urls = remote.iter().flat_map(Remote::urls);
        let hosts_of_lines = context.git_config.hosts_of_lines();
        let served = |host: &Host| context.settings.serves(host) || hosts_of_lines.contains(host);
        let host = urls.filter_map(|url| host_of(url)).find(served);
        let host = host.or_else(|| context.meant_host().ok());
        let context = match &host {
            Some(host) => context.about(flags, host.clone()),
            None => context,
        };
        Self { context, surroundings, git, remote, host }
    }

    /// git's configuration, as it is in effect here.
    fn lines(&self) -> &[Line] {
        &self.context.git_config.lines
    }

    /// What git prints, if it succeeds.
    fn output(&self, words: &[&str]) -> Option<String> {
        self.git.as_ref().ok()?.output(words)
    }

    /// Whether git asks this helper for a URL, if it is set up.
    fn is_ours(&self, url: &str) -> bool {
        let is_served = host_of(url).is_some_and(|host| self.context.settings.serves(&host));
        is_served && credential_in(url).is_none()
    }

    /// The URL of the remote if it is ours, or else one at the host in question.
    fn url(&self) -> Option<String> {
        let mut urls = self.remote.iter().flat_map(Remote::urls);
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
    /// Those that it is about, if it is not about all.
    #[serde(skip)]
    hosts: Vec<String>,
}

#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn ok(&mut self, check: &'static str, what: impl Display) {
        self.add(check, Status::Ok, what, "");
    }

    fn add(
        &mut self,
        check: &'static str,
        status: Status,
        what: impl Display,
        fix: impl Into<String>,
    ) -> &mut Finding {
        let (what, fix) = (what.to_string(), (status != Status::Ok).then(|| fix.into()));
        self.0.push(Finding { check, status, what, error: None, fix, hosts: Vec::new() });
        self.0.last_mut().expect("one was just pushed")
    }

    /// An error, with the advice that it has everywhere, under the check that it is about.
    fn failure(&mut self, status: Status, failure: &Failure) {
        let check = match failure.name {
            Name::ConfigMissing => "settings",
            Name::RigNotFound | Name::NoGitToken => "rig",
            Name::CrossTown | Name::ContainerTokenRejected => "container-token",
            Name::TokenRejected => "token",
            Name::SetupFailed => "git",
            _ => "worker",
        };
        let advice = failure.advice.trim_end_matches(TO_CHECK);
        self.add(check, status, &failure.what, advice).error = Some(failure.name);
    }

    /// What was found for one host, no worse than this; a cause that others have, too, only once.
    fn add_for(&mut self, host: &Host, worst: Status, of_host: Self) {
        for finding in of_host.0 {
            match self.0.iter_mut().find(|known| known.what == finding.what) {
                Some(known) => known.hosts.push(host.to_string()),
                None => {
                    let (status, hosts) = (finding.status.max(worst), vec![host.to_string()]);
                    self.0.push(Finding { status, hosts, ..finding });
                }
            }
        }
    }

    fn fails(&self) -> bool {
        self.0.iter().any(|finding| finding.status == Fail)
    }

    fn worst_first(mut self) -> Vec<Finding> {
        for finding in self.0.iter_mut().filter(|finding| !finding.hosts.is_empty()) {
            finding.what += &format!(" (for {})", finding.hosts.join(", "));
        }
        self.0.sort_by_key(|finding| finding.status);
        self.0
    }
}
