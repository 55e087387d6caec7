//! Who asks: git's own transport, another git command, or a program that is not git. Told by the
//! names of the processes above this one; where the kernel does not tell, nobody knows.

#![expect(clippy::disallowed_methods, reason = "the one place that looks at other processes")]

use std::fs;
use std::os::unix::process::parent_id;

/// Shells and wrappers between a client and its helper; nobody stacks more.
const MOST_ANCESTORS: usize = 8;

/// The program that wants the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// `git-remote-http(s)`: keeps our state and asks again within its command.
    Transport,
    /// Another git command, as `git credential fill`, by whomever it was run.
    Git,
    /// A program with a credential protocol of its own, as libgit2.
    Other,
    Unknown,
}

impl Caller {
    /// The nearest process above this one that is neither a shell nor the git that was only run to
    /// start this program. Reads one short file where that is the parent.
    pub(crate) fn look() -> Self {
        let mut id = parent_id();
        for _ in 0..MOST_ANCESTORS {
            let Some(name) = name_of(id) else { return Self::Unknown };
            match name.as_str() {
                // The kernel cuts names after 15 bytes: `https` is the same.
                "git-remote-http" => return Self::Transport,
                "sh" | "bash" | "dash" | "ash" | "busybox" => {}
                "git" if is_our_starter(id) => {}
                name if name == "git" || name.starts_with("git-") => return Self::Git,
                _ => return Self::Other,
            }
            let Some(parent) = parent_of(id) else { return Self::Unknown };
            id = parent;
        }
        Self::Unknown
    }
}

fn name_of(id: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
    Some(name.trim_end_matches('\n').to_owned())
}

fn parent_of(id: u32) -> Option<u32> {
    parent_in(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// `ID (NAME) STATE PARENT …`; the name may hold anything, brackets too.
fn parent_in(stat: &str) -> Option<u32> {
    let rest = stat.get(stat.rfind(')')? + 1..)?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Whether it is `git credential-gastown …`, which git runs for the helper `gastown`.
fn is_our_starter(id: u32) -> bool {
    let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).skip(1).any(|word| word == b"credential-gastown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        assert_eq!(parent_in("7 (a) (b c) S 42 7 7 0 -1"), Some(42));
        for stat in ["", "7 (a", "7 (a) S", "7 (a) S x"] {
            assert_eq!(parent_in(stat), None, "{stat}");
        }
    }

    #[test]
    fn this_process_is_there_to_be_read() {
        assert_eq!(parent_of(std::process::id()), Some(parent_id()));
        assert!(name_of(std::process::id()).is_some());
        assert_eq!(name_of(0), None);
    }
}
