//! `git-credential-gastown`: settings → command → one answer or one error → exit code.
//! This is the shell around the pure core in `lib.rs`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGXFSZ;

use cli::Cli;
use messages::Messages;

mod cache;
mod cli;
mod clock;
mod commands;
mod config;
mod lock;
mod messages;
mod worker;

/// What the caller sees: 0 answered, or not ours; 1 failed; 2 usage.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let clock = clock::Clock::start();
    survive_size_limit();
    let messages = Messages::new(clock::now);
    let cli = Cli::of_process();
    match commands::run(&cli, clock, &messages) {
        Ok(code) => code,
        Err(error) => {
            messages.error(format_args!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

/// At the limit of file size the kernel sends a signal that would kill us before the answer is
/// out; once it is handled, a write fails like any other, and a full cache costs no token.
fn survive_size_limit() {
    let seen = Arc::new(AtomicBool::new(false));
    // Where it cannot be handled, it is as it was.
    let _ = signal_hook::flag::register(SIGXFSZ, seen);
}
