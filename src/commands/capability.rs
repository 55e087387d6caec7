//! `capability`: says what this helper understands beyond user name and password.

use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::protocol::CAPABILITIES;

use super::write_answer;

pub(super) fn run() -> Result<ExitCode> {
    write_answer(CAPABILITIES)?;
    Ok(ExitCode::SUCCESS)
}
