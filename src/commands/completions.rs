//! `completions`: what a shell needs to complete this program's words, also as `git
//! credential-gastown`. Others than bash and fish find the way from the one to the other by
//! themselves.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use git_credential_gastown::failure::Failure;
use git_credential_gastown::helper_line::PROGRAM;

use crate::cli::Cli;
use crate::stdio::write_answer;

/// clap's function for bash finds no subcommand of a program with a dash in its name
/// (<https://github.com/clap-rs/clap/issues/6421>), so it is made for a name without one. The
/// second function is what git's own completion looks for; the variables are git's.
const BASH_NAME: &str = "gastown";
const BASH: &str = "
complete -r gastown
complete -F _gastown -o nosort -o bashdefault -o default git-credential-gastown 2>/dev/null ||
    complete -F _gastown -o bashdefault -o default git-credential-gastown
_git_credential_gastown() {
    compopt +o nospace 2>/dev/null
    _gastown credential-gastown \"${cur-}\" \"${prev-}\"
}
";

/// clap's script for fish offers no values for arguments without a flag. git's own completion in
/// fish 3.6.0 does not see that `git-x` on `PATH` is `git x`.
const FISH: &str = "
complete -c git-credential-gastown -n '__fish_seen_subcommand_from completions' -f \\
    -a 'bash elvish fish powershell zsh'
complete -c git -f -n '__fish_git_using_command credential-gastown' \\
    -a '(__fish_git_complete_custom_command credential-gastown)'
";

pub(super) fn run(shell: Shell) -> Result<(), Failure> {
    let (name, more) = match shell {
        Shell::Bash => (BASH_NAME, BASH),
        Shell::Fish => (PROGRAM, FISH),
        _ => (PROGRAM, ""),
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), name, &mut script);
    // `{n}` is a new line in clap's help, and means nothing to a shell.
    let script = String::from_utf8_lossy(&script).replace("{n}", " ") + more;
    write_answer(script.as_bytes())
}
