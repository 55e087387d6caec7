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

/// git's own `store`, which keeps and hands out whatever it once saw.
pub const STORE: &str = "git-credential-store";

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

/// Whether a value of `credential.helper` runs this program, wherever that lies.
pub fn runs(value: &str, program: &str) -> bool {
    let words = command(value);
    let mut names = words.iter().map(|word| word.rsplit('/').next().unwrap_or_default());
    match (names.next(), names.next()) {
        (Some("git"), Some(operation)) => program.strip_prefix("git-") == Some(operation),
        (name, _) => name == Some(program),
    }
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
            assert!(runs(value, PROGRAM) && !runs(value, STORE), "{value}");
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
            assert!(runs(value, STORE) && !runs(value, PROGRAM), "{value}");
        }
        for value in ["cache", "", "!f() { echo; }; f", "gastown2", "/x/store", "!"] {
            assert!(!runs(value, STORE) && !runs(value, PROGRAM), "{value}");
        }
    }
}
