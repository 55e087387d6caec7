//! A disk that is full, read-only or gone costs calls and a warning, never an answer, and what was
//! there before stays whole.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::scene::*;
use crate::town::RIG;

/// Puts a file system of so little room in the place of the cache, with the cache's files in it,
/// and fills it up.
const FULL: &str = "
    cp -a .cache/gastown before
    mount -t tmpfs -o size=16k,mode=700 none .cache/gastown
    cp -a before/. .cache/gastown
    head -c 1M /dev/zero >.cache/gastown/filling 2>/dev/null || true
";
/// The same without room for one more name.
const OUT_OF_NAMES: &str = "
    cp -a .cache/gastown before
    rm -f before/*lock
    mount -t tmpfs -o nr_inodes=3,mode=700 none .cache/gastown
    cp -a before/*.token.json .cache/gastown
    : >.cache/gastown/filling
";
const READ_ONLY: &str = "
    mount --bind .cache/gastown .cache/gastown
    mount -o remount,bind,ro .cache/gastown
";
/// The place that is used when the cache has none.
const NOWHERE_ELSE: &str = "
    mount -t tmpfs -o ro none \"$TMPDIR\"
";
const GET: &str = "
    status=0; \"$HELPER\" get || status=$?
    cp -a .cache/gastown after
    exit $status
";

const DISKS: [(&str, &str); 3] =
    [("full", FULL), ("out of names", OUT_OF_NAMES), ("read-only", READ_ONLY)];

fn each_disk(age: Duration, check: impl Fn(&str, &str, &Scene, String)) {
    for (what, disk) in DISKS.into_iter().filter(|_| can_mount()) {
        let (scene, token) = Scene::with_token(age);
        check(what, disk, &scene, token);
    }
}

#[test]
fn a_fresh_token_is_read_from_a_disk_that_takes_nothing() {
    each_disk(FRESH, |what, disk, scene, old| {
        scene.mounting_shell(&format!("{disk}{NOWHERE_ELSE}{GET}")).answers(&old);
        assert_eq!(scene.calls(), 0, "{what}");
    });
}

#[test]
fn a_disk_that_takes_nothing_costs_a_warning_and_the_next_place_is_used() {
    each_disk(DEAD, |what, disk, scene, old| {
        let ran = scene.mounting_shell(&format!("{disk}{GET}"));
        let token = scene.current();
        ran.warns(&token, "cache-unusable").mentions(".cache/gastown");
        let (after, place) = (scene.path("after"), scene.home.last_place());
        assert!(!names(&after).iter().any(|name| name.starts_with(".new-")), "{what}");
        // What was there is there, and what is new is in the other place.
        assert_eq!((token_in(&after), token_in(&place)), (Some(old), Some(token)), "{what}");
        assert_eq!(mode(place), 0o700);
    });
}

#[test]
fn without_any_place_for_it_a_token_is_still_answered() {
    each_disk(DEAD, |what, disk, scene, old| {
        let ran = scene.mounting_shell(&format!("{disk}{NOWHERE_ELSE}{GET}"));
        assert_eq!(ran.token(), scene.current(), "{what}");
        ran.mentions("[cache-unusable]").mentions(".cache/gastown");
        assert!(ran.stderr.lines().count() <= 2, "one line for each place\n{ran:?}");
        assert_eq!(token_in(&scene.path("after")), Some(old), "{what}");
    });
}

/// A shell's `erase` of a token.
fn erase(scene: &Scene, token: &str) -> String {
    let request = format!("protocol=http\nhost={}\npassword={token}\n\n", scene.github.host());
    format!("printf %s '{request}' | \"$HELPER\" erase")
}

#[test]
fn a_refused_token_on_a_disk_that_takes_nothing_gives_way_to_another() {
    each_disk(FRESH, |what, disk, scene, old| {
        scene.github.revoke(&old);
        scene.worker.forget(RIG);
        let ran = scene.mounting_shell(&format!("{disk}{}{GET}", erase(scene, &old)));
        assert_ne!(ran.token(), old, "{what}");
        // It is not blamed on something else.
        ran.mentions(".cache/gastown").never_says("URL");
        assert_eq!(scene.calls(), 1, "{what}");
        assert_eq!(token_in(&scene.home.last_place()), Some(scene.current()), "{what}");
    });
}

#[test]
fn a_client_that_asks_again_is_noticed_on_a_disk_that_takes_nothing() {
    each_disk(FRESH, |what, disk, scene, old| {
        scene.worker.forget(RIG);
        // As libgit2 asks, which tells of no refusal.
        let get = format!("printf %s '{}' | \"$HELPER\" get", request(scene));
        let ran = scene.mounting_shell(&format!("{disk}{get} >first; {get}"));
        let first = fs::read_to_string(scene.path("first")).expect("it is there");
        assert_eq!(first, credential(&old), "{what}");
        assert_ne!(ran.token(), old, "{what}");
        assert_eq!(scene.calls(), 1, "{what}");
    });
}

#[test]
fn a_refused_token_gives_way_to_another_where_the_first_place_cannot_be_made() {
    let mut scene = Scene::new();
    for above in ["/proc/none", "/sys/none"] {
        scene.home.set("XDG_CACHE_HOME", above);
        let old = scene.get().token();
        scene.let_pass(90 * SECOND);
        scene.worker.forget(RIG);
        scene.erase(&old);
        assert_ne!(scene.get().token(), old, "{above}");
    }
}

#[test]
fn a_herd_on_a_full_disk_costs_one_call_as_long_as_there_is_another_place() {
    each_disk(DEAD, |what, disk, scene, _| {
        let answers = herd_in_shell(scene, disk, 30);
        let answer = credential(&scene.current());
        assert!(answers.iter().all(|it| *it == answer), "{what}: {answers:?}");
        assert_eq!(scene.calls(), 1, "{what}");
    });
}

#[test]
fn a_herd_without_any_place_ends_in_time_on_a_silent_worker() {
    let (scene, _) = Scene::with_token(DEAD);
    scene.worker.answer_with(crate::town::Script::Silence);
    let started = std::time::Instant::now();
    let disk = format!("{READ_ONLY}{NOWHERE_ELSE}");
    if !can_mount() {
        return;
    }
    let answers = herd_in_shell(&scene, &disk, 50);
    assert!(started.elapsed() < 25 * SECOND, "{:?}", started.elapsed());
    assert!(answers.iter().all(|it| it == "quit=1\n"), "{answers:?}");
    // Nobody can tell the others what came of it, and who starts late has no time for a second.
    assert!((50..=100).contains(&scene.calls()), "{} calls", scene.calls());
}

/// What each of so many processes at once had to say on stdout.
fn herd_in_shell(scene: &Scene, disk: &str, size: usize) -> Vec<String> {
    let script = format!(
        "{disk}
        mkdir answers; cat >request
        for i in $(seq {size}); do
            \"$HELPER\" get <request >answers/$i 2>answers/$i.stderr &
        done
        wait"
    );
    scene.mounting_shell(&script);
    let answers = scene.path("answers");
    let read = |index: usize| fs::read_to_string(answers.join(index.to_string()));
    (1..=size).map(|index| read(index).expect("it was redirected there")).collect()
}

fn token_in(directory: &Path) -> Option<String> {
    let name = names(directory).into_iter().find(|name| name.ends_with(".token.json"))?;
    let text = fs::read_to_string(directory.join(name)).expect("records are text");
    let record: serde_json::Value = serde_json::from_str(&text).expect("records are whole");
    Some(record["record"]["token"].as_str()?.to_owned())
}

#[test]
fn a_cache_that_is_gone_is_made_again() {
    for gone in [".cache/gastown", ".cache"] {
        let (scene, _) = Scene::with_token(FRESH);
        fs::remove_dir_all(scene.path(gone)).expect("the home is ours");
        scene.get().answers(&scene.current());
        assert_eq!(mode(scene.cache()), 0o700);
        assert_eq!(scene.calls(), 1);
        scene.get().answers(&scene.current());
        assert_eq!(scene.calls(), 1);
    }
}

/// What becomes of an entry when a writer breaks off, a disk lies, or another version was here.
const DAMAGES: [fn(&str) -> String; 8] = [
    |_| String::new(),
    |_| "{}".to_owned(),
    |entry| entry[..1].to_owned(),
    |entry| entry[..entry.len() - 1].to_owned(),
    |_| "\0\u{1}\u{7f}ELF".to_owned(),
    |_| r#"{"token":"ghs_mine"}"#.to_owned(),
    |entry| entry.replace(r#""version":1"#, r#""version":99"#),
    |entry| entry.replace(r#""rig":"rig-1""#, r#""rig":"rig-2""#),
];

#[test]
fn a_damaged_entry_is_a_miss_and_is_left_while_the_worker_is_down() {
    for damage in DAMAGES {
        let (scene, _) = Scene::with_token(FRESH);
        let entry = scene.path_of(".token.json").expect("it is cached");
        let whole = fs::read_to_string(&entry).expect("it is text");
        let damaged = damage(&whole);
        assert_ne!(damaged, whole);
        scene.write(&entry, &damaged);
        scene.worker.go_down();
        scene.get().quits("worker-unreachable").mentions("cache (empty)");
        assert_eq!(fs::read_to_string(&entry).expect("it is text"), damaged);
        scene.worker.come_up();
        scene.let_pass(4 * SECOND);
        scene.get().answers(&scene.current());
        assert_eq!(scene.cached_token(), Some(scene.current()), "{damaged}");
    }
}
