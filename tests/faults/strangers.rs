//! Files in the place of the cache's own: none is read or holds a process up, and each is told.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::scene::*;

/// Puts something else in the place of an entry.
type Swap = fn(&Path);

const STRANGERS: [(&str, Swap); 8] = [
    ("a directory", |entry| {
        fs::remove_file(entry).and_then(|()| fs::create_dir(entry)).expect("the cache is ours");
        fs::write(entry.join("precious"), "").expect("the cache is ours");
    }),
    ("a pipe that nobody writes to", |entry| {
        fs::remove_file(entry).expect("the cache is ours");
        mkfifoat(CWD, entry, Mode::RUSR | Mode::WUSR).expect("the cache is ours");
    }),
    ("a link to itself", |entry| {
        fs::remove_file(entry).and_then(|()| symlink(entry, entry)).expect("the cache is ours");
    }),
    ("a link to another file", |entry| {
        let elsewhere = entry.with_file_name("elsewhere");
        fs::rename(entry, &elsewhere).and_then(|()| symlink(&elsewhere, entry)).expect("ours");
    }),
    ("10 MiB", |entry| fs::write(entry, vec![b' '; 10 << 20]).expect("the cache is ours")),
    ("a file that others can read", |entry| set_mode(entry, 0o644)),
    ("a file that the group can read", |entry| set_mode(entry, 0o640)),
    ("a file that others can write", |entry| set_mode(entry, 0o602)),
];

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("the cache is ours");
}

fn assert_is_passed_by(what: &str, swap: impl Fn(&Path)) {
    let (scene, _) = Scene::with_token(FRESH);
    let entry = scene.path_of(".token.json").expect("it is cached");
    let before = fs::read(&entry).expect("it is cached");
    swap(&entry);
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
        let elsewhere = fs::read(entry.with_file_name("elsewhere")).expect("it is there");
        assert_eq!(elsewhere, before, "it is not written through");
    }
    if !stays {
        let mode = fs::symlink_metadata(&entry).expect("it is there").permissions().mode();
        assert_eq!(mode, 0o100_600, "{what}: a file of ours");
        assert_eq!(scene.cached_token(), Some(token), "{what}");
    }
}

#[test]
fn a_foreign_file_in_place_of_an_entry_is_ignored_with_a_warning() {
    for (what, swap) in STRANGERS {
        assert_is_passed_by(what, swap);
    }
    if !rustix::process::geteuid().is_root() {
        return crate::town::skip("only root can make a file that belongs to somebody else");
    }
    assert_is_passed_by("another's", |entry| chown(entry, Some(NOBODY), None).expect("root may"));
}

#[test]
fn a_lock_that_cannot_be_opened_costs_a_warning_and_another_place() {
    let strangers: [(&str, Swap); 4] = [
        ("a directory", |lock| fs::create_dir(lock).expect("the cache is ours")),
        ("a link", |lock| symlink("/dev/null", lock).expect("the cache is ours")),
        // The lock's holder truncates it, so it must not be a hard link to another file.
        ("a link to a file", |lock| symlink(precious(lock), lock).expect("the cache is ours")),
        ("a file's other name", |lock| {
            fs::hard_link(precious(lock), lock).expect("the cache is ours");
        }),
    ];
    for (what, swap) in strangers {
        let (scene, _) = Scene::with_token(DEAD);
        let lock = scene.path_of(".lock").expect("it was taken");
        fs::write(precious(&lock), "content").expect("the cache is ours");
        fs::remove_file(&lock).expect("the cache is ours");
        swap(&lock);
        let token = scene.current();
        scene.get().warns(&token, "cache-unusable").mentions(&lock.to_string_lossy());
        scene.get().answers(&token);
        assert_eq!(scene.calls(), 1, "{what}");
        assert_eq!(fs::read_to_string(precious(&lock)).expect("it is there"), "content", "{what}");
    }
}

fn precious(lock: &Path) -> PathBuf {
    lock.with_file_name("precious")
}
