//! This helper in a simulated container: the real `decide`, `entry_for`, `HostRecord` and
//! `FailureRecord` with a cache of one entry. What the program's shell adds (locks, files, the
//! network) is not here: one process at a time asks, and a call takes no time.

use fastrand::Rng;
use git_credential_gastown::failure::{Failure, FailureRecord, Name, Retry};
use git_credential_gastown::policy::{
    Action, Decision, Evidence, Facts, HostRecord, Otherwise, Plan, State, decide, entry_for,
};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::{Entry, Grant, Secret};

use super::parameters::Millis;
use super::ways::Way;
use super::world::{Token, World};

/// Virtual time begins at a moment that the helper finds plausible.
const BEGINNING: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub struct Helper {
    /// Whether git asks again within the push that was refused (git ≥ 2.46).
    git_heals: bool,
    /// Whether the worker's answer says when its token dies; today's does not.
    is_told: bool,
    rng: Rng,
    cached: Option<(Token, Entry)>,
    /// What is on record of the cached token at the one host.
    at_host: HostRecord,
    failure: Option<FailureRecord>,
}

impl Helper {
    pub fn new(rng: Rng, git_heals: bool, is_told: bool) -> Self {
        let at_host = HostRecord::default();
        Self { git_heals, is_told, rng, cached: None, at_host, failure: None }
    }

    /// Answers an ask; `evidence` is what it tells of the cached token.
    fn answer(&mut self, world: &mut World<'_>, evidence: Evidence) -> Option<Token> {
        let entry = self.cached.as_ref().map(|(_, entry)| entry);
        let facts = Facts {
            at_host: Some(&self.at_host),
            evidence,
            failure: &|| self.failure.clone(),
            ..Facts::about(entry, moment(world.now))
        };
        let Decision { action, state, .. } = decide(&facts);
        match action {
            Action::Answer { .. } | Action::AnswerAndWarn => self.cached(),
            Action::Renew(plan) => self.renew(plan, state, world),
            Action::Fail | Action::Reject => None,
        }
    }

    fn renew(&mut self, plan: Plan, state: State, world: &mut World<'_>) -> Option<Token> {
        let Some(token) = (0..plan.attempts).find_map(|_| world.call()) else {
            let what = "the worker is down";
            let failure = Failure::new(Name::WorkerUnreachable, Retry::AtOnce, what, "");
            let (previous, draw) = (self.failure.as_ref(), self.rng.f64());
            self.failure = Some(FailureRecord::new(failure, previous, draw, moment(world.now)));
            let serves = matches!(plan.otherwise, Otherwise::Answer | Otherwise::AnswerAndWarn);
            return self.cached().filter(|_| serves);
        };
        self.failure = None;
        if state == State::Suspect {
            self.at_host = self.at_host.clone().asked(Evidence::Refused, moment(world.now));
        }
        let is_same = self.cached() == Some(token);
        self.keep(token, world);
        (!is_same || plan.otherwise != Otherwise::Reject).then_some(token)
    }

    fn keep(&mut self, token: Token, world: &World<'_>) {
        let text = format!("ghs_{}", token.number);
        let secret = Secret::parse(text.as_bytes()).expect("letters and digits are a token");
        if self.cached() != Some(token) {
            self.at_host = self.at_host.inherited();
        }
        let expires = self.is_told.then(|| moment(world.dies_at(token)));
        let grant = Grant { token: secret, expires, asked_at: moment(world.now), clock_ahead: 0 };
        let previous = self.cached.as_ref().map(|(_, entry)| entry);
        let entry = entry_for(grant, previous, self.rng.f64());
        self.cached = Some((token, entry));
    }

    fn cached(&self) -> Option<Token> {
        self.cached.as_ref().map(|(token, _)| *token)
    }
}

impl Way for Helper {
    fn start(&mut self, _world: &mut World<'_>) {
        (self.cached, self.at_host, self.failure) = (None, HostRecord::default(), None);
    }

    fn token(&mut self, world: &mut World<'_>, _agent: usize) -> Option<Token> {
        self.answer(world, Evidence::None)
    }

    fn accepted(&mut self) {
        self.at_host = self.at_host.clone().accepted();
    }

    /// The refusal goes on record, and a git that heals asks again with it.
    fn refused(&mut self, world: &mut World<'_>, _agent: usize) -> Option<Token> {
        self.at_host = self.at_host.clone().refused(moment(world.now), None);
        if self.git_heals { self.answer(world, Evidence::Refused) } else { None }
    }
}

fn moment(now: Millis) -> Timestamp {
    BEGINNING.shifted(now)
}
