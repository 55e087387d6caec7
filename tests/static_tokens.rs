//! Tokens that a person has set: a long-lived one answers first and bothers nobody; GitLab's answers
//! for its instance only; the snapshot that an agent was dispatched with is the last resort, with a
//! warning, and never when it is known to be dead.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::town::{Git, Home, RIG, Ran, Town};
use crate::transcript::*;

fn ask(home: &Home, host: &str) -> Ran {
    home.helper(&["get"], &format!("protocol=https\nhost={host}\n\n"))
}

#[test]
fn a_personal_token_pushes_without_a_worker() {
    for git in Git::all() {
        let town = Town::start();
        town.github.create_repository(REPOSITORY);
        town.github.register_pat("ghp_mine");
        let mut home = configured(&town, &git);
        home.set("GITHUB_CLI_PAT", "ghp_mine");
        home.git(&["clone", "--quiet", &town.github.url(REPOSITORY), "app"]).assert_ok();
        home.commit("app", "file", b"content");
        assert_silently(&home.git_in("app", &["push", "--quiet", "origin", "main"]), "");
        assert_eq!((town.worker.calls().len(), town.github.refused_tokens()), (0, 0));
        assert!(home.cache_files().is_empty());
    }
}

#[test]
fn a_personal_token_answers_first_with_neither_call_nor_file() {
    let town = Town::start();
    for (name, secret) in [
        ("GITHUB_CLI_PAT", "ghp_mine"),
        ("GITHUB_CLI_PAT", "github_pat_mine"),
        ("GITHUB_CLI_PAT", "of_another_shape"),
        ("GIT_TOKEN", "ghp_mine"),
        ("GIT_TOKEN", "github_pat_mine"),
        ("GITHUB_TOKEN", "ghp_mine"),
        ("GITHUB_TOKEN", "github_pat_mine"),
    ] {
        let mut home = agent(&town);
        home.set(name, secret);
        let before = home.everything();
        assert_silently(&get(&home, &town), &credential(secret));
        for variable in ["GASTOWN_API_URL", "GASTOWN_TOWN_ID", "GASTOWN_RIG_ID"] {
            home.unset(variable);
        }
        assert_silently(&get(&home, &town), &credential(secret));
        assert_eq!((town.worker.calls().len(), home.everything()), (0, before), "{name}");
    }
}

#[test]
fn the_personal_token_for_gh_goes_before_the_others() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GITHUB_TOKEN", "ghp_last").set("GIT_TOKEN", "ghp_second");
    assert_silently(&get(&home, &town), &credential("ghp_second"));
    home.set("GITHUB_CLI_PAT", "ghp_first");
    assert_silently(&get(&home, &town), &credential("ghp_first"));
    home.set("GITHUB_CLI_PAT", "");
    assert_silently(&get(&home, &town), &credential("ghp_second"));
}

#[test]
fn an_empty_variable_counts_as_unset_and_the_trace_says_so() {
    let town = Town::start();
    let mut home = agent(&town);
    for name in ["GITHUB_CLI_PAT", "GIT_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "HTTPS_PROXY"] {
        home.set(name, "");
    }
    let ran = home.helper(&["get", "-v"], &request(&town));
    assert_eq!(token(&ran), town.worker.token_for(RIG));
    for name in ["GITHUB_CLI_PAT", "GIT_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "HTTPS_PROXY"] {
        let told = |line: &&str| line.contains(name) && line.contains("empty");
        assert_eq!(ran.stderr.lines().filter(told).count(), 1, "{name}\n{ran:?}");
    }
    home.set("GASTOWN_API_URL", "");
    let ran = get(&home, &town);
    assert_fails_as(&ran, "config-missing");
    assert!(ran.stderr.contains("GASTOWN_API_URL is unset"), "{ran:?}");
}

#[test]
fn a_personal_token_in_the_config_file_answers_first() {
    let town = Town::start();
    let mut home = agent(&town);
    let file = home.path().join("config.json");
    fs::write(&file, json!({ "github_cli_pat": "ghp_file" }).to_string()).expect("writable");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    home.set("GASTOWN_CONFIG", &file.to_string_lossy());
    assert_silently(&get(&home, &town), &credential("ghp_file"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
    let ran = get(&home, &town);
    assert_eq!(token(&ran), "ghp_file");
    assert_warns(&ran, &["warning: ", &*file.to_string_lossy()]);
    home.set("GITHUB_CLI_PAT", "ghp_variable");
    assert_eq!(token(&get(&home, &town)), "ghp_variable");
    assert_eq!(town.worker.calls().len(), 0);
}

#[test]
fn gitlabs_token_answers_for_its_instance_only() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GITLAB_TOKEN", "glpat-mine").set("GITHUB_CLI_PAT", "ghp_mine");
    let gitlab = "username=oauth2\npassword=glpat-mine\n";
    for (url, instance, others) in [
        (None, "gitlab.com", ["gitlab.example", "evil-gitlab.com"]),
        (Some(""), "gitlab.com", ["gitlab.example", "gitlab.com:8443"]),
        (Some("https://gitlab.example"), "gitlab.example", ["gitlab.com", "x.gitlab.example"]),
        (Some("https://gitlab.example/"), "gitlab.example", ["gitlab.com", "example"]),
        (
            Some("https://gitlab.example:8443/x"),
            "gitlab.example:8443",
            ["gitlab.com", "gitlab.example"],
        ),
    ] {
        home.unset("GITLAB_INSTANCE_URL");
        if let Some(url) = url {
            home.set("GITLAB_INSTANCE_URL", url);
        }
        assert_silently(&ask(&home, instance), gitlab);
        for other in others {
            assert_silently(&ask(&home, other), "");
        }
        assert_silently(&get(&home, &town), &credential("ghp_mine"));
    }
    assert_eq!((town.worker.calls().len(), home.cache_files().len()), (0, 0));
    home.unset("GITLAB_TOKEN").unset("GITLAB_INSTANCE_URL");
    assert_silently(&ask(&home, "gitlab.com"), "");
}

#[test]
fn an_instance_in_the_clear_gets_no_token() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GITLAB_TOKEN", "glpat-mine").set("GITLAB_INSTANCE_URL", "http://gitlab.example");
    let ran = home.helper(&["get"], "protocol=http\nhost=gitlab.example\n\n");
    assert_silently(&ran, "");
    assert_silently(&ask(&home, "gitlab.example"), "");
}

#[test]
fn the_snapshot_is_not_used_while_the_worker_answers() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GIT_TOKEN", "ghs_snapshot").set("GITHUB_TOKEN", "ghs_snapshot");
    let cached = town.worker.token_for(RIG);
    assert_silently(&get(&home, &town), &credential(&cached));
    let_pass(&town, &home, 40 * MINUTE);
    town.worker.go_down();
    let ran = get(&home, &town);
    assert_eq!(token(&ran), cached, "of that one more is known");
}

#[test]
fn the_snapshot_is_the_last_resort_with_a_warning_and_is_not_cached() {
    for (name, stay_down) in [("GIT_TOKEN", true), ("GITHUB_TOKEN", true), ("GIT_TOKEN", false)] {
        let town = Town::start();
        let mut home = agent(&town);
        home.set(name, "ghs_snapshot");
        if stay_down {
            town.worker.go_down();
        } else {
            home.unset("GASTOWN_API_URL");
        }
        let ran = get(&home, &town);
        assert_eq!((ran.code, &*ran.stdout), (0, &*credential("ghs_snapshot")), "{ran:?}");
        let cause = if stay_down { "[worker-unreachable]" } else { "[config-missing]" };
        assert_warns(&ran, &["warning: ", name, cause]);
        let cached = home.cache_files().into_iter().map(|it| fs::read_to_string(it).expect("text"));
        assert!(cached.into_iter().all(|text| !text.contains("ghs_snapshot")));
        town.worker.come_up();
        home.set("GASTOWN_API_URL", &town.worker.url()).age_cache(MINUTE);
        assert_silently(&get(&home, &town), &credential(&town.worker.token_for(RIG)));
    }
}

#[test]
fn the_snapshot_is_never_used_when_it_is_known_to_be_dead() {
    let town = Town::start();
    let mut home = agent(&town);
    let snapshot = token(&get(&home, &town));
    home.set("GIT_TOKEN", &snapshot);
    let_pass(&town, &home, HOUR);
    town.worker.go_down();
    let ran = get(&home, &town);
    assert_fails_as(&ran, "worker-unreachable");
    for link in ["GITHUB_CLI_PAT (unset)", "cache (died ", "worker (", "GIT_TOKEN (known dead)"] {
        assert!(ran.stderr.contains(link), "`{link}` is missing\n{ran:?}");
    }
    home.set("GITHUB_TOKEN", "ghs_another");
    let ran = get(&home, &town);
    assert_eq!(token(&ran), "ghs_another");
    assert_warns(&ran, &["warning: ", "GITHUB_TOKEN"]);
}

#[test]
fn a_token_that_a_header_or_a_line_could_not_hold_is_ignored_with_a_warning() {
    let town = Town::start();
    for name in ["GITHUB_CLI_PAT", "GIT_TOKEN"] {
        for text in ["ghp_two words", "ghp_a\nhost=evil.example", "ghp_\u{e9}"] {
            let mut home = agent(&town);
            home.set(name, text);
            let ran = get(&home, &town);
            assert_eq!(ran.stdout, credential(&town.worker.token_for(RIG)));
            assert_warns(&ran, &["warning: ", name]);
            assert!(!ran.stderr.contains("words") && !ran.stderr.contains("evil"), "{ran:?}");
        }
        let mut home = agent(&town);
        home.set(name, "ghp_mine\n");
        assert_silently(&get(&home, &town), &credential("ghp_mine"));
    }
}

#[test]
fn githubs_tokens_go_to_no_gitlab_host() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GITHUB_CLI_PAT", "ghp_mine").set("GIT_TOKEN", "ghs_a").set("GITHUB_TOKEN", "ghs_b");
    for (instance, host) in [
        (None, "gitlab.com"),
        (Some("https://git.example"), "git.example"),
        (None, "gitlab.example"),
    ] {
        home.unset("GITLAB_INSTANCE_URL").unset("GITLAB_TOKEN");
        if let Some(instance) = instance {
            home.set("GITLAB_INSTANCE_URL", instance);
        }
        let request = format!("protocol=https\nhost={host}\n\n");
        let ran = home.helper(&["get", "--host", host], &request);
        assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
        assert!(ran.stderr.contains("GITLAB_TOKEN"), "{ran:?}");
        let ran = home.helper(&["token", "--host", host], "");
        assert_eq!(ran.assert_fails().stdout, "");
        // A token of another instance does not help.
        home.set("GITLAB_TOKEN", "glpat-mine");
        let ran = home.helper(&["get", "--host", host], &request);
        let is_its_own = host != "gitlab.example";
        assert_eq!(ran.stdout.contains("glpat-mine"), is_its_own, "{ran:?}");
        assert!(!ran.stdout.contains("gh"), "{ran:?}");
    }
    assert_eq!((town.worker.calls().len(), home.cache_files().len()), (0, 0));
}
