//! git's configuration as `git config` lists it, and which lines of it count for a host. Owns the
//! rule by which git builds a chain of helpers: every line that matches, in order, and an empty
//! one forgets those before it. Refuses to read configuration files, which is git's business.
//!
//! <https://git-scm.com/docs/gitcredentials#_credential_contexts>

use crate::helper_line::{PROGRAM, STORE, runs, word};
use crate::host::Host;
use crate::redact::clean;
use crate::remote_url::{Embedded, credential_in};

/// One value and where git found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `system`, `global`, `local`, `worktree` or `command`.
    pub scope: String,
    /// `file:/etc/gitconfig`, `command line:`.
    pub origin: String,
    pub key: String,
    pub value: String,
}

impl Line {
    /// The part between the first and the last dot, as `https://github.com` in
    /// `credential.https://github.com.helper`.
    pub fn subsection(&self) -> Option<&str> {
        let first = self.key.find('.')?;
        let last = self.key.rfind('.')?;
        self.key.get(first + 1..last)
    }

    pub fn section(&self) -> &str {
        self.key.split('.').next().unwrap_or_default()
    }

    pub fn variable(&self) -> &str {
        self.key.rsplit('.').next().unwrap_or_default()
    }

    pub fn is(&self, section: &str, variable: &str) -> bool {
        self.section() == section && self.variable() == variable
    }

    /// The file that it stands in; `None` for the environment.
    pub fn file(&self) -> Option<&str> {
        self.origin.strip_prefix("file:")
    }

    /// Whether it stands in the repository's configuration, or in a file included there.
    pub fn is_local(&self) -> bool {
        matches!(&*self.scope, "local" | "worktree")
    }

    /// Whether it is UTF-8. Other bytes were replaced when it was read.
    pub fn is_text(&self) -> bool {
        ![&self.key, &self.value].iter().any(|text| text.contains('\u{fffd}'))
    }

    /// A token in a URL, which git uses without asking any helper; and whether it is in the name,
    /// as in `url.https://user:token@host/.insteadOf`.
    pub fn token(&self) -> Option<(Embedded, bool)> {
        let in_name = self.subsection().and_then(credential_in).map(|token| (token, true));
        // The value of a rewriting rule is what it looks for, and a proxy is no git host.
        let is_url = !["url", "http"].contains(&self.section());
        let in_value = || credential_in(&self.value).filter(|_| is_url);
        in_name.or_else(|| Some((in_value()?, false)))
    }

    /// The command that changes its file, named by its path, since an included file has no scope.
    pub fn change(&self, how: &str) -> String {
        match self.file() {
            Some(path) if path.starts_with('/') => {
                format!("git config --file {} {how}", word(path))
            }
            Some(_) => format!("git config --{} {how}", self.scope),
            None => "unset GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS".to_owned(),
        }
    }

    /// The command that opens its file in an editor.
    pub fn edit(&self) -> String {
        self.change("--edit")
    }

    /// The command that takes out all values of its key.
    pub fn unset(&self) -> String {
        if !is_shown(&self.key) {
            return self.edit();
        }
        self.change(&format!("--unset-all {}", word(&self.key)))
    }

    /// The command that takes out this value and no other of its key. A header is not shown.
    pub fn unset_value(&self) -> String {
        match self.section() {
            "http" if is_shown(&self.key) => {
                let pattern = "'^ *[Aa][Uu][Tt][Hh]'";
                self.change(&format!("--unset-all {} {pattern}", word(&self.key)))
            }
            "url" if is_shown(&self.key) && is_shown(&self.value) => {
                let (key, value) = (word(&self.key), word(&self.value));
                self.change(&format!("--fixed-value --unset-all {key} {value}"))
            }
            "http" | "url" => self.edit(),
            _ => self.unset(),
        }
    }

    /// The part of a host that the line is for; `None` if it is for another host.
    pub fn part_of(&self, host: &Host) -> Option<Part<'_>> {
        self.subsection().map_or(Some(Part::default()), |pattern| Part::of(pattern, host))
    }

    /// Whether it names a credential helper, for any host.
    pub fn is_helper(&self) -> bool {
        self.is("credential", "helper")
    }

    /// Whether it has git ask this program.
    pub fn is_ours(&self) -> bool {
        self.is_helper() && runs(&self.value, PROGRAM)
    }

    /// Whether it has git ask its own `store`.
    pub fn is_store(&self) -> bool {
        self.is_helper() && runs(&self.value, STORE)
    }
}

/// Whether a text can be repeated in a command: one that has a token in it is masked.
fn is_shown(text: &str) -> bool {
    clean(text, &[]) == text
}

/// Reads what `git config -z --show-scope --show-origin --list` prints.
pub fn read_listing(bytes: &[u8]) -> Vec<Line> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields: Vec<_> = bytes.split(|byte| *byte == 0).map(text).collect();
    let line = |fields: &[String]| {
        let [scope, origin, pair] = fields else { return None };
        // A key without any value is a boolean that is true.
        let (key, value) = pair.split_once('\n').unwrap_or((pair, "true"));
        let (key, value) = (key.to_owned(), value.to_owned());
        Some(Line { scope: scope.clone(), origin: origin.clone(), key, value })
    };
    fields.chunks(3).filter_map(line).collect()
}

/// The helpers that git asks for a URL with that path on a host, in order; for whatever URL on the
/// host, without a path: lines for a part of the host count then, but forget none for the rest.
pub fn helpers_on<'a>(
    lines: impl IntoIterator<Item = &'a Line>,
    host: &Host,
    path: Option<&str>,
) -> Vec<&'a Line> {
    let mut chain = Vec::new();
    for line in lines.into_iter().filter(|line| line.is_helper()) {
        let Some(part) = line.part_of(host).filter(|part| path.is_none_or(|it| part.covers(it)))
        else {
            continue;
        };
        match line.value.as_str() {
            "" if part == Part::default() || path.is_some() => chain.clear(),
            "" => {}
            _ => chain.push(line),
        }
    }
    chain
}

/// The part of a host that a section is for: a user, a path, or with neither all of it.
#[derive(Default, PartialEq, Eq)]
pub struct Part<'a> {
    user: &'a str,
    path: &'a str,
}

impl<'a> Part<'a> {
    /// The part of a host that a section's pattern covers; `None` if it covers another host.
    fn of(pattern: &'a str, host: &Host) -> Option<Self> {
        let (scheme, rest) = pattern.split_once("://").unwrap_or((host.scheme(), pattern));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, name) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (name, port) = name.split_at(name.rfind(':').unwrap_or(name.len()));
        let is_wild = name.contains('*') && covers(name, host.name());
        let name = if is_wild { host.name() } else { name };
        let is_it = Host::listed(&format!("{scheme}://{name}{port}")).as_ref() == Ok(host);
        is_it.then(|| Self { user, path: path.trim_end_matches('/') })
    }

    /// Whether it covers a path for every user.
    fn covers(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path);
        self.user.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A star stands for one label.
fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), name.split('.').collect());
    let fits = |(label, own): (&&str, &&str)| *label == "*" || label.eq_ignore_ascii_case(own);
    pattern.len() == name.len() && pattern.iter().zip(&name).all(fits)
}

/// A URL as git rewrites it by `insteadOf`: the longest rule that matches counts, the first of
/// several.
///
/// <https://git-scm.com/docs/git-config#Documentation/git-config.txt-urlltbasegtinsteadOf>
pub fn rewritten(lines: &[Line], url: &str) -> String {
    // `max_by_key` takes the last of several.
    let rules = lines.iter().rev().filter(|line| line.is("url", "insteadof"));
    let longest =
        rules.filter(|line| url.starts_with(&line.value)).max_by_key(|line| line.value.len());
    let base = longest.and_then(|line| Some((line.subsection()?, &url[line.value.len()..])));
    base.map_or_else(|| url.to_owned(), |(base, rest)| format!("{base}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, value: &str) -> Line {
        let (scope, origin) = ("global".to_owned(), "file:f".to_owned());
        Line { scope, origin, key: key.to_owned(), value: value.to_owned() }
    }

    fn github() -> Host {
        Host::listed("github.com").unwrap()
    }

    #[test]
    fn a_listing_is_read_with_scopes_and_origins() {
        let listing = b"system\0file:/etc/a\0credential.helper\nstore\0\
            command\0command line:\0url.https://x/.insteadof\na\nb\0local\0file:c\0core.bare\0";
        let lines = read_listing(listing);
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0].scope.as_str(), lines[0].value.as_str()), ("system", "store"));
        assert_eq!((lines[1].subsection(), lines[1].value.as_str()), (Some("https://x/"), "a\nb"));
        assert!(lines[2].is("core", "bare") && lines[2].value == "true");
        assert_eq!(lines[0].subsection(), None);
        assert_eq!(read_listing(b""), []);
    }

    #[test]
    fn lines_for_a_part_of_the_host_count_for_that_part() {
        let lines = [
            line("credential.helper", "cache"),
            line("credential.https://github.com/acme.helper", "store"),
            line("credential.https://github.com.helper", ""),
            line("credential.https://github.com.helper", "ours"),
            line("credential.https://github.com/acme/.helper", "theirs"),
            line("credential.https://me@github.com.helper", "mine"),
            line("credential.https://github.com/other.helper", ""),
            line("credential.https://gitlab.com.helper", ""),
            line("credential.https://me@gitlab.com/acme.helper", "elsewhere"),
        ];
        let chain = |path: Option<&str>| {
            let chain = helpers_on(&lines, &github(), path).into_iter();
            chain.map(|line| line.value.as_str()).collect::<Vec<_>>().join(",")
        };
        assert_eq!(chain(Some("/acme/app.git")), "ours,theirs");
        assert_eq!(chain(Some("/acmeapp.git")), "ours");
        assert_eq!(chain(Some("/other/app.git")), "");
        assert_eq!(chain(None), "ours,theirs,mine");
    }

    #[test]
    fn of_the_longest_rules_that_match_a_url_the_first_counts() {
        let lines = [
            line("url.https://short/.insteadof", "gh"),
            line("url.https://first/.insteadof", "gh:"),
            line("url.https://second/.insteadof", "gh:"),
        ];
        assert_eq!(rewritten(&lines, "gh:a/b"), "https://first/a/b");
        assert_eq!(rewritten(&lines, "git@host:a/b"), "git@host:a/b");
    }

    #[test]
    fn a_pattern_covers_its_host_in_any_spelling_and_no_other() {
        for pattern in [
            "https://github.com",
            "https://GitHub.com/",
            "https://github.com:443",
            "github.com",
            "https://*.com",
        ] {
            assert!(Part::of(pattern, &github()) == Some(Part::default()), "{pattern}");
        }
        for pattern in [
            "http://github.com",
            "https://gist.github.com",
            "https://*.github.com",
            "https://alice@github.com",
            "https://github.com/acme",
            "https://github.com:8443",
            "ssh://github.com",
            "",
        ] {
            assert!(Part::of(pattern, &github()) != Some(Part::default()), "{pattern}");
        }
    }
}
