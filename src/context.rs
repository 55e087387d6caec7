//! What the operations that need settings work with, for git and for people: the settings, the
//! cache, the clock, and which host is in question.

use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::host::Host;
use git_credential_gastown::protocol::{Refusal, Request};

use crate::cache::Cache;
use crate::cli::Flags;
use crate::clock::Clock;
use crate::config::{GitConfig, Settings};
use crate::messages::Messages;

pub(crate) struct Context<'a> {
    pub settings: Settings,
    pub cache: Cache,
    /// Started with the context: for git, once its request has been read.
    pub clock: Clock,
    pub messages: &'a Messages,
    /// Empty where git asks.
    pub git_config: GitConfig,
    /// The host in question for people: that of the URL given, else that of the repository's
    /// remote, else the first one that is served.
    host: Option<Host>,
}

impl<'a> Context<'a> {
    /// For git, which has read its configuration itself.
    pub(crate) fn for_git(flags: &Flags, messages: &'a Messages) -> Self {
        Self::with(flags, Clock::start(), messages, GitConfig::default(), None)
    }

    /// For people, to whom the flags that `setup` wrote into git's configuration apply as well.
    pub(crate) fn for_people(flags: &Flags, messages: &'a Messages, url: Option<&str>) -> Self {
        let clock = Clock::start();
        let git_config = GitConfig::read();
        git_config.fault.iter().for_each(|fault| messages.trace(format_args!("{fault}")));
        let settings = Settings::load(flags, &git_config, None);
        let host = match url {
            Some(url) => host_in(url).filter(|host| settings.serves(host)),
            None => {
                git_config.remote_host(&settings.hosts).or_else(|| settings.hosts.first().cloned())
            }
        };
        Self::with(flags, clock, messages, git_config, host)
    }

    /// With this host in question, and the flags of its helper line.
    pub(crate) fn about(self, flags: &Flags, host: Host) -> Self {
        Self::with(flags, self.clock, self.messages, self.git_config, Some(host))
    }

    fn with(
        flags: &Flags,
        clock: Clock,
        messages: &'a Messages,
        git_config: GitConfig,
        host: Option<Host>,
    ) -> Self {
        let settings = Settings::load(flags, &git_config, host.as_ref());
        settings.secrets().for_each(|secret| messages.remember(secret));
        for note in settings.notes.iter().chain(&settings.warnings) {
            messages.trace(format_args!("settings: {note}"));
        }
        let cache = Cache::choose(settings.cache_candidates.clone());
        Self { settings, cache, clock, messages, git_config, host }
    }

    pub(crate) fn warn_of_settings(&self) {
        self.settings.warnings.iter().for_each(|warning| self.messages.warning(warning));
    }

    /// The host of a request, if it is served. Any other is somebody else's business: no answer,
    /// no complaint, and the trace tells why.
    pub(crate) fn served_host(&self, request: &Request) -> Option<Host> {
        let served = Host::requested(request.protocol(), request.host())
            .filter(|host| self.settings.serves(host));
        match &served {
            Some(host) => self.messages.trace(format_args!("request for {host}")),
            None => {
                let shown = String::from_utf8_lossy(request.host());
                self.messages.trace(format_args!("request for `{shown}`: not our host"));
            }
        }
        served
    }

    /// The host that a person means: that of the URL given or in question here, if it is served;
    /// else `config-missing`, with the hosts that could have been given.
    pub(crate) fn meant_host(&self) -> Result<Host, Failure> {
        self.host.clone().ok_or_else(|| {
            let ours: Vec<_> = self.settings.hosts.iter().map(ToString::to_string).collect();
            let (what, advice) = match ours.as_slice() {
                [] => {
                    ("no git host is served".to_owned(), "name one: --host, or GASTOWN_GIT_HOSTS")
                }
                ours => (
                    format!("not a host to hand out tokens for; ours: {}", ours.join(", ")),
                    "name one of these, or add it: git credential-gastown setup --host HOST",
                ),
            };
            Failure::new(Name::ConfigMissing, Retry::WhenMended, what, advice)
        })
    }
}

/// The request that git would send for a URL, or for `https` where only a host is given.
pub(crate) fn request_for(url: &str) -> Result<Request, Refusal> {
    let scheme = if url.contains("://") { "" } else { "https://" };
    Request::parse(format!("url={scheme}{url}\n\n").as_bytes())
}

/// The host of a URL, if it could be ours.
fn host_in(url: &str) -> Option<Host> {
    let request = request_for(url).ok()?;
    Host::requested(request.protocol(), request.host())
}
