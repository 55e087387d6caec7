//! Files in the place of the cache's own: none is read or holds a process up, and each is told.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::scene::*;

/// What is put in the place of an entry.
const STRANGERS: [(&str, &str); 9] = [
    ("a directory", "rm ENTRY; mkdir ENTRY; touch ENTRY/precious"),
    ("a pipe that nobody writes to", "rm ENTRY; mkfifo -m 600 ENTRY"),
    ("a link to itself", "rm ENTRY; ln -s ENTRY ENTRY"),
    ("a link to another file", "mv ENTRY ENTRY.moved; ln -s ENTRY.moved ENTRY"),
    ("10 MiB", "head -c 10M /dev/zero >ENTRY"),
    ("a file that others can read", "chmod 644 ENTRY"),
    ("a file that the group can read", "chmod 640 ENTRY"),
    ("a file that others can write", "chmod 602 ENTRY"),
    ("another user's", "chown 54321 ENTRY"),
];

fn assert_is_passed_by(what: &str, swap: &str) {
    let (scene, _) = Scene::with_token(FRESH);
    let entry = scene.path_of(".token.json").expect("it is cached");
    let before = fs::read(&entry).expect("it is cached");
    scene.change(&swap.replace("ENTRY", &entry.to_string_lossy()));
    let token = scene.current();
    let ran = scene.get();
    assert_eq!(ran.within(..4 * SECOND).token(), token, "{what}");
    ran.mentions("[cache-unusable]").mentions(&entry.to_string_lossy());
    assert_eq!(scene.calls(), 1, "{what}");
    // Replaced where it can be; a directory stays, and costs a call each time.
    let stays = entry.is_dir();
    let next = scene.get();
    let calls = if stays { 2 } else { 1 };
    assert_eq!((next.token(), scene.calls()), (token.clone(), calls), "{what}");
    assert_eq!(next.stderr.is_empty(), !stays, "{what}\n{next:?}");
    assert_eq!(stays, entry.join("precious").exists(), "{what}");
    assert_eq!(stays, what == "a directory");
    if what == "a link to another file" {
        let moved = fs::read(entry.with_extension("json.moved")).expect("it is there");
        assert_eq!(moved, before, "it is not written through");
    }
    if !stays {
        let mode = fs::symlink_metadata(&entry).expect("it is there").mode();
        assert_eq!(mode, 0o100_600, "{what}: a file of ours");
        assert_eq!(scene.cached_token(), Some(token), "{what}");
    }
}

#[test]
fn a_foreign_file_in_place_of_an_entry_is_ignored_with_a_warning() {
    for (what, swap) in STRANGERS {
        if swap.starts_with("chown") && !rustix::process::geteuid().is_root() {
            return crate::town::skip("only root can make a file that is somebody else's");
        }
        assert_is_passed_by(what, swap);
    }
}

#[test]
fn a_lock_that_cannot_be_opened_costs_a_warning_and_another_place() {
    for (what, swap) in [
        ("a directory", "mkdir LOCK"),
        ("a link", "ln -s /dev/null LOCK"),
        // The lock's holder truncates it, so it must not be another file.
        ("a link to a file", "ln -s ~/precious LOCK"),
        ("a file's other name", "ln ~/precious LOCK"),
    ] {
        let (scene, _) = Scene::with_token(DEAD);
        let lock = scene.path_of(".lock").expect("it was taken");
        let lock = lock.to_string_lossy();
        scene.change(&format!("echo content >precious; rm LOCK; {swap}").replace("LOCK", &lock));
        let token = scene.current();
        scene.get().warns(&token, "cache-unusable").mentions(&lock);
        scene.get().answers(&token);
        assert_eq!(scene.calls(), 1, "{what}");
        let precious = fs::read_to_string(scene.path("precious")).expect("it is there");
        assert_eq!(precious, "content\n", "{what}");
    }
}
