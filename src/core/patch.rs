//! How to make a file what it was before: which lines of the present content to take, and what to
//! put between them. Holds no line that is still in the file, because that may be somebody's secret.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The way back from one content to the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Digest of the content that it applies to, and no other.
    after: String,
    /// Digest of the result, so that a damaged patch has none.
    before: String,
    pieces: Vec<Piece>,
    /// Whether the last line ends without the newline that git has given it since.
    #[serde(default)]
    unended: bool,
}

/// The content before is these, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Piece {
    /// Lines of the content that the patch applies to.
    Lines { from: usize, count: usize },
    /// Other bytes, in base64.
    Text(String),
}

/// Leads from each recorded content of a file back to its content before the first change.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct WayBack {
    /// Whether there was a file before.
    was_there: bool,
    /// Empty if another program changed the file between two recorded changes.
    patches: Vec<Patch>,
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
            self.patches.clear();
        }
        if let Some(origin) = origin {
            self.was_there = origin.is_some();
            self.patches.push(Patch::back(after, &origin.unwrap_or_default()));
        }
        Ok(())
    }

    /// What was there before the first change, which may be no file, if `now` is that or a content
    /// that the file was given.
    ///
    /// # Errors
    /// If the way back is damaged.
    pub fn origin(&self, now: &[u8]) -> Result<Option<Option<Vec<u8>>>, Damaged> {
        let Some(way) = self.patches.iter().find(|way| way.is_for(now)) else { return Ok(None) };
        let origin = way.apply(now).ok_or(Damaged)?;
        Ok(Some(self.was_there.then_some(origin)))
    }
}

impl Patch {
    pub fn back(after: &[u8], before: &[u8]) -> Self {
        let lines = lines(after);
        let first: HashMap<_, _> =
            lines.iter().enumerate().rev().map(|(index, line)| (*line, index)).collect();
        let last = self::lines(before).pop();
        let unended = last.is_some_and(|last| !last.ends_with(b"\n") && !first.contains_key(last));
        let ended = [before, if unended { b"\n" } else { b"" }].concat();
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        for line in self::lines(&ended) {
            let Some(first) = first.get(line) else {
                text.extend_from_slice(line);
                continue;
            };
            flush(&mut text, &mut pieces);
            match pieces.last_mut() {
                Some(Piece::Lines { from, count }) if lines.get(*from + *count) == Some(&line) => {
                    *count += 1;
                }
                _ => pieces.push(Piece::Lines { from: *first, count: 1 }),
            }
        }
        flush(&mut text, &mut pieces);
        Self { after: digest(after), before: digest(before), pieces, unended }
    }

    /// Whether the content is that after the change, or before it already.
    pub fn is_for(&self, content: &[u8]) -> bool {
        [&self.after, &self.before].contains(&&digest(content))
    }

    /// What was before; `None` if this is not the content that it was made for, or it is damaged.
    pub fn apply(&self, content: &[u8]) -> Option<Vec<u8>> {
        if digest(content) != self.after {
            return (digest(content) == self.before).then(|| content.to_vec());
        }
        let lines = lines(content);
        let mut before = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Lines { from, count } => {
                    before.extend(lines.get(*from..from.checked_add(*count)?)?.concat());
                }
                Piece::Text(text) => before.extend(STANDARD.decode(text).ok()?),
            }
        }
        if self.unended {
            before.pop();
        }
        (digest(&before) == self.before).then_some(before)
    }
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

fn flush(text: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !text.is_empty() {
        pieces.push(Piece::Text(STANDARD.encode(std::mem::take(text))));
    }
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

    #[test]
    fn it_leads_back_to_the_byte() {
        for (before, after) in [
            ("", "abc"),
            ("abc", ""),
            ("abc", "abc"),
            ("aaa", "aaaaa"),
            ("one\ntwo\n", "one\n\thelper =\ntwo\nthree"),
            ("a\nb\nc\nd\ne\n", "a\nx\nc\ny\ne\nz"),
            ("a\nx\nc\ny\ne\nz", "a\nb\nc\nd\ne\n"),
            ("a\na\nb\n", "b\na\na\n"),
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
        assert_eq!(patch.apply(b"before"), Some(b"before".to_vec()), "it is undone already");
    }

    #[test]
    fn it_holds_no_line_that_is_still_there_even_if_it_moved() {
        let (before, after) = ("x\na\nsecret\nb\n", "a\nsecret\nx\ny\n");
        let patch = Patch::back(after.as_bytes(), before.as_bytes());
        let text =
            |piece: &Piece| matches!(piece, Piece::Text(text) if *text != STANDARD.encode("b\n"));
        assert!(!patch.pieces.iter().any(text), "{patch:?}");
        let patch = Patch::back(b"secret\nx\n", b"secret");
        assert_eq!(patch.pieces, [Piece::Lines { from: 0, count: 1 }]);
        assert_eq!(patch.apply(b"secret\nx\n"), Some(b"secret".to_vec()));
    }

    #[test]
    fn a_damaged_one_applies_to_nothing() {
        let patch = Patch::back(b"after\n", b"before\nafter\n");
        for piece in [
            Piece::Lines { from: 0, count: usize::MAX },
            Piece::Lines { from: usize::MAX, count: 1 },
            Piece::Lines { from: 0, count: 2 },
            Piece::Text("?".to_owned()),
            Piece::Text(STANDARD.encode("b3fore\n")),
        ] {
            let damaged = Patch { pieces: vec![piece], ..patch.clone() };
            assert_eq!(damaged.apply(b"after\n"), None);
        }
    }
}
