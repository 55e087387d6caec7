//! The format of the cache's files: JSON with a version and a key, so that a reader can check that
//! a file is about what its name says.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::host::stem;
use crate::token::LONGEST_TOKEN;

const VERSION: u32 = 1;

/// What a record is about.
pub trait Key: PartialEq + Serialize + DeserializeOwned {
    type Record: Serialize + DeserializeOwned;
    /// The end of its files' names.
    const KIND: &'static str;

    /// What tells it from the others of its kind.
    fn parts(&self) -> Vec<&str>;

    /// A name of bounded length: a hash, so that no part of the key can choose it.
    fn file(&self) -> String {
        format!("{}.{}", stem(&self.parts()), Self::KIND)
    }
}

#[derive(Serialize, Deserialize)]
struct Record<K, R> {
    version: u32,
    key: K,
    record: R,
}

/// Writes a record with its version and key.
pub fn to_bytes<K: Serialize, R: Serialize>(key: &K, record: &R) -> Zeroizing<Vec<u8>> {
    let wire = Record { version: VERSION, key, record };
    // Room for all of it: a buffer that grows leaves copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LONGEST_TOKEN));
    serde_json::to_writer(&mut *bytes, &wire).expect("strings and integers always serialize");
    bytes
}

/// Reads a record back, or tells why it is not ours to use: damage, another version, another key.
pub fn from_bytes<K, R>(key: &K, bytes: &[u8]) -> Result<R, &'static str>
where
    K: PartialEq + for<'de> Deserialize<'de>,
    R: for<'de> Deserialize<'de>,
{
    let (stored, record): (K, R) = open(bytes)?;
    if stored == *key { Ok(record) } else { Err("it is about something else") }
}

/// Reads a record whatever its key; fails for damage and for another version.
pub fn record_of<R: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<R, &'static str> {
    let (IgnoredAny, record): (IgnoredAny, R) = open(bytes)?;
    Ok(record)
}

/// Reads the key of a record, whatever the record; fails for damage and for another version.
pub fn key_of<K: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<K, &'static str> {
    let (key, IgnoredAny): (K, IgnoredAny) = open(bytes)?;
    Ok(key)
}

fn open<K, R>(bytes: &[u8]) -> Result<(K, R), &'static str>
where
    K: for<'de> Deserialize<'de>,
    R: for<'de> Deserialize<'de>,
{
    let wire: Record<K, R> = serde_json::from_slice(bytes).map_err(|_| "it is damaged")?;
    if wire.version == VERSION {
        Ok((wire.key, wire.record))
    } else {
        Err("it is of another version")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_only_under_its_key_and_version() {
        let wire = to_bytes(&"key", &7);
        assert_eq!(std::str::from_utf8(&wire).unwrap(), r#"{"version":1,"key":"key","record":7}"#);
        let read = |bytes: &[u8]| from_bytes::<String, u8>(&"key".to_owned(), bytes);
        assert_eq!(read(&wire), Ok(7));
        assert_eq!(
            read(br#"{"version":1,"key":"other","record":7}"#),
            Err("it is about something else")
        );
        assert_eq!(
            read(br#"{"version":99,"key":"key","record":7}"#),
            Err("it is of another version")
        );
        for bytes in ["", "{}", "null", "\0", r#"{"version":1,"key":"key"}"#] {
            assert_eq!(read(bytes.as_bytes()), Err("it is damaged"), "{bytes:?}");
        }
    }
}
