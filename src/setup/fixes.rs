//! What is done about the lines that git reads in a repository: tokens in URLs, which git uses
//! without asking any helper, and `store` helpers, which hand out stale tokens. Takes nothing away
//! unless git will ask this helper instead, and notes the helpers that it removes. Never shows a
//! token, not even to git on a command line.

use std::path::Path;

use anyhow::{Result, bail};
use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::{Line, concerns, helpers_on};
use git_credential_gastown::helper_line::{Kind, command, kind, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{Embedded, credential_in};

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

pub(super) struct Fixer<'a> {
    setup: &'a Setup<'a>,
    target: &'a Target,
    /// The directory that is migrated, for notes.
    top: &'a Path,
    pub report: &'a mut Report,
    /// How many files.
    pub changed: usize,
    pub has_noted: bool,
}

impl<'a> Fixer<'a> {
    pub(super) fn new(
        setup: &'a Setup<'_>,
        target: &'a Target,
        top: &'a Path,
        report: &'a mut Report,
    ) -> Self {
        Self { setup, target, top, report, changed: 0, has_noted: false }
    }

    /// What git reads outside of all repositories.
    pub(super) fn report_elsewhere(&mut self) -> Result<()> {
        View::new(self.setup, self.target, None)?.report_elsewhere(self.report);
        Ok(())
    }

    pub(super) fn fix(&mut self, repository: &Repository) -> Result<()> {
        for (file, _) in &repository.files {
            check_includes(self.setup, file)?;
        }
        let view = View::new(self.setup, self.target, Some(repository))?;
        for (file, _) in &repository.files {
            match self.file(file, &view) {
                Err(error) if error.is::<Failure>() => self.report.fail(error),
                Err(error) => self.report.leave(&file.path(), &format!("{error:#}")),
                Ok(()) => {}
            }
        }
        view.report_elsewhere(self.report);
        Ok(())
    }

    fn file(&mut self, file: &GitFile, view: &View<'_>) -> Result<()> {
        let setup = self.setup;
        let shown = file.path();
        let (mut fixes, problems) = view.plan(&shown, &file.lines(&setup.git)?);
        for problem in problems {
            self.report.fail(format_args!("{shown:?}: {problem}"));
        }
        if fixes.is_empty() {
            return Ok(());
        }
        if !setup.options.dry_run {
            let _turn = file.take_turn()?;
            fixes = file.change(&setup.git, setup.new_mode, |copy| {
                let (fixes, _) = view.plan(&shown, &copy.lines()?);
                let cleared = apply(copy, &fixes)?;
                let (left, _) = view.plan(&shown, &copy.lines()?);
                if !left.is_empty() {
                    bail!("git did not change {shown:?} as it was told to; nothing was changed");
                }
                self.note(copy, file, &fixes, &cleared)?;
                Ok(fixes)
            })?;
        }
        self.changed += usize::from(!fixes.is_empty());
        let shown = shown.display();
        for fix in fixes {
            match fix {
                Fix::ClearUrl { key, cleared } => self
                    .report
                    .say(format_args!("`{shown}`: took the token out of {key}, leaving {cleared}")),
                Fix::RemoveHelper { key, value } => {
                    self.report.say(format_args!("`{shown}`: removed {key} = {value}"));
                    if let Some(store) = token_file(&value) {
                        self.report.say(format_args!(
                            "  old tokens are still in `{store}`; if it is yours, look at it and \
                             delete it"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes the helpers, so that undo can put them back, and no token.
    fn note(
        &mut self,
        copy: &WorkingCopy<'_>,
        file: &GitFile,
        fixes: &[Fix],
        cleared: &[u8],
    ) -> Result<()> {
        let removed = |fix: &Fix| match fix {
            Fix::RemoveHelper { key, value } => Some((key.clone(), value.clone())),
            Fix::ClearUrl { .. } => None,
        };
        let helpers: Vec<_> = fixes.iter().filter_map(removed).collect();
        if helpers.is_empty() {
            return Ok(());
        }
        let mut note = self.setup.notes.load(&file.path(), Some(self.top))?;
        let is_first = note.helpers.is_empty();
        note.helpers.extend(helpers);
        note.changes(Some(cleared), copy.bytes()?.as_deref(), is_first)?;
        self.setup.save(&note);
        self.has_noted = true;
        Ok(())
    }

    /// Only reported: it is versioned, and the next checkout would bring the URL back.
    pub(super) fn report_modules(&mut self, file: &GitFile) {
        let path = file.path();
        let lines = file.lines(&self.setup.git).unwrap_or_default();
        for line in lines.iter().filter(|line| line.is("submodule", "url")) {
            if let Some(embedded) = credential(self.setup, &line.value) {
                self.report.fail(format_args!(
                    "`{}`: {} carries a token and is versioned; run: git config --file {} {} {}, \
                     then commit it",
                    path.display(),
                    line.key,
                    word(&path.to_string_lossy()),
                    word(&line.key),
                    word(&embedded.cleared)
                ));
            }
        }
    }
}

/// What is done to one line.
#[derive(PartialEq, Eq)]
enum Fix {
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
struct View<'a> {
    setup: &'a Setup<'a>,
    repository: Option<&'a Repository>,
    lines: Vec<Line>,
    /// In a dry run: git would ask this helper after setup.
    will_ask: bool,
}

impl<'a> View<'a> {
    fn new(
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
    fn plan(&self, file: &Path, lines: &[Line]) -> (Vec<Fix>, Vec<String>) {
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
    fn hosts_of(&self, line: &Line) -> impl Iterator<Item = &'a Host> {
        let is_for = |host: &&Host| line.subsection().is_none_or(|part| concerns(part, host));
        self.setup.hosts.iter().filter(is_for)
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

    fn is_own(&self, line: &Line) -> bool {
        self.own_file(line).is_some()
    }

    /// Why git would not ask this helper for a host, or a URL on it, once the stale helpers of
    /// the repository are gone.
    fn not_asked(&self, host: &Host, url: Option<&str>) -> Option<String> {
        let staying = || self.lines.iter().filter(|line| !self.goes(line));
        let path = url.map(|url| url.strip_prefix(&host.to_string()).unwrap_or("/"));
        let first = helpers_on(staying(), host, path).first().copied();
        if self.will_ask || first.is_some_and(is_ours) {
            return None;
        }
        let why = match first {
            Some(Line { origin, .. }) => {
                format!("git asks another helper ({origin}) for {host} first")
            }
            None => format!("git would not ask this helper for {host}"),
        };
        // What the repository says itself goes before what the user or the system says.
        let own = staying().filter(|line| line.is_helper()).find_map(|line| self.own_file(line));
        let place = own.map(|file| format!(" --file {}", word(&file.path().to_string_lossy())));
        Some(format!("{why}; run: git credential-gastown setup{}", place.unwrap_or_default()))
    }

    /// A stale helper, or an empty line whose other helpers are all stale.
    fn goes(&self, line: &Line) -> bool {
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
    fn report_elsewhere(&self, report: &mut Report) {
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
            let base = self.repository.map_or(Path::new("/"), |it| &it.directory.own().path);
            let file = base.join(line.origin.strip_prefix("file:").unwrap_or(&line.origin));
            let file = file.to_string_lossy();
            let edit = format!("git config --file {} --edit", word(&file));
            report.fail(format_args!("`{file}`: {what}; run: {edit}"));
        }
    }
}

/// Finds a credential in a URL, and masks it in all messages from here on.
fn credential(setup: &Setup<'_>, url: &str) -> Option<Embedded> {
    let embedded = credential_in(url)?;
    embedded.secrets.iter().for_each(|secret| setup.context.messages.remember(secret));
    Some(embedded)
}

/// Clears the URLs, then removes the helpers. Returns the content in between, which is what undo
/// restores.
fn apply(copy: &WorkingCopy<'_>, fixes: &[Fix]) -> Result<Vec<u8>> {
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
        let values = copy.values(key)?;
        // With the last helper goes an empty line before it, which would make git forget ours.
        if values.iter().all(|other| other == value || other.is_empty()) && !values.is_empty() {
            copy.edit(&["--unset-all", key])?;
        } else if values.contains(value) {
            copy.edit(&["--fixed-value", "--unset-all", key, value])?;
        }
    }
    Ok(cleared)
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
