//! The operations: the only place where the core and the shell meet. Each file is one operation,
//! except `supply` (the chain of sources of a credential), `flight` (one process renews, the
//! others wait) and `conversation` (what is said to the worker).

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use git_credential_gastown::freshness::Policy;
use git_credential_gastown::protocol::{LONGEST_REQUEST, Request, is_complete};
use git_credential_gastown::scope::Host;
use zeroize::Zeroizing;

use crate::cache::Cache;
use crate::cli::{Flags, Operation};
use crate::clock::Clock;
use crate::config::Settings;
use crate::messages::Messages;

mod capability;
mod conversation;
mod erase;
mod flight;
mod get;
mod store;
mod supply;

/// What every operation works with.
pub(crate) struct Context<'a> {
    pub settings: Settings,
    pub cache: Cache,
    pub clock: Clock,
    pub messages: &'a Messages,
    pub policy: Policy,
}

impl<'a> Context<'a> {
    pub(crate) fn new(flags: &Flags, clock: Clock, messages: &'a Messages) -> Self {
        let mut settings = Settings::from_process(flags);
        messages.trace_to(settings.trace_to.clone());
        settings.secrets().for_each(|secret| messages.remember(secret));
        for note in settings.notes.iter().chain(&settings.warnings) {
            messages.trace(format_args!("settings: {note}"));
        }
        let cache = Cache::new(std::mem::take(&mut settings.cache_directories));
        Self { settings, cache, clock, messages, policy: Policy::default() }
    }

    /// Reads the request on stdin if it is a proper one for a host that is ours. Anything else is
    /// somebody else's business: no answer, no complaint, and the trace tells why.
    fn request(&self) -> Option<(Request, Host)> {
        let bytes = read_request(std::io::stdin().lock());
        let request = match Request::parse(&bytes) {
            Ok(request) => request,
            Err(refusal) => {
                self.messages.trace(format_args!("request refused: {refusal}"));
                return None;
            }
        };
        let (protocol, host) = (request.protocol(), request.host());
        let ours = Host::requested(protocol, host).filter(|host| self.settings.serves(host));
        let shown = String::from_utf8_lossy(host);
        match &ours {
            Some(host) => self.messages.trace(format_args!("request for {host}")),
            None => self.messages.trace(format_args!("request for `{shown}`: not our host")),
        }
        ours.map(|host| (request, host))
    }
}

/// Runs one operation.
///
/// # Errors
/// Why there is no answer; the message has been told in full.
pub(crate) fn run(operation: Operation, context: &Context<'_>) -> Result<ExitCode> {
    match operation {
        Operation::Get => get::run(context),
        Operation::Store => Ok(store::run(context)),
        Operation::Erase => Ok(erase::run(context)),
        Operation::Capability => capability::run(),
        // https://git-scm.com/docs/gitcredentials: "silently ignore the request".
        Operation::Unknown(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Up to the blank line or the end of the input. What is over the limit is refused as a whole, so
/// no more than one byte of it is read.
fn read_request(mut input: impl std::io::Read) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let mut chunk = Zeroizing::new([0; 4096]);
    while bytes.len() <= LONGEST_REQUEST && !is_complete(&bytes) {
        match input.read(chunk.as_mut_slice()) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // As good as the end: what came before decides.
            Err(_) => break,
        }
    }
    bytes
}

/// Gives git its whole answer in one write.
#[expect(clippy::disallowed_methods, reason = "the one place for stdout")]
fn write_answer(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write the answer")
}
