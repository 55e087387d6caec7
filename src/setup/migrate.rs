//! `--migrate`: goes through the repositories of a directory, one after the other, and on past one
//! that cannot be changed. Notes the helpers that it removes, and no token.

use std::cell::OnceCell;
use std::path::Path;

use anyhow::{Error, Result, bail};
use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use rustix::process::geteuid;

use super::fixes::{Fix, View, apply, credential, say};
use super::git_file::{GitFile, WorkingCopy};
use super::note::Notes;
use super::repositories::{Found, Repository, Walk};
use super::target::{Scope, Target, check_includes, global_file};
use super::{Report, Setup, failure};
use crate::files::Directory;

struct Migration<'a> {
    setup: &'a Setup<'a>,
    target: &'a Target,
    /// The directory given, for notes and messages.
    path: &'a Path,
    /// Opened, and locked, when there is something to note.
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
    migration.view(None)?.report_elsewhere(report);
    Walk::new(&setup.git, &top, |found| {
        match found {
            Found::Repository(repository) => {
                all += repository.files.len();
                match migration.repository(repository, report) {
                    Ok(count) => changed += count,
                    Err(error) => report.fail(left_alone(error)),
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
    if migration.notes.get().is_some() {
        let (program, path) = (setup.own_command(), word(&top.path.to_string_lossy()));
        report
            .say(format!("put removed helpers back with: {program} setup --undo --migrate {path}"));
    }
    Ok(())
}

fn left_alone(error: Error) -> String {
    match error.is::<Failure>() {
        true => error.to_string(),
        false => format!("left alone: {error:#}"),
    }
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
        let view = self.view(Some(repository))?;
        let mut changed = 0;
        for file in &repository.files {
            match self.file(file, &view, report) {
                Ok(count) => changed += usize::from(count > 0),
                Err(error) => report.fail(left_alone(error)),
            }
        }
        view.report_elsewhere(report);
        Ok(changed)
    }

    fn view<'r>(&'r self, repository: Option<&'r Repository>) -> Result<View<'r>> {
        let setup = self.setup;
        let mut lines = setup.git.lines_for(repository.map(|repository| &repository.directory))?;
        if matches!(self.target.scope, Scope::System) {
            // For every user: the configuration of this one does not count.
            lines.retain(|line| !["global", "command"].contains(&line.scope.as_str()));
        }
        let will_ask = setup.options.dry_run && !matches!(self.target.scope, Scope::File);
        Ok(View { setup, lines, repository, will_ask })
    }

    /// As root, only changes repositories of root and of the caller of `sudo`, unless told.
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
        let plan = |lines: &[Line]| view.plan(file, lines);
        let (fixes, problems) = plan(&file.lines(&setup.git)?);
        problems.into_iter().for_each(|problem| report.fail(problem));
        let done = if fixes.is_empty() || setup.options.dry_run {
            fixes
        } else {
            let edit = |copy: &mut WorkingCopy<'_>| {
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

    /// Only reported: it is versioned, and the next checkout would bring the URL back.
    fn module_list(&self, file: &GitFile, report: &mut Report) {
        let path = file.path();
        let lines = file.lines(&self.setup.git).unwrap_or_default();
        for line in lines.iter().filter(|line| line.is("submodule", "url")) {
            if let Some(embedded) = credential(self.setup, &line.value) {
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

    /// Notes the helpers, so that undo can put them back, and no token.
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
        let mut note = notes.load(&file.path(), Some(self.path))?;
        let is_first = note.helpers.is_empty();
        for fix in fixes {
            if let Fix::RemoveHelper { key, value } = fix {
                note.helpers.push((key.clone(), value.clone()));
            }
        }
        note.changes(Some(cleared), after, is_first)?;
        self.setup.save(notes, &note);
        Ok(())
    }
}
