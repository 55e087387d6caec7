//! A small case of the simulation behind `docs/scale.md`: its claims hold for any seed.

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
