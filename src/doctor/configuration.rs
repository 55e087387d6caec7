//! git's configuration, as far as it decides whether this helper is asked: the helpers of each
//! host, tokens in URLs, headers, rewritten URLs, fixed user names, and the remotes.

use git_credential_gastown::failure::Name;
use git_credential_gastown::git_config::{Line, concerns, helpers_on, matches};
use git_credential_gastown::helper_line::{PROGRAM, command, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::redact::{clean, helper as helper_name};
use git_credential_gastown::remote_url::{credential_in, host_of};

use super::{Fail, Inputs, Report, Status, Warn};
use crate::config::{flags_in, variable};
use crate::program::is_executable;

const SET_UP: &str = "git credential-gastown setup";
const SET_UP_HERE: &str = "git credential-gastown setup --local";
const MIGRATE: &str = "git credential-gastown setup --migrate .";
const NOT_OURS: &str = "none, if another helper answers for it; to give the tokens of this worker to \
                        a GitHub of your own, name all your hosts to setup with --host";

pub(super) fn check(inputs: &Inputs<'_>, report: &mut Report) {
    // A configuration that cannot be read is reported with git.
    if inputs.context.git_config.fault().is_some() {
        return;
    }
    let (main, url) = (inputs.host.as_ref(), inputs.url());
    let others = inputs.context.settings.hosts.iter().filter(|host| Some(*host) != main);
    for host in main.into_iter().chain(others) {
        let path = url.as_ref().and_then(|url| url.strip_prefix(&host.to_string()));
        let mut of_host = Report::default();
        helpers(inputs, host, &helpers_on(inputs.lines(), host, path), &mut of_host);
        // A push from here goes to the first host; the others are only to be looked at.
        let worst = if Some(host) == main { Fail } else { Warn };
        report.add_for(host, worst, of_host);
    }
    ownership(inputs, report);
    protocol(inputs, report);
    for line in inputs.lines() {
        token(inputs, line, report);
        remote(inputs, line, report);
        let in_effect = || in_effect(inputs, line);
        let found = match (line.section(), line.variable()) {
            ("url", "insteadof" | "pushinsteadof") => {
                rewriting(inputs, line).map(|what| ("rewriting", Warn, what))
            }
            ("http", "extraheader") if is_credential(&line.value) => in_effect()
                .filter(|last| !last.is_empty())
                .map(|_| ("extra-header", Fail, "sends a credential of its own".to_owned())),
            // Another helper may then answer with an account of its own.
            ("credential", "username") => {
                in_effect().map(|_| ("username", Warn, "asks for one user only".to_owned()))
            }
            _ => None,
        };
        if let Some((check, status, what)) = found {
            let what = format_args!("{} ({}) {what}", line.key, line.origin);
            report.add(check, status, what, unset_value(line));
        }
    }
}

/// The helpers that git asks for a host, in their order.
fn helpers(inputs: &Inputs<'_>, host: &Host, chain: &[&Line], report: &mut Report) {
    const CHECK: &str = "helpers";
    let Some(ours) = chain.iter().position(|line| line.is_ours()) else {
        let asked = chain.first().map(|first| format!("{}, and not this helper", named(first)));
        let asked = asked.unwrap_or_else(|| "no helper".to_owned());
        let is_reset = |line: &Line| line.is_helper() && line.value.is_empty() && line.is_local();
        let of_part =
            inputs.lines().iter().rfind(|line| line.is_helper() && is_of_part(line, host));
        let fix = match (chain.first(), of_part) {
            (Some(first), _) if first.is_local() && first.is_store() => MIGRATE.to_owned(),
            // It forgets what is set up for the whole host.
            (_, Some(line)) => unset(line),
            // What is set up elsewhere is forgotten in this repository.
            _ if inputs.lines().iter().any(is_reset) => SET_UP_HERE.to_owned(),
            _ => SET_UP.to_owned(),
        };
        report.add(CHECK, Fail, format_args!("git asks {asked}"), fix);
        return;
    };
    for (index, line) in chain.iter().enumerate() {
        let helper = named(line);
        let (status, what, fix) = match (line.is_store(), index < ours) {
            _ if line.is_ours() => match fault(inputs, host, line) {
                Some((what, error, fix)) => {
                    let what = format_args!("git asks {helper}, which {what}");
                    report.add(CHECK, Fail, what, fix).error = error;
                    continue;
                }
                // Without the key, which differs by host.
                None => {
                    let what = format!("git asks `{}` ({})", helper_name(&line.value), line.origin);
                    (Status::Ok, what, String::new())
                }
            },
            (true, true) => {
                let what = format!("git first asks {helper}, which answers with stale tokens");
                (Fail, what, unset_store(line))
            }
            (true, false) => {
                (Warn, format!("{helper} writes every token to a file"), unset_store(line))
            }
            (false, true) => {
                let fix = if is_of_part(line, host) { unset(line) } else { SET_UP.to_owned() };
                (Warn, format!("git first asks {helper}"), fix)
            }
            (false, false) => (Status::Ok, format!("git then asks {helper}"), String::new()),
        };
        report.add(CHECK, status, what, fix);
    }
}

/// Why a helper line of ours gives git no token for a host, the error that it is elsewhere, and what
/// fixes it.
fn fault(
    inputs: &Inputs<'_>,
    host: &Host,
    line: &Line,
) -> Option<(&'static str, Option<Name>, String)> {
    let settings = &inputs.context.settings;
    let Some(flags) = flags_in(line).filter(|_| is_there(inputs, line)) else {
        let fix = if line.is_local() { SET_UP_HERE } else { SET_UP };
        return Some(("cannot be run", None, fix.to_owned()));
    };
    // git tells the helper of no other line.
    let is_it = |entry: &String| Host::listed(entry).as_ref() == Ok(host);
    if flags.host.iter().any(is_it)
        || (flags.host.is_empty() && settings.listed_hosts.contains(host))
    {
        return None;
    }
    let (what, fix) = if settings.gitlab.host == *host && settings.gitlab.token.is_none() {
        ("has no token for GitLab", "export GITLAB_TOKEN=…".to_owned())
    } else {
        ("the list of hosts keeps from answering", format!("{SET_UP} --host {host}"))
    };
    Some((what, Some(Name::ConfigMissing), fix))
}

/// A helper and where its line is.
fn named(line: &Line) -> String {
    format!("`{}` ({} in {})", helper_name(&line.value), line.key, line.origin)
}

/// Whether the line is for a path or a user on the host, and not for all of it.
fn is_of_part(line: &Line, host: &Host) -> bool {
    line.subsection().is_some_and(|pattern| concerns(pattern, host) && !matches(pattern, host))
}

/// An upgrade or a removal may have moved the program that a line names.
fn is_there(inputs: &Inputs<'_>, line: &Line) -> bool {
    match command(&line.value).first().map(String::as_str) {
        Some(path) if path.starts_with('/') => is_executable(path.as_ref()),
        Some(PROGRAM) => inputs.surroundings.find(PROGRAM).is_some(),
        _ => true,
    }
}

/// Whether git is forbidden to use the scheme of the host. Asking the server would not show it,
/// because that sets a list of allowed schemes of its own.
fn protocol(inputs: &Inputs<'_>, report: &mut Report) {
    const CHECK: &str = "protocol";
    const LIST: &str = "GIT_ALLOW_PROTOCOL";
    let Some(scheme) = inputs.host.as_ref().map(Host::scheme) else { return };
    // git goes by the list alone if there is one.
    if let Some(list) = variable(LIST) {
        if !list.split(':').any(|allowed| allowed == scheme) {
            report.add(
                CHECK,
                Fail,
                format_args!("{LIST} forbids {scheme}"),
                format!("unset {LIST}"),
            );
        }
        return;
    }
    let last = |key: &str| inputs.lines().iter().rfind(|line| line.key == key);
    let rule = last(&format!("protocol.{scheme}.allow")).or_else(|| last("protocol.allow"));
    let from_user = variable("GIT_PROTOCOL_FROM_USER").is_none_or(|it| it != "0" && it != "false");
    if let Some(rule) = rule.filter(|it| it.value == "never" || (it.value == "user" && !from_user))
    {
        let what = format_args!("git must not use {scheme} ({} in {})", rule.key, rule.origin);
        report.add(CHECK, Fail, what, unset(rule));
    }
}

/// A token in a URL.
fn token(inputs: &Inputs<'_>, line: &Line, report: &mut Report) {
    const CHECK: &str = "url-token";
    let Some((token, is_in_name)) = line.token() else { return };
    let what = format!("{} ({}) has a token in it", line.key, line.origin);
    if token.host.is_some_and(|host| inputs.context.settings.serves(&host)) {
        // Setup takes a token out of a value in the repository's own file, if that is text.
        let own = [".git/config", "file:config", "/config.worktree"];
        let is_own = line.is_local() && own.iter().any(|end| line.origin.ends_with(end));
        let is_migrated = is_own && !is_in_name && line.is_text();
        let fix = if is_migrated { MIGRATE.to_owned() } else { line.edit() };
        let what = format_args!("{what}, which git uses without asking any helper");
        report.add(CHECK, Fail, what, fix);
    } else {
        let why = "for a host that another helper has to answer for without it";
        report.add(CHECK, Warn, format_args!("{what}, {why}"), line.edit());
    }
}

/// The value of a setting that goes before what a helper says, if it is about the host in question.
fn in_effect(inputs: &Inputs<'_>, line: &Line) -> Option<String> {
    let (host, url) = (inputs.host.as_ref()?, inputs.url()?);
    let is_about_host = line.subsection().is_none_or(|part| concerns(part, host));
    // As git itself matches the URLs of its sections: a later line may take this one back.
    let key = format!("{}.{}", line.section(), line.variable());
    is_about_host.then(|| inputs.output(&["config", "--get-urlmatch", &key, &url]))?
}

fn is_credential(header: &str) -> bool {
    header.trim_start().to_ascii_lowercase().starts_with("authorization:")
}

/// A rule that leads from a host of ours to another.
fn rewriting(inputs: &Inputs<'_>, line: &Line) -> Option<String> {
    let hosts = &inputs.context.settings.hosts;
    let (base, value) = (line.subsection()?, &line.value);
    let is_served = host_of(base).is_some_and(|host| hosts.contains(&host));
    // A rule may match a part of the host's name; whichever is longer says what the rule is for.
    let is_about = |root: String| root.starts_with(value) || value.starts_with(&root);
    let is_about_ours = || hosts.iter().any(|host| is_about(format!("{host}/")));
    (!is_served && is_about_ours())
        .then(|| format!("leads from {value:?} to {base}, where this helper is not asked"))
}

/// A token in its URL is a finding of its own.
fn remote(inputs: &Inputs<'_>, line: &Line, report: &mut Report) {
    const CHECK: &str = "remotes";
    let (key, url, hosts) = (&line.key, &line.value, &inputs.context.settings.hosts);
    let is_remote = line.is("remote", "url") || line.is("remote", "pushurl");
    match host_of(url) {
        _ if !is_remote || credential_in(url).is_some() => {}
        None => {
            // Of `ext::…` it would be a whole command line.
            let shown = url.split_once("::").map_or(url.clone(), |(name, _)| format!("{name}::…"));
            report.ok(CHECK, format_args!("{key} is {shown}; git asks no helper for it"));
        }
        Some(host) if hosts.contains(&host) => report.ok(CHECK, format_args!("{key} is {url}")),
        Some(host) => {
            let what = format_args!("{key} is {url}; this helper does not answer for {host}");
            // No command: a repository must not choose where tokens go.
            report.add(CHECK, Warn, what, NOT_OURS);
        }
    }
}

/// git ignores the configuration of a repository that belongs to another user.
fn ownership(inputs: &Inputs<'_>, report: &mut Report) {
    let Ok(git) = &inputs.git else { return };
    let Ok(said) = git.run(&["rev-parse", "--git-dir"]) else { return };
    if !said.succeeded && said.stderr.contains("dubious ownership") {
        let directory = inputs.surroundings.directory.clone().unwrap_or_default();
        let directory = word(directory);
        let what = "git refuses this repository, which belongs to another user";
        let fix = format!("git config --global --add safe.directory {directory}");
        report.add("remotes", Fail, what, fix);
    }
}

fn unset_store(line: &Line) -> String {
    let by_value = || format!("{} '(^|/|-)store( |$)'", unset(line));
    if line.is_local() { MIGRATE.to_owned() } else { by_value() }
}

/// The command that takes out this value and no other of its key. A header is not shown.
fn unset_value(line: &Line) -> String {
    match line.section() {
        "http" => format!("{} '^ *[Aa][Uu][Tt][Hh]'", unset(line)),
        "url" if is_shown(&line.key) && is_shown(&line.value) => {
            let (key, value) = (word(&line.key), word(&line.value));
            line.change(&format!("--fixed-value --unset-all {key} {value}"))
        }
        "url" => line.edit(),
        _ => unset(line),
    }
}

fn unset(line: &Line) -> String {
    if !is_shown(&line.key) {
        return line.edit();
    }
    line.change(&format!("--unset-all {}", word(&line.key)))
}

/// What has a token in it is shown without, and so cannot be typed.
fn is_shown(text: &str) -> bool {
    clean(text, &[]) == text
}
