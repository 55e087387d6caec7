//! Each error name, provoked, and its advice followed: the next ask succeeds. What is mended in the
//! settings works at once; what mends itself, once the time on record is over. `embedded-token` is
//! in `setup`, where its command is.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::town::{Home, Rig, Script, Town};
use crate::transcript::{
    MINUTE, agent, assert_fails_as, assert_silently, assert_warns, get, request, token,
};

/// That the ask fails with this name and says this to do.
#[track_caller]
fn assert_advises(home: &Home, town: &Town, name: &str, advice: &str) {
    let ran = get(home, town);
    assert_fails_as(&ran, name);
    assert!(ran.stderr.contains(advice), "`{advice}` is missing\n{ran:?}");
}

/// A setting that is wrong, and right again as the advice has it.
#[track_caller]
fn assert_mended_by_setting(wrong: (&str, &str), name: &str, advice: &str) {
    let town = Town::start();
    let mut home = agent(&town);
    let (variable, value) = wrong;
    home.set(variable, value);
    assert_advises(&home, &town, name, advice);
    home.as_agent(&town);
    token(&get(&home, &town));
}

/// A worker that goes wrong, and is right again when the command is run again.
#[track_caller]
fn assert_mended_by_time(script: Script, name: &str, advice: &str) {
    let town = Town::start();
    let home = agent(&town);
    town.worker.answer_with(script);
    assert_advises(&home, &town, name, advice);
    town.worker.answer_honestly();
    home.age_cache(MINUTE);
    token(&get(&home, &town));
}

#[test]
fn config_missing_names_what_to_set() {
    assert_mended_by_setting(("GASTOWN_TOWN_ID", ""), "config-missing", "GASTOWN_TOWN_ID is unset");
    let unset = "GASTOWN_CONTAINER_TOKEN is unset; set it";
    assert_mended_by_setting(("GASTOWN_CONTAINER_TOKEN", ""), "config-missing", unset);
}

#[test]
fn container_token_rejected_asks_for_one_of_this_worker() {
    let wrong = ("GASTOWN_CONTAINER_TOKEN", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln");
    let advice = "set GASTOWN_CONTAINER_TOKEN to one that this worker issued";
    assert_mended_by_setting(wrong, "container-token-rejected", advice);
}

#[test]
fn cross_town_asks_for_town_and_token_of_the_same_town() {
    let advice = "make GASTOWN_TOWN_ID and GASTOWN_CONTAINER_TOKEN of the same town";
    assert_mended_by_setting(("GASTOWN_TOWN_ID", "town-2"), "cross-town", advice);
}

#[test]
fn rig_not_found_asks_for_the_rig() {
    let advice = "set GASTOWN_RIG_ID, or run git inside the rig's worktree";
    assert_mended_by_setting(("GASTOWN_RIG_ID", "rig-404"), "rig-not-found", advice);
}

#[test]
fn no_git_token_offers_the_long_lived_one() {
    let town = Town::start();
    town.worker.add_rig("rig-2", Rig::NoToken);
    let mut home = agent(&town);
    home.set("GASTOWN_RIG_ID", "rig-2");
    assert_advises(&home, &town, "no-git-token", "or set GITHUB_CLI_PAT");
    home.set("GITHUB_CLI_PAT", "ghp_mine");
    assert_eq!(token(&get(&home, &town)), "ghp_mine");
}

#[test]
fn worker_unreachable_asks_to_run_it_and_the_command_again() {
    let town = Town::start();
    let home = agent(&town);
    town.worker.go_down();
    let advice = "whether the worker runs, then run the command again";
    assert_advises(&home, &town, "worker-unreachable", advice);
    town.worker.come_up();
    home.age_cache(MINUTE);
    token(&get(&home, &town));
}

#[test]
fn what_passes_by_itself_asks_to_run_the_command_again() {
    let again = "run the command again";
    let later = "will be tried again in";
    assert_mended_by_time(Script::error(500, "Internal server error"), "worker-error", later);
    let wait = Script::status(429, &[("Retry-After", "30")], "{}");
    assert_mended_by_time(wait, "rate-limited", later);
    assert_mended_by_time(Script::Silence, "timeout", again);
    let foreign = Script::status(200, &[], "<html>");
    assert_mended_by_time(foreign, "bad-answer", "check that GASTOWN_API_URL");
}

#[test]
fn token_rejected_is_mended_by_running_the_command_again() {
    let town = Town::start();
    let home = agent(&town);
    let old = token(&get(&home, &town));
    town.let_pass(2 * MINUTE);
    home.age_cache(2 * MINUTE);
    town.github.revoke_all();
    let refused = format!("{}password={old}\n\n", request(&town).trim_end().to_owned() + "\n");
    let erased = home.helper(&["erase"], &refused);
    assert!(erased.stderr.contains("run the command again"), "{erased:?}");
    assert!(erased.stderr.contains("[token-rejected]"), "{erased:?}");
    assert_ne!(token(&get(&home, &town)), old);
}

#[test]
fn cache_unusable_names_the_mode_to_set() {
    let town = Town::start();
    let home = agent(&town);
    token(&get(&home, &town));
    let cache = home.cache();
    set_permissions(&cache, Permissions::from_mode(0o755)).expect("ours");
    town.let_pass(Duration::from_secs(3700));
    home.age_cache(Duration::from_secs(3700));
    let warned = get(&home, &town);
    token(&warned);
    assert_warns(&warned, &["[cache-unusable]", "run: chmod 700"]);
    set_permissions(&cache, Permissions::from_mode(0o700)).expect("ours");
    let silent = get(&home, &town);
    assert_silently(&silent, &silent.stdout);
}

#[test]
fn setup_failed_names_the_file_that_is_in_the_way() {
    let town = Town::start();
    let home = agent(&town);
    let in_the_way = home.path().join("config");
    std::fs::create_dir(&in_the_way).expect("the home is writable");
    let failed = home.helper(&["setup", "--file", in_the_way.to_str().expect("text")], "");
    assert!(failed.assert_fails().stderr.contains("[setup-failed]"), "{failed:?}");
    std::fs::remove_dir(&in_the_way).expect("the home is writable");
    home.helper(&["setup", "--file", in_the_way.to_str().expect("text")], "").assert_ok();
}
