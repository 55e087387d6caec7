//! `doctor`: looks at every link between git and a token, each for itself, and says for each what
//! mends it. The exit code tells whether a push would fail. Shows no secret, changes nothing but
//! what any `get` would, and is safe to paste.

use std::cell::OnceCell;
use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{credential_in, host_of};

use super::write_answer;
use crate::Context;
use crate::caller::Caller;
use crate::cli::Doctor;
use crate::config::Surroundings;
use crate::credential::{Ask, Credential, NoCredential, find};
use crate::git::Git;
use finding::{Finding, Verdict};

mod chain;
mod config_lines;
mod end_to_end;
mod finding;
mod machine;
mod places;
mod remotes;
mod settings;
mod worker;

/// One link of the way from git to a token.
type Check = fn(&Examination<'_>) -> Vec<Finding>;

/// In the order of the way itself.
const CHECKS: [Check; 17] = [
    settings::check,
    machine::program,
    machine::git,
    machine::environment,
    machine::netrc,
    chain::check,
    remotes::check,
    config_lines::extra_header,
    config_lines::rewriting,
    config_lines::username,
    places::cache,
    places::locks,
    worker::container_token,
    worker::token,
    worker::worker,
    end_to_end::fill,
    end_to_end::list_remote,
];

/// What the checks look at. What costs something is only got when a check first needs it.
struct Examination<'a> {
    context: &'a Context<'a>,
    options: &'a Doctor,
    surroundings: Surroundings,
    git: Result<Git, Failure>,
    /// git's configuration, as it is in effect here.
    lines: Result<Vec<Line>, Failure>,
    credential: OnceCell<Option<Result<Credential, NoCredential>>>,
}

pub(super) fn run(context: &Context<'_>, options: &Doctor) -> Result<ExitCode> {
    let examination = Examination::new(context, options);
    let findings: Vec<_> = CHECKS.iter().flat_map(|check| check(&examination)).collect();
    let fails = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    let clean = |text: &str| context.messages.clean(text);
    let report = match options.json {
        true => finding::as_json(&findings, options.offline, clean),
        false => finding::as_lines(&findings, options.offline, clean),
    };
    write_answer(report.as_bytes())?;
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl<'a> Examination<'a> {
    fn new(context: &'a Context<'a>, options: &'a Doctor) -> Self {
        let surroundings = Surroundings::from_process();
        surroundings.tokens.iter().for_each(|(_, token)| context.messages.remember(token));
        let git = Git::find(&surroundings);
        let lines = match &git {
            Ok(git) => git.effective_lines(),
            Err(lack) => Err(lack.clone()),
        };
        for line in lines.iter().flatten() {
            // A token may stand in a value as well as in a key.
            let embedded = [credential_in(&line.value), line.subsection().and_then(credential_in)];
            let secrets = embedded.iter().flatten().flat_map(|embedded| &embedded.secrets);
            secrets.for_each(|secret| context.messages.remember(secret));
        }
        Self { context, options, surroundings, git, lines, credential: OnceCell::new() }
    }

    fn lines(&self) -> &[Line] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// The host that a push from here would go to, if it is one of ours; else the first of them.
    fn host(&self) -> Option<Host> {
        let remotes = self.lines().iter().filter(|line| line.is("remote", "url"));
        let mut hosts = remotes.filter_map(|line| host_of(&line.value));
        let settings = &self.context.settings;
        hosts.find(|host| settings.serves(host)).or_else(|| settings.hosts.first().cloned())
    }

    /// What a `get` would answer now, whatever failure is on record; `None` if that must not be
    /// asked, or no host is served.
    fn credential(&self) -> Option<&Result<Credential, NoCredential>> {
        let ask = || {
            let host = self.host().filter(|_| !self.options.offline)?;
            let caller = Caller::by_hand();
            let mut ask = Ask::by_hand(&host, &caller);
            ask.demand.heeds_failures = false;
            let found = find(self.context, &ask);
            found.iter().for_each(|it| self.context.messages.remember(&it.token));
            Some(found)
        };
        self.credential.get_or_init(ask).as_ref()
    }

    /// How bad it is that the worker gives no token: not very, if there is another one.
    fn without_worker(&self) -> Verdict {
        let statics = &self.context.settings.static_tokens;
        match self.credential() {
            Some(Ok(_)) => Verdict::Warn,
            Some(Err(_)) => Verdict::Fail,
            None if statics.iter().any(|token| token.token.value().is_some()) => Verdict::Warn,
            None => Verdict::Fail,
        }
    }
}
