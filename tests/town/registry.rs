//! What GitHub knows about tokens: who was minted when, who is revoked, who is not yet known
//! everywhere. Shared by the worker, which mints, and the git server, which checks; refuses to
//! tell one repository from another, as every live token opens them all.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::clock::{Clock, millis, real_now};
use super::lock;

/// What GitHub thinks of the credential in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Live,
    /// Expired, revoked, never heard of, or none at all.
    Dead,
    /// Minted too recently to be known everywhere.
    Lagging,
}

pub struct Registry {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tokens: HashMap<String, Token>,
    replication_lag: Duration,
}

struct Token {
    minted_at: i64,
    /// In real time: replication does not go faster because a test moved the clock.
    really_minted_at: i64,
    dies_at: Option<i64>,
    revoked: bool,
}

impl Registry {
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Registers a token as minted `age` ago, to live as long as said or for ever.
    pub fn register(&self, token: &str, age: Duration, life: Option<Duration>) {
        let minted_at = self.clock.now() - millis(age);
        let dies_at = life.map(|life| minted_at + millis(life));
        let really_minted_at = real_now() - millis(age);
        let token =
            (token.to_owned(), Token { minted_at, really_minted_at, dies_at, revoked: false });
        self.state().tokens.extend([token]);
    }

    pub fn revoke(&self, token: &str) {
        if let Some(token) = self.state().tokens.get_mut(token) {
            token.revoked = true;
        }
    }

    pub fn revoke_all(&self) {
        self.state().tokens.values_mut().for_each(|token| token.revoked = true);
    }

    pub fn is_revoked(&self, token: &str) -> bool {
        self.state().tokens.get(token).is_some_and(|token| token.revoked)
    }

    pub fn minted_at(&self, token: &str) -> Option<i64> {
        self.state().tokens.get(token).map(|token| token.minted_at)
    }

    pub fn dies_at(&self, token: &str) -> Option<i64> {
        self.state().tokens.get(token).and_then(|token| token.dies_at)
    }

    pub fn set_replication_lag(&self, lag: Duration) {
        self.state().replication_lag = lag;
    }

    pub fn judge(&self, token: Option<&str>) -> Verdict {
        let state = self.state();
        let Some(token) = token.and_then(|it| state.tokens.get(it)) else { return Verdict::Dead };
        if token.revoked || token.dies_at.is_some_and(|moment| moment <= self.clock.now()) {
            Verdict::Dead
        } else if real_now() < token.really_minted_at + millis(state.replication_lag) {
            Verdict::Lagging
        } else {
            Verdict::Live
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
