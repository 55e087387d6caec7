//! A small case of the simulation behind `docs/scale.md`: its claims hold for any seed, and it
//! tells the same each time.

#[path = "../examples/scale/simulation/mod.rs"]
mod simulation;

use simulation::{Cause, HEALING_HELPER, HELPER, HOURLY_ALARM, Parameters, TOLD_HELPER, of, run};

fn small() -> Parameters {
    Parameters { containers: 40, agents: 4, ..Parameters::default() }
}

#[test]
fn no_token_dies_of_age_and_no_idle_container_wakes() {
    for seed in 0..2 {
        let results = run(&Parameters { seed, ..small() });
        for way in [HELPER, HEALING_HELPER, TOLD_HELPER] {
            let tally = of(&results, way);
            assert!(tally.pushes > 5000, "{}", tally.pushes);
            assert_eq!((tally.dead(Cause::Age), tally.wake_ups), (0, 0), "seed {seed}");
            let calls = tally.calls_per_container_hour();
            assert!(calls < 3.0, "{calls} calls per container-hour");
        }
        let alarm = of(&results, HOURLY_ALARM);
        assert!(alarm.dead(Cause::Age) > 50 && alarm.wake_ups > 50, "seed {seed}");
    }
}

#[test]
fn a_git_that_heals_loses_no_push_to_a_revocation() {
    let results = run(&Parameters { outages: 0, revocations_per_day: 12.0, ..small() });
    let healed = of(&results, HEALING_HELPER);
    assert!(healed.dead(Cause::Revocation) > 50);
    // A token refused within its first minute is not given up.
    let failed = of(&results, HELPER).all_failed();
    assert!(healed.all_failed() * 5 < failed, "{} of {failed}", healed.all_failed());
}

#[test]
fn repositories_that_always_refuse_cost_no_other_push_and_few_calls() {
    let quiet = Parameters { outages: 0, revocations_per_day: 0.0, ..small() };
    let calls = |refused_share| {
        let results = run(&Parameters { refused_share, ..quiet.clone() });
        let tally = of(&results, HEALING_HELPER);
        assert_eq!((tally.all_failed(), tally.dead(Cause::Age), tally.wake_ups), (0, 0, 0));
        tally.calls_per_container_hour()
    };
    let (without, with) = (calls(0.0), calls(1.0));
    assert!(with < 20.0 && without < 3.0, "{without} and {with} calls per container-hour");
}

#[test]
fn the_same_seed_tells_the_same() {
    let few = Parameters { containers: 5, ..small() };
    assert_eq!(run(&few), run(&few));
}
