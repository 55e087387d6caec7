//! What can be decided, and why, in the words of trace and messages.

use std::fmt;
use std::time::Duration;

use crate::failure::FailureRecord;
use crate::time::spoken;

/// The state of a cached token, in capitals as in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Fresh,
    Soon,
    Due,
    Dead,
    Odd,
    /// Alive by its age, but refused somewhere, or there is a hint of that.
    Suspect,
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Fresh => "FRESH",
            Self::Soon => "SOON",
            Self::Due => "DUE",
            Self::Dead => "DEAD",
            Self::Odd => "ODD",
            Self::Suspect => "SUSPECT",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hand out the cached token after `pause`; no lock, no network.
    Answer {
        pause: Duration,
    },
    /// Hand out the cached token, and warn of the failure on record.
    AnswerAndWarn,
    Renew(Plan),
    /// Fail with the failure on record.
    Fail,
    /// End this command: its own answer was refused, and there is no other token.
    Reject,
}

/// How to renew: how long to wait for another process's renewal, how many attempts in how much
/// time, and what to do if it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub wait: Duration,
    pub attempts: u32,
    pub budget: Duration,
    pub otherwise: Otherwise,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { pause } if pause.is_zero() => formatter.write_str("answer"),
            Self::Answer { pause } => write!(formatter, "answer in {} ms", pause.as_millis()),
            Self::AnswerAndWarn => formatter.write_str("answer and warn"),
            Self::Renew(plan) => write!(
                formatter,
                "renew, {} attempt(s) in {}, waiting {} for another's",
                plan.attempts,
                spoken(plan.budget),
                spoken(plan.wait)
            ),
            Self::Fail => formatter.write_str("fail"),
            Self::Reject => formatter.write_str("fail: rejected, and there is no other token"),
        }
    }
}

/// What to do if a renewal fails or another process takes too long over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    Answer,
    AnswerAndWarn,
    Fail,
    /// As [`Action::Reject`].
    Reject,
}

/// A decision is a value with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub state: State,
    pub action: Action,
    pub reason: Reason,
    /// The failure on record, where it stands for another attempt.
    pub failure: Option<FailureRecord>,
}

/// Why, as it stands in the trace and in the list of what an error has tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    NothingCached,
    /// Renewal begins after this long.
    FreshFor(Duration),
    /// Certain to live this long, at the least.
    LivesFor(Duration),
    /// It may have died, but not before this long.
    MayLiveFor(Duration),
    /// A long-lived token that was last confirmed this long ago.
    ConfirmedAgo(Duration),
    DiedAgo(Duration),
    /// The worker handed it out a moment ago: asking again would bring the same.
    JustConfirmed,
    ClockWentBack,
    Rejected,
    /// Refused once, so soon after it was made that GitHub may not know it yet.
    MayLag,
    MayBeRefused,
    NewerWanted,
    LongerWanted,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingCached => formatter.write_str("empty"),
            Self::FreshFor(time) => write!(formatter, "fresh for {}", spoken(*time)),
            Self::LivesFor(time) => write!(formatter, "lives another {}", spoken(*time)),
            Self::MayLiveFor(time) => write!(formatter, "may live another {}", spoken(*time)),
            Self::ConfirmedAgo(time) => write!(formatter, "confirmed {} ago", spoken(*time)),
            Self::DiedAgo(time) => write!(formatter, "died {} ago", spoken(*time)),
            Self::JustConfirmed => formatter.write_str("confirmed just now"),
            Self::ClockWentBack => formatter.write_str("from the future: the clock went back"),
            Self::Rejected => formatter.write_str("rejected by the server"),
            Self::MayLag => formatter.write_str("refused, but so young that this may be lag"),
            Self::MayBeRefused => formatter.write_str("perhaps refused"),
            Self::NewerWanted => formatter.write_str("a newer one is wanted"),
            Self::LongerWanted => formatter.write_str("one that lives longer is wanted"),
        }
    }
}
