//! The flags of every command: settings that win over the environment and the config files.

use std::path::PathBuf;

use clap::{Args, Parser as _, ValueEnum, ValueHint};
use git_credential_gastown::helper_line::PROGRAM;

use super::Cli;

/// Settings that win over the environment and the config file. They may stand before or after the
/// operation, because git appends the operation to the configured helper line.
#[derive(Args, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Flags {
    /// The worker's address: https, or http on loopback [env: GASTOWN_API_URL]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub api_url: Option<String>,
    /// The town whose tokens to ask for [env: GASTOWN_TOWN_ID]
    #[arg(long, global = true, value_name = "ID")]
    pub town: Option<String>,
    /// The rig whose tokens to ask for; else the worktree that git runs in tells it
    /// [env: GASTOWN_RIG_ID]
    #[arg(long, global = true, value_name = "ID")]
    pub rig: Option<String>,
    /// Where the rigs' worktrees live [env: GASTOWN_WORKSPACE_ROOT] [default: /workspace/rigs]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub workspace: Option<PathBuf>,
    /// A git host to answer for, instead of github.com and gist.github.com; may repeat
    /// [env: GASTOWN_GIT_HOSTS]
    #[arg(long, global = true, value_name = "HOST[:PORT]", value_hint = ValueHint::Hostname)]
    pub host: Vec<String>,
    /// Where tokens are cached [env: GASTOWN_CACHE_DIR]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
    /// The config file [env: GASTOWN_CONFIG]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Without a token, stop git or let it try the next helper [env: GASTOWN_ON_FAILURE]
    /// [default: quit]
    #[arg(long, global = true, value_name = "WHAT")]
    pub on_failure: Option<OnFailure>,
    /// Tell each decision with its reason on stderr; never shows a secret [env: GASTOWN_TRACE]
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl Flags {
    /// Those that stand in a line of git's configuration after this program's name.
    pub(crate) fn of_helper_line(words: &[String]) -> Option<Self> {
        let words = words.iter().map(String::as_str);
        let cli = Cli::try_parse_from([PROGRAM].into_iter().chain(words).chain(["get"]));
        cli.ok().map(|cli| cli.flags)
    }
}

/// What git is to do when there is no token for a host that is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnFailure {
    /// End the command: no prompt, no other helper
    Quit,
    /// Go on with the next helper, or a prompt
    Next,
}

impl OnFailure {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Next => "next",
        }
    }
}
