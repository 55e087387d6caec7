//! What keeps git from asking this helper in a repository, line by line: tokens in URLs, which git
//! uses without asking any helper, and `store` helpers, which hand out stale tokens. Takes these
//! away where git will ask this helper instead, notes the helpers for undo, and reports what it
//! leaves. Never shows a token, not even to git on a command line.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use git_credential_gastown::git_config::{Line, concerns, helpers_on};
use git_credential_gastown::helper_line::{command, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{Embedded, any_user};

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
        let Line { key, value, .. } = line;
        let (what, fix) = if let Some((token, is_in_name)) = line.token() {
            let Embedded { cleared, host, secrets } = token;
            secrets.iter().for_each(|secret| setup.context.messages.remember(secret));
            let host = host.filter(|host| setup.context.settings.serves(host))?;
            let place = match line.is_text() {
                _ if is_in_name => " in its name",
                true => "",
                false => ", in a URL that is not UTF-8",
            };
            let fix = (!is_in_name).then_some(Fix::ClearUrl(cleared, host));
            (format!("{key} carries a token{place}"), fix)
        } else if is_stale_helper(setup, line) {
            (format!("{key} = {value} hands out old tokens"), Some(Fix::RemoveHelper))
        } else {
            return None;
        };
        Some(Self { line: line.clone(), what, fix: fix.filter(|_| line.is_text()) })
    }

    /// That it stays, why, and the command for it.
    fn left(&self, why: &str, command: &str) -> String {
        let place = self.line.file().map_or("the environment".to_owned(), |it| format!("`{it}`"));
        format!("{place}: {}{why}; run: {command}", self.what)
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
    /// The repository's own configuration files, as far as they are there.
    files: &'a [GitFile],
    lines: Vec<Line>,
    /// In a dry run: git would ask this helper after setup.
    will_ask: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(
        setup: &'a Setup<'_>,
        repository: Option<&Repository>,
        files: &'a [GitFile],
    ) -> Result<Self> {
        let mut lines = setup.git.lines_for(repository)?;
        if setup.options.target.system {
            // For every user: the configuration of this one does not count.
            lines.retain(|line| !["global", "command"].contains(&line.scope.as_str()));
        }
        let will_ask = setup.options.dry_run && setup.options.target.file.is_none();
        Ok(View { setup, files, lines, will_ask })
    }

    /// Fixes a file of the repository, and returns whether there was anything to fix.
    pub(super) fn fix(&self, top: &Path, file: &GitFile, report: &mut Report) -> Result<bool> {
        let setup = self.setup;
        let _turn = file.take_turn(setup)?;
        let path = file.path();
        let (fixed, left) = file.change(setup, |copy| {
            let (fixed, left) = self.faults(&copy.lines()?);
            if fixed.is_empty() {
                return Ok((fixed, left));
            }
            let removed = apply(copy, &fixed)?;
            let is_done = setup.options.dry_run || self.faults(&copy.lines()?).0.is_empty();
            ensure!(is_done, "git did not change {path:?} as it should; nothing was changed");
            if !removed.is_empty() {
                let mut note = setup.note(&path, Some(top))?;
                let is_first = note.helpers.is_empty();
                note.helpers.extend(removed);
                note.changes(copy, is_first)?;
                setup.save(&note);
            }
            Ok((fixed, left))
        })?;
        left.iter().for_each(|left| report.fail(left));
        let shown = path.display();
        for Fault { line: Line { key, value, .. }, fix, .. } in &fixed {
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
        Ok(!fixed.is_empty())
    }

    /// What can be fixed among the lines of a file, and what is to be reported of the rest.
    fn faults(&self, lines: &[Line]) -> (Vec<Fault>, Vec<String>) {
        let (mut fixable, mut left) = (Vec::new(), Vec::new());
        for fault in lines.iter().filter_map(|line| Fault::of(self.setup, line)) {
            let obstacle = match &fault.fix {
                None => Some((String::new(), fault.line.edit())),
                Some(Fix::ClearUrl(cleared, host)) => self.not_asked(host, Some(cleared)),
                Some(Fix::RemoveHelper) => {
                    let mut hosts = hosts_of(self.setup, &fault.line);
                    hosts.find_map(|host| self.not_asked(host, None))
                }
            };
            match obstacle {
                Some((why, command)) => left.push(fault.left(&why, &command)),
                None => fixable.push(fault),
            }
        }
        (fixable, left)
    }

    /// Why git would not ask this helper for a host, or a URL on it, once the stale helpers of
    /// the repository are gone; and the command that has it ask.
    fn not_asked(&self, host: &Host, url: Option<&str>) -> Option<(String, String)> {
        let staying = || self.lines.iter().filter(|line| !self.is_to_remove(line));
        let path = url.map(|url| url.strip_prefix(&host.to_string()).unwrap_or("/"));
        let first = helpers_on(staying(), host, path).first().copied();
        if self.will_ask || first.is_some_and(Line::is_ours) {
            return None;
        }
        let why = match first.map(|line| line.file().unwrap_or(&line.origin)) {
            None => format!("git would not ask this helper for {host}"),
            Some(place) => format!("git asks another helper, of {place}, for {host} first"),
        };
        // What the repository says itself goes before what the user or the system says.
        let own = staying().find(|line| line.is_helper() && self.is_own(line));
        let file = own.and_then(Line::file).map(|file| format!(" --file {}", word(file)));
        let command = "git credential-gastown setup".to_owned() + &file.unwrap_or_default();
        Some((format!(" and stays: {why}"), command))
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
        self.is_own(line) && (has_only_stale || is_stale(line))
    }

    /// Whether it is in a file that can be changed here.
    fn is_own(&self, line: &Line) -> bool {
        let is_it = |file: &GitFile| line.file() == Some(&*file.path().to_string_lossy());
        self.files.iter().any(is_it)
    }

    /// Reports what git reads here from files outside the repository, which are not changed.
    pub(super) fn report_elsewhere(&self, report: &mut Report) {
        let lines = self.lines.iter().filter(|line| !self.is_own(line));
        for fault in lines.filter_map(|line| Fault::of(self.setup, line)) {
            // Setup has git forget the helpers of the user and of the system.
            if fault.line.is_local() || !matches!(fault.fix, Some(Fix::RemoveHelper)) {
                report.fail(fault.left("", &fault.line.edit()));
            }
        }
    }
}

/// Only reported: it is versioned, and the next checkout would bring the URL back.
pub(super) fn report_modules(setup: &Setup<'_>, file: &GitFile, report: &mut Report) {
    let lines = file.lines(&setup.git).unwrap_or_default();
    for fault in lines.iter().filter_map(|line| Fault::of(setup, line)) {
        let command = match &fault.fix {
            Some(Fix::ClearUrl(cleared, _)) => {
                fault.line.change(&format!("{} {}", word(&fault.line.key), word(cleared)))
            }
            _ => fault.line.edit(),
        };
        report.fail(fault.left(" and is versioned", &format!("{command}, then commit it")));
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
