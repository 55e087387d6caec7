//! How it holds up: three hundred processes that find a dead token at once, ten times in a row,
//! and the cost of an answer that is fresh. Run by `cargo bench --bench load`, which writes what it
//! measured into `docs/reliability.md`.

#![expect(clippy::disallowed_methods, reason = "a benchmark touches the real world")]
#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use town::{Git, Home, Town};

#[path = "../tests/town/mod.rs"]
mod town;

const HELPER: &str = env!("CARGO_BIN_EXE_git-credential-gastown");
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
const BEGIN: &str = "<!-- written by `cargo bench --bench load` -->\n";
const END: &str = "<!-- end of what it wrote -->";
const HERD: usize = 300;
const ROUNDS: usize = 10;
/// Longer than any installation token lives.
const A_LIFE: Duration = Duration::from_secs(61 * 60);

fn main() {
    // `cargo test --all-targets` would run it too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let town = Town::start();
    let mut home = Home::new(Path::new(HELPER), &Git::newest());
    home.as_agent(&town);
    let request = format!("protocol=http\nhost={}\n\n", town.github.host());
    let get = |home: &Home| {
        let ran = home.helper(&["get"], &request);
        assert!(ran.assert_ok().stderr.is_empty(), "{ran:?}");
        ran.took
    };

    let mut times = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..ROUNDS {
        town.let_pass(A_LIFE);
        home.age_cache(A_LIFE);
        // It lives for eight hours only, and renewing it would be a call more.
        home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token());
        town.worker.forget_calls();
        times.extend(thread::scope(|scope| {
            let herd: Vec<_> = (0..HERD).map(|_| scope.spawn(|| get(&home))).collect();
            herd.into_iter().map(|get| get.join().expect("it has a token")).collect::<Vec<_>>()
        }));
        calls.push(town.worker.git_token_calls());
    }
    let fresh: Vec<_> = (0..HERD).map(|_| get(&home)).collect();
    assert!(calls.iter().all(|calls| *calls == 1), "one call for each herd: {calls:?}");

    let cores = thread::available_parallelism().map_or(1, usize::from);
    let table = format!(
        "| processes | calls to the worker | median | 99th of a hundred | slowest |\n\
         |---|---|---|---|---|\n\
         | {HERD} at once that find a dead token, {ROUNDS} times in a row | {} each time | {} |\n\
         | one after the other with a fresh token, {HERD} times | none | {} |\n\n\
         Measured on {cores} cores; each time is from the start of a process to its end, so that of \
         a herd is mostly the time that {HERD} processes take to start.\n",
        calls[0],
        figures(times),
        figures(fresh)
    );
    println!("{table}");
    write(&table);
}

fn figures(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    format!("{:.1} ms | {:.1} ms | {:.1} ms", at(50), at(99), at(100))
}

/// Replaces what an earlier run wrote.
fn write(table: &str) {
    let text = fs::read_to_string(TABLE).expect("the table of promises is there");
    let (before, rest) = text.split_once(BEGIN).expect("it says where the figures go");
    let (_, after) = rest.split_once(END).expect("it says where the figures end");
    fs::write(TABLE, format!("{before}{BEGIN}\n{table}\n{END}{after}")).expect("it is ours");
}
