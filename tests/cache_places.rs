//! Where the cache is, what becomes of the answer when it cannot be there, and what is swept.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::time::Duration;

use rustix::process::geteuid;
use serde_json::json;

use crate::scene::*;
use crate::town::home::make_older;
use crate::town::{CallKind, Expiry, Home, Rig, Script};

fn make(directory: &Path, mode: u32) {
    fs::create_dir_all(directory).expect("the home is writable");
    set_mode(directory, mode);
}

#[test]
fn the_cache_is_where_flag_environment_or_desktop_say() {
    let mut scene = Scene::new();
    make(&scene.path("runtime"), 0o700);
    scene.get().assert_ok();
    assert!(!names(&scene.home.cache()).is_empty());
    for (variable, value, place) in [
        ("XDG_CACHE_HOME", "xdg-cache", "xdg-cache/gastown"),
        // A runtime directory is the system's to make.
        ("XDG_RUNTIME_DIR", "missing", "xdg-cache/gastown"),
        ("XDG_RUNTIME_DIR", "runtime", "runtime/gastown"),
        ("GASTOWN_CACHE_DIR", "asked/deep", "asked/deep"),
    ] {
        let value = scene.path(value);
        scene.home.set(variable, &value);
        scene.get().assert_ok();
        assert!(!names(&scene.path(place)).is_empty(), "{place}");
    }
    let flag = scene.path("flag");
    scene.get_with(&["--cache-dir", &flag.to_string_lossy()]).assert_ok();
    assert!(!names(&flag).is_empty() && !scene.path("missing").exists());
    assert_eq!(scene.both_calls(), (5, 0), "each place is a cache of its own");
    assert!(names(&scene.home.last_place()).is_empty());
}

#[test]
fn an_unusable_place_is_replaced_by_a_private_one_with_a_warning() {
    for (what, spoil) in [
        ("below a file", "rmdir some; touch some"),
        ("a file", "touch some/cache"),
        ("open to others", "mkdir -m 755 some/cache"),
        ("writable for others", "mkdir -m 1777 some/cache"),
        ("a link", "mkdir -m 700 some/elsewhere; ln -s elsewhere some/cache"),
        ("another user's", "mkdir -m 700 some/cache; chown 1234 some/cache"),
    ] {
        if spoil.contains("chown") && !geteuid().is_root() {
            crate::town::skip("only root can make a directory that is somebody else's");
            continue;
        }
        let mut scene = Scene::new();
        let cache = scene.path("some/cache");
        scene.change(&format!("mkdir some; {spoil}"));
        scene.home.set("GASTOWN_CACHE_DIR", &cache);
        let before = scene.home.everything();
        let token = scene.current();
        scene.get().warns(&token, "cache-unusable").mentions(&cache.to_string_lossy());
        let place = scene.home.last_place();
        assert_eq!(mode(&place), 0o700, "{what}");
        let added = scene.home.everything().into_iter().filter(|path| !before.contains(path));
        assert!(added.into_iter().all(|path| path.starts_with(&place)), "{what}: used after all");
        scene.get().answers(&token);
        assert_eq!(scene.both_calls(), (1, 0), "{what}: the other place does as well");
    }
}

#[test]
fn no_advice_closes_a_shared_directory_to_others() {
    let mut scene = Scene::new();
    let shared = scene.path("shared");
    make(&shared, 0o755);
    scene.home.set("GASTOWN_CACHE_DIR", &shared);
    let ran = scene.get();
    ran.warned(&["cache-unusable", "name a directory in it instead: ", "/shared/gastown"]);
    assert!(!ran.stderr.contains("chmod"), "{ran:?}");
    scene.home.set("GASTOWN_CACHE_DIR", shared.join("gastown"));
    assert_eq!(scene.get().stderr, "");
}

#[test]
fn a_token_is_still_read_from_a_cache_that_may_no_longer_be_written() {
    let scene = Scene::new();
    let old = scene.get().token();
    scene.let_pass(27 * MINUTE);
    make(&scene.home.cache(), 0o755);
    scene.worker.go_down();
    let ran = scene.get();
    assert_eq!(ran.token(), old);
    ran.mentions("run: chmod 700").mentions("[cache-unusable]").mentions("[worker-unreachable]");
}

/// Makes files as old as a cache in which nobody wrote for that long.
fn age_files(home: &Home, age: Duration) {
    home.age_cache(age);
    home.cache_files().iter().for_each(|path| make_older(path, age));
}

/// An agent that has been through everything that leaves a record, for three rigs.
fn busy_scene() -> Scene {
    let mut scene = Scene::new();
    let expired = scene.worker.container_token_issued(9 * HOUR);
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &expired);
    for rig in ["rig-1", "rig-2", "rig-3", "rig-5"] {
        scene.worker.add_rig(rig, Rig::Installation);
    }
    for rig in ["rig-1", "rig-2", "rig-3"] {
        scene.home.set("GASTOWN_RIG_ID", rig);
        let token = scene.get().token();
        scene.erase(&token);
    }
    scene.home.set("GASTOWN_RIG_ID", "rig-4");
    scene.get().quits("rig-not-found");
    scene.home.set("GASTOWN_RIG_ID", "rig-5");
    scene
}

#[test]
fn what_died_is_swept_a_day_later_when_something_new_is_written() {
    let scene = busy_scene();
    scene.write(scene.cache().join(".new-unfinished"), "{");
    let before = scene.names();
    assert!(before.len() >= 9, "tokens, rejections, a failure, locks: {before:?}");
    age_files(&scene.home, 23 * HOUR);
    scene.get().token();
    let after = scene.names();
    let tokens = before.iter().filter(|name| name.ends_with("token.json"));
    assert!(tokens.clone().count() == 3 && tokens.into_iter().all(|name| after.contains(name)));
    // Refusals are kept for a month.
    age_files(&scene.home, 31 * 24 * HOUR);
    scene.get().token();
    // Locks go a round later than what they were for.
    scene.home.age_cache(2 * HOUR);
    scene.get().token();
    let left = scene.names();
    let tokens = left.iter().filter(|name| name.contains("token")).count();
    assert!(tokens == 1 && left.len() <= 3, "the new token, its lock, the container's: {left:?}");
}

#[test]
fn container_token_that_tells_no_expiry_is_swept_a_day_after_it_was_renewed() {
    let mut scene = Scene::new();
    let (expired, good) =
        (scene.worker.container_token_issued(9 * HOUR), scene.worker.container_token());
    let opaque = json!({ "success": true, "data": { "token": "opaque" } });
    scene.worker.answer_with(Script::json(200, &opaque).only(CallKind::ContainerToken));
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &expired);
    scene.get().quits("container-token-rejected");
    scene.home.set("GASTOWN_CONTAINER_TOKEN", &good);
    for (age, is_left) in [(23 * HOUR, true), (2 * HOUR, false)] {
        scene.home.age_cache(age);
        scene.get().token();
        assert_eq!(scene.path_of(".container.json").is_some(), is_left);
    }
}

#[test]
fn a_strangers_files_are_not_swept() {
    let mut scene = Scene::new();
    let shared = scene.path("shared");
    make(&shared, 0o700);
    for name in ["notes.json", "README", "x.lock.d", "token.json.bak"] {
        make_older(&scene.write(shared.join(name), "{}"), 1000 * HOUR);
    }
    scene.home.set("GASTOWN_CACHE_DIR", &shared);
    scene.get().assert_ok();
    let left = names(&shared);
    for name in ["notes.json", "README", "x.lock.d", "token.json.bak"] {
        assert!(left.iter().any(|it| it == name), "{name} is gone: {left:?}");
    }
}

#[test]
fn entry_dated_days_ahead_is_replaced_with_one_call() {
    for expiry in [Expiry::None, Expiry::ExpiresAt] {
        let scene = Scene::new();
        scene.worker.set_expiry(expiry);
        for days in [3, 40] {
            if days == 40 {
                // In the last place, too.
                fs::remove_dir_all(scene.path(".cache")).expect("it is ours");
                scene.write(".cache", "");
            }
            scene.get().token();
            scene.set_clock_back(days * 24 * HOUR);
            scene.worker.forget_calls();
            for _ in 0..5 {
                scene.get().answers(&scene.current());
            }
            assert_eq!(scene.calls(), 1, "{days} days ahead");
        }
    }
}

#[test]
fn relative_directory_is_ignored_and_named() {
    let mut scene = Scene::new();
    for relative in ["cache", "~/.cache/gastown", "./x"] {
        scene.home.set("GASTOWN_CACHE_DIR", relative);
        let ran = scene.get();
        assert_eq!(ran.token(), scene.current());
        ran.warned(&["warning: ", "GASTOWN_CACHE_DIR", "absolute"]);
        assert!(!scene.path(relative).exists(), "not in the working directory");
    }
    assert_eq!(scene.both_calls(), (1, 0), "the usual place is used");
}

#[test]
fn root_leaves_nothing_in_another_users_home() {
    if !geteuid().is_root() {
        return crate::town::skip("only root can have another user's home");
    }
    let scene = Scene::new();
    let missing = scene.path("missing");
    let homeless = scene.shell("HOME=$HOME/missing exec \"$HELPER\" get");
    homeless.warns_of(&scene.current(), &["HOME names no directory"]);
    assert!(!missing.exists(), "nor makes the home of a user who has none yet");
    chown(scene.home.path(), Some(1234), Some(1234)).expect("root may");
    for _ in 0..2 {
        scene.get().answers(&scene.current());
    }
    assert_eq!(scene.both_calls(), (1, 0), "it is cached where root's own files are");
    assert_eq!(names(&scene.home.path()), Vec::<String>::new());
    // Nor does what the user has there matter.
    make(&scene.path(".cache"), 0o700);
    make(&scene.home.cache(), 0o700);
    for path in [scene.path(".cache"), scene.home.cache()] {
        chown(path, Some(1234), Some(1234)).expect("root may");
    }
    scene.get().answers(&scene.current());
    assert_eq!(names(&scene.home.cache()), Vec::<String>::new());
}

#[test]
fn logs_that_root_makes_in_another_users_home_belong_to_that_user() {
    if !geteuid().is_root() {
        return crate::town::skip("only root can have another user's home");
    }
    let mut scene = Scene::new();
    chown(scene.home.path(), Some(1234), Some(1235)).expect("root may");
    for (variable, file) in [("GASTOWN_TRACE", "trace"), ("GASTOWN_AUDIT_LOG", "audit.log")] {
        let log = scene.home.path().join(file);
        scene.home.set(variable, &log);
        let length = || fs::metadata(&log).map_or(0, |log| log.len());
        scene.get().answers(&scene.current());
        let first = length();
        scene.get().answers(&scene.current());
        assert!(0 < first && first < length(), "both are in {file}");
        let owner = fs::metadata(&log).expect("it is there");
        assert_eq!((owner.uid(), owner.gid(), owner.mode() & 0o777), (1234, 1235, 0o600));
    }
}

#[test]
fn fallback_directory_of_another_user_causes_no_warning_while_it_is_not_needed() {
    if !geteuid().is_root() {
        return crate::town::skip("only root can be another user");
    }
    let scene = Scene::new();
    make(&scene.home.last_place(), 0o700);
    chown(scene.home.last_place(), Some(1234), Some(1234)).expect("root may");
    scene.get().answers(&scene.current());
    scene.get().answers(&scene.current());
}

#[test]
fn get_answers_when_the_sweep_cannot_list_the_directory() {
    let scene = Scene::new();
    if can_inject() {
        let get = scene.home.with_fault("getdents64", "error=EIO", &["get"]);
        let ran = crate::town::Ran::run(get, scene.request().as_bytes());
        ran.answers(&scene.current());
        scene.get().prints(&ran.stdout);
        assert_eq!(scene.both_calls(), (1, 0));
    }
}
