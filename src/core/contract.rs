//! What the worker's answers mean (docs/worker-contract.md): a token, or a failure with its name.

use std::collections::HashMap;
use std::num::IntErrorKind;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::failure::{Failure, Name, Retry};
use crate::gh::host_name;
use crate::redact::clean;
use crate::time::Timestamp;
use crate::token::{Grant, LONGEST_TOKEN, Secret};

/// No installation token lives longer, with some tolerance for clocks: a later expiry counts as
/// unknown.
const LONGEST_BELIEVED: Duration = Duration::from_mins(62);
/// How much of the worker's own error text a message repeats, in characters.
const LONGEST_QUOTE: usize = 120;

/// An answer over HTTP, as far as it matters.
#[derive(Default)]
pub struct Reply {
    pub status: u16,
    pub date: Option<String>,
    pub retry_after: Option<String>,
    pub location: Option<String>,
    /// May hold a token.
    pub body: Zeroizing<Vec<u8>>,
}

/// What was asked, for whom and when; messages name it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub worker: &'a str,
    pub town: &'a str,
    pub rig: &'a str,
    /// Where the rig's id comes from, for messages.
    pub rig_origin: &'a str,
    /// How to set another rig in a way that takes precedence over that origin.
    pub rig_advice: &'a str,
    /// Masked in what the worker says.
    pub secrets: &'a [Secret],
    pub asked_at: Timestamp,
    pub answered_at: Timestamp,
}

/// Why there is no token in an answer.
#[derive(Debug)]
pub enum Denial {
    /// The container JWT has expired: renew it, then ask again.
    ContainerTokenExpired,
    Failed(Failure),
}

/// Reads the answer to `refresh-git-token`. Every other row of the contract's table is a denial.
pub fn git_token(reply: &Reply, question: Question<'_>) -> Result<Grant, Denial> {
    let answer = accepted(reply, question)?;
    let token = token_of(&answer, question)?;
    let expires = told_expiry(&answer, question, reply.date.as_deref());
    let clock_ahead = clock_difference(question, reply.date.as_deref());
    Ok(Grant { token, expires, asked_at: question.asked_at, clock_ahead })
}

/// Reads the answer to `refresh-container-token`. Every other row is a denial.
pub fn container_token(reply: &Reply, question: Question<'_>) -> Result<Secret, Denial> {
    token_of(&accepted(reply, question)?, question)
}

/// The fields of a JSON object, unparsed: a malformed one does not spoil the others.
#[derive(Default)]
struct Fields<'a>(HashMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    fn parse(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self)
    }

    fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    fn object(&self, name: &str) -> Self {
        self.0.get(name).and_then(|it| Self::parse(it.get().as_bytes())).unwrap_or_default()
    }
}

fn accepted<'a>(reply: &'a Reply, question: Question<'_>) -> Result<Fields<'a>, Denial> {
    let answer = Fields::parse(&reply.body);
    if !(200..=299).contains(&reply.status) {
        return Err(denial(reply, answer.as_ref(), question));
    }
    let answer =
        answer.ok_or_else(|| bad_answer(question, "something other than a JSON object"))?;
    match answer.get("success") {
        Some(false) => {
            Err(bad_answer(question, &format!("a failure with status {}", reply.status)))
        }
        _ => Ok(answer),
    }
}

fn token_of(answer: &Fields<'_>, question: Question<'_>) -> Result<Secret, Denial> {
    let token: Option<String> = answer.object("data").get("token");
    let token = Zeroizing::new(token.ok_or_else(|| bad_answer(question, "no token"))?);
    Secret::parse(token.as_bytes()).ok_or_else(|| {
        let what = format!("a token that is not 1 to {LONGEST_TOKEN} printable characters");
        bad_answer(question, &what)
    })
}

/// The expiry by the local clock, in any of its three forms, in `data` or beside it. One that makes
/// no sense counts as unknown; the token is used all the same.
fn told_expiry(
    answer: &Fields<'_>,
    question: Question<'_>,
    date: Option<&str>,
) -> Option<Timestamp> {
    let believed = |expires: &Timestamp| {
        let left = expires.since(question.answered_at);
        !left.is_zero() && left <= LONGEST_BELIEVED
    };
    [&answer.object("data"), answer].into_iter().find_map(|place| {
        let absolute = |name| place.get(name).as_ref().and_then(absolute);
        let absolute = absolute("expires_at").or_else(|| absolute("expiresAt"));
        let relative = || {
            let seconds = place.get("expires_in").filter(|seconds: &f64| *seconds > 0.0)?;
            Some(question.asked_at.plus(Duration::try_from_secs_f64(seconds).ok()?))
        };
        let shifted = absolute.map(|expires| expires.shifted(clock_difference(question, date)));
        // The `Date` may be wrong, too.
        let told = [shifted, absolute].into_iter().flatten().find(believed);
        told.or_else(|| relative().filter(believed))
    })
}

/// RFC 3339, or milliseconds since the epoch; smaller numbers are seconds.
fn absolute(value: &Value) -> Option<Timestamp> {
    const FIRST_MILLIS: i64 = 100_000_000_000;
    match value {
        Value::String(text) => Timestamp::from_rfc3339(text),
        #[expect(clippy::cast_possible_truncation, reason = "it saturates, and is far off then")]
        Value::Number(number) => match number.as_f64()? as i64 {
            ..=0 => None,
            seconds @ 1..FIRST_MILLIS => Some(Timestamp::from_seconds(seconds)),
            millis => Some(Timestamp::from_millis(millis)),
        },
        _ => None,
    }
}

/// How far the local clock is ahead of the worker's, in milliseconds. `Date` has whole seconds
/// and the answer took its time, so the difference is only known within bounds: zero if it may be
/// zero, else the bound that makes a token die earlier.
fn clock_difference(question: Question<'_>, date: Option<&str>) -> i64 {
    let Some(date) = date.and_then(Timestamp::from_http_date) else { return 0 };
    let least = question.asked_at.millis_since(date).saturating_sub(1000);
    let most = question.answered_at.millis_since(date);
    if (least..=most).contains(&0) { 0 } else { least }
}

fn bad_answer(question: Question<'_>, what: &str) -> Denial {
    let what = format!("the worker at {} answered with {what}", question.worker);
    let advice = "check that GASTOWN_API_URL is a Gastown worker";
    Denial::Failed(Failure::new(Name::BadAnswer, Retry::AtOnce, what, advice))
}

fn denial(reply: &Reply, answer: Option<&Fields<'_>>, question: Question<'_>) -> Denial {
    let Question { worker, town, rig, .. } = question;
    let said: String = answer.and_then(|answer| answer.get("error")).unwrap_or_default();
    let quote = format!("{} {}", reply.status, quoted(&said, question)).trim_end().to_owned();
    let (name, retry, what, advice) = match (reply.status, said.as_str()) {
        (401, "Token expired") => return Denial::ContainerTokenExpired,
        (401, _) => (
            Name::ContainerTokenRejected,
            Retry::WhenMended,
            format!("the worker at {worker} does not accept the container token ({quote})"),
            "set GASTOWN_CONTAINER_TOKEN to one that this worker issued for this town",
        ),
        (403, "Cross-town access denied") => (
            Name::CrossTown,
            Retry::WhenMended,
            format!("the container token is for another town than `{town}` ({quote})"),
            "make GASTOWN_TOWN_ID and GASTOWN_CONTAINER_TOKEN of the same town",
        ),
        (404, "Rig not found") => (
            Name::RigNotFound,
            Retry::WhenMended,
            format!(
                "the worker at {worker} does not know rig `{rig}` (from {}) of town `{town}` \
                 ({quote})",
                question.rig_origin
            ),
            question.rig_advice,
        ),
        (404, "No git token available for this rig") => (
            Name::NoGitToken,
            Retry::WhenMended,
            format!(
                "the worker at {worker} has no git token for rig `{rig}` of town `{town}` ({quote})"
            ),
            "install the GitHub App for the rig's repository, or set GITHUB_CLI_PAT",
        ),
        (429, _) => (
            Name::RateLimited,
            Retry::Later,
            format!("the worker at {worker} asked to wait ({quote})"),
            "wait, or ask the worker's owner to raise its limit",
        ),
        (300..=399, _) => (
            Name::WorkerError,
            Retry::WhenMended,
            match reply.location.as_deref() {
                Some(location) => {
                    // User information and a query may hold a secret. The scheme may be left out.
                    let host = host_name(location).or_else(|| host_name(&format!("x:{location}")));
                    let host = host.filter(|name| !name.is_empty());
                    let host = host.map(|name| quoted(&name, question));
                    let host = host.as_deref().unwrap_or("another path");
                    format!(
                        "the worker at {worker} redirected to {host}, which is refused ({quote})"
                    )
                }
                None => format!(
                    "the worker at {worker} answered with a redirect ({quote}), which is not \
                     followed"
                ),
            },
            "set GASTOWN_API_URL to the worker's own address",
        ),
        (500..=599, _) => (
            Name::WorkerError,
            Retry::AtOnce,
            format!("the worker at {worker} failed ({quote})"),
            "if it stays, look at the worker's log",
        ),
        _ => (
            Name::WorkerError,
            Retry::WhenMended,
            format!(
                "the worker at {worker} refused a token for rig `{rig}` of town `{town}` ({quote})"
            ),
            "check GASTOWN_API_URL, GASTOWN_TOWN_ID and GASTOWN_RIG_ID",
        ),
    };
    let wait = retry_after(reply, question).filter(|_| retry != Retry::WhenMended);
    Denial::Failed(Failure::new(name, retry, what, advice).asking_to_wait(wait))
}

/// The worker's own error text, masked, escaped and only then cut: half a secret would not be
/// recognised.
fn quoted(said: &str, question: Question<'_>) -> String {
    let line = clean(said, question.secrets);
    let mut quote: String = line.chars().take(LONGEST_QUOTE).collect();
    if quote.len() < line.len() {
        quote.push('…');
    }
    quote
}

/// `Retry-After`, in seconds or as a date. Absent if it is malformed or asks for no wait.
fn retry_after(reply: &Reply, question: Question<'_>) -> Option<Duration> {
    let text = reply.retry_after.as_deref()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Duration::MAX,
        Err(_) => Timestamp::from_http_date(text)?
            .shifted(clock_difference(question, reply.date.as_deref()))
            .since(question.answered_at),
    };
    (!wait.is_zero()).then_some(wait)
}

#[cfg(test)]
mod tests;
