//! The machine: this program and its copies, git, tokens left in the environment or in `~/.netrc`,
//! and the cache.

use git_credential_gastown::failure::Name;
use git_credential_gastown::helper_line::{PROGRAM, word};
use git_credential_gastown::host::Host;
use zeroize::Zeroizing;

use super::{Fail, Inputs, Report, Warn};
use crate::cache::{Cache, Condition, Fault};
use crate::files;
use crate::lock::Lock;

/// From here on git asks a helper again within one command.
const HEALS_SINCE: (u32, u32) = (2, 46);
/// As much as many records need.
const LEAST_ROOM: u64 = 1 << 20;

pub(super) fn check(inputs: &Inputs<'_>, report: &mut Report) {
    program(inputs, report);
    git(inputs, report);
    environment(inputs, report);
    netrc(inputs, report);
    cache(inputs, report);
    lock(inputs, report);
}

fn program(Inputs { surroundings, .. }: &Inputs<'_>, report: &mut Report) {
    let Some(own) = surroundings.program() else {
        let fix = format!("add the directory of {PROGRAM} to PATH");
        report.add("program", Warn, "its own path is unknown", fix);
        return;
    };
    report.ok("program", format_args!("{own:?}, version {}", env!("CARGO_PKG_VERSION")));
    if let Some(first) = surroundings.find(PROGRAM)
        && first.canonicalize().ok() != own.canonicalize().ok()
    {
        let directory = word(own.parent().unwrap_or(&own));
        let what = format_args!("another copy, {first:?}, comes first on PATH");
        report.add("program", Warn, what, format!("export PATH={directory}:\"$PATH\""));
    }
}

fn git(inputs: &Inputs<'_>, report: &mut Report) {
    let git = inputs.git.as_ref().map_err(Clone::clone);
    let (path, said) = match git.and_then(|git| Ok((&git.path, git.run(&["--version"])?))) {
        Ok(said) => said,
        Err(failure) => return report.failure(Fail, &failure),
    };
    let version = String::from_utf8_lossy(&said.stdout);
    let version = version.trim().trim_start_matches("git version ");
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    if numbers.next().zip(numbers.next()).is_some_and(|version| version >= HEALS_SINCE) {
        report.ok("git", format_args!("{path:?}, version {version}"));
    } else {
        let what = "a token refused early costs one failed command";
        let fix = "upgrade git to 2.46 or newer, or run such a command again";
        report.add("git", Warn, format_args!("{path:?}, version {version}: {what}"), fix);
    }
    if let Some(failure) = &inputs.context.git_config.fault {
        report.failure(Fail, failure);
    }
}

fn environment(inputs: &Inputs<'_>, report: &mut Report) {
    let names: Vec<_> = inputs.surroundings.installation_tokens().collect();
    if !names.is_empty() {
        let what =
            "an installation token, which dies within the hour; gh and others take it as it is";
        let what = format_args!("{}: {what}", names.join(", "));
        report.add("environment", Warn, what, format!("unset {}", names.join(" ")));
    }
}

fn netrc(inputs: &Inputs<'_>, report: &mut Report) {
    let Some(home) = &inputs.surroundings.home else { return };
    let path = home.join(".netrc");
    let shown = word(&path);
    let text = match files::read(&path) {
        Ok(Some(bytes)) => Zeroizing::new(bytes),
        Ok(None) => return,
        Err(reason) => {
            report.add("netrc", Warn, format_args!("{reason:#}"), format!("rm {shown}"));
            return;
        }
    };
    let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(<[u8]>::to_ascii_lowercase).collect();
    let is_named = |host: &&Host| {
        let names = |pair: &[Vec<u8>]| pair[0] == b"machine" && pair[1] == host.name().as_bytes();
        words.windows(2).any(names) || words.iter().any(|word| word == b"default")
    };
    let hosts = inputs.context.settings.hosts.iter().filter(is_named).map(Host::name);
    let hosts: Vec<_> = hosts.collect();
    if !hosts.is_empty() {
        let what = format_args!("an entry for {} is tried before any helper", hosts.join(", "));
        report.add("netrc", Warn, what, format!("remove that entry, or `default`, from {shown}"));
    }
}

/// Each directory up to the first that can be used.
fn cache(inputs: &Inputs<'_>, report: &mut Report) {
    const CHECK: &str = "cache";
    const RUN: &str = "; run: ";
    const ELSEWHERE: &str = "make GASTOWN_CACHE_DIR name a directory of your own with room in it";
    for (directory, condition) in Cache::inspect(&inputs.context.settings.cache_candidates) {
        match condition {
            Condition::Ready { owner, mode, room } => {
                let room_left = format!("{} MiB of room", room >> 20);
                let what = format!("{directory:?}: user {owner}, mode {mode:04o}, {room_left}");
                if room >= LEAST_ROOM {
                    report.ok(CHECK, what);
                } else {
                    report.add(CHECK, Warn, what, ELSEWHERE);
                }
                for Fault { what, .. } in inputs.context.cache.keys().1 {
                    let (what, fix) = what.split_once(RUN).unwrap_or((&what, ELSEWHERE));
                    report.add(CHECK, Warn, what, fix).error = Some(Name::CacheUnusable);
                }
                return;
            }
            Condition::Missing => {
                return report.ok(CHECK, format_args!("{directory:?}: made when needed"));
            }
            Condition::Unusable(why) => {
                // Some reasons come with the command that removes them.
                let (why, fix) = why.split_once(RUN).unwrap_or((&why, ELSEWHERE));
                let what = format_args!("{directory:?} cannot be used: {why}");
                report.add(CHECK, Warn, what, fix).error = Some(Name::CacheUnusable);
            }
        }
    }
}

/// Who holds the lock of a renewal.
fn lock(Inputs { context, .. }: &Inputs<'_>, report: &mut Report) {
    let place = context.settings.place().ok();
    for path in place.iter().flat_map(|place| context.cache.lock_files(&place.key())) {
        if let Ok(mut lock) = Lock::open(&path)
            && !lock.try_acquire()
        {
            let holder = lock.holder().map_or("of unknown id".to_owned(), |id| id.to_string());
            let what = format_args!("process {holder} is renewing a token, for 20 s at most");
            report.add("lock", Warn, what, "sleep 20; git credential-gastown doctor");
        }
    }
}
