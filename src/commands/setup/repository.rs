//! One configuration file of a repository cloned the old way: tokens in its URLs, which git uses
//! without asking any helper, and `store` helpers, which keep and hand out stale tokens. Never
//! shows a token, to nobody and on no command line.

use std::path::Path;

use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::{Line, matches};
use git_credential_gastown::helper_line::{Kind, command, kind, word};
use git_credential_gastown::remote_url::{Embedded, credential_in};

use super::helpers::Helpers;
use super::{Bench, Report};

/// How many things were changed.
///
/// # Errors
/// If the file cannot be read or changed.
pub(super) fn mend(bench: &Bench<'_>, file: &Path, report: &mut Report) -> Result<usize, Failure> {
    let own = format!("file:{}", file.display());
    let lines = bench.git.lines_of(file, true)?;
    let mut changes = 0;
    for line in &lines {
        if let Some(embedded) = our_token(bench, line) {
            embedded.secrets.iter().for_each(|secret| bench.context.messages.remember(secret));
            match line.origin == own {
                true => clear(bench, file, line, &embedded, report)?,
                false => report.fail(format!(
                    "`{}` includes {}, where {} carries a token; mend it there",
                    file.display(),
                    line.origin,
                    line.key
                )),
            }
            changes += 1;
        } else if is_stale_helper(bench, line) && line.origin == own {
            remove(bench, file, line, report)?;
            changes += 1;
        }
        check_rewriting(bench, file, line, report);
    }
    Ok(changes)
}

/// The token in a remote's or submodule's URL, if its host is one that this helper answers for:
/// elsewhere it may be all there is.
fn our_token(bench: &Bench<'_>, line: &Line) -> Option<Embedded> {
    let is_url =
        line.is("remote", "url") || line.is("remote", "pushurl") || line.is("submodule", "url");
    let embedded = is_url.then(|| credential_in(&line.value))??;
    let is_ours = |host| bench.context.settings.serves(host);
    embedded.host.as_ref().is_some_and(is_ours).then_some(embedded)
}

fn clear(
    bench: &Bench<'_>,
    file: &Path,
    line: &Line,
    embedded: &Embedded,
    report: &mut Report,
) -> Result<(), Failure> {
    let (key, url) = (&line.key, &embedded.cleared);
    if !bench.options.dry_run {
        let helpers = Helpers { git: &bench.git, file, key };
        helpers.change(&["--replace-all", key, url, &with_any_user(url)])?;
    }
    let did = bench.tense("took", "would take");
    report.say(format!("`{}`: {did} the token out of {key}, leaving {url}", file.display()));
    Ok(())
}

/// A pattern for the same URL with whatever user in it, so that the token need not be told.
fn with_any_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let mut pattern = format!("^{scheme}://[^/]*@");
    for character in rest.chars() {
        if r"\.[]{}()*+?^$|".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "$"
}

fn is_stale_helper(bench: &Bench<'_>, line: &Line) -> bool {
    let hosts = &bench.context.settings.hosts;
    let is_ours = |pattern| hosts.iter().any(|host| matches(pattern, host));
    line.is_helper() && kind(&line.value) == Kind::Store && line.subsection().is_none_or(is_ours)
}

/// With the last helper goes an empty line before it, which would make git forget this one.
fn remove(bench: &Bench<'_>, file: &Path, line: &Line, report: &mut Report) -> Result<(), Failure> {
    let (key, value) = (&line.key, &line.value);
    let helpers = Helpers { git: &bench.git, file, key };
    if !bench.options.dry_run && helpers.values()?.contains(value) {
        helpers.change(&["--fixed-value", "--unset-all", key, value])?;
        let rest = helpers.values()?;
        if !rest.is_empty() && rest.iter().all(String::is_empty) {
            helpers.change(&["--unset-all", key])?;
        }
    }
    let did = bench.tense("removed", "would remove");
    report.say(format!("`{}`: {did} {key} = {value}", file.display()));
    if let Some(store) = token_file(value) {
        report.say(format!("  its tokens are still in `{store}`; run: rm -f {}", word(&store)));
    }
    Ok(())
}

/// The file of a `store` helper, if it is there.
fn token_file(value: &str) -> Option<String> {
    let words = command(value);
    let after = |(index, word): (usize, &String)| match word.strip_prefix("--file") {
        Some("") => words.get(index + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    words.iter().enumerate().find_map(after).filter(|file| Path::new(file).is_file())
}

/// Here the token is part of the key, which only an editor can change without telling it.
fn check_rewriting(bench: &Bench<'_>, file: &Path, line: &Line, report: &mut Report) {
    let is_rewriting = line.is("url", "insteadof") || line.is("url", "pushinsteadof");
    let embedded = line.subsection().filter(|_| is_rewriting).and_then(credential_in);
    if let Some(embedded) = embedded {
        embedded.secrets.iter().for_each(|secret| bench.context.messages.remember(secret));
        report.fail(format!(
            "`{}`: a {} for {} carries a token; take it out with: git config --file {} --edit",
            file.display(),
            line.variable(),
            embedded.cleared,
            word(&file.to_string_lossy())
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_names_the_url_without_the_token() {
        assert_eq!(
            with_any_user("https://github.com/acme/a+b.git"),
            r"^https://[^/]*@github\.com/acme/a\+b\.git$"
        );
    }
}
