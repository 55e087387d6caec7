//! The command line of `doctor`.

use clap::Args;

/// Check every link between git and a token, with the command that mends it; safe to paste
///
/// Run it in the repository whose push fails. The exit code is 1 if a push would fail.
#[derive(Args)]
pub(crate) struct Doctor {
    /// One JSON object instead of lines
    #[arg(long)]
    pub json: bool,
    /// Ask neither the worker nor a git server
    #[arg(long)]
    pub offline: bool,
    /// Also list the branches of a real remote
    #[arg(long, value_name = "URL", conflicts_with = "offline")]
    pub online: Option<String>,
}
