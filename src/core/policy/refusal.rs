//! What is on record of one token at one git host: how often it was refused there, when the worker
//! was last asked because of that, and which processes reported it. A refusal is evidence about one
//! token at one host at one moment; `policy.rs` decides what follows from it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ASK_GAP, LAG_PAUSE, QUIET, is_within};
use crate::protocol::Report;
use crate::record::Key;
use crate::time::Timestamp;
use crate::token::Secret;

/// About twice the number of processes that may be refused at once.
const MOST_PROCESSES: usize = 128;

/// After this many asks in a row, an accepted new token no longer starts the count again. Together
/// with the longer gaps after that, there are fewer than 20 asks an hour.
const MOST_RESTARTS: u32 = 6;

/// Whose record it is. The host is as `Host` displays it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKey {
    /// The beginning of its hash.
    pub token: String,
    pub host: String,
}

impl Key for HostKey {
    type Record = HostRecord;
    const KIND: &'static str = "host.json";

    fn parts(&self) -> Vec<&str> {
        vec![&self.token, &self.host]
    }
}

/// One token at one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// How often the host refused it since it last accepted it.
    pub refusals: u32,
    pub refused_at: Option<Timestamp>,
    /// The processes that erased it and may ask again, as git-lfs does: one entry for each time,
    /// the latest last.
    pub refused_to: Vec<String>,
    /// When the worker was asked because of a refusal.
    pub asked: Asks,
    /// When the worker was asked because of a hint.
    pub hinted: Asks,
    /// Whether the asks were copied from the token that this one replaced.
    #[serde(default)]
    pub is_inherited: bool,
    /// When it was last given out. For a snapshot: only then does an `erase` say that git got it
    /// here and not from the remote's URL. Else to a client that never reports refusals.
    pub given_at: Option<Timestamp>,
}

/// How often the worker was asked for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asks {
    /// Asks in a row. An accepted new token starts it again.
    pub count: u32,
    /// Asks in a row, whatever was accepted in between.
    #[serde(default)]
    pub total: u32,
    pub last_at: Option<Timestamp>,
}

impl Asks {
    /// One more. After a quiet time counting starts again at 1.
    #[must_use]
    pub fn again(self, now: Timestamp) -> Self {
        let in_a_row = self.last_at.is_some_and(|at| is_within(QUIET, at, now));
        let Self { count, total, .. } = if in_a_row { self } else { Self::default() };
        let (count, total) = (count.saturating_add(1), total.saturating_add(1));
        Self { count, total, last_at: Some(now) }
    }
}

impl HostRecord {
    /// One more refusal, reported by `process` if that may ask again. Parallel processes report the
    /// same refusal many times: reports within `lag_pause` of each other count once.
    #[must_use]
    pub fn refused(mut self, now: Timestamp, process: Option<String>) -> Self {
        if let Some(process) = process {
            let surplus = (self.refused_to.len() + 1).saturating_sub(MOST_PROCESSES);
            self.refused_to.drain(..surplus);
            self.refused_to.push(process);
        }
        if self.refused_recently(LAG_PAUSE, now) {
            return self;
        }
        Self { refusals: self.refusals.saturating_add(1), refused_at: Some(now), ..self }
    }

    /// The host accepted the token. The worker is not asked any sooner for it: another repository
    /// may refuse the token at once. A token that replaced a refused one starts the count of asks
    /// again, `MOST_RESTARTS` times at most.
    #[must_use]
    pub fn accepted(self) -> Self {
        let mut asked = self.asked;
        if self.is_inherited && asked.total < MOST_RESTARTS {
            asked.count = asked.count.min(1);
        }
        let (refusals, refused_at, refused_to) = (0, None, Vec::new());
        Self { refusals, refused_at, refused_to, asked, is_inherited: false, ..self }
    }

    /// The worker was asked because of a refusal or a hint.
    #[must_use]
    pub fn asked(self, evidence: Evidence, now: Timestamp) -> Self {
        let Self { asked, hinted, .. } = self;
        match evidence {
            Evidence::Hint => Self { hinted: hinted.again(now), ..self },
            _ => Self { asked: asked.again(now), is_inherited: false, ..self },
        }
    }

    #[must_use]
    pub fn given(self, now: Timestamp) -> Self {
        Self { given_at: Some(now), ..self }
    }

    pub fn was_given(&self, gap: Duration, now: Timestamp) -> bool {
        self.given_at.is_some_and(|at| is_within(gap, at, now))
    }

    /// The record for a token that replaces this one. It keeps the asks, so that a host that
    /// refuses every token causes no more calls than one that refuses a single token.
    #[must_use]
    pub fn inherited(&self) -> Self {
        let Self { asked, hinted, .. } = *self;
        Self { asked, hinted, is_inherited: true, ..Self::default() }
    }

    /// Whether this process has erased the token twice within five gaps: handing it out once more
    /// could go on for ever. `process` is only looked up if some process has erased it.
    pub fn is_refused_to(&self, process: impl Fn() -> Option<String>, now: Timestamp) -> bool {
        self.refused_recently(ASK_GAP * 5, now)
            && !self.refused_to.is_empty()
            && process().is_some_and(|process| {
                self.refused_to.iter().filter(|known| **known == process).count() > 1
            })
    }

    pub fn is_refused(&self) -> bool {
        self.refusals > 0
    }

    /// The latest moment in it.
    pub fn touched_at(&self) -> Option<Timestamp> {
        self.refused_at.max(self.asked.last_at).max(self.hinted.last_at).max(self.given_at)
    }

    fn refused_recently(&self, gap: Duration, now: Timestamp) -> bool {
        self.is_refused() && self.refused_at.is_some_and(|at| is_within(gap, at, now))
    }
}

/// What the request itself says about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    None,
    /// It may have been refused.
    Hint,
    /// It was refused to this very command.
    Refused,
}

impl Evidence {
    pub fn of(report: &Report, token: &Secret) -> Self {
        match report {
            Report::Refused(handed) if handed.is(token) => Self::Refused,
            Report::Doubted(handed) if handed.is(token) => Self::Hint,
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    fn refused(record: HostRecord, seconds: i64) -> HostRecord {
        record.refused(after(seconds), None)
    }

    #[test]
    fn one_refusal_reported_by_many_counts_once() {
        let first = refused(HostRecord::default(), 10);
        assert_eq!((first.refusals, first.refused_at), (1, Some(after(10))));
        assert_eq!(refused(first.clone(), 11), first);
        assert_eq!(refused(first, 12).refusals, 2);
    }

    #[test]
    fn an_accepted_token_is_not_refused_but_the_worker_is_not_asked_any_sooner() {
        let record = refused(HostRecord::default(), 0);
        let record = record.asked(Evidence::Refused, after(1)).accepted();
        assert!(!record.is_refused());
        assert_eq!((record.asked.count, record.asked.last_at), (1, Some(after(1))));
        assert_eq!(refused(record, 1).refusals, 1, "a refusal after it counts anew");
    }

    #[test]
    fn asks_are_in_a_row_until_a_quiet_time() {
        let first = Asks::default().again(after(0));
        let quiet = i64::try_from(QUIET.as_secs()).unwrap();
        assert_eq!(first.again(after(quiet - 1)).count, 2);
        assert_eq!(first.again(after(quiet)).count, 1);
        assert!(QUIET > ASK_GAP * 5, "or the row would never grow");
    }

    #[test]
    fn the_processes_on_record_are_bounded() {
        let record = (0..1000).fold(HostRecord::default(), |record, number| {
            record.refused(after(0), Some(number.to_string()))
        });
        assert_eq!(record.refused_to.len(), MOST_PROCESSES);
        assert_eq!(record.refused_to.last().map(String::as_str), Some("999"));
    }

    #[test]
    fn acceptance_ends_the_row_of_asks_of_the_token_before_and_no_other() {
        let ask = |record: HostRecord, second| record.asked(Evidence::None, after(second));
        let own = (0..5).fold(HostRecord::default(), |record, second| ask(record, second * 60));
        assert_eq!(own.clone().accepted().asked, own.asked);
        let next = own.inherited();
        assert_eq!(next.asked, own.asked);
        let accepted = next.clone().accepted();
        assert_eq!((accepted.asked.count, accepted.asked.last_at), (1, own.asked.last_at));
        assert_eq!(ask(next, 300).accepted().asked.count, 6, "asked about itself, it is its own");
    }

    #[test]
    fn process_that_erased_it_twice_within_five_minutes_is_recognised() {
        let refuse = |record: HostRecord, second, process: &str| {
            record.refused(after(second), Some(process.to_owned()))
        };
        let once = refuse(refuse(HostRecord::default(), 0, "1@1"), 1, "2@1");
        let told = |record: &HostRecord, process: &str, second| {
            record.is_refused_to(|| Some(process.to_owned()), after(second))
        };
        assert!(!told(&once, "1@1", 1));
        let twice = refuse(once, 5, "1@1");
        assert!(told(&twice, "1@1", 5) && told(&twice, "1@1", 304));
        assert!(!told(&twice, "1@1", 305) && !told(&twice, "2@1", 5) && !told(&twice, "3@1", 5));
    }
}
