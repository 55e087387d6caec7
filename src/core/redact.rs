//! The last line of defence before any text leaves: secrets are cut out by value, by where they
//! stand in a URL, a header or a setting, and by the shape of a token; and whatever could steer a
//! terminal or forge a line is escaped. Everything that this program prints goes through it.

use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use crate::helper_line::{PROGRAM, STORE, runs};
use crate::token::Secret;

const MASK: &str = "[redacted]";
const INLINE_HELPER: &str = "an inline helper";
const SHORTEST_SECRET: usize = 6;

/// User names that say how a token is used, and are none.
const PLAIN_USERS: [&str; 6] =
    ["git", "gitlab-ci-token", "oauth2", "x-access-token", "x-oauth-basic", "x-token-auth"];

/// Where a secret stands in a text, and what is left of it.
struct Rule {
    pattern: Regex,
    replace: fn(&Captures<'_>) -> String,
}

/// In this order: what masks more of the text comes first.
static RULES: LazyLock<[Rule; 8]> = LazyLock::new(|| {
    let rule = |pattern, replace| Rule {
        pattern: Regex::new(pattern).expect("the tests compile every pattern"),
        replace,
    };
    [
        // A script in `credential.helper` may print a password, anywhere up to its end.
        rule(r#"(?is)([`'"]|helper\s*=?\s*)![^\s`'"].*"#, |it| {
            format!("{}{INLINE_HELPER}", &it[1])
        }),
        // A remote of that kind is a command line.
        rule(r"(?s)\bext::[^…].*", |_| "ext::…".to_owned()),
        rule(r#"://([^\s"'`<>]+)"#, |it| format!("://{}", without_secrets(&it[1]))),
        rule(r#"//[^\s"'`<>/]*:[^\s"'`<>/]*@"#, |_| format!("//{MASK}@")),
        rule(r#"([^\s"'`<>]+)@([A-Za-z0-9\[]?)"#, without_user),
        rule(
            r#"(?i)((?:token|pass|password|passwd|passphrase|pwd|secret|credential|signature|jwt|api[_-]?key|access[_-]?key)(?:=|%3d))(\\*["'][^"']*|[^\s"'`<>]+)"#,
            setting,
        ),
        rule(r#"(?i)((?:authorization|private-token|job-token): *)[^"'`]+"#, |it| {
            format!("{}{MASK}", &it[1])
        }),
        // The inside of an installation token is opaque (worker contract, fact 5), so what follows
        // is taken greedily.
        rule(r"(?:gh[a-z]_|github_pat_|glpat-|eyJ)[A-Za-z0-9._-]+", |_| MASK.to_owned()),
    ]
});

/// The text with every known secret and everything that may be one masked, on one line.
pub fn clean(text: &str, secrets: &[Secret]) -> String {
    let mut text = text.to_owned();
    // Masking a one-letter "secret" would only garble the text.
    let long = |secret: &&Secret| secret.expose().len() >= SHORTEST_SECRET;
    let mut secrets: Vec<_> = secrets.iter().filter(long).collect();
    // One that is part of another must not break it up before it is found.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    for secret in secrets {
        text = text.replace(secret.expose(), MASK);
    }
    for Rule { pattern, replace } in RULES.iter() {
        text = pattern.replace_all(&text, *replace).into_owned();
    }
    one_line(&text)
}

/// A value of `credential.helper` for messages: of another's, only which program it runs.
pub fn helper(value: &str) -> String {
    match value.split_once(' ') {
        _ if [PROGRAM, STORE].iter().any(|known| runs(value, known)) => value.to_owned(),
        _ if value.starts_with('!') => INLINE_HELPER.to_owned(),
        Some((program, _)) => format!("{program} …"),
        None => value.to_owned(),
    }
}

/// Escapes control characters, the Unicode separators that some tools take for line ends, and what
/// nobody sees but a program reads.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            c if c.is_control() => line.extend(c.escape_default()),
            c @ ('\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}') => {
                line.extend(c.escape_unicode());
            }
            c => line.push(c),
        }
    }
    line
}

/// What follows the scheme of a URL, without user information and query.
fn without_secrets(rest: &str) -> String {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // An unencoded slash in a password makes the rest of it look like a path.
    let is_cut = || !ends_in_port(authority);
    let cut = || is_cut().then(|| rest.rfind('@').unwrap_or(rest.len()));
    let user = authority.rfind('@').or_else(cut).map_or("", |end| &rest[..end]);
    let tail = &rest[user.len()..];
    let user = if PLAIN_USERS.contains(&user) || user.is_empty() { user } else { MASK };
    match tail.split_once('?') {
        Some((path, query)) if !query.is_empty() => format!("{user}{path}?{MASK}"),
        _ => format!("{user}{tail}"),
    }
}

/// Whether what follows the host's colon, if there is one, is a port; a sentence or the key of a
/// setting may go on behind it.
fn ends_in_port(authority: &str) -> bool {
    let name_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some((_, port)) = authority[name_end..].split_once(':') else { return true };
    let after = port.trim_start_matches(|it: char| it.is_ascii_digit());
    let is_number = after.len() < port.len() && !after.starts_with(|it: char| it.is_alphanumeric());
    is_number || after.chars().all(|it| ".,;:)]…".contains(it))
}

/// `user:password@` or `token@` outside of a URL, as in an scp-like address.
fn without_user(found: &Captures<'_>) -> String {
    let (whole, word, host) = (&found[0], &found[1], &found[2]);
    let is_variable = |name: &str| name.bytes().all(|it| it == b'_' || it.is_ascii_uppercase());
    let value = word.split_once('=').filter(|(name, _)| is_variable(name));
    let user = value.map_or(word, |(_, value)| value).trim_start_matches(['(', '[', '{', ',']);
    let user = user.strip_prefix("url.").unwrap_or(user);
    let is_path = match (user.find('/'), user.find(':')) {
        (Some(slash), Some(colon)) => slash <= colon + 1,
        (slash, _) => slash.is_some(),
    };
    let is_bare = !user.contains(':');
    let is_plain = is_path
        || word.contains("://")
        || word.ends_with(MASK)
        || user.is_empty()
        || (is_bare && (host.is_empty() || PLAIN_USERS.contains(&user)));
    let before = &word[..word.len() - user.len()];
    if is_plain { whole.to_owned() } else { format!("{before}{MASK}@{host}") }
}

/// `name=value`, unless the value is only hinted at.
fn setting(found: &Captures<'_>) -> String {
    let is_hint = found[2].starts_with(['…', '$']);
    if is_hint { found[0].to_owned() } else { format!("{}{MASK}", &found[1]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_shown(text: &str, shown: &str) {
        assert_eq!(clean(text, &[]), shown);
        assert_eq!(clean(shown, &[]), shown, "what is clean stays as it is");
    }

    #[test]
    fn secrets_are_masked_by_their_shape_and_by_where_they_stand() {
        for (text, shown) in [
            ("a ghs_123_eyJh.b-c_d b github_pat_11AA_x,", "a [redacted] b [redacted],"),
            ("ghp_abc; glpat-x1 eyJhbGci.e30.sig", "[redacted]; [redacted] [redacted]"),
            ("https://me:p/w@host/a", "https://[redacted]@host/a"),
            ("git host `https://me:pw` is", "git host `https://[redacted]` is"),
            ("host `me:pw@host`, `t0ken@host`", "host `[redacted]@host`, `[redacted]@host`"),
            ("HTTPS_PROXY=me:pw@proxy", "HTTPS_PROXY=[redacted]@proxy"),
            ("url is //me:pw@host/a; no", "url is //[redacted]@host/a; no"),
            ("https://host/a?b=c&d=e then", "https://host/a?[redacted] then"),
            ("host?private_token=abc&x", "host?private_token=[redacted]"),
            ("echo password='a b'", "echo password=[redacted]'"),
            ("access_token%3Dabc", "access_token%3D[redacted]"),
            ("Authorization: Basic YWJj", "Authorization: [redacted]"),
            ("url is ext::sh -c 'curl -u me:pw host'", "url is ext::…"),
        ] {
            assert_shown(text, shown);
        }
    }

    #[test]
    fn user_information_is_masked_whatever_the_scheme() {
        for scheme in ["https://", "ssh://", "ftps://", "foo::https://", "HTTP://", ""] {
            for user in ["me:pw", "t0ken", "me:p@w", "me:", "x-access-token:pw", ":pw"] {
                let text = format!("url.{scheme}{user}@host.example:8443/a.insteadof, then");
                let shown = format!("{scheme}[redacted]@host.example:8443/a.insteadof, then");
                assert!(clean(&text, &[]).ends_with(&shown), "{text}: {}", clean(&text, &[]));
            }
            let plain = format!("{scheme}x-access-token@host/a");
            assert_shown(&plain, &plain);
        }
    }

    #[test]
    fn of_an_inline_helper_only_that_there_is_one_is_shown() {
        let script = "!f() { echo username=a; echo password=b; }; f";
        assert_eq!(helper(script), "an inline helper");
        assert_shown(
            &format!("removed credential.helper = {script}"),
            "removed credential.helper = an inline helper",
        );
        assert_eq!(helper("/opt/vault --secret-id x"), "/opt/vault …");
        for plain in ["store --file=/tmp/a", "cache", "/usr/bin/git-credential-gastown --rig x"] {
            assert_eq!(helper(plain), plain);
        }
    }

    #[test]
    fn known_secrets_are_masked_even_inside_each_other() {
        let secrets = ["hunter2", "hunter2-and-more"];
        let secrets = secrets.map(|it| Secret::parse(it.as_bytes()).unwrap());
        assert_eq!(clean("hunter2-and-more hunter2.", &secrets), "[redacted] [redacted].");
    }

    #[test]
    fn ordinary_words_and_commands_to_paste_stay() {
        for text in [
            "ghosts gh_ ghs_ github_pat_ é weight",
            "url.git@github.com:.insteadof for git@github.com:acme/app.git",
            "the worker at http://127.0.0.1:8787: 404, (https://[::1]:80) https://github.com:",
            "git config --file /home/a@b/.gitconfig --unset-all credential.http://127.0.0.1:1.helper",
            "export GASTOWN_CONTAINER_TOKEN=…, or GASTOWN_CONTAINER_TOKEN_FILE=/run/token",
            "file:/home/a@b/x HEAD@{1} (git@host) token 12ab, helper!",
        ] {
            assert_shown(text, text);
        }
    }

    #[test]
    fn nothing_can_start_a_line_or_steer_a_terminal() {
        assert_eq!(
            clean("a\nb\r\u{1b}[31mc\u{2028}d\u{85}e\u{202e}\u{200b}\u{feff}\u{e0041}", &[]),
            r"a\nb\r\u{1b}[31mc\u{2028}d\u{85}e\u{202e}\u{200b}\u{feff}\u{e0041}"
        );
    }
}
