//! The status as one JSON object: moments in RFC 3339, what is not known as null.

use git_credential_gastown::failure::FailureRecord;
use git_credential_gastown::policy::HostRecord;
use git_credential_gastown::time::Timestamp;
use serde_json::{Map, Value, json};

use super::{Record, Shown, Status, Token};

pub(super) fn of(status: &Status, clean: impl Fn(&str) -> String) -> String {
    let mut object = json!({
        "version": 1,
        "time": moment(status.now),
        "cache": status.directory,
        "entries": status.records.iter().map(|it| record(it, status.now)).collect::<Vec<_>>(),
        "unusable": status.faults,
        "settings": status.settings.iter().map(setting).collect::<Map<_, _>>(),
    });
    clean_all(&mut object, &clean);
    format!("{object:#}\n")
}

fn setting(Shown { name, value, origin, .. }: &Shown) -> (String, Value) {
    ((*name).to_owned(), json!({ "value": value, "origin": origin }))
}

fn record(record: &Record, now: Timestamp) -> Value {
    let Record { key, decision, token, failure, container_token_expires } = record;
    json!({
        "api": key.api,
        "town": key.town,
        "rig": key.rig,
        "state": decision.state.to_string(),
        "reason": decision.reason.to_string(),
        "token": token.as_ref().map(|token| self::token(token, now)),
        "failure": failure.as_ref().map(self::failure),
        "container_token_expires": container_token_expires.and_then(moment),
    })
}

fn token(Token { entry, outlook, refusals }: &Token, now: Timestamp) -> Value {
    let expiry = match (entry.expires, outlook.most) {
        (Some(_), _) => "known",
        (None, Some(_)) => "assumed",
        (None, None) => "none",
    };
    json!({
        "hash": entry.token.hash().prefix(),
        "kind": entry.token.kind().to_string(),
        "source": "worker",
        "age": now.since(entry.first_seen).as_secs(),
        "first_seen": moment(entry.first_seen),
        "confirmed_at": moment(entry.confirmed_at),
        "expiry": expiry,
        "lives_until": moment(outlook.least),
        "dies_by": outlook.most.and_then(moment),
        "renewal_at": moment(outlook.renew_at),
        "refusals": refusals.iter().map(refusal).collect::<Vec<_>>(),
    })
}

fn refusal((host, record): &(String, HostRecord)) -> Value {
    json!({
        "host": host,
        "count": record.refusals,
        "at": record.refused_at.and_then(moment),
        "worker_asked_at": record.asked.last_at.and_then(moment),
    })
}

fn failure(record: &FailureRecord) -> Value {
    json!({
        "error": record.failure.name.as_str(),
        "what": record.failure.what,
        "advice": record.failure.advice,
        "at": moment(record.at),
        "count": record.count,
        "next_try_at": moment(record.until),
        "next_try_with_a_token_left_at": moment(record.until_usable),
    })
}

fn moment(moment: Timestamp) -> Option<String> {
    moment.to_rfc3339()
}

/// Each text by itself, so that the object stays one.
fn clean_all(value: &mut Value, clean: &impl Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(values) => values.iter_mut().for_each(|value| clean_all(value, clean)),
        Value::Object(fields) => fields.values_mut().for_each(|value| clean_all(value, clean)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
