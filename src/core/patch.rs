//! How to make a file what it was before: the one stretch of bytes that differs. Keeps no copy of
//! the rest, which may hold other people's secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The way back from one content to the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Names the content that it applies to, and no other.
    after: String,
    head: usize,
    tail: usize,
    /// What was between head and tail, in base64.
    middle: String,
}

impl Patch {
    pub fn back(after: &[u8], before: &[u8]) -> Self {
        let same = |(a, b): &(&u8, &u8)| a == b;
        let head = before.iter().zip(after).take_while(same).count();
        let (rest_before, rest_after) = (&before[head..], &after[head..]);
        let backwards = rest_before.iter().rev().zip(rest_after.iter().rev());
        let tail = backwards.take_while(same).count();
        let middle = STANDARD.encode(&rest_before[..rest_before.len() - tail]);
        Self { after: digest(after), head, tail, middle }
    }

    /// What was before; `None` if this is not the content that it was made for.
    pub fn apply(&self, after: &[u8]) -> Option<Vec<u8>> {
        if digest(after) != self.after || self.head + self.tail > after.len() {
            return None;
        }
        let (head, tail) = (&after[..self.head], &after[after.len() - self.tail..]);
        let middle = STANDARD.decode(&self.middle).ok()?;
        Some([head, &middle, tail].concat())
    }
}

fn digest(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_leads_back_to_the_byte() {
        for (before, after) in [
            ("", "abc"),
            ("abc", ""),
            ("abc", "abc"),
            ("aaa", "aaaaa"),
            ("one\ntwo\n", "one\n\thelper =\ntwo\nthree"),
            ("abcabc", "abc"),
        ] {
            let patch = Patch::back(after.as_bytes(), before.as_bytes());
            assert_eq!(patch.apply(after.as_bytes()), Some(before.into()), "{before:?} {after:?}");
        }
    }

    #[test]
    fn it_does_not_apply_to_anything_else() {
        let patch = Patch::back(b"after", b"before");
        assert_eq!(patch.apply(b"After"), None);
        assert_eq!(patch.apply(b""), None);
    }

    #[test]
    fn it_keeps_nothing_of_what_did_not_change() {
        let patch = Patch::back(b"token = secret\nhelper = x\n", b"token = secret\n");
        assert_eq!(patch.middle, "");
    }
}
