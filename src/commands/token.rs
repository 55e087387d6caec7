//! `token`: prints a live token for a script, and to a terminal only if that is really meant.

use std::time::Duration;

use anyhow::{Result, bail};
use git_credential_gastown::host::Host;
use serde_json::json;
use zeroize::Zeroizing;

use super::credential;
use crate::Context;
use crate::stdio::{answers_a_terminal, moment, write_answer, write_object};

pub(super) fn run(
    context: &Context<'_>,
    as_json: bool,
    reveal: bool,
    min_life: Option<Duration>,
) -> Result<()> {
    if !reveal && answers_a_terminal() {
        bail!(
            "stdout is a terminal, where a token stays to be read; pipe it, use \
             `git credential-gastown exec -- COMMAND`, or add --reveal"
        );
    }
    let host = context.meant_host();
    let found = host.clone().and_then(|host| credential(context, "token", &host, min_life));
    if as_json && let Err(failure) = &found {
        let object = json!({
            "version": 1,
            "host": host.as_ref().ok().map(Host::to_string),
            "error": failure.name,
            "what": failure.what,
            "advice": failure.advice,
        });
        write_object(context.messages, object)?;
    }
    let (host, credential) = (host?, found?);
    let token = credential.token.expose();
    let text = Zeroizing::new(match as_json {
        false => format!("{token}\n"),
        true => format!(
            "{}\n",
            json!({
                "version": 1,
                "host": host.to_string(),
                "username": credential.username,
                "token": token,
                "kind": credential.token.kind().to_string(),
                "source": credential.source,
                "expires": moment(credential.expires),
                "lives_until": moment(credential.lives_until),
                "dies_by": moment(credential.dies_by),
            })
        ),
    });
    Ok(write_answer(text.as_bytes())?)
}
