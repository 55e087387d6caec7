//! What GitHub knows about tokens: who was minted when, who is revoked, who is not yet known
//! everywhere. Shared by the worker, which mints, and the git server, which checks; refuses to
//! tell one repository from another, as every live token opens them all.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::clock::{Clock, millis};
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
    /// At how many checks a token is not known yet.
    lag: usize,
}

struct Token {
    minted_at: i64,
    dies_at: Option<i64>,
    revoked: bool,
    /// How often it was asked about while it was not known yet.
    lagged: usize,
}

impl Registry {
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Registers a token as minted `age` ago, to live as long as said or for ever.
    pub fn register(&self, token: &str, age: Duration, life: Option<Duration>) {
        let minted_at = self.clock.now() - millis(age);
        let dies_at = life.map(|life| minted_at + millis(life));
        let new = Token { minted_at, dies_at, revoked: false, lagged: 0 };
        self.state().tokens.insert(token.to_owned(), new);
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

    pub fn set_replication_lag(&self, checks: usize) {
        self.state().lag = checks;
    }

    pub fn judge(&self, token: Option<&str>) -> Verdict {
        let State { tokens, lag } = &mut *self.state();
        let Some(token) = token.and_then(|it| tokens.get_mut(it)) else { return Verdict::Dead };
        if token.revoked || token.dies_at.is_some_and(|moment| moment <= self.clock.now()) {
            Verdict::Dead
        } else if token.lagged < *lag {
            token.lagged += 1;
            Verdict::Lagging
        } else {
            Verdict::Live
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
