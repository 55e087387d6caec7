//! Lines of git's configuration that get between git and a helper: a header of their own, rewritten
//! URLs, a fixed user name.

use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::remote_url::{credential_in, host_of, shown};

use super::Examination;
use super::finding::Finding;

/// A header set for a host is sent whatever a helper says.
pub(super) fn extra_header(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "http.extraHeader";
    let value = value_for_host(examination, "http.extraHeader").unwrap_or_default();
    if !value.to_ascii_lowercase().trim_start().starts_with("authorization:") {
        return vec![Finding::ok(LINK, "no credential is sent beside the helper's")];
    }
    let lines = examination.lines().iter().filter(|line| line.is("http", "extraheader"));
    lines
        .map(|line| {
            let what =
                format!("{} ({}) sends a credential of its own", shown_key(line), line.origin);
            Finding::fail(LINK, what, unset(line))
        })
        .collect()
}

/// A rule may lead to another host, or bring a token along.
pub(super) fn rewriting(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "insteadOf";
    let is_rule = |line: &&Line| line.is("url", "insteadof") || line.is("url", "pushinsteadof");
    let findings: Vec<_> = examination
        .lines()
        .iter()
        .filter(is_rule)
        .filter_map(|line| rule(examination, line))
        .collect();
    match findings.is_empty() {
        true => vec![Finding::ok(LINK, "no rule leads our hosts elsewhere or brings a token")],
        false => findings,
    }
}

fn rule(examination: &Examination<'_>, line: &Line) -> Option<Finding> {
    const LINK: &str = "insteadOf";
    let settings = &examination.context.settings;
    let base = line.subsection()?;
    let is_ours = |url: &str| host_of(url).is_some_and(|host| settings.serves(&host));
    let told = format!("{} for {:?} ({})", shown_key(line), shown(&line.value), line.origin);
    if credential_in(base).is_some() && is_ours(base) {
        let what = format!("{told} brings a token, which git uses without asking any helper");
        return Some(Finding::fail(LINK, what, edit(line)));
    }
    // A rule may stand for a part of the host's name: what it is for is told by the longer one.
    let is_about_ours = settings.hosts.iter().any(|host| {
        let root = format!("{host}/");
        root.starts_with(&line.value) || line.value.starts_with(&root)
    });
    (is_about_ours && !is_ours(base)).then(|| {
        let what = format!("{told} leads elsewhere, where this helper is not asked");
        Finding::warn(LINK, what, unset(line))
    })
}

/// git asks for this user only, and another helper may then answer with an account of its own.
pub(super) fn username(examination: &Examination<'_>) -> Vec<Finding> {
    const LINK: &str = "credential.username";
    if value_for_host(examination, "credential.username").is_none() {
        return vec![Finding::ok(LINK, "no user name is set")];
    }
    let lines = examination.lines().iter().filter(|line| line.is("credential", "username"));
    lines
        .map(|line| {
            let what = format!("{} ({}) asks for one user", shown_key(line), line.origin);
            Finding::warn(LINK, what, unset(line))
        })
        .collect()
}

/// As git itself matches the URLs of its sections.
fn value_for_host(examination: &Examination<'_>, key: &str) -> Option<String> {
    let (git, host) = (examination.git.as_ref().ok()?, examination.host()?);
    let said = git.run(&["config", "--get-urlmatch", key, &format!("{host}/")]).ok()?;
    said.succeeded.then(|| String::from_utf8_lossy(&said.stdout).into_owned())
}

/// The key, with a token in its URL left out.
fn shown_key(line: &Line) -> String {
    match line.subsection() {
        Some(subsection) => format!("{}.{}.{}", line.section(), shown(subsection), line.variable()),
        None => line.key.clone(),
    }
}

fn unset(line: &Line) -> String {
    if line.subsection().and_then(credential_in).is_some() {
        return edit(line);
    }
    match line.scope.as_str() {
        "command" => "take it out of GIT_CONFIG_COUNT and its values, or of `git -c`".to_owned(),
        scope => format!("git config --{scope} --unset-all {}", word(&line.key)),
    }
}

/// What carries a token in its key can only be taken out by hand without telling it.
fn edit(line: &Line) -> String {
    match line.scope.as_str() {
        "command" => "take it out of GIT_CONFIG_COUNT and its values, or of `git -c`".to_owned(),
        scope => format!("git config --{scope} --edit"),
    }
}
