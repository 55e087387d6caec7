//! What git itself gets: the credential that git is given, and in a repository whether the server
//! of its remote lets that credential fetch and push. The server is asked by `git ls-remote` and by
//! a dry run of `git push`, which makes the first request of a push and no other: no hook runs,
//! nothing is sent, nobody is prompted.

use git_credential_gastown::failure::{Name, Retry};
use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::{credential_in, host_of};
use git_credential_gastown::token::Secret;

use super::Examination;
use super::report::{Finding, Status};
use crate::config::StaticToken;
use crate::credential::Credential;
use crate::git::{Git, Said};

/// A ref that nobody uses, and that a dry run does not make.
const UNUSED_REF: &str = "refs/gastown/doctor";
/// What could run another program, or ask the server for more.
const PUSH: [&str; 9] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "push.negotiate=false",
    "-c",
    "push.pushOption=",
    "push",
    "--dry-run",
    "--no-verify",
];
const PUSH_OPTIONS: [&str; 3] = ["--no-signed", "--no-follow-tags", "--recurse-submodules=no"];

/// What is known of a push from here.
pub(super) enum Push {
    /// To that remote.
    WouldSucceed(String),
    WouldFail(String),
    Unknown(String),
}

/// Where a push from here would go, with its URLs as git rewrites them.
pub(super) struct Remote {
    name: String,
    fetch: String,
    pub push: Vec<String>,
}

impl Remote {
    /// As git chooses it: for the branch, for all branches, or the only one.
    pub(super) fn find(git: &Git, lines: &[Line]) -> Option<Self> {
        let output = |arguments: &[&str]| {
            let said = git.run(arguments).ok().filter(|said| said.succeeded)?;
            Some(String::from_utf8_lossy(&said.stdout).trim_end().to_owned())
        };
        let value = |key: &str| Some(lines.iter().rfind(|line| line.key == key)?.value.as_str());
        let branch = output(&["symbolic-ref", "--quiet", "--short", "HEAD"]);
        let of_branch = |variable: &str| value(&format!("branch.{}.{variable}", branch.as_ref()?));
        let is_remote = |line: &&Line| line.is("remote", "url") || line.is("remote", "pushurl");
        let mut names: Vec<_> =
            lines.iter().filter(is_remote).filter_map(Line::subsection).collect();
        names.dedup();
        let chosen = of_branch("pushremote").or_else(|| value("remote.pushdefault"));
        let chosen = chosen.or_else(|| of_branch("remote")).unwrap_or(match names.as_slice() {
            [only] => only,
            _ => "origin",
        });
        // A URL instead of a name may hold a token, which must not become an argument.
        let name = names.into_iter().find(|name| *name == chosen)?;
        let push = output(&["remote", "get-url", "--push", "--all", "--", name])?;
        Some(Self {
            name: name.to_owned(),
            fetch: output(&["ls-remote", "--get-url", "--", name])?,
            push: push.lines().map(str::to_owned).collect(),
        })
    }

    /// Of its URLs over http(s).
    pub(super) fn hosts(&self) -> impl Iterator<Item = Host> {
        self.push.iter().filter_map(|url| host_of(url))
    }
}

pub(super) fn check(
    examination: &Examination<'_>,
    credential: &Credential,
) -> (Vec<Finding>, Push) {
    let (Ok(git), Some(host)) = (&examination.git, &examination.host) else {
        return (Vec::new(), Push::Unknown("git cannot be asked".to_owned()));
    };
    let mut findings = vec![given(git, host, credential)];
    if findings[0].status == Status::Fail {
        return (findings, Push::Unknown("no server was asked, because of that".to_owned()));
    }
    let Some(remote) = &examination.remote else {
        let what = format!(
            "git would be given a live token for {host}; run doctor in a repository to have its \
             server asked"
        );
        return (findings, Push::Unknown(what));
    };
    let name = &remote.name;
    let is_asked = |url: &String| examination.is_ours(url) && credential_in(url).is_none();
    if !remote.push.iter().chain([&remote.fetch]).all(is_asked) {
        let what = format!("git does not ask this helper for {name}, so its server was not asked");
        return (findings, Push::Unknown(what));
    }
    let server = Server { examination, git, name, credential };
    let refusal = server.refusal("fetch", &["ls-remote", "--quiet", "--", name, "HEAD"]);
    let refusal = refusal.or_else(|| {
        findings.push(Finding::ok("fetch", format!("the server of {name} lets this token fetch")));
        server.refused_push()
    });
    match refusal {
        None => {
            findings
                .push(Finding::ok("push", format!("the server of {name} lets this token push")));
            (findings, Push::WouldSucceed(name.clone()))
        }
        Some(refusal) => {
            findings.push(refusal);
            (findings, Push::WouldFail(name.clone()))
        }
    }
}

/// Whose token git is given.
fn given(git: &Git, host: &Host, credential: &Credential) -> Finding {
    const CHECK: &str = "git-credential";
    let request = format!("url={host}\n\n");
    let said = match git.ask(&["credential", "fill"], request.as_bytes()) {
        Ok(said) => said,
        Err(failure) => return Finding::of(Status::Fail, CHECK, &failure),
    };
    let mut lines = said.stdout.split(|byte| *byte == b'\n');
    let password = lines.find_map(|line| line.strip_prefix(b"password=")).and_then(Secret::parse);
    match password.filter(|_| said.succeeded) {
        Some(token) if token.hash() == credential.token.hash() => {
            Finding::ok(CHECK, format!("git is given this helper's token for {host}"))
        }
        Some(token) => Finding::problem(
            Status::Warn,
            CHECK,
            format!("git is given {}…, which is not this helper's token", token.hash().prefix()),
            format!("git config --show-origin --get-urlmatch credential.helper {host}"),
        ),
        None => Finding::problem(
            Status::Fail,
            CHECK,
            format!("git is given no credential for {host}: {}", reason(&said)),
            format!("echo url={host} | git credential fill"),
        ),
    }
}

struct Server<'a> {
    examination: &'a Examination<'a>,
    git: &'a Git,
    name: &'a str,
    credential: &'a Credential,
}

impl Server<'_> {
    fn refused_push(&self) -> Option<Finding> {
        let name = self.name;
        // A tree without entries is in every repository, whatever its hash function.
        let tree = self.git.run(&["hash-object", "-t", "tree", "--stdin"]).ok()?;
        let tree = String::from_utf8_lossy(&tree.stdout).trim_end().to_owned();
        // Of a mirror everything would be pushed.
        let no_mirror = ["-c".to_owned(), format!("remote.{name}.mirror=false")];
        let refspec = format!("{tree}:{UNUSED_REF}");
        let mut words: Vec<_> = no_mirror.iter().map(String::as_str).collect();
        words.extend(PUSH.iter().chain(&PUSH_OPTIONS).chain(&["--", name, &refspec]));
        self.refusal("push", &words)
    }

    /// Why the server refuses, or why it could not be asked.
    fn refusal(&self, check: &'static str, words: &[&str]) -> Option<Finding> {
        let is_unauthorized = |said: &Said| said.stderr.contains("Authentication failed");
        let mut outcome = self.git.ask(words, b"");
        // Before 2.46 git does not ask again, and the next command gets another token.
        if outcome.as_ref().is_ok_and(|said| is_unauthorized(said) && own_error(said).is_none()) {
            outcome = self.git.ask(words, b"");
        }
        let said = match outcome {
            Ok(said) if said.succeeded => return None,
            Ok(said) => said,
            Err(failure) => {
                let finding = Finding::of(Status::Fail, check, &failure);
                let is_slow = failure.retry == Retry::AtOnce;
                return Some(if is_slow { finding.named(Name::Timeout) } else { finding });
            }
        };
        let name = self.name;
        let problem = |what, fix| Finding::problem(Status::Fail, check, what, fix);
        let hash = self.credential.token.hash();
        let token = format!("the token {}… from {}", hash.prefix(), self.credential.source);
        let rights = "give the GitHub App, or the token's owner, \"Contents: read and write\" in \
                      this repository on GitHub";
        let own = own_error(&said);
        Some(match own.map(|(_, error)| error) {
            Some(Name::TokenRejected) => {
                let what =
                    format!("the server of {name} rejects {token}: it was revoked or has expired");
                problem(what, self.replace_token()).named(Name::TokenRejected)
            }
            Some(error) => {
                problem(reason(&said), "git credential-gastown status".to_owned()).named(error)
            }
            None if is_unauthorized(&said) => {
                let what =
                    format!("the server of {name} rejects {token}: it was revoked or has expired");
                problem(what, self.replace_token()).named(Name::TokenRejected)
            }
            None if said.stderr.contains("returned error: 403") => problem(
                format!("the server of {name} does not let {token} {check} (403)"),
                rights.to_owned(),
            ),
            None if said.stderr.contains("' not found") => {
                let what = format!(
                    "the server of {name} has no such repository, or hides it from {token}"
                );
                let fix = format!("git remote get-url {}; if that is right, {rights}", word(name));
                problem(what, fix)
            }
            None => problem(
                format!("the server of {name} cannot be asked: {}", reason(&said)),
                format!("git ls-remote {}", word(name)),
            ),
        })
    }

    fn replace_token(&self) -> String {
        let source = self.credential.source;
        let mut configured = self.examination.context.settings.static_tokens.iter();
        let is_source = |token: &StaticToken| token.name == source;
        match configured.any(is_source) || source == "GITLAB_TOKEN" {
            true => format!("unset {source}, or set it to a token that is valid"),
            false => {
                "git credential-gastown refresh; if that gives the same token again, reinstall \
                      the GitHub App for the rig"
                    .to_owned()
            }
        }
    }
}

/// This helper's own error, if it said one while git ran it.
fn own_error(said: &Said) -> Option<(&str, Name)> {
    let text = said
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("git-credential-gastown: error: "))?;
    let name = Name::ALL.into_iter().find(|name| text.contains(&format!("[{name}]")))?;
    Some((text, name))
}

/// This helper's own words if it said any, else git's.
fn reason(said: &Said) -> String {
    own_error(said).map_or_else(|| said.complaint(), |(text, _)| text).to_owned()
}
