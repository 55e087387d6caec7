use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::*;

#[test]
fn another_copy_that_comes_first_is_reported() {
    let mut scene = Scene::in_order();
    let copy = scene.script("bin/git-credential-gastown", "");
    scene.home.put_on_path(&scene.path("bin"));
    scene.diagnose(&[]).finds_only("warn", "program", "another copy", "export PATH=/");
    fs::remove_file(&copy).unwrap();
    symlink(HELPER, &copy).unwrap();
    scene.diagnose(&[]).finds("ok", "program", copy.to_str().unwrap(), "");
}

#[test]
fn without_git_the_other_links_are_looked_at_all_the_same() {
    let mut scene = Scene::in_order();
    scene.home.set("PATH", "relative:.");
    let found = scene.diagnose(&[]);
    found.says_of_a_push(None).finds_only("fail", "git", "not found on PATH", "install git");
    found.finds("ok", "token", "…", "").finds("ok", "worker", "rig-1", "");
}

#[test]
fn a_cache_that_others_can_enter_is_reported() {
    let scene = Scene::in_order();
    set_mode(scene.home.cache(), 0o755);
    scene.diagnose(&[]).has_error("cache-unusable");
    scene.is_fixed_by_its_fix("warn", "cache", "others can enter");
    assert!(scene.diagnose(&[]).problems().is_empty());
}

#[test]
fn what_stands_in_the_place_of_an_entry_is_reported_with_the_command_that_removes_it() {
    let scene = Scene::in_order();
    scene.get().assert_ok();
    let files = scene.home.cache_files();
    let entry = files.iter().find(|file| file.to_string_lossy().ends_with("token.json"));
    let entry = entry.expect("there is an entry");
    fs::remove_file(entry).and_then(|()| fs::create_dir_all(entry.join("x"))).expect("ours");
    let advice = format!("not a regular file; run: rm -rf {}", entry.display());
    scene.get().mentions(&advice).mentions("cannot write");
    scene.is_fixed_by_its_fix("warn", "cache", "is not used");
    scene.get().assert_ok();
    assert!(entry.is_file());
}

#[test]
fn the_holder_of_the_lock_is_reported_and_looking_makes_no_cache() {
    let scene = Scene::in_order();
    scene.forget_cache();
    scene.diagnose(&["--offline"]).finds("ok", "cache", "made when needed", "");
    assert!(!scene.home.cache().exists());
    scene.worker.hold();
    thread::scope(|scope| {
        scope.spawn(|| scene.get().assert_ok().code);
        scene.worker.await_git_token_calls(1);
        let found = scene.diagnose(&["--offline"]);
        scene.worker.release();
        found.finds_only("warn", "lock", "is renewing a token", "sleep 20");
    });
}

#[test]
fn tokens_that_go_stale_are_reported() {
    let mut scene = Scene::in_order();
    scene.home.set("GH_TOKEN", "ghs_a").set("GITHUB_TOKEN", "ghs_a");
    scene.write(".netrc", "machine 127.0.0.1 login x password y\n");
    let found = scene.diagnose(&[]);
    found.finds("warn", "environment", "GH_TOKEN, GITHUB_TOKEN: an", "unset GH_TOKEN GITHUB_TOKEN");
    found.finds("warn", "netrc", "127.0.0.1 is tried before", ".netrc");
    scene.write(".netrc", "machine example.com login 127.0.0.1 password y\n");
    scene.home.set("GH_TOKEN", "ghp_a_users_own").unset("GITHUB_TOKEN");
    assert!(scene.diagnose(&[]).problems().is_empty());
}

#[test]
fn a_git_that_hangs_is_asked_once_and_the_next_get_is_answered() {
    let scene = Scene::in_order();
    let before = fs::read_to_string(scene.path(".gitconfig")).unwrap();
    mkfifoat(CWD, scene.path("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    scene.write(".gitconfig", format!("{before}[include]\n\tpath = pipe\n"));
    fs::remove_dir_all(scene.home.cache()).unwrap();
    let diagnosis = scene.diagnose(&[]);
    // Each question to that git takes it two seconds; there are about ten.
    diagnosis.has_error("setup-failed").ran.within(..Duration::from_secs(15));
    scene.write(".gitconfig", &before);
    scene.get().token();
}
