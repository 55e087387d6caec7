//! Secrets and what is remembered of them: the one type that holds a token, its kind, the cache
//! entry and the record of a rejection, each with its versioned wire form. Refuses to look inside
//! an installation token (worker contract, fact 5) and to show any token: the way out is
//! `Secret::expose`, and nothing else.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::scope::CacheKey;
use crate::timestamp::Timestamp;

/// The longest token that is believed (worker contract, fact 5), in bytes.
pub const LONGEST_TOKEN: usize = 8192;

/// A token, password or JWT. Wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes 1 to 8192 bytes of printable ASCII without space; nothing else can travel in a
    /// credential line or a header unharmed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let fits = (1..=LONGEST_TOKEN).contains(&bytes.len());
        let printable = bytes.iter().all(u8::is_ascii_graphic);
        let text = std::str::from_utf8(bytes).ok()?;
        (fits && printable).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The one exit. Every use is a place where a secret leaves this type: find them by name.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash(hex(&Sha256::digest(self.expose())))
    }

    pub fn kind(&self) -> Kind {
        let text = self.expose();
        if text.starts_with("ghp_") || text.starts_with("github_pat_") {
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

/// SHA-256 of a token in hex: names a token without telling it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(String);

impl TokenHash {
    /// Reads a full hash back; `None` for anything that is not 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(hexadecimal)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of the hash to tell tokens apart: what state and trace carry.
    pub fn prefix(&self) -> &str {
        &self.0[..16]
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a token is, told by its prefix: the worker does not say (worker contract, fact 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Dies within the hour. Also every unknown shape, as the careful guess.
    Installation,
    /// A user's long-lived token, without an hourly expiry.
    PersonalAccess,
}

/// A token that the worker handed out, to be cached or used.
#[derive(Debug)]
pub struct Grant {
    pub token: Secret,
    /// When it dies, in terms of the local clock, if the worker said so.
    pub expires: Option<Timestamp>,
    /// When the worker was asked: its answer is at least as young as that.
    pub asked_at: Timestamp,
}

/// What the cache keeps of a token. All times are in terms of the local clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub token: Secret,
    /// When the token was first handed to us: it dies within 60 minutes of that.
    pub first_seen: Timestamp,
    /// When the worker last handed it out.
    pub confirmed_at: Timestamp,
    pub expires: Option<Timestamp>,
    /// When to begin renewing; drawn once, so that not all machines ask at one moment.
    pub renew_at: Timestamp,
    /// The tokens that this one replaced, latest first: a refusal of one of them is no news.
    pub predecessors: Vec<TokenHash>,
}

/// That GitHub refused a token, named by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    pub hash: TokenHash,
    /// How often it was refused for certain; several refusals at one moment count once.
    pub count: u32,
    pub last_at: Timestamp,
    /// When the worker was last asked for another on a mere suspicion.
    pub doubted_at: Option<Timestamp>,
    /// When the worker first handed it out again after a refusal.
    pub served_again_at: Option<Timestamp>,
}

impl Rejection {
    pub fn none(hash: TokenHash) -> Self {
        let last_at = Timestamp::from_millis(0);
        Self { hash, count: 0, last_at, doubted_at: None, served_again_at: None }
    }

    /// Whether it was refused and the worker has not vouched for it since.
    pub fn stands(&self) -> bool {
        self.count > 0 && self.served_again_at.is_none_or(|again| again < self.last_at)
    }
}

const WIRE_VERSION: u32 = 1;

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Wire<K, R> {
    version: u32,
    key: K,
    record: R,
}

/// Writes a record with its version and key, so that a reader can tell that it is its own.
pub fn to_wire<K: Serialize, R: Serialize>(key: &K, record: &R) -> Zeroizing<Vec<u8>> {
    let wire = Wire { version: WIRE_VERSION, key, record };
    Zeroizing::new(serde_json::to_vec(&wire).expect("strings and integers always serialize"))
}

/// Reads a record back.
///
/// # Errors
/// Why it is not ours to use: another version, another key, or no record at all.
pub fn from_wire<K, R>(key: &K, bytes: &[u8]) -> Result<R, &'static str>
where
    K: PartialEq + for<'de> Deserialize<'de>,
    R: for<'de> Deserialize<'de>,
{
    let Versioned { version } = serde_json::from_slice(bytes).map_err(|_| "not a record")?;
    if version != WIRE_VERSION {
        return Err("of another version");
    }
    let wire: Wire<K, R> = serde_json::from_slice(bytes).map_err(|_| "damaged")?;
    if wire.key != *key {
        return Err("about something else");
    }
    Ok(wire.record)
}

/// Reads a cache entry; see [`from_wire`].
///
/// # Errors
/// As [`from_wire`].
pub fn entry_from_wire(key: &CacheKey, bytes: &[u8]) -> Result<Entry, &'static str> {
    from_wire(key, bytes)
}
