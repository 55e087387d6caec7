//! `store`: records that a host accepted a token, which clears the refusals on record. Keeps nothing:
//! what git would have us store came from here. Silent, and makes no call.

use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::protocol::Handed;

use super::read_request;
use crate::Context;
use crate::cli::Flags;
use crate::credential::note_acceptance;
use crate::messages::Messages;

pub(super) fn run(flags: &Flags, messages: &Messages) -> Result<ExitCode> {
    let Some(request) = read_request(messages)? else { return Ok(ExitCode::SUCCESS) };
    if Handed::of(&request).is_some_and(|handed| handed.is_second) {
        messages.trace(format_args!("healed: the second token of this command was accepted"));
    }
    let Some(token) = request.secret() else { return Ok(ExitCode::SUCCESS) };
    messages.remember(&token);
    let context = Context::new(flags, messages);
    if let Some(host) = context.served_host(&request) {
        note_acceptance(&context, &host, &token);
    }
    Ok(ExitCode::SUCCESS)
}
