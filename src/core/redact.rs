//! The last line of defence before any text leaves: tokens are cut out by shape and by value,
//! and whatever could steer a terminal or forge a line is escaped. Nothing that this program
//! prints should need it; everything that it prints goes through it.

use crate::token::Secret;

const MASK: &str = "[redacted]";
const SHORTEST_SECRET: usize = 6;

/// Prefixes of tokens, and whether the shape has a free letter in third place (`ghs_`, `ghp_`…).
/// The inside of an installation token is opaque (worker contract, fact 5), so what follows is
/// taken greedily.
const SHAPES: [&str; 4] = ["github_pat_", "glpat-", "eyJ", "gh?_"];

/// The text with every known secret and everything shaped like a token masked, on one line.
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
    one_line(&mask_shapes(&text))
}

/// Escapes control characters, and the Unicode separators that some tools take for line ends.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            c if c.is_control() => line.extend(c.escape_default()),
            c @ ('\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                line.extend(c.escape_unicode());
            }
            c => line.push(c),
        }
    }
    line
}

fn mask_shapes(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match token_length(rest) {
            Some(length) => {
                masked.push_str(MASK);
                rest = &rest[length..];
            }
            None => {
                masked.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    masked
}

fn token_length(text: &str) -> Option<usize> {
    let prefix = SHAPES.iter().find(|shape| starts_like(text, shape))?.len();
    let body = text[prefix..].bytes().take_while(|byte| is_token_byte(*byte)).count();
    (body > 0).then_some(prefix + body)
}

fn starts_like(text: &str, shape: &str) -> bool {
    text.len() >= shape.len()
        && shape.bytes().zip(text.bytes()).all(|(expected, byte)| {
            expected == byte || (expected == b'?' && byte.is_ascii_lowercase())
        })
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_every_shape_are_masked() {
        let text = "a ghs_123_eyJh.b-c_d b github_pat_11AA_x, ghp_abc; glpat-x1 eyJhbGci.e30.sig";
        assert_eq!(
            clean(text, &[]),
            "a [redacted] b [redacted], [redacted]; [redacted] [redacted]"
        );
    }

    #[test]
    fn a_known_secret_is_masked_whatever_its_shape() {
        let secret = Secret::parse(b"hunter2").unwrap();
        assert_eq!(clean("user:hunter2@proxy", &[secret]), "user:[redacted]@proxy");
    }

    #[test]
    fn a_secret_inside_another_does_not_uncover_the_rest_of_it() {
        let secrets =
            ["hunter2", "hunter2-and-more"].map(|it| Secret::parse(it.as_bytes()).unwrap());
        assert_eq!(clean("hunter2-and-more hunter2", &secrets), "[redacted] [redacted]");
    }

    #[test]
    fn ordinary_words_stay() {
        let text = "ghosts gh_ ghs_ github_pat_ é weight";
        assert_eq!(clean(text, &[]), text);
    }

    #[test]
    fn nothing_can_start_a_line_or_steer_a_terminal() {
        assert_eq!(
            clean("a\nb\r\u{1b}[31mc\u{2028}d\u{85}e\u{202e}", &[]),
            r"a\nb\r\u{1b}[31mc\u{2028}d\u{85}e\u{202e}"
        );
    }
}
