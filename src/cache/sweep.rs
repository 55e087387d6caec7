//! Keeps the cache from growing: removes records whose tokens died over a day ago, files that a
//! killed writer left behind, and the locks of what is gone.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use git_credential_gastown::failure::{FailureKey, FailureRecord};
use git_credential_gastown::host::{CacheKey, TownKey};
use git_credential_gastown::policy::{HostKey, HostRecord, died_before};
use git_credential_gastown::record::{Key, record_of};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::Entry;
use git_credential_gastown::token::container::{ContainerToken, Source};
use rustix::fs::{CWD, Dir, Mode, OFlags, openat};

use super::{BYPASS, LOCK, UNFINISHED, read};
use crate::lock;

const DAY: Duration = Duration::from_hours(24);
/// No writer takes this long.
const HOUR: Duration = Duration::from_hours(1);
/// A snapshot that was refused must not come back while an agent that has it may still run.
const MONTH: Duration = Duration::from_hours(30 * 24);

/// Goes as far as it can: what cannot be listed or removed stays for the next time.
pub(super) fn sweep(directory: &Path, now: Timestamp) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // std's directory reader panics where closing fails.
    let Ok(names) = openat(CWD, directory, flags, Mode::empty()).and_then(Dir::new) else { return };
    for name in names {
        let Ok(name) = name else { return };
        let Ok(name) = name.file_name().to_str() else { continue };
        let path = directory.join(name);
        let kind = name.split_once('.').map_or("", |(_, kind)| kind);
        let is_over = match kind {
            LOCK | BYPASS if !is_needed(directory, name) && is_older(&path, now.minus(DAY)) => {
                lock::retire(&path);
                false
            }
            _ if name.starts_with(UNFINISHED) => is_older(&path, now.minus(HOUR)),
            _ if name.ends_with(".json") => is_past(&path, kind, now),
            _ => false,
        };
        if is_over {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether the record has been over for a day. What cannot be read goes by the file's own time.
fn is_past(path: &Path, kind: &str, now: Timestamp) -> bool {
    let then = now.minus(DAY);
    let Ok(Some(bytes)) = read(path) else { return false };
    let over = match kind {
        CacheKey::KIND => record_of(&bytes).map(|entry: Entry| died_before(&entry, then)),
        FailureKey::KIND => record_of(&bytes).map(|failure: FailureRecord| failure.until < then),
        HostKey::KIND => record_of(&bytes).map(|record: HostRecord| {
            let keep = if record.is_refused() { MONTH } else { DAY };
            record.touched_at().is_none_or(|at| at < now.minus(keep))
        }),
        TownKey::KIND => record_of(&bytes).and_then(|secret| {
            let expires = ContainerToken::new(secret, Source::Renewal).expires();
            expires.map(|at| at < then).ok_or("without an expiry")
        }),
        _ => Err("of another edition"),
    };
    over.unwrap_or_else(|_| is_older(path, then))
}

fn is_needed(directory: &Path, lock: &str) -> bool {
    let stem = lock.split('.').next().unwrap_or_default();
    [CacheKey::KIND, FailureKey::KIND]
        .iter()
        .any(|kind| directory.join(format!("{stem}.{kind}")).exists())
}

/// By the file's own time.
fn is_older(path: &Path, then: Timestamp) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    let since_epoch = modified.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since_epoch.is_some_and(|since| Timestamp::from_millis(0).plus(since) < then)
}
