//! Has git ask this helper, where it does not yet: finds the file to write to and the lines that are
//! missing, writes them and the note before them, and sees whether git asks this helper then. Makes
//! the link `gh` to this program, which runs the real `gh` with a fresh token, and replaces nothing
//! but such a link.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::{PROGRAM, word};

use super::Setup;
use super::git_file::GitFile;
use super::lines::{HostLine, append, wanted};
use crate::config::{Origin, is_default_host};
use crate::files::{Directory, Entry};
use crate::git::{QUICK, setup_failed};

const LINK: &str = "gh";
const UNFINISHED: &str = ".gh.gastown-new";

/// The file to write to, which the command line names.
pub(super) fn target(setup: &Setup<'_>) -> Result<GitFile> {
    let options = &setup.options.target;
    let path = match (&options.file, &setup.surroundings.global_git_config) {
        (Some(file), _) => file.clone(),
        // Only git knows where it was built to look, and tells its editor.
        _ if options.system => {
            let what = "git does not tell where its system configuration is";
            let advice = "name the file: --file /etc/gitconfig";
            told(setup, &["config", "--system", "--edit"], what, advice)?
        }
        _ if options.local => {
            let what = "--local needs a repository in the working directory";
            let advice = "run it inside one, or use --global";
            told(setup, &["rev-parse", "--git-path", "config"], what, advice)?
        }
        (_, Some(file)) => file.clone(),
        _ => bail!(setup_failed(
            "git has no file for a user: HOME is unset, or GIT_CONFIG_GLOBAL is empty",
            "set it, or name a file with --file"
        )),
    };
    GitFile::open(&setup.surroundings.absolute(&path))
}

/// How to name that file on a command line, in whatever directory.
pub(super) fn flag(setup: &Setup<'_>, target: &GitFile) -> String {
    let options = &setup.options.target;
    match options.file.is_some() || options.local {
        true => format!("--file {}", word(target.path())),
        false if options.system => "--system".to_owned(),
        false => "--global".to_owned(),
    }
}

pub(super) fn lines_in_effect(setup: &Setup<'_>, target: &GitFile) -> Result<Vec<Line>> {
    let (git, options) = (&setup.git, &setup.options.target);
    let mut lines = match &options.file {
        Some(_) if target.bytes()?.is_none() => return Ok(Vec::new()),
        // This file and what it includes, no other.
        Some(_) => return Ok(git.lines_with_includes(&target.path())?),
        None if options.local => git.lines_here(QUICK)?,
        None => git.lines_for(None)?,
    };
    lines.retain(|line| match line.scope.as_str() {
        "system" => true,
        "global" => !options.system,
        "local" | "worktree" => options.local,
        _ => false,
    });
    Ok(lines)
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
    let mut waiting = file.lines(&setup.git)?;
    let mut seen = BTreeSet::new();
    while let Some(line) = waiting.pop() {
        let Some(path) = included(setup, &line) else { continue };
        if path.exists() && !path.is_file() && path != Path::new("/dev/null") {
            let file = line.file().unwrap_or_default();
            let what = format!("{file:?} includes {path:?}, which is not a regular file");
            let advice = format!("to take that line out, run: {}", line.edit());
            bail!(setup_failed(what, &advice));
        }
        // git itself reports a file that it cannot read.
        if let Ok(file) = GitFile::open(&path)
            && seen.insert(file.path())
            && let Ok(lines) = file.lines(&setup.git)
        {
            waiting.extend(lines);
        }
    }
    Ok(())
}

/// The file that a line includes: relative to the home directory or to its own file, as in git.
fn included(setup: &Setup<'_>, line: &Line) -> Option<PathBuf> {
    if !line.is("include", "path") && !line.is("includeif", "path") {
        return None;
    }
    match line.value.strip_prefix("~/") {
        Some(rest) => Some(setup.surroundings.home.as_ref()?.join(rest)),
        None => Some(Path::new(line.file()?).parent()?.join(&line.value)),
    }
}

pub(super) fn run(setup: &Setup<'_>, target: &GitFile) -> Result<()> {
    let link = Link::plan(setup)?;
    check_includes(setup, target)?;
    let _turn = target.take_turn(setup)?;
    let wanted = wanted(setup, &lines_in_effect(setup, target)?)?;
    let written = match write(setup, target, &wanted) {
        // To migrate, it is enough that git asks this helper for some host, with any settings.
        Err(error)
            if setup.options.migrate.is_some()
                && lines_in_effect(setup, target)?.iter().any(Line::is_ours) =>
        {
            let already = "git asks this helper already; its lines stay as they are";
            setup.say(format!("{already}: {error:#}"));
            Vec::new()
        }
        written => written?,
    };
    let in_effect = lines_in_effect(setup, target)?;
    for wanted in &wanted {
        let host = &wanted.host;
        match (wanted.origin_in(&in_effect), written.contains(&wanted)) {
            (Some(origin), false) => setup.say(format!("{host}: already set up by {origin}")),
            // Because of a line in another file.
            (None, true) if !setup.options.dry_run => setup.fail(format_args!(
                "{host}: git asks another helper, too; to see which, run: git credential-gastown \
                 doctor"
            )),
            _ => {}
        }
    }
    let settings = &setup.context.settings;
    let is_of_git = matches!(settings.origins[0], Some(Origin::HelperLine(_)));
    if is_of_git && !settings.hosts.iter().any(is_default_host) {
        setup.say(
            "github.com is not set up, because --host named other hosts; if it should be, run: git \
             credential-gastown setup --host github.com",
        );
    }
    if !written.is_empty() {
        setup.say(format!("wrote `{}`:", target.path().display()));
        for HostLine { key, line, .. } in &written {
            setup.say(format!("  {key} = "));
            setup.say(format!("  {key} = {line}"));
        }
        setup.say(
            "  the empty line makes git forget the helpers configured before it, such as `store`, \
             which would answer first with a stale token",
        );
    }
    link.map_or(Ok(()), |link| link.make(setup, target))
}

/// Writes the note, then the missing lines. Returns what was written.
fn write<'w>(
    setup: &Setup<'_>,
    target: &GitFile,
    wanted: &'w [HostLine],
) -> Result<Vec<&'w HostLine>> {
    target.change(setup, |copy| {
        let in_effect = lines_in_effect(setup, target)?;
        let is_missing = |wanted: &&HostLine| wanted.origin_in(&in_effect).is_none();
        let missing: Vec<_> = wanted.iter().filter(is_missing).collect();
        if !missing.is_empty() {
            let mut note = setup.note(&target.path(), None)?;
            let is_first = !copy.lines()?.iter().any(Line::is_ours);
            missing.iter().try_for_each(|wanted| append(copy, wanted))?;
            note.changes(copy, is_first)?;
            setup.save(&note);
        }
        Ok(missing)
    })
}

/// A link to be made, in a directory where it can be.
struct Link {
    directory: Directory,
    path: PathBuf,
    program: PathBuf,
    is_there: bool,
}

impl Link {
    /// Finds out what is in the way before anything is written.
    fn plan(setup: &Setup<'_>) -> Result<Option<Self>> {
        let Some(path) = &setup.options.gh_shim else { return Ok(None) };
        let (directory, program) = (setup.open_directory(path)?, setup.program()?);
        let path = directory.path.join(LINK);
        let is_there = match directory.entry(LINK) {
            Entry::Link(found) if found.ends_with(PROGRAM) => found == program,
            Entry::Nothing => false,
            _ => {
                let what = format!("{path:?} is there already and is not a link to this program");
                bail!(setup_failed(what, "name another directory with --gh-shim"));
            }
        };
        Ok(Some(Self { directory, path, program, is_there }))
    }

    fn make(&self, setup: &Setup<'_>, target: &GitFile) -> Result<()> {
        let Self { directory, path, program, is_there } = self;
        setup.say(match is_there {
            true => format!("`{}`: already a link to this program", path.display()),
            false => format!("made the link `{}` -> `{}`", path.display(), program.display()),
        });
        if setup.options.dry_run {
            return Ok(());
        }
        // Undo keeps a link that was there before.
        if !is_there {
            let mut note = setup.note(&target.path(), None)?;
            note.links.insert(path.clone());
            setup.save(&note);
            directory.remove(UNFINISHED)?;
            directory.make_link(UNFINISHED, program)?;
            directory.rename(UNFINISHED, LINK)?;
        }
        let first = setup.surroundings.find(LINK);
        if let Some(first) = first.filter(|it| it.canonicalize().ok() != path.canonicalize().ok()) {
            let (first, directory) = (first.display(), word(&directory.path));
            setup.say(format!(
                "note: `{first}` comes first on PATH; run: export PATH={directory}:$PATH"
            ));
        }
        Ok(())
    }
}

/// Removes a link to this program; what is none stays.
pub(super) fn remove_link(setup: &Setup<'_>, directory: &Path) -> Result<()> {
    let directory = directory.is_dir().then(|| Directory::open(directory)).transpose()?;
    if let Some(directory) = directory
        && matches!(directory.entry(LINK), Entry::Link(target) if target.ends_with(PROGRAM))
    {
        if !setup.options.dry_run {
            directory.remove(LINK)?;
        }
        setup.say(format!("removed the link `{}`", directory.path.join(LINK).display()));
    }
    Ok(())
}
