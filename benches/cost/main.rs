//! `cargo bench --bench cost [-- musl=HELPER] [glibc=HELPER]`: what the helper costs, as whole
//! processes beside peers found on this machine. Builds it as `install.sh` does unless it is given,
//! prints the table and writes `docs/performance.md` and `docs/performance.svg`. Fails if a target
//! is missed.

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

/// The program as it is built for one C library.
pub(crate) struct Build {
    pub libc: Libc,
    pub helper: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Libc {
    Musl,
    Glibc,
}

impl Libc {
    pub(crate) const ALL: [Self; 2] = [Self::Musl, Self::Glibc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Musl => "musl",
            Self::Glibc => "glibc",
        }
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir()?;
    let mut builds = given()?;
    if builds.is_empty() {
        builds = installed(root, place.path())?;
    }
    let bench = bench::Bench::new(builds, place.path())?;
    let rows = rows::all(&bench)?;
    let document = report::document(&rows, &bench);
    println!("{document}");
    fs::write(root.join("docs/performance.md"), document)?;
    fs::write(root.join("docs/performance.svg"), report::plot(&rows))?;
    let is_met = rows.iter().all(|row| row.limits.iter().all(rows::Limit::is_met));
    Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Those on the command line, to which cargo adds a flag of its own.
fn given() -> Result<Vec<Build>, Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let find = |libc: Libc| {
        let start = format!("{}=", libc.name());
        let path = arguments.iter().find_map(|argument| argument.strip_prefix(&start))?;
        Some(fs::canonicalize(path).map(|helper| Build { libc, helper }))
    };
    Ok(Libc::ALL.into_iter().filter_map(find).collect::<Result<_, _>>()?)
}

/// For musl if Rust can do that here, and for glibc.
fn installed(root: &Path, place: &Path) -> Result<Vec<Build>, Box<dyn Error>> {
    let first = install(root, &place.join("first"), &[])?;
    if first.libc == Libc::Glibc {
        return Ok(vec![first]);
    }
    // There may be no other C library here.
    let second = install(root, &place.join("second"), &["--glibc"]);
    Ok([first].into_iter().chain(second.ok()).collect())
}

fn install(root: &Path, prefix: &Path, options: &[&str]) -> Result<Build, Box<dyn Error>> {
    let mut install = Command::new("sh");
    install.arg(root.join("install.sh")).args(options).arg("--prefix").arg(prefix);
    // What cargo tells a benchmark is not meant for the build of another program.
    let output = install.current_dir(root).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let is_musl = String::from_utf8_lossy(&output.stdout).contains("-linux-musl ...");
    let libc = if is_musl { Libc::Musl } else { Libc::Glibc };
    Ok(Build { libc, helper: prefix.join("bin").join(NAME) })
}
