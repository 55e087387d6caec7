//! How to make a file what it was before: the lines that differ, and where they belong. Keeps no
//! copy of any other line, which may hold other people's secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Files with more lines than this between the first and the last difference are one hunk.
const MOST_LINES: usize = 2000;

/// The way back from one content to the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Names the content that it applies to, and no other.
    after: String,
    /// What it leads to, so that a damaged one leads nowhere.
    before: String,
    /// In order, without overlap.
    hunks: Vec<Hunk>,
}

/// Lines of the content that are others in the one before it. Counted without those of earlier
/// hunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hunk {
    /// So many lines stay first.
    keep: usize,
    /// So many lines then go.
    skip: usize,
    /// In their place, in base64.
    lines: String,
}

impl Patch {
    pub fn back(after: &[u8], before: &[u8]) -> Self {
        let (new, old) = (lines(after), lines(before));
        let head = new.iter().zip(&old).take_while(|(a, b)| a == b).count();
        let rests = new[head..].iter().rev().zip(old[head..].iter().rev());
        let tail = rests.take_while(|(a, b)| a == b).count();
        let hunks = compare(&new[head..new.len() - tail], &old[head..old.len() - tail], head);
        Self { after: digest(after), before: digest(before), hunks }
    }

    pub fn is_for(&self, after: &[u8]) -> bool {
        digest(after) == self.after
    }

    /// What was before; `None` if this is not the content that it was made for, or it is damaged.
    pub fn apply(&self, after: &[u8]) -> Option<Vec<u8>> {
        if !self.is_for(after) {
            return None;
        }
        let mut rest = lines(after).into_iter();
        let mut before = Vec::new();
        for Hunk { keep, skip, lines } in &self.hunks {
            for _ in 0..*keep {
                before.extend_from_slice(rest.next()?);
            }
            for _ in 0..*skip {
                rest.next()?;
            }
            before.extend(STANDARD.decode(lines).ok()?);
        }
        rest.for_each(|line| before.extend_from_slice(line));
        (digest(&before) == self.before).then_some(before)
    }
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// The hunks between two stretches that differ at both ends, by their longest common subsequence.
fn compare(new: &[&[u8]], old: &[&[u8]], head: usize) -> Vec<Hunk> {
    let encode = |lines: &[&[u8]]| STANDARD.encode(lines.concat());
    if new.is_empty() && old.is_empty() {
        return Vec::new();
    }
    if new.len().max(old.len()) > MOST_LINES {
        return vec![Hunk { keep: head, skip: new.len(), lines: encode(old) }];
    }
    // How many lines the rests from here on have in common.
    let mut common = vec![vec![0_u32; old.len() + 1]; new.len() + 1];
    for (i, a) in new.iter().enumerate().rev() {
        for (j, b) in old.iter().enumerate().rev() {
            common[i][j] = match a == b {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut keep) = (0, 0, head);
    let mut hunks = Vec::new();
    while i < new.len() || j < old.len() {
        let (from, since) = (i, j);
        while i < new.len() && (j == old.len() || common[i][j] == common[i + 1][j]) {
            i += 1;
        }
        while j < old.len() && (i == new.len() || common[i][j] == common[i][j + 1]) {
            j += 1;
        }
        if (i, j) == (from, since) {
            (i, j, keep) = (i + 1, j + 1, keep + 1);
        } else {
            hunks.push(Hunk { keep, skip: i - from, lines: encode(&old[since..j]) });
            keep = 0;
        }
    }
    hunks
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
    }

    #[test]
    fn it_keeps_nothing_of_what_did_not_change() {
        let (before, after) = ("a\ntoken = secret\nb\n", "a\nx\ntoken = secret\nb\ny\n");
        let patch = Patch::back(after.as_bytes(), before.as_bytes());
        assert_eq!(patch.hunks.len(), 2);
        assert!(patch.hunks.iter().all(|hunk| hunk.lines.is_empty()), "{patch:?}");
    }

    #[test]
    fn a_damaged_one_applies_to_nothing() {
        let mut patch = Patch::back(b"after", b"before");
        patch.hunks[0].keep = usize::MAX;
        assert_eq!(patch.apply(b"after"), None);
        patch.hunks[0] = Hunk { keep: 0, skip: 1, lines: STANDARD.encode("b3fore") };
        assert_eq!(patch.apply(b"after"), None);
        patch.hunks[0] = Hunk { keep: 0, skip: 9, lines: "?".to_owned() };
        assert_eq!(patch.apply(b"after"), None);
    }
}
