//! The status for people: a paragraph for each key, times as one says them.

use git_credential_gastown::policy::State;
use git_credential_gastown::time::{Timestamp, spoken};

use super::{Record, Status, Token};

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

pub(super) fn of(status: &Status, in_colour: bool, clean: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    for record in &status.records {
        let key = &record.key;
        let title = format!("rig {} of town {} at {}", key.rig, key.town, key.api);
        line(&clean(&title));
        let state = painted(record.decision.state, in_colour);
        line(&format!("  state    {state}: {}", record.decision.reason));
        rows(record, status.now).iter().for_each(|row| line(&clean(row)));
    }
    if status.records.is_empty() {
        line(&clean(&format!("nothing is cached in {}", status.directory)));
    }
    status.faults.iter().for_each(|fault| line(&clean(fault)));
    line("settings");
    for setting in &status.settings {
        line(&clean(&format!("  {:<8} {}", setting.name, setting.text)));
    }
    text
}

fn rows(record: &Record, now: Timestamp) -> Vec<String> {
    let mut rows = Vec::new();
    if let Some(token) = &record.token {
        let is_fresh = record.decision.state == State::Fresh;
        rows.extend(token_rows(token, is_fresh, now));
    }
    if let Some(failure) = &record.failure {
        let usable = record.decision.state != State::Dead;
        rows.push(format!("  failure  {}", failure.retold(usable, now)));
    }
    if let Some(expires) = record.container_token_expires {
        rows.push(format!("  renewed  container token, which expires {}", when(expires, now)));
    }
    rows
}

fn token_rows(
    Token { entry, outlook, refusals }: &Token,
    is_fresh: bool,
    now: Timestamp,
) -> Vec<String> {
    let (hash, kind) = (entry.token.hash(), entry.token.kind());
    let (seen, confirmed) = (when(entry.first_seen, now), when(entry.confirmed_at, now));
    let mut rows = vec![
        format!("  token    {}, {kind}", hash.prefix()),
        format!("  source   the worker, first {seen}, last {confirmed}"),
        format!("  expiry   {}", expiry(outlook.least, outlook.most, entry.expires, now)),
        match is_fresh {
            true => format!("  renewal  {}", when(outlook.renew_at, now)),
            false => "  renewal  when next asked".to_owned(),
        },
    ];
    for (host, record) in refusals {
        let last = record.refused_at.map_or_else(String::new, |at| when(at, now));
        rows.push(format!("  refused  by {host}, {} time(s), last {last}", record.refusals));
    }
    rows
}

fn expiry(
    least: Timestamp,
    most: Option<Timestamp>,
    told: Option<Timestamp>,
    now: Timestamp,
) -> String {
    match (told, most) {
        (Some(expires), _) => format!("{}, as the worker said", when(expires, now)),
        (None, Some(most)) if least > now && most > least => {
            let (least, most) = (spoken(least.since(now)), spoken(most.since(now)));
            format!("in {least} to {most}, assumed: the worker did not say")
        }
        (None, Some(most)) => {
            format!("{} at the latest, assumed: the worker did not say", when(most, now))
        }
        (None, None) => "none, a long-lived token".to_owned(),
    }
}

/// A moment as seen from now.
fn when(moment: Timestamp, now: Timestamp) -> String {
    if moment > now {
        format!("in {}", spoken(moment.since(now)))
    } else {
        format!("{} ago", spoken(now.since(moment)))
    }
}

fn painted(state: State, in_colour: bool) -> String {
    let colour = match state {
        State::Fresh => GREEN,
        State::Soon | State::Due | State::Suspect => YELLOW,
        State::Dead | State::Odd => RED,
    };
    if in_colour { format!("\x1b[{colour}m{state}\x1b[0m") } else { state.to_string() }
}
