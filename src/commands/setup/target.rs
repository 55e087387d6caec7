//! Which file is written to, and which lines of git's configuration are already in effect for
//! whoever reads that file.

use std::path::{Path, PathBuf};

use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::Line;

use super::{Bench, failure};

/// A configuration file, where links to it lead.
pub(super) struct Place {
    pub file: PathBuf,
    /// The scopes whose lines are in effect for all whom this file is for; `None`: this file with
    /// what it includes.
    scopes: Option<&'static [&'static str]>,
}

impl Place {
    /// The place that the command line names.
    pub(super) fn of(bench: &Bench<'_>) -> Result<Self, Failure> {
        let target = &bench.options.target;
        if let Some(file) = &target.file {
            let file = resolved(&bench.surroundings.absolute(file));
            return Ok(Self { file, scopes: None });
        }
        let (file, scopes): (_, &[&str]) = if target.system {
            (system_file(bench)?, &["system"])
        } else if target.local {
            (local_file(bench)?, &["system", "global", "local"])
        } else {
            (global_file(bench)?, &["system", "global"])
        };
        Ok(Self { file: resolved(&file), scopes: Some(scopes) })
    }

    pub(super) fn lines_in_effect(&self, bench: &Bench<'_>) -> Result<Vec<Line>, Failure> {
        let Some(scopes) = self.scopes else { return bench.git.lines_of(&self.file, true) };
        let mut lines = bench.git.effective_lines()?;
        lines.retain(|line| scopes.contains(&line.scope.as_str()));
        Ok(lines)
    }
}

/// Renaming a file over a link would part the link from its file.
fn resolved(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}

/// Only git knows where it was built to look, and tells its editor.
fn system_file(bench: &Bench<'_>) -> Result<PathBuf, Failure> {
    let told = bench.git.run(&["config", "--system", "--edit"])?;
    let file = PathBuf::from(String::from_utf8_lossy(&told.stdout).into_owned());
    if told.succeeded && file.is_absolute() {
        return Ok(file);
    }
    let what = format!("git does not tell where its system configuration is: {}", told.complaint());
    Err(failure(what, "name the file with --file, as /etc/gitconfig"))
}

fn global_file(bench: &Bench<'_>) -> Result<PathBuf, Failure> {
    let lack = || failure("HOME is unset".to_owned(), "set it, or name a file with --file");
    bench.surroundings.global_git_config.clone().ok_or_else(lack)
}

fn local_file(bench: &Bench<'_>) -> Result<PathBuf, Failure> {
    let told = bench.git.run(&["rev-parse", "--git-path", "config"])?;
    if told.succeeded {
        let path = String::from_utf8_lossy(&told.stdout);
        return Ok(bench.surroundings.absolute(Path::new(path.trim_end_matches('\n'))));
    }
    let what = format!("--local needs a repository in the working directory: {}", told.complaint());
    Err(failure(what, "run it inside one, or use --global"))
}
