use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::thread;
use std::time::{Duration, SystemTime};

use super::*;

#[test]
fn another_copy_that_comes_first_is_told() {
    let mut scene = Scene::newest();
    fs::create_dir(scene.path("bin")).unwrap();
    let copy = scene.path("bin/git-credential-gastown");
    fs::write(&copy, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    scene.home.put_on_path(&scene.path("bin"));
    scene.diagnose(&[]).finds_only("warn", "program", "another copy", "export PATH=/");
    fs::remove_file(&copy).unwrap();
    symlink(HELPER, &copy).unwrap();
    scene.diagnose(&[]).finds("ok", "program", copy.to_str().unwrap(), "");
}

#[test]
fn without_git_the_other_links_are_looked_at_all_the_same() {
    let mut scene = Scene::newest();
    scene.home.set("PATH", "relative:.");
    let found = scene.diagnose(&[]);
    found.says_of_a_push(None).finds_only("fail", "git", "not found on PATH", "install git");
    found.finds("ok", "token", "…", "").finds("ok", "worker", "rig-1", "");
}

#[test]
fn a_cache_that_cannot_be_used_is_told_with_the_next_place() {
    let scene = Scene::newest();
    fs::set_permissions(scene.home.cache(), fs::Permissions::from_mode(0o755)).unwrap();
    let found = scene.diagnose(&[]);
    let fix = format!("chmod 700 {}", scene.home.cache().display());
    found.finds_only("warn", "cache", "others can enter", &fix).has_error("cache-unusable");
    scene.shell(&fix);
    scene.diagnose(&[]).finds("ok", "cache", "mode 0700", "");
}

#[test]
fn who_holds_the_lock_is_told_and_looking_makes_no_cache() {
    let scene = Scene::newest();
    scene.forget_cache();
    scene.diagnose(&["--offline"]).finds("ok", "cache", "made when needed", "");
    assert!(!scene.home.cache().exists());
    scene.town.worker.hold();
    let request = format!("protocol=http\nhost={}\n\n", scene.town.github.host());
    thread::scope(|scope| {
        scope.spawn(|| scene.home.helper(&["get"], &request).assert_ok().code);
        scene.town.worker.await_git_token_calls(1);
        let found = scene.diagnose(&["--offline"]);
        scene.town.worker.release();
        found.finds_only("warn", "lock", "is renewing a token", "sleep 20");
    });
}

#[test]
fn a_lock_that_a_killed_git_left_is_told_and_what_is_named_removes_it() {
    let scene = Scene::newest();
    for lock in [".gitconfig.lock", "app/.git/config.lock"] {
        let file = fs::File::create(scene.path(lock)).unwrap();
        assert!(scene.diagnose(&[]).problems().is_empty(), "somebody may be writing");
        file.set_modified(SystemTime::now() - Duration::from_secs(300)).unwrap();
        let found = scene.diagnose(&[]);
        let fix = format!("rm {}", scene.path(lock).display());
        found.finds_only("warn", "git-lock", "for 5 min", &fix);
        scene.shell(&fix);
    }
}

#[test]
fn tokens_that_go_stale_are_told() {
    let mut scene = Scene::newest();
    scene.home.set("GH_TOKEN", "ghs_sentinel").set("GITHUB_TOKEN", "ghs_sentinel");
    let netrc = scene.path(".netrc");
    fs::write(&netrc, "machine 127.0.0.1 login x password sentinel\n").unwrap();
    let found = scene.diagnose(&[]);
    found.finds("warn", "environment", "GH_TOKEN, GITHUB_TOKEN: an", "unset GH_TOKEN GITHUB_TOKEN");
    found.finds("warn", "netrc", "127.0.0.1 is tried before", ".netrc");
    assert!(!found.ran.stdout.contains("sentinel"), "{:?}", found.ran);
    fs::write(&netrc, "machine example.com login x password y\n").unwrap();
    scene.home.set("GH_TOKEN", "ghp_a_users_own").unset("GITHUB_TOKEN");
    assert!(scene.diagnose(&[]).problems().is_empty());
}
