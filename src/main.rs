//! `git-credential-gastown`: settings → command → one answer or one error → exit code.
//! This is the shell around the pure core in `lib.rs`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[cfg(target_os = "linux")]
use rustix::process::DumpableBehavior;
use signal_hook::consts::SIGXFSZ;

use cli::Cli;
use context::Context;
use messages::Messages;

mod audit;
mod cache;
mod caller;
mod cli;
mod clock;
mod commands;
mod config;
mod context;
mod credential;
mod doctor;
mod files;
mod git;
mod lock;
mod look;
mod messages;
mod program;
mod renew;
mod resolver;
mod setup;
mod stdio;
mod token_client;
mod worker;

/// What the caller sees: 0 answered, or not ours; 1 failed; 2 usage; `exec` and `gh`: see program.rs.
const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// musl's own allocator takes more memory and more time (docs/dependencies.md).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    messages::exit_on_panic(FAILED, || {});
    keep_memory_private();
    survive_size_limit();
    let messages = Messages::default();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) if usage.use_stderr() => {
            messages.usage(&usage.to_string());
            return ExitCode::from(USAGE);
        }
        // Help and version, to stdout.
        Err(usage) => usage.exit(),
    };
    match commands::run(&cli, &messages) {
        Ok(code) => code,
        Err(error) => {
            messages.error(format_args!("{error:#}"));
            let not_run = error.downcast_ref::<program::NotRun>();
            ExitCode::from(not_run.map_or(FAILED, |not_run| not_run.code))
        }
    }
}

/// No core dump, which would hold the token; and no other process of the same user may look into
/// our memory while we run. A program that we become is as it would be without us.
fn keep_memory_private() {
    // On error, go on without it.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// At the limit of file size the kernel sends a signal that would kill us before the answer is
/// out; once it is handled, a write fails like any other, and a full cache costs no token.
fn survive_size_limit() {
    let seen = Arc::new(AtomicBool::new(false));
    // On error, go on without it.
    let _ = signal_hook::flag::register(SIGXFSZ, seen);
}
