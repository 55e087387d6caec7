//! `token`: one live token and nothing else.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::town::Expiry;

#[test]
fn it_prints_the_bare_token_and_takes_it_from_the_cache_next_time() {
    let scene = Scene::new();
    let first = scene.helper(&["token"]);
    let token = scene.current();
    assert_eq!((first.code, &*first.stdout, &*first.stderr), (0, &*format!("{token}\n"), ""));
    assert_eq!(scene.helper(&["token"]).stdout, first.stdout);
    assert_eq!(scene.calls(), 1);
}

/// Seconds from one moment of an object to another.
fn seconds_between(object: &Value, from: &str, to: &str) -> i64 {
    let moment = |name: &str| {
        let text = object[name].as_str().unwrap_or_else(|| panic!("no {name}: {object}"));
        git_credential_gastown::time::Timestamp::from_rfc3339(text).expect("RFC 3339").seconds()
    };
    moment(to) - moment(from)
}

#[test]
fn json_tells_where_the_token_came_from_and_how_long_it_lives() {
    let scene = Scene::new();
    let printed = |arguments: &[&str]| json(&scene.helper(arguments).assert_ok().stdout);
    let token = scene.current();
    for source in ["worker", "cache"] {
        let told = printed(&["token", "--json"]);
        let fields = ["version", "host", "username", "token", "kind", "source", "expires"];
        assert_eq!(
            json!(fields.map(|field| told[field].clone())),
            json!([1, scene.host, "x-access-token", token, "installation", source, null])
        );
        let assumed = seconds_between(&told, "lives_until", "dies_by");
        assert!((31 * 60..=32 * 60).contains(&assumed), "29 to 60 min: {told}");
    }
    scene.worker.set_expiry(Expiry::ExpiresAt);
    scene.helper(&["refresh"]).assert_ok();
    let told = printed(&["token", "--json"]);
    for end in ["lives_until", "dies_by"] {
        assert_eq!(seconds_between(&told, "expires", end), 0, "{told}");
    }
}

#[test]
fn json_names_the_error_where_there_is_no_token() {
    let scene = Scene::new();
    scene.worker.go_down();
    let printed = |arguments: &[&str]| json(&scene.helper(arguments).assert_fails().stdout);
    let failed = printed(&["token", "--json"]);
    assert_eq!(json!([failed["version"], failed["error"]]), json!([1, "worker-unreachable"]));
    assert_eq!(failed["host"], scene.host);
    let foreign = printed(&["token", "--json", "https://evil.example"]);
    assert_eq!(json!([foreign["error"], foreign["host"]]), json!(["config-missing", null]));
}

#[test]
fn a_personal_token_is_named_by_its_setting() {
    let mut scene = Scene::new();
    scene.home.set("GITHUB_CLI_PAT", "ghp_mine");
    let printed = json(&scene.helper(&["token", "--json"]).assert_ok().stdout);
    assert_eq!(printed["token"], "ghp_mine");
    assert_eq!(printed["kind"], "personal");
    assert_eq!(printed["source"], "GITHUB_CLI_PAT");
    assert_eq!((&printed["lives_until"], &printed["dies_by"]), (&Value::Null, &Value::Null));
    assert_eq!(scene.calls(), 0);
}

#[test]
fn the_host_can_be_given_by_name_or_url_and_must_be_ours() {
    let mut scene = Scene::new();
    scene.home.set("GASTOWN_GIT_HOSTS", "first.example,second.example");
    for url in ["second.example", "https://second.example", "https://second.example/acme/app.git"] {
        let printed = json(&scene.helper(&["token", "--json", url]).assert_ok().stdout);
        assert_eq!(printed["host"], "https://second.example", "{url}");
    }
    for url in ["third.example", "ssh://first.example", "http://first.example", "", "a\nhost=b"] {
        let ran = scene.helper(&["token", url]);
        assert_fails(&ran, 1, &["[config-missing]", "https://second.example", "setup --host HOST"]);
    }
    let wrong = scene.helper(&["token", "--host", "*.example"]);
    wrong
        .assert_fails()
        .mentions("--host: git host `*.example` is ignored: not a host name; write");
    wrong.mentions("no git host is served; name one: --host");
}

#[test]
fn a_least_life_has_the_worker_asked_first_and_a_warning_if_there_is_none() {
    let scene = Scene::new();
    let token = |more: &[&str]| scene.helper(&[&["token"], more].concat());
    let old = token(&[]).assert_ok().stdout.clone();
    scene.let_pass(Duration::from_secs(14 * 60));
    // It is certain to live for 15 minutes more.
    assert_eq!(token(&["--min-life", "10m"]).stdout, old);
    assert_eq!(scene.calls(), 1);
    let again = token(&["--min-life", "20m"]);
    assert_eq!((&*again.stdout, &*again.stderr), (&*old, ""), "it is good for 29 minutes again");
    assert_eq!(scene.calls(), 2);
    scene.worker.go_down();
    scene.home.age_cache(Duration::from_secs(600));
    let best = token(&["--min-life", "25m"]);
    assert_eq!(best.assert_ok().stdout, old);
    let given = scene.helper(&["exec", "--min-life", "25m", "--", "printenv", "GIT_TOKEN"]);
    assert_eq!(given.assert_ok().stdout, old);
    for ran in [best, given] {
        assert!(ran.stderr.contains("certain to live for"), "{ran:?}");
    }
}

/// The line that `setup` wrote for GitLab stays when the token is gone, or is for another instance.
#[test]
fn no_token_of_github_is_handed_out_for_what_was_a_gitlab_instance() {
    const URL: &str = "https://gitlab.example";
    let mut scene = Scene::new();
    let given = |scene: &Scene| {
        let ran = ["get", "token"].map(|command| scene.helper(&[command, URL]));
        let request = "protocol=https\nhost=gitlab.example\n\n";
        let filled = scene.home.run("git", &["credential", "fill"], request);
        ran.map(|ran| ran.stdout).join("") + &filled.stdout
    };
    scene.home.unset("GASTOWN_GIT_HOSTS").set("GITLAB_TOKEN", "glpat-x");
    scene.home.set("GITLAB_INSTANCE_URL", URL);
    scene.helper(&["setup"]).assert_ok();
    assert_eq!(given(&scene).matches("glpat-x").count(), 3);
    scene.home.set("GITLAB_INSTANCE_URL", "https://other.example");
    assert_eq!(given(&scene), "");
    scene.home.unset("GITLAB_INSTANCE_URL").unset("GITLAB_TOKEN");
    assert_eq!(given(&scene), "");
    scene.helper(&["setup"]).assert_ok();
    assert_eq!(given(&scene), "");
    assert_eq!(scene.calls(), 0);
}
