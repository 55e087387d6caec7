//! The machine: this program and its copies, git, what a killed git left behind, tokens left in the
//! environment or in `~/.netrc`, and the cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use git_credential_gastown::failure::Name;
use git_credential_gastown::helper_line::{PROGRAM, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::time::spoken;
use zeroize::Zeroizing;

use super::{Examination, Finding};
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
    findings
}

fn program(examination: &Examination<'_>) -> Vec<Finding> {
    let surroundings = &examination.surroundings;
    let Some(own) = surroundings.program() else {
        let fix = format!("add the directory of {PROGRAM} to PATH");
        return vec![Finding::warn("program", "its own path is unknown", fix)];
    };
    let version = env!("CARGO_PKG_VERSION");
    let mut findings = vec![Finding::ok("program", format!("{own:?}, version {version}"))];
    if let Some(first) = surroundings.find(PROGRAM)
        && first.canonicalize().ok() != own.canonicalize().ok()
    {
        let directory = word(&own.parent().unwrap_or(&own).to_string_lossy());
        let what = format!("another copy, {first:?}, comes first on PATH");
        findings.push(Finding::warn("program", what, format!("export PATH={directory}:\"$PATH\"")));
    }
    findings
}

fn git(examination: &Examination<'_>) -> Vec<Finding> {
    let git = examination.git.as_ref().map_err(Clone::clone);
    let (path, said) = match git.and_then(|git| Ok((&git.path, git.run(&["--version"])?))) {
        Ok(said) => said,
        Err(failure) => return vec![Finding::of("git", &failure)],
    };
    let version = String::from_utf8_lossy(&said.stdout);
    let version = version.trim().trim_start_matches("git version ");
    let what = format!("{path:?}, version {version}");
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    let heals = numbers.next().zip(numbers.next()).is_some_and(|it| it >= HEALS_SINCE);
    let mut findings = vec![match heals {
        true => Finding::ok("git", what),
        false => Finding::warn(
            "git",
            format!("{what}: a token refused early costs one failed command"),
            "upgrade git to 2.46 or newer, or run such a command again",
        ),
    }];
    findings.extend(examination.lines.as_ref().err().map(|failure| Finding::of("git", failure)));
    findings
}

/// With its lock in place git cannot change a configuration file, nor can setup.
fn stale_locks(examination: &Examination<'_>) -> Vec<Finding> {
    let mut paths = Vec::new();
    if let Some(path) = &examination.surroundings.global_git_config {
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        paths.push(PathBuf::from([path.as_os_str(), ".lock".as_ref()].join("".as_ref())));
    }
    if let Some(path) = examination.output(&["rev-parse", "--git-path", "config.lock"]) {
        paths.push(examination.surroundings.absolute(Path::new(&path)));
    }
    let mut findings = Vec::new();
    for path in paths {
        let changed = path.symlink_metadata().and_then(|metadata| metadata.modified());
        let age = changed.ok().and_then(|changed| changed.elapsed().ok()).unwrap_or_default();
        if age > LONGEST_LOCK {
            let what = format!("{path:?} has been there for {}: a killed git left it", spoken(age));
            let fix = format!("rm {}", word(&path.to_string_lossy()));
            findings.push(Finding::warn("git-lock", what, fix));
        }
    }
    findings
}

fn environment(examination: &Examination<'_>) -> Option<Finding> {
    let tokens = examination.surroundings.tokens.iter();
    let stale = tokens.filter(|(_, token)| token.is_installation_token()).map(|(name, _)| *name);
    let stale: Vec<_> = stale.collect();
    let what = "an installation token, which dies within the hour; gh and others take it as it is";
    let what = format!("{}: {what}", stale.join(", "));
    let fix = format!("unset {}", stale.join(" "));
    (!stale.is_empty()).then(|| Finding::warn("environment", what, fix))
}

fn netrc(examination: &Examination<'_>) -> Option<Finding> {
    let path = examination.surroundings.home.as_ref()?.join(".netrc");
    let shown = word(&path.to_string_lossy());
    let text = match files::read(&path) {
        Ok(bytes) => Zeroizing::new(bytes?),
        Err(reason) => {
            return Some(Finding::warn("netrc", format!("{reason:#}"), format!("rm {shown}")));
        }
    };
    let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(<[u8]>::to_ascii_lowercase).collect();
    let is_named = |host: &&Host| {
        let names = |pair: &[Vec<u8>]| pair[0] == b"machine" && pair[1] == host.name().as_bytes();
        words.windows(2).any(names) || words.iter().any(|word| word == b"default")
    };
    let hosts = examination.context.settings.hosts.iter().filter(is_named).map(Host::name);
    let hosts: Vec<_> = hosts.collect();
    let what = format!("an entry for {} is tried before any helper", hosts.join(", "));
    let fix = format!("remove that entry, or `default`, from {shown}");
    (!hosts.is_empty()).then(|| Finding::warn("netrc", what, fix))
}

/// Each directory up to the first that can be used, and who holds a lock there.
fn cache(examination: &Examination<'_>) -> Vec<Finding> {
    const ELSEWHERE: &str = "make GASTOWN_CACHE_DIR name a directory of your own with room in it";
    let context = examination.context;
    let mut findings = Vec::new();
    for (directory, condition) in Cache::inspect(&context.settings.cache_candidates) {
        let is_usable = !matches!(condition, Condition::Unusable(_));
        findings.push(match condition {
            Condition::Ready { owner, mode, room } => {
                let left = format!("{} MiB of room", room >> 20);
                let what = format!("{directory:?}: user {owner}, mode {mode:04o}, {left}");
                let is_roomy = room >= LEAST_ROOM;
                if is_roomy {
                    Finding::ok("cache", what)
                } else {
                    Finding::warn("cache", what, ELSEWHERE)
                }
            }
            Condition::Missing => Finding::ok("cache", format!("{directory:?}: made when needed")),
            Condition::Unusable(why) => {
                // Some reasons come with the command that removes them.
                let (why, fix) = why.split_once("; run: ").unwrap_or((&why, ELSEWHERE));
                let what = format!("{directory:?} cannot be used: {why}");
                Finding::warn("cache", what, fix).named(Name::CacheUnusable)
            }
        });
        if is_usable {
            break;
        }
    }
    let place = context.settings.place().ok();
    for path in place.iter().flat_map(|place| context.cache.lock_files(&place.key())) {
        if let Ok(mut lock) = Lock::open(&path)
            && lock.try_acquire() == Try::Busy
        {
            let holder = lock.holder().map_or("of unknown id".to_owned(), |id| id.to_string());
            let what = format!("process {holder} is renewing a token, for 20 s at most");
            let fix = "sleep 20; git credential-gastown doctor";
            findings.push(Finding::warn("lock", what, fix));
        }
    }
    findings
}
