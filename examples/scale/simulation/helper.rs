//! This helper in a simulated container: the real `decide`, `entry_for`, `refused_again` and
//! `FailureRecord` with a cache of one entry. What the program's shell adds (locks, files, the
//! network) is not here: one process at a time asks, and a call takes no time.

use fastrand::Rng;
use git_credential_gastown::failure::{Failure, FailureRecord, Name, Retry};
use git_credential_gastown::policy::{
    Action, Facts, Otherwise, Plan, Policy, decide, entry_for, refused_again,
};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::{Entry, Grant, Rejection, Secret};

use super::parameters::Millis;
use super::ways::Way;
use super::world::{Token, World};

/// Virtual time begins at a moment that the helper finds plausible.
const BEGINNING: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub struct Helper {
    policy: Policy,
    /// Whether git asks again within the push that was refused (git ≥ 2.46).
    git_heals: bool,
    /// Whether the worker's answer says when its token dies; today's does not.
    is_told: bool,
    rng: Rng,
    cached: Option<(Token, Entry)>,
    rejection: Option<Rejection>,
    failure: Option<FailureRecord>,
}

impl Helper {
    pub fn new(rng: Rng) -> Self {
        Self {
            policy: Policy::default(),
            git_heals: false,
            is_told: false,
            rng,
            cached: None,
            rejection: None,
            failure: None,
        }
    }

    pub fn healed_by_git(self) -> Self {
        Self { git_heals: true, ..self }
    }

    pub fn told_expiries(self) -> Self {
        Self { is_told: true, ..self }
    }

    fn renew(&mut self, plan: Plan, world: &mut World<'_>, now: Millis) -> Option<Token> {
        let granted = (0..plan.attempts).find_map(|_| world.call(now));
        let accepted = granted.and_then(|token| self.accept(token, world, now));
        if accepted.is_some() {
            self.failure = None;
            return accepted;
        }
        let failure = match granted {
            None => Failure::new(Name::WorkerUnreachable, Retry::AtOnce, "the worker is down", ""),
            Some(_) => Failure::new(Name::TokenRejected, Retry::WhenMended, "handed out again", ""),
        };
        let (previous, draw) = (self.failure.as_ref(), self.rng.f64());
        let record = FailureRecord::new(failure, previous, draw, moment(now), String::new());
        self.failure = Some(record);
        match plan.otherwise {
            Otherwise::Fail => None,
            Otherwise::Answer | Otherwise::AnswerAndWarn => self.cached(),
        }
    }

    /// A token that was refused is taken back once, as the worker's word against the server's.
    fn accept(&mut self, token: Token, world: &World<'_>, now: Millis) -> Option<Token> {
        let text = format!("ghs_{}", token.number);
        let secret = Secret::parse(text.as_bytes()).expect("letters and digits are a token");
        let same = |rejection: &&mut Rejection| rejection.hash == secret.hash();
        if let Some(rejection) = self.rejection.as_mut().filter(same)
            && rejection.stands()
        {
            if rejection.served_again_at.is_some() {
                return None;
            }
            rejection.served_again_at = Some(moment(now));
        }
        let expires = self.is_told.then(|| moment(world.dies_at(token)));
        let grant = Grant { token: secret, expires, asked_at: moment(now) };
        let previous = self.cached.as_ref().map(|(_, entry)| entry);
        let entry = entry_for(grant, previous, self.rng.f64(), &self.policy);
        self.cached = Some((token, entry));
        Some(token)
    }

    fn cached(&self) -> Option<Token> {
        self.cached.as_ref().map(|(token, _)| *token)
    }

    fn rejection_of(&self, entry: &Entry) -> Option<&Rejection> {
        self.rejection.as_ref().filter(|rejection| rejection.hash == entry.token.hash())
    }
}

impl Way for Helper {
    fn start(&mut self, _world: &mut World<'_>, _now: Millis) {
        (self.cached, self.rejection, self.failure) = (None, None, None);
    }

    fn token(&mut self, world: &mut World<'_>, _agent: usize, now: Millis) -> Option<Token> {
        let entry = self.cached.as_ref().map(|(_, entry)| entry);
        let facts = Facts {
            entry,
            rejection: entry.and_then(|entry| self.rejection_of(entry)),
            failure: self.failure.as_ref(),
            waiting_since: None,
            wanted_since: None,
            doubted: false,
            now: moment(now),
        };
        match decide(facts, &self.policy).action {
            Action::Answer { .. } | Action::AnswerAndWarn => self.cached(),
            Action::Renew(plan) => self.renew(plan, world, now),
            Action::Fail => None,
        }
    }

    /// git erases what was refused, and then, if it heals, asks again.
    fn refused(&mut self, world: &mut World<'_>, agent: usize, now: Millis) -> Option<Token> {
        let (_, entry) = self.cached.as_ref()?;
        let before = self.rejection_of(entry).cloned();
        let before = before.unwrap_or_else(|| Rejection::none(entry.token.hash()));
        self.rejection = Some(refused_again(before, moment(now), &self.policy));
        if self.git_heals { self.token(world, agent, now) } else { None }
    }
}

fn moment(now: Millis) -> Timestamp {
    BEGINNING.shifted(now)
}
