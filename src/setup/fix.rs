//! What git reads in a repository that keeps it from asking this helper, line by line: tokens in
//! URLs, which git uses without asking any helper, and `store` helpers, which hand out stale tokens.
//! Takes these away where git will ask this helper instead, notes the helpers for undo, and reports
//! what it leaves. Never shows a token, not even to git on a command line.

use std::path::Path;

use anyhow::{Result, bail};
use git_credential_gastown::git_config::{Line, concerns, helpers_on};
use git_credential_gastown::helper_line::{Kind, command, kind, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{any_user, credential_in};

use super::git_file::{GitFile, WorkingCopy};
use super::lines::is_ours;
use super::target::{Scope, Target, check_includes};
use super::{Report, Setup};
use crate::git::Repository as GitDirectory;

pub(super) struct Repository {
    /// `.git`, or the directory of one worktree in it.
    pub directory: GitDirectory,
    /// Its configuration files, as far as they are there, each with the name that git has for it.
    pub files: Vec<(GitFile, &'static str)>,
}

/// A line that keeps git from asking this helper.
struct Fault {
    line: Line,
    kind: FaultKind,
}

#[derive(PartialEq, Eq)]
enum FaultKind {
    /// As in `url.https://user:token@host/.insteadOf`. `git config` could only change it with the
    /// token among its arguments.
    TokenInKey {
        cleared: String,
    },
    /// In a URL for a host that this helper serves. Others stay: they may be the only credential.
    TokenInValue {
        cleared: String,
        host: Host,
    },
    StaleHelper,
}

impl Fault {
    fn of(setup: &Setup<'_>, line: &Line) -> Option<Self> {
        let token = |url: &str| {
            let found = credential_in(url)?;
            found.secrets.iter().for_each(|secret| setup.context.messages.remember(secret));
            let host = found.host.filter(|host| setup.context.settings.hosts.contains(host))?;
            Some((found.cleared, host))
        };
        // The value of a rewriting rule is what it looks for, and a proxy is no git host.
        let is_url = !["url", "http"].contains(&line.section());
        let kind = if let Some((cleared, _)) = line.subsection().and_then(token) {
            FaultKind::TokenInKey { cleared }
        } else if let Some((cleared, host)) = token(&line.value).filter(|_| is_url) {
            FaultKind::TokenInValue { cleared, host }
        } else if is_stale_helper(setup, line) {
            FaultKind::StaleHelper
        } else {
            return None;
        };
        Some(Self { line: line.clone(), kind })
    }

    fn what(&self) -> String {
        let (line, key, value) = (&self.line, &self.line.key, &self.line.value);
        match &self.kind {
            FaultKind::TokenInKey { cleared } => {
                format!("{}.{cleared}.{} carries a token", line.section(), line.variable())
            }
            FaultKind::TokenInValue { .. } => format!("{key} carries a token"),
            FaultKind::StaleHelper => format!("{key} = {value} hands out old tokens"),
        }
    }

    fn is_text(&self) -> bool {
        ![&self.line.key, &self.line.value].iter().any(|text| text.contains('\u{fffd}'))
    }
}

/// The hosts of ours that a helper is asked for, or for a part of them.
fn hosts_of<'a>(setup: &'a Setup<'_>, line: &'a Line) -> impl Iterator<Item = &'a Host> {
    let is_for = |host: &&Host| line.subsection().is_none_or(|part| concerns(part, host));
    setup.context.settings.hosts.iter().filter(is_for)
}

fn is_stale_helper(setup: &Setup<'_>, line: &Line) -> bool {
    let is_store = line.is_helper() && kind(&line.value) == Kind::Store;
    is_store && hosts_of(setup, line).next().is_some()
}

/// Fixes one repository, and returns how many files were changed. The configuration that worktrees
/// share is fixed with the repository itself.
pub(super) fn fix(
    setup: &Setup<'_>,
    target: &Target,
    top: &Path,
    repository: &Repository,
    report: &mut Report,
) -> Result<usize> {
    repository.files.iter().try_for_each(|(file, _)| check_includes(setup, file))?;
    let view = View::new(setup, target, Some(repository))?;
    let mut changed = 0;
    for (file, _) in repository.files.iter().filter(|(_, origin)| !origin.contains('/')) {
        match view.fix(top, file, report) {
            Ok(has_changed) => changed += usize::from(has_changed),
            Err(error) => report.leave(&file.path(), &error),
        }
    }
    view.report_elsewhere(report);
    Ok(changed)
}

/// What is in effect in a repository, or outside of all.
pub(super) struct View<'a> {
    setup: &'a Setup<'a>,
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
        if target.scope == Scope::System {
            // For every user: the configuration of this one does not count.
            lines.retain(|line| !["global", "command"].contains(&line.scope.as_str()));
        }
        let will_ask = setup.options.dry_run && target.scope != Scope::File;
        Ok(View { setup, repository, lines, will_ask })
    }

    /// Returns whether the file was changed.
    fn fix(&self, top: &Path, file: &GitFile, report: &mut Report) -> Result<bool> {
        let setup = self.setup;
        let _turn = file.take_turn(setup)?;
        let path = file.path();
        let shown = path.display();
        let (fixable, left) = file.change(setup, |copy| {
            let (fixable, left) = self.faults(file, &copy.lines()?);
            if !fixable.is_empty() {
                let mut note = setup.notes.load(&path, Some(top))?;
                let is_first = note.helpers.is_empty();
                clear_urls(copy, &fixable)?;
                let cleared = copy.now.clone();
                note.helpers.extend(remove_helpers(copy, &fixable)?);
                if !setup.options.dry_run && !self.faults(file, &copy.lines()?).0.is_empty() {
                    bail!("git did not change {path:?} as it was told to; nothing was changed");
                }
                if !note.helpers.is_empty() {
                    note.changes(cleared.as_deref(), copy.now.as_deref(), is_first)?;
                    setup.save(&note);
                }
            }
            Ok((fixable, left))
        })?;
        left.into_iter().for_each(|problem| report.fail(format_args!("`{shown}`: {problem}")));
        for Fault { line: Line { key, value, .. }, kind } in &fixable {
            if let FaultKind::TokenInValue { cleared, .. } = kind {
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
        let edit = format!("run: git config --file {} --edit", file.word());
        let (mut fixable, mut left) = (Vec::new(), Vec::new());
        for fault in lines.iter().filter_map(|line| Fault::of(self.setup, line)) {
            let obstacle = match &fault.kind {
                FaultKind::TokenInKey { .. } => Some(format!("in its name; {edit}")),
                _ if !fault.is_text() => Some(format!("and is not UTF-8; {edit}")),
                FaultKind::TokenInValue { cleared, host } => self.not_asked(host, Some(cleared)),
                FaultKind::StaleHelper => {
                    let mut hosts = hosts_of(self.setup, &fault.line);
                    hosts.find_map(|host| self.not_asked(host, None))
                }
            };
            match obstacle {
                Some(obstacle) => left.push(format!("{} {obstacle}", fault.what())),
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
        if self.will_ask || first.is_some_and(is_ours) {
            return None;
        }
        let why = first.map_or_else(
            || format!("git would not ask this helper for {host}"),
            |line| format!("git asks another helper, of {}, for {host} first", self.file_of(line)),
        );
        // What the repository says itself goes before what the user or the system says.
        let own = staying().filter(|line| line.is_helper()).find_map(|line| self.own_file(line));
        let place = own.map(|file| format!(" --file {}", file.word())).unwrap_or_default();
        Some(format!("and stays: {why}; run: git credential-gastown setup{place}"))
    }

    /// A stale helper, or an empty line whose other helpers are all stale.
    fn is_to_remove(&self, line: &Line) -> bool {
        let is_stale = |line: &Line| is_stale_helper(self.setup, line);
        if self.own_file(line).is_none() || !line.is_helper() || !line.value.is_empty() {
            return self.own_file(line).is_some() && is_stale(line);
        }
        let is_beside = |other: &&Line| {
            (&other.key, &other.origin) == (&line.key, &line.origin) && !other.value.is_empty()
        };
        let mut beside = self.lines.iter().filter(is_beside).peekable();
        beside.peek().is_some() && beside.all(is_stale)
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

    /// Reports what git reads here from files outside the repository, which are not changed.
    pub(super) fn report_elsewhere(&self, report: &mut Report) {
        for line in self.lines.iter().filter(|line| self.own_file(line).is_none()) {
            let is_included = ["local", "worktree"].contains(&line.scope.as_str());
            let Some(fault) = Fault::of(self.setup, line) else { continue };
            let (what, file) = (fault.what(), self.file_of(line));
            if fault.kind == FaultKind::StaleHelper && !is_included {
                continue;
            } else if line.scope == "command" {
                report.fail(format_args!("the environment: {what}; run: unset GIT_CONFIG_COUNT"));
            } else {
                let edit = format!("git config --file {} --edit", word(&file));
                report.fail(format_args!("`{file}`: {what}; run: {edit}"));
            }
        }
    }
}

/// Only reported: it is versioned, and the next checkout would bring the URL back.
pub(super) fn report_modules(setup: &Setup<'_>, file: &GitFile, report: &mut Report) {
    let lines = file.lines(&setup.git).unwrap_or_default();
    for fault in lines.iter().filter_map(|line| Fault::of(setup, line)) {
        let (path, shown, key) = (file.path(), file.word(), word(&fault.line.key));
        let command = match &fault.kind {
            FaultKind::TokenInValue { cleared, .. } if fault.is_text() => {
                format!("git config --file {shown} {key} {}", word(cleared))
            }
            _ => format!("git config --file {shown} --edit"),
        };
        let what = format!("{} and is versioned", fault.what());
        let path = path.display();
        report.fail(format_args!("`{path}`: {what}; run: {command}, then commit it"));
    }
}

fn clear_urls(copy: &mut WorkingCopy<'_>, faults: &[Fault]) -> Result<()> {
    for (index, Fault { line, kind }) in faults.iter().enumerate() {
        let is_same = |other: &Fault| (&other.line.key, &other.kind) == (&line.key, kind);
        // Where nothing matches any more, git would add a line.
        if let FaultKind::TokenInValue { cleared, .. } = kind
            && !faults[..index].iter().any(is_same)
        {
            copy.edit(&["--replace-all", &line.key, cleared, &any_user(cleared)])?;
        }
    }
    Ok(())
}

/// Returns the keys and values that it removed.
fn remove_helpers(copy: &mut WorkingCopy<'_>, faults: &[Fault]) -> Result<Vec<(String, String)>> {
    let mut removed = Vec::new();
    for Fault { line: Line { key, value, .. }, .. } in
        faults.iter().filter(|fault| fault.kind == FaultKind::StaleHelper)
    {
        let values = copy.values(key)?;
        // With the last helper goes an empty line before it, which would make git forget ours.
        if values.iter().all(|other| other == value || other.is_empty()) && !values.is_empty() {
            copy.edit(&["--unset-all", key])?;
        } else if values.contains(value) {
            copy.edit(&["--fixed-value", "--unset-all", key, value])?;
        }
        removed.push((key.clone(), value.clone()));
    }
    Ok(removed)
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
