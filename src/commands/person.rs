//! What a person means by a command line, where git would be exact: the host, and a credential for
//! it, with all warnings.

use std::time::Duration;

use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::host::Host;
use git_credential_gastown::protocol::{Refusal, Request};
use git_credential_gastown::time::spoken;

use crate::Context;
use crate::caller::Caller;
use crate::clock;
use crate::credential::{Ask, Credential, NoCredential, find};

/// The request that git would send for a URL, or for `https` where only a host is given.
///
/// # Errors
/// If git would not send it.
pub(super) fn request_for(url: &str) -> Result<Request, Refusal> {
    let scheme = if url.contains("://") { "" } else { "https://" };
    Request::parse(format!("url={scheme}{url}\n\n").as_bytes())
}

/// The host of a URL, if it could be ours.
pub(crate) fn host_in(url: &str) -> Option<Host> {
    let request = request_for(url).ok()?;
    Host::requested(request.protocol(), request.host())
}

impl Context<'_> {
    /// The host that is meant: the one given, if it is ours, else the one in question here.
    ///
    /// # Errors
    /// `config-missing`, with the hosts that could have been given.
    pub(crate) fn meant_host(&self, url: Option<&str>) -> Result<Host, Failure> {
        let meant = match url {
            Some(url) => host_in(url).filter(|host| self.settings.serves(host)),
            None => self.host.clone(),
        };
        meant.ok_or_else(|| {
            let ours: Vec<_> = self.settings.hosts.iter().map(ToString::to_string).collect();
            let what = format!("not a host to hand out tokens for; ours: {}", ours.join(", "));
            let advice = "name one of these, or add it: --host, or GASTOWN_GIT_HOSTS";
            Failure::new(Name::ConfigMissing, Retry::WhenMended, what, advice)
        })
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
