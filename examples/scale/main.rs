//! `cargo run --release --example scale [NAME=VALUE]…`: how ways to come by a token fare with a
//! fleet of containers for a day, by simulation. Writes `docs/scale.md` and `docs/scale.svg` when
//! nothing was changed, and prints the document otherwise.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "an example, not the program")]

mod plot;
mod report;
mod simulation;

use std::fs;
use std::path::Path;

use simulation::Parameters;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut parameters = Parameters::default();
    let changes: Vec<_> = std::env::args().skip(1).collect();
    for change in &changes {
        parameters.set(change).map_err(|why| format!("{change}: {why}"))?;
    }
    let results = simulation::run(&parameters);
    let document = report::document(&parameters, &results);
    println!("{document}");
    if changes.is_empty() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        fs::write(docs.join("scale.md"), document)?;
        fs::write(docs.join("scale.svg"), plot::restart(&parameters, &results))?;
    }
    Ok(())
}
