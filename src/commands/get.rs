//! `get`: answers git's request with a credential, or says why there is none.

use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::healing::Report;
use git_credential_gastown::protocol::{Answer, QUIT};

use super::supply::supply;
use super::{Context, write_answer};
use crate::cli::OnFailure;

pub(super) fn run(context: &Context<'_>) -> Result<ExitCode> {
    let Some((request, host)) = context.request() else { return Ok(ExitCode::SUCCESS) };
    for warning in &context.settings.warnings {
        context.messages.warning(warning);
    }
    let report = Report::of(&request);
    match supply(context, &host, &report) {
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
            write_answer(&answer.to_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(exhausted) => {
            // The reason matters more than that nobody reads the answer.
            if context.settings.on_failure == OnFailure::Quit
                && let Err(unwritten) = write_answer(QUIT)
            {
                context.messages.trace(format_args!("{unwritten:#}"));
            }
            Err(exhausted.into())
        }
    }
}
