//! `store`: what git would have us store was answered from here, so there is nothing to do. Quick
//! and silent, without disk or network.

use std::process::ExitCode;

use git_credential_gastown::healing::Handed;

use super::Context;

pub(super) fn run(context: &Context<'_>) -> ExitCode {
    if let Some((request, host)) = context.request()
        && Handed::of(&request).is_some_and(|handed| handed.is_second)
    {
        context.messages.trace(format_args!("healed: {host} accepted the second token"));
    }
    ExitCode::SUCCESS
}
