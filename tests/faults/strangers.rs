//! Files in the place of the cache's own that nobody's program would have left there: none of them
//! is read, none can hold a process up, and each costs one call and is told.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::scene::*;

/// Puts something else in the place of an entry.
type Swap = fn(&Path);

const STRANGERS: [(&str, Swap); 6] = [
    ("a directory", |entry| {
        fs::remove_file(entry).and_then(|()| fs::create_dir(entry)).expect("the cache is ours");
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
    ("a file that others can read", |entry| {
        fs::set_permissions(entry, Permissions::from_mode(0o644)).expect("the cache is ours");
    }),
];

fn assert_is_passed_by(what: &str, swap: impl Fn(&Path)) {
    let (scene, _) = Scene::with_token(FRESH);
    let entry = scene.path_of(".token.json").expect("it is cached");
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
    assert_eq!(next.0.stderr.is_empty(), !stays, "{what}\n{next:?}");
    assert_eq!(stays, what == "a directory");
    if !stays {
        assert_eq!(scene.cached_token(), Some(token), "{what}");
    }
}

#[test]
fn a_stranger_in_the_place_of_an_entry_is_passed_by_with_a_warning() {
    for (what, swap) in STRANGERS {
        assert_is_passed_by(what, swap);
    }
}

#[test]
fn another_users_file_is_passed_by_with_a_warning() {
    if !rustix::process::geteuid().is_root() {
        return crate::town::skip("only root can make a file that belongs to somebody else");
    }
    assert_is_passed_by("another's", |entry| chown(entry, Some(54_321), None).expect("root may"));
}

#[test]
fn a_directory_that_is_anothers_or_open_to_others_is_not_used() {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        crate::town::skip("only root can make a directory that is somebody else's");
    }
    let open: [(&str, Swap); 3] = [
        ("open to others", |it| {
            fs::set_permissions(it, Permissions::from_mode(0o755)).expect("ours")
        }),
        ("a link", |it| {
            let elsewhere = it.with_file_name("elsewhere");
            fs::rename(it, &elsewhere).and_then(|()| symlink(&elsewhere, it)).expect("ours");
        }),
        ("another's", |it| chown(it, Some(54_321), None).expect("root may")),
    ];
    for (what, spoil) in &open[..if is_root { 3 } else { 2 }] {
        let (scene, _) = Scene::with_token(DEAD);
        spoil(&scene.cache());
        let before = scene.names();
        let token = scene.current();
        scene.get().warns(&token, "cache-unusable").mentions(".cache/gastown");
        assert_eq!(scene.names(), before, "{what}: nothing is written there");
        scene.get().token();
        assert_eq!(scene.calls(), 1, "{what}: there is another place");
        assert!(!names(&scene.last_place()).is_empty(), "{what}");
    }
}

#[test]
fn a_lock_that_cannot_be_opened_costs_a_warning_and_another_place() {
    let strangers: [(&str, Swap); 2] = [
        ("a directory", |lock| fs::create_dir(lock).expect("the cache is ours")),
        ("a link", |lock| symlink("/dev/null", lock).expect("the cache is ours")),
    ];
    for (what, swap) in strangers {
        let (scene, _) = Scene::with_token(DEAD);
        let lock = scene.path_of(".lock").expect("it was taken");
        fs::remove_file(&lock).expect("the cache is ours");
        swap(&lock);
        let token = scene.current();
        scene.get().warns(&token, "cache-unusable").mentions(&lock.to_string_lossy());
        scene.get().answers(&token);
        assert_eq!(scene.calls(), 1, "{what}");
    }
}
