//! git's configuration as `git config` lists it, and which lines of it count for a host. Owns the
//! rule by which git builds a chain of helpers: every line that matches, in order, and an empty
//! one forgets those before it. Refuses to read configuration files, which is git's business.
//!
//! <https://git-scm.com/docs/gitcredentials#_credential_contexts>

use crate::helper_line::{Kind, kind, word};
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
            "http" => format!("{} '^ *[Aa][Uu][Tt][Hh]'", self.unset()),
            "url" if is_shown(&self.key) && is_shown(&self.value) => {
                let (key, value) = (word(&self.key), word(&self.value));
                self.change(&format!("--fixed-value --unset-all {key} {value}"))
            }
            "url" => self.edit(),
            _ => self.unset(),
        }
    }

    /// Whether it names a credential helper, for any host.
    pub fn is_helper(&self) -> bool {
        self.is("credential", "helper")
    }

    /// Whether it has git ask this program.
    pub fn is_ours(&self) -> bool {
        self.is_helper() && kind(&self.value) == Kind::Ours
    }

    /// Whether it has git ask its own `store`.
    pub fn is_store(&self) -> bool {
        self.is_helper() && kind(&self.value) == Kind::Store
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

/// The helpers that git asks for a host, in order, without those for a part of it.
pub fn helpers_for<'a>(lines: impl IntoIterator<Item = &'a Line>, host: &Host) -> Vec<&'a Line> {
    helpers_on(lines, host, Some("/"))
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
        let pattern = line.subsection();
        let is_whole = pattern.is_none_or(|pattern| matches(pattern, host));
        let counts = is_whole || pattern.is_some_and(|pattern| covers_part(pattern, host, path));
        match line.value.as_str() {
            "" if is_whole || (counts && path.is_some()) => chain.clear(),
            "" => {}
            _ if counts => chain.push(line),
            _ => {}
        }
    }
    chain
}

/// Whether a line is for a path or a user on the host, and not for all of it.
pub fn is_of_part(line: &Line, host: &Host) -> bool {
    line.subsection().is_some_and(|it| !matches(it, host) && covers_part(it, host, None))
}

/// Whether a pattern covers a host or a part of it.
pub fn concerns(pattern: &str, host: &Host) -> bool {
    matches(pattern, host) || covers_part(pattern, host, None)
}

/// Whether a pattern with a user or a path covers that path, or some part of the host.
fn covers_part(pattern: &str, host: &Host, path: Option<&str>) -> bool {
    let (scheme, rest) = pattern.split_once("://").unwrap_or((host.scheme(), pattern));
    let (authority, own_path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, name) = authority.rsplit_once('@').unwrap_or(("", authority));
    let is_below = |path: &str| {
        let rest = path.strip_prefix(own_path.trim_end_matches('/'));
        user.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    matches(&format!("{scheme}://{name}"), host) && path.is_none_or(is_below)
}

/// Whether the pattern of a `credential.<pattern>` section covers everything on a host. One that
/// has a user or a path covers only a part of it.
pub fn matches(pattern: &str, host: &Host) -> bool {
    let (scheme, rest) = pattern.split_once("://").unwrap_or(("", pattern));
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let scheme = if scheme.is_empty() { host.scheme() } else { scheme };
    let (name, port) = rest.split_at(rest.rfind(':').unwrap_or(rest.len()));
    let is_wild = name.contains('*') && covers(name, host.name());
    let name = if is_wild { host.name() } else { name };
    Host::listed(&format!("{scheme}://{name}{port}")).is_ok_and(|listed| listed == *host)
}

/// A star stands for one label.
fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), name.split('.').collect());
    let fits = |(label, own): (&&str, &&str)| *label == "*" || label.eq_ignore_ascii_case(own);
    pattern.len() == name.len() && pattern.iter().zip(&name).all(fits)
}

/// A URL as git rewrites it by `insteadOf`: the longest rule that matches counts.
///
/// <https://git-scm.com/docs/git-config#Documentation/git-config.txt-urlltbasegtinsteadOf>
pub fn rewritten(lines: &[Line], url: &str) -> String {
    let rules = lines.iter().filter(|line| line.is("url", "insteadof"));
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
    fn an_empty_helper_forgets_those_before_it() {
        let lines = [
            line("credential.helper", "osxkeychain"),
            line("credential.https://github.com.helper", ""),
            line("credential.https://github.com.helper", "ours"),
            line("credential.https://gitlab.com.helper", ""),
            line("credential.username", "x"),
            line("credential.helper", "store"),
        ];
        let chain: Vec<_> =
            helpers_for(&lines, &github()).iter().map(|line| line.value.clone()).collect();
        assert_eq!(chain, ["ours", "store"]);
    }

    #[test]
    fn lines_for_a_part_of_the_host_count_for_that_part() {
        let lines = [
            line("credential.https://github.com/acme.helper", "store"),
            line("credential.https://github.com.helper", ""),
            line("credential.https://github.com.helper", "ours"),
            line("credential.https://github.com/acme/.helper", "theirs"),
            line("credential.https://me@github.com.helper", "mine"),
            line("credential.https://github.com/other.helper", ""),
        ];
        let chain = |path: Option<&str>| {
            let chain = helpers_on(&lines, &github(), path).into_iter();
            chain.map(|line| line.value.as_str()).collect::<Vec<_>>().join(",")
        };
        assert_eq!(chain(Some("/acme/app.git")), "ours,theirs");
        assert_eq!(chain(Some("/acmeapp.git")), "ours");
        assert_eq!(chain(Some("/other/app.git")), "");
        assert_eq!(chain(None), "ours,theirs,mine");
        assert!(concerns("https://me@github.com/acme", &github()));
        assert!(!concerns("https://me@gitlab.com/acme", &github()));
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
            assert!(matches(pattern, &github()), "{pattern}");
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
            assert!(!matches(pattern, &github()), "{pattern}");
        }
    }
}
