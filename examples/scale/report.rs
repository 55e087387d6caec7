//! The document: what was found, in words that follow the numbers.

use std::fmt::Write as _;

use crate::simulation::parameters::{HOUR, MINUTE};
use crate::simulation::{Cause, Contender, Parameters, Tally};

type Results = [(Contender, Tally)];

pub(crate) fn document(parameters: &Parameters, results: &Results) -> String {
    let mut text = claim(parameters, results);
    text += HOW;
    text += &table(parameters, results);
    text += READING;
    text += &parameter_table(parameters);
    text += LIMITS;
    text
}

fn claim(parameters: &Parameters, results: &Results) -> String {
    let helper = tally_of(results, Contender::HealingHelper);
    let mut text = format!(
        "# At fleet scale\n\n\
         **{aged} dead of age, {woken}, {calls:.2} calls to the worker per container and hour \
         while it is up, in {pushes} pushes.** ",
        pushes = grouped(helper.pushes),
        aged = counted(helper.dead(Cause::Age), "token"),
        woken = counted(helper.wake_ups, "wake-up").to_lowercase() + " of idle containers",
        calls = helper.calls_per_container_hour() - helper.unanswered_per_container_hour(),
    );
    let _ = writeln!(
        text,
        "What no client can prevent remains: {revoked} pushes met a token that had been revoked, \
         and git healed all but {unhealed} of them within the same command; {outage} met a dead \
         token while the worker was down, and {failed} failed then, because their container came \
         back from an idle gap or the outage outlasted the token.\n",
        revoked = grouped(helper.dead(Cause::Revocation)),
        unhealed = grouped(helper.failed(Cause::Revocation)),
        outage = grouped(helper.dead(Cause::Outage)),
        failed = grouped(helper.failed(Cause::Outage)),
    );
    let _ = writeln!(
        text,
        "That is {containers} containers with {agents} agents each, for {hours} hours.\n",
        containers = grouped(parameters.containers as u64),
        agents = parameters.agents,
        hours = parameters.hours,
    );
    text
}

const HOW: &str = "\
This page and its plot are written by `cargo run --release --example scale`, which drives the \
helper's own policy (`policy::decide`, `entry_for`, the failure records) in virtual time, beside \
the other ways to come by a token. All ways meet the same pushes, revocations, outages and \
repositories that refuse any token.

";

fn table(parameters: &Parameters, results: &Results) -> String {
    let mut text = "\
| way | met a token dead of age | met a revoked token | met a dead token in an outage \
| failed pushes | calls per container-hour | of them unanswered | wake-ups of idle containers, each per day \
| calls/s at the restart | later peak |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    let restart = parameters.restarts_at();
    let containers = parameters.containers as f64 * parameters.hours as f64 / 24.0;
    for (contender, tally) in results {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.2} | {:.2} | {:.1} | {} | {} |",
            contender.name(),
            share(tally.dead(Cause::Age), tally),
            share(tally.dead(Cause::Revocation), tally),
            share(tally.dead(Cause::Outage), tally),
            share(tally.all_failed(), tally),
            tally.calls_per_container_hour(),
            tally.unanswered_per_container_hour(),
            tally.wake_ups as f64 / containers,
            grouped(tally.peak(restart, restart + 5 * MINUTE).into()),
            grouped(tally.peak(restart + 5 * MINUTE, restart + 4 * HOUR).into()),
        );
    }
    text
}

const READING: &str = "
![Calls per second after a common restart](scale.svg)

- **Met a token dead of age**: the push began with a token that had outlived its hour although the \
worker could be reached. A timer cannot rule that out, because the worker's answer may be half an \
hour old when it comes.
- **Met a revoked token**: known to nobody before a server refuses it. The first push of a \
container pays; with git ≥ 2.46 it pays one round trip, with older ones it fails once. A \
token refused within its first minute gets a second chance, because GitHub may not know it yet: \
that is why a few are not healed. Others come within minutes of a push that was refused for another \
reason: then the worker has just been asked.
- **Met a dead token in an outage**: during an outage, or up to two minutes after it, which is the \
longest back-off. The helper serves an old token while it may live, for want of a better one. A \
container that comes back from an idle gap during an outage has none, which is the price of not \
waking it.
- **Failed pushes**: those that did not come by a live token within the one command. Pushes to \
repositories that refuse any token are beside those that are counted: they cost calls, and must cost \
no other push.
- **Calls at the restart, later peak**: all containers come up at once with empty caches, and all \
agents push. The later peak is the echo of it, which the helper's draw spreads: the highest second \
from 5 minutes to 4 hours after.
- A call that an outage leaves unanswered counts as a call, and a second attempt counts again.

## Parameters

Change any: `cargo run --release --example scale -- containers=1000 revocations_per_day=4 \
worker_notices=false`. The result is printed; only the usual numbers are written down here.

";

fn parameter_table(parameters: &Parameters) -> String {
    let mut text = "| parameter | value | |\n|---|--:|---|\n".to_owned();
    for (name, value, unit) in parameters.table() {
        let _ = writeln!(text, "| `{name}` | {value} | {unit} |");
    }
    text
}

const LIMITS: &str = "
## What it leaves out

Calls take no time and one process at a time asks, so locks and waiting are not simulated: the \
integration tests have those, with real processes. GitHub knows a new token at once, a push is over \
at once, and the clocks agree. A spell's agents are dispatched together, which is harder on the \
worker than real life is.
";

fn tally_of(results: &Results, wanted: Contender) -> &Tally {
    let found = results.iter().find(|(contender, _)| *contender == wanted);
    &found.expect("every contender has a result").1
}

fn share(count: u64, tally: &Tally) -> String {
    if count == 0 {
        return "0".to_owned();
    }
    let percent = count as f64 * 100.0 / tally.pushes as f64;
    let digits = if percent < 0.1 { 4 } else { 1 };
    format!("{} ({percent:.digits$} %)", grouped(count))
}

fn counted(count: u64, what: &str) -> String {
    match count {
        0 => format!("No {what}"),
        1 => format!("1 {what}"),
        _ => format!("{} {what}s", grouped(count)),
    }
}

/// With a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
