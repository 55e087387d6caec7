use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::thread;

use super::*;

#[test]
fn another_copy_that_comes_first_is_told() {
    let mut scene = Scene::newest();
    fs::create_dir(scene.path("bin")).unwrap();
    let copy = scene.path("bin/git-credential-gastown");
    fs::write(&copy, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", scene.path("bin").display());
    scene.home.set("PATH", &path);
    scene.diagnose(&[]).finds("helper", "warn", "another copy", "remove");
    fs::remove_file(&copy).unwrap();
    symlink(HELPER, &copy).unwrap();
    scene.diagnose(&[]).finds("helper", "ok", copy.to_str().unwrap(), "");
}

#[test]
fn without_git_the_other_links_are_looked_at_all_the_same() {
    let mut scene = Scene::newest();
    scene.home.set("PATH", "relative:.");
    let found = scene.diagnose(&[]);
    found.fails().finds("git", "fail", "not found on PATH", "install git");
    found.finds("token", "ok", "…", "");
    found.finds("worker", "ok", "status 200", "");
}

#[test]
fn a_cache_that_cannot_be_used_is_told_with_the_next_place() {
    let scene = Scene::newest();
    fs::set_permissions(scene.home.cache(), fs::Permissions::from_mode(0o755)).unwrap();
    let found = scene.diagnose(&[]);
    found.succeeds().finds("cache", "warn", "[cache-unusable]", "GASTOWN_CACHE_DIR");
    found.finds("cache", "warn", "chmod 700", "");
    fs::set_permissions(scene.home.cache(), fs::Permissions::from_mode(0o700)).unwrap();
    scene.diagnose(&[]).succeeds().finds("cache", "ok", "mode 0700", "");
}

#[test]
fn who_holds_the_lock_is_told() {
    let scene = Scene::newest();
    scene.forget_cache();
    scene.town.worker.hold();
    let request = format!("protocol=http\nhost={}\n\n", scene.town.github.host());
    thread::scope(|scope| {
        scope.spawn(|| scene.home.helper(&["get"], &request).assert_ok().code);
        scene.town.worker.await_git_token_calls(1);
        let found = scene.diagnose(&["--offline"]);
        scene.town.worker.release();
        found.succeeds().finds("lock", "warn", "is held by process", "wait a moment");
    });
    scene.diagnose(&["--offline"]).finds("lock", "ok", "nobody holds one", "");
}

#[test]
fn looking_makes_no_cache() {
    let scene = Scene::newest();
    scene.forget_cache();
    scene.diagnose(&["--offline"]).finds("cache", "ok", "will be made", "");
    assert!(!scene.home.cache().exists());
}

#[test]
fn tokens_that_go_stale_are_told() {
    let mut scene = Scene::newest();
    scene.home.set("GH_TOKEN", "ghs_sentinel");
    let netrc = scene.path(".netrc");
    fs::write(&netrc, "machine 127.0.0.1 login x password sentinel\n").unwrap();
    let found = scene.diagnose(&[]);
    found.finds("environment", "warn", "GH_TOKEN holds", "unset GH_TOKEN");
    found.finds("netrc", "warn", "127.0.0.1 is tried before", ".netrc");
    assert!(!found.ran.stdout.contains("sentinel"), "{:?}", found.ran);
    fs::write(&netrc, "machine example.com login x password y\n").unwrap();
    scene.home.set("GH_TOKEN", "ghp_a_users_own");
    let found = scene.diagnose(&[]);
    found.finds("environment", "ok", "", "").finds("netrc", "ok", "", "");
}

#[test]
fn settings_that_are_wrong_are_told_with_where_they_come_from() {
    let mut scene = Scene::newest();
    scene.home.set("GASTOWN_API_URL", "http://worker.example");
    let found = scene.diagnose(&["--offline"]);
    found.fails().finds("settings", "fail", "GASTOWN_API_URL is http", "correct GASTOWN_API_URL");
    scene.home.set("GASTOWN_API_URL", "").set("GASTOWN_ON_FAILURE", "perhaps");
    let found = scene.diagnose(&["--offline"]);
    found.finds("settings", "ok", "set but empty", "");
    found.finds("settings", "warn", "neither `quit` nor `next`", "");
    fs::create_dir_all(scene.path(".config/gastown")).unwrap();
    let text = format!("{{\"api_url\": \"{}\"}}", scene.town.worker.url());
    fs::write(scene.path(".config/gastown/config.json"), text).unwrap();
    let found = scene.diagnose(&["--offline"]);
    found.finds("settings", "ok", "(from `api_url` in the config file)", "");
    found.finds("settings", "ok", "config.json\": read", "");
}
