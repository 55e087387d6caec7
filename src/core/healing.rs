//! Healing inside one git command (git ≥ 2.46, git-lfs ≥ 3.6): the `state[]` that a client hands
//! back when a server refused our answer, and what to make of it. The state names the token that
//! was handed out by the beginning of its hash, never the token, and whether it was already the
//! second one.

use crate::protocol::{Healing, Request, TOKEN_USER};
use crate::token::Secret;

const OURS: &str = "gastown:";
const SECOND: &str = ":again";

/// A token that was handed out, by the beginning of its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    prefix: String,
    /// Whether it was handed out after another had been refused.
    pub is_second: bool,
}

impl Handed {
    /// Our state in a request; other helpers' states are none of our business.
    pub fn of(request: &Request) -> Option<Self> {
        let ours = |state| std::str::from_utf8(state).ok()?.strip_prefix(OURS);
        let text = request.states().filter_map(ours).last()?;
        let (prefix, is_second) = match text.strip_suffix(SECOND) {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        Some(Self { prefix: prefix.to_owned(), is_second })
    }

    fn is(&self, token: &Secret) -> bool {
        token.hash().prefix() == self.prefix
    }
}

/// What a request tells of the answer before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A first ask, or a client that keeps no state.
    Nothing,
    /// git after a 401: it kept our user name, so the refusal is certain.
    Refused(Handed),
    /// git-lfs sends the state on every further ask, refused or not.
    Doubted(Handed),
}

impl Report {
    pub fn of(request: &Request) -> Self {
        match Handed::of(request) {
            None => Self::Nothing,
            Some(handed) if request.username() == Some(TOKEN_USER.as_bytes()) => {
                Self::Refused(handed)
            }
            Some(handed) => Self::Doubted(handed),
        }
    }

    /// Whether the request says for certain that this token was refused.
    pub fn refuses(&self, token: &Secret) -> bool {
        matches!(self, Self::Refused(handed) if handed.is(token))
    }

    /// Whether the request hints that this token may have been refused.
    pub fn doubts(&self, token: &Secret) -> bool {
        matches!(self, Self::Doubted(handed) if handed.is(token))
    }

    /// The state that goes with an answer to this report. Only a first answer asks to be told of
    /// a refusal: git's POST path has no retry counter and would loop.
    pub fn healing(&self, token: &Secret) -> Healing {
        let may_continue = *self == Self::Nothing;
        let again = if may_continue { "" } else { SECOND };
        Healing { state: format!("{OURS}{}{again}", token.hash().prefix()), may_continue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &str) -> Report {
        let text = format!("protocol=https\nhost=github.com\ncapability[]=state\n{lines}\n");
        Report::of(&Request::parse(text.as_bytes()).unwrap())
    }

    fn token() -> Secret {
        Secret::parse(b"ghs_a").unwrap()
    }

    fn state() -> String {
        Report::Nothing.healing(&token()).state
    }

    #[test]
    fn a_first_answer_asks_to_be_told_of_a_refusal() {
        let healing = report("").healing(&token());
        assert!(healing.may_continue);
        assert_eq!(healing.state, format!("gastown:{}", token().hash().prefix()));
    }

    #[test]
    fn our_state_with_our_user_is_a_certain_refusal() {
        let refused = report(&format!("state[]={}\nusername=x-access-token\n", state()));
        assert!(refused.refuses(&token()) && !refused.doubts(&token()));
        assert!(!refused.refuses(&Secret::parse(b"ghs_b").unwrap()), "another token is not meant");
    }

    #[test]
    fn our_state_without_our_user_is_a_hint() {
        for user in ["", "username=alice\n"] {
            let doubted = report(&format!("state[]={}\n{user}", state()));
            assert!(doubted.doubts(&token()) && !doubted.refuses(&token()));
        }
    }

    #[test]
    fn a_second_answer_never_asks_for_a_third() {
        let healing = report(&format!("state[]={}\n", state())).healing(&token());
        assert!(!healing.may_continue);
        let third = report(&format!("state[]={}\nusername=x-access-token\n", healing.state));
        assert!(third.refuses(&token()) && !third.healing(&token()).may_continue);
    }

    #[test]
    fn other_helpers_states_are_ignored() {
        for line in ["state[]=other:1\n", "state[]=gastown\n", "state[]=\u{fffd}\n"] {
            assert_eq!(report(line), Report::Nothing, "{line:?}");
        }
        let mixed = report(&format!("state[]={}\nstate[]=other:1\n", state()));
        assert!(mixed.doubts(&token()));
    }
}
