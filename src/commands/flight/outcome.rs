//! What becomes of asking the worker: a token to keep, unless it is one that was refused; or a
//! failure to put on record, with the cached token served meanwhile if it can be.

use git_credential_gastown::failure::{Failure, FailureRecord, Name, Retry};
use git_credential_gastown::healing::Report;
use git_credential_gastown::policy::{Action, Otherwise, Plan, State, entry_for};
use git_credential_gastown::token::{Entry, Grant, Rejection};

use super::super::conversation::Conversation;
use super::{Context, Flight, NotObtained, Obtained, Seen};
use crate::cache::Shelf;
use crate::clock;
use crate::lock;

impl Flight<'_> {
    /// Asks the worker; `shelf` is where the outcome is kept, if anywhere.
    pub(super) fn fetch(
        &self,
        plan: Plan,
        seen: Seen,
        shelf: Option<Shelf<'_>>,
    ) -> Result<Obtained, NotObtained> {
        let conversation = Conversation::new(self.context, self.place, shelf, plan);
        let outcome = conversation.git_token().and_then(|grant| self.accept(grant, &seen, shelf));
        match outcome {
            Ok(obtained) => Ok(obtained),
            Err(failure) => self.fall_back(plan, failure, seen, shelf),
        }
    }

    /// Keeps a granted token, unless the worker is stuck on one that was refused.
    fn accept(
        &self,
        grant: Grant,
        seen: &Seen,
        shelf: Option<Shelf<'_>>,
    ) -> Result<Obtained, Failure> {
        let Context { cache, messages, policy, .. } = self.context;
        messages.remember(&grant.token);
        let before = cache.rejection(&grant.token.hash());
        let rejection = self.vouched(before, &grant, seen.decision.state)?;
        let entry = entry_for(grant, seen.entry.as_ref(), fastrand::f64(), policy);
        if seen.entry.as_ref().is_some_and(|old| is_overdue(old, &entry)) {
            messages
                .warning("the worker still hands out a token that it first handed out an hour ago");
        }
        let Some(shelf) = shelf else { return Ok(Obtained { entry, is_new: true }) };
        // A process that was stopped for long must not put an old answer over a newer one.
        let newer = cache.entry(&self.key).record.filter(|cached| {
            cached.confirmed_at > entry.confirmed_at && cached.confirmed_at <= clock::now()
        });
        if let Some(newer) = newer {
            return Ok(Obtained { entry: newer, is_new: false });
        }
        let rejection = rejection.map_or(Ok(()), |rejection| shelf.keep_rejection(&rejection));
        if let Err(reason) = shelf.keep_entry(&self.key, &entry).and(rejection) {
            messages.warning(format_args!("{reason:#} [{}]", Name::CacheUnusable));
        }
        shelf.forget_failure(&self.key);
        shelf.sweep(clock::now(), lock::retire);
        Ok(Obtained { entry, is_new: true })
    }

    /// What to put on record of the token's refusals now that the worker has handed it out. In
    /// `state` DEAD the refusal was certain; otherwise it may just have been lag.
    fn vouched(
        &self,
        before: Option<Rejection>,
        grant: &Grant,
        state: State,
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
            if state == State::Dead {
                self.context.messages.warning(failure);
            }
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
    ) -> Result<Obtained, NotObtained> {
        // A process that went ahead meanwhile may have got one.
        let later = self.look(None);
        if let Action::Answer { .. } = later.decision.action {
            return self.hand_out(later);
        }
        // What is not configured was never asked: there is nothing to spare anybody.
        if let Some(shelf) = shelf.filter(|_| failure.name != Name::ConfigMissing) {
            let record = FailureRecord::new(
                failure.clone(),
                seen.failure.as_ref(),
                fastrand::f64(),
                clock::now(),
                self.fingerprint(failure.retry),
            );
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
}

/// Whether the worker handed out the same token again after the longest time that one can live.
fn is_overdue(old: &Entry, new: &Entry) -> bool {
    old.token.hash() == new.token.hash() && new.first_seen > old.first_seen
}
