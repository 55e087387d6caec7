//! `doctor`: looks at every link between git and a token, and in a repository asks its server. Each
//! cause is told once, with what fixes it. Shows no secret, changes nothing but what any `get`
//! would, and says that a push would succeed only if the server said so.

use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{credential_in, host_of};

use crate::Context;
use crate::cli::Doctor;
use crate::commands::{answers_a_terminal, write_answer};
use crate::config::{Surroundings, agent};
use crate::git::Git;
use report::{Report, Status};
use server::{Push, Remote};

mod configuration;
mod machine;
mod report;
mod server;
mod source;

/// What the checks look at.
struct Examination<'a> {
    context: &'a Context<'a>,
    offline: bool,
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
    let examination = Examination::new(context, options.offline);
    let mut findings = machine::check(&examination);
    findings.extend(configuration::check(&examination));
    let (sources, credential) = source::check(&examination);
    findings.extend(sources);
    let is_sound = findings.iter().all(|finding| finding.status != Status::Fail);
    let push = match credential {
        Some(credential) if is_sound => {
            let (answers, push) = server::check(&examination, &credential);
            findings.extend(answers);
            push
        }
        _ if options.offline => Push::Unknown("offline: no worker and no server was asked".into()),
        _ => Push::Unknown("no server was asked, because of what fails".into()),
    };
    let report = Report { findings, push, offline: options.offline };
    let clean = |text: &str| context.messages.clean(text);
    let text = match options.json {
        true => report.as_json(clean),
        false => report.as_lines(answers_a_terminal() && agent::wants_colour(), clean),
    };
    write_answer(text.as_bytes())?;
    Ok(if report.fails() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl<'a> Examination<'a> {
    fn new(context: &'a Context<'a>, offline: bool) -> Self {
        let surroundings = Surroundings::from_process();
        surroundings.tokens.iter().for_each(|(_, token)| context.messages.remember(token));
        let git = Git::find(&surroundings);
        let lines = git.as_ref().map_err(Clone::clone).and_then(Git::effective_lines);
        let remote = match (&git, &lines) {
            (Ok(git), Ok(lines)) => Remote::find(git, lines),
            _ => None,
        };
        let served = |host: &Host| context.settings.serves(host);
        let host = remote.as_ref().and_then(|remote| remote.hosts().find(served));
        let host = host.or_else(|| context.meant_host(None).ok());
        Self { context, offline, surroundings, git, lines, remote, host }
    }

    fn lines(&self) -> &[Line] {
        self.lines.as_deref().unwrap_or_default()
    }

    fn is_ours(&self, url: &str) -> bool {
        host_of(url).is_some_and(|host| self.context.settings.serves(&host))
    }

    /// A URL at the host in question: that of the remote, if git would ask a helper for it.
    fn url(&self) -> Option<String> {
        let urls = self.remote.iter().flat_map(|remote| &remote.push);
        let mut asked = urls.filter(|url| self.is_ours(url) && credential_in(url).is_none());
        asked.next().cloned().or_else(|| Some(format!("{}/", self.host.as_ref()?)))
    }
}
