//! The world of one container and one way: the worker with its cache and its outages, the server
//! that knows which tokens live, and the tally of all that happens.

use std::ops::Range;

use super::day::Day;
use super::parameters::{MINUTE, Millis, Parameters, SECOND};
use super::tally::{Cause, Tally};

/// After an outage, what it caused may last this long: the longest back-off and its spread.
const AFTERMATH: Millis = 2 * MINUTE;

/// An installation token, as far as a simulation needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub number: u32,
    pub minted_at: Millis,
}

pub struct World<'a> {
    pub parameters: &'a Parameters,
    pub day: &'a Day,
    pub outages: &'a [Range<Millis>],
    pub tally: &'a mut Tally,
    cached: Option<Token>,
    minted: u32,
}

impl<'a> World<'a> {
    pub fn new(
        parameters: &'a Parameters,
        day: &'a Day,
        outages: &'a [Range<Millis>],
        tally: &'a mut Tally,
    ) -> Self {
        Self { parameters, day, outages, tally, cached: None, minted: 0 }
    }

    /// A call to the worker, answered or not.
    pub fn call(&mut self, now: Millis) -> Option<Token> {
        let answer = self.hand_out(now);
        self.tally.count_call(now / SECOND, self.day.is_idle(now), answer.is_some());
        answer
    }

    /// What the platform puts into an agent's environment; no call, and the same for every way.
    pub fn snapshot(&mut self, now: Millis) -> Option<Token> {
        self.hand_out(now)
    }

    fn hand_out(&mut self, now: Millis) -> Option<Token> {
        if self.is_down(now..now + 1) {
            return None;
        }
        let repeats = self.cached.filter(|token| {
            let is_noticed =
                self.parameters.worker_notices && self.day.is_revoked(token.minted_at, now);
            now < token.minted_at + self.parameters.cached_for && !is_noticed
        });
        if repeats.is_none() {
            self.minted += 1;
            self.cached = Some(Token { number: self.minted, minted_at: now });
        }
        self.cached
    }

    pub fn is_live(&self, token: Token, now: Millis) -> bool {
        now < self.dies_at(token) && !self.day.is_revoked(token.minted_at, now)
    }

    /// Of age, unless it is revoked before.
    pub fn dies_at(&self, token: Token) -> Millis {
        token.minted_at + self.parameters.token_life
    }

    /// Why a push goes wrong: its token was revoked, or the worker was down, or nothing but age.
    pub fn cause(&self, token: Option<Token>, now: Millis) -> Cause {
        let is_revoked = |token: Token| self.day.is_revoked(token.minted_at, now);
        if token.is_some_and(is_revoked) {
            Cause::Revocation
        } else if self.is_down_at(now) {
            Cause::Outage
        } else {
            Cause::Age
        }
    }

    /// Down, or only just up again.
    pub fn is_down_at(&self, now: Millis) -> bool {
        self.is_down(now - AFTERMATH..now + 1)
    }

    fn is_down(&self, span: Range<Millis>) -> bool {
        self.outages.iter().any(|outage| outage.start < span.end && span.start < outage.end)
    }
}
