//! The freshness policy: what to do with a cached token, and why. Read it aloud: a token is FRESH
//! until its drawn moment, then SOON to be renewed, then DUE, then DEAD; ODD when the clock went
//! back. Total over its inputs; knows no clock, no files, no worker.

use std::fmt;
use std::time::Duration;

pub use life::{Outlook, died_before, entry_for, outlook};

use crate::failure::FailureRecord;
use crate::time::{Timestamp, spoken};
use crate::token::{Entry, Rejection};
use life::Life;

mod life;

/// The numbers of the policy; the worker contract's facts 2, 3 and 6 are the source.
#[derive(Clone, Debug)]
pub struct Policy {
    /// An answer without an expiry is good for at least this long after it was given.
    pub assured_life: Duration,
    /// No installation token lives longer than this after it was first seen.
    pub longest_life: Duration,
    /// A long-lived token is asked for again after this.
    pub personal_renewal: Duration,
    /// How long before its end a token is SOON, at most; a third of a short life.
    pub soon: Duration,
    /// How much earlier still, by a draw, at most; a sixth of a short life.
    pub spread: Duration,
    /// How long before its end a token is DUE, at most; a fifth of a short life.
    pub due: Duration,
    /// How long before its end a token is DEAD, at most; a twentieth of a short life.
    pub dead: Duration,
    /// At most one successful call in this time, or in a tenth of a short life.
    pub least_gap: Duration,
    /// A refusal this soon after the token was first seen may be replication lag; a tenth of a
    /// short life.
    pub lag: Duration,
    /// How long to wait before a lagging token is handed out again.
    pub lag_pause: Duration,
    /// Clocks may disagree by this much before it is odd.
    pub tolerance: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            assured_life: Duration::from_mins(29),
            longest_life: Duration::from_mins(60),
            personal_renewal: Duration::from_mins(30),
            soon: Duration::from_mins(10),
            spread: Duration::from_mins(5),
            due: Duration::from_mins(5),
            dead: Duration::from_secs(30),
            least_gap: Duration::from_secs(60),
            lag: Duration::from_secs(60),
            lag_pause: Duration::from_secs(2),
            tolerance: Duration::from_mins(2),
        }
    }
}

/// Everything that a decision may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub entry: Option<&'a Entry>,
    /// What is known of the entry's token being refused.
    pub rejection: Option<&'a Rejection>,
    /// A failure on record, of settings like this process's.
    pub failure: Option<&'a FailureRecord>,
    /// Since when this process has been waiting for another's renewal.
    pub waiting_since: Option<Timestamp>,
    /// The client hints, without saying so, that the entry's token may have been refused.
    pub doubted: bool,
    /// Since when somebody wants a token that the worker has handed out after that (`refresh`).
    pub wanted_since: Option<Timestamp>,
    pub now: Timestamp,
}

/// The state of a cached token; in messages in capitals, as the documents have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Fresh,
    Soon,
    Due,
    Dead,
    Odd,
    /// Alive by its age, but there is a hint that it was refused.
    Suspect,
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Fresh => "FRESH",
            Self::Soon => "SOON",
            Self::Due => "DUE",
            Self::Dead => "DEAD",
            Self::Odd => "ODD",
            Self::Suspect => "SUSPECT",
        })
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hand out the cached token after `pause`; no lock, no network.
    Answer {
        pause: Duration,
    },
    /// Hand out the cached token, and say that it could not be renewed.
    AnswerAndWarn,
    Renew(Plan),
    /// Fail with the failure on record.
    Fail,
}

/// How to renew: how long to wait for another's renewal, how hard to try, what to do otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub wait: Duration,
    pub attempts: u32,
    pub budget: Duration,
    pub otherwise: Otherwise,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { pause } if pause.is_zero() => formatter.write_str("answer"),
            Self::Answer { pause } => write!(formatter, "answer in {} ms", pause.as_millis()),
            Self::AnswerAndWarn => formatter.write_str("answer and warn"),
            Self::Renew(plan) => write!(
                formatter,
                "renew, {} attempt(s) in {}, waiting {} for another's",
                plan.attempts,
                spoken(plan.budget),
                spoken(plan.wait)
            ),
            Self::Fail => formatter.write_str("fail"),
        }
    }
}

/// What to do when a renewal fails or another process is at it for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    Answer,
    AnswerAndWarn,
    Fail,
}

/// One more try within a push that can go ahead anyway: never wait for it.
const RENEW_SOON: Plan = Plan {
    wait: Duration::ZERO,
    attempts: 1,
    budget: Duration::from_secs(4),
    otherwise: Otherwise::Answer,
};
const RENEW_DUE: Plan = Plan {
    wait: Duration::from_secs(3),
    attempts: 2,
    budget: Duration::from_secs(8),
    otherwise: Otherwise::AnswerAndWarn,
};
/// Without a token nothing else can be done, so it is worth most of the process's 20 seconds.
const RENEW_DEAD: Plan = Plan {
    wait: Duration::from_secs(14),
    attempts: 2,
    budget: Duration::from_secs(13),
    otherwise: Otherwise::Fail,
};
/// A hint is no proof: try as hard as for a due token, and say nothing if it cannot be had.
const RENEW_SUSPECT: Plan = Plan { otherwise: Otherwise::Answer, ..RENEW_DUE };

/// A decision is a value with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub state: State,
    pub action: Action,
    pub reason: Reason,
}

/// Why; as the trace and the chain of an error tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    NothingCached,
    /// Renewal begins after this long.
    FreshFor(Duration),
    /// Certain to live this long, at the least.
    LivesFor(Duration),
    /// It may have died, but not before this long.
    MayLiveFor(Duration),
    /// A long-lived token that was last confirmed this long ago.
    ConfirmedAgo(Duration),
    DiedAgo(Duration),
    /// The worker confirmed it only now: asking again so soon is pointless.
    JustConfirmed,
    ClockWentBack,
    Rejected,
    /// Refused once, so soon after it was minted that GitHub may not know it yet.
    MayLag,
    MayBeRefused,
    NewerWanted,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingCached => formatter.write_str("empty"),
            Self::FreshFor(time) => write!(formatter, "fresh for {}", spoken(*time)),
            Self::LivesFor(time) => write!(formatter, "lives another {}", spoken(*time)),
            Self::MayLiveFor(time) => write!(formatter, "may live another {}", spoken(*time)),
            Self::ConfirmedAgo(time) => write!(formatter, "confirmed {} ago", spoken(*time)),
            Self::DiedAgo(time) => write!(formatter, "died {} ago", spoken(*time)),
            Self::JustConfirmed => formatter.write_str("confirmed just now"),
            Self::ClockWentBack => formatter.write_str("from the future: the clock went back"),
            Self::Rejected => formatter.write_str("rejected by the server"),
            Self::MayLag => formatter.write_str("refused, but so young that this may be lag"),
            Self::MayBeRefused => formatter.write_str("perhaps refused"),
            Self::NewerWanted => formatter.write_str("a newer one is wanted"),
        }
    }
}

/// What to do with a cached token. Total: every input has an answer, none panics.
pub fn decide(mut facts: Facts<'_>, policy: &Policy) -> Decision {
    if let Some(since) = facts.wanted_since {
        facts.failure = facts.failure.filter(|record| record.at >= since);
    }
    let Some(entry) = facts.entry else {
        return renew(State::Dead, Reason::NothingCached, RENEW_DEAD, facts);
    };
    let life = Life::of(entry, policy);
    let (state, reason) = life.state_at(facts.now, entry, policy);
    let refusal = facts.rejection.filter(|rejection| rejection.stands());
    match (state, refusal) {
        _ if facts.wanted_since.is_some_and(|since| entry.confirmed_at < since) => {
            renew(state, Reason::NewerWanted, RENEW_DEAD, facts)
        }
        (State::Dead, _) => renew(state, reason, RENEW_DEAD, facts),
        (_, Some(rejection)) => decide_refused(entry, rejection, life.lag(policy), facts, policy),
        _ if is_suspect(entry, facts, policy) => {
            renew(State::Suspect, Reason::MayBeRefused, RENEW_SUSPECT, facts)
        }
        (State::Fresh, _) => answer(state, reason, Duration::ZERO),
        _ if life.just_confirmed(facts.now, entry, policy) => {
            answer(state, Reason::JustConfirmed, Duration::ZERO)
        }
        (State::Soon, _) => renew(state, reason, RENEW_SOON, facts),
        _ => renew(state, reason, RENEW_DUE, facts),
    }
}

/// A refused token is dead. One refusal of a token in its first minute is no proof, because GitHub
/// may not know it yet (worker contract, fact 6): it gets a pause and a second chance, and once
/// the minute is over the worker is asked about it.
fn decide_refused(
    entry: &Entry,
    rejection: &Rejection,
    lag: Duration,
    facts: Facts<'_>,
    policy: &Policy,
) -> Decision {
    let is_first = rejection.count == 1 && rejection.served_again_at.is_none();
    if !(is_first && is_within(lag, entry.first_seen, rejection.last_at)) {
        return renew(State::Dead, Reason::Rejected, RENEW_DEAD, facts);
    }
    if is_within(lag, entry.first_seen, facts.now) {
        let pause = rejection.last_at.plus(policy.lag_pause).since(facts.now);
        return answer(State::Fresh, Reason::MayLag, pause.min(policy.lag_pause));
    }
    renew(State::Suspect, Reason::MayBeRefused, RENEW_SUSPECT, facts)
}

/// Whether to ask the worker about a token of which no more is known than a hint: the client
/// hints, or the worker vouched for a token that was refused before. Once a minute is enough.
fn is_suspect(entry: &Entry, facts: Facts<'_>, policy: &Policy) -> bool {
    let last_asked = match facts.rejection {
        Some(rejection) if rejection.count > 0 => Some(entry.confirmed_at),
        _ if !facts.doubted => return false,
        rejection => rejection.and_then(|rejection| rejection.doubted_at),
    };
    last_asked.is_none_or(|at| !is_within(policy.least_gap, at, facts.now))
}

/// A refusal to be put on record. Parallel processes report one refusal many times: within a
/// moment they count once, unless the worker vouched for the token in between.
pub fn refused_again(previous: Rejection, now: Timestamp, policy: &Policy) -> Rejection {
    if previous.stands() && is_within(policy.lag_pause, previous.last_at, now) {
        return previous;
    }
    Rejection { count: previous.count.saturating_add(1), last_at: now, ..previous }
}

fn answer(state: State, reason: Reason, pause: Duration) -> Decision {
    Decision { state, reason, action: Action::Answer { pause } }
}

/// A failure on record stands for the attempt that it would be pointless to repeat.
fn renew(state: State, reason: Reason, plan: Plan, facts: Facts<'_>) -> Decision {
    let usable = plan.otherwise != Otherwise::Fail;
    let failure =
        facts.failure.filter(|failure| failure.answers(usable, facts.waiting_since, facts.now));
    let action = match (failure, plan.otherwise) {
        (None, _) => Action::Renew(plan),
        (Some(_), Otherwise::Answer) => Action::Answer { pause: Duration::ZERO },
        (Some(_), Otherwise::AnswerAndWarn) => Action::AnswerAndWarn,
        (Some(_), Otherwise::Fail) => Action::Fail,
    };
    Decision { state, reason, action }
}

/// Whether `earlier` lies less than `gap` back; a moment that lies ahead does not.
pub fn is_within(gap: Duration, earlier: Timestamp, now: Timestamp) -> bool {
    now >= earlier && now.since(earlier) < gap
}

#[cfg(test)]
mod tests;
