//! Which file of git's setup writes to, and which lines are then in effect for those who read it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;

use super::Setup;
use super::git_file::GitFile;
use crate::git::{QUICK, setup_failed};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    System,
    Global,
    /// The repository in the working directory.
    Local,
    /// This file alone, with what it includes.
    File,
}

pub(super) struct Target {
    pub file: GitFile,
    pub scope: Scope,
    /// How to name it on a command line, in whatever directory.
    pub flag: String,
}

impl Target {
    /// The one that the command line names.
    pub(super) fn of(setup: &Setup<'_>) -> Result<Self> {
        let options = &setup.options.target;
        let (path, scope) = match &options.file {
            Some(file) => (file.clone(), Scope::File),
            None if options.system => (system_file(setup)?, Scope::System),
            None if options.local => (local_file(setup)?, Scope::Local),
            None => (global_file(setup)?, Scope::Global),
        };
        let file = GitFile::open(&setup.surroundings.absolute(&path))?;
        let flag = match scope {
            Scope::System => "--system".to_owned(),
            Scope::Global => "--global".to_owned(),
            Scope::Local | Scope::File => format!("--file {}", file.word()),
        };
        Ok(Self { file, scope, flag })
    }

    pub(super) fn lines_in_effect(&self, setup: &Setup<'_>) -> Result<Vec<Line>> {
        let git = &setup.git;
        let (mut lines, scopes): (_, &[&str]) = match self.scope {
            Scope::File if self.file.bytes()?.is_none() => return Ok(Vec::new()),
            Scope::File => return Ok(git.lines_with_includes(&self.file.path())?),
            Scope::System => (git.lines_for(None)?, &["system"]),
            Scope::Global => (git.lines_for(None)?, &["system", "global"]),
            Scope::Local => (git.lines_here(QUICK)?, &["system", "global", "local"]),
        };
        lines.retain(|line| scopes.contains(&line.scope.as_str()));
        Ok(lines)
    }
}

/// Only git knows where it was built to look, and tells its editor.
fn system_file(setup: &Setup<'_>) -> Result<PathBuf, Failure> {
    let what = "git does not tell where its system configuration is";
    told(setup, &["config", "--system", "--edit"], what, "name the file: --file /etc/gitconfig")
}

fn local_file(setup: &Setup<'_>) -> Result<PathBuf, Failure> {
    let what = "--local needs a repository in the working directory";
    let advice = "run it inside one, or use --global";
    told(setup, &["rev-parse", "--git-path", "config"], what, advice)
}

fn global_file(setup: &Setup<'_>) -> Result<PathBuf, Failure> {
    let lack = || setup_failed("HOME is unset", "set it, or name a file with --file");
    setup.surroundings.global_git_config.clone().ok_or_else(lack)
}

/// The path that git prints.
fn told(setup: &Setup<'_>, words: &[&str], what: &str, advice: &str) -> Result<PathBuf, Failure> {
    let said = setup.git.run(words)?;
    let path = said.stdout.strip_suffix(b"\n").unwrap_or(&said.stdout);
    if said.succeeded && !path.is_empty() {
        return Ok(OsStr::from_bytes(path).into());
    }
    Err(setup_failed(format!("{what}: {}", said.complaint()), advice))
}

/// Fails if the file includes a pipe or the like, at which git would wait until its time is up.
pub(super) fn check_includes(setup: &Setup<'_>, file: &GitFile) -> Result<()> {
    let mut waiting = vec![(file.path(), file.lines(&setup.git)?)];
    let mut seen = Vec::new();
    while let Some((path, lines)) = waiting.pop() {
        let is_include = |line: &&Line| line.is("include", "path") || line.is("includeif", "path");
        for line in lines.iter().filter(is_include) {
            let Some(included) = included(setup, &path, &line.value) else { continue };
            if included.exists() && !included.is_file() && included != Path::new("/dev/null") {
                let what = format!("{path:?} includes {included:?}, which is not a regular file");
                let path = word(&path.to_string_lossy());
                let advice = format!("to take that line out, run: git config --file {path} --edit");
                return Err(setup_failed(what, &advice).into());
            }
            // git itself reports a file that it cannot read.
            if let Ok(file) = GitFile::open(&included)
                && !seen.contains(&file.path())
                && let Ok(lines) = file.lines(&setup.git)
            {
                seen.push(file.path());
                waiting.push((included, lines));
            }
        }
    }
    Ok(())
}

/// Relative to the home directory or to the including file, as in git.
fn included(setup: &Setup<'_>, file: &Path, value: &str) -> Option<PathBuf> {
    match value.strip_prefix("~/") {
        Some(rest) => Some(setup.surroundings.home.as_ref()?.join(rest)),
        None => Some(file.parent()?.join(value)),
    }
}
