//! How the tests speak to the program under test: an agent around it, the requests that git would
//! send, and what it has to say back. Knows the program by its path only; refuses to know how its
//! messages are worded, other than by the stable names in brackets.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::town::{Git, Home, Ran, Town};

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_git-credential-gastown");
pub(crate) const REPOSITORY: &str = "acme/app";
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// An agent as the container makes it, whose commands find the program under test.
pub(crate) fn agent(town: &Town) -> Home {
    let mut home = Home::new(Path::new(HELPER), &Git::newest());
    home.as_agent(town);
    home
}

/// An agent whose git asks the program under test, with a clone of the repository in `app`.
pub(crate) fn cloned(town: &Town, git: &Git) -> Home {
    let home = configured(town, git);
    home.git(&["clone", "--quiet", &town.github.url(REPOSITORY), "app"]).assert_ok();
    home
}

/// An agent whose git asks the program under test.
pub(crate) fn configured(town: &Town, git: &Git) -> Home {
    let mut home = Home::new(Path::new(HELPER), git);
    home.as_agent(town).configure_helper(town);
    home
}

/// A request for the stand-in GitHub, as git 2.39 words it.
pub(crate) fn request(town: &Town) -> String {
    format!("protocol=http\nhost={}\n\n", town.github.host())
}

pub(crate) fn get(home: &Home, town: &Town) -> Ran {
    home.helper(&["get"], &request(town))
}

/// A whole answer to a client that keeps no state, with no expiry known.
pub(crate) fn credential(token: &str) -> String {
    format!("username=x-access-token\npassword={token}\n")
}

/// The value of a key in an answer.
pub(crate) fn value<'a>(ran: &'a Ran, key: &str) -> Option<&'a str> {
    let mut pairs = ran.stdout.lines().filter_map(|line| line.split_once('='));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// The token in an answer, which must be there.
#[track_caller]
pub(crate) fn token(ran: &Ran) -> String {
    ran.assert_ok();
    value(ran, "password").unwrap_or_else(|| panic!("no token\n{ran:?}")).to_owned()
}

/// That there is this one answer and nothing else to say.
#[track_caller]
pub(crate) fn assert_silently(ran: &Ran, stdout: &str) {
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, stdout, ""), "{ran:?}");
}

/// That git is told to quit, and a person in one line why: the stable name, and the chain of what
/// was tried.
#[track_caller]
pub(crate) fn assert_fails_as(ran: &Ran, name: &str) {
    assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(ran.stderr.starts_with("git-credential-gastown: error: "), "{ran:?}");
    assert!(ran.stderr.contains(&format!("[{name}]")), "[{name}] is missing\n{ran:?}");
    assert!(ran.stderr.contains("; tried: "), "{ran:?}");
}

/// That there is an answer and exactly one line beside it, a warning with these words.
#[track_caller]
pub(crate) fn assert_warns(ran: &Ran, words: &[&str]) {
    assert_eq!(warnings(ran).len(), 1, "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is missing\n{ran:?}");
    }
}

/// What the program said, also through git's mouth.
pub(crate) fn warnings(ran: &Ran) -> Vec<&str> {
    let lines = ran.stderr.lines();
    lines.filter(|line| line.starts_with("git-credential-gastown: ")).collect()
}

/// How many calls the worker has seen, for a git token and for a container token.
pub(crate) fn calls(town: &Town) -> (usize, usize) {
    (town.worker.git_token_calls(), town.worker.container_token_calls())
}

/// The time that goes by for the town and for the agent's cache alike.
pub(crate) fn let_pass(town: &Town, home: &Home, duration: Duration) {
    town.let_pass(duration);
    home.age_cache(duration);
}

/// A `get` that goes on while the test does.
pub(crate) fn start_get(home: &Home, town: &Town) -> Child {
    start(home.command(HELPER), &request(town))
}

pub(crate) fn start(mut helper: Command, request: &str) -> Child {
    helper.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = helper.spawn().expect("the program under test can be started");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(request.as_bytes()).expect("the program reads its request");
    child
}

/// Held by tests that load the machine, and by those that a loaded machine would fail.
pub(crate) fn have_the_machine() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}
