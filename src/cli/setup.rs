//! The command line of `setup`.

use std::path::PathBuf;

use clap::Args;

/// Make git ask this helper, and say what was written where
///
/// For each host that is served, git's configuration gets an empty helper line, which makes git
/// forget the helpers configured before it, and a line with the path of this program and the
/// settings that were given as flags. Everything else in the file stays. Running it again changes
/// nothing. The exit code is 1 if something could not be done; the rest is done, unless a flag is
/// wrong: then nothing is.
#[derive(Args)]
#[command(after_help = super::examples::SETUP)]
pub(crate) struct Setup {
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Also link `gh` in DIR to this program, so that gh gets a live token; DIR has to come before
    /// the real gh in PATH
    #[arg(long, value_name = "DIR", conflicts_with = "print_env")]
    pub gh_shim: Option<PathBuf>,
    /// Also take tokens out of URLs and remove `store` helpers in every repository, worktree and
    /// submodule below DIR, and in the repository that DIR is in
    #[arg(long, value_name = "DIR", conflicts_with = "print_env")]
    pub migrate: Option<PathBuf>,
    /// As root, also migrate repositories of users other than root and the caller of sudo
    #[arg(long, requires = "migrate")]
    pub any_owner: bool,
    /// Restore the file, and remove the link; without a file named, everywhere that setup wrote.
    /// With --migrate DIR, put removed helpers back instead; tokens taken out of URLs do not come
    /// back
    #[arg(long, conflicts_with = "print_env")]
    pub undo: bool,
    #[command(flatten)]
    pub target: Target,
}

/// Which of git's configuration files to write.
#[derive(Args)]
#[command(next_help_heading = "Where to write")]
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
    /// To this file, which has an effect only if git includes it
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// To no file: print variables for the shell to evaluate, for processes with other homes
    #[arg(long)]
    pub print_env: bool,
}

impl Target {
    pub(crate) fn is_named(&self) -> bool {
        self.system || self.global || self.local || self.file.is_some()
    }
}
