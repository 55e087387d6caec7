use std::time::Duration;

use super::*;
use crate::town::Rig;

#[test]
fn a_cause_that_breaks_everything_is_reported_once() {
    let mut bare = Home::new(Path::new(HELPER), &Git::newest());
    let ran = bare.helper(&["doctor", "--json"], "");
    let found = Diagnosis::of(ran);
    found.finds("fail", "settings", "unset: GASTOWN_", "or set GITHUB_CLI_PAT");
    assert!(!found.ran.stdout.contains("to check, run"), "this is the check: {:?}", found.ran);
    found.finds("fail", "helpers", "git asks no helper (for https://github.com, ", "setup");
    let failures = found.problems().into_iter().filter(|it| it["status"] == "fail");
    assert_eq!(failures.count(), 2, "{:?}", found.ran);
    bare.helper(&["setup"], "").assert_ok();
    bare.set("GITHUB_CLI_PAT", "ghp_sentinel");
    let found = Diagnosis::of(bare.helper(&["doctor", "--json"], ""));
    found.finds("warn", "settings", "unset: GASTOWN_", "");
}

#[test]
fn a_worker_that_is_down_fails_a_push_only_without_a_token() {
    let scene = Scene::in_order();
    scene.worker.go_down();
    let with = scene.diagnose(&[]);
    with.says_of_a_push(Some(true)).has_error("worker-unreachable");
    with.finds_only("warn", "worker", "refused the connection", "GASTOWN_API_URL");
    scene.forget_cache();
    let without = scene.diagnose(&[]);
    without.says_of_a_push(None).has_error("worker-unreachable");
    without.finds_only("fail", "worker", "refused the connection", "GASTOWN_API_URL");
}

#[test]
fn a_failure_on_record_does_not_keep_it_from_asking() {
    let scene = Scene::in_order();
    scene.forget_cache();
    scene.worker.go_down();
    scene.get().assert_fails();
    scene.worker.come_up();
    scene.diagnose(&[]).says_of_a_push(Some(true));
}

#[test]
fn what_the_worker_refuses_is_reported_once_with_the_advice_of_the_error() {
    let mut scene = Scene::in_order();
    scene.forget_cache();
    let good = scene.worker.container_token();
    let bad = scene.worker.container_token_badly_signed();
    let foreign = scene.worker.container_token_of_town("town-2");
    scene.worker.add_rig("rig-8", Rig::NoToken);
    for (variable, value, check, error, fix) in [
        ("CONTAINER_TOKEN", &*bad, "container-token", "container-token-rejected", "set GASTOWN"),
        ("CONTAINER_TOKEN", &*foreign, "container-token", "cross-town", "GASTOWN_TOWN_ID"),
        ("CONTAINER_TOKEN", "", "settings", "config-missing", "GASTOWN_CONTAINER_TOKEN_FILE"),
        ("CONTAINER_TOKEN", "a b", "settings", "config-missing", "GASTOWN_CONTAINER_TOKEN_FILE"),
        ("RIG_ID", "rig-9", "rig", "rig-not-found", "set GASTOWN_RIG_ID"),
        ("RIG_ID", "rig-8", "rig", "no-git-token", "install the GitHub App"),
    ] {
        scene.home.set("GASTOWN_CONTAINER_TOKEN", &good).set("GASTOWN_RIG_ID", "rig-1");
        scene.home.set(&format!("GASTOWN_{variable}"), value);
        scene.diagnose(&[]).finds_only("fail", check, "", fix).has_error(error);
    }
}

#[test]
fn an_expired_container_token_is_reported_and_renewed() {
    let mut scene = Scene::in_order();
    scene.forget_cache();
    let old = scene.worker.container_token_issued(Duration::from_secs(9 * 3600));
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &old);
    scene.diagnose(&[]).finds("ok", "container-token", "expired at", "");
    let later = scene.diagnose(&[]);
    later.finds("ok", "container-token", "the cached renewal: valid until", "");
    scene.home.set("GASTOWN_CONTAINER_TOKEN_FILE", "/absent");
    scene.diagnose(&[]).finds_only("warn", "container-token", "/absent", "TOKEN_FILE");
    scene.forget_cache();
    scene.home.unset("GASTOWN_CONTAINER_TOKEN");
    let fix = "make GASTOWN_CONTAINER_TOKEN_FILE name a file that you can read";
    scene.diagnose(&["--offline"]).finds_only("fail", "settings", "/absent", fix);
}

#[test]
fn clocks_that_disagree_are_reported() {
    let scene = Scene::in_order();
    scene.worker.set_clock_skew(300);
    scene.diagnose(&[]).finds_only("warn", "clock", "behind the worker's", "NTP");
    scene.worker.set_clock_skew(-300);
    scene.diagnose(&[]).finds_only("warn", "clock", "ahead of the worker's", "NTP");
}

#[test]
fn tokens_that_are_configured_are_told_with_their_age_and_refusals() {
    let mut scene = Scene::in_order();
    let token = scene.worker.token_for("rig-1");
    scene.home.set("GITHUB_CLI_PAT", "ghp_dead");
    scene.home.git(&["ls-remote", &scene.github.url(REPOSITORY)]);
    let found = scene.diagnose(&[]);
    found.says_of_a_push(Some(true)).has_error("token-rejected");
    found.finds_only("warn", "token", "rejected GITHUB_CLI_PAT", "unset GITHUB_CLI_PAT");
    scene.home.unset("GITHUB_CLI_PAT").set("GIT_TOKEN", &token);
    scene.forget_cache();
    scene.worker.go_down();
    let found = scene.diagnose(&[]);
    found.finds("ok", "token", "from GIT_TOKEN, a snapshot of unknown age", "");
    found.finds("warn", "environment", "GIT_TOKEN: an installation token", "unset GIT_TOKEN");
    found.says_of_a_push(Some(true)).has_error("worker-unreachable");
}

#[test]
fn settings_that_are_wrong_are_told_with_where_they_come_from() {
    let mut scene = Scene::in_order();
    scene.home.set("GASTOWN_API_URL", "http://worker.example");
    let found = scene.diagnose(&["--offline"]);
    found.finds_only(
        "fail",
        "settings",
        "is http, which is for loopback only; use https",
        "correct",
    );
    scene.get().mentions("is http, which is for loopback only; use https");
    scene.home.set("GASTOWN_API_URL", "").set("GASTOWN_ON_FAILURE", "perhaps");
    let found = scene.diagnose(&["--offline"]);
    found.finds("ok", "settings", "set but empty", "");
    found.finds("warn", "settings", "neither `quit` nor `next`", "correct or remove");
    let text = format!("{{\"api_url\": \"{}\"}}", scene.worker.url());
    scene.write(".config/gastown/config.json", text);
    let found = scene.diagnose(&["--offline"]);
    found.finds("ok", "settings", "(from `api_url` in the config file)", "");
    found.finds("ok", "settings", "config.json\": read", "");
}

#[test]
fn ignored_host_is_told_as_written_with_its_setting_and_what_to_write() {
    let mut scene = Scene::in_order();
    let ignored = "is ignored: http is for loopback only";
    let of_variable = format!("GASTOWN_GIT_HOSTS: git host `http://git.example` {ignored}");
    scene.home.set("GASTOWN_GIT_HOSTS", "http://git.example");
    let found = scene.diagnose(&["--offline"]);
    found.finds("warn", "settings", &of_variable, "do what it says");
    let told = scene.get();
    told.mentions(&format!("{of_variable}; write git.example\n"));
    scene.home.unset("GASTOWN_GIT_HOSTS");
    let text = r#"{"git_hosts": ["http://me:s3kr1t@git.example/?s3kr1t"]}"#;
    scene.write(".config/gastown/config.json", text);
    let found = scene.diagnose(&["--offline"]);
    let of_file = "`git_hosts` in the config file: git host `http://…` is ignored";
    found.finds("warn", "settings", of_file, "do what it says");
}

#[test]
fn each_host_is_told_with_where_it_comes_from() {
    let mut scene = Scene::in_order();
    scene.git(&["credential-gastown", "setup", "--host", &scene.host]);
    scene.home.set("GASTOWN_GIT_HOSTS", "elsewhere.example");
    let found = scene.diagnose(&["--offline"]);
    let listed = "hosts: https://elsewhere.example (from GASTOWN_GIT_HOSTS)";
    found.finds("ok", "settings", listed, "");
    let of_git = format!("hosts: {} (from the host in git's helper line)", scene.host);
    found.finds("ok", "settings", &of_git, "");
}
