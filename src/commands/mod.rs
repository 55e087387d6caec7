//! The operations: the only place where the core and the shell meet. Each file is one operation,
//! except `supply` (the chain of sources of a credential), `flight` (one process renews, the
//! others wait), `conversation` (what is said to the worker), `person` (what a person means, and
//! gets), `child` (becoming another program) and `ledger` (what the audit log is told).

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use git_credential_gastown::host::Host;
use git_credential_gastown::policy::Policy;
use git_credential_gastown::protocol::{LONGEST_REQUEST, Request, is_complete};
use zeroize::Zeroizing;

use crate::cache::Cache;
use crate::cli::{Cli, Flags, Operation};
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::messages::Messages;

mod capability;
mod child;
mod completions;
mod conversation;
mod doctor;
mod erase;
mod exec;
mod flight;
mod get;
mod gh;
mod ledger;
mod person;
mod refresh;
mod status;
mod store;
mod supply;
mod token;

pub(crate) use child::NotRun;

/// git's requests are shorter by far.
const CHUNK: usize = 8192;

/// What the operations that need settings work with.
pub(crate) struct Context<'a> {
    pub settings: Settings,
    pub cache: Cache,
    pub clock: Clock,
    pub messages: &'a Messages,
    pub policy: Policy,
    /// Whether a failure on record keeps this process from asking the worker.
    pub heeds_failures: bool,
}

impl<'a> Context<'a> {
    fn new(flags: &Flags, clock: Clock, messages: &'a Messages) -> Self {
        let mut settings = Settings::from_process(flags);
        settings.secrets().for_each(|secret| messages.remember(secret));
        for note in settings.notes.iter().chain(&settings.warnings) {
            messages.trace(format_args!("settings: {note}"));
        }
        let cache = Cache::new(std::mem::take(&mut settings.cache_directories));
        Self { settings, cache, clock, messages, policy: Policy::default(), heeds_failures: true }
    }

    /// The request on stdin and its host, if that is ours to answer for.
    fn request(&self) -> Option<(Request, Host)> {
        let request = read_request(self.messages)?;
        let host = self.our_host(&request)?;
        Some((request, host))
    }

    /// The host of a request, if it is ours to answer for. Any other is somebody else's business:
    /// no answer, no complaint, and the trace tells why.
    fn our_host(&self, request: &Request) -> Option<Host> {
        let ours = Host::requested(request.protocol(), request.host())
            .filter(|host| self.settings.serves(host));
        let shown = String::from_utf8_lossy(request.host());
        match &ours {
            Some(host) => self.messages.trace(format_args!("request for {host}")),
            None => self.messages.trace(format_args!("request for `{shown}`: not our host")),
        }
        ours
    }
}

/// Runs one operation.
///
/// # Errors
/// Why there is no answer.
pub(crate) fn run(cli: &Cli, clock: Clock, messages: &Messages) -> Result<ExitCode> {
    let (trace_to, fault) = config::trace_to(cli.flags.verbose);
    messages.trace_to(trace_to);
    fault.iter().for_each(|fault| messages.warning(fault));
    let context = || Context::new(&cli.flags, clock, messages);
    match &cli.operation {
        Operation::Get { url } => get::run(&context(), url.as_deref()),
        Operation::Store => Ok(store::run(messages)),
        Operation::Erase => Ok(erase::run(&context())),
        Operation::Capability => capability::run(),
        Operation::Token { url, json, reveal } => {
            token::run(&context(), url.as_deref(), *json, *reveal)
        }
        Operation::Refresh { url } => refresh::run(&context(), url.as_deref()),
        Operation::Exec { env, command } => exec::run(&context(), env, command),
        Operation::Gh { arguments } => gh::run(&context(), arguments),
        Operation::Status { json } => status::run(&context(), *json),
        Operation::Completions { shell } => completions::run(*shell),
        Operation::Doctor(options) => doctor::run(context(), options),
        Operation::Setup(options) => crate::setup::run(&context(), &cli.flags, options),
        // https://git-scm.com/docs/gitcredentials: "silently ignore the request".
        Operation::Unknown(_) => Ok(ExitCode::SUCCESS),
    }
}

/// The request on stdin, if it is a proper one. What is not gets no answer and no complaint,
/// because it may be an attack on whoever sent it; the trace tells why.
fn read_request(messages: &Messages) -> Option<Request> {
    match Request::parse(&read_input(std::io::stdin().lock())) {
        Ok(request) => Some(request),
        Err(refusal) => {
            messages.trace(format_args!("request refused: {refusal}"));
            None
        }
    }
}

/// Up to the blank line or the end of the input. What is over the limit is refused as a whole, so
/// there is no need to read on.
fn read_input(mut input: impl std::io::Read) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(CHUNK));
    let mut chunk = Zeroizing::new([0; CHUNK]);
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
pub(crate) fn write_answer(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write the answer")
}

/// Whether a person reads the answer.
#[expect(clippy::disallowed_methods, reason = "the one place for stdout")]
pub(crate) fn answers_a_terminal() -> bool {
    std::io::stdout().is_terminal()
}
