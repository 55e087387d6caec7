//! The cache: where it is, whose, with how much room, and who holds a lock in it.

use git_credential_gastown::failure::Name;

use super::Examination;
use super::finding::Finding;
use crate::cache::{Cache, Condition};
use crate::lock::{Lock, Try};

/// As much as many records need.
const LEAST_ROOM: u64 = 1 << 20;

pub(super) fn cache(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "cache";
    let places = Cache::inspect(&examination.context.settings.cache_candidates);
    let is_usable = |condition: &Condition| !matches!(condition, Condition::Unusable(_));
    let first_usable = places.iter().position(|(_, condition)| is_usable(condition));
    let looked_at = first_usable.map_or(places.len(), |index| index + 1);
    let mut findings = Vec::new();
    for (directory, condition) in places.iter().take(looked_at) {
        findings.push(match condition {
            Condition::Ready { room, .. } if *room < LEAST_ROOM => Finding::warn(
                LINK,
                format!("{directory:?}: only {} KiB of room are left", room >> 10),
                "make room, or name another directory in GASTOWN_CACHE_DIR",
            ),
            Condition::Ready { owner, mode, room } => Finding::ok(
                LINK,
                format!("{directory:?}: user {owner}, mode {mode:04o}, {} MiB of room", room >> 20),
            ),
            Condition::Missing => {
                Finding::ok(LINK, format!("{directory:?}: will be made when it is needed"))
            }
            Condition::Unusable(why) => Finding::warn(
                LINK,
                format!("{directory:?} cannot be used: {why} [{}]", Name::CacheUnusable),
                "mend it, or name another directory in GASTOWN_CACHE_DIR",
            ),
        });
    }
    findings
}

pub(super) fn locks(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "lock";
    let settings = &examination.context.settings;
    let Ok(place) = settings.place() else {
        return vec![Finding::ok(LINK, "none, as there is no worker to ask")];
    };
    let files = examination.context.cache.lock_files(&place.key());
    let findings: Vec<_> = files
        .into_iter()
        .filter_map(|path| {
            let mut lock = Lock::open(&path).ok()?;
            (lock.try_acquire() == Try::Busy).then(|| {
                let holder =
                    lock.holder().map_or("somebody".to_owned(), |pid| format!("process {pid}"));
                let what = format!("{path:?} is held by {holder}, which is renewing a token");
                Finding::warn(LINK, what, "wait a moment; if it stays, end that process")
            })
        })
        .collect();
    match findings.is_empty() {
        true => vec![Finding::ok(LINK, "nobody holds one")],
        false => findings,
    }
}
