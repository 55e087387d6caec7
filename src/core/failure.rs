//! What can go wrong on the way to a token: its name, when the next attempt may come, and the record
//! of a failure that all processes of the machine share.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::CacheKey;
use crate::record::Key;
use crate::time::{Timestamp, part, spoken};

pub use name::Name;

mod name;

/// When asking again can help.
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
    /// The next thing to type or to look at.
    pub advice: String,
    pub retry: Retry,
    /// All that was tried, for the message.
    #[serde(skip)]
    pub tried: Vec<String>,
    /// How long the worker asked us to wait (`Retry-After`).
    #[serde(skip)]
    pub asked_to_wait: Option<Duration>,
    /// When the worker is asked again, for the message.
    #[serde(skip)]
    pub next_try: Option<Duration>,
    /// Whose attempts would fail as this one did.
    #[serde(skip)]
    pub scope: Scope,
}

/// Who shares a failure, and so its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Everybody who asks for the same place.
    #[default]
    Place,
    /// Those of them with the same container JWTs.
    ContainerTokens,
    /// Those of them with the same proxy and certificates.
    Network,
    /// Nobody else: it is not put on record.
    Process,
}

impl Scope {
    pub const ON_RECORD: [Self; 3] = [Self::Place, Self::ContainerTokens, Self::Network];
}

impl Failure {
    pub fn new(name: Name, retry: Retry, what: impl Into<String>, advice: &str) -> Self {
        let (what, advice) = (what.into(), advice.to_owned());
        let scope = match name {
            Name::ContainerTokenRejected | Name::CrossTown => Scope::ContainerTokens,
            _ => Scope::Place,
        };
        let (tried, asked_to_wait, next_try) = (Vec::new(), None, None);
        Self { name, what, advice, retry, tried, asked_to_wait, next_try, scope }
    }

    #[must_use]
    pub fn of(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    #[must_use]
    pub fn asking_to_wait(self, asked_to_wait: Option<Duration>) -> Self {
        Self { asked_to_wait, ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.what, self.advice)?;
        if let Some(wait) = self.next_try {
            let wait = spoken(wait + Duration::from_millis(999));
            write!(
                formatter,
                "; will be tried again in {wait}, or at once: git credential-gastown refresh"
            )?;
        }
        write!(formatter, " [{}]", self.name)?;
        match self.tried.as_slice() {
            [] => Ok(()),
            tried => write!(formatter, "; tried: {}", tried.join(", ")),
        }
    }
}

impl std::error::Error for Failure {}

/// A failure on record, shared by all processes that would make the same call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    pub failure: Failure,
    pub at: Timestamp,
    /// Nobody without a usable token asks again before this.
    pub until: Timestamp,
    /// Nobody with a usable token asks again before this.
    pub until_usable: Timestamp,
    /// Failures in a row, this one included.
    pub count: u32,
}

/// What a failure on record is about: API URL, town and rig, and by a fingerprint the settings that
/// its scope names. Other settings are tried at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureKey {
    pub place: CacheKey,
    pub fingerprint: Option<String>,
}

impl Key for FailureKey {
    type Record = FailureRecord;
    const KIND: &'static str = "failure.json";

    fn parts(&self) -> Vec<&str> {
        self.place.parts().into_iter().chain(self.fingerprint.as_deref()).collect()
    }
}

/// `Retry-After` is honoured up to here; no worker may silence a machine for longer.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// A record that is further ahead of the clock than this does not count.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(2);

impl FailureRecord {
    /// Records a failure; `draw` in 0..1 spreads the machines.
    pub fn new(failure: Failure, previous: Option<&Self>, draw: f64, now: Timestamp) -> Self {
        let streak = previous.filter(|record| now.since(record.until_usable) < LONGEST_WAIT);
        let count = streak.map_or(1, |record| record.count.saturating_add(1));
        // The worker may ask for a longer wait, never for a shorter one.
        let asked = failure.asked_to_wait.unwrap_or_default().min(LONGEST_WAIT);
        let until = |usable| now.plus(back_off(failure.retry, count, usable, draw).max(asked));
        let (until, until_usable) = (until(false), until(true));
        Self { failure, at: now, until, until_usable, count }
    }

    /// Whether it answers for a process that is about to ask: it is not yet time to ask again, or
    /// it was recorded while the process was already waiting (since `waiting_since`), so that
    /// 300 waiters share one timeout. `usable` tells whether a token is left to serve meanwhile.
    pub fn answers(&self, usable: bool, waiting_since: Option<Timestamp>, now: Timestamp) -> bool {
        let sane = self.at <= now.plus(CLOCK_TOLERANCE);
        sane && (now < self.until(usable) || waiting_since.is_some_and(|since| self.at >= since))
    }

    /// The recorded failure, with when the worker will be asked again, and how long ago it was if
    /// that is a second or more.
    pub fn retold(&self, usable: bool, now: Timestamp) -> Failure {
        let ago = now.since(self.at);
        let what = match ago.as_secs() {
            0 => self.failure.what.clone(),
            _ => format!("{} ({} ago)", self.failure.what, spoken(ago)),
        };
        let wait = self.until(usable).since(now);
        let next_try = Some(wait).filter(|wait| !wait.is_zero());
        Failure { what, next_try, ..self.failure.clone() }
    }

    /// Bounded by the moment of the record, whatever a file may say.
    fn until(&self, usable: bool) -> Timestamp {
        let until = if usable { self.until_usable } else { self.until };
        until.min(self.at.plus(LONGEST_WAIT))
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
mod tests;
