//! Renewal, as a single flight: one process asks the worker, the others wait for its result. Lock,
//! look again, ask, keep. A newer entry ends any wait, whoever wrote it, and so does a failure
//! recorded after the wait began. Locks only save calls; the rename of the entry carries
//! correctness.

use std::time::Duration;

use git_credential_gastown::failure::{Failure, FailureRecord, Name, Scope};
use git_credential_gastown::policy::{
    ASK_GAP, Action, Evidence, HostRecord, Otherwise, Plan, Reason, State, entry_for,
};
use git_credential_gastown::time::{Timestamp, spoken};
use git_credential_gastown::token::{Entry, Grant};

use crate::Context;
use crate::cache::{Fault, host_key};
use crate::clock;
use crate::lock::Lock;
use crate::look::{Look, Lookup, Outcome, out_of_time, using_the_cached};
use crate::token_client::{LAST_MOMENT, git_token};

const SHORTEST_NAP: Duration = Duration::from_millis(5);
const LONGEST_NAP: Duration = Duration::from_millis(100);

const OVERDUE: &str = "the worker still hands out a token that it first handed out an hour ago; if \
                       git fails, run: git credential-gastown doctor";

enum Turn {
    /// This process asks; the lock is held until it is dropped.
    Mine(Box<Look>, Plan, Vec<Lock>),
    Over(Outcome),
}

impl Lookup<'_> {
    /// A token that is alive as far as can be known, or why there is none.
    pub(crate) fn token(&self) -> Outcome {
        let cache = &self.context.cache;
        let entry = cache.entry(&self.key(), clock::now()).unwrap_or_else(|fault| {
            self.tell(&fault);
            None
        });
        let look = self.judge(entry, None);
        // Twice a minute will do.
        let was_noted = |record: &HostRecord| record.was_given(ASK_GAP / 2, clock::now());
        let is_noted = look.at_host.as_ref().is_some_and(was_noted);
        let outcome = match look.decision.action {
            Action::Renew(plan) => self.renew(plan, look),
            _ => self.conclude(look),
        };
        if let Outcome::Serve { entry, .. } = &outcome
            && !is_noted
        {
            self.note_given(entry);
        }
        outcome
    }

    /// Asks the worker, or takes the result of another process that does.
    fn renew(&self, plan: Plan, look: Look) -> Outcome {
        self.tell_problems();
        match self.wait_for_turn(plan, look) {
            Turn::Over(outcome) => outcome,
            Turn::Mine(look, plan, _locks) => self.ask(plan, *look),
        }
    }

    fn wait_for_turn(&self, mut plan: Plan, look: Look) -> Turn {
        let (Context { clock, cache, .. }, since) = (self.context, clock::now());
        // If it cannot be made, writing the entry will say so.
        let paths = cache.make().ok().and_then(|()| cache.lock_paths(&self.key()));
        let Some([lock_path, bypass_path]) = paths else {
            return Turn::Mine(Box::new(look), plan, Vec::new());
        };
        let lock = Lock::open(&lock_path).or_else(|error| {
            let messages = self.context.messages;
            messages.warning(format_args!("{lock_path:?}: {error} [{}]", Name::CacheUnusable));
            Lock::of_directory(cache.directory().unwrap_or(&lock_path))
        });
        let Ok(lock) = lock else { return Turn::Mine(Box::new(look), plan, Vec::new()) };
        let (began, mut nap) = (clock.running(), SHORTEST_NAP);
        let mut locks = vec![lock];
        loop {
            let acquired = locks.iter_mut().position(Lock::try_acquire);
            let look = self.look(Some(since));
            let Action::Renew(planned) = look.decision.action else {
                return Turn::Over(self.conclude(look));
            };
            plan = planned;
            let waited = clock.running().saturating_sub(began);
            if let Some(index) = acquired {
                if index > 0 {
                    self.warn_of_holder(&mut locks[0], waited);
                }
                return Turn::Mine(Box::new(look), plan, locks);
            }
            let may_serve = matches!(plan.otherwise, Otherwise::Answer | Otherwise::AnswerAndWarn);
            if waited >= plan.wait && may_serve {
                return Turn::Over(serve_meanwhile(plan, look, &mut locks[0], waited));
            }
            if waited >= plan.wait && locks.len() == 1 {
                // The holder is stuck: one waiter may go ahead without its lock.
                locks.extend(Lock::open(&bypass_path));
            }
            if clock.remaining() <= LAST_MOMENT {
                return Turn::Over(look.fails(out_of_time()));
            }
            clock.sleep(nap.mul_f64(0.5 + fastrand::f64()));
            nap = (nap * 2).min(LONGEST_NAP);
        }
    }

    fn ask(&self, plan: Plan, look: Look) -> Outcome {
        match git_token(self.context, self.place, plan) {
            Ok(grant) => self.keep(plan, look, grant),
            Err(failure) => self.fall_back(plan, look, failure),
        }
    }

    /// Keeps what the worker handed out, and decides whether this command may use it.
    fn keep(&self, plan: Plan, look: Look, grant: Grant) -> Outcome {
        let Context { cache, messages, .. } = self.context;
        messages.remember(&grant.token);
        let entry = entry_for(grant, look.entry.as_ref(), fastrand::f64());
        // A process that was stopped for long must not replace a newer entry.
        let newer = cache.entry(&self.key(), clock::now()).unwrap_or_default().filter(|cached| {
            cached.confirmed_at > entry.confirmed_at && cached.confirmed_at <= clock::now()
        });
        let is_newest = newer.is_none();
        let entry = newer.unwrap_or(entry);
        let is_refused = Evidence::of(&self.ask.report, &entry.token) == Evidence::Refused;
        if is_newest {
            if let Err(reason) = cache.keep(&self.key(), &entry) {
                messages.warning(format_args!("{reason:#} [{}]", Name::CacheUnusable));
            }
            Scope::ON_RECORD.iter().for_each(|scope| cache.forget(&self.failure_key(*scope)));
        }
        if look.decision.state == State::Suspect {
            // After the entry is written, so that whoever reads this record finds the new token.
            self.note_asked(&look, &entry);
        }
        let previous = look.entry.as_ref();
        let is_same = previous.is_some_and(|old| old.token.hash() == entry.token.hash());
        let is_overdue = previous.is_some_and(|old| is_same && entry.first_seen > old.first_seen);
        if is_refused || (is_same && plan.otherwise == Otherwise::Reject) {
            return self.reject(Look { entry: Some(entry), ..look }, None);
        }
        let refused_at = look.at_host.filter(HostRecord::is_refused).and_then(|it| it.refused_at);
        let warning = match refused_at {
            Some(at) if is_same => Some(self.reissued(at)),
            _ => is_overdue.then(|| format!("{OVERDUE} [{}]", Name::BadAnswer)),
        };
        match (is_newest, warning) {
            (true, None) => Outcome::Fresh(entry),
            (_, warning) => Outcome::Serve { entry, warning },
        }
    }

    /// Records the failure for every process, and does what the plan says without a new token.
    fn fall_back(&self, plan: Plan, look: Look, failure: Failure) -> Outcome {
        // A process that went ahead meanwhile may have got one.
        let later = self.look(None);
        if let Action::Answer { .. } = later.decision.action {
            return self.conclude(later);
        }
        let failure = self.recorded(plan, failure);
        match plan.otherwise {
            Otherwise::Answer => look.serves(None),
            Otherwise::AnswerAndWarn => {
                let warning = using_the_cached(&failure, &look.decision);
                look.serves(Some(warning))
            }
            Otherwise::Fail => look.fails(failure),
            Otherwise::Reject => self.reject(look, Some(&failure)),
        }
    }

    /// The failure as it stands on record, with when the worker will be asked again.
    fn recorded(&self, plan: Plan, failure: Failure) -> Failure {
        if failure.scope == Scope::Process {
            return failure;
        }
        let key = self.failure_key(failure.scope);
        let (previous, now) = (self.context.cache.read(&key), clock::now());
        let record = FailureRecord::new(failure, previous.as_ref(), fastrand::f64(), now);
        if let Err(reason) = self.context.cache.keep(&key, &record) {
            self.context.messages.trace(format_args!("{reason:#}"));
        }
        let usable = matches!(plan.otherwise, Otherwise::Answer | Otherwise::AnswerAndWarn);
        record.retold(usable, now)
    }

    /// Records that the worker was asked because of a refusal or a hint, for the token it was asked
    /// about and for the one it gave. If that fails, the worker is asked once more.
    fn note_asked(&self, look: &Look, given: &Entry) {
        let Some(asked_about) = &look.entry else { return };
        let record = look.at_host.clone().unwrap_or_default();
        let is_hint = look.decision.reason == Reason::MayBeRefused;
        let evidence = if is_hint { Evidence::Hint } else { Evidence::Refused };
        let record = record.asked(evidence, clock::now());
        let keep = |entry: &Entry, record: &HostRecord| {
            let kept = self.context.cache.keep(&host_key(&entry.token, self.ask.host), record);
            kept.unwrap_or_else(|reason| self.context.messages.trace(format_args!("{reason:#}")));
        };
        keep(asked_about, &record);
        if asked_about.token.hash() != given.token.hash() {
            keep(given, &record.inherited());
        }
    }

    fn reissued(&self, refused_at: Timestamp) -> String {
        let (host, ago) = (self.ask.host, spoken(clock::now().since(refused_at)));
        format!(
            "{host} rejected the token {ago} ago, and the worker still hands it out; using it; if \
             git fails, run: git credential-gastown doctor [{}]",
            Name::TokenRejected
        )
    }

    fn warn_of_holder(&self, lock: &mut Lock, waited: Duration) {
        self.context.messages.warning(format_args!(
            "{} has held the lock for over {}: going ahead without it",
            named(lock.holder()),
            spoken(waited)
        ));
    }

    fn tell_problems(&self) {
        let cache = &self.context.cache;
        if cache.problems.is_empty() {
            return;
        }
        let instead = match cache.directory() {
            Some(directory) => format!("caching in {directory:?} instead"),
            None => "going on without a cache".to_owned(),
        };
        let problems = cache.problems.join("; ");
        self.context.messages.warning(format_args!(
            "{problems}; {instead}; to choose a directory of your own, set GASTOWN_CACHE_DIR [{}]",
            Name::CacheUnusable
        ));
    }

    fn tell(&self, Fault { what, is_suspicious }: &Fault) {
        let messages = self.context.messages;
        match is_suspicious {
            true => messages.warning(format_args!("{what} [{}]", Name::CacheUnusable)),
            false => messages.trace(format_args!("cache: {what}")),
        }
    }
}

/// Another process is renewing it; the cached token is used meanwhile.
fn serve_meanwhile(plan: Plan, look: Look, lock: &mut Lock, waited: Duration) -> Outcome {
    let warning = (plan.otherwise == Otherwise::AnswerAndWarn).then(|| {
        let holder = named(lock.holder());
        let why = format!("{holder} has been renewing for over {}", spoken(waited));
        using_the_cached(&why, &look.decision)
    });
    look.serves(warning)
}

fn named(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
