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

/// A process, as `/proc/PID/stat` has it.
struct Process {
    id: u32,
    name: String,
    parent: u32,
}

impl Caller {
    /// Looks upwards, past shells, past wrappers, and past the git that was only run to start this
    /// program. Of several programs the nearest is the caller, unless git's transport runs it.
    pub(crate) fn look() -> Self {
        let mut id = parent_id();
        let mut nearest = Self::Unknown;
        for _ in 0..MOST_ANCESTORS {
            let Some(process) = Process::read(id) else { break };
            match process.name.as_str() {
                // The kernel cuts names after 15 bytes: `https` is the same.
                "git-remote-http" => return Self::Transport,
                "sh" | "bash" | "dash" | "ash" | "busybox" => {}
                "git" if process.is_our_starter() => {}
                name if name == "git" || name.starts_with("git-") => {
                    return if nearest == Self::Unknown { Self::Git } else { nearest };
                }
                _ => nearest = Self::Other,
            }
            id = process.parent;
        }
        nearest
    }
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        Self::parse(id, &fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// `ID (NAME) STATE PARENT …`; the name may hold anything, brackets too.
    fn parse(id: u32, stat: &str) -> Option<Self> {
        let (front, back) = (stat.find('(')?, stat.rfind(')')?);
        let parent = stat.get(back + 1..)?.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(Self { id, name: stat.get(front + 1..back)?.to_owned(), parent })
    }

    /// Whether it is `git credential-gastown …`, which git runs for the helper `gastown`.
    fn is_our_starter(&self) -> bool {
        let command = fs::read(format!("/proc/{}/cmdline", self.id)).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0).skip(1);
        words.any(|word| word == b"credential-gastown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let process = Process::parse(7, "7 (a) (b c) S 42 7 7 0 -1").unwrap();
        assert_eq!((process.name.as_str(), process.parent), ("a) (b c", 42));
        for stat in ["", "7 (a", "7 (a) S", "7 (a) S x"] {
            assert!(Process::parse(7, stat).is_none(), "{stat}");
        }
    }

    #[test]
    fn this_process_is_there_to_be_read() {
        let process = Process::read(std::process::id()).unwrap();
        assert_eq!(process.parent, parent_id());
    }
}
