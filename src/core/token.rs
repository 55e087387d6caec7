//! Secrets: the one type that holds a token, its kind, and the cache entry of a worker's token.
//! Refuses to look inside an installation token (worker contract, fact 5) and to show any token:
//! `Secret::expose` is the only way out.

use std::fmt;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::time::Timestamp;

pub mod container;

/// The longest token that is accepted (worker contract, fact 5), in bytes.
pub const LONGEST_TOKEN: usize = 8192;

/// A token, password or JWT. Wiped when dropped.
#[derive(Clone)]
pub struct Secret {
    text: Zeroizing<String>,
    /// Computed when first asked for: one `get` needs it several times.
    hash: OnceLock<TokenHash>,
}

impl Secret {
    /// Takes 1 to 8192 bytes of printable ASCII without space; nothing else can travel in a
    /// credential line or a header unharmed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let fits = (1..=LONGEST_TOKEN).contains(&bytes.len());
        let printable = bytes.iter().all(u8::is_ascii_graphic);
        let text = std::str::from_utf8(bytes).ok()?;
        let text = || Zeroizing::new(text.to_owned());
        (fits && printable).then(|| Self { text: text(), hash: OnceLock::new() })
    }

    /// The one exit. Every use is a place where a secret leaves this type: find them by name.
    pub fn expose(&self) -> &str {
        &self.text
    }

    pub fn hash(&self) -> &TokenHash {
        self.hash.get_or_init(|| TokenHash(hex(&Sha256::digest(self.expose()))))
    }

    /// SHA-256 in base64, as GitHub's audit log names a token (`hashed_token`).
    pub fn audit_hash(&self) -> String {
        STANDARD.encode(Sha256::digest(self.expose()))
    }

    pub fn kind(&self) -> Kind {
        if ["ghp_", "github_pat_", "glpat-"].iter().any(|start| self.expose().starts_with(start)) {
            Kind::PersonalAccess
        } else {
            Kind::Installation
        }
    }

    /// Whether it is shaped like an installation token, which dies within the hour.
    pub fn is_installation_token(&self) -> bool {
        self.expose().starts_with("ghs_")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The message must not repeat the value.
        Self::parse(text.as_bytes()).ok_or_else(|| serde::de::Error::custom("not a token"))
    }
}

/// SHA-256 of a token in hex: names a token without showing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHash(String);

impl TokenHash {
    const PREFIX: usize = 16;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of the hash to tell tokens apart: what state and trace carry.
    pub fn prefix(&self) -> &str {
        &self.0[..Self::PREFIX]
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// What a token is, by its prefix, because the worker does not say (worker contract, fact 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Dies within the hour. Unknown shapes count as this, to be on the safe side.
    Installation,
    /// A user's long-lived token, without an hourly expiry.
    PersonalAccess,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Installation => "installation",
            Self::PersonalAccess => "personal",
        })
    }
}

/// A token that the worker handed out, to be cached or used.
#[derive(Debug)]
pub struct Grant {
    pub token: Secret,
    /// When it dies, in terms of the local clock, if the worker said so.
    pub expires: Option<Timestamp>,
    /// When the worker was asked: its answer is at least as young as that.
    pub asked_at: Timestamp,
    /// How far the local clock is certain to be ahead of the worker's, in milliseconds.
    pub clock_ahead: i64,
}

/// What the cache keeps of a token. All times are in terms of the local clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub token: Secret,
    /// When this machine first got the token: it dies within 60 minutes of that.
    pub first_seen: Timestamp,
    /// When the worker last handed it out.
    pub confirmed_at: Timestamp,
    pub expires: Option<Timestamp>,
    /// When to begin renewing. Drawn once, so that machines do not all ask at the same moment.
    pub renew_at: Timestamp,
    /// The tokens that this one replaced: a refusal of one of them needs no call, and a snapshot of
    /// one is dead.
    pub predecessors: Predecessors,
}

/// The prefixes of the hashes of tokens, latest first, joined in one string because reading an
/// array would cost every `get` more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Predecessors(String);

impl Predecessors {
    /// Renewals come every half hour or so: two days of them.
    const MOST: usize = 96;
    const LENGTH: usize = TokenHash::PREFIX;

    pub fn contains(&self, hash: &TokenHash) -> bool {
        self.0.as_bytes().chunks(Self::LENGTH).any(|prefix| prefix == hash.prefix().as_bytes())
    }

    #[must_use]
    pub fn after(&self, replaced: &TokenHash) -> Self {
        let older = self.0.chars().take((Self::MOST - 1) * Self::LENGTH);
        Self(replaced.prefix().chars().chain(older).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_printable_ascii_of_bounded_length() {
        for bytes in [b"x".as_slice(), b"ghs_1_eyJ.a-b_c", &[b'a'; LONGEST_TOKEN]] {
            assert!(Secret::parse(bytes).is_some());
        }
        let too_long = [b'a'; LONGEST_TOKEN + 1];
        for bytes in [b"".as_slice(), b"a b", b"a\n", b"a\0", b"\xc3\xa9", b"\x7f", &too_long] {
            assert!(Secret::parse(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::parse(b"ghs_sentinel").unwrap();
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[redacted] Some([redacted])");
        let error = serde_json::from_str::<Secret>("\"sen tinel\"").unwrap_err();
        assert!(!error.to_string().contains("tinel"), "{error}");
    }

    #[test]
    fn the_audit_hash_is_what_githubs_documentation_computes() {
        // echo -n example-token | openssl dgst -sha256 -binary | base64
        let secret = Secret::parse(b"example-token").unwrap();
        assert_eq!(secret.audit_hash(), "TRVmodffQqhRdFbWDqBu0oTlNc/kyVaqbuFy2835Rfc=");
    }

    #[test]
    fn only_personal_access_tokens_are_long_lived() {
        let kind = |text: &str| Secret::parse(text.as_bytes()).unwrap().kind();
        assert_eq!(kind("ghp_a"), Kind::PersonalAccess);
        assert_eq!(kind("github_pat_a"), Kind::PersonalAccess);
        for text in ["ghs_a", "gho_a", "0123456789abcdef", "ghp", "xghp_a"] {
            assert_eq!(kind(text), Kind::Installation, "{text}");
        }
    }
}
