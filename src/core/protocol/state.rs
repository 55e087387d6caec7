//! The `state[]` that a client keeps between the asks of one command (git ≥ 2.46, git-lfs ≥ 3.6),
//! and what its return says about the answer before. It holds the beginning of the hash of the
//! token that was handed out, never the token; whether the first ask came with a user name; and
//! whether the token was already the second one.
//!
//! <https://git-scm.com/docs/git-credential#IOFMT>

use super::{Continuation, Request, TOKEN_USER};
use crate::token::Secret;

const OURS: &str = "gastown:";
const SECOND: &str = ":again";
/// The first ask came with a user name, so that one in a later ask proves nothing.
const NAMED: &str = "u:";

/// A token that was handed out, by the beginning of its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    hash_prefix: String,
    /// Whether it was handed out after another had been refused.
    pub is_second: bool,
    was_named: bool,
}

impl Handed {
    /// Our state in a request; other helpers' states are not ours to read.
    pub fn of(request: &Request) -> Option<Self> {
        let ours = |state| std::str::from_utf8(state).ok()?.strip_prefix(OURS);
        let text = request.states().filter_map(ours).last()?;
        let (text, is_second) = match text.strip_suffix(SECOND) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (text, was_named) = match text.strip_prefix(NAMED) {
            Some(text) => (text, true),
            None => (text, false),
        };
        Some(Self { hash_prefix: text.to_owned(), is_second, was_named })
    }

    pub fn is(&self, token: &Secret) -> bool {
        token.hash().prefix() == self.hash_prefix
    }
}

/// What a request tells of the answer before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A first ask, or a client that keeps no state. With or without a user name.
    Nothing { is_named: bool },
    /// git after a 401: it kept our user name, so the refusal is certain.
    Refused(Handed),
    /// git-lfs sends the state on every further ask, refused or not, and one transfer sends that of
    /// another; and where the URL has a user name, a user name proves nothing.
    Doubted(Handed),
}

impl Report {
    /// Of an ask without a state and without a user name.
    pub const NOTHING: Self = Self::Nothing { is_named: false };

    pub fn of(request: &Request) -> Self {
        match Handed::of(request) {
            None => Self::Nothing { is_named: request.username().is_some() },
            Some(handed)
                if !handed.was_named && request.username() == Some(TOKEN_USER.as_bytes()) =>
            {
                Self::Refused(handed)
            }
            Some(handed) => Self::Doubted(handed),
        }
    }

    /// The state to hand out with an answer. Only a first answer asks to hear of a refusal
    /// (git's POST path has no retry counter and would loop), and only git's own transport may be
    /// asked: git-lfs takes `continue` for a multistage credential that it must not reject.
    /// `is_transport` says who asks, and is only called at the first ask.
    pub fn continuation(
        &self,
        token: &Secret,
        is_transport: impl FnOnce() -> bool,
    ) -> Continuation {
        let (was_named, is_second) = match self {
            Self::Nothing { is_named } => (*is_named, false),
            Self::Refused(handed) => (handed.was_named, true),
            Self::Doubted(handed) => (handed.was_named, handed.is_second),
        };
        let named = if was_named { NAMED } else { "" };
        let second = if is_second { SECOND } else { "" };
        let state = format!("{OURS}{named}{}{second}", token.hash().prefix());
        let is_first = matches!(self, Self::Nothing { .. });
        Continuation { state, may_continue: is_first && is_transport() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Evidence;

    fn report(lines: &str) -> Report {
        let text = format!("protocol=https\nhost=github.com\ncapability[]=state\n{lines}\n");
        Report::of(&Request::parse(text.as_bytes()).unwrap())
    }

    fn token() -> Secret {
        Secret::parse(b"ghs_a").unwrap()
    }

    fn evidence(report: &Report) -> Evidence {
        Evidence::of(report, &token())
    }

    #[test]
    fn a_first_answer_to_gits_transport_asks_to_be_told_of_a_refusal() {
        let first = report("").continuation(&token(), || true);
        assert!(first.may_continue);
        assert_eq!(first.state, format!("gastown:{}", token().hash().prefix()));
        let other = report("").continuation(&token(), || false);
        assert_eq!((other.state, other.may_continue), (first.state, false));
    }

    #[test]
    fn our_state_with_our_user_is_a_certain_refusal() {
        let state = report("").continuation(&token(), || true).state;
        let refused = report(&format!("state[]={state}\nusername=x-access-token\n"));
        assert_eq!(evidence(&refused), Evidence::Refused);
        let other = Secret::parse(b"ghs_b").unwrap();
        assert_eq!(Evidence::of(&refused, &other), Evidence::None, "another token is not meant");
    }

    #[test]
    fn our_state_without_our_user_is_a_hint() {
        let state = report("").continuation(&token(), || true).state;
        for user in ["", "username=alice\n"] {
            assert_eq!(evidence(&report(&format!("state[]={state}\n{user}"))), Evidence::Hint);
        }
    }

    #[test]
    fn a_user_name_proves_nothing_where_the_first_ask_had_one() {
        let user = "username=x-access-token\n";
        let mut state = report(user).continuation(&token(), || false).state;
        for _ in 0..3 {
            let next = report(&format!("state[]={state}\n{user}"));
            assert_eq!(evidence(&next), Evidence::Hint, "{state}");
            state = next.continuation(&token(), || false).state;
        }
    }

    #[test]
    fn a_second_answer_never_asks_for_a_third() {
        let state = report("").continuation(&token(), || true).state;
        let second = report(&format!("state[]={state}\n")).continuation(&token(), || true);
        assert!(!second.may_continue);
        let third = report(&format!("state[]={}\nusername=x-access-token\n", second.state));
        assert_eq!(evidence(&third), Evidence::Refused);
        assert!(!third.continuation(&token(), || true).may_continue);
    }

    #[test]
    fn other_helpers_states_are_ignored() {
        for line in ["state[]=other:1\n", "state[]=gastown\n", "state[]=\u{fffd}\n"] {
            assert_eq!(report(line), Report::NOTHING, "{line:?}");
        }
        let state = report("").continuation(&token(), || true).state;
        let mixed = report(&format!("state[]={state}\nstate[]=other:1\n"));
        assert_eq!(evidence(&mixed), Evidence::Hint);
    }
}
