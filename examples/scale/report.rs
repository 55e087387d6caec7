//! The document: `scale.md` beside this file, with the numbers in place of the names in braces.

use crate::simulation::{Cause, HEALING_HELPER, HOUR, MINUTE, Parameters, Results, Tally, of};

pub(crate) fn document(parameters: &Parameters, results: &Results) -> String {
    let helper = of(results, HEALING_HELPER);
    let woken = counted(helper.wake_ups, "wake-up").to_lowercase();
    let calls = helper.calls_per_container_hour() - helper.unanswered_per_container_hour();
    let mut text = include_str!("scale.md").to_owned();
    for (name, value) in [
        ("aged", counted(helper.dead(Cause::Age), "token")),
        ("woken", woken),
        ("calls", format!("{calls:.2}")),
        ("pushes", grouped(helper.pushes)),
        ("revoked", grouped(helper.dead(Cause::Revocation))),
        ("unhealed", grouped(helper.failed(Cause::Revocation))),
        ("outage", grouped(helper.dead(Cause::Outage))),
        ("failed", grouped(helper.failed(Cause::Outage))),
        ("containers", grouped(parameters.containers as u64)),
        ("agents", parameters.agents.to_string()),
        ("hours", parameters.hours.to_string()),
        ("ways", results.iter().map(|(way, tally)| row(parameters, way, tally)).collect()),
        ("parameters", parameters.rows()),
    ] {
        text = text.replace(&format!("{{{name}}}"), &value);
    }
    text
}

fn row(parameters: &Parameters, way: &str, tally: &Tally) -> String {
    let restart = parameters.restarts_at();
    let container_days = parameters.containers as f64 * parameters.hours as f64 / 24.0;
    format!(
        "| {way} | {} | {} | {} | {} | {:.2} | {:.2} | {:.1} | {} | {} |\n",
        share(tally.dead(Cause::Age), tally),
        share(tally.dead(Cause::Revocation), tally),
        share(tally.dead(Cause::Outage), tally),
        share(tally.all_failed(), tally),
        tally.calls_per_container_hour(),
        tally.unanswered_per_container_hour(),
        tally.wake_ups as f64 / container_days,
        grouped(tally.peak(restart, restart + 5 * MINUTE).into()),
        grouped(tally.peak(restart + 5 * MINUTE, restart + 4 * HOUR).into()),
    )
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
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}
