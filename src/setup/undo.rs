//! `setup --undo`: makes a file what it was, to the byte where nobody else has changed it since;
//! otherwise takes out our lines and leaves the rest. With `--migrate`, puts the helpers back that
//! were removed from repositories. Tokens are not restored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use git_credential_gastown::helper_line::Kind;

use super::configure::remove_link;
use super::git_file::{GitFile, WorkingCopy};
use super::note::Note;
use super::target::Target;
use super::{OTHERWISE, Report, Setup, lines, named};

pub(super) fn run(setup: &Setup<'_>, report: &mut Report) -> Result<()> {
    let said = report.lines.len();
    let migrated = setup.options.migrate.as_ref().map(|path| setup.surroundings.absolute(path));
    let migrated = migrated.map(|path| path.canonicalize().unwrap_or(path));
    if setup.options.target.is_named() && migrated.is_none() {
        undo(setup, &Target::of(setup)?.file.path(), None, report)?;
    } else {
        for (path, migrated) in noted(setup, migrated.as_deref(), report) {
            if let Err(error) = undo(setup, &path, migrated.as_deref(), report) {
                report.fail(named(error, OTHERWISE));
            }
        }
    }
    if let Some(directory) = &setup.options.gh_shim {
        remove_link(setup, &setup.surroundings.absolute(directory), report)?;
    }
    if report.lines.len() == said {
        report.say("nothing to undo");
    }
    Ok(())
}

/// The files that the notes tell of: those that were migrated in a directory; else those that were
/// to have git ask this helper, and the usual one.
fn noted(
    setup: &Setup<'_>,
    directory: Option<&Path>,
    report: &mut Report,
) -> BTreeSet<(PathBuf, Option<PathBuf>)> {
    let notes = setup.notes.all().unwrap_or_else(|reason| {
        setup.context.messages.warning(format_args!(
            "no undo note is used, only the lines of this helper are removed: {reason:#}"
        ));
        Vec::new()
    });
    let is_meant = |note: &Note| match (directory, &note.migrated) {
        (Some(directory), Some(migrated)) => {
            migrated.starts_with(directory) || note.file.starts_with(directory)
        }
        (directory, migrated) => directory.is_none() && migrated.is_none(),
    };
    let mut noted = BTreeSet::new();
    for note in notes {
        match note {
            Ok(note) if is_meant(&note) => noted.extend([(note.file, note.migrated)]),
            Ok(_) => {}
            Err(reason) => report.fail(named(reason, OTHERWISE)),
        }
    }
    // It need not be one that setup can change, for example a device.
    let usual = Target::of(setup).ok().filter(|_| directory.is_none());
    let usual = usual.filter(|target| target.file.bytes().is_ok());
    noted.extend(usual.map(|target| (target.file.path(), None)));
    noted
}

fn undo(
    setup: &Setup<'_>,
    path: &Path,
    migrated: Option<&Path>,
    report: &mut Report,
) -> Result<()> {
    let file = path.parent().is_some_and(Path::is_dir).then(|| GitFile::open(path)).transpose()?;
    let _turn = file.as_ref().map(|file| file.take_turn(setup)).transpose()?;
    let note = setup.notes.load(path, migrated)?;
    if let Some(file) = file {
        let did = file.change(setup, |copy| restore(copy, &note, &file.path()))?;
        report.lines.extend(did);
    }
    for directory in note.links.iter().filter_map(|link| link.parent()) {
        remove_link(setup, directory, report)?;
    }
    if setup.options.dry_run { Ok(()) } else { setup.notes.remove(&note) }
}

/// Returns what it did, in words.
fn restore(copy: &mut WorkingCopy<'_>, note: &Note, path: &Path) -> Result<Vec<String>> {
    let (shown, ours) =
        (path.display(), copy.lines()?.into_iter().filter(|line| line.is_helper_of(Kind::Ours)));
    let put_back = |(key, value): &(String, String)| format!("`{shown}`: put back {key} = {value}");
    let mut did = Vec::new();
    let Some(now) = &copy.now else { return Ok(did) };
    if let Some(origin) = note.origin(now)? {
        let origin = note.was_there.then_some(origin);
        if origin != copy.now {
            did.extend(note.helpers.iter().map(put_back));
            if origin.is_none() {
                did.push(format!("removed `{shown}`, which was not there before"));
            } else if note.migrated.is_none() {
                did.push(format!("`{shown}` is as it was before"));
            }
            copy.now = origin;
        }
        return Ok(did);
    }
    // Somebody else has changed the file: removes our lines, and puts back what we removed.
    let keys: BTreeSet<_> = ours.map(|line| line.key).collect();
    for key in keys.iter().filter(|_| note.migrated.is_none()) {
        lines::remove(copy, key)?;
        did.push(format!("took the lines of this helper for {key} out of `{shown}`"));
    }
    for helper @ (key, value) in &note.helpers {
        if !copy.values(key)?.contains(value) {
            copy.edit(&["--add", key, value])?;
            did.push(put_back(helper));
        }
    }
    Ok(did)
}
