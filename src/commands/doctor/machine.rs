//! The machine: this program and its copies, git, tokens left in the environment or in `~/.netrc`.

use std::path::Path;

use git_credential_gastown::helper_line::PROGRAM;
use git_credential_gastown::host::Host;
use zeroize::Zeroizing;

use super::Examination;
use super::finding::Finding;
use crate::files;

/// From here on git asks a helper again within one command.
const HEALS_SINCE: (u32, u32) = (2, 46);

pub(super) fn program(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "helper";
    let surroundings = &examination.surroundings;
    let version = env!("CARGO_PKG_VERSION");
    let Some(own) = surroundings.program() else {
        return vec![Finding::warn(LINK, "its own path is unknown", "call it by its path")];
    };
    let mut findings = vec![Finding::ok(LINK, format!("{own:?}, version {version}"))];
    if let Some(first) = surroundings.find(PROGRAM)
        && first.canonicalize().ok() != own.canonicalize().ok()
    {
        findings.push(Finding::warn(
            LINK,
            format!("another copy, {first:?}, comes first on PATH"),
            format!("remove {first:?}, or put the directory of {own:?} before it"),
        ));
    }
    findings
}

pub(super) fn git(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "git";
    let git = match &examination.git {
        Ok(git) => git,
        Err(failure) => return vec![Finding::fail(LINK, &failure.what, &failure.advice)],
    };
    let finding = match git.run(&["--version"]) {
        Err(failure) => Finding::fail(LINK, failure.what, failure.advice),
        Ok(said) => {
            let text = String::from_utf8_lossy(&said.stdout).trim().to_owned();
            let version = text.trim_start_matches("git version ").to_owned();
            let what = format!("{:?}, version {version}", git.path);
            match heals(&version) {
                true => Finding::ok(LINK, format!("{what}: replaces a refused token by itself")),
                false => Finding::warn(
                    LINK,
                    format!("{what}: a token refused early costs one failed command"),
                    "upgrade git to 2.46 or newer, or run such a command again",
                ),
            }
        }
    };
    let mut findings = vec![finding];
    if let Err(failure) = &examination.lines {
        findings.push(Finding::fail(LINK, &failure.what, &failure.advice));
    }
    findings
}

fn heals(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version >= HEALS_SINCE)
}

pub(super) fn environment(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "environment";
    let stale = examination.surroundings.tokens.iter();
    let findings: Vec<_> = stale
        .filter(|(_, token)| token.is_installation_token())
        .map(|(name, _)| {
            Finding::warn(
                LINK,
                format!(
                    "{name} holds an installation token, which dies within the hour; gh and \
                         others take it as it is"
                ),
                format!("unset {name}; for gh: git credential-gastown setup --gh-shim DIR"),
            )
        })
        .collect();
    match findings.is_empty() {
        true => vec![Finding::ok(LINK, "no token that would go stale")],
        false => findings,
    }
}

pub(super) fn netrc(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "netrc";
    let Some(path) = examination.surroundings.home.as_ref().map(|home| home.join(".netrc")) else {
        return vec![Finding::ok(LINK, "no home, so no ~/.netrc")];
    };
    let text = match files::read(&path) {
        Ok(Some(bytes)) => Zeroizing::new(bytes),
        Ok(None) => return vec![Finding::ok(LINK, "there is no ~/.netrc")],
        Err(reason) => {
            return vec![Finding::warn(
                LINK,
                format!("{reason:#}"),
                "make it readable, or remove it",
            )];
        }
    };
    let named = |host: &&Host| has_entry(&text, host.name());
    let hosts: Vec<_> = examination.context.settings.hosts.iter().filter(named).collect();
    let told = |host: &Host| {
        Finding::warn(
            LINK,
            format!("an entry for {} is tried before any helper", host.name()),
            format!("take it out of {}", shown(&path)),
        )
    };
    match hosts.as_slice() {
        [] => vec![Finding::ok(LINK, "no entry for our hosts in ~/.netrc")],
        hosts => hosts.iter().map(|host| told(host)).collect(),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// `machine NAME`, or `default`, which stands for every machine.
fn has_entry(text: &[u8], name: &str) -> bool {
    let words: Vec<_> =
        text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    let names =
        |pair: &[&[u8]]| pair[0] == b"machine" && pair[1].eq_ignore_ascii_case(name.as_bytes());
    words.windows(2).any(names) || words.contains(&b"default".as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_tells_whether_git_heals() {
        for version in ["2.46.0", "2.47.3", "3.0", "2.46.windows.1"] {
            assert!(heals(version), "{version}");
        }
        for version in ["2.45.9", "2.39.5", "1.99", "", "x"] {
            assert!(!heals(version), "{version}");
        }
    }

    #[test]
    fn an_entry_is_of_one_machine_or_of_all() {
        assert!(has_entry(b"machine github.com\n login x password y", "github.com"));
        assert!(has_entry(b"default login x", "github.com"));
        assert!(!has_entry(b"machine gist.github.com login github.com", "github.com"));
    }
}
