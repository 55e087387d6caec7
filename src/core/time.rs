//! Moments in time, how they are read and written, and all arithmetic on them: whole milliseconds
//! since the Unix epoch, saturating at both ends, so that no clock and no answer can make it panic.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down: what `password_expiry_utc` wants.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(as_millis(duration)))
    }

    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(as_millis(duration)))
    }

    /// Moves by a signed number of milliseconds, as a clock difference is.
    pub fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to here; negative when `earlier` is the later one.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// How long it is from `earlier` to here; zero when `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.millis_since(earlier)).unwrap_or(0))
    }

    /// Reads RFC 3339, the form of GitHub's `expires_at`.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        Self::from_datetime(OffsetDateTime::parse(text, &Rfc3339).ok()?)
    }

    /// Reads the date form of HTTP headers (RFC 9110, 5.6.7), a subset of RFC 2822.
    pub fn from_http_date(text: &str) -> Option<Self> {
        Self::from_datetime(OffsetDateTime::parse(text, &Rfc2822).ok()?)
    }

    /// RFC 3339 in UTC; `None` for years that the form cannot hold.
    pub fn to_rfc3339(self) -> Option<String> {
        let nanos = i128::from(self.0).checked_mul(1_000_000)?;
        let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
        moment.format(&Rfc3339).ok()
    }

    /// The same with exactly three digits of milliseconds, so that lines of a trace align.
    pub fn to_rfc3339_millis(self) -> Option<String> {
        let seconds = Self::from_seconds(self.seconds()).to_rfc3339()?;
        Some(format!("{}.{:03}Z", seconds.trim_end_matches('Z'), self.0.rem_euclid(1000)))
    }

    fn from_datetime(moment: OffsetDateTime) -> Option<Self> {
        let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(millis).ok().map(Self)
    }
}

fn as_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The duration times `draw`, which is clamped to 0..1.
pub fn part(duration: Duration, draw: f64) -> Duration {
    let draw = if draw.is_nan() { 0.0 } else { draw.clamp(0.0, 1.0) };
    duration.mul_f64(draw)
}

/// A duration, rounded for people: `40 s`, `12 min`, `3 h`, `2 days`.
pub fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_date_forms_are_read() {
        let moment = Timestamp::from_seconds(1_796_688_000);
        assert_eq!(Timestamp::from_rfc3339("2026-12-08T00:00:00Z"), Some(moment));
        assert_eq!(Timestamp::from_rfc3339("2026-12-08T01:30:00.000+01:30"), Some(moment));
        assert_eq!(Timestamp::from_http_date("Tue, 08 Dec 2026 00:00:00 GMT"), Some(moment));
        assert_eq!(moment.to_rfc3339().unwrap(), "2026-12-08T00:00:00Z");
        let precise = moment.shifted(20).to_rfc3339_millis();
        assert_eq!(precise.unwrap(), "2026-12-08T00:00:00.020Z");
    }

    #[test]
    fn nonsense_is_no_date() {
        for text in ["", "soon", "2026-13-01T00:00:00Z", "120", "\u{2028}"] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text:?}");
            assert_eq!(Timestamp::from_http_date(text), None, "{text:?}");
        }
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        assert_eq!(last.plus(Duration::MAX), last);
        assert_eq!(first.minus(Duration::MAX), first);
        assert_eq!(first.since(last), Duration::ZERO);
        assert_eq!(last.millis_since(first), i64::MAX);
        assert_eq!(Timestamp::from_seconds(i64::MAX), last);
        assert_eq!(last.to_rfc3339(), None);
    }

    #[test]
    fn durations_are_spoken_in_their_largest_unit() {
        let spoken_seconds = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!(spoken_seconds(0), "0 s");
        assert_eq!(spoken_seconds(119), "119 s");
        assert_eq!(spoken_seconds(720), "12 min");
        assert_eq!(spoken_seconds(9000), "2 h");
        assert_eq!(spoken_seconds(200_000), "2 days");
    }
}
