//! `cargo bench --bench cost [-- HELPER]`: what the helper costs, as whole processes beside peers
//! found on this machine. Builds the helper as `install.sh` does unless it is given one, prints the
//! table and writes `docs/performance.md` and `docs/performance.svg`. Fails if a target is missed.

#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark, not the program"
)]

#[path = "../../tests/town/mod.rs"]
mod town;

mod bench;
mod measure;
mod report;
mod rows;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const NAME: &str = "git-credential-gastown";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir()?;
    // cargo adds a flag of its own.
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let helper = match given {
        Some(path) => fs::canonicalize(path)?,
        None => install(root, place.path())?,
    };
    let bench = bench::Bench::new(&helper, place.path())?;
    let rows = rows::all(&bench)?;
    let document = report::document(&rows, &bench);
    println!("{document}");
    fs::write(root.join("docs/performance.md"), document)?;
    fs::write(root.join("docs/performance.svg"), report::plot(&rows))?;
    let is_met = rows.iter().all(|row| row.limits.iter().all(rows::Limit::is_met));
    Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn install(root: &Path, prefix: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let mut install = Command::new("sh");
    install.arg(root.join("install.sh")).arg("--prefix").arg(prefix).current_dir(root);
    // What cargo tells a benchmark is not meant for the build of another program.
    let output = install.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(prefix.join("bin").join(NAME))
}
