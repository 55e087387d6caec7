//! A small case of the simulation behind `docs/scale.md`: its claims hold for any seed, and it
//! tells the same each time.

#[path = "../examples/scale/simulation/mod.rs"]
mod simulation;

use simulation::{Cause, Contender, Parameters, Tally, run};

fn small() -> Parameters {
    Parameters { containers: 40, agents: 4, ..Parameters::default() }
}

fn tally(results: &[(Contender, Tally)], contender: Contender) -> &Tally {
    let found = results.iter().find(|(of, _)| *of == contender);
    &found.expect("every contender has a result").1
}

#[test]
fn no_token_dies_of_age_and_no_idle_container_wakes() {
    for seed in 0..2 {
        let results = run(&Parameters { seed, ..small() });
        for contender in [Contender::Helper, Contender::HealingHelper, Contender::ToldHelper] {
            let tally = tally(&results, contender);
            assert!(tally.pushes > 5000, "{}", tally.pushes);
            assert_eq!((tally.dead(Cause::Age), tally.wake_ups), (0, 0), "seed {seed}");
            let calls = tally.calls_per_container_hour();
            assert!(calls < 3.0, "{calls} calls per container-hour");
        }
        let alarm = tally(&results, Contender::HourlyAlarm);
        assert!(alarm.dead(Cause::Age) > 50 && alarm.wake_ups > 50, "seed {seed}");
    }
}

#[test]
fn a_git_that_heals_loses_no_push_to_a_revocation() {
    let results = run(&Parameters { outages: 0, revocations_per_day: 12.0, ..small() });
    let healed = tally(&results, Contender::HealingHelper);
    assert!(healed.dead(Cause::Revocation) > 50);
    // A token refused within its first minute is not given up.
    let failed = tally(&results, Contender::Helper).all_failed();
    assert!(healed.all_failed() * 5 < failed, "{} of {failed}", healed.all_failed());
}

#[test]
fn repositories_that_always_refuse_cost_no_other_push_and_few_calls() {
    let quiet = Parameters { outages: 0, revocations_per_day: 0.0, ..small() };
    let calls = |refused_share| {
        let results = run(&Parameters { refused_share, ..quiet.clone() });
        let tally = tally(&results, Contender::HealingHelper);
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
