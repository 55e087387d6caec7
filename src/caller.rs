//! Who asks: git's own transport, another git command, or a program that is not git. Recognised by
//! the names of the processes above this one, in `/proc`; without `/proc` the caller is unknown.

#![expect(clippy::disallowed_methods, reason = "the one place that looks at other processes")]

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::parent_id;

use git_credential_gastown::protocol::Request;

/// How many shells between a client and its helper are looked through.
const MOST_ANCESTORS: usize = 8;
/// How many processes to look at above another program: git, and the shell that git runs.
const BEHIND_ANOTHER: usize = 2;
/// Clients run a helper through a shell.
const SHELLS: [&str; 5] = ["sh", "bash", "dash", "ash", "busybox"];

/// The program that wants the credential. Looked up on first use.
pub(crate) struct Caller {
    /// Whether the request has `capability[]`, as that of git ≥ 2.46 does.
    has_capabilities: bool,
    found: OnceCell<Found>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// `git-remote-http(s)`: keeps our `state[]` and asks again within its command.
    Transport,
    /// Another git command, as `git credential fill`, by its process id.
    Git(u32),
    /// A program that runs credential helpers by itself, as libgit2 does.
    Other,
    Unknown,
}

impl Caller {
    pub(crate) fn of(request: &Request) -> Self {
        Self { has_capabilities: request.has_capabilities(), found: OnceCell::new() }
    }

    /// A person or a script: asking again means nothing.
    pub(crate) fn by_hand() -> Self {
        Self { has_capabilities: true, found: OnceCell::from(Found::Unknown) }
    }

    /// Whether git's own transport asks.
    pub(crate) fn is_transport(&self) -> bool {
        self.found() == Found::Transport
    }

    /// Whether it neither keeps state nor erases, as libgit2: that it asks again soon is then the
    /// only hint of a refusal.
    pub(crate) fn never_reports_refusals(&self) -> bool {
        !self.has_capabilities && self.found() == Found::Other
    }

    /// Whether it runs `git credential …`, as git-lfs does, and after a refusal asks again by itself.
    pub(crate) fn asks_again(&self) -> bool {
        matches!(self.found(), Found::Git(id) if has_argument(id, b"credential"))
    }

    /// Names the git-lfs that runs `git credential …`; `None` if none does. Another program may go on
    /// to other repositories, and its end is its own business.
    pub(crate) fn git_lfs(&self) -> Option<String> {
        let Found::Git(id) = self.found() else { return None };
        let mut id = Process::read(id)?.parent()?;
        for _ in 0..MOST_ANCESTORS {
            let process = Process::read(id)?;
            if !SHELLS.contains(&process.name.as_str()) {
                let name = format!("{id}@{}", process.started()?);
                return process.name.starts_with("git-lfs").then_some(name);
            }
            id = process.parent()?;
        }
        None
    }

    fn found(&self) -> Found {
        *self.found.get_or_init(look)
    }
}

/// The nearest process above this one that is neither a shell nor the git that was only run to
/// start this program. Reads one short file for each process. Any other program is a client without
/// git, or only starts this one for git, as `timeout` does in a helper line.
fn look() -> Found {
    let (mut id, mut left, mut passed_by) = (parent_id(), MOST_ANCESTORS, None);
    while left > 0
        && let Some(process) = Process::read(id)
    {
        left -= 1;
        match process.name.as_str() {
            // The kernel cuts names after 15 bytes, so `git-remote-https` reads the same.
            "git-remote-http" => return Found::Transport,
            name if SHELLS.contains(&name) => {}
            // `git credential-gastown …`, which git runs for the helper `gastown`.
            "git" if has_argument(id, b"credential-gastown") => {}
            "git" if passed_by.is_none() || has_argument(id, b"credential") => {
                return Found::Git(id);
            }
            name if name.starts_with("git-") && passed_by.is_none() => return Found::Git(id),
            _ if passed_by.is_some() => break,
            _ => (left, passed_by) = (BEHIND_ANOTHER, Some(Found::Other)),
        }
        let Some(parent) = process.parent() else { break };
        id = parent;
    }
    passed_by.unwrap_or(Found::Unknown)
}

/// As `/proc/ID/stat` has it: `ID (NAME) STATE PARENT …`. See proc(5).
struct Process {
    name: String,
    /// What follows the name.
    words: Vec<u8>,
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        // Room for all words that are read, so that one call has them.
        let mut stat = [0; 1024];
        let count = File::open(format!("/proc/{id}/stat")).ok()?.read(&mut stat).ok()?;
        Self::parse(&stat[..count])
    }

    /// The name may hold anything, brackets too.
    fn parse(stat: &[u8]) -> Option<Self> {
        let begins = stat.iter().position(|byte| *byte == b'(')?;
        let ends = stat.iter().rposition(|byte| *byte == b')')?;
        let name = String::from_utf8_lossy(stat.get(begins + 1..ends)?).into_owned();
        Some(Self { name, words: stat[ends + 1..].to_vec() })
    }

    fn parent(&self) -> Option<u32> {
        self.word(4)?.parse().ok()
    }

    /// Its start, which tells it from another process of the same id.
    fn started(&self) -> Option<&str> {
        self.word(22)
    }

    /// By its number in proc(5).
    fn word(&self, number: usize) -> Option<&str> {
        let word = self.words.split(|byte| byte.is_ascii_whitespace()).nth(number - 2)?;
        std::str::from_utf8(word).ok()
    }
}

fn has_argument(id: u32, argument: &[u8]) -> bool {
    let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).skip(1).any(|word| word == argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let rest = (5..=30).map(|word: u32| word.to_string()).collect::<Vec<_>>().join(" ");
        let process = Process::parse(format!("7 (a) (b c) S 42 {rest}\n").as_bytes()).unwrap();
        assert_eq!((&*process.name, process.parent()), ("a) (b c", Some(42)));
        assert_eq!(process.started(), Some("22"));
        for stat in ["7 (a) S", "7 (a) S x", "7 (a)"] {
            assert_eq!(Process::parse(stat.as_bytes()).unwrap().parent(), None, "{stat}");
        }
        for stat in ["", "7 (a", "7 )a("] {
            assert!(Process::parse(stat.as_bytes()).is_none(), "{stat}");
        }
    }

    #[test]
    fn this_process_is_there_to_be_read() {
        let process = Process::read(std::process::id()).unwrap();
        assert_eq!(process.parent(), Some(parent_id()));
        assert!(Process::read(0).is_none());
    }
}
