//! The remotes of the repository in the working directory: a token in a URL is used without asking
//! any helper, and a host that is not listed is not ours to answer for.

use git_credential_gastown::git_config::Line;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::remote_url::{credential_in, host_of, shown};

use super::Examination;
use super::finding::Finding;

const LINK: &str = "remotes";

pub(super) fn check(examination: &Examination<'_>) -> Vec<Finding> {
    if let Some(finding) = ownership(examination) {
        return vec![finding];
    }
    let lines = examination.lines().iter();
    let urls = lines.filter(|line| line.is("remote", "url") || line.is("remote", "pushurl"));
    let findings: Vec<_> = urls.map(|line| of_url(examination, line)).collect();
    match findings.is_empty() {
        true => vec![Finding::ok(LINK, "no repository with remotes in the working directory")],
        false => findings,
    }
}

/// git heeds no configuration of a repository that belongs to somebody else.
fn ownership(examination: &Examination<'_>) -> Option<Finding> {
    let git = examination.git.as_ref().ok()?;
    let said = git.run(&["rev-parse", "--git-dir"]).ok()?;
    let is_foreign = !said.succeeded && said.stderr.contains("dubious ownership");
    let directory = examination.surroundings.directory.clone().unwrap_or_default();
    is_foreign.then(|| {
        let what = "git refuses this repository, which belongs to another user";
        let mend = format!(
            "git config --global --add safe.directory {}",
            word(&directory.to_string_lossy())
        );
        Finding::fail(LINK, what, mend)
    })
}

fn of_url(examination: &Examination<'_>, line: &Line) -> Finding {
    let settings = &examination.context.settings;
    let told = format!("{} is {}", line.key, shown(&line.value));
    let host = host_of(&line.value);
    let is_ours = host.as_ref().is_some_and(|host| settings.serves(host));
    match (host, credential_in(&line.value).is_some()) {
        (Some(_), true) if is_ours => Finding::fail(
            LINK,
            format!("{told} with a token in it, which git uses without asking any helper"),
            "git credential-gastown setup --migrate .",
        ),
        (_, true) => Finding::warn(
            LINK,
            format!("{told} with a token in it, and not of a host that this helper answers for"),
            format!("git remote set-url {} URL, once another helper answers", word(name(line))),
        ),
        (Some(host), false) if !is_ours => Finding::warn(
            LINK,
            format!("{told}; this helper does not answer for {host}"),
            format!("if it should: add {host} to GASTOWN_GIT_HOSTS, then run setup again"),
        ),
        (None, false) => Finding::ok(LINK, format!("{told}; git asks no helper for it")),
        (Some(_), false) => Finding::ok(LINK, told),
    }
}

fn name(line: &Line) -> &str {
    line.subsection().unwrap_or_default()
}
