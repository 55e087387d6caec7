//! `git-credential-gastown`: settings → command → one answer or one error → exit code.
//! This is the shell around the pure core in `lib.rs`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[cfg(target_os = "linux")]
use rustix::process::DumpableBehavior;
use signal_hook::consts::SIGXFSZ;

use cache::Cache;
use cli::{Cli, Flags};
use clock::Clock;
use config::{GitConfig, HelperLines, Settings};
use git_credential_gastown::host::Host;
use git_credential_gastown::policy::Policy;
use messages::Messages;

mod audit;
mod cache;
mod caller;
mod cli;
mod clock;
mod commands;
mod config;
mod credential;
mod doctor;
mod files;
mod git;
mod lock;
mod look;
mod messages;
mod program;
mod renew;
mod resolver;
mod setup;
mod token_client;
mod worker;

/// What the caller sees: 0 answered, or not ours; 1 failed; 2 usage; of `exec` and `gh` see there.
const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// musl's own allocator takes more memory and more time (docs/dependencies.md).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    messages::exit_on_panic(FAILED);
    keep_memory_private();
    survive_size_limit();
    let messages = Messages::new(clock::now);
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) if usage.use_stderr() => {
            messages.usage(&usage.to_string());
            return ExitCode::from(USAGE);
        }
        // Help and version, to stdout.
        Err(usage) => usage.exit(),
    };
    match commands::run(&cli, &messages) {
        Ok(code) => code,
        Err(error) => {
            messages.error(format_args!("{error:#}"));
            let not_run = error.downcast_ref::<commands::NotRun>();
            ExitCode::from(not_run.map_or(FAILED, |not_run| not_run.code))
        }
    }
}

/// What the operations that need settings work with.
pub(crate) struct Context<'a> {
    pub settings: Settings,
    pub cache: Cache,
    /// Started with the context: for git, once its request has been read.
    pub clock: Clock,
    pub messages: &'a Messages,
    pub policy: Policy,
    /// Empty where git asks.
    pub git_config: GitConfig,
    /// The host in question for people: that of the URL given, else that of the repository's
    /// remote, else the first one that is served.
    host: Option<Host>,
}

impl<'a> Context<'a> {
    /// For git, which has read its configuration itself.
    fn new(flags: &Flags, messages: &'a Messages) -> Self {
        let clock = Clock::start();
        let settings = Settings::from_process(flags);
        Self::with(settings, clock, messages, GitConfig::default(), None)
    }

    /// For people, to whom the flags that `setup` wrote into git's configuration apply as well.
    fn for_people(flags: &Flags, messages: &'a Messages, url: Option<&str>) -> Self {
        let clock = Clock::start();
        let (git_config, fault) = match GitConfig::read() {
            Ok(git_config) => (git_config, None),
            Err(failure) => (GitConfig::default(), Some(failure.what)),
        };
        let helper = HelperLines { hosts: git_config.hosts(), ..HelperLines::default() };
        let mut settings = Settings::with_helper_lines(flags, &helper);
        settings.notes.extend(fault);
        let host = match url {
            Some(url) => commands::host_in(url).filter(|host| settings.serves(host)),
            None => {
                git_config.remote_host(&settings.hosts).or_else(|| settings.hosts.first().cloned())
            }
        };
        let context = Self::with(settings, clock, messages, git_config, None);
        match host {
            Some(host) => context.about(flags, host),
            None => context,
        }
    }

    /// With this host in question, and the flags of its helper line.
    fn about(self, flags: &Flags, host: Host) -> Self {
        let helper =
            HelperLines { hosts: self.git_config.hosts(), flags: self.git_config.flags(&host) };
        if self.host.is_none() && helper.flags == Flags::default() {
            return Self { host: Some(host), ..self };
        }
        let settings = Settings::with_helper_lines(flags, &helper);
        Self::with(settings, self.clock, self.messages, self.git_config, Some(host))
    }

    fn with(
        settings: Settings,
        clock: Clock,
        messages: &'a Messages,
        git_config: GitConfig,
        host: Option<Host>,
    ) -> Self {
        settings.secrets().for_each(|secret| messages.remember(secret));
        for note in settings.notes.iter().chain(&settings.warnings) {
            messages.trace(format_args!("settings: {note}"));
        }
        let cache = Cache::choose(settings.cache_candidates.clone());
        Self { settings, cache, clock, messages, policy: Policy::default(), git_config, host }
    }

    fn warn_of_settings(&self) {
        self.settings.warnings.iter().for_each(|warning| self.messages.warning(warning));
    }
}

/// No core dump, which would hold the token; and no other process of the same user may look into
/// our memory while we run. A program that we become is as it would be without us.
fn keep_memory_private() {
    // On error, go on without it.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// At the limit of file size the kernel sends a signal that would kill us before the answer is
/// out; once it is handled, a write fails like any other, and a full cache costs no token.
fn survive_size_limit() {
    let seen = Arc::new(AtomicBool::new(false));
    // On error, go on without it.
    let _ = signal_hook::flag::register(SIGXFSZ, seen);
}
