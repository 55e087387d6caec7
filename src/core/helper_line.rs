//! The value of git's `credential.helper`: how ours is written, and whose it is when one is found.
//! git runs it through the shell, so every word is quoted the shell's way; a value that begins with
//! a slash is taken for a path, so the quotes are backslashes.
//!
//! <https://git-scm.com/docs/gitcredentials#_custom_helpers>

use std::ffi::OsStr;

/// The name of this program, by which git finds it and we find ourselves.
pub const PROGRAM: &str = "git-credential-gastown";

/// How messages call it; where that does not lead to it, they are printed with its path instead.
pub const COMMAND: &str = "git credential-gastown";

/// Whose helper a line names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ours,
    /// git's own `store`, which keeps and hands out whatever it once saw.
    Store,
    Other,
}

/// One word for the shell; `None` if a control character is in it, which no line can carry.
pub fn quoted(word: &str) -> Option<String> {
    if word.is_empty() || word.chars().any(char::is_control) {
        return word.is_empty().then(|| "''".to_owned());
    }
    let is_plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "/._-:@%+,=".contains(c);
    let mut quoted = String::with_capacity(word.len());
    for character in word.chars() {
        if !is_plain(character) {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    Some(quoted)
}

/// Quotes a name or a path for a command in an advice: keys and paths of a repository are a
/// stranger's words, and the reader runs the command. One with a control character becomes `NAME`.
pub fn word(text: impl AsRef<OsStr>) -> String {
    quoted(&text.as_ref().to_string_lossy()).unwrap_or_else(|| "NAME".to_owned())
}

/// Whose helper a value of `credential.helper` names, wherever that program lies.
pub fn kind(value: &str) -> Kind {
    let words = command(value);
    let mut words = words.iter().map(|word| word.rsplit('/').next().unwrap_or_default());
    let name = match (words.next().unwrap_or_default(), words.next()) {
        ("git", Some(operation)) => format!("git-{operation}"),
        (name, _) => name.to_owned(),
    };
    match name.as_str() {
        PROGRAM => Kind::Ours,
        "git-credential-store" => Kind::Store,
        _ => Kind::Other,
    }
}

/// The file that a `store` helper is told to keep its tokens in.
pub fn store_file(value: &str) -> Option<String> {
    let words = command(value);
    let after = |(index, word): (usize, &String)| match word.strip_prefix("--file") {
        Some("") => words.get(index + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    words.iter().enumerate().find_map(after)
}

/// The words of the command that git would run for a value.
pub fn command(value: &str) -> Vec<String> {
    match value.strip_prefix('!') {
        Some(script) => words(script),
        None if value.starts_with('/') => words(value),
        None => words(&format!("git-credential-{value}")),
    }
}

/// Splits as the shell does, as far as quotes and backslashes go; nothing is expanded.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), c) if c == open => quote = None,
            (None, c @ ('\'' | '"')) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                word.get_or_insert_default().extend(characters.next());
            }
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_is_one_word_again() {
        for word in ["/a b/c'd\"e", "$HOME", "plain", "", "é!*?~\\", "https://x:1/"] {
            assert_eq!(words(&quoted(word).unwrap()), [word]);
        }
        assert_eq!(quoted("/opt/a b/x").unwrap(), r"/opt/a\ b/x");
        assert_eq!(quoted("a\nb"), None);
    }

    #[test]
    fn ours_is_recognised_however_it_is_written() {
        for value in [
            "gastown",
            "gastown --rig x",
            "/usr/bin/git-credential-gastown",
            r"/a\ b/git-credential-gastown --api-url https://x",
            "!'/a b/git-credential-gastown'",
            "!git credential-gastown",
        ] {
            assert_eq!(kind(value), Kind::Ours, "{value}");
        }
    }

    #[test]
    fn store_is_recognised_and_nothing_else_is() {
        for value in [
            "store",
            "store --file=/tmp/x",
            "/usr/lib/git-core/git-credential-store",
            "!git credential-store --file x",
        ] {
            assert_eq!(kind(value), Kind::Store, "{value}");
        }
        assert_eq!(store_file("store --file=/tmp/x").as_deref(), Some("/tmp/x"));
        assert_eq!(store_file("!git credential-store --file x").as_deref(), Some("x"));
        for value in ["cache", "", "!f() { echo; }; f", "gastown2", "/x/store", "!"] {
            assert_eq!(kind(value), Kind::Other, "{value}");
        }
    }
}
