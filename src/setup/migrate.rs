//! `--migrate`: puts right what the old way left in repositories. Tokens in URLs, which git uses
//! without asking any helper, and `store` helpers, which keep and hand out stale tokens. Takes
//! nothing away unless git will ask this helper instead, and never shows a token, not even to git
//! on a command line.

use std::cell::OnceCell;
use std::path::Path;

use anyhow::{Result, bail};
use git_credential_gastown::git_config::{Line, concerns, helpers_on};
use git_credential_gastown::helper_line::{Kind, command, kind, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{Embedded, credential_in};
use rustix::process::geteuid;

use super::git_file::{Copy, GitFile};
use super::note::Notes;
use super::repositories::{Found, Repository, Walk};
use super::target::{Scope, Target, check_includes, global_file};
use super::{Report, Setup, failure, named};
use crate::files::Directory;

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
    lines: Vec<Line>,
    repository: Option<&'a Repository>,
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
}

struct Migration<'a> {
    setup: &'a Setup<'a>,
    target: &'a Target,
    /// As it was opened, for the notes.
    path: &'a Path,
    /// Opened, and so locked, once there is something to note.
    notes: OnceCell<Option<Notes>>,
}

pub(super) fn run(
    setup: &Setup<'_>,
    target: &Target,
    path: &Path,
    report: &mut Report,
) -> Result<()> {
    if !path.is_dir() {
        let what = format!("{path:?} is not a directory");
        return Err(failure(what, "name one that holds repositories with --migrate").into());
    }
    let top = Directory::open(path)?;
    let global = global_file(setup).ok().map(|path| setup.absolute(&path));
    let global = global.and_then(|path| GitFile::open(&path).ok());
    if let Some(global) = global.filter(|global| global.read().is_ok()) {
        check_includes(setup, &global)?;
    }
    let migration = Migration { setup, target, path: &top.path, notes: OnceCell::new() };
    let (mut all, mut changed) = (0, 0);
    migration
        .report_elsewhere(&View { lines: setup.git.lines_for(None)?, repository: None }, report);
    Walk::new(&setup.git, &top, |found| {
        match found {
            Found::Repository(repository) => {
                all += repository.files.len();
                match migration.repository(repository, report) {
                    Ok(count) => changed += count,
                    Err(error) => report.fail(named(error).to_string()),
                }
            }
            Found::Modules(file) => migration.module_list(file, report),
            Found::Problem(what) => report.fail(format!("left alone: {what}")),
        }
        Ok(())
    })
    .run(&top)?;
    let did = setup.tense("changed", "would change");
    report.say(format!("looked at {all} git configurations below {:?}, {did} {changed}", top.path));
    Ok(())
}

impl Migration<'_> {
    /// How many files were changed.
    fn repository(&self, repository: &Repository, report: &mut Report) -> Result<usize> {
        self.check_owner(repository)?;
        for file in &repository.files {
            check_includes(self.setup, file)?;
        }
        if !self.setup.git.knows(&repository.directory)? {
            bail!("git takes {:?} for no repository", repository.directory.path);
        }
        let mut lines = self.setup.git.lines_for(Some(&repository.directory))?;
        if matches!(self.target.scope, Scope::System) {
            // It is for every user, so this one's own configuration counts for nothing.
            lines.retain(|line| !["global", "command"].contains(&line.scope.as_str()));
        }
        let view = View { lines, repository: Some(repository) };
        let mut changed = 0;
        for file in &repository.files {
            match self.file(file, &view, report) {
                Ok(count) => changed += usize::from(count > 0),
                Err(error) => report.fail(named(error).to_string()),
            }
        }
        self.report_elsewhere(&view, report);
        Ok(changed)
    }

    /// Root may change everything, so it is asked to be sure that somebody wants it.
    fn check_owner(&self, repository: &Repository) -> Result<()> {
        let setup = self.setup;
        let is_trusted = |owner: u32| {
            owner == 0 || setup.surroundings.sudo_user.is_some_and(|user| user == owner)
        };
        if setup.options.any_owner || !geteuid().is_root() {
            return Ok(());
        }
        let owners = repository.files.iter().filter_map(|file| file.directory.stat().ok());
        let owners = owners.chain(repository.directory.stat()).map(|stat| stat.st_uid);
        let Some(owner) = owners.into_iter().find(|owner| !is_trusted(*owner)) else {
            return Ok(());
        };
        let path = &repository.directory.path;
        let (program, directory) = (setup.own_command(), word(&self.path.to_string_lossy()));
        let what = format!("{path:?} belongs to user {owner}");
        let advice = format!(
            "run this as that user: {program} setup --migrate {directory}; or add --any-owner"
        );
        Err(failure(what, &advice).into())
    }

    fn file(&self, file: &GitFile, view: &View<'_>, report: &mut Report) -> Result<usize> {
        let setup = self.setup;
        let plan = |lines: &[Line]| self.plan(file, lines, view);
        let (fixes, problems) = plan(&file.lines(&setup.git)?);
        problems.into_iter().for_each(|problem| report.fail(problem));
        let done = if fixes.is_empty() || setup.options.dry_run {
            fixes
        } else {
            let edit = |copy: &mut Copy<'_>| {
                let (fixes, _) = plan(&copy.lines()?);
                let cleared = apply(copy, &fixes)?;
                let (left, _) = plan(&copy.lines()?);
                if !left.is_empty() {
                    let path = file.path();
                    bail!("git did not change {path:?} as it was told to; nothing was changed");
                }
                Ok((fixes, cleared))
            };
            let done = file.change(&setup.change(), edit, |_, after, (fixes, cleared)| {
                self.note(file, fixes, cleared, after)
            })?;
            done.map(|(fixes, _)| fixes).unwrap_or_default()
        };
        done.iter().for_each(|fix| say(setup, file, fix, report));
        Ok(done.len())
    }

    /// What is to be done to a file, and what cannot be.
    fn plan(&self, file: &GitFile, lines: &[Line], view: &View<'_>) -> (Vec<Fix>, Vec<String>) {
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
                } else if let Some(why) = self.not_asked(&host, Some(&cleared), view) {
                    problems.push(format!("{shown:?}: {key} carries a token, which stays: {why}"));
                } else {
                    fixes.push(Fix::ClearUrl { key, cleared });
                }
            } else if let Some(host) = self.stale_helper(line) {
                let (key, value) = (line.key.clone(), line.value.clone());
                if !is_text {
                    problems.push(format!("{shown:?}: {key} is not UTF-8; run: {edit}"));
                } else if let Some(why) = self.not_asked(host, None, view) {
                    problems.push(format!("{shown:?}: {key} = {value} stays: {why}"));
                } else {
                    fixes.push(Fix::RemoveHelper { key, value });
                }
            }
        }
        (fixes, problems)
    }

    /// A token for a host that this helper answers for: elsewhere it may be all there is.
    fn token_in_value(&self, line: &Line) -> Option<(Embedded, Host)> {
        // The value of a rewriting rule is what it looks for, and a proxy is no git host.
        let is_url = !["url", "http"].contains(&line.section());
        let embedded = is_url.then(|| self.credential(&line.value))??;
        let host = embedded.host.clone().filter(|host| self.setup.hosts.contains(host))?;
        Some((embedded, host))
    }

    /// As in `url.https://user:token@host/.insteadOf`, which only an editor can change without
    /// telling it. The key is returned without it.
    fn token_in_key(&self, line: &Line) -> Option<String> {
        let embedded = self.credential(line.subsection()?)?;
        embedded.host.as_ref().filter(|host| self.setup.hosts.contains(host))?;
        Some(format!("{}.{}.{}", line.section(), embedded.cleared, line.variable()))
    }

    fn credential(&self, url: &str) -> Option<Embedded> {
        let embedded = credential_in(url)?;
        embedded.secrets.iter().for_each(|secret| self.setup.context.messages.remember(secret));
        Some(embedded)
    }

    /// A host that a `store` helper is asked for, or a part of that host.
    fn stale_helper(&self, line: &Line) -> Option<&Host> {
        let is_for = |host: &&Host| line.subsection().is_none_or(|part| concerns(part, host));
        let host = self.setup.hosts.iter().find(is_for);
        host.filter(|_| line.is_helper() && kind(&line.value) == Kind::Store)
    }

    /// Why git would not ask this helper for a host, or a URL on it, once the stale helpers of
    /// the repository are gone.
    fn not_asked(&self, host: &Host, url: Option<&str>, view: &View<'_>) -> Option<String> {
        let setup = self.setup;
        if setup.options.dry_run && !matches!(self.target.scope, Scope::File) {
            return None;
        }
        // An empty line goes with the last helper of its key.
        let goes = |line: &Line| {
            let is_left = |other: &&Line| {
                other.key == line.key && view.is_own(other) && !other.value.is_empty()
            };
            self.stale_helper(line).is_some()
                || (line.value.is_empty()
                    && view.lines.iter().filter(is_left).all(|it| self.stale_helper(it).is_some()))
        };
        let stays = |line: &&Line| !(line.is_helper() && view.is_own(line) && goes(line));
        let path = url.map(|url| url.strip_prefix(&host.to_string()).unwrap_or("/"));
        let chain = helpers_on(view.lines.iter().filter(stays), host, path);
        let program = setup.own_command();
        match chain.first() {
            Some(line) if kind(&line.value) == Kind::Ours => None,
            Some(line) => Some(format!(
                "git asks another helper ({}) for {host} first; run: {program} setup",
                line.origin
            )),
            None => Some(format!("git would not ask this helper for {host}; run: {program} setup")),
        }
    }

    /// What git reads here from files that are not the repository's own.
    fn report_elsewhere(&self, view: &View<'_>, report: &mut Report) {
        for line in view.lines.iter().filter(|line| !view.is_own(line)) {
            let value = || self.token_in_value(line).map(|_| line.key.clone());
            let is_included = ["local", "worktree"].contains(&line.scope.as_str());
            let stale = is_included && self.stale_helper(line).is_some();
            let what = match self.token_in_key(line).or_else(value) {
                Some(key) => format!("{key} carries a token"),
                None if stale => format!("{} = {} is asked", line.key, line.value),
                None => continue,
            };
            report.fail(match line.scope.as_str() {
                "command" => format!("{what}; take it out of GIT_CONFIG_COUNT and its values"),
                _ => {
                    let file = view.file_of(line);
                    let edit = format!("git config --file {} --edit", word(&file));
                    format!("`{file}`: {what}; run: {edit}")
                }
            });
        }
    }

    /// The next checkout would bring its URL back.
    fn module_list(&self, file: &GitFile, report: &mut Report) {
        let path = file.path();
        let lines = file.lines(&self.setup.git).unwrap_or_default();
        for line in lines.iter().filter(|line| line.is("submodule", "url")) {
            if let Some(embedded) = self.credential(&line.value) {
                report.fail(format!(
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

    /// The helpers, so that they can come back; of a token nothing is kept.
    fn note(
        &self,
        file: &GitFile,
        fixes: &[Fix],
        cleared: &[u8],
        after: Option<&[u8]>,
    ) -> Result<()> {
        let is_helper = |fix: &Fix| matches!(fix, Fix::RemoveHelper { .. });
        if !fixes.iter().any(is_helper) {
            return Ok(());
        }
        let Some(notes) = self.notes.get_or_init(|| self.setup.notes()) else { return Ok(()) };
        let mut note = notes.of(&file.path(), Some(self.path))?;
        let is_first = note.helpers.is_empty();
        for fix in fixes {
            if let Fix::RemoveHelper { key, value } = fix {
                note.helpers.push((key.clone(), value.clone()));
            }
        }
        note.changes(Some(cleared), after, is_first)?;
        self.setup.keep(notes, &note);
        Ok(())
    }
}

/// First the URLs. The content in between is what an undo leads back to.
fn apply(copy: &Copy<'_>, fixes: &[Fix]) -> Result<Vec<u8>> {
    for (index, fix) in fixes.iter().enumerate() {
        // git would add a line where the pattern has none to replace any more.
        if let Fix::ClearUrl { key, cleared } = fix
            && !fixes[..index].contains(fix)
        {
            copy.edit(&["--replace-all", key, cleared, &with_any_user(cleared)])?;
        }
    }
    let cleared = copy.bytes()?.unwrap_or_default();
    for fix in fixes {
        let Fix::RemoveHelper { key, value } = fix else { continue };
        let values = super::lines::values(copy, key)?;
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

fn say(setup: &Setup<'_>, file: &GitFile, fix: &Fix, report: &mut Report) {
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

/// The file of a `store` helper, if it is there. A repository can name any file.
fn token_file(value: &str) -> Option<String> {
    let words = command(value);
    let after = |(index, word): (usize, &String)| match word.strip_prefix("--file") {
        Some("") => words.get(index + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    words.iter().enumerate().find_map(after).filter(|file| Path::new(file).is_file())
}

/// A pattern for the same URL with whatever user in it, so that the token need not be told.
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
