//! The chain of helpers that git asks for each host: ours first, nothing stale before or behind.

use git_credential_gastown::git_config::{Line, helpers_for};
use git_credential_gastown::helper_line::{Kind, PROGRAM, command, kind, word};
use git_credential_gastown::host::Host;

use super::Examination;
use super::finding::{Finding, Verdict};
use crate::config::is_executable;

const LINK: &str = "helpers";
const SET_UP: &str = "git credential-gastown setup";

pub(super) fn check(examination: &Examination<'_>) -> Vec<Finding> {
    let main = examination.host();
    let hosts = &examination.context.settings.hosts;
    let others = hosts.iter().filter(|host| Some(*host) != main.as_ref());
    let main = main.iter().map(|host| (host, Verdict::Fail));
    let others = others.map(|host| (host, Verdict::Warn));
    main.chain(others).flat_map(|(host, worst)| of_host(examination, host, worst)).collect()
}

/// `worst`: what a broken chain means, as a push from here may go to another host.
fn of_host(examination: &Examination<'_>, host: &Host, worst: Verdict) -> Vec<Finding> {
    let chain = helpers_for(examination.lines(), host);
    let Some(first) = chain.first() else {
        let what = format!("{host}: git asks no helper");
        return vec![Finding::fail(LINK, what, SET_UP).weighed(worst)];
    };
    let told: Vec<_> =
        chain.iter().map(|line| format!("{} ({})", line.value, line.origin)).collect();
    let what = format!("{host}: {}", told.join(", then "));
    let mut findings = vec![match kind(&first.value) {
        Kind::Ours => Finding::ok(LINK, what),
        Kind::Store => {
            Finding::fail(LINK, format!("{what}; the first answers with stale tokens"), mend(first))
                .weighed(worst)
        }
        Kind::Other => match chain.iter().any(|line| kind(&line.value) == Kind::Ours) {
            true => Finding::warn(LINK, format!("{what}; the first is asked before ours"), SET_UP),
            false => Finding::fail(LINK, format!("{what}; ours is not among them"), SET_UP)
                .weighed(worst),
        },
    }];
    for line in chain.iter().filter(|line| kind(&line.value) == Kind::Ours) {
        findings.extend(gone(examination, host, line).map(|finding| finding.weighed(worst)));
    }
    for line in chain.iter().skip(1).filter(|line| kind(&line.value) == Kind::Store) {
        let what = format!("{host}: `{}` writes every token of ours to a file", line.value);
        findings.push(Finding::warn(LINK, what, mend(line)));
    }
    findings
}

/// A line that names a program which is not there: an upgrade or a removal has moved it.
fn gone(examination: &Examination<'_>, host: &Host, line: &Line) -> Option<Finding> {
    let words = command(&line.value);
    let program = words.first()?;
    let is_there = match program.as_str() {
        path if path.starts_with('/') => is_executable(path.as_ref()),
        PROGRAM => examination.surroundings.find(PROGRAM).is_some(),
        _ => true,
    };
    let what = || format!("{host}: {program:?}, named by {}, cannot be run", line.origin);
    (!is_there).then(|| Finding::fail(LINK, what(), SET_UP))
}

/// How to get rid of a `store` line, by where it is.
fn mend(line: &Line) -> String {
    match line.scope.as_str() {
        "local" | "worktree" => "git credential-gastown setup --migrate .".to_owned(),
        "command" => "take it out of GIT_CONFIG_COUNT and its values".to_owned(),
        scope => {
            format!("git config --{scope} --unset-all {} '(^|/|-)store( |$)'", word(&line.key))
        }
    }
}
