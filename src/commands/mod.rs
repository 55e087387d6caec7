//! The operations, a file each. Those for people share how they find a credential (`credential`),
//! and `exec` and `gh` which variables have the token (`variables`).

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use git_credential_gastown::failure::Failure;
use git_credential_gastown::host::Host;
use git_credential_gastown::protocol::CAPABILITIES;
use git_credential_gastown::time::spoken;

use crate::cli::{Cli, Operation};
use crate::clock;
use crate::config;
use crate::credential::{Ask, Credential, find};
use crate::messages::Messages;
use crate::stdio::{asks_a_terminal, write_answer};
use crate::{Context, USAGE};

mod completions;
mod erase;
mod exec;
mod get;
mod gh;
mod refresh;
mod status;
mod token;
mod variables;

pub(crate) fn run(cli: &Cli, messages: &Messages) -> Result<ExitCode> {
    let flags = &cli.flags;
    let (trace_to, fault) = config::trace_to(flags.verbose);
    messages.trace_to(trace_to);
    fault.iter().for_each(|fault| messages.warning(fault));
    let context = |url: &Option<String>| Context::for_people(flags, messages, url.as_deref());
    let warned = |url| {
        let context = context(url);
        context.warn_of_settings();
        context
    };
    match &cli.operation {
        Operation::Get { url } => get::run(flags, messages, url.as_deref())?,
        Operation::Store => erase::store(flags, messages)?,
        Operation::Erase => erase::run(flags, messages)?,
        Operation::Capability => write_answer(CAPABILITIES)?,
        Operation::Token { url, json, reveal, min_life } => {
            token::run(&warned(url), *json, *reveal, *min_life)?;
        }
        Operation::Refresh { url, json } => refresh::run(&warned(url), *json)?,
        Operation::Exec { env, min_life, command } => {
            exec::run(&warned(&None), env, *min_life, command)?;
        }
        Operation::Gh { arguments } => gh::run(flags, messages, arguments)?,
        Operation::Status { json } => status::run(&warned(&None), *json)?,
        Operation::Completions { shell } => completions::run(*shell)?,
        Operation::Doctor(options) => return crate::doctor::run(context(&None), flags, options),
        Operation::Setup(options) => return crate::setup::run(&context(&None), flags, options),
        Operation::Unknown(words) => return Ok(unknown(words, messages)),
    }
    Ok(ExitCode::SUCCESS)
}

/// git's future operations are ignored, as its documentation asks. A person who mistyped a word is
/// told what may be meant.
///
/// <https://git-scm.com/docs/gitcredentials>: "silently ignore the request".
fn unknown(words: &[OsString], messages: &Messages) -> ExitCode {
    match Cli::mistake(words).filter(|_| asks_a_terminal()) {
        Some(mistake) => {
            messages.usage(&mistake.to_string());
            ExitCode::from(USAGE)
        }
        None => ExitCode::SUCCESS,
    }
}

/// A credential for a person or a program of theirs. One that may die sooner than `min_life` is
/// better than none, and is warned of.
fn credential(
    context: &Context<'_>,
    operation: &str,
    host: &Host,
    min_life: Option<Duration>,
) -> Result<Credential, Failure> {
    let mut ask = Ask::by_hand(host);
    ask.demand.least_life = min_life.unwrap_or_default();
    let outcome = find(context, &ask);
    if let (Ok(Credential { lives_until: Some(until), .. }), Some(wanted)) = (&outcome, min_life) {
        let left = until.since(clock::now());
        if left < wanted {
            let (left, wanted) = (spoken(left), spoken(wanted));
            context.messages.warning(format_args!(
                "the token is certain to live for {left} only, not for {wanted}"
            ));
        }
    }
    context.log(operation, host, &outcome);
    context.cache.sweep(clock::now());
    outcome
}
