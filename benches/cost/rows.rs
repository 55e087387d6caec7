//! The rows of the table: what is run, beside what, and what it may cost at most.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::bench::Bench;
use crate::measure::{Subject, herd, interleaved, median, peak_memory};
use crate::{Build, Libc};

const ROUNDS: usize = 400;
/// For what takes many milliseconds.
const FEWER_ROUNDS: usize = 100;
const HERD: usize = 200;
const HERDS: usize = 5;
const DELAY: Duration = Duration::from_millis(300);
pub(crate) const CALLS: &str = "worker calls";
pub(crate) const LEAST: &str = "a program that only exits";

/// A number and what it may be at most.
pub(crate) struct Limit {
    pub libc: Libc,
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
    pub times: Vec<(String, Duration)>,
    pub limits: Vec<Limit>,
}

/// What the builds may take at most of a peer's time: for musl, for glibc.
type AtMost = (f64, f64);

pub(crate) fn all(bench: &Bench) -> io::Result<Vec<Row>> {
    let mut rows = vec![cached_get(bench)?, foreign(bench, "store")?, foreign(bench, "erase")?];
    rows.push(fill(bench)?);
    rows.extend(cold_get(bench)?);
    rows.extend(herds(bench)?);
    rows.extend([crowded(bench)?, memory(bench)?, size(bench)?]);
    rows.extend(gh(bench)?);
    Ok(rows)
}

/// Each build, and then the peers.
fn measured<'a>(
    bench: &'a Bench,
    (what, rounds, stdin): (&'static str, usize, &Path),
    ours: impl Fn(&'a Build) -> Subject<'a>,
    peers: Vec<Subject<'a>>,
) -> io::Result<Row> {
    let ours = bench.builds.iter().map(|build| {
        let subject = ours(build);
        Subject { name: format!("{} ({})", subject.name, build.libc.name()), ..subject }
    });
    let subjects: Vec<_> = ours.chain(peers).collect();
    let medians = interleaved(rounds, stdin, &subjects)?;
    let names = subjects.iter().map(|subject| subject.name.clone());
    Ok(Row { what, times: names.zip(medians).collect(), limits: Vec::new() })
}

impl Row {
    /// How long each build took compared with a peer.
    fn limited(mut self, bench: &Bench, peer: usize, of: &'static str, at_most: AtMost) -> Self {
        let peer = self.times[bench.builds.len() + peer].1.as_secs_f64();
        for (place, build) in bench.builds.iter().enumerate() {
            let found = self.times[place].1.as_secs_f64() / peer;
            self.limits.push(limit(build, of, found, at_most, ""));
        }
        self
    }
}

fn limit(
    build: &Build,
    of: &'static str,
    found: f64,
    (musl, glibc): AtMost,
    unit: &'static str,
) -> Limit {
    let at_most = if build.libc == Libc::Musl { musl } else { glibc };
    Limit { libc: build.libc, of, found, at_most, unit }
}

fn cached_get(bench: &Bench) -> io::Result<Row> {
    let mut peers = vec![
        Subject::new("`/bin/true`", || bench.nothing()),
        Subject::new("`git-credential-store get`", || bench.store()),
    ];
    if bench.least().is_some() {
        peers.push(Subject::new(LEAST, || bench.least().expect("it is there")));
    }
    let row = measured(
        bench,
        ("cached `get`", ROUNDS, &bench.request),
        |build| Subject::new("cached `get`", move || bench.helper(build, "get")),
        peers,
    )?;
    let row = row.limited(bench, 0, "of `/bin/true`", (0.33, 1.15));
    Ok(row.limited(bench, 1, "of `git-credential-store get`", (0.24, 0.70)))
}

fn foreign(bench: &Bench, operation: &'static str) -> io::Result<Row> {
    let what = match operation {
        "store" => "`store` of a foreign token",
        _ => "`erase` of a foreign token",
    };
    let row = measured(
        bench,
        (what, ROUNDS, &bench.foreign),
        |build| Subject::new(format!("`{operation}`"), move || bench.helper(build, operation)),
        vec![Subject::new("`/bin/true`", || bench.nothing())],
    )?;
    Ok(row.limited(bench, 0, "of `/bin/true`", (0.25, 1.05)))
}

fn fill(bench: &Bench) -> io::Result<Row> {
    let row = measured(
        bench,
        ("`git credential fill`", ROUNDS, &bench.request),
        |build| Subject::new("`git credential fill`", move || bench.fill_from_helper(build)),
        vec![Subject::new("through `git-credential-store`", || bench.fill_from_store())],
    )?;
    Ok(row.limited(bench, 0, "of the same through `git-credential-store`", (0.80, 0.95)))
}

fn cold_get(bench: &Bench) -> io::Result<Option<Row>> {
    if !bench.has("curl") {
        return Ok(None);
    }
    let what = "cold `get` (empty cache, loopback worker)";
    let curl = Subject::new("`curl`'s bare POST", || bench.curl());
    let row = measured(
        bench,
        (what, FEWER_ROUNDS, &bench.request),
        |build| {
            let cold = Subject::new("cold `get`", move || bench.helper(build, "get"));
            cold.before(|| bench.forget_cache())
        },
        vec![curl],
    )?;
    Ok(Some(row.limited(bench, 0, "of `curl`'s bare POST", (0.22, 0.35))))
}

/// On a live token, and on one that is an hour old; the worker mints a new one for the one that
/// asks.
fn herds(bench: &Bench) -> io::Result<[Row; 2]> {
    let worker = &bench.town.worker;
    let mut rows = [
        Row { what: "200 cached `get`s at once", times: Vec::new(), limits: Vec::new() },
        Row {
            what: "the same on a dead token, worker taking 0.3 s",
            times: Vec::new(),
            limits: Vec::new(),
        },
    ];
    worker.set_delay(DELAY);
    let mut times = vec![(Vec::new(), Vec::new()); bench.builds.len()];
    let mut most_calls = vec![0; bench.builds.len()];
    for _ in 0..HERDS {
        for (place, build) in bench.builds.iter().enumerate() {
            let run = || herd(HERD, &bench.request, || bench.helper(build, "get"));
            bench.home.helper(&["get"], &fs::read_to_string(&bench.request)?).assert_ok();
            times[place].0.push(run()?);
            bench.home.age_cache(Duration::from_secs(3601));
            worker.forget(crate::town::RIG);
            worker.forget_calls();
            times[place].1.push(run()?);
            most_calls[place] = most_calls[place].max(worker.git_token_calls());
        }
    }
    worker.set_delay(Duration::ZERO);
    for ((build, (live, dead)), calls) in bench.builds.iter().zip(times).zip(most_calls) {
        let (live, dead) = (median(live), median(dead));
        let more = dead.as_secs_f64() - live.as_secs_f64();
        let none = (0.5, 0.5);
        rows[0].times.push((build.libc.name().to_owned(), live));
        rows[1].times.push((build.libc.name().to_owned(), dead));
        rows[1].limits.push(limit(build, "more than on a live one", more, none, " s"));
        rows[1].limits.push(limit(build, CALLS, calls as f64, (1.0, 1.0), ""));
    }
    if let [(_, musl), (_, glibc)] = &rows[0].times[..] {
        let found = musl.as_secs_f64() / glibc.as_secs_f64();
        let of = "of glibc's";
        rows[0].limits.push(Limit { libc: Libc::Musl, of, found, at_most: 0.50, unit: "" });
    }
    Ok(rows)
}

fn crowded(bench: &Bench) -> io::Result<Row> {
    // The first is the one that is installed.
    let build = &bench.builds[0];
    let subjects = [
        Subject::new("with them", || bench.helper_in(&bench.crowded, build, "get")),
        Subject::new("without", || bench.helper(build, "get")),
    ];
    let what = "cached `get`, 10,000 other entries in the cache";
    let medians = interleaved(ROUNDS, &bench.request, &subjects)?;
    let found = medians[0].as_secs_f64() / medians[1].as_secs_f64();
    let limits = vec![limit(build, "of the same without them", found, (1.15, 1.15), "")];
    let names = subjects.iter().map(|subject| subject.name.clone());
    Ok(Row { what, times: names.zip(medians).collect(), limits })
}

fn memory(bench: &Bench) -> io::Result<Row> {
    let mut row =
        Row { what: "peak memory of a cached `get`", times: Vec::new(), limits: Vec::new() };
    for build in &bench.builds {
        let peak = peak_memory(&mut bench.helper(build, "get"), &bench.request)?;
        row.limits.push(limit(build, "", peak as f64 / 1024.0, (2.0, 3.0), " MiB"));
    }
    Ok(row)
}

fn size(bench: &Bench) -> io::Result<Row> {
    let mut row = Row { what: "binary", times: Vec::new(), limits: Vec::new() };
    for build in &bench.builds {
        let found = fs::metadata(&build.helper)?.len() as f64 / 1_048_576.0;
        row.limits.push(limit(build, "", found, (3.0, 4.0), " MiB"));
    }
    Ok(row)
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
    let medians = interleaved(FEWER_ROUNDS / 4, &request, &subjects)?;
    let names = subjects.iter().map(|subject| subject.name.clone());
    let times = names.zip(medians).collect();
    Ok(Some(Row { what: "for comparison", times, limits: Vec::new() }))
}
