//! What setting up and diagnosing need to know of the process's surroundings, and answering git
//! does not: where programs and configuration lie, and how this one was called.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use git_credential_gastown::helper_line::{COMMAND, PROGRAM, quoted};
use git_credential_gastown::token::Secret;

use super::sources::{user_directories, user_directory};
use crate::program::find_all;

/// Where programs look for a token.
pub(crate) const TOKEN_VARIABLES: [&str; 5] =
    ["GH_TOKEN", "GITHUB_TOKEN", "GIT_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// The directories of `PATH`, without those that depend on where a program runs: what lies in
    /// the current one is whoever's.
    pub search_path: Vec<PathBuf>,
    pub home: Option<PathBuf>,
    /// Where git keeps the user's configuration.
    pub global_git_config: Option<PathBuf>,
    /// Where setup notes how to undo itself.
    pub notes: Option<PathBuf>,
    /// The variables that hold tokens, with what they hold.
    pub tokens: Vec<(&'static str, Secret)>,
}

impl Surroundings {
    pub(crate) fn from_process() -> Self {
        let variable = |name: &str| std::env::var_os(name);
        let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME");
        let user = user_directories();
        let named = variable("XDG_CONFIG_HOME");
        let config = user_directory(user.as_ref(), |user| Some(user.config_dir()), named);
        let search_path = variable("PATH").unwrap_or_default();
        let search_path = std::env::split_paths(&search_path);
        let token = |name: &'static str| {
            let value = variable(name)?.into_string().ok()?;
            Some((name, Secret::parse(value.trim_ascii().as_bytes())?))
        };
        Self {
            search_path: search_path.filter(|directory| directory.is_absolute()).collect(),
            // If it is empty, git reads no file of the user's.
            global_git_config: match variable("GIT_CONFIG_GLOBAL") {
                Some(_) => path("GIT_CONFIG_GLOBAL"),
                None => {
                    home.as_deref().and_then(|it| usual_git_config(it, path("XDG_CONFIG_HOME")))
                }
            },
            notes: config.map(|directory| directory.join("gastown/setup")),
            tokens: TOKEN_VARIABLES.into_iter().filter_map(token).collect(),
            home,
        }
    }

    /// This program's path for git's configuration: as on `PATH` or as called, links kept, so that
    /// it survives an upgrade.
    pub(crate) fn program(&self) -> Option<PathBuf> {
        let called_as = std::env::args_os().next()?;
        self.stable_path(Path::new(&called_as), std::env::current_exe().ok())
    }

    fn stable_path(&self, called_as: &Path, executable: Option<PathBuf>) -> Option<PathBuf> {
        let is_known = executable.is_some();
        let by_path = Some(called_as).filter(|called| called.components().count() > 1);
        // That name is for gh's own commands.
        let by_path = by_path.filter(|called| !called.ends_with("gh"));
        let by_path = by_path.map(|called| self.absolute(called));
        // Without /proc the kernel does not tell; then it is the one that was called.
        let by_name = || self.find(called_as.to_str()?);
        let executable = executable.or_else(|| by_path.clone()).or_else(by_name)?;
        let identity = executable.canonicalize().ok()?;
        let is_this = |path: &PathBuf| path.canonicalize().is_ok_and(|found| found == identity);
        let mut on_path = self.search_path.iter().map(|directory| directory.join(PROGRAM));
        let found = on_path.find(is_this).or_else(|| by_path.filter(is_this));
        let is_named_so = |path: &PathBuf| path.ends_with(PROGRAM) || is_known;
        found.or(Some(executable)).filter(is_named_so)
    }

    /// How to call this program in a shell here: by its path where its name does not lead to it.
    pub(crate) fn command(&self) -> String {
        let Some(own) = self.program() else { return COMMAND.to_owned() };
        let first = self.find(PROGRAM).and_then(|first| first.canonicalize().ok());
        let is_found = first.is_some() && first == own.canonicalize().ok();
        match quoted(&own.to_string_lossy()) {
            Some(path) if !is_found || self.find("git").is_none() => path,
            _ => COMMAND.to_owned(),
        }
    }

    /// The program of that name that comes first on `PATH`, by its absolute path.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        find_all(OsStr::new(name), &self.search_path).into_iter().next()
    }

    /// The variables that hold a snapshot of an installation token, dead within the hour.
    pub(crate) fn installation_tokens(&self) -> impl Iterator<Item = &'static str> {
        let tokens = self.tokens.iter().filter(|(_, token)| token.is_installation_token());
        tokens.map(|(name, _)| *name)
    }

    /// As seen from the working directory; links stay as they are.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    }
}

/// A variable of the environment; empty counts as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    let text = std::env::var_os(name)?.to_string_lossy().into_owned();
    Some(text).filter(|text| !text.is_empty())
}

/// git's own rule: the second place counts only where the first has no file.
fn usual_git_config(home: &Path, xdg: Option<PathBuf>) -> Option<PathBuf> {
    let first = home.join(".gitconfig");
    let second = xdg.unwrap_or_else(|| home.join(".config")).join("git/config");
    Some(if !first.exists() && second.exists() { second } else { first })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// The program's path as setup would write it, if it is called by this name.
    fn found(path: &str, called_as: &Path, executable: Option<&Path>) -> Option<PathBuf> {
        let search_path = std::env::split_paths(path).collect();
        let surroundings = Surroundings { search_path, ..Surroundings::default() };
        surroundings.stable_path(called_as, executable.map(Path::to_owned))
    }

    #[test]
    fn the_path_to_write_down_is_the_stable_one() {
        let directory = tempfile::tempdir().unwrap();
        let (bin, opt) = (directory.path().join("bin"), directory.path().join("opt-1.2.3"));
        [&bin, &opt].iter().for_each(|directory| fs::create_dir(directory).unwrap());
        let (linked, versioned) = (bin.join(PROGRAM), opt.join(PROGRAM));
        fs::write(&versioned, "").unwrap();
        symlink(&versioned, &linked).unwrap();
        let path = bin.display().to_string();
        assert_eq!(found(&path, &versioned, Some(&versioned)).as_ref(), Some(&linked));
        assert_eq!(found("", &linked, Some(&versioned)).as_ref(), Some(&linked));
        assert_eq!(found("", Path::new(PROGRAM), Some(&versioned)).as_ref(), Some(&versioned));
        // Without /proc only the name that it is called by is known.
        assert_eq!(found("", &versioned, None).as_ref(), Some(&versioned));
        fs::set_permissions(&versioned, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(found(&path, Path::new(PROGRAM), None).as_ref(), Some(&linked));
        assert_eq!(found("", Path::new(PROGRAM), None), None);
        assert_eq!(found("/usr/bin:/bin", Path::new("/bin/sh"), None), None);
    }
}
