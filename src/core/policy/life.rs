//! How long a token lives: the earliest and the latest moment of its death, the margins for a life
//! of that length, and the entry to keep for a token just granted.

use std::time::Duration;

use super::{
    ASSURED_LIFE, DEAD, DUE, LEAST_GAP, LONGEST_LIFE, PERSONAL_LIFE, PERSONAL_RENEWAL, Reason,
    SOON, SPREAD, State, TOLERANCE, is_within,
};
use crate::time::{Timestamp, part};
use crate::token::{Entry, Grant, Kind, Predecessors};

/// The earliest and the latest moment of a token's death, and its margins.
pub struct Life {
    /// It certainly lives until then.
    pub least: Timestamp,
    /// It is certainly dead from then on; a long-lived token has no such moment.
    pub most: Option<Timestamp>,
    /// The first ask after this renews it. The drawn moment comes from disk: it can make a renewal
    /// earlier, never later.
    pub renew_at: Timestamp,
    /// What was left of it when it was last received.
    length: Duration,
    /// The same when it was first received.
    whole: Duration,
    soon: Duration,
    spread: Duration,
}

impl Life {
    pub fn of(entry: &Entry) -> Self {
        let (least, most) = match (entry.expires, entry.token.kind()) {
            (Some(expires), _) => (expires, Some(expires)),
            (None, Kind::Installation) => {
                let most = entry.first_seen.plus(LONGEST_LIFE);
                (entry.confirmed_at.plus(ASSURED_LIFE).min(most), Some(most))
            }
            (None, Kind::PersonalAccess) => (entry.confirmed_at.plus(PERSONAL_RENEWAL), None),
        };
        let length = least.since(entry.confirmed_at);
        let whole = least.since(entry.first_seen.min(entry.confirmed_at));
        // A long-lived token has no end to keep a margin before.
        let margin = |longest: Duration, part| match most {
            Some(_) => longest.min(length / part),
            None => Duration::ZERO,
        };
        let (soon, spread) = (margin(SOON, 3), margin(SPREAD, 6));
        let renew_at = entry.renew_at.min(least.minus(soon));
        Self { least, most, renew_at, length, whole, soon, spread }
    }

    pub(super) fn state_at(&self, now: Timestamp, entry: &Entry) -> (State, Reason) {
        let dead = DEAD.min(self.length / 20);
        if let Some(most) = self.most.filter(|most| now >= most.minus(dead)) {
            return (State::Dead, Reason::DiedAgo(now.since(most)));
        }
        let too_long = LONGEST_LIFE + TOLERANCE;
        if entry.first_seen > now.plus(TOLERANCE)
            || self.most.is_some_and(|most| most.since(now) > too_long)
        {
            return (State::Odd, Reason::ClockWentBack);
        }
        if now < self.renew_at {
            return (State::Fresh, Reason::FreshFor(self.renew_at.since(now)));
        }
        let Some(most) = self.most else {
            return (State::Soon, Reason::ConfirmedAgo(now.since(entry.confirmed_at)));
        };
        if now < self.least.minus(DUE.min(self.length / 5)) {
            (State::Soon, Reason::LivesFor(self.least.since(now)))
        } else if now < self.least {
            (State::Due, Reason::LivesFor(self.least.since(now)))
        } else {
            (State::Due, Reason::MayLiveFor(most.since(now)))
        }
    }

    /// A duration of the policy, at most a tenth of the whole life: a token that is handed out again
    /// shortly before its end is not asked about more often.
    pub(super) fn shortened(&self, gap: Duration) -> Duration {
        gap.min(self.whole / 10)
    }

    pub(super) fn just_confirmed(&self, now: Timestamp, entry: &Entry) -> bool {
        is_within(self.shortened(LEAST_GAP), entry.confirmed_at, now)
    }
}

/// The entry to keep for a token just granted. `previous` is what the cache held, `draw` in 0..1
/// spreads the machines.
///
/// The same token again comes from the worker's own cache (worker contract, fact 3): it keeps its
/// `first_seen`. If it is handed out beyond the longest life, it is of another kind or the worker
/// is stuck: it counts as first seen now, and a refusal will show if it is dead.
pub fn entry_for(grant: Grant, previous: Option<&Entry>, draw: f64) -> Entry {
    let Grant { token, expires, asked_at, clock_ahead: _ } = grant;
    let is_same = |entry: &&Entry| entry.token.hash() == token.hash();
    // An entry written while the clock ran ahead says nothing about the token's age.
    let is_odd = |entry: &Entry| Life::of(entry).state_at(asked_at, entry).0 == State::Odd;
    let same = previous.filter(is_same).filter(|entry| !is_odd(entry));
    let mut entry = Entry {
        first_seen: same.map_or(asked_at, |entry| entry.first_seen.min(asked_at)),
        confirmed_at: asked_at,
        expires: expires.or(same.and_then(|entry| entry.expires)),
        renew_at: asked_at,
        predecessors: match previous {
            None => Predecessors::default(),
            Some(entry) if is_same(&entry) => entry.predecessors.clone(),
            Some(entry) => entry.predecessors.after(entry.token.hash()),
        },
        token,
    };
    if Life::of(&entry).state_at(asked_at, &entry).0 == State::Dead {
        (entry.first_seen, entry.expires) = (asked_at, expires);
    }
    let life = Life::of(&entry);
    entry.renew_at = life.least.minus(life.soon).minus(part(life.spread, draw));
    entry
}

/// Whether the token certainly died before `moment`.
pub fn died_before(entry: &Entry, moment: Timestamp) -> bool {
    let removed = || entry.confirmed_at.plus(PERSONAL_LIFE);
    Life::of(entry).most.unwrap_or_else(removed) < moment
}
