//! What git itself gets: the credential that git is given, and in a repository whether the server
//! of its remote lets that credential fetch and push. The server is asked by `git ls-remote` and by
//! a dry run of `git push`, which makes the first request of a push and no other: no hook runs,
//! nothing is sent, nobody is prompted.

use git_credential_gastown::failure::Name;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::inspection::push_remote;
use git_credential_gastown::token::Secret;

use super::{Fail, Inputs, Report, Warn};
use crate::credential::Credential;
use crate::git::{Git, Said};

/// Without what could run another program or ask the server for more.
const PUSH: &str = "-c core.hooksPath=/dev/null -c push.negotiate=false -c push.pushOption= push \
                    --dry-run --no-verify --no-signed --no-follow-tags --recurse-submodules=no --";
/// A ref that nobody uses, and that a dry run does not make.
const UNUSED_REF: &str = "refs/gastown/doctor";
const RIGHTS: &str = "give the GitHub App, or the token's owner, \"Contents: read and write\" in \
                      this repository on GitHub";
const NOT_ASKED: &str = "for a push git does not ask this helper";
const STATUS: &str = "git credential-gastown status";
const LIST_HELPERS: &str = "git config --show-origin --get-regexp '^credential.*helper$'";

/// What is known of a push from here, and how that is said.
pub(super) struct Push {
    pub would_succeed: Option<bool>,
    pub said: String,
}

impl Push {
    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self { would_succeed: None, said: why.into() }
    }
}

/// Where a push from here would go, with its URLs as git rewrites them.
pub(super) struct Remote {
    name: String,
    fetch: String,
    push: Vec<String>,
}

impl Remote {
    pub(super) fn find(git: &Git, lines: &[Line]) -> Option<Self> {
        let branch = git.output(&["symbolic-ref", "--quiet", "--short", "HEAD"]);
        let name = push_remote(lines, branch.as_deref())?;
        let fetch = git.output(&["ls-remote", "--get-url", "--", name])?;
        let push = git.output(&["remote", "get-url", "--push", "--all", "--", name]);
        let push = push.as_ref().unwrap_or(&fetch).lines().map(str::to_owned).collect();
        Some(Self { name: name.to_owned(), fetch, push })
    }

    pub(super) fn urls(&self) -> impl Iterator<Item = &String> {
        self.push.iter().chain([&self.fetch])
    }

    /// The words for git that make the first request of a push.
    fn dry_run(&self, git: &Git) -> Option<Vec<String>> {
        // A tree without entries is in every repository, whatever its hash function.
        let tree = git.output(&["hash-object", "-t", "tree", "--stdin"])?;
        let name = &self.name;
        // Of a mirror everything would be pushed.
        let mut words = vec!["-c".to_owned(), format!("remote.{name}.mirror=false")];
        words.extend(PUSH.split(' ').map(str::to_owned));
        words.extend([name.clone(), format!("{tree}:{UNUSED_REF}")]);
        Some(words)
    }
}

pub(super) fn check(inputs: &Inputs<'_>, credential: &Credential, report: &mut Report) -> Push {
    let (Ok(git), Some(host)) = (&inputs.git, &inputs.host) else {
        return Push::unknown("no server was asked");
    };
    let given = given(inputs, git, credential, report);
    if report.fails() {
        return Push::unknown("no server was asked, because of what fails");
    }
    let Some(remote) = &inputs.remote else {
        return Push::unknown(format!(
            "git would be given a live token for {host}; no server was asked, as there is no \
             repository here, or no remote in it that git would push to"
        ));
    };
    let name = &remote.name;
    let fetches = inputs.is_ours(&remote.fetch);
    let pushes = remote.push.iter().all(|url| inputs.is_ours(url));
    if !fetches && !pushes {
        let said = format!("git does not ask this helper for {name}, so its server was not asked");
        return Push::unknown(said);
    }
    let fetch = ["ls-remote", "--quiet", "--", name, "HEAD"].map(str::to_owned).to_vec();
    let Some(push) = remote.dry_run(git) else { return Push::unknown("no server was asked") };
    let server = Server { git, name, credential, given };
    let mut rights = vec![("fetch", fetches, fetch), ("push", pushes, push)];
    rights.retain(|(_, is_ours, _)| *is_ours);
    let succeeds = rights.iter().all(|(right, _, words)| server.allows(right, words, report));
    let both = if fetches { "fetch and push" } else { "push" };
    let said = match (pushes, succeeds) {
        (true, true) => {
            format!("a push to {name} would succeed as far as its server goes: it lets git {both}")
        }
        (true, false) => format!("a push to {name} would fail"),
        (false, true) => format!("the server of {name} lets git fetch; {NOT_ASKED}"),
        (false, false) => format!("git cannot fetch from {name}; {NOT_ASKED}"),
    };
    Push { would_succeed: pushes.then_some(succeeds), said }
}

/// Whose token git is given: the beginning of its hash if it is another helper's.
fn given(
    inputs: &Inputs<'_>,
    git: &Git,
    credential: &Credential,
    report: &mut Report,
) -> Option<String> {
    const CHECK: &str = "git-credential";
    // With the path: helpers may be set up for a part of the host.
    let url = inputs.url().unwrap_or_default();
    let said = match git.ask(&["credential", "fill"], format!("url={url}\n\n").as_bytes()) {
        Ok(said) => said,
        Err(failure) => {
            report.failure(Fail, &failure);
            return None;
        }
    };
    let mut lines = said.stdout.split(|byte| *byte == b'\n');
    let password = lines.find_map(|line| line.strip_prefix(b"password=")).and_then(Secret::parse);
    match password.filter(|_| said.succeeded) {
        Some(password) if password.hash() == credential.token.hash() => {
            report.ok(CHECK, format_args!("git is given this helper's token for {url}"));
        }
        Some(password) => {
            let hash = password.hash().prefix();
            let what = format_args!("git is given {hash}…, which is not this helper's token");
            report.add(CHECK, Warn, what, LIST_HELPERS);
            return Some(hash.to_owned());
        }
        None => {
            let what = format_args!("git is given no credential for {url}: {}", reason(&said));
            report.add(CHECK, Fail, what, STATUS);
        }
    }
    None
}

/// Of the remote of that name.
struct Server<'a> {
    git: &'a Git,
    name: &'a str,
    credential: &'a Credential,
    /// The beginning of the hash of another helper's token, if git is given that.
    given: Option<String>,
}

impl Server<'_> {
    fn allows(&self, right: &'static str, words: &[String], report: &mut Report) -> bool {
        let name = self.name;
        let ask = || self.git.ask(words, b"");
        let is_final = |said: &Said| said.succeeded || own_error(said).is_some();
        // Before 2.46 git does not ask again, and the next command gets another token.
        let said = ask().and_then(|said| if is_final(&said) { Ok(said) } else { ask() });
        let (error, what, fix) = match said {
            Ok(said) if said.succeeded => {
                report.ok(right, format_args!("the server of {name} lets git {right}"));
                return true;
            }
            Ok(said) => self.refusal(right, &said),
            Err(failure) => {
                let what = format!("does not answer: {}", failure.what);
                (Some(Name::Timeout), what, format!("git ls-remote {}", word(name)))
            }
        };
        let what = format_args!("the server of {name} {what}");
        report.add(right, Fail, what, fix).error = error;
        false
    }

    /// What the server does, by what this helper said, or else git; with the error that it would be
    /// elsewhere, and what to do about it.
    fn refusal(&self, right: &str, said: &Said) -> (Option<Name>, String, String) {
        let Credential { token, source, .. } = self.credential;
        let token = match &self.given {
            Some(other) => format!("the token {other}… that another helper gave git"),
            None => format!("the token {}… from {source}", token.hash().prefix()),
        };
        let name = word(self.name);
        let has = |words| said.stderr.contains(words);
        let rejected = has("Authentication failed").then_some(Name::TokenRejected);
        let error = own_error(said).map(|(_, error)| error).or(rejected);
        let (what, fix) = match error {
            Some(Name::TokenRejected) if self.given.is_some() => {
                (format!("rejects {token}"), LIST_HELPERS.to_owned())
            }
            Some(Name::TokenRejected) if self.credential.is_workers() => {
                let then = "if the worker has no other, reinstall the GitHub App for the rig";
                (format!("rejects {token}; {then}"), "git credential-gastown refresh".to_owned())
            }
            Some(Name::TokenRejected) => (format!("rejects {token}"), format!("unset {source}")),
            None if has("returned error: 403") => {
                (format!("does not let {token} {right} (403)"), RIGHTS.to_owned())
            }
            None if has("' not found") => {
                let what = format!("has no such repository for {token} (404)");
                let fix = format!("git remote get-url {name}");
                (format!("{what}; if its URL is right, {RIGHTS}"), fix)
            }
            None => (format!("cannot be asked: {}", reason(said)), format!("git ls-remote {name}")),
            Some(_) => (format!("cannot be asked: {}", reason(said)), STATUS.to_owned()),
        };
        (error, what, fix)
    }
}

/// This helper's own error, if it said one while git ran it.
fn own_error(said: &Said) -> Option<(&str, Name)> {
    const START: &str = "git-credential-gastown: error: ";
    let text = said.stderr.lines().find_map(|line| line.strip_prefix(START))?;
    let name = Name::ALL.into_iter().find(|name| text.contains(&format!("[{name}]")))?;
    Some((text, name))
}

/// This helper's own words if it said any, else git's.
fn reason(said: &Said) -> String {
    own_error(said).map_or_else(|| said.complaint(), |(text, _)| text).to_owned()
}
