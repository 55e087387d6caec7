//! A fleet in virtual time: every container's day is drawn once and lived through in each way to
//! come by a token. The same seed gives the same numbers. Refuses to touch the real world; what
//! is made of the numbers is the caller's.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    dead_code,
    unreachable_pub,
    reason = "counts and milliseconds of a day fit everywhere; the example and the test each use \
              a part"
)]

pub mod day;
pub mod helper;
pub mod parameters;
pub mod tally;
pub mod ways;
pub mod world;

use std::num::NonZero;
use std::ops::Range;
use std::thread;

use fastrand::Rng;

pub use self::parameters::Parameters;
pub use self::tally::{Cause, Tally};

use self::day::{Day, What};
use self::helper::Helper;
use self::parameters::{HOUR, MINUTE, Millis};
use self::ways::{Snapshot, Timer, Way};
use self::world::World;

/// What is compared, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    SnapshotAtDispatch,
    RetryOnRefusal,
    FiftyMinuteTimer,
    HourlyAlarm,
    Helper,
    HealingHelper,
    ToldHelper,
}

impl Contender {
    pub const ALL: [Self; 7] = [
        Self::SnapshotAtDispatch,
        Self::RetryOnRefusal,
        Self::FiftyMinuteTimer,
        Self::HourlyAlarm,
        Self::Helper,
        Self::HealingHelper,
        Self::ToldHelper,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::SnapshotAtDispatch => "snapshot at dispatch (today)",
            Self::RetryOnRefusal => "retry on 401 only",
            Self::FiftyMinuteTimer => "50-minute timer",
            Self::HourlyAlarm => "hourly alarm",
            Self::Helper => "this helper, git < 2.46",
            Self::HealingHelper => "this helper, git ≥ 2.46, which heals",
            Self::ToldHelper => "the same, and a worker that tells the expiry",
        }
    }

    fn way(self, parameters: &Parameters, rng: Rng) -> Box<dyn Way> {
        let snapshot = |retries| {
            let agents = vec![None; parameters.agents];
            Box::new(Snapshot { agents, retries })
        };
        let timer = |period| Box::new(Timer { period, token: None, rings_at: None });
        match self {
            Self::SnapshotAtDispatch => snapshot(false),
            Self::RetryOnRefusal => snapshot(true),
            Self::FiftyMinuteTimer => timer(50 * MINUTE),
            Self::HourlyAlarm => timer(HOUR),
            Self::Helper => Box::new(Helper::new(rng)),
            Self::HealingHelper => Box::new(Helper::new(rng).healed_by_git()),
            Self::ToldHelper => Box::new(Helper::new(rng).healed_by_git().told_expiries()),
        }
    }
}

/// Lives through the day of every container in every way.
pub fn run(parameters: &Parameters) -> Vec<(Contender, Tally)> {
    let outages = day::outages(parameters);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let tallies = thread::scope(|scope| {
        let shares: Vec<_> = (0..threads)
            .map(|first| {
                let outages = &outages;
                scope.spawn(move || share(parameters, outages, first, threads))
            })
            .collect();
        let mut tallies = blank(parameters);
        for share in shares {
            let share = share.join().expect("a simulation does not panic");
            tallies.iter_mut().zip(&share).for_each(|(sum, part)| sum.add(part));
        }
        tallies
    });
    Contender::ALL.into_iter().zip(tallies).collect()
}

fn blank(parameters: &Parameters) -> Vec<Tally> {
    Contender::ALL.map(|_| Tally::new(parameters)).to_vec()
}

/// Every `step`th container.
fn share(
    parameters: &Parameters,
    outages: &[Range<Millis>],
    first: usize,
    step: usize,
) -> Vec<Tally> {
    let mut tallies = blank(parameters);
    for container in (first..parameters.containers).step_by(step) {
        let mut rng = Rng::with_seed(parameters.seed.wrapping_add(1 + container as u64));
        let day = Day::draw(parameters, &mut rng);
        for (contender, tally) in Contender::ALL.into_iter().zip(&mut tallies) {
            let mut way = contender.way(parameters, rng.clone());
            live(way.as_mut(), World::new(parameters, &day, outages, tally));
        }
    }
    tallies
}

fn live(way: &mut dyn Way, mut world: World<'_>) {
    let (end, day) = (world.parameters.end(), world.day);
    world.tally.count_container(end - day.begins);
    for event in &day.events {
        ring_until(event.at, way, &mut world);
        match event.what {
            What::Start => way.start(&mut world, event.at),
            What::Dispatch(agent) => {
                let snapshot = world.snapshot(event.at);
                way.dispatch(agent, snapshot);
            }
            What::Push(agent) => push(way, &mut world, agent, event.at),
            What::RefusedPush(agent) => {
                if way.token(&mut world, agent, event.at).is_some() {
                    way.refused(&mut world, agent, event.at);
                }
            }
        }
    }
    ring_until(end, way, &mut world);
}

fn ring_until(moment: Millis, way: &mut dyn Way, world: &mut World<'_>) {
    while let Some(at) = way.alarm().filter(|at| *at < moment) {
        way.ring(world, at);
    }
}

fn push(way: &mut dyn Way, world: &mut World<'_>, agent: usize, now: Millis) {
    world.tally.pushes += 1;
    let token = way.token(world, agent, now);
    if token.is_some_and(|token| world.is_live(token, now)) {
        way.accepted();
        return;
    }
    let cause = world.cause(token, now);
    if token.is_some() {
        world.tally.count_dead(cause);
        let second = way.refused(world, agent, now);
        if second.is_some_and(|token| world.is_live(token, now)) {
            way.accepted();
            return;
        }
    }
    // Without the worker nothing can heal a revoked token.
    let cause = if world.is_down_at(now) { Cause::Outage } else { cause };
    world.tally.count_failed(cause);
}
