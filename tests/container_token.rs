//! The container token: an agent's snapshot may have run out hours ago, and it still pushes. The
//! one that lives longest is presented, an expired one is renewed once, and one agent's renewal
//! serves all agents of the town.

use std::fs;
use std::path::PathBuf;

use crate::town::{CallKind, Git, Home, RIG, Rig, Script, Town, hash};
use crate::transcript::*;

/// An agent that was dispatched nine hours ago.
fn old_agent(town: &Town) -> Home {
    let mut home = agent(town);
    home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token_issued(9 * HOUR));
    home
}

/// An agent whose container token lies in a file.
fn agent_with_file(town: &Town, content: &str) -> (Home, PathBuf) {
    let mut home = agent(town);
    let file = home.path().join("container-token");
    fs::write(&file, content).expect("the home is writable");
    home.unset("GASTOWN_CONTAINER_TOKEN");
    home.set("GASTOWN_CONTAINER_TOKEN_FILE", &file.to_string_lossy());
    (home, file)
}

/// The bearers of all calls, in order, each as its place among those given.
fn bearers(town: &Town, known: &[&str]) -> Vec<Option<usize>> {
    let known: Vec<_> = known.iter().map(|token| Some(hash(token))).collect();
    let calls = town.worker.calls().into_iter();
    calls.map(|call| known.iter().position(|it| *it == call.bearer)).collect()
}

#[test]
fn an_agent_whose_snapshot_is_nine_hours_old_still_pushes() {
    for git in Git::all() {
        let town = Town::start();
        town.github.create_repository(REPOSITORY);
        let mut home = configured(&town, &git);
        home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token_issued(9 * HOUR));
        home.git(&["clone", "--quiet", &town.github.url(REPOSITORY), "app"]).assert_ok();
        home.commit("app", "file", b"content");
        assert_silently(&home.git_in("app", &["push", "--quiet", "origin", "main"]), "");
        assert_eq!((calls(&town), town.github.refused_tokens()), ((1, 1), 0));
    }
}

#[test]
fn one_agents_renewal_serves_all_agents_of_the_town() {
    let town = Town::start();
    town.worker.add_rig("rig-2", Rig::Installation);
    let mut home = old_agent(&town);
    assert_silently(&get(&home, &town), &credential(&town.worker.token_for(RIG)));
    assert_eq!(calls(&town), (1, 1));
    let_pass(&town, &home, HOUR);
    get(&home, &town).assert_ok();
    assert_eq!(calls(&town), (2, 1), "the same agent again");
    home.set("GASTOWN_AGENT_ID", "agent-2").set("GASTOWN_RIG_ID", "rig-2");
    assert_silently(&get(&home, &town), &credential(&town.worker.token_for("rig-2")));
    assert_eq!(calls(&town), (3, 1), "another agent, of another rig");
    home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token_issued(10 * HOUR));
    let_pass(&town, &home, HOUR);
    get(&home, &town).assert_ok();
    assert_eq!(calls(&town), (4, 1), "an agent with another old snapshot");
    home.unset("GASTOWN_CONTAINER_TOKEN");
    let_pass(&town, &home, HOUR);
    get(&home, &town).assert_ok();
    assert_eq!(calls(&town), (5, 1), "an agent without any");
}

#[test]
fn one_towns_renewal_is_not_presented_for_another() {
    let (town, other) = (Town::start(), Town::start());
    let mut home = old_agent(&town);
    get(&home, &town).assert_ok();
    home.set("GASTOWN_TOWN_ID", "town-2").unset("GASTOWN_CONTAINER_TOKEN");
    assert_fails_as(&get(&home, &town), "config-missing");
    home.set("GASTOWN_TOWN_ID", "town-1").set("GASTOWN_API_URL", &other.worker.url());
    assert_fails_as(&get(&home, &town), "config-missing");
    assert_eq!((calls(&town), other.worker.calls().len()), ((1, 1), 0));
}

#[test]
fn the_one_that_lives_longest_is_presented() {
    let town = Town::start();
    let [old, new] = [7, 1].map(|hours| town.worker.container_token_issued(hours * HOUR));
    for (variable, file) in [(&old, &new), (&new, &old)] {
        let (mut home, _) = agent_with_file(&town, file);
        home.set("GASTOWN_CONTAINER_TOKEN", variable);
        get(&home, &town).assert_ok();
        assert_eq!(bearers(&town, &[&old, &new]), [Some(1)]);
        town.worker.forget_calls();
    }
    let mut home = old_agent(&town);
    get(&home, &town).assert_ok();
    home.age_cache(HOUR);
    town.worker.forget_calls();
    home.set("GASTOWN_CONTAINER_TOKEN", &new);
    get(&home, &town).assert_ok();
    assert_eq!(bearers(&town, &[&old, &new]), [None], "the cached renewal outlives both");
}

#[test]
fn a_rotated_file_takes_effect_at_once() {
    let town = Town::start();
    let wrong = town.worker.container_token_of_town("town-2");
    let (home, file) = agent_with_file(&town, &wrong);
    assert_fails_as(&get(&home, &town), "cross-town");
    let right = format!("{}\n", town.worker.container_token());
    fs::write(&file, right).expect("the home is writable");
    assert_silently(&get(&home, &town), &credential(&town.worker.token_for(RIG)));
    assert_eq!(bearers(&town, &[&wrong]), [Some(0), None]);
}

#[test]
fn a_file_that_holds_nothing_is_told_and_the_variable_serves() {
    let town = Town::start();
    let (mut home, file) = agent_with_file(&town, "");
    let ran = get(&home, &town);
    assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
    assert!(ran.stderr.contains(&*file.to_string_lossy()), "{ran:?}");
    assert!(ran.stderr.contains("[config-missing]"), "{ran:?}");
    assert_eq!(town.worker.calls().len(), 0);
    home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token());
    for content in [Some(""), Some("two words"), None] {
        match content {
            Some(content) => fs::write(&file, content),
            None => fs::remove_file(&file),
        }
        .expect("the home is writable");
        let ran = get(&home, &town);
        token(&ran);
        assert_warns(&ran, &["warning: ", &*file.to_string_lossy()]);
        let_pass(&town, &home, HOUR);
    }
}

#[test]
fn a_worker_whose_clock_is_ahead_gets_a_renewal_too() {
    let town = Town::start();
    let home = agent(&town);
    town.let_pass(9 * HOUR);
    let ran = get(&home, &town);
    assert_silently(&ran, &credential(&town.worker.token_for(RIG)));
    assert_eq!(calls(&town), (2, 1), "expired to the worker only: asked, renewed, asked");
}

#[test]
fn a_token_that_stays_expired_is_renewed_once_and_no_more() {
    let town = Town::start();
    let home = agent(&town);
    town.worker.answer_with(Script::error(401, "Token expired").only(CallKind::GitToken));
    assert_fails_as(&get(&home, &town), "container-token-rejected");
    assert_eq!(calls(&town), (2, 1));
}

#[test]
fn a_wrong_expired_token_is_definite() {
    let town = Town::start();
    for (script, name) in [
        (Script::error(401, "Invalid token signature"), "container-token-rejected"),
        (Script::error(401, "Token validation failed"), "container-token-rejected"),
        (Script::error(403, "Cross-town access denied"), "cross-town"),
    ] {
        let home = old_agent(&town);
        town.worker.answer_with(script.only(CallKind::ContainerToken));
        assert_fails_as(&get(&home, &town), name);
        assert_eq!(calls(&town), (0, 1));
        town.worker.forget_calls();
    }
}

#[test]
fn a_renewal_that_fails_in_passing_is_tried_once_more() {
    let town = Town::start();
    let script = Script::error(500, "Internal server error").only(CallKind::ContainerToken);
    town.worker.answer_with(script.clone().next(1));
    let ran = get(&old_agent(&town), &town);
    assert_silently(&ran, &credential(&town.worker.token_for(RIG)));
    assert_eq!(calls(&town), (1, 2));
    town.worker.forget_calls();
    town.worker.answer_with(script);
    assert_fails_as(&get(&old_agent(&town), &town), "worker-error");
    assert_eq!(calls(&town), (0, 2));
}

#[test]
fn without_a_container_token_nobody_is_asked() {
    let town = Town::start();
    let mut home = agent(&town);
    for value in [None, Some(""), Some("two words")] {
        home.unset("GASTOWN_CONTAINER_TOKEN");
        if let Some(value) = value {
            home.set("GASTOWN_CONTAINER_TOKEN", value);
        }
        let ran = get(&home, &town);
        assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
        assert!(ran.stderr.contains("[config-missing]"), "{ran:?}");
        assert!(ran.stderr.contains("GASTOWN_CONTAINER_TOKEN"), "{ran:?}");
    }
    assert_eq!(town.worker.calls().len(), 0);
}

#[test]
fn a_cached_git_token_needs_no_container_token() {
    let town = Town::start();
    let mut home = agent(&town);
    let cached = token(&get(&home, &town));
    home.unset("GASTOWN_CONTAINER_TOKEN");
    assert_silently(&get(&home, &town), &credential(&cached));
}
