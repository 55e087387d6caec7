//! Single flight: look at the cache, decide, and if a new token is needed let one process ask the
//! worker while the others wait. Seeing a newer entry ends any wait, whoever wrote it, and so does
//! a failure that was recorded after the wait began. Locks only save calls.

use std::time::Duration;

use git_credential_gastown::failure::{Failure, FailureRecord, Name, Retry};
use git_credential_gastown::freshness::{
    Action, Decision, Facts, Otherwise, Plan, State, decide, entry_for,
};
use git_credential_gastown::healing::Report;
use git_credential_gastown::scope::{CacheKey, Host};
use git_credential_gastown::timestamp::{Timestamp, spoken};
use git_credential_gastown::token::{Entry, Grant, Rejection, TokenHash};

use super::Context;
use super::conversation::Conversation;
use crate::cache::{Found, Shelf};
use crate::clock;
use crate::config::Place;
use crate::lock::{self, Lock, Try};

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
        Self { context, place, key: place.key(host), report }
    }

    /// A token that is alive, as far as anybody can know.
    ///
    /// # Errors
    /// If there is none, neither in the cache nor from the worker.
    pub(super) fn obtain(&self) -> Result<Entry, NotObtained> {
        let found = self.context.cache.entry(&self.key);
        self.tell_faults(&found);
        if let Some(entry) = found.record.filter(|entry| self.report.refuses(&entry.token)) {
            self.context.note_rejection(&entry.token);
        }
        self.settle(self.look(None))
    }

    /// Looks at the cache and decides. The failure record is only read when it matters, so that a
    /// fresh answer costs one file.
    fn look(&self, waiting_since: Option<Timestamp>) -> Seen {
        let cache = &self.context.cache;
        let entry = cache.entry(&self.key).record;
        let rejection = entry.as_ref().and_then(|entry| cache.rejection(&entry.token.hash()));
        let now = clock::now();
        let facts = Facts {
            entry: entry.as_ref(),
            rejection: rejection.as_ref(),
            failure: None,
            doubted: entry.as_ref().is_some_and(|entry| self.report.doubts(&entry.token)),
            now,
        };
        let mut decision = decide(facts, &self.context.policy);
        let mut failure = None;
        if matches!(decision.action, Action::Renew(_)) {
            failure = cache.failure(&self.key);
            let answering = failure
                .as_ref()
                .filter(|record| record.answers(&self.fingerprint(record), waiting_since, now));
            decision = decide(Facts { failure: answering, ..facts }, &self.context.policy);
        }
        Seen { entry, failure, decision }
    }

    fn settle(&self, seen: Seen) -> Result<Entry, NotObtained> {
        let Decision { state, action, reason } = &seen.decision;
        self.context.messages.trace(format_args!("cache: {state:?}, {reason}: {action:?}"));
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
                self.warn_meanwhile(&seen.recorded_failure().to_string(), &seen);
                self.hand_out(seen)
            }
            Action::Fail => Err(seen.not_obtained(seen.recorded_failure())),
        }
    }

    fn hand_out(&self, seen: Seen) -> Result<Entry, NotObtained> {
        match seen.entry {
            Some(entry) => Ok(entry),
            None => Err(seen.not_obtained(out_of_time())),
        }
    }

    /// Takes its turn to ask the worker, or is answered by what another process got.
    fn renew(&self, mut plan: Plan, seen: Seen) -> Result<Entry, NotObtained> {
        let (clock, since) = (self.context.clock, clock::now());
        let (shelf, reasons) = self.context.cache.shelf(&self.key, Lock::open);
        for reason in reasons {
            self.context.messages.warning(format_args!("{reason:#} [{}]", Name::CacheUnusable));
        }
        let Some((shelf, lock)) = shelf else { return self.fetch(plan, seen, None) };
        let (began, mut nap) = (clock.running(), SHORTEST_NAP);
        let mut locks = vec![lock];
        loop {
            let is_my_turn = locks.iter_mut().any(|lock| lock.try_acquire() != Try::Busy);
            let seen = self.look(Some(since));
            match seen.decision.action {
                Action::Renew(now_planned) => plan = now_planned,
                _ => return self.settle(seen),
            }
            let waited = clock.running().saturating_sub(began);
            if is_my_turn {
                if locks.len() > 1 {
                    self.warn_of_holder(&mut locks[0], waited);
                }
                return self.fetch(plan, seen, Some(shelf));
            }
            if waited >= plan.wait {
                if plan.otherwise != Otherwise::Fail {
                    return self.serve_meanwhile(plan, seen, &mut locks[0], waited);
                }
                // The holder does not move: one waiter may go ahead without its lock.
                if locks.len() == 1
                    && let Ok(bypass) = Lock::open(&shelf.bypass_path(&self.key))
                {
                    locks.push(bypass);
                    continue;
                }
            }
            if clock.remaining() <= LAST_MOMENT {
                return Err(seen.not_obtained(out_of_time()));
            }
            clock.sleep(nap.mul_f64(0.5 + fastrand::f64()));
            nap = (nap * 2).min(LONGEST_NAP);
        }
    }

    /// Asks the worker; `shelf` is where the outcome is kept, if anywhere.
    fn fetch(
        &self,
        plan: Plan,
        seen: Seen,
        shelf: Option<Shelf<'_>>,
    ) -> Result<Entry, NotObtained> {
        let conversation = Conversation::new(self.context, self.place, shelf, plan);
        let outcome = conversation.git_token().and_then(|grant| self.accept(grant, &seen, shelf));
        match outcome {
            Ok(entry) => Ok(entry),
            Err(failure) => self.fall_back(plan, failure, seen, shelf),
        }
    }

    /// Keeps a granted token, unless the worker is stuck on one that was refused.
    fn accept(
        &self,
        grant: Grant,
        seen: &Seen,
        shelf: Option<Shelf<'_>>,
    ) -> Result<Entry, Failure> {
        let Context { cache, messages, policy, .. } = self.context;
        messages.remember(&grant.token);
        let before = cache.rejection(&grant.token.hash());
        let rejection = self.vouched(before, &grant)?;
        let entry = entry_for(grant, seen.entry.as_ref(), fastrand::f64(), policy);
        if seen.entry.as_ref().is_some_and(|old| is_overdue(old, &entry)) {
            messages
                .warning("the worker still hands out a token that it first handed out an hour ago");
        }
        let Some(shelf) = shelf else { return Ok(entry) };
        // A process that was stopped for long must not put an old answer over a newer one.
        let newer = cache.entry(&self.key).record.filter(|cached| {
            cached.confirmed_at > entry.confirmed_at && cached.confirmed_at <= clock::now()
        });
        if let Some(newer) = newer {
            return Ok(newer);
        }
        let kept = rejection
            .map_or(Ok(()), |rejection| shelf.keep_rejection(&rejection))
            .and_then(|()| shelf.keep_entry(&self.key, &entry));
        if let Err(reason) = kept {
            messages.warning(format_args!("{reason:#} [{}]", Name::CacheUnusable));
        }
        shelf.forget_failure(&self.key);
        shelf.sweep(clock::now(), lock::retire);
        Ok(entry)
    }

    /// What to put on record of the token's refusals now that the worker has handed it out.
    fn vouched(
        &self,
        before: Option<Rejection>,
        grant: &Grant,
    ) -> Result<Option<Rejection>, Failure> {
        let is_doubt = matches!(self.report, Report::Doubted(_));
        let mut rejection = match before {
            Some(rejection) => rejection,
            None if is_doubt => Rejection::none(grant.token.hash()),
            None => return Ok(None),
        };
        if is_doubt {
            rejection.doubted_at = Some(grant.asked_at);
        }
        if rejection.stands() {
            let what = "the worker hands out a token again that the server rejected";
            let advice = "run the command again; if it stays, reinstall the GitHub App for the rig";
            let failure = Failure::new(Name::TokenRejected, Retry::WhenMended, what, advice);
            if rejection.served_again_at.is_some() {
                return Err(failure.briefly("hands out a rejected token"));
            }
            self.context.messages.warning(failure);
            rejection.served_again_at = Some(clock::now().max(rejection.last_at));
        }
        Ok(Some(rejection))
    }

    /// Records the failure for everybody, and does without a new token if it can.
    fn fall_back(
        &self,
        plan: Plan,
        failure: Failure,
        seen: Seen,
        shelf: Option<Shelf<'_>>,
    ) -> Result<Entry, NotObtained> {
        // A process that went ahead meanwhile may have got one.
        let later = self.look(None);
        if let Action::Answer { .. } = later.decision.action {
            return self.hand_out(later);
        }
        if let Some(shelf) = shelf {
            let usable = plan.otherwise != Otherwise::Fail;
            let mut record = FailureRecord::new(
                failure.clone(),
                seen.failure.as_ref(),
                usable,
                fastrand::f64(),
                clock::now(),
                "",
            );
            record.settings = self.fingerprint(&record);
            if let Err(reason) = shelf.keep_failure(&self.key, &record) {
                self.context.messages.trace(format_args!("{reason:#}"));
            }
        }
        match plan.otherwise {
            Otherwise::Answer => self.hand_out(seen),
            Otherwise::AnswerAndWarn => {
                self.warn_meanwhile(&failure.to_string(), &seen);
                self.hand_out(seen)
            }
            Otherwise::Fail => Err(seen.not_obtained(failure)),
        }
    }

    /// Another process is at it; the cached token will do.
    fn serve_meanwhile(
        &self,
        plan: Plan,
        seen: Seen,
        lock: &mut Lock,
        waited: Duration,
    ) -> Result<Entry, NotObtained> {
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

    fn tell_faults(&self, found: &Found<Entry>) {
        for fault in &found.faults {
            match fault.is_suspicious {
                true => self.context.messages.warning(format_args!(
                    "{} [{}]",
                    fault.what,
                    Name::CacheUnusable
                )),
                false => self.context.messages.trace(format_args!("cache: {}", fault.what)),
            }
        }
    }

    /// A refused container JWT is a failure of that JWT; anything else is one of the route, which
    /// agents with different snapshots share.
    fn fingerprint(&self, record: &FailureRecord) -> String {
        let settings = &self.context.settings;
        match record.failure.retry {
            Retry::WhenMended => settings.fingerprint(&settings.container_tokens_fingerprint()),
            Retry::AtOnce | Retry::Later => settings.fingerprint(""),
        }
    }
}

impl Seen {
    fn recorded_failure(&self) -> Failure {
        let now = clock::now();
        self.failure.as_ref().map_or_else(out_of_time, |record| record.retold(now))
    }

    fn not_obtained(&self, failure: Failure) -> NotObtained {
        let is_dead = self.decision.state == State::Dead;
        let dead = self.entry.as_ref().filter(|_| is_dead).map(|entry| entry.token.hash());
        NotObtained { failure, dead, cached: Some(self.decision.reason.to_string()) }
    }
}

/// Whether the worker handed out the same token again after the longest time that one can live.
fn is_overdue(old: &Entry, new: &Entry) -> bool {
    old.token.hash() == new.token.hash() && new.first_seen > old.first_seen
}

fn named(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn out_of_time() -> Failure {
    let what = "another process has been asking the worker for too long";
    Failure::new(Name::Timeout, Retry::AtOnce, what, "run the command again")
}
