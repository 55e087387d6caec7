//! What a person means by a command line, where git would be exact: the host, and a credential for
//! it with every warning told.

use std::time::Duration;

use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::host::Host;
use git_credential_gastown::protocol::Request;
use git_credential_gastown::time::spoken;

use crate::Context;
use crate::caller::Caller;
use crate::clock;
use crate::credential::{Ask, Credential, NoCredential, find};

impl Context<'_> {
    /// The host that is meant: the one given, if it is ours, else the first of ours.
    ///
    /// # Errors
    /// `config-missing`, with the hosts that could have been given.
    pub(crate) fn meant_host(&self, url: Option<&str>) -> Result<Host, Failure> {
        let hosts = &self.settings.hosts;
        let meant = match url {
            Some(url) => self.request_for(url).and_then(|request| self.served_host(&request)),
            None => hosts.first().cloned(),
        };
        meant.ok_or_else(|| {
            let ours: Vec<_> = hosts.iter().map(ToString::to_string).collect();
            let what = format!("not a host to hand out tokens for; ours: {}", ours.join(", "));
            let advice = "name one of these, or add it: --host, or GASTOWN_GIT_HOSTS";
            Failure::new(Name::ConfigMissing, Retry::WhenMended, what, advice)
        })
    }

    /// The request that git would send for a URL, or for `https` where only a host is given.
    pub(super) fn request_for(&self, url: &str) -> Option<Request> {
        let scheme = if url.contains("://") { "" } else { "https://" };
        match Request::parse(format!("url={scheme}{url}\n\n").as_bytes()) {
            Ok(request) => {
                request.secret().iter().for_each(|it| self.messages.remember(it));
                Some(request)
            }
            Err(refusal) => {
                self.messages.trace(format_args!("URL refused: {refusal}"));
                None
            }
        }
    }

    /// A credential for a person or a program of theirs. One that may die sooner than `min_life` is
    /// better than none, and is warned of.
    ///
    /// # Errors
    /// If no source has one.
    pub(super) fn credential(
        &self,
        operation: &str,
        host: &Host,
        min_life: Option<Duration>,
    ) -> Result<Credential, NoCredential> {
        self.warn_of_settings();
        let caller = Caller::by_hand();
        let mut ask = Ask::by_hand(host, &caller);
        ask.demand.least_life = min_life.unwrap_or_default();
        let outcome = find(self, &ask);
        if let (Ok(credential), Some(wanted)) = (&outcome, min_life) {
            self.warn_of_short_life(credential, wanted);
        }
        self.log_credential(operation, host, &outcome);
        self.cache.sweep(clock::now());
        outcome
    }

    fn warn_of_short_life(&self, credential: &Credential, wanted: Duration) {
        let Some(until) = credential.lives_until else { return };
        let left = until.since(clock::now());
        if left < wanted {
            let (left, wanted) = (spoken(left), spoken(wanted));
            self.messages.warning(format_args!(
                "the token is certain to live for {left} only, not for {wanted}"
            ));
        }
    }
}
