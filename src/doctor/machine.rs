//! The machine: this program and its copies, git, what a killed git left behind, tokens left in the
//! environment or in `~/.netrc`, and the cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use git_credential_gastown::failure::Name;
use git_credential_gastown::helper_line::{PROGRAM, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::time::spoken;
use zeroize::Zeroizing;

use super::Examination;
use super::report::{Finding, Status};
use crate::cache::{Cache, Condition};
use crate::files;
use crate::lock::{Lock, Try};

/// From here on git asks a helper again within one command.
const HEALS_SINCE: (u32, u32) = (2, 46);
/// As much as many records need.
const LEAST_ROOM: u64 = 1 << 20;
/// git holds the lock of a file for as long as it takes to write it.
const LONGEST_LOCK: Duration = Duration::from_secs(10);

pub(super) fn check(examination: &Examination<'_>) -> Vec<Finding> {
    let mut findings = program(examination);
    findings.extend(git(examination));
    findings.extend(stale_locks(examination));
    findings.extend(environment(examination));
    findings.extend(netrc(examination));
    findings.extend(cache(examination));
    findings.extend(busy_locks(examination));
    findings
}

fn program(examination: &Examination<'_>) -> Vec<Finding> {
    const CHECK: &str = "program";
    let surroundings = &examination.surroundings;
    let Some(own) = surroundings.program() else {
        let fix = format!("add the directory of {PROGRAM} to PATH");
        return vec![Finding::problem(Status::Warn, CHECK, "its own path is unknown", fix)];
    };
    let version = env!("CARGO_PKG_VERSION");
    let mut findings = vec![Finding::ok(CHECK, format!("{own:?}, version {version}"))];
    if let Some(first) = surroundings.find(PROGRAM)
        && first.canonicalize().ok() != own.canonicalize().ok()
    {
        let directory = word(&own.parent().unwrap_or(&own).to_string_lossy());
        findings.push(Finding::problem(
            Status::Warn,
            CHECK,
            format!("another copy, {first:?}, comes first on PATH"),
            format!("export PATH={directory}:\"$PATH\""),
        ));
    }
    findings
}

fn git(examination: &Examination<'_>) -> Vec<Finding> {
    const CHECK: &str = "git";
    let said = examination.git.as_ref().map_err(Clone::clone);
    let said = said.and_then(|git| Ok((&git.path, git.run(&["--version"])?)));
    let (path, said) = match said {
        Ok(said) => said,
        Err(failure) => return vec![Finding::of(Status::Fail, CHECK, &failure)],
    };
    let version = String::from_utf8_lossy(&said.stdout);
    let version = version.trim().trim_start_matches("git version ");
    let mut findings = vec![match heals(version) {
        true => Finding::ok(CHECK, format!("{path:?}, version {version}")),
        false => Finding::problem(
            Status::Warn,
            CHECK,
            format!("{path:?}, version {version}: a token refused early costs one failed command"),
            "upgrade git to 2.46 or newer, or run such a command again",
        ),
    }];
    let unreadable = examination.lines.as_ref().err();
    findings.extend(unreadable.map(|failure| Finding::of(Status::Fail, CHECK, failure)));
    findings
}

fn heals(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version >= HEALS_SINCE)
}

/// With its lock in place git cannot change a configuration file, nor can setup.
fn stale_locks(examination: &Examination<'_>) -> Vec<Finding> {
    let of_repository = || {
        let git = examination.git.as_ref().ok()?;
        let said = git.run(&["rev-parse", "--git-path", "config.lock"]).ok()?;
        let path = String::from_utf8_lossy(&said.stdout).trim_end().to_owned();
        said.succeeded.then(|| examination.surroundings.absolute(Path::new(&path)))
    };
    let of_user = || {
        let mut path = examination.surroundings.global_git_config.clone()?.into_os_string();
        path.push(".lock");
        Some(PathBuf::from(path))
    };
    let paths = [of_user(), of_repository()].into_iter().flatten();
    let stale = paths.filter_map(|path| {
        let age = path.symlink_metadata().ok()?.modified().ok()?.elapsed().ok()?;
        (age > LONGEST_LOCK).then_some((path, age))
    });
    let found = stale.map(|(path, age)| {
        let what = format!("{path:?} has been there for {}: a killed git left it", spoken(age));
        let fix = format!("rm {}", word(&path.to_string_lossy()));
        Finding::problem(Status::Warn, "git-lock", what, fix)
    });
    found.collect()
}

fn environment(examination: &Examination<'_>) -> Option<Finding> {
    let tokens = examination.surroundings.tokens.iter();
    let names = tokens.filter(|(_, token)| token.is_installation_token()).map(|(name, _)| *name);
    let names: Vec<_> = names.collect();
    let what = format!(
        "{}: an installation token, which dies within the hour; gh and others take it as it is",
        names.join(", ")
    );
    let fix = format!("unset {}", names.join(" "));
    (!names.is_empty()).then(|| Finding::problem(Status::Warn, "environment", what, fix))
}

fn netrc(examination: &Examination<'_>) -> Option<Finding> {
    const CHECK: &str = "netrc";
    let path = examination.surroundings.home.as_ref()?.join(".netrc");
    let shown = word(&path.to_string_lossy());
    let text = match files::read(&path) {
        Ok(bytes) => Zeroizing::new(bytes?),
        Err(reason) => {
            let fix = format!("chmod u+r {shown}");
            return Some(Finding::problem(Status::Warn, CHECK, format!("{reason:#}"), fix));
        }
    };
    let named = |host: &&Host| has_entry(&text, host.name());
    let hosts = examination.context.settings.hosts.iter().filter(named);
    let hosts: Vec<_> = hosts.map(Host::name).collect();
    let what = format!("an entry for {} is tried before any helper", hosts.join(", "));
    let fix = format!("remove that entry, or `default`, from {shown}");
    (!hosts.is_empty()).then(|| Finding::problem(Status::Warn, CHECK, what, fix))
}

/// `machine NAME`, or `default`, which stands for every machine.
fn has_entry(text: &[u8], name: &str) -> bool {
    let words: Vec<_> =
        text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    let names =
        |pair: &[&[u8]]| pair[0] == b"machine" && pair[1].eq_ignore_ascii_case(name.as_bytes());
    words.windows(2).any(names) || words.contains(&b"default".as_slice())
}

/// Each directory up to the first that can be used.
fn cache(examination: &Examination<'_>) -> Vec<Finding> {
    const CHECK: &str = "cache";
    const ELSEWHERE: &str = "make GASTOWN_CACHE_DIR name a directory of your own with room in it";
    let places = Cache::inspect(&examination.context.settings.cache_candidates);
    let is_unusable = |condition: &Condition| matches!(condition, Condition::Unusable(_));
    let usable = places.iter().position(|(_, condition)| !is_unusable(condition));
    let looked_at = places.iter().take(usable.map_or(places.len(), |index| index + 1));
    let found = looked_at.map(|(directory, condition)| match condition {
        Condition::Ready { room, .. } if *room < LEAST_ROOM => Finding::problem(
            Status::Warn,
            CHECK,
            format!("{directory:?}: only {} KiB of room are left", room >> 10),
            ELSEWHERE,
        ),
        Condition::Ready { owner, mode, room } => Finding::ok(
            CHECK,
            format!("{directory:?}: user {owner}, mode {mode:04o}, {} MiB of room", room >> 20),
        ),
        Condition::Missing => Finding::ok(CHECK, format!("{directory:?}: made when it is needed")),
        Condition::Unusable(why) => {
            // Some reasons come with the command that removes them.
            let (why, fix) = why.split_once("; run: ").unwrap_or((why, ELSEWHERE));
            let what = format!("{directory:?} cannot be used: {why}");
            Finding::problem(Status::Warn, CHECK, what, fix).named(Name::CacheUnusable)
        }
    });
    found.collect()
}

fn busy_locks(examination: &Examination<'_>) -> Vec<Finding> {
    let context = examination.context;
    let Ok(place) = context.settings.place() else { return Vec::new() };
    let files = context.cache.lock_files(&place.key()).into_iter();
    let busy = files.filter_map(|path| {
        let mut lock = Lock::open(&path).ok()?;
        (lock.try_acquire() == Try::Busy).then(|| lock.holder())
    });
    let found = busy.map(|holder| {
        let holder = holder.map_or("of unknown id".to_owned(), |process| process.to_string());
        let what = format!("process {holder} is renewing a token, and others wait for it");
        let fix = "wait 20 s; if it is still there then, end that process";
        Finding::problem(Status::Warn, "lock", what, fix)
    });
    found.collect()
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
