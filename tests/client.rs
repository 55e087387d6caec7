//! A client that keeps state, as git 2.46 and newer do, without git: each ask and what the host makes
//! of it is the test's to choose.

use crate::scene::Scene;
use crate::town::{Home, Ran};

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
    refuses: bool,
}

impl<'a> Client<'a> {
    pub(crate) fn new(scene: &'a Scene) -> Self {
        Self { home: &scene.home, host: scene.github.host(), refuses: false }
    }

    pub(crate) fn at(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    pub(crate) fn refusing(self) -> Self {
        Self { refuses: true, ..self }
    }

    pub(crate) fn get(&self, state: &str) -> Ran {
        self.helper("get", state)
    }

    pub(crate) fn helper(&self, operation: &str, more: &str) -> Ran {
        let text = format!("capability[]=state\nprotocol=http\nhost={}\n{more}\n", self.host);
        self.home.helper(&[operation], &text)
    }

    pub(crate) fn command(&self) -> End {
        let first = self.get("");
        let Some(token) = first.value("password") else { return End::Nothing };
        let state = refused(&first);
        if !self.refuses {
            self.helper("store", &format!("{state}password={token}\n")).assert_ok();
            return End::Accepted;
        }
        let second = self.get(&state);
        match second.value("password") {
            None => {
                second.mentions("[token-rejected]");
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
fn state(answer: &Ran) -> String {
    format!("state[]={}\n", answer.value("state[]").expect("a state"))
}

/// What git says at its next ask if the token was refused.
pub(crate) fn refused(answer: &Ran) -> String {
    format!("{}username=x-access-token\n", state(answer))
}
