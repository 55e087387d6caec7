//! What keeps git from asking this helper, line by line: tokens in URLs, which git uses without
//! asking any helper, and `store` helpers, which hand out stale tokens. Says which of them can go
//! because git will ask this helper instead, and what to do about the others; and which lines keep
//! git from a host altogether. Changes nothing.

use crate::git_config::{Line, helpers_on};
use crate::helper_line::word;
use crate::host::Host;
use crate::remote_url::{Embedded, host_of, path_on};

/// A line that keeps git from asking this helper.
#[derive(Debug)]
pub struct Fault {
    pub line: Line,
    /// The key, and what is wrong with it.
    pub what: String,
    /// `None` if the command for git would have to contain the token.
    pub fix: Option<Fix>,
}

#[derive(Debug)]
pub enum Fix {
    /// The URL without its token, for a host that is served. Others stay: their tokens may be the
    /// only credential.
    ClearUrl(String, Host),
    RemoveHelper,
}

impl Fault {
    /// What is wrong with a line, for hosts that are served.
    pub fn of(line: &Line, hosts: &[Host]) -> Option<Self> {
        let Line { key, value, .. } = line;
        let (what, fix) = if let Some((token, is_in_name)) = line.token() {
            let Embedded { cleared, host, .. } = token;
            let host = host.filter(|host| hosts.contains(host))?;
            let place = match line.is_text() {
                _ if is_in_name => " in its name",
                true => "",
                false => ", in a URL that is not UTF-8",
            };
            let fix = (!is_in_name).then_some(Fix::ClearUrl(cleared, host));
            (format!("{key} carries a token{place}"), fix)
        } else if is_stale_helper(line, hosts) {
            (format!("{key} = {value} hands out old tokens"), Some(Fix::RemoveHelper))
        } else {
            return None;
        };
        Some(Self { line: line.clone(), what, fix: fix.filter(|_| line.is_text()) })
    }

    /// The message for a fault that stays: why, and the command that removes it.
    fn left(&self, why: &str, command: &str) -> String {
        let place = self.line.file().map_or("the environment".to_owned(), |it| format!("`{it}`"));
        format!("{place}: {}{why}; run: {command}", self.what)
    }

    /// The message for a fault in a versioned file: the next checkout would bring the line back.
    pub fn left_as_versioned(&self) -> String {
        self.left(" and is versioned, so commit the file afterwards", &self.correction())
    }

    /// The command that corrects the line in its file.
    pub fn correction(&self) -> String {
        match &self.fix {
            Some(Fix::ClearUrl(cleared, _)) => {
                self.line.change(&format!("{} {}", word(&self.line.key), word(cleared)))
            }
            _ => self.line.edit(),
        }
    }
}

fn is_stale_helper(line: &Line, hosts: &[Host]) -> bool {
    line.is_store() && concerned(line, hosts).next().is_some()
}

/// The hosts for which git asks a helper, if only for a part of the host.
fn concerned<'a>(line: &'a Line, hosts: &'a [Host]) -> impl Iterator<Item = &'a Host> {
    hosts.iter().filter(|host| line.part_of(host).is_some())
}

/// git's configuration as it applies in one repository, or outside of any.
pub struct InEffect<'a> {
    /// The hosts that this helper serves.
    pub hosts: &'a [Host],
    pub lines: Vec<Line>,
    /// The repository's own configuration files, which can be changed.
    pub files: Vec<String>,
    /// Setup will have git ask this helper, although the lines do not say so yet.
    pub will_ask: bool,
}

impl InEffect<'_> {
    /// The faults of a file that can be fixed, and a message for each of the others.
    pub fn faults(&self, lines: &[Line]) -> (Vec<Fault>, Vec<String>) {
        let (mut fixable, mut left) = (Vec::new(), Vec::new());
        for fault in lines.iter().filter_map(|line| Fault::of(line, self.hosts)) {
            let obstacle = match &fault.fix {
                None => Some((String::new(), fault.line.edit())),
                Some(Fix::ClearUrl(cleared, host)) => self.not_asked(host, Some(cleared)),
                Some(Fix::RemoveHelper) => {
                    let mut hosts = concerned(&fault.line, self.hosts);
                    hosts.find_map(|host| self.not_asked(host, None))
                }
            };
            match obstacle {
                Some((why, command)) => left.push(fault.left(&why, &command)),
                None => fixable.push(fault),
            }
        }
        (fixable, left)
    }

    /// A message for each fault in files that are not the repository's own.
    pub fn elsewhere(&self) -> Vec<String> {
        let lines = self.lines.iter().filter(|line| !self.is_own(line));
        let mut faults: Vec<_> = lines.filter_map(|line| Fault::of(line, self.hosts)).collect();
        // Setup resets the list of helpers, so those of the user and of the system do not count.
        faults.retain(|it| it.line.is_local() || !matches!(it.fix, Some(Fix::RemoveHelper)));
        faults.iter().map(|fault| fault.left("", &fault.line.edit())).collect()
    }

    /// Why git would not ask this helper for a host, or a URL on it, once the stale helpers of
    /// the repository are gone; and the command that has it ask.
    fn not_asked(&self, host: &Host, url: Option<&str>) -> Option<(String, String)> {
        let staying = || self.lines.iter().filter(|line| !self.is_to_remove(line));
        let path = url.map(|url| path_on(url, host).unwrap_or("/"));
        let first = helpers_on(staying(), host, path).first().copied();
        if self.will_ask || first.is_some_and(Line::is_ours) {
            return None;
        }
        let why = match first.map(|line| line.file().unwrap_or(&line.origin)) {
            None => format!("git would not ask this helper for {host}"),
            Some(place) => format!("git asks another helper, of {place}, for {host} first"),
        };
        // The repository's configuration has precedence over that of the user and of the system.
        let own = staying().find(|line| line.is_helper() && self.is_own(line));
        let file = own.and_then(Line::file).map(|file| format!(" --file {}", word(file)));
        let command = "git credential-gastown setup".to_owned() + &file.unwrap_or_default();
        Some((format!(" and stays: {why}"), command))
    }

    /// A stale helper, or an empty line whose other helpers are all stale.
    fn is_to_remove(&self, line: &Line) -> bool {
        let is_stale = |line: &Line| is_stale_helper(line, self.hosts);
        let is_beside = |other: &&Line| {
            (&other.key, &other.origin) == (&line.key, &line.origin) && !other.value.is_empty()
        };
        let mut beside = self.lines.iter().filter(is_beside).peekable();
        let is_empty = line.is_helper() && line.value.is_empty();
        let has_only_stale = is_empty && beside.peek().is_some() && beside.all(is_stale);
        self.is_own(line) && (has_only_stale || is_stale(line))
    }

    fn is_own(&self, line: &Line) -> bool {
        line.file().is_some_and(|file| self.files.iter().any(|own| own == file))
    }
}

/// The base of a rewriting rule that leads from a host of ours to one that is not.
pub fn leads_away<'a>(rule: &'a Line, hosts: &[Host]) -> Option<&'a str> {
    let (base, value) = (rule.subsection()?, &rule.value);
    let is_served = host_of(base).is_some_and(|host| hosts.contains(&host));
    // The rule may match only the beginning of the host's URL, or more than the host.
    let is_about = |root: String| root.starts_with(value) || value.starts_with(&root);
    let is_about_ours = || hosts.iter().any(|host| is_about(format!("{host}/")));
    (!is_served && is_about_ours()).then_some(base)
}

/// The line that forbids git to use a scheme.
pub fn forbids<'a>(lines: &'a [Line], scheme: &str, is_from_user: bool) -> Option<&'a Line> {
    let last = |key: &str| lines.iter().rfind(|line| line.key == key);
    let rule = last(&format!("protocol.{scheme}.allow")).or_else(|| last("protocol.allow"))?;
    let is_so = rule.value == "never" || (rule.value == "user" && !is_from_user);
    is_so.then_some(rule)
}

/// The remote that git pushes to, as it chooses it: for the branch, for all branches, or the only
/// one. `None` for a URL in the place of a name if it may hold a secret, which must not become an
/// argument.
pub fn push_remote<'a>(lines: &'a [Line], branch: Option<&str>) -> Option<&'a str> {
    let is_remote = |line: &&Line| line.is("remote", "url") || line.is("remote", "pushurl");
    let mut names: Vec<_> = lines.iter().filter(is_remote).filter_map(Line::subsection).collect();
    names.dedup();
    let value = |key: &str| Some(lines.iter().rfind(|line| line.key == key)?.value.as_str());
    let of_branch = |variable| value(&format!("branch.{}.{variable}", branch?));
    let only = || names.first().copied().filter(|_| names.len() == 1);
    let chosen = of_branch("pushremote").or_else(|| value("remote.pushdefault"));
    let chosen = chosen.or_else(|| of_branch("remote")).or_else(only).unwrap_or("origin");
    let is_plain_url = host_of(chosen).is_some() && !chosen.contains(['@', '?']);
    Some(chosen).filter(|name| is_plain_url || names.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_goes_to_the_remote_that_git_would_choose() {
        let (fork, origin) = (("remote.fork.url", "a"), ("remote.origin.url", "b"));
        let default = ("remote.pushdefault", "fork");
        for (pairs, expected) in [
            (&[fork][..], Some("fork")),
            (&[fork, origin], Some("origin")),
            (&[fork, origin, ("branch.main.remote", "fork")], Some("fork")),
            (&[fork, origin, default, ("branch.main.remote", "origin")], Some("fork")),
            (&[fork, origin, default, ("branch.main.pushremote", "origin")], Some("origin")),
            (&[fork, ("remote.pushdefault", "https://a/b")], Some("https://a/b")),
            (&[fork, ("remote.pushdefault", "https://x:y@a/b")], None),
            (&[], None),
        ] {
            let line = |(key, value): &(&str, &str)| {
                let [scope, origin] = ["local", "file:f"].map(str::to_owned);
                Line { scope, origin, key: (*key).to_owned(), value: (*value).to_owned() }
            };
            let lines: Vec<_> = pairs.iter().map(line).collect();
            assert_eq!(push_remote(&lines, Some("main")), expected, "{pairs:?}");
        }
    }
}
