//! The town's time: the real clock, plus whatever a test let pass. Owns that difference and the
//! texts in which moments travel; refuses to sleep. Moments are milliseconds since the Unix epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// A cheap clone: all of a town's clocks are one.
#[derive(Clone, Default)]
pub struct Clock {
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// What time it is in town.
    pub fn now(&self) -> i64 {
        real_now() + self.ahead()
    }

    pub fn let_pass(&self, duration: Duration) {
        self.ahead.fetch_add(millis(duration), Ordering::SeqCst);
    }

    /// How far the town is ahead of the real clock. The program under test reads the real one, so
    /// this is subtracted from every moment that leaves the town.
    pub fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::SeqCst)
    }
}

pub fn real_now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    millis(since_epoch.expect("the machine's clock is set"))
}

pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("no test lasts that long")
}

pub fn rfc3339(moment: i64) -> String {
    date_time(moment).format(&Rfc3339).expect("a year of four digits")
}

/// The form of a `Date` header (RFC 9110, 5.6.7): RFC 2822 with the zone by its old name.
pub fn http_date(moment: i64) -> String {
    let date = date_time(moment).format(&Rfc2822).expect("a year of four digits");
    date.replace("+0000", "GMT")
}

fn date_time(moment: i64) -> OffsetDateTime {
    let nanoseconds = i128::from(moment) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).expect("a year of four digits")
}
