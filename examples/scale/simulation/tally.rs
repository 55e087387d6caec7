//! What is counted of a way, over all containers. Sums only, so that the order in which the
//! containers are simulated does not matter.

use super::parameters::{HOUR, MINUTE, Millis, Parameters, SECOND};

/// Why a push met a dead token, or had none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It had died of age, though the worker could have given another.
    Age,
    Revocation,
    /// The worker was down, or had been until a moment ago.
    Outage,
}

impl Cause {
    pub const ALL: [Self; 3] = [Self::Age, Self::Revocation, Self::Outage];
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    pub pushes: u64,
    dead: [u64; 3],
    failed: [u64; 3],
    calls: u64,
    unanswered: u64,
    pub wake_ups: u64,
    container_time: Millis,
    calls_of_second: Vec<u32>,
}

impl Tally {
    pub fn new(parameters: &Parameters) -> Self {
        Self {
            pushes: 0,
            dead: [0; 3],
            failed: [0; 3],
            calls: 0,
            unanswered: 0,
            wake_ups: 0,
            container_time: 0,
            calls_of_second: vec![0; seconds(parameters.end())],
        }
    }

    pub fn count_call(&mut self, second: i64, is_idle: bool, is_answered: bool) {
        self.calls += 1;
        self.unanswered += u64::from(!is_answered);
        self.wake_ups += u64::from(is_idle);
        if let Some(calls) = self.calls_of_second.get_mut(second as usize) {
            *calls += 1;
        }
    }

    pub fn count_dead(&mut self, cause: Cause) {
        self.dead[cause as usize] += 1;
    }

    pub fn count_failed(&mut self, cause: Cause) {
        self.failed[cause as usize] += 1;
    }

    pub fn count_container(&mut self, lived: Millis) {
        self.container_time += lived;
    }

    pub fn add(&mut self, other: &Self) {
        self.pushes += other.pushes;
        self.calls += other.calls;
        self.unanswered += other.unanswered;
        self.wake_ups += other.wake_ups;
        self.container_time += other.container_time;
        for cause in Cause::ALL {
            self.dead[cause as usize] += other.dead(cause);
            self.failed[cause as usize] += other.failed(cause);
        }
        let seconds = self.calls_of_second.iter_mut().zip(&other.calls_of_second);
        seconds.for_each(|(sum, calls)| *sum += calls);
    }

    /// Pushes that saw a dead token, whether they were healed or not.
    pub fn dead(&self, cause: Cause) -> u64 {
        self.dead[cause as usize]
    }

    /// Pushes that failed over their token or for want of one.
    pub fn failed(&self, cause: Cause) -> u64 {
        self.failed[cause as usize]
    }

    pub fn all_failed(&self) -> u64 {
        self.failed.iter().sum()
    }

    pub fn calls_per_container_hour(&self) -> f64 {
        self.calls as f64 * HOUR as f64 / self.container_time as f64
    }

    /// Those of them that met an outage.
    pub fn unanswered_per_container_hour(&self) -> f64 {
        self.unanswered as f64 * HOUR as f64 / self.container_time as f64
    }

    /// The most calls in one second between two moments.
    pub fn peak(&self, from: Millis, to: Millis) -> u32 {
        let end = seconds(to).min(self.calls_of_second.len());
        let within = self.calls_of_second.get(seconds(from)..end).unwrap_or_default();
        within.iter().copied().max().unwrap_or(0)
    }

    /// The peak of each minute from one moment on.
    pub fn peaks_by_minute(&self, from: Millis, minutes: i64) -> Vec<u32> {
        let minute = |nth| self.peak(from + nth * MINUTE, from + (nth + 1) * MINUTE);
        (0..minutes).map(minute).collect()
    }
}

fn seconds(moment: Millis) -> usize {
    usize::try_from(moment / SECOND).unwrap_or(0)
}
