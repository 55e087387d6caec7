//! The stand-in town: a worker that keeps the contract and a git server that checks tokens, on
//! loopback, with a clock that can be moved. Owns what the tests and the demo share; refuses to
//! know the program under test other than by its path and its environment.
//!
//! `git.rs` finds the gits of this machine, `home.rs` is an agent that runs them.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::disallowed_methods,
    reason = "the tests and the demo each use a part, and the town is the world, not the program"
)]

pub mod backend;
pub mod clock;
pub mod contract;
pub mod git;
pub mod github;
pub mod home;
pub mod http;
pub mod lfs;
pub mod lfs_storage;
pub mod name_server;
pub mod ran;
pub mod registry;
pub mod script;
pub mod server;
pub mod token_service;
pub mod worker;

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

pub use self::clock::Clock;
pub use self::contract::Expiry;
pub use self::git::Git;
pub use self::github::GitHub;
pub use self::home::Home;
pub use self::ran::Ran;
pub use self::registry::Verdict;
pub use self::script::{CallKind, Script};
pub use self::token_service::Rig;
pub use self::worker::Worker;

/// The town's id, and its one rig to begin with.
pub const TOWN: &str = "town-1";
pub const RIG: &str = "rig-1";

const MINUTE: Duration = Duration::from_secs(60);

/// What a town is like; by default as the contract has it.
#[derive(Clone)]
pub struct Options {
    pub token_life: Duration,
    /// How long the worker hands out one token; less if under a twelfth of its life is left.
    pub cached_for: Duration,
    pub expiry: Expiry,
}

impl Default for Options {
    fn default() -> Self {
        Self { token_life: 60 * MINUTE, cached_for: 30 * MINUTE, expiry: Expiry::None }
    }
}

impl Options {
    /// An hour goes by in ten seconds. The worker tells the expiry, as nobody could guess it.
    pub fn fast() -> Self {
        Self {
            token_life: Duration::from_secs(10),
            cached_for: Duration::from_secs(5),
            expiry: Expiry::ExpiresAt,
        }
    }
}

pub struct Town {
    pub clock: Clock,
    pub worker: Worker,
    pub github: GitHub,
}

impl Town {
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    pub fn start_with(options: Options) -> Self {
        let clock = Clock::default();
        let registry = Arc::new(registry::Registry::new(clock.clone()));
        let worker = Worker::start(&clock, &registry, options);
        worker.add_rig(RIG, Rig::Installation);
        let github = GitHub::start(registry);
        Self { clock, worker, github }
    }

    /// Moves the town's clock; the machine's stays, see `Home::age_cache` for the other side.
    pub fn let_pass(&self, duration: Duration) {
        self.clock.let_pass(duration);
    }
}

/// Says that a test, or a part of one, did not run. In CI that is a failure: what CI does not run
/// is not tested.
///
/// # Panics
/// If the environment variable `CI` is set.
#[track_caller]
pub fn skip(reason: impl std::fmt::Display) {
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {reason}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a part of a test");
    // `eprintln!` would keep it to itself, unless the test fails.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}

/// SHA-256 in hex, which is how records and traces name a token.
pub fn hash(token: &str) -> String {
    hex(&Sha256::digest(token))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A test that failed while it held a lock shall not fail the others' records.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
