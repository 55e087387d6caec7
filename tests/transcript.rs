//! The forms that an answer may have, as methods of the command that ran. Knows no wording of
//! messages other than the stable names in brackets.

use std::fmt::Debug;
use std::ops::RangeBounds;
use std::time::Duration;

use crate::town::{Ran, Town};

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_git-credential-gastown");
pub(crate) const REPOSITORY: &str = "acme/app";
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// After this no replication lag explains a refusal, and no hint counts.
pub(crate) const A_WHILE: Duration = Duration::from_secs(120);

/// A whole answer to a client that keeps no state, with no expiry known.
pub(crate) fn credential(token: &str) -> String {
    format!("username=x-access-token\npassword={token}\n")
}

impl Ran {
    /// The value of a key in an answer.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let mut pairs = self.stdout.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The token in an answer, which must be there, whatever else was said.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        self.assert_proper();
        self.value("password").unwrap_or_else(|| panic!("no token\n{self:?}")).to_owned()
    }

    /// This on stdout, and not a word beside it.
    #[track_caller]
    pub(crate) fn prints(&self, stdout: &str) -> &Self {
        assert_eq!((self.code, &*self.stdout, &*self.stderr), (0, stdout, ""), "{self:?}");
        self
    }

    /// An answer with this token, and not a word beside it.
    #[track_caller]
    pub(crate) fn answers(&self, token: &str) -> &Self {
        assert_eq!((&*self.token(), &*self.stderr), (token, ""), "{self:?}");
        self
    }

    /// An answer with this token, and one warning of this name.
    #[track_caller]
    pub(crate) fn warns(&self, token: &str, name: &str) -> &Self {
        assert_eq!(self.token(), token, "{self:?}");
        self.says("warning", &format!("[{name}]"))
    }

    /// An answer with this token, and one warning with one of these words.
    #[track_caller]
    pub(crate) fn warns_of(&self, token: &str, words: &[&str]) -> &Self {
        assert!(words.iter().any(|it| self.stderr.contains(it)), "none of {words:?}\n{self:?}");
        assert_eq!(self.token(), token, "{self:?}");
        self.says("warning", "")
    }

    /// No answer: git is told to quit, and a person in one line why, with the stable name and the
    /// chain of what was tried.
    #[track_caller]
    pub(crate) fn quits(&self, name: &str) -> &Self {
        self.assert_proper();
        assert_eq!((self.code, &*self.stdout), (1, "quit=1\n"), "{self:?}");
        self.says("error", &format!("[{name}]")).mentions("; tried: ")
    }

    #[track_caller]
    fn says(&self, kind: &str, words: &str) -> &Self {
        let start = format!("git-credential-gastown: {kind}: ");
        assert!(self.stderr.starts_with(&start), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "one line is enough\n{self:?}");
        self.mentions(words)
    }

    /// One line of ours, whatever git says beside it, and these words.
    #[track_caller]
    pub(crate) fn warned(&self, words: &[&str]) -> &Self {
        assert_eq!(self.warnings().len(), 1, "{self:?}");
        for word in words {
            self.mentions(word);
        }
        self
    }

    /// What the program said, also where git passes it on.
    pub(crate) fn warnings(&self) -> Vec<&str> {
        let lines = self.stderr.lines();
        lines.filter(|line| line.starts_with("git-credential-gastown: ")).collect()
    }

    #[track_caller]
    pub(crate) fn mentions(&self, words: &str) -> &Self {
        assert!(self.stderr.contains(words), "`{words}` is missing\n{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn never_says(&self, words: &str) -> &Self {
        assert!(!self.stderr.contains(words), "`{words}` is said\n{self:?}");
        self
    }

    /// On stdout, as commands for people do.
    #[track_caller]
    pub(crate) fn tells(&self, words: &str) -> &Self {
        assert!(self.stdout.contains(words), "`{words}` is missing\n{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn never_tells(&self, words: &str) -> &Self {
        assert!(!self.stdout.contains(words), "`{words}` is told\n{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn within(&self, time: impl RangeBounds<Duration> + Debug) -> &Self {
        assert!(time.contains(&self.took), "not in {time:?}\n{self:?}");
        self
    }

    /// A whole answer or none, no panic, nothing that never ends, no secret but on stdout.
    #[track_caller]
    pub(crate) fn assert_proper(&self) -> &Self {
        let Self { code, stdout, stderr, .. } = self;
        let keys: Vec<_> = stdout.lines().filter_map(|it| Some(it.split_once('=')?.0)).collect();
        let keys: Vec<_> = keys.into_iter().filter(|key| *key != "password_expiry_utc").collect();
        match (code, &keys[..]) {
            (0, [] | ["username", "password"])
            | (0, ["capability[]", "username", "password", "state[]"])
            | (0, ["capability[]", "username", "password", "state[]", "continue"])
            | (1, ["quit"]) => {}
            _ => panic!("neither an answer nor none\n{self:?}"),
        }
        assert!(stdout.is_empty() || stdout.ends_with('\n'), "half an answer\n{self:?}");
        for secret in ["ghs_", "eyJ", "panicked", "RUST_BACKTRACE", "stack backtrace"] {
            self.never_says(secret);
        }
        assert!(stderr.lines().all(|line| line.len() < 700), "too long to be read\n{self:?}");
        self
    }
}

/// A request for the stand-in GitHub, as git 2.39 words it.
pub(crate) fn request(town: &Town) -> String {
    format!("protocol=http\nhost={}\n\n", town.github.host())
}
