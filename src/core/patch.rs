//! How to make a file what it was before: which lines of the present content to take, and what to
//! put between them. Holds no line that is still in the file, because that may be somebody's secret.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Leads from each recorded content of a file back to its content before the first change. Without
/// patches if another program changed the file between two recorded changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WayBack {
    /// Whether there was a file before.
    was_there: bool,
    /// Digest of the content before the first change, so that nothing else is ever restored.
    before: String,
    patches: Vec<Patch>,
}

/// Turns one recorded content into the content before the first change.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Patch {
    /// Digest of the content that it applies to, and no other.
    after: String,
    /// The lines of the content before, in order.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Piece {
    /// A line of the content that the patch applies to.
    Line(usize),
    /// Another line, in base64.
    Text(String),
}

/// The record was altered and cannot be applied.
#[derive(Debug)]
pub struct Damaged;

impl WayBack {
    /// Records a change that is about to be made. `is_first` if no earlier one is in the file.
    ///
    /// # Errors
    /// If the way back from `before` is damaged.
    pub fn record(
        &mut self,
        before: Option<&[u8]>,
        after: &[u8],
        is_first: bool,
    ) -> Result<(), Damaged> {
        let origin = match is_first {
            true => Some(before.map(<[u8]>::to_vec)),
            false => self.origin(before.unwrap_or_default())?,
        };
        if is_first || origin.is_none() {
            *self = Self::default();
        }
        if let Some(origin) = origin {
            self.was_there = origin.is_some();
            let origin = origin.unwrap_or_default();
            self.before = digest(&origin);
            self.patches.push(Patch::back(after, &origin));
        }
        Ok(())
    }

    /// What was there before the first change, which may be no file, if `now` is that or a content
    /// that the file was given.
    ///
    /// # Errors
    /// If the way back is damaged.
    pub fn origin(&self, now: &[u8]) -> Result<Option<Option<Vec<u8>>>, Damaged> {
        let digest_now = digest(now);
        let origin = if digest_now == self.before {
            now.to_vec()
        } else if let Some(patch) = self.patches.iter().find(|patch| patch.after == digest_now) {
            let origin = patch.apply(now).filter(|origin| digest(origin) == self.before);
            origin.ok_or(Damaged)?
        } else {
            return Ok(None);
        };
        Ok(Some(self.was_there.then_some(origin)))
    }
}

impl Patch {
    fn back(after: &[u8], before: &[u8]) -> Self {
        let indices: HashMap<_, _> =
            lines(after).into_iter().enumerate().map(|(index, line)| (line, index)).collect();
        let piece = |line| match indices.get(line) {
            Some(index) => Piece::Line(*index),
            None => Piece::Text(STANDARD.encode(line)),
        };
        Self { after: digest(after), pieces: lines(before).into_iter().map(piece).collect() }
    }

    /// `None` if it is damaged.
    fn apply(&self, content: &[u8]) -> Option<Vec<u8>> {
        let lines = lines(content);
        let line = |piece: &Piece| match piece {
            Piece::Line(index) => Some(lines.get(*index)?.to_vec()),
            Piece::Text(text) => STANDARD.decode(text).ok(),
        };
        let before: Option<Vec<_>> = self.pieces.iter().map(line).collect();
        Some(before?.join(&b'\n'))
    }
}

/// The last one is empty if the content ends in a newline, so that joining them restores the end.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split(|byte| *byte == b'\n').collect()
}

fn digest(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_content_leads_back_to_the_first() {
        for first in [Some(&b"mine\n"[..]), None] {
            let mut way = WayBack::default();
            way.record(first, b"one", true).unwrap();
            way.record(Some(b"one"), b"two", false).unwrap();
            for now in [&b"one"[..], b"two"] {
                assert_eq!(way.origin(now).unwrap(), Some(first.map(<[u8]>::to_vec)));
            }
            assert_eq!(way.origin(b"theirs").unwrap(), None);
            way.record(Some(b"theirs"), b"three", false).unwrap();
            assert_eq!(way.origin(b"three").unwrap(), None, "somebody else has changed it");
        }
    }
}
