//! What can go wrong on the way to a token: the stable names, what each failure means for the
//! next attempt, and the record of it that all processes of the machine share. Refuses to print.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::timestamp::{Timestamp, part, spoken};

/// The stable names of errors; README explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    ConfigMissing,
    WorkerUnreachable,
    WorkerError,
    ContainerTokenRejected,
    CrossTown,
    RigNotFound,
    NoGitToken,
    RateLimited,
    BadAnswer,
    TokenRejected,
    EmbeddedToken,
    CacheUnusable,
    Timeout,
}

impl Name {
    pub const ALL: [Self; 13] = [
        Self::ConfigMissing,
        Self::WorkerUnreachable,
        Self::WorkerError,
        Self::ContainerTokenRejected,
        Self::CrossTown,
        Self::RigNotFound,
        Self::NoGitToken,
        Self::RateLimited,
        Self::BadAnswer,
        Self::TokenRejected,
        Self::EmbeddedToken,
        Self::CacheUnusable,
        Self::Timeout,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMissing => "config-missing",
            Self::WorkerUnreachable => "worker-unreachable",
            Self::WorkerError => "worker-error",
            Self::ContainerTokenRejected => "container-token-rejected",
            Self::CrossTown => "cross-town",
            Self::RigNotFound => "rig-not-found",
            Self::NoGitToken => "no-git-token",
            Self::RateLimited => "rate-limited",
            Self::BadAnswer => "bad-answer",
            Self::TokenRejected => "token-rejected",
            Self::EmbeddedToken => "embedded-token",
            Self::CacheUnusable => "cache-unusable",
            Self::Timeout => "timeout",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// When asking again can help: what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Transient: the same process may try once more.
    AtOnce,
    /// Transient, but not within seconds.
    Later,
    /// Definite: the same question gets the same answer until something is mended.
    WhenMended,
}

/// One failure, as a person or an agent reads it: what failed on what, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub name: Name,
    /// What failed, on what: lower case, without a full stop, without a secret.
    pub what: String,
    /// The cause in a few words, for the chain of what was tried.
    pub brief: String,
    /// The next thing to type or to look at.
    pub advice: String,
    pub retry: Retry,
    /// How long the worker asked us to wait (`Retry-After`).
    #[serde(skip)]
    pub asked_to_wait: Option<Duration>,
}

impl Failure {
    pub fn new(name: Name, retry: Retry, what: impl Into<String>, advice: &str) -> Self {
        let (brief, advice) = (name.to_string(), advice.to_owned());
        Self { name, what: what.into(), brief, advice, retry, asked_to_wait: None }
    }

    #[must_use]
    pub fn briefly(self, brief: impl Into<String>) -> Self {
        Self { brief: brief.into(), ..self }
    }

    #[must_use]
    pub fn asking_to_wait(self, asked_to_wait: Option<Duration>) -> Self {
        Self { asked_to_wait, ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {} [{}]", self.what, self.advice, self.name)
    }
}

impl std::error::Error for Failure {}

/// A failure on record, shared by all processes that would ask the same question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    pub failure: Failure,
    pub at: Timestamp,
    /// Nobody asks again before this.
    pub until: Timestamp,
    /// Failures in a row, this one included.
    pub count: u32,
    /// Fingerprint of the settings that led here: mended settings are tried at once.
    pub settings: String,
}

/// `Retry-After` is honoured up to here; no worker may silence a machine for longer.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// A clock set back by more than this makes a record meaningless.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(2);

impl FailureRecord {
    /// Records a failure. `usable` tells whether a token is left to serve meanwhile, `draw` in
    /// 0..1 spreads the machines.
    pub fn new(
        failure: Failure,
        previous: Option<&Self>,
        usable: bool,
        draw: f64,
        now: Timestamp,
        settings: &str,
    ) -> Self {
        let streak = previous.filter(|record| now.since(record.until) < LONGEST_WAIT);
        let count = streak.map_or(1, |record| record.count.saturating_add(1));
        let until = now.plus(failure.asked_to_wait.map_or_else(
            || back_off(failure.retry, count, usable, draw),
            |asked| asked.min(LONGEST_WAIT),
        ));
        Self { failure, at: now, until, count, settings: settings.to_owned() }
    }

    /// Whether it answers for a process with these settings: it is not yet time to ask again, or
    /// it was recorded while the process was already waiting (since `waiting_since`), so that
    /// 300 waiters share one timeout.
    pub fn answers(
        &self,
        settings: &str,
        waiting_since: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let sane = self.at <= now.plus(CLOCK_TOLERANCE)
            && self.until.since(now) <= LONGEST_WAIT.mul_f64(1.5);
        let pending = now < self.until || waiting_since.is_some_and(|since| self.at >= since);
        sane && pending && self.settings == settings
    }

    /// The recorded failure, told by a process that did not ask itself.
    pub fn retold(&self, now: Timestamp) -> Failure {
        let ago = spoken(now.since(self.at));
        let what = match self.until.since(now) {
            Duration::ZERO => format!("{} ({ago} ago)", self.failure.what),
            wait => format!(
                "{} ({ago} ago; will be tried again in {})",
                self.failure.what,
                spoken(wait + Duration::from_millis(999))
            ),
        };
        Failure { what, ..self.failure.clone() }
    }
}

/// Transient failures back off and spread by half either way; definite ones wait a set time.
fn back_off(retry: Retry, count: u32, usable: bool, draw: f64) -> Duration {
    if retry == Retry::WhenMended {
        return if usable { Duration::from_mins(5) } else { Duration::from_mins(1) };
    }
    let longest = if usable { Duration::from_mins(1) } else { Duration::from_secs(15) };
    let wait = Duration::from_secs(2).saturating_mul(1 << (count - 1).min(10)).min(longest);
    wait / 2 + part(wait, draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn failure(retry: Retry) -> Failure {
        Failure::new(Name::WorkerError, retry, "the worker broke", "look at it")
    }

    fn waits(retry: Retry, usable: bool) -> Vec<u64> {
        let mut record: Option<FailureRecord> = None;
        let mut waits = Vec::new();
        for _ in 0..7 {
            let next = FailureRecord::new(failure(retry), record.as_ref(), usable, 0.5, NOW, "s");
            waits.push(next.until.since(NOW).as_secs());
            record = Some(next);
        }
        waits
    }

    #[test]
    fn transient_failures_back_off_to_a_bound() {
        assert_eq!(waits(Retry::AtOnce, false), [2, 4, 8, 15, 15, 15, 15]);
        assert_eq!(waits(Retry::Later, true), [2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn definite_failures_wait_a_minute_or_five() {
        assert_eq!(waits(Retry::WhenMended, false)[0], 60);
        assert_eq!(waits(Retry::WhenMended, true)[0], 300);
    }

    #[test]
    fn the_draw_spreads_by_half_either_way() {
        let until =
            |draw| FailureRecord::new(failure(Retry::AtOnce), None, false, draw, NOW, "s").until;
        assert_eq!(until(0.0).millis_since(NOW), 1000);
        assert_eq!(until(1.0).millis_since(NOW), 3000);
    }

    #[test]
    fn retry_after_is_honoured_up_to_five_minutes() {
        for (asked, granted) in [(0, 0), (120, 120), (300, 300), (1_000_000_000, 300)] {
            let failure = failure(Retry::Later).asking_to_wait(Some(Duration::from_secs(asked)));
            let record = FailureRecord::new(failure, None, false, 0.5, NOW, "s");
            assert_eq!(record.until.since(NOW).as_secs(), granted);
        }
    }

    #[test]
    fn a_record_answers_until_it_is_time_to_ask_again() {
        let record = FailureRecord::new(failure(Retry::AtOnce), None, false, 0.5, NOW, "s");
        assert!(record.answers("s", None, NOW));
        assert!(record.answers("s", None, record.until.shifted(-1)));
        assert!(!record.answers("s", None, record.until));
        assert!(!record.answers("mended", None, NOW), "changed settings are tried at once");
    }

    #[test]
    fn a_failure_during_my_wait_is_my_answer_however_late_i_look() {
        let record = FailureRecord::new(failure(Retry::AtOnce), None, false, 0.5, NOW, "s");
        let late = record.until.plus(Duration::from_secs(9));
        assert!(record.answers("s", Some(NOW), late));
        assert!(!record.answers("s", Some(NOW.shifted(1)), late));
    }

    #[test]
    fn a_clock_set_back_voids_the_record() {
        let record = FailureRecord::new(failure(Retry::WhenMended), None, true, 1.0, NOW, "s");
        assert!(!record.answers("s", None, NOW.minus(Duration::from_hours(2))));
        assert!(!record.answers("s", None, Timestamp::from_millis(i64::MIN)));
    }

    #[test]
    fn a_streak_ends_after_five_quiet_minutes() {
        let first = FailureRecord::new(failure(Retry::AtOnce), None, false, 0.5, NOW, "s");
        let later = first.until.plus(LONGEST_WAIT);
        let second =
            FailureRecord::new(failure(Retry::AtOnce), Some(&first), false, 0.5, later, "s");
        assert_eq!(second.count, 1);
    }

    #[test]
    fn names_are_what_the_records_say() {
        for name in Name::ALL {
            assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{name}\""));
        }
    }

    #[test]
    fn a_retold_failure_says_when_it_will_be_tried_again() {
        let record = FailureRecord::new(failure(Retry::WhenMended), None, false, 0.5, NOW, "s");
        assert_eq!(
            record.retold(NOW.plus(Duration::from_secs(20))).to_string(),
            "the worker broke (20 s ago; will be tried again in 40 s); look at it [worker-error]"
        );
    }
}
