//! Single flight: look at the cache, decide, and if a new token is needed let one process ask the
//! worker while the others wait. Seeing a newer entry ends any wait, whoever wrote it, and so does
//! a failure that was recorded after the wait began. Locks only save calls.

use std::time::Duration;

use git_credential_gastown::failure::{Failure, FailureRecord, Name, Retry};
use git_credential_gastown::healing::Report;
use git_credential_gastown::host::{CacheKey, Host};
use git_credential_gastown::policy::{Action, Decision, Facts, Otherwise, Plan, State, decide};
use git_credential_gastown::time::{Timestamp, spoken};
use git_credential_gastown::token::{Entry, TokenHash};

use super::Context;
use crate::cache::{Fault, Found, Shelf};
use crate::clock;
use crate::config::Place;
use crate::lock::{Lock, Try};

mod outcome;

/// Time kept back to say why there is no answer.
const LAST_MOMENT: Duration = Duration::from_millis(500);
const SHORTEST_NAP: Duration = Duration::from_millis(5);
const LONGEST_NAP: Duration = Duration::from_millis(100);

/// Why the worker and its cache have no token to offer.
#[derive(Debug)]
pub(super) struct NotObtained {
    pub failure: Failure,
    /// The cached token, if it is known to be dead.
    pub dead: Option<TokenHash>,
    /// What is the matter with the cached token; `None` if the cache could not be looked at.
    pub cached: Option<String>,
}

/// One process's way to a live token for one key.
pub(super) struct Flight<'a> {
    context: &'a Context<'a>,
    place: Place<'a>,
    key: CacheKey,
    report: &'a Report,
    wanted_since: Option<Timestamp>,
}

/// A token, and whether this very process got it from the worker.
pub(super) struct Obtained {
    pub entry: Entry,
    pub is_new: bool,
}

/// What the cache holds at one moment.
#[derive(Debug)]
struct Seen {
    entry: Option<Entry>,
    failure: Option<FailureRecord>,
    decision: Decision,
}

impl<'a> Flight<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        place: Place<'a>,
        host: &Host,
        report: &'a Report,
    ) -> Self {
        Self { context, place, key: place.key(host), report, wanted_since: None }
    }

    /// Takes nothing but what the worker hands out from now on, to whomever.
    pub(super) fn wanting_newer(self) -> Self {
        Self { wanted_since: Some(clock::now()), ..self }
    }

    /// A token that is alive, as far as anybody can know.
    ///
    /// # Errors
    /// If there is none, neither in the cache nor from the worker.
    pub(super) fn obtain(&self) -> Result<Obtained, NotObtained> {
        let Found { record: entry, faults } = self.context.cache.entry(&self.key);
        self.tell(&faults);
        if let Some(entry) = entry.as_ref().filter(|entry| self.report.refuses(&entry.token)) {
            self.context.note_rejection(&entry.token);
        }
        self.settle(self.judge(entry, None))
    }

    fn look(&self, waiting_since: Option<Timestamp>) -> Seen {
        self.judge(self.context.cache.entry(&self.key).record, waiting_since)
    }

    /// Decides about an entry. The failure record is only read when it matters, so that a fresh
    /// answer costs one file.
    fn judge(&self, entry: Option<Entry>, waiting_since: Option<Timestamp>) -> Seen {
        let Context { cache, policy, .. } = self.context;
        let rejection = entry.as_ref().and_then(|entry| cache.rejection(&entry.token.hash()));
        let facts = Facts {
            entry: entry.as_ref(),
            rejection: rejection.as_ref(),
            failure: None,
            waiting_since,
            doubted: entry.as_ref().is_some_and(|entry| self.report.doubts(&entry.token)),
            wanted_since: self.wanted_since,
            now: clock::now(),
        };
        let is_since =
            |record: &FailureRecord| waiting_since.is_some_and(|since| record.at >= since);
        let mut decision = decide(facts, policy);
        let mut failure = None;
        if let Action::Renew(_) = decision.action {
            failure = cache
                .failure(&self.key)
                .filter(|record| record.settings == self.fingerprint(record.failure.retry))
                .filter(|record| self.context.heeds_failures || is_since(record));
            decision = decide(Facts { failure: failure.as_ref(), ..facts }, policy);
        }
        Seen { entry, failure, decision }
    }

    fn settle(&self, seen: Seen) -> Result<Obtained, NotObtained> {
        let Decision { state, action, reason } = &seen.decision;
        self.context.messages.trace(format_args!("cache: {state}, {reason}: {action}"));
        match *action {
            Action::Renew(plan) => self.renew(plan, seen),
            Action::Answer { pause } if pause.is_zero() => self.hand_out(seen),
            Action::Answer { pause } => {
                self.context.clock.sleep(pause);
                // Another process may have renewed it meanwhile.
                let later = self.look(None);
                self.hand_out(if later.entry.is_some() { later } else { seen })
            }
            Action::AnswerAndWarn => {
                self.warn_meanwhile(&seen.recorded_failure(true).to_string(), &seen);
                self.hand_out(seen)
            }
            Action::Fail => Err(seen.not_obtained(seen.recorded_failure(false))),
        }
    }

    fn hand_out(&self, seen: Seen) -> Result<Obtained, NotObtained> {
        match seen.entry {
            Some(entry) => Ok(Obtained { entry, is_new: false }),
            None => Err(seen.not_obtained(out_of_time())),
        }
    }

    /// Takes its turn to ask the worker, or is answered by what another process got.
    fn renew(&self, mut plan: Plan, seen: Seen) -> Result<Obtained, NotObtained> {
        let (clock, since) = (self.context.clock, clock::now());
        let Some((shelf, lock)) = self.shelf() else { return self.fetch(plan, seen, None) };
        let (began, mut nap) = (clock.running(), SHORTEST_NAP);
        let mut locks = vec![lock];
        loop {
            let is_my_turn = locks.iter_mut().any(|lock| lock.try_acquire() != Try::Busy);
            let seen = self.look(Some(since));
            let Action::Renew(planned) = seen.decision.action else {
                drop(locks);
                return self.settle(seen);
            };
            plan = planned;
            let waited = clock.running().saturating_sub(began);
            if is_my_turn {
                if locks.len() > 1 {
                    self.warn_of_holder(&mut locks[0], waited);
                }
                return self.fetch(plan, seen, Some(shelf));
            }
            if waited >= plan.wait && plan.otherwise != Otherwise::Fail {
                return self.serve_meanwhile(plan, seen, &mut locks[0], waited);
            }
            if waited >= plan.wait && locks.len() == 1 {
                // The holder does not move: one waiter may go ahead without its lock.
                locks.extend(Lock::open(&shelf.bypass_path(&self.key)));
            }
            if clock.remaining() <= LAST_MOMENT {
                return Err(seen.not_obtained(out_of_time()));
            }
            clock.sleep(nap.mul_f64(0.5 + fastrand::f64()));
            nap = (nap * 2).min(LONGEST_NAP);
        }
    }

    /// Where the outcome will be kept, with its lock; a warning if that is not the usual place.
    fn shelf(&self) -> Option<(Shelf<'a>, Lock)> {
        let Context { cache, messages, .. } = self.context;
        let (shelf, reasons) = cache.shelf(&self.key, Lock::open);
        let instead = match &shelf {
            Some((shelf, _)) => format!("caching in {:?} instead", shelf.directory()),
            None => "going on without a cache".to_owned(),
        };
        for reason in reasons {
            messages.warning(format_args!("{reason:#}; {instead} [{}]", Name::CacheUnusable));
        }
        shelf
    }

    /// Another process is at it; the cached token will do.
    fn serve_meanwhile(
        &self,
        plan: Plan,
        seen: Seen,
        lock: &mut Lock,
        waited: Duration,
    ) -> Result<Obtained, NotObtained> {
        if plan.otherwise == Otherwise::AnswerAndWarn {
            let holder = named(lock.holder());
            let why = format!("{holder} has been renewing for over {}", spoken(waited));
            self.warn_meanwhile(&why, &seen);
        }
        self.hand_out(seen)
    }

    fn warn_meanwhile(&self, why: &str, seen: &Seen) {
        let reason = &seen.decision.reason;
        self.context.messages.warning(format_args!("{why}; using the cached token ({reason})"));
    }

    fn warn_of_holder(&self, lock: &mut Lock, waited: Duration) {
        self.context.messages.warning(format_args!(
            "{} has held the lock for over {}: going ahead without it",
            named(lock.holder()),
            spoken(waited)
        ));
    }

    fn tell(&self, faults: &[Fault]) {
        let messages = self.context.messages;
        for Fault { what, is_suspicious } in faults {
            match is_suspicious {
                true => messages.warning(format_args!("{what} [{}]", Name::CacheUnusable)),
                false => messages.trace(format_args!("cache: {what}")),
            }
        }
    }

    /// Names the settings that a failure belongs to. A definite one may be the fault of the
    /// container JWT; anything else is one of the route, which agents with different JWTs share.
    fn fingerprint(&self, retry: Retry) -> String {
        let settings = &self.context.settings;
        match retry {
            Retry::WhenMended => settings.fingerprint(&settings.container_tokens_fingerprint()),
            Retry::AtOnce | Retry::Later => settings.fingerprint(""),
        }
    }
}

impl Seen {
    fn recorded_failure(&self, usable: bool) -> Failure {
        let now = clock::now();
        self.failure.as_ref().map_or_else(out_of_time, |record| record.retold(usable, now))
    }

    fn not_obtained(&self, failure: Failure) -> NotObtained {
        let is_dead = self.decision.state == State::Dead;
        let dead = self.entry.as_ref().filter(|_| is_dead).map(|entry| entry.token.hash());
        NotObtained { failure, dead, cached: Some(self.decision.reason.to_string()) }
    }
}

fn named(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn out_of_time() -> Failure {
    let what = "another process has been asking the worker for too long";
    Failure::new(Name::Timeout, Retry::AtOnce, what, "run the command again")
}
