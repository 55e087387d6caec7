//! What git itself gets: the credential that git is given, and in a repository whether the server
//! of its remote lets that credential fetch and push. The server is asked by `git ls-remote` and by
//! a dry run of `git push`, which makes the first request of a push and no other: no hook runs,
//! nothing is sent, nobody is prompted.

use git_credential_gastown::failure::Name;
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::host_of;
use git_credential_gastown::token::Secret;

use super::{Examination, Finding, Push};
use crate::credential::Credential;
use crate::git::{Git, Said};

/// Without what could run another program or ask the server for more.
const PUSH: &str = "-c core.hooksPath=/dev/null -c push.negotiate=false -c push.pushOption= push \
                    --dry-run --no-verify --no-signed --no-follow-tags --recurse-submodules=no --";
/// A ref that nobody uses, and that a dry run does not make.
const UNUSED_REF: &str = "refs/gastown/doctor";
const RIGHTS: &str = "give the GitHub App, or the token's owner, \"Contents: read and write\" in \
                      this repository on GitHub";

/// Where a push from here would go, with its URLs as git rewrites them.
pub(super) struct Remote {
    name: String,
    fetch: String,
    pub push: Vec<String>,
}

impl Remote {
    /// As git chooses it: for the branch, for all branches, or the only one.
    pub(super) fn find(git: &Git, lines: &[Line]) -> Option<Self> {
        let is_remote = |line: &&Line| line.is("remote", "url") || line.is("remote", "pushurl");
        let names = lines.iter().filter(is_remote).filter_map(Line::subsection);
        let mut names: Vec<_> = names.collect();
        names.dedup();
        let value = |key: &str| Some(lines.iter().rfind(|line| line.key == key)?.value.as_str());
        let branch = output(git, &["symbolic-ref", "--quiet", "--short", "HEAD"]);
        let of_branch = |variable| value(&format!("branch.{}.{variable}", branch.as_ref()?));
        let only = || names.first().copied().filter(|_| names.len() == 1);
        let chosen = of_branch("pushremote").or_else(|| value("remote.pushdefault"));
        let chosen = chosen.or_else(|| of_branch("remote")).or_else(only).unwrap_or("origin");
        // A URL instead of a name may hold a secret, which must not become an argument.
        let is_plain_url = host_of(chosen).is_some() && !chosen.contains(['@', '?']);
        let name = Some(chosen).filter(|name| is_plain_url || names.contains(name))?;
        let fetch = output(git, &["ls-remote", "--get-url", "--", name])?;
        let push = output(git, &["remote", "get-url", "--push", "--all", "--", name]);
        let push = push.as_ref().unwrap_or(&fetch).lines().map(str::to_owned).collect();
        Some(Self { name: name.to_owned(), fetch, push })
    }

    /// The words for git that make the first request of a push.
    fn dry_run(&self, git: &Git) -> Option<Vec<String>> {
        // A tree without entries is in every repository, whatever its hash function.
        let tree = output(git, &["hash-object", "-t", "tree", "--stdin"])?;
        let name = &self.name;
        // Of a mirror everything would be pushed.
        let mut words = vec!["-c".to_owned(), format!("remote.{name}.mirror=false")];
        words.extend(PUSH.split(' ').map(str::to_owned));
        words.extend([name.clone(), format!("{tree}:{UNUSED_REF}")]);
        Some(words)
    }
}

pub(super) fn output(git: &Git, words: &[&str]) -> Option<String> {
    let said = git.run(words).ok().filter(|said| said.succeeded)?;
    Some(String::from_utf8_lossy(&said.stdout).trim_end().to_owned())
}

pub(super) fn check(
    examination: &Examination<'_>,
    credential: &Credential,
    findings: &mut Vec<Finding>,
) -> Push {
    let (Ok(git), Some(host)) = (&examination.git, &examination.host) else {
        return Push::unknown("no server was asked");
    };
    findings.push(given(git, host, credential));
    if findings.iter().any(Finding::fails) {
        return Push::unknown("no server was asked, because of what fails");
    }
    let Some(remote) = &examination.remote else {
        return Push::unknown(format!(
            "git would be given a live token for {host}; run doctor in a repository to have its \
             server asked"
        ));
    };
    let name = &remote.name;
    if !remote.push.iter().chain([&remote.fetch]).all(|url| examination.is_ours(url)) {
        let said = format!("git does not ask this helper for {name}, so its server was not asked");
        return Push::unknown(said);
    }
    let mut statics = examination.context.settings.static_tokens.iter();
    let is_configured = statics.any(|it| it.name == credential.source);
    let server = Server { git, name, credential, is_configured };
    let fetch = ["ls-remote", "--quiet", "--", name, "HEAD"].map(str::to_owned).to_vec();
    let Some(push) = remote.dry_run(git) else { return Push::unknown("no server was asked") };
    for (right, words) in [("fetch", fetch), ("push", push)] {
        if let Some(refusal) = server.refusal(right, &words) {
            findings.push(refusal);
            return Push {
                would_succeed: Some(false),
                said: format!("a push to {name} would fail"),
            };
        }
        findings.push(Finding::ok(right, format!("the server of {name} lets git {right}")));
    }
    let said = format!("a push to {name} would succeed: its server says so");
    Push { would_succeed: Some(true), said }
}

/// Whose token git is given.
fn given(git: &Git, host: &Host, credential: &Credential) -> Finding {
    const CHECK: &str = "git-credential";
    let request = format!("url={host}\n\n");
    let said = match git.ask(&["credential", "fill"], request.as_bytes()) {
        Ok(said) => said,
        Err(failure) => return Finding::of(CHECK, &failure),
    };
    let mut lines = said.stdout.split(|byte| *byte == b'\n');
    let password = lines.find_map(|line| line.strip_prefix(b"password=")).and_then(Secret::parse);
    match password.as_ref().map(Secret::hash).filter(|_| said.succeeded) {
        Some(hash) if hash == credential.token.hash() => {
            Finding::ok(CHECK, format!("git is given this helper's token for {host}"))
        }
        Some(hash) => Finding::warn(
            CHECK,
            format!("git is given {}…, which is not this helper's token", hash.prefix()),
            format!("git config --show-origin --get-urlmatch credential.helper {host}"),
        ),
        None => Finding::fail(
            CHECK,
            format!("git is given no credential for {host}: {}", reason(&said)),
            "git credential-gastown status",
        ),
    }
}

/// Of the remote of that name.
struct Server<'a> {
    git: &'a Git,
    name: &'a str,
    credential: &'a Credential,
    /// Whether the token is from a setting.
    is_configured: bool,
}

impl Server<'_> {
    /// Why it refuses, or could not be asked.
    fn refusal(&self, right: &'static str, words: &[String]) -> Option<Finding> {
        let ask = || self.git.ask(words, b"");
        let is_final = |said: &Said| said.succeeded || own_error(said).is_some();
        // Before 2.46 git does not ask again, and the next command gets another token.
        let said = match ask().and_then(|said| if is_final(&said) { Ok(said) } else { ask() }) {
            Ok(said) if said.succeeded => return None,
            Ok(said) => said,
            Err(failure) => {
                let name = self.name;
                let what = format!("the server of {name} does not answer: {}", failure.what);
                let fix = format!("git ls-remote {}", word(name));
                return Some(Finding::fail(right, what, fix).named(Name::Timeout));
            }
        };
        let Self { name, credential, .. } = self;
        let has = |words| said.stderr.contains(words);
        let rejected = has("Authentication failed").then_some(Name::TokenRejected);
        let error = own_error(&said).map(|(_, error)| error).or(rejected);
        let server = format!("the server of {name}");
        let token = format!("{}… from {}", credential.token.hash().prefix(), credential.source);
        let (what, fix) = match error {
            Some(Name::TokenRejected) if self.is_configured => (
                format!("{server} rejects the token {token}"),
                format!("unset {}", credential.source),
            ),
            Some(Name::TokenRejected) => {
                let then = "if the worker has no other, reinstall the GitHub App for the rig";
                let fix = "git credential-gastown refresh".to_owned();
                (format!("{server} rejects the token {token}; {then}"), fix)
            }
            Some(_) => (reason(&said), "git credential-gastown status".to_owned()),
            None if has("returned error: 403") => {
                let what = format!("{server} does not let the token {token} {right} (403)");
                (what, RIGHTS.to_owned())
            }
            None if has("' not found") => {
                let what = format!("{server} has no such repository for the token {token} (404)");
                (
                    format!("{what}; if its URL is right, {RIGHTS}"),
                    format!("git remote get-url {}", word(name)),
                )
            }
            None => {
                let what = format!("{server} cannot be asked: {}", reason(&said));
                (what, format!("git ls-remote {}", word(name)))
            }
        };
        Some(Finding { error, ..Finding::fail(right, what, fix) })
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
