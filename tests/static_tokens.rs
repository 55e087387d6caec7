//! Tokens that a person has set: a long-lived one answers first, GitLab's answers for its instance
//! only, and the snapshot that an agent was dispatched with is the last resort.

use std::fs;

use serde_json::json;

use crate::client::{Client, refused};
use crate::scene::*;

#[test]
fn a_personal_token_answers_first_with_neither_call_nor_file() {
    for (name, secret) in [
        ("GITHUB_CLI_PAT", "ghp_mine"),
        ("GITHUB_CLI_PAT", "github_pat_mine"),
        ("GITHUB_CLI_PAT", "of_another_shape"),
        ("GIT_TOKEN", "ghp_mine"),
        ("GIT_TOKEN", "github_pat_mine"),
        ("GITHUB_TOKEN", "ghp_mine"),
        ("GITHUB_TOKEN", "github_pat_mine"),
    ] {
        let mut scene = Scene::new();
        scene.home.set(name, secret);
        let before = scene.home.everything();
        scene.get().answers(secret);
        for variable in ["GASTOWN_API_URL", "GASTOWN_TOWN_ID", "GASTOWN_RIG_ID"] {
            scene.home.unset(variable);
        }
        scene.get().answers(secret);
        assert_eq!((scene.worker.calls().len(), scene.home.everything()), (0, before), "{name}");
    }
}

#[test]
fn the_personal_token_for_gh_goes_before_the_others() {
    let mut scene = Scene::new();
    scene.home.set("GITHUB_TOKEN", "ghp_last").set("GIT_TOKEN", "ghp_second");
    scene.get().answers("ghp_second");
    scene.home.set("GITHUB_CLI_PAT", "ghp_first");
    scene.get().answers("ghp_first");
    scene.home.set("GITHUB_CLI_PAT", "");
    scene.get().answers("ghp_second");
}

#[test]
fn an_empty_variable_counts_as_unset_and_the_trace_says_so() {
    let mut scene = Scene::new();
    let names = ["GITHUB_CLI_PAT", "GIT_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "HTTPS_PROXY"];
    for name in names {
        scene.home.set(name, "");
    }
    let ran = scene.get_with(&["-v"]);
    assert_eq!(ran.token(), scene.current());
    for name in names {
        let told = |line: &&str| line.contains(name) && line.contains("empty");
        assert_eq!(ran.stderr.lines().filter(told).count(), 1, "{name}\n{ran:?}");
    }
    scene.home.set("GASTOWN_API_URL", "");
    scene.get().quits("config-missing").mentions("unset: GASTOWN_API_URL");
}

#[test]
fn a_personal_token_in_the_config_file_answers_first() {
    let mut scene = Scene::new();
    let file = scene.write("config.json", json!({ "github_cli_pat": "ghp_file" }).to_string());
    set_mode(&file, 0o600);
    scene.home.set("GASTOWN_CONFIG", &file);
    scene.get().answers("ghp_file");
    set_mode(&file, 0o644);
    let ran = scene.get();
    assert_eq!(ran.token(), "ghp_file");
    ran.warned(&["warning: ", &format!("run: chmod 600 {}", file.display())]);
    scene.home.set("GITHUB_CLI_PAT", "ghp_variable");
    assert_eq!(scene.get().token(), "ghp_variable");
    assert_eq!(scene.worker.calls().len(), 0);
    // A template that lists all keys has no token.
    scene.home.unset("GITHUB_CLI_PAT");
    for none in [json!(null), json!("")] {
        let template = json!({ "github_cli_pat": none, "on_failure": none });
        scene.write(&file, template.to_string());
        scene.get().answers(&scene.current());
    }
}

#[test]
fn gitlabs_token_answers_for_its_instance_only() {
    let mut scene = Scene::new();
    scene.home.set("GITLAB_TOKEN", "glpat-mine").set("GITHUB_CLI_PAT", "ghp_mine");
    let gitlab = "username=oauth2\npassword=glpat-mine\n";
    // Empty counts as unset.
    for (url, instance, others) in [
        ("", "gitlab.com", ["gitlab.example", "evil-gitlab.com", "gitlab.com:8443"]),
        ("https://git.example", "git.example", ["gitlab.com", "x.git.example", "example"]),
        ("https://git.example/", "git.example", ["gitlab.com", "x.git.example", "example"]),
        ("https://git.example:1/x", "git.example:1", ["gitlab.com", "git.example", "example:1"]),
    ] {
        scene.home.set("GITLAB_INSTANCE_URL", url);
        scene.get_for(instance).prints(gitlab);
        for other in others {
            scene.get_for(other).prints("");
        }
        scene.get().answers("ghp_mine");
    }
    assert_eq!((scene.worker.calls().len(), scene.home.cache_files().len()), (0, 0));
    // In the clear.
    scene.home.set("GITLAB_INSTANCE_URL", "http://gitlab.example");
    scene.ask("get", "protocol=http\nhost=gitlab.example\n\n").prints("");
    scene.get_for("gitlab.example").prints("");
    scene.home.unset("GITLAB_TOKEN").unset("GITLAB_INSTANCE_URL");
    scene.get_for("gitlab.com").prints("");
}

#[test]
fn the_snapshot_is_the_last_resort_with_a_warning_and_is_not_cached() {
    for (name, stay_down) in [("GIT_TOKEN", true), ("GITHUB_TOKEN", true), ("GIT_TOKEN", false)] {
        let mut scene = Scene::new();
        scene.home.set(name, "ghs_snapshot");
        if stay_down {
            scene.worker.go_down();
        } else {
            scene.home.unset("GASTOWN_API_URL");
        }
        let ran = scene.get();
        assert_eq!((ran.code, &*ran.stdout), (0, &*credential("ghs_snapshot")), "{ran:?}");
        let cause = if stay_down { "[worker-unreachable]" } else { "[config-missing]" };
        ran.warned(&["warning: ", name, cause]);
        let cached =
            scene.home.cache_files().into_iter().map(|it| fs::read_to_string(it).expect("text"));
        assert!(cached.into_iter().all(|text| !text.contains("ghs_snapshot")));
        scene.worker.come_up();
        scene.home.set("GASTOWN_API_URL", scene.worker.url()).age_cache(MINUTE);
        scene.get().answers(&scene.current());
    }
}

#[test]
fn the_snapshot_is_used_neither_before_the_cache_nor_when_it_is_known_to_be_dead() {
    let mut scene = Scene::new();
    // While the worker or the cache has a token, no snapshot is used: more is known of theirs.
    scene.home.set("GITHUB_TOKEN", "ghs_unused");
    let snapshot = scene.get().token();
    assert_eq!(snapshot, scene.current());
    scene.let_pass(40 * MINUTE);
    scene.worker.go_down();
    assert_eq!(scene.get().token(), snapshot);
    scene.home.set("GIT_TOKEN", &snapshot).unset("GITHUB_TOKEN");
    scene.let_pass(HOUR);
    let ran = scene.get();
    ran.quits("worker-unreachable");
    for link in ["GITHUB_CLI_PAT (unset)", "cache (died ", "worker (", "GIT_TOKEN (known dead)"] {
        ran.mentions(link);
    }
    scene.home.set("GITHUB_TOKEN", "ghs_another");
    let ran = scene.get();
    assert_eq!(ran.token(), "ghs_another");
    ran.warned(&["warning: ", "GITHUB_TOKEN"]);
}

#[test]
fn a_refused_snapshot_ends_the_command_and_the_message_says_why_there_is_no_other_token() {
    let mut scene = Scene::new();
    scene.home.set("GIT_TOKEN", "ghs_snapshot");
    scene.worker.go_down();
    let client = Client::new(&scene).refusing();
    let second = client.get(&refused(&client.get("")));
    second.quits("token-rejected").mentions("GIT_TOKEN").mentions("refused the connection");
}

#[test]
fn a_token_that_a_header_or_a_line_could_not_hold_is_ignored_with_a_warning() {
    for name in ["GITHUB_CLI_PAT", "GIT_TOKEN"] {
        let mut scene = Scene::new();
        for text in ["ghp_two words", "ghp_a\nhost=evil.example", "ghp_\u{e9}"] {
            scene.home.set(name, text);
            let ran = scene.get();
            assert_eq!(ran.token(), scene.current());
            ran.warned(&["warning: ", name]).never_says("words").never_says("evil");
        }
        scene.home.set(name, "ghp_mine\n");
        scene.get().answers("ghp_mine");
    }
}

#[test]
fn githubs_tokens_go_to_no_gitlab_host() {
    let mut scene = Scene::new();
    scene.home.set("GITHUB_CLI_PAT", "ghp_mine").set("GIT_TOKEN", "ghs_a");
    scene.home.set("GITHUB_TOKEN", "ghs_b");
    for (instance, host) in [
        (None, "gitlab.com"),
        (Some("https://git.example"), "git.example"),
        (None, "gitlab.example"),
    ] {
        scene.home.unset("GITLAB_INSTANCE_URL").unset("GITLAB_TOKEN");
        if let Some(instance) = instance {
            scene.home.set("GITLAB_INSTANCE_URL", instance);
        }
        let request = format!("protocol=https\nhost={host}\n\n");
        let ran = scene.home.helper(&["get", "--host", host], &request);
        assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
        ran.mentions("GITLAB_TOKEN");
        let ran = scene.helper(&["token", "--host", host]);
        assert_eq!(ran.assert_fails().stdout, "");
        // A token of another instance does not help.
        scene.home.set("GITLAB_TOKEN", "glpat-mine");
        let ran = scene.home.helper(&["get", "--host", host], &request);
        let is_its_own = host != "gitlab.example";
        assert_eq!(ran.stdout.contains("glpat-mine"), is_its_own, "{ran:?}");
        assert!(!ran.stdout.contains("gh"), "{ran:?}");
    }
    assert_eq!((scene.worker.calls().len(), scene.home.cache_files().len()), (0, 0));
}
