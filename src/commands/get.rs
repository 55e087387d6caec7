//! `get`: answers git's request with a credential, or says why there is none.

use anyhow::Result;
use git_credential_gastown::failure::Failure;
use git_credential_gastown::protocol::{Answer, QUIT, Request};

use crate::cli::{Flags, OnFailure};
use crate::clock;
use crate::context::request_for;
use crate::credential::{Ask, Credential, find};
use crate::messages::{Messages, exit_on_panic};
use crate::stdio::{asks_a_terminal, read_request, write_answer};
use crate::{Context, FAILED};

pub(super) fn run(flags: &Flags, messages: &Messages, url: Option<&str>) -> Result<()> {
    let request = match url {
        Some(url) => request_for(url).ok(),
        None => {
            if asks_a_terminal() {
                messages.hint(
                    "type `protocol=https`, `host=github.com` and an empty line, as git would; or \
                     run: git credential-gastown get https://github.com",
                );
            }
            match read_request(messages) {
                Ok(None) => return Ok(()),
                Ok(request) => request,
                Err(failure) => {
                    let _ = write_answer(QUIT);
                    return Err(failure.into());
                }
            }
        }
    };
    request.iter().filter_map(Request::secret).for_each(|secret| messages.remember(&secret));
    let context = match url {
        Some(_) => Context::for_people(flags, messages, url),
        None => Context::for_git(flags, messages),
    };
    let Some((request, host)) =
        request.and_then(|request| context.served_host(&request).map(|host| (request, host)))
    else {
        if context.settings.hosts.is_empty() {
            // Else nobody would learn why git prompts.
            context.warn_of_settings();
        }
        if url.is_some() {
            messages.hint(
                "git gets no answer: not https, or not one of our hosts; those are listed by: git \
                 credential-gastown doctor",
            );
        }
        return Ok(());
    };
    context.warn_of_settings();
    let ask = if url.is_some() { Ask::by_hand(&host) } else { Ask::of(&request, &host) };
    if context.settings.on_failure == OnFailure::Quit {
        // Else git would go on and prompt.
        exit_on_panic(FAILED, || drop(write_answer(QUIT)));
    }
    let outcome = find(&context, &ask);
    let answered = answer(&context, &request, &ask, &outcome);
    exit_on_panic(FAILED, || {});
    // Once git has its answer.
    context.log("get", &host, &outcome);
    context.cache.sweep(clock::now());
    answered?;
    outcome.map(drop).map_err(Into::into)
}

fn answer(
    context: &Context<'_>,
    request: &Request,
    Ask { report, caller, .. }: &Ask<'_>,
    outcome: &Result<Credential, Failure>,
) -> Result<(), Failure> {
    let quits = context.settings.on_failure == OnFailure::Quit;
    match outcome {
        Ok(credential) => {
            let token = &credential.token;
            let answer = Answer {
                username: credential.username,
                password: token,
                expires: credential.expires.filter(|expires| *expires > clock::now()),
                continuation: (request.keeps_state() && credential.may_heal)
                    .then(|| report.continuation(token, || caller.is_transport())),
            };
            let (source, hash) = (credential.source, token.hash());
            context.messages.trace(format_args!("answer: {} from {source}", hash.prefix()));
            write_answer(&answer.to_bytes()).inspect_err(|_| {
                if quits {
                    let _ = write_answer(QUIT);
                }
            })
        }
        // The reason matters more than that nobody reads the answer.
        Err(_) if quits => write_answer(QUIT).or_else(|unwritten| {
            context.messages.trace(format_args!("{unwritten}"));
            Ok(())
        }),
        Err(_) => Ok(()),
    }
}
