//! The worker's token service: what kind of token each rig gets, and the cache that makes an
//! answer up to half an hour old. Owns minting; refuses to know of HTTP and of JWTs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::clock::{Clock, millis};
use super::registry::Registry;
use super::{Options, lock};

/// Where a rig's token comes from.
#[derive(Clone, Debug)]
pub enum Rig {
    /// From the GitHub App: minted, cached, dead within the hour.
    Installation,
    /// A user's own token, or a stored one: handed out as it is, dead or alive, without an expiry.
    Pat(String),
    NoToken,
}

/// Why a rig gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    RigNotFound,
    NoGitToken,
}

#[derive(Debug)]
pub struct Grant {
    pub token: String,
    /// In town time; `None` for a token whose expiry the worker does not know.
    pub expires: Option<i64>,
}

pub struct TokenService {
    clock: Clock,
    registry: Arc<Registry>,
    token_life: Duration,
    cached_for: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rigs: HashMap<String, Rig>,
    cache: HashMap<String, String>,
    /// The rig and the token, in order.
    minted: Vec<(String, String)>,
    ignores_revocations: bool,
    stuck_on: Option<String>,
}

impl TokenService {
    pub fn new(clock: Clock, registry: Arc<Registry>, options: &Options) -> Self {
        let Options { token_life, cached_for, .. } = *options;
        Self { clock, registry, token_life, cached_for, state: Mutex::default() }
    }

    pub fn add_rig(&self, id: &str, rig: Rig) {
        self.state().rigs.insert(id.to_owned(), rig);
    }

    /// Whether the cache goes on handing out revoked tokens.
    pub fn ignores_revocations(&self, ignores: bool) {
        self.state().ignores_revocations = ignores;
    }

    /// Hands out this token whatever happens to it.
    pub fn stuck_on(&self, token: &str) {
        self.state().stuck_on = Some(token.to_owned());
    }

    pub fn unstuck(&self) {
        self.state().stuck_on = None;
    }

    /// Empties the cache of a rig.
    pub fn forget(&self, rig: &str) {
        self.state().cache.remove(rig);
    }

    /// How many tokens were minted so far.
    pub fn minted(&self) -> usize {
        self.state().minted.len()
    }

    pub fn minted_for(&self, rig: &str) -> Vec<String> {
        let minted = self.state().minted.clone().into_iter();
        minted.filter(|(owner, _)| owner == rig).map(|(_, token)| token).collect()
    }

    /// Mints a token as of `age` ago, puts it into the cache of a rig and returns it.
    pub fn prime(&self, rig: &str, age: Duration) -> String {
        self.mint(&mut self.state(), rig, age)
    }

    /// What the rig would get now, without a call: for snapshots of an agent's environment.
    pub fn token_for(&self, rig: &str) -> String {
        self.hand_out(rig).expect("the rig has a token").token
    }

    /// One lock around looking and minting: a herd of callers costs one token.
    pub fn hand_out(&self, rig: &str) -> Result<Grant, Refusal> {
        let mut state = self.state();
        let kind = state.rigs.get(rig).cloned().ok_or(Refusal::RigNotFound)?;
        match kind {
            Rig::Pat(token) => Ok(Grant { token, expires: None }),
            Rig::NoToken => Err(Refusal::NoGitToken),
            Rig::Installation => {
                let token = match (&state.stuck_on, state.cache.get(rig)) {
                    (Some(token), _) => token.clone(),
                    (None, Some(token)) if self.may_repeat(&state, token) => token.clone(),
                    _ => self.mint(&mut state, rig, Duration::ZERO),
                };
                let expires = self.registry.dies_at(&token);
                Ok(Grant { token, expires })
            }
        }
    }

    /// The cache keeps a token for a fixed time after minting, drops it early when a twelfth of its
    /// life is left (5 min of an hour), and notices revocations unless told not to.
    fn may_repeat(&self, state: &State, token: &str) -> bool {
        let now = self.clock.now();
        let is_cached = |minted_at| now < minted_at + millis(self.cached_for);
        let lives_on = |dies_at| now < dies_at - millis(self.token_life / 12);
        self.registry.minted_at(token).is_some_and(is_cached)
            && self.registry.dies_at(token).is_none_or(lives_on)
            && (state.ignores_revocations || !self.registry.is_revoked(token))
    }

    fn mint(&self, state: &mut State, rig: &str, age: Duration) -> String {
        let token = new_token();
        self.registry.register(&token, age, Some(self.token_life));
        state.minted.push((rig.to_owned(), token.clone()));
        state.cache.insert(rig.to_owned(), token.clone());
        token
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// In the form since April 2026: `ghs_<app id>_<JWT>`, about 520 characters. The first dash and
/// underscore of the signature are certain, those inside the base64 only likely.
fn new_token() -> String {
    let part = |bytes: usize| {
        let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    };
    let (header, claims) = (part(24), part(fastrand::usize(80..90)));
    format!("ghs_{}_eyJ{header}.eyJ{claims}.-_{}", fastrand::u32(100_000..10_000_000), part(256))
}
