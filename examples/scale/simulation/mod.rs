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

mod day;
mod helper;
mod parameters;
mod ways;
mod world;

use fastrand::Rng;

pub use self::parameters::{HOUR, MINUTE, Parameters};
pub use self::world::{Cause, Tally};

use self::day::{Day, Event};
use self::helper::Helper;
use self::parameters::Millis;
use self::ways::{Snapshot, Timer, Way};
use self::world::World;

pub const SNAPSHOT_AT_DISPATCH: &str = "snapshot at dispatch (today)";
pub const RETRY_ON_REFUSAL: &str = "retry on 401 only";
pub const FIFTY_MINUTE_TIMER: &str = "50-minute timer";
pub const HOURLY_ALARM: &str = "hourly alarm";
pub const HELPER: &str = "this helper, git < 2.46";
pub const HEALING_HELPER: &str = "this helper, git ≥ 2.46, which heals";
pub const TOLD_HELPER: &str = "the same, and a worker that tells the expiry";

/// Each way by its name, in the order of the table, with what was counted.
pub type Results = [(&'static str, Tally)];

pub fn of<'a>(results: &'a Results, way: &str) -> &'a Tally {
    &results.iter().find(|(name, _)| *name == way).expect("every way has a result").1
}

/// One container's ways, with nothing done yet.
fn ways(agents: usize, rng: &Rng) -> [(&'static str, Box<dyn Way>); 7] {
    let snapshot = |retries| Box::new(Snapshot { agents: vec![None; agents], retries });
    let timer = |period| Box::new(Timer { period, token: None, rings_at: None });
    let helper = |git_heals, is_told| Box::new(Helper::new(rng.clone(), git_heals, is_told));
    [
        (SNAPSHOT_AT_DISPATCH, snapshot(false)),
        (RETRY_ON_REFUSAL, snapshot(true)),
        (FIFTY_MINUTE_TIMER, timer(50 * MINUTE)),
        (HOURLY_ALARM, timer(HOUR)),
        (HELPER, helper(false, false)),
        (HEALING_HELPER, helper(true, false)),
        (TOLD_HELPER, helper(true, true)),
    ]
}

/// Lives through the day of every container in every way.
pub fn run(parameters: &Parameters) -> Vec<(&'static str, Tally)> {
    let outages = &day::outages(parameters);
    let names = ways(0, &Rng::with_seed(0)).map(|(name, _)| name);
    let mut tallies = names.map(|name| (name, Tally::new(parameters))).to_vec();
    for container in 1..=parameters.containers as u64 {
        let mut rng = Rng::with_seed(parameters.seed.wrapping_add(container));
        let day = &Day::draw(parameters, &mut rng);
        let ways = ways(parameters.agents, &rng);
        for ((_, mut way), (_, tally)) in ways.into_iter().zip(&mut tallies) {
            let (now, cached, minted) = (0, None, 0);
            let world = World { now, parameters, day, outages, tally, cached, minted };
            live(way.as_mut(), world);
        }
    }
    tallies
}

fn live(way: &mut dyn Way, mut world: World<'_>) {
    let (end, day) = (world.parameters.end(), world.day);
    world.tally.container_time += end - day.begins;
    for (at, event) in &day.events {
        ring_until(*at, way, &mut world);
        world.now = *at;
        match *event {
            Event::Start => way.start(&mut world),
            Event::Dispatch(agent) => way.dispatch(agent, world.hand_out()),
            Event::Push(agent) => push(way, &mut world, agent),
            Event::RefusedPush(agent) => {
                if way.token(&mut world, agent).is_some() {
                    way.refused(&mut world, agent);
                }
            }
        }
    }
    ring_until(end, way, &mut world);
}

fn ring_until(moment: Millis, way: &mut dyn Way, world: &mut World<'_>) {
    while let Some(at) = way.alarm().filter(|at| *at < moment) {
        world.now = at;
        way.ring(world);
    }
}

fn push(way: &mut dyn Way, world: &mut World<'_>, agent: usize) {
    world.tally.pushes += 1;
    let first = way.token(world, agent);
    let cause = world.cause(first);
    let mut token = first;
    if first.is_some_and(|first| !world.is_live(first)) {
        world.tally.dead[cause as usize] += 1;
        token = way.refused(world, agent);
    }
    if token.is_some_and(|token| world.is_live(token)) {
        return way.accepted();
    }
    // Without the worker nothing can heal a revoked token.
    let cause = if world.is_just_down() { Cause::Outage } else { cause };
    world.tally.failed[cause as usize] += 1;
}
