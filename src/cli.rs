//! The command line. The help text here is the reference text of every flag.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A git credential helper that always answers with a live token
///
/// git runs it by itself once it is configured:
///
///   git config --global credential.https://github.com.helper ''
///   git config --global --add credential.https://github.com.helper gastown
#[derive(Parser)]
#[command(name = "git-credential-gastown", version, disable_help_subcommand = true)]
#[command(verbatim_doc_comment)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub flags: Flags,
    #[command(subcommand)]
    pub operation: Operation,
}

impl Cli {
    /// The command line of this process. Usage errors go to stderr with exit code 2, help and
    /// version to stdout with 0.
    pub(crate) fn of_process() -> Self {
        let mut arguments = std::env::args_os().skip(1);
        let only = arguments.next().filter(|_| arguments.next().is_none());
        match only.as_deref().and_then(Self::plain) {
            Some(plain) => plain,
            None => Self::try_parse().unwrap_or_else(|usage| usage.exit()),
        }
    }

    /// What git runs on every command, without flags, is told at a glance: clap would first build
    /// all of its help, which takes as long as the answer.
    fn plain(operation: &OsStr) -> Option<Self> {
        let operation = match operation.to_str()? {
            "get" => Operation::Get,
            "store" => Operation::Store,
            "erase" => Operation::Erase,
            _ => return None,
        };
        Some(Self { flags: Flags::default(), operation })
    }
}

/// Settings that win over the environment and the config file. They may stand before or after the
/// operation, because git appends the operation to the configured helper line.
#[derive(Args, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// The worker's address: https, or http on loopback [env: GASTOWN_API_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub api_url: Option<String>,
    /// The town whose tokens to ask for [env: GASTOWN_TOWN_ID]
    #[arg(long, global = true, value_name = "ID")]
    pub town: Option<String>,
    /// The rig whose tokens to ask for; else the worktree that git runs in tells it
    /// [env: GASTOWN_RIG_ID]
    #[arg(long, global = true, value_name = "ID")]
    pub rig: Option<String>,
    /// Where the rigs' worktrees live [env: GASTOWN_WORKSPACE_ROOT] [default: /workspace/rigs]
    #[arg(long, global = true, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// A git host to answer for, instead of github.com and gist.github.com; may repeat
    /// [env: GASTOWN_GIT_HOSTS]
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    pub host: Vec<String>,
    /// Where tokens are cached [env: GASTOWN_CACHE_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// The config file [env: GASTOWN_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Without a token, stop git or let it try the next helper [env: GASTOWN_ON_FAILURE]
    /// [default: quit]
    #[arg(long, global = true, value_name = "WHAT")]
    pub on_failure: Option<OnFailure>,
    /// Tell each decision with its reason on stderr; never shows a secret [env: GASTOWN_TRACE]
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// What git is to do when there is no token for a host that is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnFailure {
    /// End the command: no prompt, no other helper
    Quit,
    /// Go on with the next helper, or a prompt
    Next,
}

#[derive(Subcommand)]
pub(crate) enum Operation {
    /// Answer git's request on stdin with a credential
    Get,
    /// Do nothing: what git stores was answered from here
    Store,
    /// Take note that a server refused a token
    Erase,
    /// Say what this helper understands beyond user name and password
    Capability,
    /// git's future operations are ignored in silence, as its documentation asks
    #[command(external_subcommand)]
    Unknown(#[expect(dead_code, reason = "named only to be ignored")] Vec<OsString>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_at_a_glance_is_what_clap_would_say() {
        for operation in ["get", "store", "erase"] {
            let plain = Cli::plain(OsStr::new(operation)).unwrap();
            let parsed = Cli::try_parse_from(["git-credential-gastown", operation]).unwrap();
            assert_eq!(plain.flags, parsed.flags, "{operation}");
            let which = |cli: &Cli| std::mem::discriminant(&cli.operation);
            assert_eq!(which(&plain), which(&parsed), "{operation}");
        }
        for operation in ["capability", "--help", "", "Get"] {
            assert!(Cli::plain(OsStr::new(operation)).is_none(), "{operation}");
        }
    }
}
