//! What happens to one container in a day, drawn once and then met by every way alike: when it is
//! busy, when its agents are dispatched and push, when its tokens are revoked; and when the worker
//! is down, for all containers at once.

use std::ops::Range;

use fastrand::Rng;

use super::parameters::{HOUR, Millis, Parameters};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The container comes up with an empty cache.
    Start,
    /// An agent gets its snapshot of the environment.
    Dispatch(usize),
    Push(usize),
    /// To a repository that refuses any token.
    RefusedPush(usize),
}

pub struct Day {
    /// In order of time.
    pub events: Vec<(Millis, Event)>,
    pub begins: Millis,
    busy: Vec<Range<Millis>>,
    /// Each kills all tokens that were minted before it.
    revocations: Vec<Millis>,
}

impl Day {
    pub fn draw(parameters: &Parameters, rng: &mut Rng) -> Self {
        let end = parameters.end();
        let begins = below(rng, HOUR);
        let restart = parameters.restarts_at() + below(rng, parameters.boot);
        let mut day = Self { events: Vec::new(), begins, busy: Vec::new(), revocations: vec![] };
        day.live(begins..restart.min(end), parameters, rng);
        day.live(restart..end, parameters, rng);
        let every = 24.0 * HOUR as f64 / parameters.revocations_per_day;
        let mut at = exponential(rng, every);
        while at < end {
            day.revocations.push(at);
            at = at.saturating_add(exponential(rng, every));
        }
        day.events.sort_unstable();
        day
    }

    /// From one start to the next: spells of work with idle gaps.
    fn live(&mut self, span: Range<Millis>, parameters: &Parameters, rng: &mut Rng) {
        if span.is_empty() {
            return;
        }
        self.events.push((span.start, Event::Start));
        let mut from = span.start;
        while from < span.end {
            // Nobody is dispatched for less than that.
            let length = exponential(rng, parameters.busy as f64).max(parameters.dispatch);
            let to = (from + length).min(span.end);
            self.work(from..to, parameters, rng);
            from = to + exponential(rng, parameters.idle as f64);
        }
    }

    fn work(&mut self, spell: Range<Millis>, parameters: &Parameters, rng: &mut Rng) {
        for agent in 0..parameters.agents {
            let mut at = spell.start + below(rng, parameters.dispatch);
            self.events.push((at, Event::Dispatch(agent)));
            while at < spell.end {
                self.events.push((at, Event::Push(agent)));
                if rng.f64() < parameters.refused_share {
                    let after = below(rng, (spell.end - at).min(parameters.between_pushes));
                    self.events.push((at + after, Event::RefusedPush(agent)));
                }
                at += exponential(rng, parameters.between_pushes as f64);
            }
        }
        self.busy.push(spell);
    }

    pub fn is_idle(&self, at: Millis) -> bool {
        let next = self.busy.partition_point(|spell| spell.end <= at);
        self.busy.get(next).is_none_or(|spell| at < spell.start)
    }

    /// Whether tokens minted at one moment were revoked by another.
    pub fn is_revoked(&self, minted_at: Millis, at: Millis) -> bool {
        let next = self.revocations.partition_point(|revocation| *revocation <= minted_at);
        self.revocations.get(next).is_some_and(|revocation| *revocation <= at)
    }
}

/// When the worker is down, for longer each time; not around the restart, whose peak is to be seen.
pub fn outages(parameters: &Parameters) -> Vec<Range<Millis>> {
    let mut rng = Rng::with_seed(parameters.seed);
    let quiet = parameters.restarts_at() - HOUR..parameters.restarts_at() + 4 * HOUR;
    let starts = std::iter::repeat_with(|| below(&mut rng, parameters.end()));
    let starts = starts.filter(|start| !quiet.contains(start)).take(parameters.outages);
    let length = |nth| parameters.longest_outage * nth / parameters.outages as Millis;
    (1..).zip(starts).map(|(nth, start)| start..start + length(nth)).collect()
}

fn below(rng: &mut Rng, end: Millis) -> Millis {
    rng.i64(0..end.max(1))
}

/// At least a millisecond, so that time goes on.
fn exponential(rng: &mut Rng, mean: f64) -> Millis {
    ((-mean * (1.0 - rng.f64()).ln()) as Millis).saturating_add(1)
}
