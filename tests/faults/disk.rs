//! A disk that is full, read-only, gone or somebody else's: a cache that cannot be used costs
//! calls and a warning, never an answer, and what was there before stays whole.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

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

#[test]
fn a_fresh_token_is_read_from_a_disk_that_takes_nothing() {
    for (what, disk) in DISKS {
        let (scene, old) = Scene::with_token(FRESH);
        let Some(ran) = scene.mounting_shell(&format!("{disk}{NOWHERE_ELSE}{GET}")) else { return };
        ran.answers(&old);
        assert_eq!(scene.calls(), 0, "{what}");
    }
}

#[test]
fn a_disk_that_takes_nothing_costs_a_warning_and_the_next_place_is_used() {
    for (what, disk) in DISKS {
        let (scene, old) = Scene::with_token(DEAD);
        let script = format!("{disk}{GET}");
        let Some(ran) = scene.mounting_shell(&script) else { return };
        let token = scene.current();
        ran.warns(&token, "cache-unusable").mentions(".cache/gastown");
        let after = names(&scene.home.path().join("after"));
        assert!(!after.iter().any(|name| name.starts_with(".new-")), "{what}: {after:?}");
        // What was there is there, and what is new is in the other place.
        assert_eq!(token_in(&scene.home.path().join("after")), Some(old), "{what}");
        assert_eq!(token_in(&scene.home.last_place()), Some(token), "{what}");
        assert_eq!(
            fs::metadata(scene.home.last_place()).expect("it is there").mode() & 0o777,
            0o700
        );
    }
}

#[test]
fn without_any_place_for_it_a_token_is_still_answered() {
    for (what, disk) in DISKS {
        let (scene, old) = Scene::with_token(DEAD);
        let script = format!("{disk}{NOWHERE_ELSE}{GET}");
        let Some(ran) = scene.mounting_shell(&script) else { return };
        assert_eq!(ran.token(), scene.current(), "{what}");
        ran.mentions("[cache-unusable]").mentions(".cache/gastown");
        assert!(ran.0.stderr.lines().count() <= 2, "one line for each place\n{ran:?}");
        assert_eq!(token_in(&scene.home.path().join("after")), Some(old), "{what}");
    }
}

#[test]
fn a_refused_token_on_a_disk_that_takes_nothing_gives_way_to_another() {
    for (what, disk) in DISKS {
        let (scene, old) = Scene::with_token(FRESH);
        scene.town.github.revoke(&old);
        scene.town.worker.forget(RIG);
        let host = scene.town.github.host();
        let refused =
            format!("protocol=http\nhost={host}\nusername=x-access-token\npassword={old}\n\n");
        let script = format!("{disk}printf %s '{refused}' | \"$HELPER\" erase{GET}");
        let Some(ran) = scene.mounting_shell(&script) else { return };
        assert_ne!(ran.token(), old, "{what}");
        ran.mentions(".cache/gastown");
        assert!(!ran.0.stderr.contains("URL"), "{what}: blamed on something else\n{ran:?}");
        assert_eq!(scene.calls(), 1, "{what}");
        assert_eq!(token_in(&scene.home.last_place()), Some(scene.current()), "{what}");
    }
}

#[test]
fn a_client_that_asks_again_is_noticed_on_a_disk_that_takes_nothing() {
    for (what, disk) in DISKS {
        let (scene, old) = Scene::with_token(FRESH);
        scene.town.worker.forget(RIG);
        // As libgit2 asks, which tells of no refusal.
        let request = format!("protocol=http\nhost={}\n\n", scene.town.github.host());
        let get = format!("printf %s '{request}' | \"$HELPER\" get");
        let Some(ran) = scene.mounting_shell(&format!("{disk}{get} >first; {get}")) else { return };
        let first = fs::read_to_string(scene.home.path().join("first")).expect("it is there");
        assert!(first.ends_with(&format!("password={old}\n")), "{what}: {first}");
        assert_ne!(ran.token(), old, "{what}");
        assert_eq!(scene.calls(), 1, "{what}");
    }
}

#[test]
fn a_refused_token_gives_way_to_another_where_the_first_place_cannot_be_made() {
    let scene = Scene::new();
    // There is nothing to list it in: what cannot be made is only seen when it is tried.
    for above in ["/proc/none", "/sys/none"] {
        let get = format!("XDG_CACHE_HOME={above} \"$HELPER\" get");
        let old = scene.shell(&get).token();
        scene.let_pass(90 * SECOND);
        scene.town.worker.forget(RIG);
        let host = scene.town.github.host();
        let refused =
            format!("protocol=http\nhost={host}\nusername=x-access-token\npassword={old}\n\n");
        let erase = format!("printf %s '{refused}' | XDG_CACHE_HOME={above} \"$HELPER\" erase");
        let script = format!("{erase}; {get}");
        assert_ne!(scene.shell(&script).token(), old, "{above}");
    }
}

#[test]
fn a_herd_on_a_full_disk_costs_one_call_as_long_as_there_is_another_place() {
    for (what, disk) in DISKS {
        let (scene, _) = Scene::with_token(DEAD);
        let Some(answers) = herd_in_shell(&scene, disk, 30) else { return };
        let answer = format!("username=x-access-token\npassword={}\n", scene.current());
        assert!(answers.iter().all(|it| *it == answer), "{what}: {answers:?}");
        assert_eq!(scene.calls(), 1, "{what}");
    }
}

#[test]
fn a_herd_without_any_place_has_its_answers_and_costs_a_call_each() {
    for (what, disk) in DISKS {
        let (scene, _) = Scene::with_token(DEAD);
        let Some(answers) = herd_in_shell(&scene, &format!("{disk}{NOWHERE_ELSE}"), 30) else {
            return;
        };
        let answer = format!("username=x-access-token\npassword={}\n", scene.current());
        assert!(answers.iter().all(|it| *it == answer), "{what}: {answers:?}");
        assert!(scene.calls() <= 30, "{what}");
    }
}

#[test]
fn a_herd_without_any_place_ends_in_time_on_a_silent_worker() {
    let (scene, _) = Scene::with_token(DEAD);
    scene.town.worker.answer_with(crate::town::Script::Silence);
    let started = std::time::Instant::now();
    let disk = format!("{READ_ONLY}{NOWHERE_ELSE}");
    let Some(answers) = herd_in_shell(&scene, &disk, 50) else { return };
    assert!(started.elapsed() < 25 * SECOND, "{:?}", started.elapsed());
    assert!(answers.iter().all(|it| it == "quit=1\n"), "{answers:?}");
    // Nobody can tell the others what came of it.
    assert_eq!(scene.calls(), 100, "two attempts each");
}

/// What each of so many processes at once had to say on stdout.
fn herd_in_shell(scene: &Scene, disk: &str, size: usize) -> Option<Vec<String>> {
    let script = format!(
        "{disk}
        mkdir answers; cat >request
        for i in $(seq {size}); do
            \"$HELPER\" get <request >answers/$i 2>answers/$i.stderr &
        done
        wait"
    );
    scene.mounting_shell(&script)?;
    let answers = scene.home.path().join("answers");
    let read = |index: usize| fs::read_to_string(answers.join(index.to_string()));
    Some((1..=size).map(|index| read(index).expect("it was redirected there")).collect())
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
        fs::remove_dir_all(scene.home.path().join(gone)).expect("the home is ours");
        scene.get().answers(&scene.current());
        assert_eq!(fs::metadata(scene.cache()).expect("it is there").mode() & 0o777, 0o700);
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
fn a_damaged_entry_is_a_miss_and_with_the_worker_down_it_is_left_for_who_comes_next() {
    for damage in DAMAGES {
        let (scene, _) = Scene::with_token(FRESH);
        let entry = scene.path_of(".token.json").expect("it is cached");
        let whole = fs::read_to_string(&entry).expect("it is text");
        let damaged = damage(&whole);
        assert_ne!(damaged, whole);
        fs::write(&entry, &damaged).expect("the cache is ours");
        scene.town.worker.go_down();
        scene.get().quits("worker-unreachable").mentions("cache (empty)");
        assert_eq!(fs::read_to_string(&entry).expect("it is text"), damaged);
        scene.town.worker.come_up();
        scene.let_pass(4 * SECOND);
        scene.get().answers(&scene.current());
        assert_eq!(scene.cached_token(), Some(scene.current()), "{damaged}");
    }
}
