//! What the words given to GitHub's `gh` say of the host that it will talk to, and whether it needs
//! a token at all. Where they can be read in two ways, the one that names a host is taken: a token
//! too few makes gh fail, a token too many goes to a stranger.
//!
//! <https://cli.github.com/manual/gh_help_environment>

use crate::host::Host;
use crate::remote_url::host_of;

/// Flags whose value is text for people or a server: a URL there names no host to talk to.
const TEXTS: &str = "--body -b --branch --title -t --notes -n --description --desc --homepage -h \
                     --comment --message --subject --search --field --raw-field --header -H";
/// gh's own commands, of those that need a token.
const COMMANDS: &str = "agent-task api attestation auth browse cache codespace discussion \
                        extension extensions gist gpg-key issue label licenses org pr preview \
                        project release repo ruleset run search secret skill ssh-key status \
                        variable workflow";
/// Those that look at the remotes of the repository that gh runs in.
const AT_REMOTES: &str = "browse cache issue label pr release ruleset run secret variable workflow";

fn is_in(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// A command line of gh, without its name.
pub struct Words<'a> {
    words: &'a [&'a str],
    /// The words that are no flags, nor values of those that may come before a command.
    commands: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub fn new(words: &'a [&'a str]) -> Self {
        let takes_value = |word: &str| is_in("-R --repo --hostname", word);
        let is_value = |index: usize| index > 0 && takes_value(words[index - 1]);
        let commands = words.iter().enumerate();
        let commands = commands.filter(|(index, word)| !word.starts_with('-') && !is_value(*index));
        Self { words, commands: commands.map(|(_, word)| *word).collect() }
    }

    /// Whether gh can do without a token.
    pub fn need_no_token(&self) -> bool {
        match self.commands.as_slice() {
            [] => true,
            ["alias" | "completion" | "config" | "help" | "version", ..] => true,
            ["auth", "login" | "logout" | "refresh" | "switch", ..] => true,
            _ => self.ask_for_help(),
        }
    }

    fn ask_for_help(&self) -> bool {
        let own: Vec<_> = self.words.iter().take_while(|word| **word != "--").collect();
        // In front of another word `-h` may be a host or a home page.
        own.iter().any(|word| **word == "--help") || own.last() == Some(&&"-h")
    }

    /// Whether gh is about to write itself into git's configuration.
    pub fn set_up_git(&self) -> bool {
        matches!(self.commands.as_slice(), ["auth", "login" | "setup-git", ..])
            && !self.ask_for_help()
    }

    /// Whether gh is told the host on stdin only.
    pub fn leave_the_host_open(&self) -> bool {
        self.commands.starts_with(&["auth", "git-credential"])
    }

    /// Whether gh talks only to the host that is meant. An alias or an extension may talk to any
    /// host, and `auth status` talks to every host that gh has a login for.
    pub fn mean_one_host(&self) -> bool {
        match self.commands.as_slice() {
            ["auth", "status", ..] => !self.hosts().is_empty(),
            ["extension" | "extensions", "exec" | "upgrade", ..] => false,
            [command, ..] => is_in(COMMANDS, command),
            [] => false,
        }
    }

    /// Whether gh talks to github.com, or to the host in `GITHUB_API_URL`, whatever host is meant.
    pub fn are_about_codespaces(&self) -> bool {
        matches!(self.commands.as_slice(), ["codespace" | "cs", ..])
    }

    /// Whether gh will look at the remotes of the repository that it runs in, if none is named.
    pub fn look_at_remotes(&self) -> bool {
        match self.commands.as_slice() {
            ["repo", command] => !is_in("create new list ls", command),
            [command, ..] => is_in(AT_REMOTES, command),
            [] => false,
        }
    }

    /// Whether a flag names a repository, with or without its host.
    pub fn name_a_repository(&self) -> bool {
        !self.repositories().is_empty()
    }

    /// Every host that is named, as gh calls it. Words after `--` count too: not all commands of gh
    /// pass them on.
    pub fn hosts(&self) -> Vec<String> {
        // `gh api repos/OWNER/REPO` is a path.
        let are_repositories = matches!(
            self.commands.as_slice(),
            ["repo" | "extension" | "extensions" | "ext", ..]
                | ["label", "clone", ..]
                | ["issue", "transfer", ..]
        );
        let is_auth = self.commands.first() == Some(&"auth");
        let named = self.values("--hostname", is_auth.then_some('h')).into_iter().map(normal);
        let (mut repositories, mut elsewhere) = (self.repositories(), Vec::new());
        // `gh api` requests a URL with its scheme and port. Other commands use its host alone.
        let is_requested = self.commands.first() == Some(&"api");
        for (index, word) in self.words.iter().enumerate() {
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag, value),
                _ => ("", *word),
            };
            let is_url = host_name(value).is_some() && !is_in(TEXTS, flag);
            // One that begins with a dot or a slash is a directory.
            let may_be_repository = are_repositories && !word.starts_with(['-', '.', '/']);
            if !(is_url || may_be_repository) || self.is_text(index) {
                continue;
            }
            match value {
                _ if is_requested && !is_plain(value) => elsewhere.push(value.to_owned()),
                _ => repositories.push(value),
            }
        }
        let repositories = repositories.into_iter().filter_map(host_of_repository);
        let mut hosts: Vec<_> = named.chain(repositories).chain(elsewhere).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// Whether a word is surely the value of a flag for text: what looks like such a flag may be
    /// the value of another one before it.
    fn is_text(&self, index: usize) -> bool {
        let before = &self.words[..index];
        let (flag, rest) = match before {
            [rest @ .., flag] => (flag, rest),
            [] => return false,
        };
        let is_flag = rest.last().is_none_or(|word| !word.starts_with('-'));
        is_in(TEXTS, flag) && is_flag && !rest.contains(&"--")
    }

    /// The values of `--repo` in all its spellings, and of flags that name a repository likewise.
    fn repositories(&self) -> Vec<&'a str> {
        let more: &[_] = match self.commands.as_slice() {
            ["repo", "sync", ..] => &[("--source", Some('s'))],
            ["repo", "create" | "new", ..] => &[("--template", Some('p'))],
            ["issue", "develop", ..] => &[("--branch-repo", None), ("--issue-repo", Some('i'))],
            _ => &[],
        };
        let all = [("--repo", Some('R'))].iter().chain(more);
        let mut repositories: Vec<_> =
            all.flat_map(|(long, short)| self.values(long, *short)).collect();
        // Without a value gh goes by GH_REPO.
        repositories.retain(|repository| !repository.is_empty());
        repositories
    }

    /// The values of a flag: `--repo x`, `--repo=x`, `-R x`, `-Rx`, `-R=x`, `-wR x`.
    fn values(&self, long: &str, short: Option<char>) -> Vec<&'a str> {
        let value = |(index, word): (usize, &&'a str)| {
            let rest = match word.strip_prefix(long) {
                Some(rest) if rest.is_empty() || rest.starts_with('=') => rest,
                _ if word.starts_with("--") => return None,
                _ => word.strip_prefix('-')?.split_once(short?)?.1,
            };
            match rest.strip_prefix('=').unwrap_or(rest) {
                "" => self.words.get(index + 1).copied(),
                value => Some(value),
            }
        };
        self.words.iter().enumerate().filter_map(value).collect()
    }
}

/// The host in `[HOST/]OWNER/REPO` or a URL, as gh calls it. `gh repo clone` makes `ssh://a/b/c` of
/// `a:b/c`, and of `a/b:c`.
pub fn host_of_repository(text: &str) -> Option<String> {
    let in_front = || {
        let (host, rest) = text.split_once(['/', ':'])?;
        let host = host.rsplit('@').next()?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]".contains(&byte);
        let is_scp = text.contains(':') && host.bytes().all(is_name);
        (is_scp || rest.contains('/')).then(|| normal(host))
    };
    host_name(text).map(|name| normal(&name)).or_else(in_front)
}

/// The host in a URL of any scheme, or in `user@host:path`; without user and port.
pub fn host_name(url: &str) -> Option<String> {
    let is_scheme =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    let authority = match url.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => rest.split(['/', '?', '#']).next()?,
        _ => {
            let (authority, _) = url.split_once(':')?;
            authority.contains('@').then_some(authority)?
        }
    };
    let host = authority.rsplit('@').next()?;
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let is_one_word = !authority.contains(|letter: char| letter.is_whitespace() || letter == '/');
    is_one_word.then(|| name.to_ascii_lowercase())
}

/// Whether a URL is https on the usual port. No other may get our token.
fn is_plain(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let host = host_of(&format!("https://{rest}"));
    let has_usual_port = |host: Host| host.to_string() == format!("https://{}", host.name());
    scheme.eq_ignore_ascii_case("https") && host.is_some_and(has_usual_port)
}

/// A host as gh calls it: one name for all that belong to it.
pub fn normal(host: &str) -> String {
    const GITHUB: [&str; 5] = ["api", "gist", "ssh", "uploads", "www"];
    let host = host.to_ascii_lowercase();
    match host.split_once('.') {
        Some((first, "github.com")) if GITHUB.contains(&first) => "github.com".to_owned(),
        Some(("api", tenant)) if tenant.ends_with(".ghe.com") => tenant.to_owned(),
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<&str> {
        line.split(' ').filter(|word| !word.is_empty()).collect()
    }

    fn hosts(line: &str) -> String {
        Words::new(&split(line)).hosts().join(" ")
    }

    #[test]
    fn a_host_is_named_as_gh_calls_it() {
        for url in
            ["http://e.example/x", "HTTP://e.example", "https://e.example:8443/x", "x://e.example"]
        {
            assert_eq!(hosts(&format!("api {url}")), url, "a host, but not by its name alone");
        }
        assert_eq!(hosts("api HTTPS://e.example:443/x"), "e.example");
        assert_eq!(hosts("pr view -R b.example/o/r https://a.example/x"), "a.example b.example");
        assert_eq!(hosts("gist view https://gist.github.com/x"), "github.com");
        for repository in ["E.example:o/r", "e.example/o:r", "x@e.example:o/r", "x@e.example/o:r"] {
            assert_eq!(hosts(&format!("repo clone {repository}")), "e.example", "{repository}");
        }
        assert_eq!(hosts("api https://api.x.ghe.com/user"), "x.ghe.com");
        assert_eq!(hosts("api https://evil.github.com.e.example/"), "evil.github.com.e.example");
    }

    #[test]
    fn words_that_only_look_like_a_host_name_none() {
        let lines = [
            "pr list",
            "pr list -R o/r",
            "api repos/o/r/issues",
            "api graphql -f query=https://e.example",
            "pr create --title x --body https://e.example/x",
            "pr create --body=https://e.example/x",
            "repo create x --homepage https://e.example",
            "pr checkout feature/a/b",
            "repo clone o/r ../a/b",
            "repo create x --source ../a/b",
            "pr list --template {{.a}}/b/c",
            "repo clone o/r -- --depth 1",
            "repo clone o/r -- -c core.sshCommand=a:b",
            "",
        ];
        for line in lines {
            assert_eq!(hosts(line), "", "{line}");
        }
    }
}
