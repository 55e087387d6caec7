//! The clock: the only place that knows what time it is, and the process's one deadline.

#![expect(clippy::disallowed_methods, reason = "the one place for the clock")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use git_credential_gastown::time::Timestamp;

/// The longest that git is kept waiting.
const LONGEST_RUN: Duration = Duration::from_secs(20);

/// Started once, when the request has been read. Every wait and every attempt uses what is left.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// What is left of the process's time.
    pub(crate) fn remaining(self) -> Duration {
        LONGEST_RUN.saturating_sub(self.running())
    }

    /// How long the process has been running; never goes back.
    pub(crate) fn running(self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn sleep(self, duration: Duration) {
        std::thread::sleep(duration.min(self.remaining()));
    }
}

/// The time of day.
pub(crate) fn now() -> Timestamp {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => millis(before.duration()).saturating_neg(),
    })
}
