use std::time::Duration;

use super::*;
use crate::town::Rig;

#[test]
fn a_worker_that_is_down_fails_a_push_only_without_a_token() {
    let scene = Scene::newest();
    scene.town.worker.go_down();
    let with = scene.diagnose(&[]);
    with.succeeds().finds("worker", "warn", "[worker-unreachable]", "GASTOWN_API_URL");
    scene.forget_cache();
    let without = scene.diagnose(&[]);
    without.fails().finds("worker", "fail", "[worker-unreachable]", "GASTOWN_API_URL");
    without.finds("token", "fail", "[worker-unreachable]", "");
    without.finds("git credential fill", "fail", "[worker-unreachable]", "");
}

#[test]
fn a_failure_on_record_does_not_keep_it_from_asking() {
    let scene = Scene::newest();
    scene.forget_cache();
    scene.town.worker.go_down();
    let request = format!("protocol=http\nhost={}\n\n", scene.town.github.host());
    scene.home.helper(&["get"], &request).assert_fails();
    scene.town.worker.come_up();
    scene.diagnose(&[]).succeeds().finds("token", "ok", "…", "");
}

#[test]
fn what_the_worker_refuses_is_named() {
    let mut scene = Scene::newest();
    scene.forget_cache();
    let good = scene.town.worker.container_token();
    let bad = scene.town.worker.container_token_badly_signed();
    let foreign = scene.town.worker.container_token_of_town("town-2");
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &bad);
    scene.diagnose(&[]).fails().finds(
        "container token",
        "fail",
        "[container-token-rejected]",
        "set GASTOWN_CONTAINER_TOKEN",
    );
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &foreign);
    scene.diagnose(&[]).fails().finds("container token", "fail", "[cross-town]", "GASTOWN_TOWN_ID");
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &good).set("GASTOWN_RIG_ID", "rig-9");
    scene.diagnose(&[]).fails().finds("rig", "fail", "[rig-not-found]", "GASTOWN_RIG_ID");
    scene.town.worker.add_rig("rig-9", Rig::NoToken);
    scene.diagnose(&[]).fails().finds("rig", "fail", "[no-git-token]", "GitHub App");
    scene.home.unset("GASTOWN_CONTAINER_TOKEN");
    scene.diagnose(&[]).fails().finds("container token", "fail", "none", "GASTOWN_CONTAINER_TOKEN");
}

#[test]
fn an_expired_container_token_is_told_and_renewed() {
    let mut scene = Scene::newest();
    scene.forget_cache();
    let old = scene.town.worker.container_token_issued(Duration::from_secs(9 * 3600));
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &old);
    scene.diagnose(&[]).succeeds().finds("container token", "ok", "expired at", "");
    let later = scene.diagnose(&[]);
    later.succeeds().finds("container token", "ok", "the cached renewal: valid until", "");
}

#[test]
fn clocks_that_disagree_are_told() {
    let scene = Scene::newest();
    scene.town.worker.set_clock_skew(300);
    scene.diagnose(&[]).finds("clock", "warn", "behind the worker's", "NTP");
    scene.town.worker.set_clock_skew(-300);
    scene.diagnose(&[]).finds("clock", "warn", "ahead of the worker's", "NTP");
}

#[test]
fn a_snapshot_of_last_resort_is_told() {
    let mut scene = Scene::newest();
    let token = scene.town.worker.token_for("rig-1");
    scene.forget_cache();
    scene.town.worker.go_down();
    scene.home.set("GIT_TOKEN", &token);
    let diagnosis = scene.diagnose(&[]);
    diagnosis.succeeds().finds("token", "warn", "GIT_TOKEN", "the worker");
    diagnosis.finds("environment", "warn", "GIT_TOKEN holds an installation token", "unset");
}

#[test]
fn a_remote_is_asked_for_real() {
    let scene = Scene::newest();
    let missing = scene.town.github.url("acme/missing");
    scene.diagnose(&["--online", &missing]).fails().finds("git ls-remote", "fail", "fatal", "");
    let with_token = scene.town.github.url_with(REPOSITORY, "ghs_sentinel");
    let refused = scene.diagnose(&["--online", &with_token]);
    refused.fails().finds("git ls-remote", "fail", "has a token in it", "without user");
    assert!(!format!("{:?}", refused.ran.stdout).contains("ghs_sentinel"));
}
