//! Keeps the cache from growing: removes records whose tokens died over a day ago, files that a
//! killed writer left behind, and the locks of what is gone.

use std::fs::{self, DirEntry};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use git_credential_gastown::container_token::{ContainerToken, Source};
use git_credential_gastown::failure::FailureRecord;
use git_credential_gastown::policy::{Policy, died_before};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::{Entry, Rejection, record_from_wire};

use super::{BYPASS, CONTAINER, FAILURE, LOCK, REJECTION, Renewal, TOKEN, UNFINISHED, read};

const DAY: Duration = Duration::from_hours(24);
/// No writer takes this long.
const HOUR: Duration = Duration::from_hours(1);

pub(super) fn sweep(directory: &Path, now: Timestamp, retire: impl Fn(&Path)) {
    let Ok(files) = fs::read_dir(directory) else { return };
    for file in files.flatten() {
        let name = file.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = file.path();
        let kind = name.split_once('.').map_or("", |(_, kind)| kind);
        let is_over = match kind {
            LOCK | BYPASS if !is_needed(directory, name) && is_older(&file, now.minus(DAY)) => {
                retire(&path);
                false
            }
            _ if name.starts_with(UNFINISHED) => is_older(&file, now.minus(HOUR)),
            TOKEN | FAILURE | REJECTION | CONTAINER => is_past(&path, kind, now.minus(DAY)),
            _ => false,
        };
        if is_over {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether the record was over before `then`. What cannot be read is left for its next writer.
fn is_past(path: &Path, kind: &str, then: Timestamp) -> bool {
    let Ok(Some(bytes)) = read(path) else { return false };
    let over = match kind {
        TOKEN => record_from_wire(&bytes)
            .map(|entry: Entry| died_before(&entry, then, &Policy::default())),
        FAILURE => record_from_wire(&bytes).map(|failure: FailureRecord| failure.until < then),
        REJECTION => record_from_wire(&bytes).map(|rejection: Rejection| {
            rejection.last_at.max(rejection.doubted_at.unwrap_or(rejection.last_at)) < then
        }),
        _ => record_from_wire(&bytes).map(|renewal: Renewal| {
            ContainerToken::new(renewal.token, Source::Renewal).has_expired(then)
        }),
    };
    over.unwrap_or(false)
}

fn is_needed(directory: &Path, lock: &str) -> bool {
    let stem = lock.split('.').next().unwrap_or_default();
    [TOKEN, FAILURE].iter().any(|kind| directory.join(super::name(stem, kind)).exists())
}

/// By the file's own time.
fn is_older(file: &DirEntry, then: Timestamp) -> bool {
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    let since_epoch = modified.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since_epoch.is_some_and(|since| Timestamp::from_millis(0).plus(since) < then)
}
