//! A client that keeps state, as git 2.46 and newer do, without git: each ask and what the host makes
//! of it is the test's to choose.

use std::cell::Cell;

use crate::town::{Home, Ran, Town};
use crate::transcript::value;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Accepted,
    /// Both tokens were refused.
    Refused,
    /// The helper said that there is no other token.
    Quit,
    /// It got no token at all.
    Nothing,
}

/// Talks to the program about one host, which accepts every token or none.
pub(crate) struct Client<'a> {
    home: &'a Home,
    host: String,
    refuses: Cell<bool>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(home: &'a Home, town: &Town) -> Self {
        Self { home, host: town.github.host(), refuses: Cell::new(false) }
    }

    pub(crate) fn at(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    pub(crate) fn refusing(self) -> Self {
        self.refuses.set(true);
        self
    }

    pub(crate) fn helper(&self, operation: &str, more: &str) -> Ran {
        let text = format!("capability[]=state\nprotocol=http\nhost={}\n{more}\n", self.host);
        self.home.helper(&[operation], &text)
    }

    pub(crate) fn command(&self) -> End {
        let first = self.helper("get", "");
        let Some(token) = value(&first, "password") else { return End::Nothing };
        let state = refused(&first);
        if !self.refuses.get() {
            self.helper("store", &format!("{state}password={token}\n")).assert_ok();
            return End::Accepted;
        }
        let second = self.helper("get", &state);
        match value(&second, "password") {
            None => {
                assert!(second.stderr.contains("[token-rejected]"), "{second:?}");
                assert_eq!((second.code, &*second.stdout), (1, "quit=1\n"), "{second:?}");
                End::Quit
            }
            Some(token) => {
                self.helper("erase", &format!("{state}password={token}\n")).assert_ok();
                End::Refused
            }
        }
    }
}

/// What such a client says at its next ask, whatever became of the answer.
pub(crate) fn state(answer: &Ran) -> String {
    format!("state[]={}\n", value(answer, "state[]").expect("a state"))
}

/// What git says at its next ask if the token was refused.
pub(crate) fn refused(answer: &Ran) -> String {
    format!("{}username=x-access-token\n", state(answer))
}
