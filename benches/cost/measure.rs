//! Time and memory of whole processes. Subjects take turns, so that a busy moment of the machine
//! meets all of them, in an order that changes, because what ran just before decides what is still in
//! the processor's caches. The median stands for each.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process to be measured, with what has to be done before each run.
pub(crate) struct Subject<'a> {
    pub name: String,
    pub command: Box<dyn Fn() -> Command + 'a>,
    pub before: Box<dyn Fn() + 'a>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(name: impl Into<String>, command: impl Fn() -> Command + 'a) -> Self {
        Self { name: name.into(), command: Box::new(command), before: Box::new(|| {}) }
    }

    pub(crate) fn before(self, before: impl Fn() + 'a) -> Self {
        Self { before: Box::new(before), ..self }
    }
}

/// The medians, in the order of the subjects. The first rounds warm the machine up.
pub(crate) fn interleaved(
    rounds: usize,
    stdin: &Path,
    subjects: &[Subject<'_>],
) -> io::Result<Vec<Duration>> {
    let mut times = vec![Vec::with_capacity(rounds); subjects.len()];
    let mut order: Vec<_> = (0..subjects.len()).collect();
    for round in 0..rounds + rounds / 10 {
        fastrand::shuffle(&mut order);
        for &place in &order {
            let subject = &subjects[place];
            (subject.before)();
            let took = time(&mut (subject.command)(), stdin)?;
            if round >= rounds / 10 {
                times[place].push(took);
            }
        }
    }
    Ok(times.into_iter().map(median).collect())
}

fn time(command: &mut Command, stdin: &Path) -> io::Result<Duration> {
    command.stdin(File::open(stdin)?).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.spawn()?.wait()?;
    let took = started.elapsed();
    if status.success() { Ok(took) } else { Err(io::Error::other(format!("{command:?} failed"))) }
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// How long it takes until all of many processes, started at once, have answered.
pub(crate) fn herd(
    count: usize,
    stdin: &Path,
    command: impl Fn() -> Command,
) -> io::Result<Duration> {
    let started = Instant::now();
    let start = |_| {
        let stdin = File::open(stdin)?;
        command().stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    };
    let children: Vec<Child> = (0..count).map(start).collect::<io::Result<_>>()?;
    for mut child in children {
        if !child.wait()?.success() {
            return Err(io::Error::other("one of many failed"));
        }
    }
    Ok(started.elapsed())
}

/// Peak memory in KiB, read while the process waits to write its answer into a full pipe.
pub(crate) fn peak_memory(command: &mut Command, stdin: &Path) -> io::Result<u64> {
    const CAPACITY: usize = 64 * 1024;
    let (mut reader, mut writer) = io::pipe()?;
    writer.write_all(&[0; CAPACITY])?;
    let mut child = command.stdin(File::open(stdin)?).stdout(writer).spawn()?;
    // The command holds the pipe's other end as well.
    command.stdout(Stdio::null());
    let status = format!("/proc/{}/status", child.id());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !fs::read_to_string(format!("/proc/{}/wchan", child.id()))?.contains("pipe")
        && !fs::read_to_string(&status)?.contains("State:\tS")
        && Instant::now() < deadline
    {
        std::thread::sleep(Duration::from_millis(1));
    }
    let status = fs::read_to_string(&status)?;
    reader.read_to_end(&mut Vec::new())?;
    child.wait()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
    peak.ok_or_else(|| io::Error::other("the kernel does not tell the peak"))
}
