//! The policy: what to do with a token, and why. By age a token is FRESH, SOON to be renewed, DUE
//! or DEAD; ODD when the clock went back. A refusal by a server is a reason to ask the worker, and
//! takes the token from no command but the refused one.

use std::time::Duration;

pub use decision::{Action, Decision, Otherwise, Plan, Reason, State};
pub use life::{Life, died_before, entry_for};
pub use refusal::{Asks, Evidence, HostKey, HostRecord};

use crate::failure::FailureRecord;
use crate::time::Timestamp;
use crate::token::Entry;

mod decision;
mod life;
mod refusal;

// The numbers; the worker contract's facts 2, 3 and 6 are the source.

/// An answer without an expiry is good for at least this long after it was given.
const ASSURED_LIFE: Duration = Duration::from_mins(29);
/// No installation token lives longer than this after it was first seen.
const LONGEST_LIFE: Duration = Duration::from_mins(60);
/// A long-lived token is asked for again after this.
const PERSONAL_RENEWAL: Duration = Duration::from_mins(30);
/// A long-lived token that was not confirmed for this long is forgotten: GitHub removes one
/// that nobody used for a year.
const PERSONAL_LIFE: Duration = Duration::from_hours(365 * 24);
/// How long before its end a token is SOON, at most; a third of a short life.
const SOON: Duration = Duration::from_mins(10);
/// How much earlier still, by a draw, at most; a sixth of a short life.
const SPREAD: Duration = Duration::from_mins(5);
/// How long before its end a token is DUE, at most; a fifth of a short life.
const DUE: Duration = Duration::from_mins(5);
/// How long before its end a token is DEAD, at most; a twentieth of a short life.
const DEAD: Duration = Duration::from_secs(30);
/// At most one successful call in this time, or in a tenth of a short life.
const LEAST_GAP: Duration = Duration::from_secs(60);
/// A refusal this soon after the token was first seen may be replication lag; at most a tenth
/// of a short life.
pub const LAG: Duration = Duration::from_secs(60);
/// How long to wait before a lagging token is handed out again.
pub const LAG_PAUSE: Duration = Duration::from_secs(2);
/// How far ahead of this clock a moment on record may be.
const TOLERANCE: Duration = Duration::from_mins(2);
/// At most one call to the worker in this time because of refusals of one token at one host,
/// then one in 2, 4 and 5 times this time; at most a tenth of a short life.
pub const ASK_GAP: Duration = Duration::from_mins(1);
/// After this long without such a call, counting starts again.
const QUIET: Duration = Duration::from_mins(10);
/// A long-lived token that a host refused is passed over there for this long, and twice as long
/// after each further refusal.
const PASS_OVER: Duration = Duration::from_mins(5);
/// The longest time that it is passed over.
const LONGEST_PASS_OVER: Duration = Duration::from_hours(1);

/// Everything that a decision may depend on.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub entry: Option<&'a Entry>,
    /// What is on record of the entry's token at the host in question.
    pub at_host: Option<&'a HostRecord>,
    /// What the request says about the entry's token.
    pub evidence: Evidence,
    /// The failure on record. Called only when a renewal is due, so that a fresh answer does not
    /// read that file.
    pub failure: &'a dyn Fn() -> Option<FailureRecord>,
    /// Since when this process has been waiting for another's renewal.
    pub waiting_since: Option<Timestamp>,
    pub demand: Demand,
    pub now: Timestamp,
}

impl<'a> Facts<'a> {
    /// Of an entry alone: nothing else is on record or asked for.
    pub fn about(entry: Option<&'a Entry>, now: Timestamp) -> Self {
        Self {
            entry,
            at_host: None,
            evidence: Evidence::None,
            failure: &|| None,
            waiting_since: None,
            demand: Demand::default(),
            now,
        }
    }
}

/// What the command asks for beyond a token that works.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Only a token that the worker handed out after this moment will do (`refresh`).
    pub newer_than: Option<Timestamp>,
    /// Whether a failure on record keeps the worker from being asked.
    pub respects_failures: bool,
    /// The worker is asked first if the token may die sooner than this (`--min-life`).
    pub least_life: Duration,
}

impl Default for Demand {
    fn default() -> Self {
        Self { newer_than: None, respects_failures: true, least_life: Duration::ZERO }
    }
}

/// The push can go ahead anyway, so it never waits for another's renewal.
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
/// Without a token nothing else can be done: use most of the process's 20 seconds.
const RENEW_DEAD: Plan = Plan {
    wait: Duration::from_secs(14),
    attempts: 2,
    budget: Duration::from_secs(13),
    otherwise: Otherwise::Fail,
};
/// A refused token may still be valid, so it is handed out if there is no other.
const RENEW_REFUSED: Plan = RENEW_DUE;
/// The same, but a hint is not worth a warning.
const RENEW_HINTED: Plan = Plan { otherwise: Otherwise::Answer, ..RENEW_DUE };
/// This command's own answer was refused: the same as having no token.
const RENEW_REJECTED: Plan = Plan { otherwise: Otherwise::Reject, ..RENEW_DEAD };
/// The cached token works, but not for as long as was asked for.
const RENEW_WANTED: Plan = Plan { otherwise: Otherwise::AnswerAndWarn, ..RENEW_DEAD };

/// Decides what to do with a cached token. Every input has an answer; none panics.
pub fn decide(facts: &Facts<'_>) -> Decision {
    let Some(entry) = facts.entry else {
        return renew(State::Dead, Reason::NothingCached, RENEW_DEAD, facts);
    };
    let life = Life::of(entry);
    let (state, reason) = life.state_at(facts.now, entry);
    if facts.demand.newer_than.is_some_and(|moment| entry.confirmed_at < moment) {
        return renew(state, Reason::NewerWanted, RENEW_DEAD, facts);
    }
    if state == State::Dead {
        return renew(state, reason, RENEW_DEAD, facts);
    }
    if let Some(decision) = decide_refused(entry, &life, state, facts) {
        return decision;
    }
    let just_confirmed = life.just_confirmed(facts.now, entry);
    let least_life = facts.demand.least_life;
    let lives_too_short = !least_life.is_zero() && life.least < facts.now.plus(least_life);
    match state {
        _ if lives_too_short && !just_confirmed => {
            renew(state, Reason::LongerWanted, RENEW_WANTED, facts)
        }
        State::Fresh => answer(state, reason, Duration::ZERO),
        _ if just_confirmed => answer(state, Reason::JustConfirmed, Duration::ZERO),
        State::Soon => renew(state, reason, RENEW_SOON, facts),
        _ => renew(state, reason, RENEW_DUE, facts),
    }
}

/// What follows from a refusal of a token that may live by its age: a pause while it may be
/// replication lag, a call to the worker if that is not too often, else the end of the command
/// that was refused. `None`: for every other command only the token's age counts.
fn decide_refused(entry: &Entry, life: &Life, state: State, facts: &Facts<'_>) -> Option<Decision> {
    let none = HostRecord::default();
    let record = facts.at_host.unwrap_or(&none);
    let is_own = facts.evidence == Evidence::Refused;
    let is_hint = facts.evidence == Evidence::Hint && state == State::Fresh;
    if !is_own && !record.is_refused() && !is_hint {
        // In any state but FRESH its age has the worker asked anyway.
        return None;
    }
    if is_own || record.is_refused() {
        let (now, lag) = (facts.now, life.shortened(LAG));
        let refused_at = record.refused_at.unwrap_or(now);
        // Worker contract, fact 6: GitHub may not know the token yet.
        let may_lag = record.refusals <= 1 && is_within(lag, entry.first_seen, refused_at);
        if may_lag && is_within(lag, entry.first_seen, now) {
            let pause = refused_at.plus(LAG_PAUSE).since(now);
            return Some(answer(state, Reason::MayLag, pause.min(LAG_PAUSE)));
        }
    }
    let gaps = (life.shortened(ASK_GAP), QUIET);
    if may_ask_about(record, is_own, entry, gaps, facts.now) {
        let (reason, plan) = match facts.evidence {
            Evidence::Refused => (Reason::Rejected, RENEW_REJECTED),
            _ if record.is_refused() => (Reason::Rejected, RENEW_REFUSED),
            _ => (Reason::MayBeRefused, RENEW_HINTED),
        };
        return Some(renew(State::Suspect, reason, plan, facts));
    }
    is_own.then_some(Decision {
        state: State::Suspect,
        action: Action::Reject,
        reason: Reason::Rejected,
        failure: None,
    })
}

/// Whether the worker may be asked because of a refusal or a hint: once in a gap, then once in 2, 4
/// and 5 gaps while the host keeps refusing what the worker hands out. If the worker has handed the
/// token out again since the refusal, for any reason, that counts as asked; for a hint, so does its
/// first handing out.
fn may_ask_about(
    record: &HostRecord,
    is_own: bool,
    entry: &Entry,
    (gap, quiet): (Duration, Duration),
    now: Timestamp,
) -> bool {
    let is_since_refusal = record.refused_at.is_some_and(|at| entry.confirmed_at > at);
    let is_hint = !is_own && !record.is_refused();
    // The worker was asked about a refusal just now, or several times: a hint brings nothing new.
    let enough = if record.asked.count > 1 { quiet } else { gap };
    if is_hint && record.asked.last_at.is_some_and(|at| is_within(enough, at, now)) {
        return false;
    }
    let asks = if is_hint { record.hinted } else { record.asked };
    let confirmed = (is_hint || is_since_refusal).then_some(entry.confirmed_at);
    let Some(asked_at) = asks.last_at.max(confirmed) else { return true };
    let gaps = match asks.count {
        0 | 1 => 1,
        2 => 2,
        3 => 4,
        _ => 5,
    };
    !is_within(gap * gaps, asked_at, now)
}

/// What to do with a configured token: a long-lived one, or a snapshot from the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configured {
    Use,
    /// Only if no other source has a token.
    PassOver,
    Never,
}

/// Decides about a configured token by what is on record of it at the host. A snapshot that was
/// refused is dead for good; a long-lived token is passed over for a while, longer each time.
pub fn decide_configured(
    is_long_lived: bool,
    record: Option<&HostRecord>,
    evidence: Evidence,
    now: Timestamp,
) -> Configured {
    match record.filter(|record| record.is_refused()) {
        _ if evidence == Evidence::Refused => Configured::Never,
        None => Configured::Use,
        Some(_) if !is_long_lived => Configured::Never,
        Some(record) => {
            let doublings = record.refusals.saturating_sub(1).min(10);
            let time = (PASS_OVER * (1 << doublings)).min(LONGEST_PASS_OVER);
            match record.refused_at {
                Some(at) if is_within(time, at, now) => Configured::PassOver,
                _ => Configured::Use,
            }
        }
    }
}

fn answer(state: State, reason: Reason, pause: Duration) -> Decision {
    Decision { state, reason, action: Action::Answer { pause }, failure: None }
}

/// A failure on record takes the place of an attempt that would only repeat it.
fn renew(state: State, reason: Reason, plan: Plan, facts: &Facts<'_>) -> Decision {
    let usable = !matches!(plan.otherwise, Otherwise::Fail | Otherwise::Reject);
    let Facts { waiting_since, now, demand, .. } = facts;
    let since = waiting_since.or(demand.newer_than);
    let is_since = |record: &FailureRecord| since.is_some_and(|since| record.at >= since);
    let failure = (facts.failure)()
        .filter(|record| demand.respects_failures || is_since(record))
        .filter(|record| record.answers(usable, *waiting_since, *now));
    let action = match (&failure, plan.otherwise) {
        (None, _) => Action::Renew(plan),
        (Some(_), Otherwise::Answer) => Action::Answer { pause: Duration::ZERO },
        (Some(_), Otherwise::AnswerAndWarn) => Action::AnswerAndWarn,
        (Some(_), Otherwise::Fail) => Action::Fail,
        (Some(_), Otherwise::Reject) => Action::Reject,
    };
    Decision { state, reason, action, failure }
}

/// Whether `earlier` is less than `gap` before `now`, and not after it.
pub fn is_within(gap: Duration, earlier: Timestamp, now: Timestamp) -> bool {
    now >= earlier && now.since(earlier) < gap
}

#[cfg(test)]
mod tests;
