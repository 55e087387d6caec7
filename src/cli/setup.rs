//! The command line of `setup`.

use std::path::PathBuf;

use clap::Args;

/// Have git ask this helper, and say what was written where
///
/// For each host (--host, else the allow-list) git gets an empty helper line, which makes it forget
/// helpers that it would otherwise ask first, and this program's path with the settings given as
/// flags, such as --api-url or --town. Everything else in the file stays. Doing it again changes
/// nothing.
#[derive(Args)]
pub(crate) struct Setup {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Also make a link `gh` to this program in DIR, so that gh gets a fresh token; DIR has to come
    /// before the real gh in PATH
    #[arg(long, value_name = "DIR", conflicts_with = "print_env")]
    pub gh_shim: Option<PathBuf>,
    /// Also take the tokens out of URLs and remove `store` helpers in every repository, worktree
    /// and submodule below DIR, and in the repository that DIR lies in
    #[arg(long, value_name = "DIR", conflicts_with = "print_env")]
    pub migrate: Option<PathBuf>,
    /// As root, also migrate repositories of other users
    #[arg(long, requires = "migrate")]
    pub any_owner: bool,
    /// Make the file what it was before, and remove the link; without a place named, everywhere
    /// that setup wrote to. With --migrate DIR, put back the helpers that were removed there
    /// instead; tokens taken out of URLs do not come back
    #[arg(long, conflicts_with = "print_env")]
    pub undo: bool,
    #[command(flatten)]
    pub target: Target,
}

/// Where git keeps the configuration.
#[derive(Args)]
#[command(next_help_heading = "Where git keeps it")]
#[group(multiple = false)]
pub(crate) struct Target {
    /// For every user of the machine
    #[arg(long)]
    pub system: bool,
    /// For this user [default]
    #[arg(long)]
    pub global: bool,
    /// For the repository in the working directory
    #[arg(long)]
    pub local: bool,
    /// In this file, which has an effect only if git includes it
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write nothing; print what the shell has to evaluate instead, for agents with other homes
    #[arg(long)]
    pub print_env: bool,
}

impl Target {
    pub(crate) fn is_named(&self) -> bool {
        self.system || self.global || self.local || self.file.is_some()
    }
}
