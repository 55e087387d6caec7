//! The document and its plot, made of the rows.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::Libc;
use crate::bench::Bench;
use crate::rows::{CALLS, LEAST, Limit, Row};

pub(crate) fn document(rows: &[Row], bench: &Bench) -> String {
    let mut text = claim(rows);
    text += HOW;
    let builds = || bench.builds.iter().map(|build| build.libc);
    let heads = builds().map(|libc| format!(" {0}, at most | {0}, here |", libc.name()));
    let _ = writeln!(text, "| what |{} medians |", heads.collect::<String>());
    let _ = writeln!(text, "|{}", "---|".repeat(2 + 2 * bench.builds.len()));
    for row in rows {
        let _ = write!(text, "| {} |", row.what);
        for libc in builds() {
            let at_most = |limit: &Limit| {
                format!("{}{} {}", limit.at_most, limit.unit, limit.of).trim_end().to_owned()
            };
            let here = |limit: &Limit| format!("{}{}", shown(limit), verdict(limit));
            let _ = write!(text, " {} |", joined(row, libc, at_most));
            let _ = write!(text, " {} |", joined(row, libc, here));
        }
        let _ = writeln!(text, " {} |", medians(row));
    }
    let _ = writeln!(text, "\n![Medians of whole processes](performance.svg)\n");
    text += REASONS;
    let _ = writeln!(text, "Measured on {}, with git {}.", machine(), bench.git.version);
    text
}

const HOW: &str = "\
This page and its plot are written by `cargo bench --bench cost`, which installs the helper with \
`install.sh`, runs it as whole processes beside peers found on the machine, in turns, and compares \
medians of hundreds. The worker is a stand-in on loopback. The rows are measured one after the \
other, so compare times within a row only.

The targets (*at most*) are the ambition that this edition was started with, set by measurements on \
another machine; the columns *here* say what it takes on this one, and **missed** that a target is \
not reached.

";

const REASONS: &str = "\
## Where the time goes

Nearly all of a cached `get` is starting a process, so that is what was made cheap:

- **One static file at fixed addresses.** No dynamic loader, no relocations, and a third fewer page \
faults than at random ones. The price is that the code's own address is known; heap, stack and \
mappings stay random.
- **musl where Rust has it.** glibc asks the processor some 70 times at start what it can do \
(`cpuid`), also in a static program. In a virtual machine each is a trap into the host, and agents \
live in virtual machines. The musl build does not ask at all, as SHA-2 is in software; the glibc \
build adds nothing to what glibc does.
- **git's own calls are told at a glance.** `get`, `store` and `erase` without flags need no \
command line parser; building its help took a quarter of all instructions of a `get`.
- **Small code.** Optimised for size it is a fifth smaller and as quick: what a start costs is \
pages, not loops. A static release has no tables for unwinding (`build.rs`), another seventh.
- **What runs lies together.** The linker puts the functions that answer git side by side \
(`linker/hot-path.ld`): a quarter fewer page faults, a sixth of the time.
- **One read of the request, one of the entry, one write.** A fresh answer takes no lock, makes no \
directory and opens no connection; a file that is not there costs a failed `open`.

The instructions of a cached `get` are counted in `.ci/instructions` and compared with \
`benches/instructions.txt`.

";

fn claim(rows: &[Row]) -> String {
    let limits: Vec<_> = rows.iter().flat_map(|row| &row.limits).collect();
    let met = limits.iter().filter(|limit| limit.is_met()).count();
    let cached = rows.first().map_or(&[][..], |row| &row.limits);
    let sentence = |libc: Libc| {
        let of_build = cached.iter().filter(|limit| limit.libc == libc);
        let found: Vec<_> = of_build.map(|limit| limit.found).collect();
        let [nothing, store] = found[..] else { return None };
        let libc = libc.name();
        Some(format!(
            "Built for {libc}, a cached `get` takes {nothing:.2} of what `/bin/true` takes, and \
             {store:.2} of git's own `git-credential-store get`."
        ))
    };
    let sentences: Vec<_> = Libc::ALL.into_iter().filter_map(sentence).collect();
    let least = rows.first().and_then(least).map(|least| {
        format!(
            " The least that is possible here: a program that only exits, without any library, takes \
             {least:.2} of what `/bin/true` takes."
        )
    });
    format!(
        "# What it costs\n\n**{}**{} {met} of {} targets are met.\n\n",
        sentences.join(" "),
        least.unwrap_or_default(),
        limits.len()
    )
}

/// What a process takes at least, of what `/bin/true` takes.
fn least(row: &Row) -> Option<f64> {
    let time = |wanted| row.times.iter().find(|(name, _)| name == wanted);
    Some(time(LEAST)?.1.as_secs_f64() / time("`/bin/true`")?.1.as_secs_f64())
}

fn joined(row: &Row, libc: Libc, shown: impl Fn(&Limit) -> String) -> String {
    let limits = row.limits.iter().filter(|limit| limit.libc == libc);
    limits.map(shown).collect::<Vec<_>>().join("; ")
}

fn shown(limit: &Limit) -> String {
    match limit.of {
        CALLS => format!("{:.0}", limit.found),
        _ => format!("{:.2}{}", limit.found, limit.unit),
    }
}

fn verdict(limit: &Limit) -> &'static str {
    if limit.is_met() { "" } else { " **missed**" }
}

fn medians(row: &Row) -> String {
    let one = |(name, time): &(String, Duration)| format!("{name} {}", spoken(*time));
    row.times.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn spoken(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("an unknown CPU", |text| text.trim_start_matches([':', ' ', '\t']));
    format!("{cpus} cores of {model}")
}

const LEFT: f64 = 250.0;
const WIDTH: f64 = 720.0;
const STEP: f64 = 22.0;

/// The short runs as bars, of whole processes.
pub(crate) fn plot(rows: &[Row]) -> String {
    let mut bars: Vec<(&str, Duration)> = Vec::new();
    for (name, time) in rows.iter().take(5).flat_map(|row| &row.times) {
        if bars.iter().all(|(known, _)| known != name) {
            bars.push((name, *time));
        }
    }
    bars.sort_by_key(|(_, time)| *time);
    let longest = bars.last().map_or(1.0, |(_, time)| time.as_secs_f64());
    let height = STEP * (bars.len() as f64 + 1.5);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"16\" font-size=\"13\">Whole processes, medians</text>\n"
    );
    for (place, (name, time)) in bars.iter().enumerate() {
        let y = STEP * (place as f64 + 1.2);
        let length = (WIDTH - LEFT - 80.0) * time.as_secs_f64() / longest;
        let is_peer = ["true", "credential-store", "curl"].iter().any(|peer| name.contains(peer));
        let colour = if is_peer { "#93a1a1" } else { "#2aa198" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"15\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 12.0,
            name.replace('`', ""),
            LEFT + length + 6.0,
            y + 12.0,
            spoken(*time)
        );
    }
    svg + "</svg>\n"
}
