//! The flags of every command: settings that win over the environment and the config files.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, Parser as _, ValueEnum, ValueHint};
use git_credential_gastown::helper_line::PROGRAM;

use super::Cli;

/// Settings that win over the environment and the config file. They may stand before or after the
/// operation, because git appends the operation to the configured helper line.
///
/// The names in brackets are those of `config/key.rs`; `examples/reference` compares them.
#[derive(Args, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Settings of every command")]
pub(crate) struct Flags {
    /// The worker's address: https, or http on loopback{n}[env: GASTOWN_API_URL]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub api_url: Option<String>,
    /// The id of the town{n}[env: GASTOWN_TOWN_ID]
    #[arg(long, global = true, value_name = "ID")]
    pub town: Option<String>,
    /// The id of the rig, the repository to push to{n}[env: GASTOWN_RIG_ID]
    #[arg(long, global = true, value_name = "ID")]
    pub rig: Option<String>,
    /// The workspace, where the rigs' worktrees are{n}[env: GASTOWN_WORKSPACE_ROOT]
    /// [default: /workspace/rigs]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub workspace: Option<PathBuf>,
    /// A git host to answer for; may repeat{n}[env: GASTOWN_GIT_HOSTS]
    /// [default: github.com, gist.github.com]
    #[arg(long, global = true, value_name = "HOST[:PORT]", value_hint = ValueHint::Hostname)]
    pub host: Vec<String>,
    /// Where tokens are cached, an absolute path{n}[env: GASTOWN_CACHE_DIR]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
    /// The config file{n}[env: GASTOWN_CONFIG] [default: ~/.config/gastown/config.json]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Without a token, end git's command, or let git go on{n}[env: GASTOWN_ON_FAILURE]
    /// [default: quit]
    #[arg(long, global = true, value_name = "WHAT")]
    pub on_failure: Option<OnFailure>,
    /// Print each decision to stderr, but never a secret{n}[env: GASTOWN_TRACE]
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl Flags {
    /// Each by its name, in the order of a helper line. `--host` may repeat, and has no value here.
    pub(crate) fn named(&self) -> [(&'static str, Option<&OsStr>); 8] {
        [
            ("--api-url", self.api_url.as_ref().map(OsStr::new)),
            ("--town", self.town.as_ref().map(OsStr::new)),
            ("--rig", self.rig.as_ref().map(OsStr::new)),
            ("--workspace", self.workspace.as_ref().map(OsStr::new)),
            ("--host", None),
            ("--cache-dir", self.cache_dir.as_ref().map(OsStr::new)),
            ("--config", self.config.as_ref().map(OsStr::new)),
            ("--on-failure", self.on_failure.map(|what| OsStr::new(what.as_str()))),
        ]
    }

    pub(crate) fn value(&self, flag: &str) -> Option<OsString> {
        self.named().into_iter().find(|(name, _)| *name == flag)?.1.map(OsStr::to_owned)
    }

    /// Those that stand in a line of git's configuration after this program's name.
    pub(crate) fn of_helper_line(words: &[String]) -> Option<Self> {
        let words = words.iter().map(String::as_str);
        let cli = Cli::try_parse_from([PROGRAM].into_iter().chain(words).chain(["get"]));
        cli.ok().map(|cli| cli.flags)
    }
}

/// What git does when there is no token for a host that is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnFailure {
    /// End git's command: no prompt, no other helper
    Quit,
    /// Let git ask the next helper, or prompt
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
