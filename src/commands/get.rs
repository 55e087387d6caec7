//! `get`: answers git's request with a credential, or says why there is none.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::healing::Report;
use git_credential_gastown::host::Host;
use git_credential_gastown::protocol::{Answer, QUIT, Request};

use super::supply::{Exhausted, Supply, supply};
use super::{Context, write_answer};
use crate::cli::OnFailure;

pub(super) fn run(context: &Context<'_>, url: Option<&str>) -> Result<ExitCode> {
    let Some((request, host)) = request(context, url) else { return Ok(ExitCode::SUCCESS) };
    context.warn_of_settings();
    let report = Report::of(&request);
    let outcome = supply(context, &host, &report);
    let answered = answer(context, &request, &report, &outcome);
    // Once git has its answer.
    context.log_supply("get", &host, &outcome);
    answered?;
    outcome.map(|_| ExitCode::SUCCESS).map_err(Into::into)
}

/// What is asked on stdin, or on the command line.
fn request(context: &Context<'_>, url: Option<&str>) -> Option<(Request, Host)> {
    let Some(url) = url else {
        if std::io::stdin().is_terminal() {
            context.messages.hint(
                "type `protocol=https`, `host=github.com` and an empty line, as git would; or run: \
                 git credential-gastown get https://github.com",
            );
        }
        return context.request();
    };
    let asked = context.request_for(url);
    let ours = asked.and_then(|request| context.our_host(&request).map(|host| (request, host)));
    if ours.is_none() {
        context.messages.hint("not one of our hosts, so git gets no answer; see --host");
    }
    ours
}

fn answer(
    context: &Context<'_>,
    request: &Request,
    report: &Report,
    outcome: &Result<Supply, Exhausted>,
) -> Result<()> {
    match outcome {
        Ok(supply) => {
            let answer = Answer {
                username: supply.username,
                password: &supply.token,
                expires: supply.expires.filter(|expires| *expires > crate::clock::now()),
                healing: (request.keeps_state() && supply.may_heal)
                    .then(|| report.healing(&supply.token)),
            };
            let (source, hash) = (&supply.source, supply.token.hash());
            context.messages.trace(format_args!("answer: {} from {source}", hash.prefix()));
            write_answer(&answer.to_bytes())
        }
        Err(_) => {
            // The reason matters more than that nobody reads the answer.
            if context.settings.on_failure == OnFailure::Quit
                && let Err(unwritten) = write_answer(QUIT)
            {
                context.messages.trace(format_args!("{unwritten:#}"));
            }
            Ok(())
        }
    }
}
