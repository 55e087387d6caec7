//! The settings: each with where it comes from, and what is wrong with it.

use std::fmt::Display;

use git_credential_gastown::token::Kind;

use super::Examination;
use super::finding::Finding;
use crate::config::{Origin, Setting, StaticToken};

const LINK: &str = "settings";

pub(super) fn check(examination: &Examination<'_>) -> Vec<Finding> {
    let settings = &examination.context.settings;
    let mut findings = vec![
        needed(examination, "worker", &settings.api_url, "GASTOWN_API_URL"),
        needed(examination, "town", &settings.town, "GASTOWN_TOWN_ID"),
        needed(examination, "rig", &settings.rig, "GASTOWN_RIG_ID"),
        hosts(examination),
    ];
    findings.extend(others(examination));
    findings.extend(settings.static_tokens.iter().filter_map(static_token));
    if let Some(file) = &settings.config_file {
        let state = if file.is_file() { "read" } else { "not there" };
        findings.push(Finding::ok(LINK, format!("config file {file:?}: {state}")));
    }
    let mend = "correct or unset it";
    findings.extend(settings.warnings.iter().map(|text| Finding::warn(LINK, text, mend)));
    findings.extend(settings.notes.iter().map(|text| Finding::ok(LINK, text)));
    findings
}

/// One without which the worker cannot be asked.
fn needed<T: Display>(
    examination: &Examination<'_>,
    name: &str,
    setting: &Setting<T>,
    variable: &str,
) -> Finding {
    let what = format!("{name}: {setting}");
    match setting {
        Setting::Set { .. } => Finding::ok(LINK, what),
        Setting::Unset => {
            let mend = format!("export {variable}=…, or: git credential-gastown setup --help");
            Finding::fail(LINK, what, mend).weighed(examination.without_worker())
        }
        Setting::Wrong { .. } => Finding::fail(LINK, what, format!("correct {variable}"))
            .weighed(examination.without_worker()),
    }
}

fn hosts(examination: &Examination<'_>) -> Finding {
    let settings = &examination.context.settings;
    let hosts: Vec<_> = settings.hosts.iter().map(ToString::to_string).collect();
    let origin = settings.origins.iter().find(|(name, _)| *name == "hosts");
    let origin = shown(origin.and_then(|(_, origin)| origin.as_ref()));
    match hosts.as_slice() {
        [] => Finding::fail(LINK, "hosts: none", "name one in GASTOWN_GIT_HOSTS, as github.com"),
        hosts => Finding::ok(LINK, format!("hosts: {} (from {origin})", hosts.join(", "))),
    }
}

fn others(examination: &Examination<'_>) -> Vec<Finding> {
    let context = examination.context;
    let first = context.cache.directory().map(|directory| format!("{directory:?}"));
    let value = |name: &str| match name {
        "cache" => first.clone().unwrap_or_default(),
        _ => format!("{:?}", context.settings.on_failure).to_ascii_lowercase(),
    };
    let origins = context.settings.origins.iter().filter(|(name, _)| *name != "hosts");
    let told = |name, origin| format!("{name}: {} (from {})", value(name), shown(origin));
    origins.map(|(name, origin)| Finding::ok(LINK, told(name, origin.as_ref()))).collect()
}

fn shown(origin: Option<&Origin>) -> String {
    origin.map_or("the default".to_owned(), ToString::to_string)
}

fn static_token(token: &StaticToken) -> Option<Finding> {
    let name = token.name;
    match &token.token {
        Setting::Set { value, origin } => {
            let role = match value.kind() {
                Kind::PersonalAccess => "long-lived, answers before the worker",
                Kind::Installation => "a snapshot, the last resort",
            };
            Some(Finding::ok(LINK, format!("{name}: set (from {origin}), {role}")))
        }
        Setting::Unset => None,
        Setting::Wrong { origin, why } => {
            Some(Finding::warn(LINK, format!("{name}: {origin} is {why}"), format!("unset {name}")))
        }
    }
}
