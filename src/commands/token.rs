//! `token`: prints a live token for a script, and to a terminal only if that is really meant.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use git_credential_gastown::time::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

use super::{answers_a_terminal, write_answer};
use crate::Context;

pub(super) fn run(
    context: &Context<'_>,
    url: Option<&str>,
    as_json: bool,
    reveal: bool,
    min_life: Option<Duration>,
) -> Result<ExitCode> {
    if !reveal && answers_a_terminal() {
        bail!(
            "stdout is a terminal, where a token stays to be read; pipe it, use \
             `git credential-gastown exec -- COMMAND`, or add --reveal"
        );
    }
    let host = context.meant_host(url)?;
    let credential = context.credential("token", &host, min_life)?;
    let token = credential.token.expose();
    let text = if as_json {
        let moment = |moment: Option<Timestamp>| moment.and_then(Timestamp::to_rfc3339);
        Zeroizing::new(format!(
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
        ))
    } else {
        Zeroizing::new(format!("{token}\n"))
    };
    write_answer(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
