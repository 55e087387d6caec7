//! The command line of `doctor`.

use clap::Args;

/// Check every link between git and a token, with the command that fixes it; safe to paste
///
/// Run it in the repository whose push fails: it asks the server whether this repository could be
/// fetched and pushed. The exit code is 1 if something fails.
#[derive(Args)]
pub(crate) struct Doctor {
    /// One JSON object instead of lines
    #[arg(long)]
    pub json: bool,
    /// Ask neither the worker nor a git server
    #[arg(long)]
    pub offline: bool,
}
