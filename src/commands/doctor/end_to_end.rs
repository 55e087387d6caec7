//! The whole way, with git itself: what `git credential fill` is given, and what a real remote says.

use git_credential_gastown::failure::{Name, Retry};
use git_credential_gastown::remote_url::credential_in;
use git_credential_gastown::token::Secret;

use super::Examination;
use super::finding::Finding;
use crate::git::Said;

pub(super) fn fill(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "git credential fill";
    let (Ok(git), Some(host)) = (&examination.git, examination.host()) else { return Vec::new() };
    if examination.options.offline {
        return vec![Finding::skip(LINK, "not asked, because of --offline")];
    }
    let request = format!("url={host}\n\n");
    let finding = match git.ask(&["credential", "fill"], request.as_bytes()) {
        Err(failure) => Finding::fail(LINK, failure.what, failure.advice),
        Ok(said) => match answer(&said) {
            Some(token) => judge(examination, &token),
            None => Finding::fail(
                LINK,
                format!("{host}: git got no credential: {}", reason(&said)),
                "mend what is said above",
            ),
        },
    };
    vec![finding]
}

/// The password that git was given.
fn answer(said: &Said) -> Option<Secret> {
    let mut lines = said.stdout.split(|byte| *byte == b'\n');
    let password = lines.find_map(|line| line.strip_prefix(b"password="))?;
    Secret::parse(password).filter(|_| said.succeeded)
}

/// Whose token git got.
fn judge(examination: &Examination<'_>, token: &Secret) -> Finding {
    const LINK: &str = "git credential fill";
    examination.context.messages.remember(token);
    let hash = token.hash();
    let named = format!("token {}…", hash.prefix());
    match examination.credential() {
        Some(Ok(credential)) if credential.token.hash() == hash => {
            Finding::ok(LINK, format!("git gets this helper's {named}"))
        }
        _ => Finding::warn(
            LINK,
            format!("git gets {named}, which is not the one that this helper has now"),
            "look at the helpers above: another one may answer first, or other settings hold there",
        ),
    }
}

pub(super) fn list_remote(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "git ls-remote";
    let (Ok(git), Some(url)) = (&examination.git, &examination.options.online) else {
        return Vec::new();
    };
    if let Some(embedded) = credential_in(url) {
        embedded.secrets.iter().for_each(|secret| examination.context.messages.remember(secret));
        let what = "not asked: the URL has a token in it, which others can see";
        return vec![Finding::fail(LINK, what, "name the URL without user and password")];
    }
    vec![match git.ask(&["ls-remote", "--heads", "--", url], b"") {
        Err(failure) if failure.retry == Retry::AtOnce => Finding::fail(
            LINK,
            format!("{url}: {} [{}]", failure.what, Name::Timeout),
            failure.advice,
        ),
        Err(failure) => Finding::fail(LINK, failure.what, failure.advice),
        Ok(said) if said.succeeded => {
            let count = said.stdout.iter().filter(|byte| **byte == b'\n').count();
            Finding::ok(LINK, format!("{url}: {count} branches"))
        }
        Ok(said) => Finding::fail(
            LINK,
            format!("{url}: {}", reason(&said)),
            "mend what fails above; if nothing does, the token has no access to it",
        ),
    }]
}

/// This helper's own words if it said any, else git's.
fn reason(said: &Said) -> String {
    let own = said.stderr.lines().find(|line| line.starts_with("git-credential-gastown: error"));
    own.unwrap_or_else(|| said.complaint()).to_owned()
}
