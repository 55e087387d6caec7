//! What happens to one container in a day, drawn once and then met by every way alike: when it is
//! busy, when its agents are dispatched and push, when its tokens are revoked; and when the worker
//! is down, for all containers at once.

use std::ops::Range;

use fastrand::Rng;

use super::parameters::{HOUR, Millis, Parameters};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub at: Millis,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
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
    pub events: Vec<Event>,
    pub busy: Vec<Range<Millis>>,
    /// Each kills all tokens that were minted before it.
    pub revocations: Vec<Millis>,
    pub begins: Millis,
}

impl Day {
    pub fn draw(parameters: &Parameters, rng: &mut Rng) -> Self {
        let end = parameters.end();
        let begins = below(rng, HOUR);
        let restart = parameters.restarts_at() + below(rng, parameters.boot);
        let mut day = Self { events: Vec::new(), busy: Vec::new(), revocations: vec![], begins };
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
        self.events.push(Event { at: span.start, what: What::Start });
        let mut from = span.start;
        while from < span.end {
            let to = (from + exponential(rng, parameters.busy as f64)).min(span.end);
            // Nobody is dispatched for less than that.
            let to = to.max(from + parameters.dispatch).min(span.end);
            self.work(from..to, parameters, rng);
            from = to + exponential(rng, parameters.idle as f64);
        }
    }

    fn work(&mut self, spell: Range<Millis>, parameters: &Parameters, rng: &mut Rng) {
        for agent in 0..parameters.agents {
            let mut at = spell.start + below(rng, parameters.dispatch);
            self.events.push(Event { at, what: What::Dispatch(agent) });
            while at < spell.end {
                self.events.push(Event { at, what: What::Push(agent) });
                if rng.f64() < parameters.refused_share {
                    let at = at + below(rng, (spell.end - at).min(parameters.between_pushes));
                    self.events.push(Event { at, what: What::RefusedPush(agent) });
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
    let mut outages: Vec<Range<Millis>> = Vec::new();
    while outages.len() < parameters.outages {
        let start = below(&mut rng, parameters.end());
        let nth = outages.len() as Millis + 1;
        let length = parameters.longest_outage * nth / parameters.outages as Millis;
        if !quiet.contains(&start) {
            outages.push(start..start + length);
        }
    }
    outages.sort_unstable_by_key(|outage| outage.start);
    outages
}

fn below(rng: &mut Rng, end: Millis) -> Millis {
    rng.i64(0..end.max(1))
}

/// At least a millisecond, so that time goes on.
fn exponential(rng: &mut Rng, mean: f64) -> Millis {
    ((-mean * (1.0 - rng.f64()).ln()) as Millis).saturating_add(1)
}
