//! git's configuration, as far as it decides whether this helper is asked: the helpers of each
//! host, tokens in URLs, headers, rewritten URLs, fixed user names, and the remotes.

use std::path::Path;

use git_credential_gastown::failure::Name;
use git_credential_gastown::git_config::{Line, Part, helpers_on, rewritten};
use git_credential_gastown::helper_line::{PROGRAM, command, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::inspection::{Fault, forbids, leads_away};
use git_credential_gastown::protocol::TOKEN_USER;
use git_credential_gastown::redact::helper as helper_name;
use git_credential_gastown::remote_url::{credential_in, host_of, path_on};

use super::{Fail, Inputs, Report, Status, Warn};
use crate::config::{add, flags_in, is_default_host, variable};
use crate::files::Directory;
use crate::program::is_executable;

const SET_UP: &str = "git credential-gastown setup";
const SET_UP_HERE: &str = "git credential-gastown setup --local";
const MIGRATE: &str = "git credential-gastown setup --migrate .";
const UNSERVED: &str = "if the tokens of this worker are for that host, name it to setup with --host; \
                        else set up a helper that has a token for it";
const NOT_OURS: &str = "none, if another helper answers for it; if the tokens of this worker are for \
                        that host, too, name it to setup with --host";

pub(super) fn check(inputs: &Inputs<'_>, report: &mut Report) {
    // A configuration that cannot be read is reported with git.
    if inputs.context.git_config.fault.is_some() {
        return;
    }
    let (main, url) = (inputs.host.as_ref(), inputs.url());
    let mut hosts = Vec::from_iter(main.cloned());
    add(&mut hosts, inputs.context.settings.hosts.iter().cloned());
    add(&mut hosts, inputs.context.git_config.hosts_of_lines());
    for host in &hosts {
        let path = url.as_ref().and_then(|url| path_on(url, host));
        let mut of_host = Report::default();
        helpers(inputs, host, &helpers_on(inputs.lines(), host, path), &mut of_host);
        // A push from here goes to the first host; the others are only to be looked at.
        let worst = if Some(host) == main { Fail } else { Warn };
        report.add_for(host, worst, of_host);
    }
    ownership(inputs, report);
    versioned_tokens(inputs, report);
    protocol(inputs, report);
    for line in inputs.lines() {
        token(inputs, line, report);
        remote(inputs, line, report);
        let in_effect = || in_effect(inputs, line);
        let found = match (line.section(), line.variable()) {
            ("url", "insteadof" | "pushinsteadof") => {
                let base = leads_away(line, &inputs.context.settings.hosts);
                let why = "where this helper is not asked";
                let what = base.map(|base| format!("leads from {:?} to {base}, {why}", line.value));
                what.map(|what| ("rewriting", Warn, what))
            }
            ("http", "extraheader") if is_credential(&line.value) => in_effect()
                .filter(|last| !last.is_empty())
                .map(|_| ("extra-header", Fail, "sends a credential of its own".to_owned())),
            // Another helper may then answer with an account of its own.
            ("credential", "username") if line.value != TOKEN_USER => {
                in_effect().map(|_| ("username", Warn, "asks for one user only".to_owned()))
            }
            _ => None,
        };
        if let Some((check, status, what)) = found {
            let what = format_args!("{} ({}) {what}", line.key, line.origin);
            report.add(check, status, what, line.unset_value());
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
            (_, Some(line)) => line.unset(),
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
                let fix = if is_of_part(line, host) { line.unset() } else { SET_UP.to_owned() };
                (Warn, format!("git first asks {helper}"), fix)
            }
            (false, false) => (Status::Ok, format!("git then asks {helper}"), String::new()),
        };
        report.add(CHECK, status, what, fix);
    }
}

/// Why a helper line of ours gives git no token for a host, the name of that error, and its fix.
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
    // When git runs a helper line, the flags of other lines do not count.
    let is_it = |entry: &String| Host::listed(entry).as_ref() == Ok(host);
    if flags.host.iter().any(is_it)
        || (flags.host.is_empty() && settings.listed_hosts.contains(host))
    {
        return None;
    }
    let (what, fix) = if settings.gitlab.host == *host && settings.gitlab.token.is_none() {
        ("has no token for GitLab", "export GITLAB_TOKEN=…".to_owned())
    } else if flags.host.is_empty() && !is_default_host(host) {
        // Setup writes such a line for GitLab, for which no token of GitHub's is.
        let fix = format!(
            "if it is a GitLab instance: export GITLAB_TOKEN=… GITLAB_INSTANCE_URL={host}; else take \
             the line out: {}",
            line.edit()
        );
        ("names no host, and no setting does", fix)
    } else {
        ("the list of hosts keeps from answering", format!("{SET_UP} --host {host}"))
    };
    Some((what, Some(Name::ConfigMissing), fix))
}

/// Whether a line is for a path or a user on the host, and not for all of it.
fn is_of_part(line: &Line, host: &Host) -> bool {
    line.part_of(host).is_some_and(|part| part != Part::default())
}

/// A helper and where its line is.
fn named(line: &Line) -> String {
    format!("`{}` ({} in {})", helper_name(&line.value), line.key, line.origin)
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
            let what = format_args!("{LIST} forbids {scheme}");
            report.add(CHECK, Fail, what, format!("unset {LIST}"));
        }
        return;
    }
    let from_user = variable("GIT_PROTOCOL_FROM_USER").is_none_or(|it| it != "0" && it != "false");
    if let Some(rule) = forbids(inputs.lines(), scheme, from_user) {
        let what = format_args!("git must not use {scheme} ({} in {})", rule.key, rule.origin);
        report.add(CHECK, Fail, what, rule.unset());
    }
}

/// A token in a URL.
fn token(inputs: &Inputs<'_>, line: &Line, report: &mut Report) {
    const CHECK: &str = "url-token";
    if line.token().is_none() {
        return;
    }
    let Some(Fault { what, fix, .. }) = Fault::of(line, &inputs.context.settings.hosts) else {
        let why = "for a host that another helper has to answer for without it";
        let what = format_args!("{} ({}) carries a token, {why}", line.key, line.origin);
        report.add(CHECK, Warn, what, line.edit());
        return;
    };
    // Setup changes the repository's own files.
    let own = [".git/config", "file:config", "/config.worktree"];
    let is_own = line.is_local() && own.iter().any(|end| line.origin.ends_with(end));
    let fix = if is_own && fix.is_some() { MIGRATE.to_owned() } else { line.edit() };
    let what = format_args!("{what} ({}), which git uses without asking any helper", line.origin);
    report.add(CHECK, Fail, what, fix);
}

/// A token in a versioned file: git-lfs uses its own at every push, git copies those of submodules
/// when it fetches them.
fn versioned_tokens(inputs: &Inputs<'_>, report: &mut Report) {
    let Ok(git) = &inputs.git else { return };
    let hosts = &inputs.context.settings.hosts;
    let top = git.output(&["rev-parse", "--show-toplevel"]);
    let Some(top) = top.and_then(|top| Directory::open(Path::new(&top)).ok()) else { return };
    for line in git.versioned_lines(&top) {
        let Some(fault) = Fault::of(&line, hosts) else { continue };
        let status = if line.section() == "submodule" { Warn } else { Fail };
        let advice = "is versioned: commit the file afterwards";
        let what = format_args!("{} ({}) and {advice}", fault.what, line.origin);
        report.add("url-token", status, what, fault.correction());
    }
}

/// The value of a setting that goes before what a helper says, if it is about the host in question.
fn in_effect(inputs: &Inputs<'_>, line: &Line) -> Option<String> {
    let (host, url) = (inputs.host.as_ref()?, inputs.url()?);
    line.part_of(host)?;
    // As git itself matches the URLs of its sections: a later line may take this one back.
    let key = format!("{}.{}", line.section(), line.variable());
    inputs.output(&["config", "--get-urlmatch", &key, &url])
}

fn is_credential(header: &str) -> bool {
    header.trim_start().to_ascii_lowercase().starts_with("authorization:")
}

/// A token in its URL is a finding of its own.
fn remote(inputs: &Inputs<'_>, line: &Line, report: &mut Report) {
    const CHECK: &str = "remotes";
    let (key, url, hosts) = (&line.key, &line.value, &inputs.context.settings.hosts);
    let is_remote = line.is("remote", "url") || line.is("remote", "pushurl");
    let url = &rewritten(inputs.lines(), url);
    match host_of(url) {
        _ if !is_remote || credential_in(url).is_some() => {}
        None => report.ok(CHECK, format_args!("git asks no helper for {key}, which is {url}")),
        Some(host) if hosts.contains(&host) => report.ok(CHECK, format_args!("{key} is {url}")),
        // An askpass program or a header may answer, and what is public needs no answer.
        Some(host) if helpers_on(inputs.lines(), &host, None).is_empty() => {
            let what = format_args!("{key} is {url}; git asks no helper for {host}");
            report.add(CHECK, Warn, what, UNSERVED);
        }
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
        let directory = word(inputs.surroundings.absolute(Path::new(".")));
        let what = "git refuses this repository, which belongs to another user";
        let fix = format!("git config --global --add safe.directory {directory}");
        report.add("remotes", Fail, what, fix);
    }
}

fn unset_store(line: &Line) -> String {
    let by_value = || format!("{} '(^|/|-)store( |$)'", line.unset());
    if line.is_local() { MIGRATE.to_owned() } else { by_value() }
}
