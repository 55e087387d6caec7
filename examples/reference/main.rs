//! `cargo run --example reference`: writes `docs/reference` and the man page, from the command line,
//! the table of settings and the table of errors. With `--check` it writes nothing, and fails if a
//! file is not as it would write it.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "an example, not the program")]

#[path = "../../src/cli/mod.rs"]
#[expect(dead_code, unused_imports, reason = "only the program reads a command line")]
mod cli;
#[path = "../../src/config/key.rs"]
mod key;
mod man;
mod markdown;
mod text;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

fn main() -> std::io::Result<ExitCode> {
    let is_check = std::env::args().any(|argument| argument == "--check");
    let pages = [
        ("docs/reference/commands.md", markdown::commands()),
        ("docs/reference/settings.md", markdown::settings()),
        ("docs/reference/errors.md", markdown::errors()),
        ("man/git-credential-gastown.1", man::page()),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(root.join("docs/reference"))?;
    let mut code = ExitCode::SUCCESS;
    for (path, text) in pages {
        if fs::read_to_string(root.join(path)).is_ok_and(|found| found == text) {
            continue;
        }
        if is_check {
            println!("{path} is not what the program says; run: cargo run --example reference");
            code = ExitCode::FAILURE;
        } else {
            fs::write(root.join(path), text)?;
            println!("wrote {path}");
        }
    }
    Ok(code)
}
