//! Looks at the cache for the worker's token of one place, at one host: gathers all facts, has the
//! policy decide, and carries out what needs no worker.

use git_credential_gastown::failure::{Failure, FailureKey, FailureRecord, Name, Retry, Scope};
use git_credential_gastown::host::CacheKey;
use git_credential_gastown::policy::{
    ASK_GAP, Action, Decision, Evidence, Facts, HostRecord, decide, is_within,
};
use git_credential_gastown::time::{Timestamp, spoken};
use git_credential_gastown::token::{Entry, TokenHash};

use crate::Context;
use crate::cache::host_key;
use crate::clock;
use crate::config::{Place, Settings};
use crate::credential::Ask;

pub(crate) enum Outcome {
    /// The worker has just handed this out to this process.
    Fresh(Entry),
    /// The cached token will do, with this warning.
    Serve { entry: Entry, warning: Option<String> },
    /// There is no token to hand out. The cached one, if there is one, comes with it.
    Fail { failure: Failure, reason: String, cached: Option<Entry> },
}

/// Who wants the worker's token of a place, for which host.
pub(crate) struct Lookup<'a> {
    pub context: &'a Context<'a>,
    pub place: Place<'a>,
    pub ask: &'a Ask<'a>,
}

/// What the cache holds at one moment, and what to do about it.
pub(crate) struct Look {
    pub entry: Option<Entry>,
    pub at_host: Option<HostRecord>,
    pub decision: Decision,
}

impl Lookup<'_> {
    pub(crate) fn look(&self, waiting_since: Option<Timestamp>) -> Look {
        let entry = self.context.cache.entry(&self.key(), clock::now()).unwrap_or_default();
        self.judge(entry, waiting_since)
    }

    pub(crate) fn judge(&self, entry: Option<Entry>, waiting_since: Option<Timestamp>) -> Look {
        let (now, cache) = (clock::now(), &self.context.cache);
        let record = |entry: &Entry| cache.read(&host_key(&entry.token, self.ask.host));
        let at_host = entry.as_ref().and_then(record);
        let evidence = entry.as_ref().map_or(Evidence::None, |entry| {
            match self.ask.evidence(&entry.token, at_host.as_ref(), now) {
                Evidence::None if self.is_asked_again(entry, at_host.as_ref(), now) => {
                    Evidence::Hint
                }
                told => told,
            }
        });
        let facts = Facts {
            entry: entry.as_ref(),
            at_host: at_host.as_ref(),
            evidence,
            failure: &|| failure_on_record(self.context, &self.key()),
            waiting_since,
            demand: self.ask.demand,
            now,
        };
        let decision = decide(&facts);
        let Decision { state, action, reason, .. } = &decision;
        if waiting_since.is_none() {
            self.context.messages.trace(format_args!("cache: {state}, {reason}: {action}"));
        }
        Look { entry, at_host, decision }
    }

    /// Whether a client that never reports refusals got this token for this host less than a minute
    /// ago and now asks again.
    fn is_asked_again(&self, entry: &Entry, record: Option<&HostRecord>, now: Timestamp) -> bool {
        self.asks_blindly(entry, now) && record.is_some_and(|it| it.was_given(ASK_GAP, now))
    }

    /// Records that such a client gets this token. If that fails, the worker is asked later.
    pub(crate) fn note_given(&self, entry: &Entry) {
        let (now, key) = (clock::now(), host_key(&entry.token, self.ask.host));
        if self.asks_blindly(entry, now) {
            let record = self.context.cache.read(&key).unwrap_or_default();
            let _ = self.context.cache.keep(&key, &record.given(now));
        }
    }

    /// Whether a client asks that never reports refusals. A token that the worker confirmed within
    /// the last minute does not count: asking the worker would bring the same one.
    fn asks_blindly(&self, entry: &Entry, now: Timestamp) -> bool {
        !is_within(ASK_GAP, entry.confirmed_at, now) && self.ask.caller.never_reports_refusals()
    }

    /// Carries out a decision that needs no worker.
    pub(crate) fn conclude(&self, look: Look) -> Outcome {
        match look.decision.action {
            Action::Fail => {
                let failure = look.recorded_failure(false);
                look.fails(failure)
            }
            Action::Reject => {
                // A renewal may have come between reading the entry and reading what is on record.
                let later = self.look(None);
                let is_other = later.entry.is_some() && later.token_hash() != look.token_hash();
                if is_other { later.serves(None) } else { self.reject(look, None) }
            }
            Action::AnswerAndWarn => {
                let warning = using_the_cached(&look.recorded_failure(true), &look.decision);
                look.serves(Some(warning))
            }
            Action::Answer { pause } if pause.is_zero() => look.serves(None),
            Action::Answer { pause } => {
                self.context.clock.sleep(pause);
                // Another process may have renewed it meanwhile.
                let later = self.look(None);
                if later.entry.is_some() { later.serves(None) } else { look.serves(None) }
            }
            Action::Renew(_) => look.fails(out_of_time()),
        }
    }

    /// Ends a command whose own answer was refused.
    pub(crate) fn reject(&self, look: Look, failure: Option<&Failure>) -> Outcome {
        let host = self.ask.host;
        let recorded = look.decision.failure.as_ref().map(|record| &record.failure);
        let refused_at = look.at_host.as_ref().and_then(|record| record.refused_at);
        let ago = |moment| spoken(clock::now().since(moment));
        let known = match (failure.or(recorded), &look.entry) {
            (Some(failure), _) => format!("no other could be had: {}", failure.what),
            (None, Some(entry)) if refused_at > Some(entry.confirmed_at) => {
                let last = ago(entry.confirmed_at);
                format!("the worker, which gave it {last} ago, was not asked again since")
            }
            (None, Some(entry)) => format!(
                "the worker, asked {} ago, had no other: it first gave this one {} ago",
                ago(entry.confirmed_at),
                ago(entry.first_seen)
            ),
            (None, None) => "there is no other".to_owned(),
        };
        let what = format!("{host} rejected the token, and {known}");
        let advice = "it may be revoked, or this repository may refuse it; to see which, run: git \
                      credential-gastown doctor; to have the worker asked again, run: git \
                      credential-gastown refresh";
        look.fails(Failure::new(Name::TokenRejected, Retry::WhenMended, what, advice))
    }

    pub(crate) fn failure_key(&self, scope: Scope) -> FailureKey {
        failure_key(&self.context.settings, self.key(), scope)
    }

    pub(crate) fn key(&self) -> CacheKey {
        self.place.key()
    }
}

impl Look {
    fn recorded_failure(&self, usable: bool) -> Failure {
        let record = self.decision.failure.as_ref();
        record.map_or_else(out_of_time, |record| record.retold(usable, clock::now()))
    }

    fn token_hash(&self) -> Option<TokenHash> {
        self.entry.as_ref().map(|entry| entry.token.hash().clone())
    }

    pub(crate) fn serves(self, warning: Option<String>) -> Outcome {
        match self.entry {
            Some(entry) => Outcome::Serve { entry, warning },
            None => self.fails(out_of_time()),
        }
    }

    pub(crate) fn fails(self, failure: Failure) -> Outcome {
        let reason = self.decision.reason.to_string();
        Outcome::Fail { failure, reason, cached: self.entry }
    }
}

/// The failure on record of a place, for a process with these settings.
pub(crate) fn failure_on_record(
    Context { settings, cache, .. }: &Context<'_>,
    place: &CacheKey,
) -> Option<FailureRecord> {
    let read = |scope| cache.read(&failure_key(settings, place.clone(), scope));
    Scope::ON_RECORD.into_iter().filter_map(read).max_by_key(|record| record.until)
}

fn failure_key(settings: &Settings, place: CacheKey, scope: Scope) -> FailureKey {
    FailureKey { place, fingerprint: settings.fingerprint(scope) }
}

pub(crate) fn using_the_cached(why: &dyn std::fmt::Display, decision: &Decision) -> String {
    format!("{why}; using the cached token ({})", decision.reason)
}

pub(crate) fn out_of_time() -> Failure {
    let what = "another process has been asking the worker for too long";
    Failure::new(Name::Timeout, Retry::AtOnce, what, "run the command again")
}
