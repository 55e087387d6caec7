//! git's configuration, as far as it decides whether this helper is asked: the helpers of each
//! host, tokens in URLs, headers, rewritten URLs, fixed user names, and the remotes.

use git_credential_gastown::git_config::{Line, concerns, helpers_on};
use git_credential_gastown::helper_line::{Kind, PROGRAM, command, kind, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::redact::helper;
use git_credential_gastown::remote_url::{credential_in, host_of};

use super::Examination;
use super::report::{Finding, Status};
use crate::config::is_executable;

const SET_UP: &str = "git credential-gastown setup";
const MIGRATE: &str = "git credential-gastown setup --migrate .";

pub(super) fn check(examination: &Examination<'_>) -> Vec<Finding> {
    if examination.lines.is_err() {
        // The configuration cannot be read, which is told with git.
        return Vec::new();
    }
    let mut findings = helpers(examination);
    findings.extend(examination.lines().iter().filter_map(|line| token(examination, line)));
    findings.extend(headers(examination));
    findings.extend(examination.lines().iter().filter_map(|line| rewriting(examination, line)));
    findings.extend(usernames(examination));
    findings.extend(remotes(examination));
    findings
}

/// What is wrong with the helpers that git asks, each cause once with all of its hosts.
fn helpers(examination: &Examination<'_>) -> Vec<Finding> {
    const CHECK: &str = "helpers";
    let mut causes: Vec<(Finding, Vec<String>)> = Vec::new();
    let url = examination.url();
    let main = examination.host.as_ref();
    let others = examination.context.settings.hosts.iter().filter(|host| Some(*host) != main);
    for host in main.into_iter().chain(others) {
        let path = url.as_ref().and_then(|url| url.strip_prefix(&host.to_string()));
        let chain = helpers_on(examination.lines(), host, path);
        // A push from here goes to the first host; the others are only to be looked at.
        let worst = if Some(host) == main { Status::Fail } else { Status::Warn };
        for finding in of_chain(examination, &chain, worst) {
            let is_known = |(known, _): &&mut (Finding, Vec<String>)| {
                (&known.what, &known.fix) == (&finding.what, &finding.fix)
            };
            match causes.iter_mut().find(is_known) {
                Some((_, hosts)) => hosts.push(host.to_string()),
                None => causes.push((finding, vec![host.to_string()])),
            }
        }
    }
    let told = |(finding, hosts): (Finding, Vec<String>)| {
        let what = format!("{} (for {})", finding.what, hosts.join(", "));
        Finding { check: CHECK, what, ..finding }
    };
    causes.into_iter().map(told).collect()
}

fn of_chain(examination: &Examination<'_>, chain: &[&Line], worst: Status) -> Vec<Finding> {
    let problem = |status, what: String, fix: String| Finding::problem(status, "", what, fix);
    let Some(ours) = chain.iter().position(|line| kind(&line.value) == Kind::Ours) else {
        let what = match chain.first() {
            None => "git asks no helper".to_owned(),
            Some(first) => format!("git asks {}, and not this helper", named(first)),
        };
        return vec![problem(worst, what, SET_UP.to_owned())];
    };
    let mut findings = Vec::new();
    for (index, line) in chain.iter().enumerate() {
        let is_before = index < ours;
        match kind(&line.value) {
            Kind::Ours => findings.push(match is_there(examination, line) {
                true => Finding::ok("", format!("git asks {}", named(line))),
                false => problem(
                    worst,
                    format!("git asks {}, which cannot be run", named(line)),
                    SET_UP.to_owned(),
                ),
            }),
            Kind::Store if is_before => findings.push(problem(
                worst,
                format!("git first asks {}, which answers with stale tokens", named(line)),
                unset_store(line),
            )),
            Kind::Store => findings.push(problem(
                Status::Warn,
                format!("{} writes every token to a file", named(line)),
                unset_store(line),
            )),
            Kind::Other if is_before => findings.push(problem(
                Status::Warn,
                format!("git first asks {}", named(line)),
                SET_UP.to_owned(),
            )),
            Kind::Other => {}
        }
    }
    findings
}

/// A helper and where its line is.
fn named(line: &Line) -> String {
    format!("`{}` ({} in {})", helper(&line.value), line.key, line.origin)
}

/// An upgrade or a removal may have moved the program that a line names.
fn is_there(examination: &Examination<'_>, line: &Line) -> bool {
    match command(&line.value).first().map(String::as_str) {
        Some(path) if path.starts_with('/') => is_executable(path.as_ref()),
        Some(PROGRAM) => examination.surroundings.find(PROGRAM).is_some(),
        _ => true,
    }
}

fn unset_store(line: &Line) -> String {
    match line.scope.as_str() {
        "local" | "worktree" => MIGRATE.to_owned(),
        _ => format!("{} '(^|/|-)store( |$)'", unset(line)),
    }
}

/// A token in a URL, which git uses without asking any helper.
fn token(examination: &Examination<'_>, line: &Line) -> Option<Finding> {
    const CHECK: &str = "url-token";
    let in_key = line.subsection().and_then(credential_in);
    // The value of a rewriting rule is what it looks for, and a proxy is no git host.
    let is_url = !["url", "http"].contains(&line.section());
    let in_value = is_url.then(|| credential_in(&line.value)).flatten();
    let is_in_key = in_key.is_some();
    let embedded = in_key.or(in_value)?;
    let what = format!("{} ({}) has a token in it", line.key, line.origin);
    if !embedded.host.is_some_and(|host| examination.context.settings.serves(&host)) {
        let what = format!("{what}, for a host that this helper does not answer for");
        let fix = format!("remove it once another helper answers: {}", edit(line));
        return Some(Finding::problem(Status::Warn, CHECK, what, fix));
    }
    let is_local = ["local", "worktree"].contains(&line.scope.as_str());
    let fix = if is_local && !is_in_key { MIGRATE.to_owned() } else { edit(line) };
    let what = format!("{what}, which git uses without asking any helper");
    Some(Finding::problem(Status::Fail, CHECK, what, fix))
}

/// A header set for a host is sent whatever a helper says.
fn headers(examination: &Examination<'_>) -> Vec<Finding> {
    let value = value_for_host(examination, "http.extraHeader").unwrap_or_default();
    if !value.to_ascii_lowercase().trim_start().starts_with("authorization:") {
        return Vec::new();
    }
    let found = |line: &Line| {
        let what = format!("{} ({}) sends a credential of its own", line.key, line.origin);
        Finding::problem(Status::Fail, "extra-header", what, unset(line))
    };
    lines_for_host(examination, "http", "extraheader").map(found).collect()
}

/// git asks for this user only, and another helper may then answer with an account of its own.
fn usernames(examination: &Examination<'_>) -> Vec<Finding> {
    if value_for_host(examination, "credential.username").is_none() {
        return Vec::new();
    }
    let found = |line: &Line| {
        let what = format!("{} ({}) asks for one user only", line.key, line.origin);
        Finding::problem(Status::Warn, "username", what, unset(line))
    };
    lines_for_host(examination, "credential", "username").map(found).collect()
}

/// As git itself matches the URLs of its sections.
fn value_for_host(examination: &Examination<'_>, key: &str) -> Option<String> {
    let (git, url) = (examination.git.as_ref().ok()?, examination.url()?);
    let said = git.run(&["config", "--get-urlmatch", key, &url]).ok()?;
    said.succeeded.then(|| String::from_utf8_lossy(&said.stdout).into_owned())
}

fn lines_for_host<'a>(
    examination: &'a Examination<'_>,
    section: &'static str,
    variable: &'static str,
) -> impl Iterator<Item = &'a Line> {
    let host = examination.host.as_ref();
    let lines = examination.lines().iter().filter(move |line| line.is(section, variable));
    lines.filter(move |line| {
        line.subsection().is_none_or(|part| host.is_some_and(|host| concerns(part, host)))
    })
}

/// A rule that leads from a host of ours to another.
fn rewriting(examination: &Examination<'_>, line: &Line) -> Option<Finding> {
    let is_rule = line.is("url", "insteadof") || line.is("url", "pushinsteadof");
    let base = line.subsection().filter(|base| is_rule && !examination.is_ours(base))?;
    // A rule may stand for a part of the host's name: what it is for is told by the longer one.
    let is_about_ours = |host: &Host| {
        let root = format!("{host}/");
        root.starts_with(&line.value) || line.value.starts_with(&root)
    };
    let is_about_ours = examination.context.settings.hosts.iter().any(is_about_ours);
    let what = format!(
        "{} ({}) leads from {:?} to {base}, where this helper is not asked",
        line.key, line.origin, line.value
    );
    is_about_ours.then(|| Finding::problem(Status::Warn, "rewriting", what, unset(line)))
}

fn remotes(examination: &Examination<'_>) -> Vec<Finding> {
    const CHECK: &str = "remotes";
    if let Some(finding) = ownership(examination) {
        return vec![finding];
    }
    let lines = examination.lines().iter();
    let urls = lines.filter(|line| line.is("remote", "url") || line.is("remote", "pushurl"));
    let hosts = &examination.context.settings.hosts;
    let found = urls.filter(|line| credential_in(&line.value).is_none()).map(|line| {
        let what = format!("{} is {}", line.key, line.value);
        match host_of(&line.value) {
            None => Finding::ok(CHECK, format!("{what}; git asks no helper for it")),
            Some(_) if examination.is_ours(&line.value) => Finding::ok(CHECK, what),
            Some(host) => {
                let all = hosts.iter().chain([&host]).map(|host| format!("--host {host}"));
                let all = all.collect::<Vec<_>>().join(" ");
                let what = format!("{what}, and this helper does not answer for {host}");
                let fix = format!("if it should: {SET_UP} {all}");
                Finding::problem(Status::Warn, CHECK, what, fix)
            }
        }
    });
    found.collect()
}

/// git heeds no configuration of a repository that belongs to somebody else.
fn ownership(examination: &Examination<'_>) -> Option<Finding> {
    let said = examination.git.as_ref().ok()?.run(&["rev-parse", "--git-dir"]).ok()?;
    let is_foreign = !said.succeeded && said.stderr.contains("dubious ownership");
    let directory = examination.surroundings.directory.clone().unwrap_or_default();
    let directory = word(&directory.to_string_lossy());
    let what = "git refuses this repository, which belongs to another user";
    let fix = format!("git config --global --add safe.directory {directory}");
    is_foreign.then(|| Finding::problem(Status::Fail, "remotes", what, fix))
}

fn unset(line: &Line) -> String {
    // What has a token in its key cannot be named on a command line.
    if line.subsection().and_then(credential_in).is_some() || line.scope == "command" {
        return edit(line);
    }
    format!("git config {} --unset-all {}", file_of(line), word(&line.key))
}

fn edit(line: &Line) -> String {
    match line.scope.as_str() {
        "command" => "take it out of GIT_CONFIG_COUNT and its values, or of `git -c`".to_owned(),
        _ => format!("git config {} --edit", file_of(line)),
    }
}

/// The file of a line, as an argument of `git config`: an included file is in no scope of its own.
fn file_of(line: &Line) -> String {
    match line.origin.strip_prefix("file:").filter(|path| path.starts_with('/')) {
        Some(path) => format!("--file {}", word(path)),
        None => format!("--{}", line.scope),
    }
}
