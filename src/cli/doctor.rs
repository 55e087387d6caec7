//! The command line of `doctor`.

use clap::Args;

/// Check each step from git to a token, and name the command that fixes it
///
/// Run it in the repository whose push fails: it asks the server whether this repository could be
/// fetched and pushed. The output holds no secret. The exit code is 1 if something fails.
#[derive(Args)]
#[command(after_help = super::examples::DOCTOR)]
pub(crate) struct Doctor {
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
    /// Ask neither the worker nor a git server
    #[arg(long)]
    pub offline: bool,
}
