//! The operations, one file each, and what they share: the request on stdin, the answer on stdout,
//! `person` (what a person means by a command line) and `child` (becoming another program).

use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal as _, Read, Write};
use std::process::ExitCode;

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::host::Host;
use git_credential_gastown::protocol::{LONGEST_REQUEST, Request, is_complete};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::Context;
use crate::cli::{Cli, Operation};
use crate::config;
use crate::messages::Messages;

mod capability;
mod child;
mod completions;
mod erase;
mod exec;
mod get;
mod gh;
mod person;
mod refresh;
mod status;
mod store;
mod token;

pub(crate) use child::NotRun;
pub(crate) use person::host_in;

/// git's requests are shorter by far.
const CHUNK: usize = 1024;

/// Runs one operation.
///
/// # Errors
/// Why there is no answer.
pub(crate) fn run(cli: &Cli, messages: &Messages) -> Result<ExitCode> {
    let (trace_to, fault) = config::trace_to(cli.flags.verbose);
    messages.trace_to(trace_to);
    fault.iter().for_each(|fault| messages.warning(fault));
    let context = |url: &Option<String>| Context::for_people(&cli.flags, messages, url.as_deref());
    match &cli.operation {
        Operation::Get { url } => get::run(&cli.flags, messages, url.as_deref()),
        Operation::Store => store::run(&cli.flags, messages),
        Operation::Erase => erase::run(&cli.flags, messages),
        Operation::Capability => capability::run(),
        Operation::Token { url, json, reveal, min_life } => {
            token::run(&context(url), url.as_deref(), *json, *reveal, *min_life)
        }
        Operation::Refresh { url, json } => refresh::run(&context(url), url.as_deref(), *json),
        Operation::Exec { env, min_life, command } => {
            exec::run(&context(&None), env, *min_life, command)
        }
        Operation::Gh { arguments } => gh::run(&cli.flags, messages, arguments),
        Operation::Status { json } => status::run(&context(&None), *json),
        Operation::Completions { shell } => completions::run(*shell),
        Operation::Doctor(options) => crate::doctor::run(&context(&None), options),
        Operation::Setup(options) => crate::setup::run(&context(&None), &cli.flags, options),
        Operation::Unknown(words) => Ok(unknown(words)),
    }
}

/// git's future operations are ignored, as its documentation asks. A person who mistyped a word is
/// told what may be meant.
///
/// <https://git-scm.com/docs/gitcredentials>: "silently ignore the request".
fn unknown(words: &[OsString]) -> ExitCode {
    const USAGE: u8 = 2;
    let is_person = std::io::stdin().is_terminal();
    match Cli::mistake(words).filter(|_| is_person) {
        Some(mistake) => {
            // Without a stderr there is nobody to tell.
            let _ = mistake.print();
            ExitCode::from(USAGE)
        }
        None => ExitCode::SUCCESS,
    }
}

impl Context<'_> {
    /// The host of a request, if it is served. Any other is somebody else's business: no answer,
    /// no complaint, and the trace tells why.
    fn served_host(&self, request: &Request) -> Option<Host> {
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
}

/// The request on stdin. `None` for what is not a proper one: it gets no answer and no complaint,
/// because it may be an attack on whoever sent it; the trace tells why.
///
/// # Errors
/// If stdin cannot be read.
fn read_request(messages: &Messages) -> Result<Option<Request>, Failure> {
    let stdin = std::io::stdin();
    let input = read_input(stdin.lock(), || wait_for(&stdin, PollFlags::IN)).map_err(|error| {
        let what = format!("cannot read git's request from stdin: {error}");
        Failure::new(Name::IoFailed, Retry::AtOnce, what, "run the command again")
    })?;
    match Request::parse(&input) {
        Ok(request) => Ok(Some(request)),
        Err(refusal) => {
            messages.trace(format_args!("request refused: {refusal}"));
            Ok(None)
        }
    }
}

/// Up to the blank line or the end of the input. What is over the limit is refused as a whole, so
/// there is no need to read on. `wait` is for input that is not there yet.
fn read_input(
    mut input: impl Read,
    wait: impl Fn() -> std::io::Result<()>,
) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(CHUNK));
    let mut chunk = Zeroizing::new([0; CHUNK]);
    // Where the last line begins: what is before it has been looked at.
    let mut line = 0;
    while bytes.len() <= LONGEST_REQUEST && !is_complete(&bytes[line..]) {
        line = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        match input.read(chunk.as_mut_slice()) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait()?,
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Gives git its whole answer, in one write unless the pipe takes it in parts.
///
/// # Errors
/// `io-failed`, if it could not be written.
#[expect(clippy::disallowed_methods, reason = "the one place for stdout")]
pub(crate) fn write_answer(bytes: &[u8]) -> Result<(), Failure> {
    let stdout = std::io::stdout();
    let written = write_all(stdout.lock(), bytes, || wait_for(&stdout, PollFlags::OUT));
    written.map_err(|error| {
        let what = format!("cannot write the answer to stdout: {error}");
        Failure::new(Name::IoFailed, Retry::AtOnce, what, "run the command again")
    })
}

fn write_all(
    mut output: impl Write,
    mut bytes: &[u8],
    wait: impl Fn() -> std::io::Result<()>,
) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait()?,
            Err(error) => return Err(error),
        }
    }
    loop {
        match output.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait()?,
            flushed => return flushed,
        }
    }
}

/// Waits until a stream that does not block can be read or written.
fn wait_for(stream: &impl std::os::fd::AsFd, flags: PollFlags) -> std::io::Result<()> {
    match poll(&mut [PollFd::new(stream, flags)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a person reads the answer.
#[expect(clippy::disallowed_methods, reason = "the one place for stdout")]
pub(crate) fn answers_a_terminal() -> bool {
    std::io::stdout().is_terminal()
}
