//! `completions`: what a shell needs to complete this program's words.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::write_answer;
use crate::cli::Cli;

pub(super) fn run(shell: Shell) -> Result<ExitCode> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), env!("CARGO_BIN_NAME"), &mut script);
    write_answer(&script)?;
    Ok(ExitCode::SUCCESS)
}
