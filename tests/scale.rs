//! A small case of the simulation behind `docs/scale.md`: its claims hold for any seed, and it
//! tells the same each time.

#[path = "../examples/scale/simulation/mod.rs"]
mod simulation;

use simulation::{Cause, Contender, Parameters, Tally, run};

fn small() -> Parameters {
    Parameters { containers: 60, agents: 4, ..Parameters::default() }
}

fn tally(parameters: &Parameters, contender: Contender) -> Tally {
    let results = run(parameters).into_iter();
    let found = results.into_iter().find(|(of, _)| *of == contender);
    found.expect("every contender has a result").1
}

#[test]
fn no_token_dies_of_age_and_no_idle_container_wakes() {
    for seed in 0..4 {
        for contender in [Contender::Helper, Contender::HealingHelper, Contender::ToldHelper] {
            let tally = tally(&Parameters { seed, ..small() }, contender);
            assert!(tally.pushes > 5000, "{}", tally.pushes);
            assert_eq!((tally.dead(Cause::Age), tally.wake_ups), (0, 0), "seed {seed}");
            let calls = tally.calls_per_container_hour();
            assert!(calls < 2.5, "{calls} calls per container-hour");
        }
    }
}

#[test]
fn a_git_that_heals_loses_no_push_to_a_revocation() {
    let parameters = Parameters { outages: 0, revocations_per_day: 12.0, ..small() };
    let healed = tally(&parameters, Contender::HealingHelper);
    assert!(healed.dead(Cause::Revocation) > 50);
    let failed = tally(&parameters, Contender::Helper).all_failed();
    assert!(healed.all_failed() * 20 < failed, "{} of {failed}", healed.all_failed());
}

#[test]
fn a_timer_wakes_the_idle_and_still_hands_out_dead_tokens() {
    let timer = tally(&small(), Contender::FiftyMinuteTimer);
    assert!(timer.dead(Cause::Age) > 100 && timer.wake_ups > 100);
}

#[test]
fn the_same_seed_tells_the_same() {
    assert_eq!(run(&small()), run(&small()));
}
