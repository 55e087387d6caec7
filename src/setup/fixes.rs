//! What git reads in a repository, and what is to be done about each line: tokens in URLs, which
//! git uses without asking any helper, and `store` helpers, which keep and hand out stale tokens.
//! Takes nothing away unless git will ask this helper instead, and never shows a token, not even
//! to git on a command line.

use std::path::Path;

use anyhow::Result;
use git_credential_gastown::git_config::{Line, concerns, helpers_on};
use git_credential_gastown::helper_line::{Kind, command, kind, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{Embedded, credential_in};

use super::git_file::{GitFile, WorkingCopy};
use super::lines::values;
use super::repositories::Repository;
use super::{Report, Setup};

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
    pub lines: Vec<Line>,
    pub repository: Option<&'a Repository>,
    /// In a dry run: git would ask this helper after setup.
    pub will_ask: bool,
}

impl View<'_> {
    /// Whether a line is in a file that can be changed here.
    fn is_own(&self, line: &Line) -> bool {
        let files = self.repository.iter().flat_map(|repository| &repository.files);
        let origin = line.origin.strip_prefix("file:").map(Path::new);
        let is_it =
            |file: &GitFile| origin == Some(Path::new(&file.name)) || origin == Some(&file.path());
        files.into_iter().any(is_it)
    }

    /// Where a line comes from.
    fn file_of(&self, line: &Line) -> String {
        let base = self.repository.map_or(Path::new("/"), |it| &it.directory.path);
        let file = line.origin.strip_prefix("file:").unwrap_or(&line.origin);
        base.join(file).to_string_lossy().into_owned()
    }

    /// What to fix in a file, and what cannot be fixed.
    pub(super) fn plan(&self, file: &GitFile, lines: &[Line]) -> (Vec<Fix>, Vec<String>) {
        let shown = file.path();
        let edit = format!("git config --file {} --edit", word(&shown.to_string_lossy()));
        let (mut fixes, mut problems) = (Vec::new(), Vec::new());
        for line in lines {
            let is_text = !line.key.contains('\u{fffd}') && !line.value.contains('\u{fffd}');
            if let Some(place) = self.token_in_key(line) {
                problems
                    .push(format!("{shown:?}: {place} carries a token in its name; run: {edit}"));
            } else if let Some((embedded, host)) = self.token_in_value(line) {
                let (key, cleared) = (line.key.clone(), embedded.cleared);
                if !is_text {
                    let why = "carries a token, in a URL that is not UTF-8";
                    problems.push(format!("{shown:?}: {key} {why}; run: {edit}"));
                } else if let Some(why) = self.not_asked(&host, Some(&cleared)) {
                    problems.push(format!("{shown:?}: {key} carries a token, which stays: {why}"));
                } else {
                    fixes.push(Fix::ClearUrl { key, cleared });
                }
            } else if self.is_stale_helper(line) {
                let (key, value) = (line.key.clone(), line.value.clone());
                if !is_text {
                    problems.push(format!("{shown:?}: {key} is not UTF-8; run: {edit}"));
                } else if let Some(why) =
                    self.hosts_of(line).find_map(|host| self.not_asked(host, None))
                {
                    problems.push(format!("{shown:?}: {key} = {value} stays: {why}"));
                } else {
                    fixes.push(Fix::RemoveHelper { key, value });
                }
            }
        }
        (fixes, problems)
    }

    /// A token for a host that this helper serves. Others stay: they may be the only credential.
    fn token_in_value(&self, line: &Line) -> Option<(Embedded, Host)> {
        // The value of a rewriting rule is what it looks for, and a proxy is no git host.
        let is_url = !["url", "http"].contains(&line.section());
        let embedded = is_url.then(|| credential(self.setup, &line.value))??;
        let host = embedded.host.clone().filter(|host| self.setup.hosts.contains(host))?;
        Some((embedded, host))
    }

    /// A token in a key, as in `url.https://user:token@host/.insteadOf`. Returns the key without it.
    /// `git config` could only change it with the token among its arguments.
    fn token_in_key(&self, line: &Line) -> Option<String> {
        let embedded = credential(self.setup, line.subsection()?)?;
        embedded.host.as_ref().filter(|host| self.setup.hosts.contains(host))?;
        Some(format!("{}.{}.{}", line.section(), embedded.cleared, line.variable()))
    }

    /// The hosts of ours that a helper is asked for, or for a part of them.
    fn hosts_of(&self, line: &Line) -> impl Iterator<Item = &Host> {
        let is_for = |host: &&Host| line.subsection().is_none_or(|part| concerns(part, host));
        self.setup.hosts.iter().filter(is_for)
    }

    fn is_stale_helper(&self, line: &Line) -> bool {
        let is_store = line.is_helper() && kind(&line.value) == Kind::Store;
        is_store && self.hosts_of(line).next().is_some()
    }

    /// Why git would not ask this helper for a host, or a URL on it, once the stale helpers of
    /// the repository are gone.
    fn not_asked(&self, host: &Host, url: Option<&str>) -> Option<String> {
        if self.will_ask {
            return None;
        }
        // With the last helper of a key, its empty lines are removed too.
        let goes = |line: &Line| {
            let is_left = |other: &&Line| {
                other.key == line.key && self.is_own(other) && !other.value.is_empty()
            };
            let is_last =
                || self.lines.iter().filter(is_left).all(|other| self.is_stale_helper(other));
            self.is_stale_helper(line) || (line.value.is_empty() && is_last())
        };
        let stays = |line: &&Line| !(line.is_helper() && self.is_own(line) && goes(line));
        let path = url.map(|url| url.strip_prefix(&host.to_string()).unwrap_or("/"));
        let chain = helpers_on(self.lines.iter().filter(stays), host, path);
        let program = self.setup.own_command();
        match chain.first() {
            Some(line) if kind(&line.value) == Kind::Ours => None,
            Some(line) => Some(format!(
                "git asks another helper ({}) for {host} first; run: {program} setup",
                line.origin
            )),
            None => Some(format!("git would not ask this helper for {host}; run: {program} setup")),
        }
    }

    /// Reports what git reads here from files outside the repository, which are not changed.
    pub(super) fn report_elsewhere(&self, report: &mut Report) {
        for line in self.lines.iter().filter(|line| !self.is_own(line)) {
            let value = || self.token_in_value(line).map(|_| line.key.clone());
            let is_included = ["local", "worktree"].contains(&line.scope.as_str());
            let stale = is_included && self.is_stale_helper(line);
            let what = match self.token_in_key(line).or_else(value) {
                Some(key) => format!("{key} carries a token"),
                None if stale => format!("{} = {} is asked", line.key, line.value),
                None => continue,
            };
            report.fail(match line.scope.as_str() {
                "command" => format!("{what}; take it out of GIT_CONFIG_COUNT and its values"),
                _ => {
                    let file = self.file_of(line);
                    let edit = format!("git config --file {} --edit", word(&file));
                    format!("`{file}`: {what}; run: {edit}")
                }
            });
        }
    }
}

/// Finds a credential in a URL, and masks it in all messages from here on.
pub(super) fn credential(setup: &Setup<'_>, url: &str) -> Option<Embedded> {
    let embedded = credential_in(url)?;
    embedded.secrets.iter().for_each(|secret| setup.context.messages.remember(secret));
    Some(embedded)
}

/// Clears the URLs, then removes the helpers. Returns the content in between, which is what undo
/// restores.
pub(super) fn apply(copy: &WorkingCopy<'_>, fixes: &[Fix]) -> Result<Vec<u8>> {
    for (index, fix) in fixes.iter().enumerate() {
        // Where nothing matches any more, git would add a line.
        if let Fix::ClearUrl { key, cleared } = fix
            && !fixes[..index].contains(fix)
        {
            copy.edit(&["--replace-all", key, cleared, &with_any_user(cleared)])?;
        }
    }
    let cleared = copy.bytes()?.unwrap_or_default();
    for fix in fixes {
        let Fix::RemoveHelper { key, value } = fix else { continue };
        let values = values(copy, key)?;
        if values.contains(value) {
            copy.edit(&["--fixed-value", "--unset-all", key, value])?;
        }
        // With the last helper goes an empty line before it, which would make git forget ours.
        if values.iter().all(|other| other == value || other.is_empty())
            && values.iter().any(String::is_empty)
        {
            copy.edit(&["--unset-all", key])?;
        }
    }
    Ok(cleared)
}

pub(super) fn say(setup: &Setup<'_>, file: &GitFile, fix: &Fix, report: &mut Report) {
    let shown = file.path();
    let shown = shown.display();
    match fix {
        Fix::ClearUrl { key, cleared } => {
            let did = setup.tense("took", "would take");
            report.say(format!("`{shown}`: {did} the token out of {key}, leaving {cleared}"));
        }
        Fix::RemoveHelper { key, value } => {
            let did = setup.tense("removed", "would remove");
            report.say(format!("`{shown}`: {did} {key} = {value}"));
            if let Some(store) = token_file(value) {
                report.say(format!(
                    "  old tokens are still in `{store}`; if it is yours, look at it and delete it"
                ));
            }
        }
    }
}

/// The file of a `store` helper, if it exists. A repository can name any file here.
fn token_file(value: &str) -> Option<String> {
    let words = command(value);
    let after = |(index, word): (usize, &String)| match word.strip_prefix("--file") {
        Some("") => words.get(index + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    words.iter().enumerate().find_map(after).filter(|file| Path::new(file).is_file())
}

/// A pattern for the same URL with any user, so that the token is not among git's arguments.
fn with_any_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let mut pattern = format!("^{scheme}://[^/]*@");
    for character in rest.chars() {
        if r"\.[]{}()*+?^$|".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "$"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_names_the_url_without_the_token() {
        assert_eq!(
            with_any_user("https://github.com/acme/a+b.git"),
            r"^https://[^/]*@github\.com/acme/a\+b\.git$"
        );
    }
}
