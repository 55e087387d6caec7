//! `completions`: what a shell needs to complete this program's words, also as `git
//! credential-gastown`. zsh and fish find the way from the one name to the other by themselves.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::write_answer;
use crate::cli::Cli;

/// clap's function for bash finds no subcommand of a program with a dash in its name
/// (<https://github.com/clap-rs/clap/issues/6421>), so it is made for a name without one. The
/// second function is what git's own completion looks for; the variables are git's.
const BASH: (&str, &str) = (
    "gastown",
    "
complete -r gastown
complete -F _gastown -o nosort -o bashdefault -o default git-credential-gastown 2>/dev/null ||
    complete -F _gastown -o bashdefault -o default git-credential-gastown
_git_credential_gastown() {
    compopt +o nospace 2>/dev/null
    _gastown credential-gastown \"${cur-}\" \"${prev-}\"
}
",
);

pub(super) fn run(shell: Shell) -> Result<ExitCode> {
    let (name, more) = if shell == Shell::Bash { BASH } else { (env!("CARGO_BIN_NAME"), "") };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), name, &mut script);
    script.extend_from_slice(more.as_bytes());
    write_answer(&script)?;
    Ok(ExitCode::SUCCESS)
}
