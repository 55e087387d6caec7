//! What git reads in a repository, and what is to be done about each line: tokens in URLs, which
//! git uses without asking any helper, and `store` helpers, which hand out stale tokens. Takes
//! nothing away unless git will ask this helper instead.

use std::path::Path;

use anyhow::Result;
use git_credential_gastown::git_config::{Line, concerns, helpers_on};
use git_credential_gastown::helper_line::{Kind, kind, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{Embedded, credential_in};

use super::git_file::GitFile;
use super::lines::is_ours;
use super::target::{Scope, Target};
use super::{Report, Setup};
use crate::git::Repository as GitDirectory;

pub(super) struct Repository {
    /// `.git`, or the directory of one worktree in it.
    pub directory: GitDirectory,
    /// Its configuration files, as far as they are there, each with the name that git has for it.
    pub files: Vec<(GitFile, &'static str)>,
}

/// What is done to one line.
#[derive(PartialEq, Eq)]
pub(super) enum Fix {
    /// The URL without its token.
    ClearUrl {
        key: String,
        cleared: String,
    },
    RemoveHelper {
        key: String,
        value: String,
    },
}

/// What is in effect in a repository, or outside of all.
pub(super) struct View<'a> {
    pub setup: &'a Setup<'a>,
    repository: Option<&'a Repository>,
    lines: Vec<Line>,
    /// In a dry run: git would ask this helper after setup.
    will_ask: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(
        setup: &'a Setup<'_>,
        target: &Target,
        repository: Option<&'a Repository>,
    ) -> Result<Self> {
        let mut lines = setup.git.lines_for(repository.map(|it| &it.directory))?;
        if matches!(target.scope, Scope::System) {
            // For every user: the configuration of this one does not count.
            lines.retain(|line| !["global", "command"].contains(&line.scope.as_str()));
        }
        let will_ask = setup.options.dry_run && !matches!(target.scope, Scope::File);
        Ok(View { setup, repository, lines, will_ask })
    }

    /// What to fix among the lines of a file, and what cannot be fixed.
    pub(super) fn plan(&self, file: &Path, lines: &[Line]) -> (Vec<Fix>, Vec<String>) {
        let (mut fixes, mut problems) = (Vec::new(), Vec::new());
        let edit = format!("run: git config --file {} --edit", word(&file.to_string_lossy()));
        for line in lines {
            match self.judge(line, &edit) {
                Some(Ok(fix)) => fixes.push(fix),
                Some(Err(problem)) => problems.push(problem),
                None => {}
            }
        }
        (fixes, problems)
    }

    fn judge(&self, line: &Line, edit: &str) -> Option<Result<Fix, String>> {
        let (key, value) = (line.key.clone(), line.value.clone());
        let is_text = !key.contains('\u{fffd}') && !value.contains('\u{fffd}');
        if let Some(key) = self.token_in_key(line) {
            return Some(Err(format!("{key} carries a token in its name; {edit}")));
        }
        if let Some((Embedded { cleared, .. }, host)) = self.token_in_value(line) {
            return Some(match self.not_asked(&host, Some(&cleared)) {
                _ if !is_text => {
                    Err(format!("{key} carries a token, in a URL that is not UTF-8; {edit}"))
                }
                Some(why) => Err(format!("{key} carries a token, which stays: {why}")),
                None => Ok(Fix::ClearUrl { key, cleared }),
            });
        }
        self.is_stale_helper(line).then(|| {
            match self.hosts_of(line).find_map(|host| self.not_asked(host, None)) {
                _ if !is_text => Err(format!("{key} is not UTF-8; {edit}")),
                Some(why) => Err(format!("{key} = {value} stays: {why}")),
                None => Ok(Fix::RemoveHelper { key, value }),
            }
        })
    }

    /// A token for a host that this helper serves. Others stay: they may be the only credential.
    fn token_in_value(&self, line: &Line) -> Option<(Embedded, Host)> {
        // The value of a rewriting rule is what it looks for, and a proxy is no git host.
        let is_url = !["url", "http"].contains(&line.section());
        let embedded = is_url.then(|| credential(self.setup, &line.value))??;
        let host = embedded
            .host
            .clone()
            .filter(|host| self.setup.context.settings.hosts.contains(host))?;
        Some((embedded, host))
    }

    /// A token in a key, as in `url.https://user:token@host/.insteadOf`. Returns the key without
    /// it.
    /// `git config` could only change it with the token among its arguments.
    fn token_in_key(&self, line: &Line) -> Option<String> {
        let embedded = credential(self.setup, line.subsection()?)?;
        embedded.host.as_ref().filter(|host| self.setup.context.settings.hosts.contains(host))?;
        Some(format!("{}.{}.{}", line.section(), embedded.cleared, line.variable()))
    }

    /// The hosts of ours that a helper is asked for, or for a part of them.
    fn hosts_of(&self, line: &Line) -> impl Iterator<Item = &'a Host> {
        let is_for = |host: &&Host| line.subsection().is_none_or(|part| concerns(part, host));
        self.setup.context.settings.hosts.iter().filter(is_for)
    }

    fn is_stale_helper(&self, line: &Line) -> bool {
        let is_store = line.is_helper() && kind(&line.value) == Kind::Store;
        is_store && self.hosts_of(line).next().is_some()
    }

    /// The file that a line is in, if it can be changed here.
    fn own_file(&self, line: &Line) -> Option<&GitFile> {
        let name = line.origin.strip_prefix("file:")?;
        let mut files = self.repository?.files.iter();
        files.find_map(|(file, origin)| (*origin == name).then_some(file))
    }

    /// For messages.
    fn file_of(&self, line: &Line) -> String {
        let base = self.repository.map_or(Path::new("/"), |it| &it.directory.own().path);
        let file = base.join(line.origin.strip_prefix("file:").unwrap_or(&line.origin));
        file.to_string_lossy().into_owned()
    }

    fn is_own(&self, line: &Line) -> bool {
        self.own_file(line).is_some()
    }

    /// Why git would not ask this helper for a host, or a URL on it, once the stale helpers of
    /// the repository are gone.
    fn not_asked(&self, host: &Host, url: Option<&str>) -> Option<String> {
        let staying = || self.lines.iter().filter(|line| !self.is_to_remove(line));
        let path = url.map(|url| url.strip_prefix(&host.to_string()).unwrap_or("/"));
        let first = helpers_on(staying(), host, path).first().copied();
        if self.will_ask || first.is_some_and(is_ours) {
            return None;
        }
        let why = first.map_or_else(
            || format!("git would not ask this helper for {host}"),
            |line| format!("git asks another helper, of {}, for {host} first", self.file_of(line)),
        );
        // What the repository says itself goes before what the user or the system says.
        let own = staying().filter(|line| line.is_helper()).find_map(|line| self.own_file(line));
        let place = own.map(|file| format!(" --file {}", word(&file.path().to_string_lossy())));
        Some(format!("{why}; run: git credential-gastown setup{}", place.unwrap_or_default()))
    }

    /// A stale helper, or an empty line whose other helpers are all stale.
    fn is_to_remove(&self, line: &Line) -> bool {
        if !line.is_helper() || !self.is_own(line) || !line.value.is_empty() {
            return self.is_own(line) && self.is_stale_helper(line);
        }
        let is_beside = |other: &&Line| {
            (&other.key, &other.origin) == (&line.key, &line.origin) && !other.value.is_empty()
        };
        let mut beside = self.lines.iter().filter(is_beside).peekable();
        beside.peek().is_some() && beside.all(|other| self.is_stale_helper(other))
    }

    /// Reports what git reads here from files outside the repository, which are not changed.
    pub(super) fn report_elsewhere(&self, report: &mut Report) {
        for line in self.lines.iter().filter(|line| !self.is_own(line)) {
            let value = || self.token_in_value(line).map(|_| line.key.clone());
            let is_included = ["local", "worktree"].contains(&line.scope.as_str());
            let what = match self.token_in_key(line).or_else(value) {
                Some(key) => format!("{key} carries a token"),
                None if is_included && self.is_stale_helper(line) => {
                    format!("{} = {} is asked", line.key, line.value)
                }
                None => continue,
            };
            if line.scope == "command" {
                report.fail(format_args!("the environment: {what}; run: unset GIT_CONFIG_COUNT"));
                continue;
            }
            let file = self.file_of(line);
            let edit = format!("git config --file {} --edit", word(&file));
            report.fail(format_args!("`{file}`: {what}; run: {edit}"));
        }
    }
}

/// Finds a credential in a URL, and masks it in all messages from here on.
pub(super) fn credential(setup: &Setup<'_>, url: &str) -> Option<Embedded> {
    let embedded = credential_in(url)?;
    embedded.secrets.iter().for_each(|secret| setup.context.messages.remember(secret));
    Some(embedded)
}
