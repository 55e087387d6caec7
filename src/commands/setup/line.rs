//! The helper line: this program's path and the settings that were given as flags, which then hold
//! for every git that reads the line.

use std::path::Path;

use clap::ValueEnum as _;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::helper_line::quoted;
use git_credential_gastown::host::Host;

use super::{Bench, failure};
use crate::config::{Origin, Setting};

/// The lines for all hosts to be set up, under their keys.
pub(super) fn all(bench: &Bench<'_>) -> Result<Vec<(Host, String)>, Failure> {
    check_flags(bench)?;
    let hosts = &bench.context.settings.hosts;
    if hosts.is_empty() {
        let what = "there is no git host to set up";
        let advice = "name one with --host, as --host github.com";
        return Err(Failure::new(Name::ConfigMissing, Retry::WhenMended, what, advice));
    }
    hosts.iter().map(|host| Ok((host.clone(), line(bench, host)?))).collect()
}

pub(super) fn key(host: &Host) -> String {
    format!("credential.{host}.helper")
}

fn line(bench: &Bench<'_>, host: &Host) -> Result<String, Failure> {
    let lack = || failure("this program's own path is unknown".to_owned(), "call it by its path");
    let program = bench.surroundings.program().ok_or_else(lack)?;
    let mut words = vec![word(&program.to_string_lossy())?];
    for (flag, value) in values(bench, host) {
        words.extend([flag.to_owned(), word(&value)?]);
    }
    Ok(words.join(" "))
}

/// The flags given, as they can stand for any directory that git runs in.
fn values(bench: &Bench<'_>, host: &Host) -> Vec<(&'static str, String)> {
    let flags = bench.flags;
    let text = |value: &Option<String>| value.clone();
    let path = |value: &Option<std::path::PathBuf>| {
        let absolute = |path: &std::path::PathBuf| bench.surroundings.absolute(Path::new(path));
        value.as_ref().map(|path| absolute(path).to_string_lossy().into_owned())
    };
    let on_failure = flags.on_failure.and_then(|what| what.to_possible_value());
    let values = [
        ("--api-url", text(&flags.api_url)),
        ("--town", text(&flags.town)),
        ("--rig", text(&flags.rig)),
        ("--workspace", path(&flags.workspace)),
        // The helper answers only for hosts on its list.
        ("--host", (!flags.host.is_empty()).then(|| host.to_string())),
        ("--cache-dir", path(&flags.cache_dir)),
        ("--config", path(&flags.config)),
        ("--on-failure", on_failure.map(|what| what.get_name().to_owned())),
    ];
    values.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect()
}

/// A flag that is wrong now would be wrong for every git from here on.
fn check_flags(bench: &Bench<'_>) -> Result<(), Failure> {
    let settings = &bench.context.settings;
    let wrong = [fault_of(&settings.api_url), fault_of(&settings.town), fault_of(&settings.rig)];
    match wrong.into_iter().flatten().next() {
        None => Ok(()),
        Some(what) => {
            let advice = "correct the flag; nothing was written";
            Err(Failure::new(Name::ConfigMissing, Retry::WhenMended, what, advice))
        }
    }
}

fn fault_of<T>(setting: &Setting<T>) -> Option<String> {
    match setting {
        Setting::Wrong { origin: Origin::Flag(name), why } => Some(format!("{name} is {why}")),
        _ => None,
    }
}

fn word(text: &str) -> Result<String, Failure> {
    quoted(text).ok_or_else(|| {
        let what = format!("{text:?} cannot stand in git's configuration: a control character");
        failure(what, "use another path or value")
    })
}
