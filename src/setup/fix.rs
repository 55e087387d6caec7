//! What keeps git from asking this helper in a repository, line by line: tokens in URLs, which git
//! uses without asking any helper, and `store` helpers, which hand out stale tokens. Takes these
//! away where git will ask this helper instead, notes the helpers for undo, and reports what it
//! leaves. Never shows a token, not even to git on a command line.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};
use git_credential_gastown::git_config::{Line, concerns, helpers_on};
use git_credential_gastown::helper_line::{command, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{any_user, credential_in};

use super::configure::{Scope, Target};
use super::git_file::{GitFile, WorkingCopy};
use super::{Report, Setup};
use crate::git::Repository;

/// A line that keeps git from asking this helper.
struct Fault {
    line: Line,
    what: String,
    /// `None` if git could not be told what to change without showing it the token.
    fix: Option<Fix>,
}

enum Fix {
    /// The URL without its token, for a host that this helper serves. Others stay: their tokens may
    /// be the only credential.
    ClearUrl(String, Host),
    RemoveHelper,
}

impl Fault {
    fn of(setup: &Setup<'_>, line: &Line) -> Option<Self> {
        let (key, value) = (&line.key, &line.value);
        let token = |url: &str| {
            let found = credential_in(url)?;
            found.secrets.iter().for_each(|secret| setup.context.messages.remember(secret));
            let host = found.host.filter(|host| setup.context.settings.hosts.contains(host))?;
            Some((found.cleared, host))
        };
        // The value of a rewriting rule is what it looks for, and a proxy is no git host.
        let is_url = !["url", "http"].contains(&line.section());
        let is_text = ![key, value].iter().any(|text| text.contains('\u{fffd}'));
        // As in `url.https://user:token@host/.insteadOf`.
        let (what, fix) = if let Some((cleared, _)) = line.subsection().and_then(token) {
            let key = format!("{}.{cleared}.{}", line.section(), line.variable());
            (format!("{key} carries a token in its name"), None)
        } else if let Some((cleared, host)) = token(value).filter(|_| is_url) {
            let kind = if is_text { "" } else { ", in a URL that is not UTF-8" };
            (format!("{key} carries a token{kind}"), Some(Fix::ClearUrl(cleared, host)))
        } else if is_stale_helper(setup, line) {
            (format!("{key} = {value} hands out old tokens"), Some(Fix::RemoveHelper))
        } else {
            return None;
        };
        Some(Self { line: line.clone(), what, fix: fix.filter(|_| is_text) })
    }
}

/// The hosts of ours that a helper is asked for, or for a part of them.
fn hosts_of<'a>(setup: &'a Setup<'_>, line: &'a Line) -> impl Iterator<Item = &'a Host> {
    let is_for = |host: &&Host| line.subsection().is_none_or(|part| concerns(part, host));
    setup.context.settings.hosts.iter().filter(is_for)
}

fn is_stale_helper(setup: &Setup<'_>, line: &Line) -> bool {
    line.is_store() && hosts_of(setup, line).next().is_some()
}

/// What is in effect in a repository, or outside of all.
pub(super) struct View<'a> {
    setup: &'a Setup<'a>,
    repository: Option<&'a Repository>,
    /// Its configuration files, as far as they are there, each with the name that git has for it.
    files: &'a [(GitFile, &'static str)],
    lines: Vec<Line>,
    /// In a dry run: git would ask this helper after setup.
    will_ask: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(
        setup: &'a Setup<'_>,
        target: &Target,
        repository: Option<&'a Repository>,
        files: &'a [(GitFile, &'static str)],
    ) -> Result<Self> {
        let mut lines = setup.git.lines_for(repository)?;
        if target.scope == Scope::System {
            // For every user: the configuration of this one does not count.
            lines.retain(|line| !["global", "command"].contains(&line.scope.as_str()));
        }
        let will_ask = setup.options.dry_run && target.scope != Scope::File;
        Ok(View { setup, repository, files, lines, will_ask })
    }

    /// Fixes a file of the repository, and returns whether there was anything to fix.
    pub(super) fn fix(&self, top: &Path, file: &GitFile, report: &mut Report) -> Result<bool> {
        let setup = self.setup;
        let _turn = file.take_turn(setup)?;
        let path = file.path();
        let (fixable, left) = file.change(setup, |copy| {
            let (fixable, left) = self.faults(file, &copy.lines()?);
            if !fixable.is_empty() {
                let removed = apply(copy, &fixable)?;
                if !setup.options.dry_run && !self.faults(file, &copy.lines()?).0.is_empty() {
                    bail!("git did not change {path:?} as it should; nothing was changed");
                }
                if !removed.is_empty() {
                    let mut note = setup.note(&path, Some(top))?;
                    let is_first = note.helpers.is_empty();
                    note.helpers.extend(removed);
                    note.changes(copy, is_first)?;
                    setup.save(&note);
                }
            }
            Ok((fixable, left))
        })?;
        let shown = path.display();
        left.into_iter().for_each(|problem| report.fail(format_args!("`{shown}`: {problem}")));
        for Fault { line: Line { key, value, .. }, fix, .. } in &fixable {
            if let Some(Fix::ClearUrl(cleared, _)) = fix {
                report.say(format!("`{shown}`: took the token out of {key}, leaving {cleared}"));
                continue;
            }
            report.say(format!("`{shown}`: removed {key} = {value}"));
            if let Some(store) = token_file(value) {
                report.say(format!(
                    "  old tokens are still in `{store}`; if it is yours, look at it and delete it"
                ));
            }
        }
        Ok(!fixable.is_empty())
    }

    /// What can be fixed among the lines of a file, and what cannot, with what to do about it.
    fn faults(&self, file: &GitFile, lines: &[Line]) -> (Vec<Fault>, Vec<String>) {
        let (mut fixable, mut left) = (Vec::new(), Vec::new());
        for fault in lines.iter().filter_map(|line| Fault::of(self.setup, line)) {
            let obstacle = match &fault.fix {
                None => Some(format!("; run: git config --file {} --edit", file.word())),
                Some(Fix::ClearUrl(cleared, host)) => self.not_asked(host, Some(cleared)),
                Some(Fix::RemoveHelper) => {
                    let mut hosts = hosts_of(self.setup, &fault.line);
                    hosts.find_map(|host| self.not_asked(host, None))
                }
            };
            match obstacle {
                Some(obstacle) => left.push(fault.what + &obstacle),
                None => fixable.push(fault),
            }
        }
        (fixable, left)
    }

    /// Why git would not ask this helper for a host, or a URL on it, once the stale helpers of
    /// the repository are gone.
    fn not_asked(&self, host: &Host, url: Option<&str>) -> Option<String> {
        let staying = || self.lines.iter().filter(|line| !self.is_to_remove(line));
        let path = url.map(|url| url.strip_prefix(&host.to_string()).unwrap_or("/"));
        let first = helpers_on(staying(), host, path).first().copied();
        if self.will_ask || first.is_some_and(Line::is_ours) {
            return None;
        }
        let why = first.map_or_else(
            || format!("git would not ask this helper for {host}"),
            |line| format!("git asks another helper, of {}, for {host} first", self.file_of(line)),
        );
        // What the repository says itself goes before what the user or the system says.
        let own = staying().filter(|line| line.is_helper()).find_map(|line| self.own_file(line));
        let place = own.map(|file| format!(" --file {}", file.word())).unwrap_or_default();
        Some(format!(" and stays: {why}; run: git credential-gastown setup{place}"))
    }

    /// A stale helper, or an empty line whose other helpers are all stale.
    fn is_to_remove(&self, line: &Line) -> bool {
        let is_stale = |line: &Line| is_stale_helper(self.setup, line);
        let is_beside = |other: &&Line| {
            (&other.key, &other.origin) == (&line.key, &line.origin) && !other.value.is_empty()
        };
        let mut beside = self.lines.iter().filter(is_beside).peekable();
        let is_empty = line.is_helper() && line.value.is_empty();
        let has_only_stale = is_empty && beside.peek().is_some() && beside.all(is_stale);
        self.own_file(line).is_some() && (has_only_stale || is_stale(line))
    }

    /// The file that a line is in, if it can be changed here.
    fn own_file(&self, line: &Line) -> Option<&GitFile> {
        let name = line.origin.strip_prefix("file:")?;
        self.files.iter().find_map(|(file, origin)| (*origin == name).then_some(file))
    }

    /// For messages.
    fn file_of(&self, line: &Line) -> String {
        let base = self.repository.map_or(Path::new("/"), |it| &it.own.path);
        let file = base.join(line.origin.strip_prefix("file:").unwrap_or(&line.origin));
        file.to_string_lossy().into_owned()
    }

    /// Reports what git reads here from files outside the repository, which are not changed.
    pub(super) fn report_elsewhere(&self, report: &mut Report) {
        for line in self.lines.iter().filter(|line| self.own_file(line).is_none()) {
            let is_included = ["local", "worktree"].contains(&line.scope.as_str());
            match (Fault::of(self.setup, line), self.file_of(line)) {
                (None, _) => {}
                (Some(Fault { fix: Some(Fix::RemoveHelper), .. }), _) if !is_included => {}
                (Some(Fault { what, .. }), _) if line.scope == "command" => report
                    .fail(format_args!("the environment: {what}; run: unset GIT_CONFIG_COUNT")),
                (Some(Fault { what, .. }), file) => report.fail(format_args!(
                    "`{file}`: {what}; run: git config --file {} --edit",
                    word(&file)
                )),
            }
        }
    }
}

/// Only reported: it is versioned, and the next checkout would bring the URL back.
pub(super) fn report_modules(setup: &Setup<'_>, file: &GitFile, report: &mut Report) {
    let lines = file.lines(&setup.git).unwrap_or_default();
    for Fault { line, what, fix } in lines.iter().filter_map(|line| Fault::of(setup, line)) {
        let change = match fix {
            Some(Fix::ClearUrl(cleared, _)) => format!("{} {}", word(&line.key), word(&cleared)),
            _ => "--edit".to_owned(),
        };
        report.fail(format_args!(
            "`{}`: {what} and is versioned; run: git config --file {} {change}, then commit it",
            file.path().display(),
            file.word()
        ));
    }
}

/// Clears the URLs, then removes the helpers, whose keys and values it returns.
fn apply(copy: &mut WorkingCopy<'_>, faults: &[Fault]) -> Result<Vec<(String, String)>> {
    let (mut urls, mut helpers) = (BTreeSet::new(), Vec::new());
    for Fault { line, fix, .. } in faults {
        match fix {
            Some(Fix::ClearUrl(cleared, _)) => _ = urls.insert((&line.key, cleared)),
            _ => helpers.push((line.key.clone(), line.value.clone())),
        }
    }
    // Each once: where nothing matches any more, git would add a line.
    for (key, cleared) in urls {
        copy.edit(&["--replace-all", key, cleared, &any_user(cleared)])?;
    }
    // Tokens do not come back.
    copy.base = copy.now.clone();
    for (key, value) in &helpers {
        let values = copy.values(key)?;
        // With the last helper goes an empty line before it, which would make git forget ours.
        if values.iter().all(|other| other == value || other.is_empty()) && !values.is_empty() {
            copy.edit(&["--unset-all", key])?;
        } else if values.contains(value) {
            copy.edit(&["--fixed-value", "--unset-all", key, value])?;
        }
    }
    Ok(helpers)
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
