//! The helper lines: what ours say for each host, how they get into a file and out of it again,
//! and the same as environment variables (`--print-env`).

use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::git_config::{Line, helpers_on};
use git_credential_gastown::helper_line::quoted;
use git_credential_gastown::host::{Host, Kind};

use super::Setup;
use super::git_file::WorkingCopy;
use crate::cli::Flags;
use crate::config::{Origin, Setting, flags_for, is_default_host, variable};
use crate::git::setup_failed;

/// A host, and the line of that key that has git ask this helper for it.
#[derive(PartialEq, Eq)]
pub(super) struct HostLine {
    pub host: Host,
    pub key: String,
    pub line: String,
}

/// The lines for all hosts. Flags of the lines that are there already stay, unless given anew.
pub(super) fn wanted(setup: &Setup<'_>, present: &[Line]) -> Result<Vec<HostLine>, Failure> {
    let settings = &setup.context.settings;
    let wrong = [fault_of(&settings.api_url), fault_of(&settings.town), fault_of(&settings.rig)];
    // git runs the line in any directory.
    let is_relative = |(flag, value): &(&str, Option<&OsStr>)| {
        let is_path = ["--workspace", "--cache-dir", "--config"].contains(flag);
        is_path && value.is_some_and(|value| Path::new(value).is_relative())
    };
    let relative = setup.flags.named().into_iter().find(is_relative);
    let relative = relative.map(|(flag, _)| format!("{flag} is not an absolute path"));
    if let Some(what) = wrong.into_iter().flatten().chain(relative).next() {
        // It would be wrong for every git from here on.
        let advice = "correct the flag; nothing was written";
        return Err(Failure::new(Name::ConfigMissing, Retry::WhenMended, what, advice));
    }
    setup.context.meant_host()?;
    let program = word(setup.program()?.as_os_str())?;
    let line = |host: &Host| {
        let mut words = vec![program.clone()];
        for (flag, value) in flags(setup, host, &flags_for(present, host)) {
            words.extend([flag.to_owned(), word(&value)?]);
        }
        let key = format!("credential.{host}.helper");
        Ok(HostLine { host: host.clone(), key, line: words.join(" ") })
    };
    settings.hosts.iter().map(line).collect()
}

impl HostLine {
    /// Where the line comes from, if git asks it first and no stale helper after it.
    pub(super) fn origin_in(&self, lines: &[Line]) -> Option<String> {
        let chain = helpers_on(lines, &self.host, None);
        let (first, others) = chain.split_first()?;
        let is_stale = |line: &&Line| line.is_store();
        (first.value == self.line && !others.iter().any(is_stale)).then(|| first.origin.clone())
    }
}

/// The flags given, else those of the line that is there.
fn flags(setup: &Setup<'_>, host: &Host, kept: &Flags) -> Vec<(&'static str, OsString)> {
    // git runs the line where no variable may name the host. GitLab's is served by its token.
    let is_default = setup.flags.host.is_empty() && kept.host.is_empty() && is_default_host(host);
    let is_named = !is_default && setup.context.settings.kind(host) == Kind::GitHub;
    let value = |(flag, given): (&'static str, Option<&OsStr>)| {
        let value = match flag {
            "--host" => is_named.then(|| host.to_string().into()),
            _ => given.map(OsStr::to_owned).or_else(|| kept.value(flag)),
        };
        Some((flag, value?))
    };
    setup.flags.named().into_iter().filter_map(value).collect()
}

fn fault_of<T>(setting: &Setting<T>) -> Option<String> {
    setting.fault().filter(|_| matches!(setting.origin(), Some(Origin::Flag(_))))
}

fn word(text: &OsStr) -> Result<String, Failure> {
    let why = "it has a control character, or is not UTF-8";
    let what = || format!("{text:?} cannot stand in git's configuration: {why}");
    let quoted = text.to_str().and_then(quoted);
    quoted.ok_or_else(|| setup_failed(what(), "use another path or value"))
}

/// Adds our lines at the end, after all helpers that the file names. The empty one makes git forget
/// those.
pub(super) fn append(copy: &mut WorkingCopy<'_>, wanted: &HostLine) -> Result<()> {
    remove(copy, &wanted.key)?;
    copy.append(&wanted.key, &["", &wanted.line])
}

/// Takes out ours, and the empty line directly before each.
pub(super) fn remove(copy: &mut WorkingCopy<'_>, key: &str) -> Result<()> {
    let lines = copy.lines()?;
    let of_key: Vec<_> = (0..lines.len()).filter(|at| lines[*at].key == key).collect();
    // From the end, so that the other positions stay right.
    for (index, at) in of_key.iter().enumerate().rev().filter(|(_, at)| lines[**at].is_ours()) {
        let place = copy.cut(*at, usize::MAX)?;
        let before = index.checked_sub(1).map(|before| of_key[before]);
        if let Some(empty) = before.filter(|before| lines[*before].value.is_empty()) {
            copy.cut(empty, place)?;
        }
    }
    Ok(())
}

/// For the shell to evaluate. What the environment sets already stays and is not repeated.
///
/// <https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT>
pub(super) fn exports(setup: &Setup<'_>) -> Result<String, Failure> {
    let mut lines = setup.git.lines_for(None)?;
    lines.retain(|line| line.scope == "command");
    let mut pairs: Vec<(String, String)> = Vec::new();
    for wanted in wanted(setup, &lines)? {
        if wanted.origin_in(&lines).is_none() {
            pairs.extend([(wanted.key.clone(), String::new()), (wanted.key, wanted.line)]);
        }
    }
    let first = variable("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut text = export("GIT_CONFIG_COUNT", &(first + pairs.len()).to_string());
    for (index, (key, value)) in pairs.iter().enumerate() {
        let number = first + index;
        text += &export(&format!("GIT_CONFIG_KEY_{number}"), key);
        text += &export(&format!("GIT_CONFIG_VALUE_{number}"), value);
    }
    Ok(text)
}

fn export(name: &str, value: &str) -> String {
    format!("export {name}='{}'\n", value.replace('\'', r"'\''"))
}
