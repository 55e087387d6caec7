//! The pure core of `git-credential-gastown`: what to answer, when to renew, and why.
//!
//! Nothing here touches files, the environment, the network, processes, the clock or the
//! terminal; time and randomness come in as arguments. The program in `main.rs` is the shell
//! around it. Because the core is a crate of its own, the compiler keeps the arrows pointing
//! one way: the shell knows the core, the core cannot name the shell.

pub mod contract;
pub mod failure;
pub mod gh;
pub mod git_config;
pub mod helper_line;
pub mod host;
pub mod inspection;
pub mod patch;
pub mod policy;
pub mod protocol;
pub mod record;
pub mod redact;
pub mod remote_url;
pub mod time;
pub mod token;
