//! git's configuration, as far as it decides whether this helper is asked: the helpers of each
//! host, tokens in URLs, headers, rewritten URLs, fixed user names, and the remotes.

use git_credential_gastown::failure::Name;
use git_credential_gastown::git_config::{Line, concerns, helpers_on};
use git_credential_gastown::helper_line::{Kind, PROGRAM, command, kind, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::redact::{clean, helper as helper_name};
use git_credential_gastown::remote_url::{credential_in, host_of};

use super::{Examination, Finding, Status};
use crate::config::flags_in;
use crate::program::is_executable;

const SET_UP: &str = "git credential-gastown setup";
const SET_UP_HERE: &str = "git credential-gastown setup --local";
const MIGRATE: &str = "git credential-gastown setup --migrate .";

pub(super) fn check(examination: &Examination<'_>) -> Vec<Finding> {
    // A configuration that cannot be read is reported with git.
    let Ok(lines) = &examination.lines else { return Vec::new() };
    let mut findings = helpers(examination);
    findings.extend(overruling(examination));
    findings.extend(ownership(examination));
    findings.extend(protocol(examination));
    for line in lines {
        findings.extend(token(examination, line));
        findings.extend(rewriting(examination, line));
        findings.extend(remote(examination, line));
    }
    findings
}

/// The helpers that git asks, each cause once with all of its hosts.
fn helpers(examination: &Examination<'_>) -> Vec<Finding> {
    let mut causes: Vec<(Finding, String)> = Vec::new();
    let (main, url) = (examination.host.as_ref(), examination.url());
    let others = examination.context.settings.hosts.iter().filter(|host| Some(*host) != main);
    for host in main.into_iter().chain(others) {
        let path = url.as_ref().and_then(|url| url.strip_prefix(&host.to_string()));
        let chain = helpers_on(examination.lines(), host, path);
        for finding in of_chain(examination, host, &chain) {
            // A push from here goes to the first host; the others are only to be looked at.
            let worst = if Some(host) == main { Status::Fail } else { Status::Warn };
            let status = finding.status.max(worst);
            match causes.iter_mut().find(|(known, _)| known.what == finding.what) {
                Some((_, hosts)) => *hosts += &format!(", {host}"),
                None => causes.push((finding.weighed(status), host.to_string())),
            }
        }
    }
    let told = |(finding, hosts): (Finding, String)| {
        let what = format!("{} (for {hosts})", finding.what);
        Finding { what, ..finding }
    };
    causes.into_iter().map(told).collect()
}

fn of_chain(examination: &Examination<'_>, host: &Host, chain: &[&Line]) -> Vec<Finding> {
    const CHECK: &str = "helpers";
    let Some(ours) = chain.iter().position(|line| kind(&line.value) == Kind::Ours) else {
        let asked = chain.first().map(|first| format!("{}, and not this helper", named(first)));
        let asked = asked.unwrap_or_else(|| "no helper".to_owned());
        let is_of_repository = |line: &Line| matches!(&*line.scope, "local" | "worktree");
        let is_reset =
            |line: &Line| line.is_helper() && line.value.is_empty() && is_of_repository(line);
        let fix = match chain.first() {
            Some(first) if is_of_repository(first) && kind(&first.value) == Kind::Store => MIGRATE,
            // What is set up elsewhere is forgotten in this repository.
            _ if examination.lines().iter().any(is_reset) => SET_UP_HERE,
            _ => SET_UP,
        };
        return vec![Finding::fail(CHECK, format!("git asks {asked}"), fix)];
    };
    let finding = |(index, line): (usize, &&Line)| {
        let helper = named(line);
        match (kind(&line.value), index < ours) {
            (Kind::Ours, _) if !is_served_to_git(examination, host, line) => {
                let what =
                    format!("git asks {helper}, which the list of hosts keeps from answering");
                let fix = format!("git credential-gastown setup --host {host}");
                Finding::fail(CHECK, what, fix).named(Name::ConfigMissing)
            }
            (Kind::Ours, _) if is_there(examination, line) => {
                // Without the key, which differs by host.
                let (helper, origin) = (helper_name(&line.value), &line.origin);
                Finding::ok(CHECK, format!("git asks `{helper}` ({origin})"))
            }
            (Kind::Ours, _) => {
                Finding::fail(CHECK, format!("git asks {helper}, which cannot be run"), SET_UP)
            }
            (Kind::Store, true) => {
                let what = format!("git first asks {helper}, which answers with stale tokens");
                Finding::fail(CHECK, what, unset_store(line))
            }
            (Kind::Store, false) => {
                let what = format!("{helper} writes every token to a file");
                Finding::warn(CHECK, what, unset_store(line))
            }
            (Kind::Other, true) => Finding::warn(CHECK, format!("git first asks {helper}"), SET_UP),
            (Kind::Other, false) => Finding::ok(CHECK, format!("git then asks {helper}")),
        }
    };
    chain.iter().enumerate().map(finding).collect()
}

/// Whether the helper answers for a host when git runs that line: git tells it of no other line.
fn is_served_to_git(examination: &Examination<'_>, host: &Host, line: &Line) -> bool {
    let flags = flags_in(line);
    let is_it = |entry: &String| Host::listed(entry).as_ref() == Ok(host);
    let listed = &examination.context.settings.listed_hosts;
    if flags.host.is_empty() { listed.contains(host) } else { flags.host.iter().any(is_it) }
}

/// A helper and where its line is.
fn named(line: &Line) -> String {
    format!("`{}` ({} in {})", helper_name(&line.value), line.key, line.origin)
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

/// Whether git is forbidden to use the scheme of the host. Asking the server would not show it,
/// because that sets a list of allowed schemes of its own.
fn protocol(examination: &Examination<'_>) -> Option<Finding> {
    let scheme = examination.host.as_ref()?.scheme();
    let last = |key: &str| examination.lines().iter().rfind(|line| line.key == key);
    let rule = last(&format!("protocol.{scheme}.allow")).or_else(|| last("protocol.allow"))?;
    let what = || format!("git must not use {scheme} ({} in {})", rule.key, rule.origin);
    (rule.value == "never").then(|| Finding::fail("protocol", what(), unset(rule)))
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
        let what = format!("{what}, for a host that another helper has to answer for without it");
        return Some(Finding::warn(CHECK, what, edit(line)));
    }
    let is_local = ["local", "worktree"].contains(&line.scope.as_str());
    let fix = if is_local && !is_in_key { MIGRATE.to_owned() } else { edit(line) };
    Some(Finding::fail(CHECK, what + ", which git uses without asking any helper", fix))
}

/// Settings for the host that go before what a helper says.
fn overruling(examination: &Examination<'_>) -> Vec<Finding> {
    let (Some(host), Some(url)) = (&examination.host, examination.url()) else { return Vec::new() };
    let mut findings = Vec::new();
    for line in examination.lines() {
        let is_header = line.is("http", "extraheader");
        let is_about_host = line.subsection().is_none_or(|part| concerns(part, host));
        if !is_about_host || !(is_header || line.is("credential", "username")) {
            continue;
        }
        // As git itself matches the URLs of its sections: a later line may take this one back.
        let key = format!("{}.{}", line.section(), line.variable());
        let value = examination.output(&["config", "--get-urlmatch", &key, &url]);
        let Some(value) = value.map(|value| value.to_ascii_lowercase()) else { continue };
        let what = format!("{} ({})", line.key, line.origin);
        if !is_header {
            // Another helper may then answer with an account of its own.
            let what = format!("{what} asks for one user only");
            findings.push(Finding::warn("username", what, unset(line)));
        } else if value.trim_start().starts_with("authorization:") {
            let what = format!("{what} sends a credential of its own");
            findings.push(Finding::fail("extra-header", what, unset(line)));
        }
    }
    findings
}

/// A rule that leads from a host of ours to another.
fn rewriting(examination: &Examination<'_>, line: &Line) -> Option<Finding> {
    let hosts = &examination.context.settings.hosts;
    let is_served = |url: &str| host_of(url).is_some_and(|host| hosts.contains(&host));
    let is_rule = line.is("url", "insteadof") || line.is("url", "pushinsteadof");
    let base = line.subsection().filter(|base| is_rule && !is_served(base))?;
    // A rule may match a part of the host's name; whichever is longer says what the rule is for.
    let is_about = |root: String| root.starts_with(&line.value) || line.value.starts_with(&root);
    let is_about_ours = hosts.iter().any(|host| is_about(format!("{host}/")));
    let (key, origin, value) = (&line.key, &line.origin, &line.value);
    let what =
        format!("{key} ({origin}) leads from {value:?} to {base}, where this helper is not asked");
    is_about_ours.then(|| Finding::warn("rewriting", what, unset(line)))
}

/// A token in its URL is a finding of its own.
fn remote(examination: &Examination<'_>, line: &Line) -> Option<Finding> {
    let is_remote = line.is("remote", "url") || line.is("remote", "pushurl");
    if !is_remote || credential_in(&line.value).is_some() {
        return None;
    }
    let what = format!("{} is {}", line.key, line.value);
    let hosts = &examination.context.settings.hosts;
    Some(match host_of(&line.value) {
        None => Finding::ok("remotes", format!("{what}; git asks no helper for it")),
        Some(host) if hosts.contains(&host) => Finding::ok("remotes", what),
        Some(host) => {
            let flags = hosts.iter().chain([&host]).map(|host| format!(" --host {host}"));
            let fix = format!("{SET_UP}{}", flags.collect::<String>());
            let what =
                format!("{what}; this helper does not answer for {host}, unless it is added");
            Finding::warn("remotes", what, fix)
        }
    })
}

/// git ignores the configuration of a repository that belongs to another user.
fn ownership(examination: &Examination<'_>) -> Option<Finding> {
    let said = examination.git.as_ref().ok()?.run(&["rev-parse", "--git-dir"]).ok()?;
    let is_foreign = !said.succeeded && said.stderr.contains("dubious ownership");
    let directory = examination.surroundings.directory.clone().unwrap_or_default();
    let directory = word(&directory.to_string_lossy());
    let what = "git refuses this repository, which belongs to another user";
    let fix = format!("git config --global --add safe.directory {directory}");
    is_foreign.then(|| Finding::fail("remotes", what, fix))
}

fn unset(line: &Line) -> String {
    // A key that cannot be shown as it is, as it has a token in it, cannot be typed either.
    let is_shown = clean(&line.key, &[]) == line.key;
    if is_shown { change(line, &format!("--unset-all {}", word(&line.key))) } else { edit(line) }
}

fn edit(line: &Line) -> String {
    change(line, "--edit")
}

/// The command for the file of a line: an included one is in no scope of its own.
fn change(line: &Line, how: &str) -> String {
    match (line.scope.as_str(), line.origin.strip_prefix("file:")) {
        ("command", _) => {
            "take it out of GIT_CONFIG_COUNT and its values, or of `git -c`".to_owned()
        }
        (_, Some(path)) if path.starts_with('/') => {
            format!("git config --file {} {how}", word(path))
        }
        (scope, _) => format!("git config --{scope} {how}"),
    }
}
