//! The helper lines of one key in one file, changed through git: ours with the empty line before
//! it, beside whatever else somebody has put there.

use std::path::Path;

use git_credential_gastown::failure::Failure;
use git_credential_gastown::helper_line::{Kind, kind};

use crate::files::keeping_owner;
use crate::git::Git;

pub(super) struct Helpers<'a> {
    pub git: &'a Git,
    pub file: &'a Path,
    pub key: &'a str,
}

impl Helpers<'_> {
    /// In the order of the file, without what it includes.
    pub(super) fn values(&self) -> Result<Vec<String>, Failure> {
        let lines = self.git.lines_of(self.file, false)?.into_iter();
        Ok(lines.filter(|line| line.key == self.key).map(|line| line.value).collect())
    }

    pub(super) fn append_ours(&self, line: &str) -> Result<(), Failure> {
        self.change(&["--add", self.key, ""])?;
        self.change(&["--add", self.key, line])
    }

    pub(super) fn has_ours(&self) -> Result<bool, Failure> {
        Ok(self.values()?.iter().any(|value| kind(value) == Kind::Ours))
    }

    /// Takes out what is ours; whether there was anything.
    pub(super) fn remove_ours(&self) -> Result<bool, Failure> {
        let values = self.values()?;
        let rest = without_ours(&values);
        if rest.len() == values.len() {
            return Ok(false);
        }
        self.reduce_to(&values, &rest)?;
        Ok(true)
    }

    /// Line by line where git can tell the lines apart, so that comments stay; else all anew.
    fn reduce_to(&self, values: &[String], rest: &[String]) -> Result<(), Failure> {
        if rest.is_empty() {
            return self.change(&["--unset-all", self.key]);
        }
        let is_empty = |value: &&String| value.is_empty();
        let left = rest.iter().filter(is_empty).count();
        if left == 0 || left == values.iter().filter(is_empty).count() {
            for value in values.iter().filter(|value| kind(value) == Kind::Ours) {
                // The same value twice is gone after the first time.
                if self.values()?.contains(value) {
                    self.change(&["--fixed-value", "--unset-all", self.key, value])?;
                }
            }
            if left == 0 && values.iter().any(String::is_empty) {
                self.change(&["--unset-all", self.key, "^$"])?;
            }
            return Ok(());
        }
        self.change(&["--unset-all", self.key])?;
        rest.iter().try_for_each(|value| self.change(&["--add", self.key, value]))
    }

    pub(super) fn change(&self, arguments: &[&str]) -> Result<(), Failure> {
        keeping_owner(self.file, || self.git.config(self.file, arguments)).map(drop)
    }
}

/// The values without ours, and without the empty one directly before each of ours.
fn without_ours(values: &[String]) -> Vec<String> {
    let mut rest: Vec<String> = Vec::new();
    for value in values {
        if kind(value) != Kind::Ours {
            rest.push(value.clone());
        } else if rest.last().is_some_and(String::is_empty) {
            rest.pop();
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_goes_with_the_empty_line_before_it_and_nothing_else() {
        let rest = |values: &[&str]| {
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            without_ours(&values).join(",")
        };
        assert_eq!(rest(&["", "gastown"]), "");
        assert_eq!(rest(&["store", "", "/x/git-credential-gastown --rig r"]), "store");
        assert_eq!(rest(&["", "cache", "", "gastown", "store"]), ",cache,store");
        assert_eq!(rest(&["gastown", "store"]), "store");
        assert_eq!(rest(&["", "store"]), ",store");
    }
}
