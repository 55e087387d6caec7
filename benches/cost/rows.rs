//! The rows of the table: what is run, beside what, and what it may cost at most.

use std::fs;
use std::io;
use std::time::Duration;

use crate::bench::Bench;
use crate::measure::{Subject, herd, interleaved, median, peak_memory};

const ROUNDS: usize = 400;
/// For what takes many milliseconds.
const FEWER_ROUNDS: usize = 100;
const HERD: usize = 200;
const HERDS: usize = 5;
const DELAY: Duration = Duration::from_millis(300);

/// A number and what it may be at most.
pub(crate) struct Limit {
    pub of: &'static str,
    pub found: f64,
    pub at_most: f64,
    pub unit: &'static str,
}

impl Limit {
    pub(crate) fn is_met(&self) -> bool {
        self.found <= self.at_most
    }
}

pub(crate) struct Row {
    pub what: &'static str,
    /// For the reader: medians of what was run, in the order of the runs.
    pub times: Vec<(&'static str, Duration)>,
    pub limits: Vec<Limit>,
}

pub(crate) fn all(bench: &Bench) -> io::Result<Vec<Row>> {
    let mut rows = vec![cached_get(bench)?, foreign(bench)?, fill(bench)?];
    rows.extend(cold_get(bench)?);
    rows.extend([stampede(bench)?, crowded(bench)?, memory(bench)?, size(bench)?]);
    rows.extend(gh(bench)?);
    Ok(rows)
}

fn measured(
    what: &'static str,
    rounds: usize,
    stdin: &std::path::Path,
    subjects: &[Subject<'_>],
) -> io::Result<Row> {
    let medians = interleaved(rounds, stdin, subjects)?;
    let names = subjects.iter().map(|subject| subject.name);
    Ok(Row { what, times: names.zip(medians).collect(), limits: Vec::new() })
}

impl Row {
    /// How long one of the runs took compared with another.
    fn limited(mut self, run: usize, to: usize, of: &'static str, at_most: f64) -> Self {
        let found = self.times[run].1.as_secs_f64() / self.times[to].1.as_secs_f64();
        self.limits.push(Limit { of, found, at_most, unit: "" });
        self
    }
}

fn cached_get(bench: &Bench) -> io::Result<Row> {
    let subjects = [
        Subject::new("cached `get`", || bench.helper("get")),
        Subject::new("`git-credential-store get`", || bench.store()),
        Subject::new("`/bin/true`", || bench.nothing()),
    ];
    let row = measured("cached `get`", ROUNDS, &bench.request, &subjects)?;
    let row = row.limited(0, 1, "of `git-credential-store get`", 0.70);
    Ok(row.limited(0, 2, "of `/bin/true`", 1.25))
}

fn foreign(bench: &Bench) -> io::Result<Row> {
    let subjects = [
        Subject::new("`store`", || bench.helper("store")),
        Subject::new("`erase` of a foreign token", || bench.helper("erase")),
        Subject::new("`/bin/true`", || bench.nothing()),
    ];
    let what = "`store`, `erase` of a foreign token";
    let row = measured(what, ROUNDS, &bench.foreign, &subjects)?;
    let row = row.limited(0, 2, "of `/bin/true` (`store`)", 1.25);
    Ok(row.limited(1, 2, "of `/bin/true` (`erase`)", 1.25))
}

fn fill(bench: &Bench) -> io::Result<Row> {
    let subjects = [
        Subject::new("`git credential fill`", || bench.fill_from_helper()),
        Subject::new("the same through `git-credential-store`", || bench.fill_from_store()),
    ];
    let row = measured("`git credential fill`", ROUNDS, &bench.request, &subjects)?;
    Ok(row.limited(0, 1, "of the same through `git-credential-store`", 1.0))
}

fn cold_get(bench: &Bench) -> io::Result<Option<Row>> {
    if !bench.has("curl") {
        return Ok(None);
    }
    let subjects = [
        Subject::new("cold `get`", || bench.helper("get")).before(|| bench.forget_cache()),
        Subject::new("`curl`'s bare POST", || bench.curl()),
    ];
    let what = "cold `get` (empty cache, loopback worker)";
    let row = measured(what, FEWER_ROUNDS, &bench.request, &subjects)?;
    Ok(Some(row.limited(0, 1, "of `curl`'s bare POST", 0.40)))
}

/// The dead token is an hour old; the worker mints a new one for the one that asks.
fn stampede(bench: &Bench) -> io::Result<Row> {
    let worker = &bench.town.worker;
    let run = || herd(HERD, &bench.request, || bench.helper("get"));
    let (mut live, mut dead, mut most_calls) = (Vec::new(), Vec::new(), 0);
    worker.set_delay(DELAY);
    for _ in 0..HERDS {
        bench.home.helper(&["get"], &fs::read_to_string(&bench.request)?).assert_ok();
        live.push(run()?);
        bench.home.age_cache(Duration::from_secs(3601));
        worker.forget(crate::town::RIG);
        worker.forget_calls();
        dead.push(run()?);
        most_calls = most_calls.max(worker.git_token_calls());
    }
    worker.set_delay(Duration::ZERO);
    let (live, dead) = (median(live), median(dead));
    let more = dead.as_secs_f64() - live.as_secs_f64();
    let calls = most_calls as f64;
    Ok(Row {
        what: "200 processes at once, worker taking 0.3 s",
        times: vec![("on a dead token", dead), ("on a live one", live)],
        limits: vec![
            Limit { of: "more than on a live one", found: more, at_most: 0.5, unit: " s" },
            Limit { of: "worker calls", found: calls, at_most: 1.0, unit: "" },
        ],
    })
}

fn crowded(bench: &Bench) -> io::Result<Row> {
    let subjects = [
        Subject::new("with them", || bench.helper_in(&bench.crowded, "get")),
        Subject::new("without", || bench.helper("get")),
    ];
    let what = "cached `get`, 10,000 other entries in the cache";
    let row = measured(what, ROUNDS, &bench.request, &subjects)?;
    Ok(row.limited(0, 1, "of the same without them", 1.15))
}

fn memory(bench: &Bench) -> io::Result<Row> {
    let peak = peak_memory(&mut bench.helper("get"), &bench.request)?;
    Ok(Row {
        what: "peak memory of a cached `get`",
        times: Vec::new(),
        limits: vec![Limit { of: "", found: peak as f64 / 1024.0, at_most: 3.0, unit: " MiB" }],
    })
}

fn size(bench: &Bench) -> io::Result<Row> {
    let found = fs::metadata(&bench.helper)?.len() as f64 / 1_048_576.0;
    Ok(Row {
        what: "binary",
        times: Vec::new(),
        limits: vec![Limit { of: "", found, at_most: 4.0, unit: " MiB" }],
    })
}

/// Without a limit: it shows what a helper may cost.
fn gh(bench: &Bench) -> io::Result<Option<Row>> {
    if !bench.has("gh") {
        return Ok(None);
    }
    let subjects = [Subject::new("`gh auth git-credential get`", || bench.gh())];
    // It answers for github.com only, and fails quickly otherwise.
    let request = bench.request.with_file_name("github");
    fs::write(&request, "protocol=https\nhost=github.com\n\n")?;
    measured("for comparison", FEWER_ROUNDS / 4, &request, &subjects).map(Some)
}
