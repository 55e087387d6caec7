//! The world of one container and one way: the worker with its cache and its outages, the server
//! that knows which tokens live, and what is counted of it all, over all containers.

use std::ops::Range;

use super::day::Day;
use super::parameters::{HOUR, MINUTE, Millis, Parameters, SECOND};

/// After an outage, what it caused may last this long: the longest back-off and its spread.
const AFTERMATH: Millis = 2 * MINUTE;

/// An installation token, as far as a simulation needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub number: u32,
    pub minted_at: Millis,
}

/// Why a push met a dead token, or had none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It had died of age, though the worker could have given another.
    Age,
    Revocation,
    /// The worker was down, or had been until a moment ago.
    Outage,
}

#[derive(Clone, Debug)]
pub struct Tally {
    pub pushes: u64,
    /// By cause: pushes that saw a dead token, whether they were healed or not.
    pub(super) dead: [u64; 3],
    /// By cause: pushes that failed over their token or for want of one.
    pub(super) failed: [u64; 3],
    pub wake_ups: u64,
    pub(super) container_time: Millis,
    unanswered: u64,
    calls_of_second: Vec<u32>,
}

impl Tally {
    pub fn new(parameters: &Parameters) -> Self {
        // Agents may still be dispatched when the time is over.
        let seconds = (parameters.end() + parameters.dispatch) / SECOND + 1;
        let calls_of_second = vec![0; seconds as usize];
        let (dead, failed) = ([0; 3], [0; 3]);
        Self {
            pushes: 0,
            dead,
            failed,
            wake_ups: 0,
            container_time: 0,
            unanswered: 0,
            calls_of_second,
        }
    }

    pub fn dead(&self, cause: Cause) -> u64 {
        self.dead[cause as usize]
    }

    pub fn failed(&self, cause: Cause) -> u64 {
        self.failed[cause as usize]
    }

    pub fn all_failed(&self) -> u64 {
        self.failed.iter().sum()
    }

    pub fn calls_per_container_hour(&self) -> f64 {
        let calls: u64 = self.calls_of_second.iter().copied().map(u64::from).sum();
        calls as f64 * HOUR as f64 / self.container_time as f64
    }

    /// Those of them that met an outage.
    pub fn unanswered_per_container_hour(&self) -> f64 {
        self.unanswered as f64 * HOUR as f64 / self.container_time as f64
    }

    /// The most calls in one second between two moments.
    pub fn peak(&self, from: Millis, to: Millis) -> u32 {
        let seconds = self.calls_of_second.iter().take((to / SECOND) as usize);
        seconds.skip((from / SECOND) as usize).copied().max().unwrap_or(0)
    }
}

pub struct World<'a> {
    pub now: Millis,
    pub parameters: &'a Parameters,
    pub day: &'a Day,
    pub outages: &'a [Range<Millis>],
    pub tally: &'a mut Tally,
    /// What the worker has in its cache, and how many tokens it has minted.
    pub cached: Option<Token>,
    pub minted: u32,
}

impl World<'_> {
    /// A call to the worker, answered or not.
    pub fn call(&mut self) -> Option<Token> {
        let answer = self.hand_out();
        self.tally.unanswered += u64::from(answer.is_none());
        self.tally.wake_ups += u64::from(self.day.is_idle(self.now));
        self.tally.calls_of_second[(self.now / SECOND) as usize] += 1;
        answer
    }

    /// What the platform also puts into an agent's environment, without a call.
    pub fn hand_out(&mut self) -> Option<Token> {
        if self.is_down_since(self.now) {
            return None;
        }
        let repeats = |token: Token| {
            self.now < token.minted_at + self.parameters.cached_for
                && !(self.parameters.worker_notices
                    && self.day.is_revoked(token.minted_at, self.now))
        };
        if !self.cached.is_some_and(repeats) {
            self.minted += 1;
            self.cached = Some(Token { number: self.minted, minted_at: self.now });
        }
        self.cached
    }

    pub fn is_live(&self, token: Token) -> bool {
        self.now < self.dies_at(token) && !self.day.is_revoked(token.minted_at, self.now)
    }

    /// Of age, unless it is revoked before.
    pub fn dies_at(&self, token: Token) -> Millis {
        token.minted_at + self.parameters.token_life
    }

    /// Why a push goes wrong: its token was revoked, or the worker was down, or nothing but age.
    pub fn cause(&self, token: Option<Token>) -> Cause {
        if token.is_some_and(|token| self.day.is_revoked(token.minted_at, self.now)) {
            Cause::Revocation
        } else if self.is_just_down() {
            Cause::Outage
        } else {
            Cause::Age
        }
    }

    /// Down, or only just up again.
    pub fn is_just_down(&self) -> bool {
        self.is_down_since(self.now - AFTERMATH)
    }

    fn is_down_since(&self, then: Millis) -> bool {
        self.outages.iter().any(|outage| outage.start <= self.now && then < outage.end)
    }
}
