//! `store`: what git would have us store was answered from here, so there is nothing to do. Quick
//! and silent, without disk or network; only the trace is told of a healed command.

use std::process::ExitCode;

use git_credential_gastown::healing::Handed;

use super::read_request;
use crate::messages::Messages;

pub(super) fn run(messages: &Messages) -> ExitCode {
    let request = read_request(messages);
    if request.as_ref().and_then(Handed::of).is_some_and(|handed| handed.is_second) {
        messages.trace(format_args!("healed: the second token of this command was accepted"));
    }
    ExitCode::SUCCESS
}
