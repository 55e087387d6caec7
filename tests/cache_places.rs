//! Where the cache is, what becomes of the answer when it cannot be there, and what is swept out of
//! it. A cache that cannot be used costs calls and a warning, never an answer.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::time::SystemTime;

use rustix::process::geteuid;

use crate::scene::names;
use crate::town::home::aged;
use crate::town::{Expiry, Home, Rig, Town};
use crate::transcript::*;

fn make(directory: &Path, mode: u32) {
    fs::create_dir_all(directory).expect("the home is writable");
    fs::set_permissions(directory, Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn the_cache_is_where_flag_environment_or_desktop_say() {
    let town = Town::start();
    let mut home = agent(&town);
    let place = |name: &str| home.path().join(name);
    let (cache, runtime, asked, flag) =
        (place("xdg-cache"), place("runtime"), place("asked/deep"), place("flag"));
    get(&home, &town).assert_ok();
    assert!(!names(&home.cache()).is_empty());
    home.set("XDG_CACHE_HOME", &cache.to_string_lossy());
    get(&home, &town).assert_ok();
    assert!(!names(&cache.join("gastown")).is_empty());
    home.set("XDG_RUNTIME_DIR", &runtime.to_string_lossy());
    get(&home, &town).assert_ok();
    assert!(!runtime.exists(), "a runtime directory is the system's to make");
    make(&runtime, 0o700);
    get(&home, &town).assert_ok();
    assert!(!names(&runtime.join("gastown")).is_empty());
    home.set("GASTOWN_CACHE_DIR", &asked.to_string_lossy());
    get(&home, &town).assert_ok();
    assert!(!names(&asked).is_empty());
    home.helper(&["get", "--cache-dir", &flag.to_string_lossy()], &request(&town)).assert_ok();
    assert!(!names(&flag).is_empty());
    assert_eq!(calls(&town), (5, 0), "each place is a cache of its own");
    assert!(names(&home.last_place()).is_empty());
}

/// Makes a directory one that cannot be used.
type Spoil = fn(&Path);

const UNUSABLE: [(&str, Spoil); 6] = [
    ("below a file", |cache| {
        let above = cache.parent().expect("a directory lies in another");
        fs::create_dir_all(above.parent().expect("as above")).expect("ours");
        fs::write(above, "").expect("ours");
    }),
    ("a file", |cache| {
        fs::create_dir_all(cache.parent().expect("as above")).expect("ours");
        fs::write(cache, "").expect("ours");
    }),
    ("open to others", |cache| make(cache, 0o755)),
    ("writable for others", |cache| make(cache, 0o1777)),
    ("a link", |cache| {
        let elsewhere = cache.with_file_name("elsewhere");
        make(&elsewhere, 0o700);
        symlink(&elsewhere, cache).expect("ours");
    }),
    ("another user's", |cache| {
        make(cache, 0o700);
        if chown(cache, Some(1234), None).is_err() {
            crate::town::skip("only root can make a directory that is somebody else's");
            make(cache, 0o755);
        }
    }),
];

#[test]
fn an_unusable_place_is_replaced_by_a_private_one_with_a_warning() {
    for (what, spoil) in UNUSABLE {
        let town = Town::start();
        let mut home = agent(&town);
        let cache = home.path().join("some/where/cache");
        fs::create_dir_all(home.path().join("some")).expect("the home is writable");
        spoil(&cache);
        home.set("GASTOWN_CACHE_DIR", &cache.to_string_lossy());
        let before = home.everything();
        let ran = get(&home, &town);
        let token = token(&ran);
        assert_warns(&ran, &["warning: ", "[cache-unusable]", &*cache.to_string_lossy()]);
        let place = home.last_place();
        assert_eq!(fs::metadata(&place).expect("made").mode() & 0o7777, 0o700, "{what}");
        let added = home.everything().into_iter().filter(|path| !before.contains(path));
        assert!(added.into_iter().all(|path| path.starts_with(&place)), "{what}: used after all");
        assert_eq!(super::transcript::token(&get(&home, &town)), token, "{what}");
        assert_eq!(calls(&town), (1, 0), "{what}: the other place does as well");
    }
}

#[test]
fn without_any_place_each_ask_costs_a_call_and_gets_its_answer() {
    // The temporary directory is everybody's: somebody may have been there before.
    for (what, spoil) in &UNUSABLE[1..] {
        let town = Town::start();
        let mut home = agent(&town);
        let place = home.path().join("file/cache");
        fs::write(home.path().join("file"), "").expect("the home is writable");
        spoil(&home.last_place());
        let before = home.everything();
        home.set("GASTOWN_CACHE_DIR", &place.to_string_lossy());
        for round in 1..=2 {
            let ran = get(&home, &town);
            token(&ran);
            assert!(ran.stderr.contains("[cache-unusable]"), "{what}\n{ran:?}");
            assert_eq!(calls(&town), (round, 0), "{what}");
        }
        assert_eq!(home.everything(), before, "{what}: nothing is left anywhere");
    }
}

#[test]
fn a_token_is_still_read_from_a_cache_that_may_no_longer_be_written() {
    let town = Town::start();
    let home = agent(&town);
    let old = token(&get(&home, &town));
    let_pass(&town, &home, 27 * MINUTE);
    make(&home.cache(), 0o755);
    town.worker.go_down();
    let ran = get(&home, &town);
    assert_eq!(token(&ran), old);
    assert!(ran.stderr.contains("[cache-unusable]"), "{ran:?}");
    assert!(ran.stderr.contains("[worker-unreachable]"), "{ran:?}");
}

/// Makes files as old as a cache in which nobody wrote for that long.
fn age_files(home: &Home, age: std::time::Duration) {
    home.age_cache(age);
    for path in home.cache_files() {
        let file = File::options().write(true).open(path).expect("the cache is ours");
        file.set_modified(SystemTime::now() - age).expect("the cache is ours");
    }
}

/// An agent that has been through everything that leaves a record, for three rigs.
fn busy_agent(town: &Town) -> Home {
    let mut home = agent(town);
    home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token_issued(9 * HOUR));
    for rig in ["rig-1", "rig-2", "rig-3"] {
        town.worker.add_rig(rig, Rig::Installation);
        home.set("GASTOWN_RIG_ID", rig);
        let secret = token(&get(&home, town));
        let host = town.github.host();
        let refused = format!("protocol=http\nhost={host}\npassword={secret}\n\n");
        home.helper(&["erase"], &refused).assert_ok();
    }
    town.worker.add_rig("rig-4", Rig::NoToken);
    home.set("GASTOWN_RIG_ID", "rig-4");
    get(&home, town).assert_fails();
    home.set("GASTOWN_RIG_ID", "rig-5");
    home
}

#[test]
fn what_died_over_a_day_ago_is_swept_when_something_new_is_written() {
    let town = Town::start();
    town.worker.add_rig("rig-5", Rig::Installation);
    let home = busy_agent(&town);
    fs::write(home.cache().join(".new-unfinished"), "{").expect("the cache is ours");
    let before = home.cache_files().len();
    assert!(before >= 9, "tokens, rejections, a failure, locks: {:?}", home.cache_files());
    // Refusals are kept for a month.
    age_files(&home, 31 * 24 * HOUR);
    get(&home, &town).assert_ok();
    // Locks go a round later than what they were for.
    home.age_cache(2 * HOUR);
    get(&home, &town).assert_ok();
    let left: Vec<_> = names(&home.cache());
    let tokens = left.iter().filter(|name| name.contains("token")).count();
    assert!(tokens == 1 && left.len() <= 3, "the new token, its lock, the container's: {left:?}");
}

#[test]
fn what_died_less_than_a_day_ago_is_left() {
    let town = Town::start();
    town.worker.add_rig("rig-5", Rig::Installation);
    let home = busy_agent(&town);
    let before = home.cache_files();
    age_files(&home, 23 * HOUR);
    get(&home, &town).assert_ok();
    let after = home.cache_files();
    let tokens = before.iter().filter(|path| path.to_string_lossy().ends_with("token.json"));
    assert!(tokens.clone().count() == 3 && tokens.into_iter().all(|path| after.contains(path)));
}

#[test]
fn a_strangers_files_are_not_swept() {
    let town = Town::start();
    let mut home = agent(&town);
    let shared = home.path().join("shared");
    make(&shared, 0o700);
    for name in ["notes.json", "README", "x.lock.d", "token.json.bak"] {
        fs::write(shared.join(name), "{}").expect("the home is writable");
        let file = File::options().write(true).open(shared.join(name)).expect("ours");
        file.set_modified(SystemTime::now() - 1000 * HOUR).expect("ours");
    }
    home.set("GASTOWN_CACHE_DIR", &shared.to_string_lossy());
    get(&home, &town).assert_ok();
    let left = names(&shared);
    for name in ["notes.json", "README", "x.lock.d", "token.json.bak"] {
        assert!(left.iter().any(|it| it == name), "{name} is gone: {left:?}");
    }
}

/// Moves every moment in the records that far ahead.
fn age_into_the_future(home: &Home, days: i64) {
    for path in home.everything() {
        if path.extension().is_some_and(|it| it == "json") {
            let text = fs::read_to_string(&path).expect("text");
            fs::write(&path, aged(&text, -days * 24 * 3_600_000)).expect("the cache is ours");
        }
    }
}

#[test]
fn entry_dated_days_ahead_is_replaced_with_one_call() {
    for expiry in [Expiry::None, Expiry::ExpiresAt] {
        let town = Town::start();
        town.worker.set_expiry(expiry);
        let home = agent(&town);
        for days in [3, 40] {
            if days == 40 {
                // In the last place, too.
                fs::remove_dir_all(home.path().join(".cache")).expect("it is ours");
                fs::write(home.path().join(".cache"), "").expect("the home is writable");
            }
            token(&get(&home, &town));
            age_into_the_future(&home, days);
            town.worker.forget_calls();
            for _ in 0..5 {
                assert_eq!(get(&home, &town).stderr, "");
            }
            assert_eq!(calls(&town).0, 1, "{days} days ahead");
        }
    }
}

#[test]
fn relative_directory_is_ignored_and_named() {
    let town = Town::start();
    let mut home = agent(&town);
    for relative in ["cache", "~/.cache/gastown", "./x"] {
        home.set("GASTOWN_CACHE_DIR", relative);
        let ran = get(&home, &town);
        assert_eq!(token(&ran), town.worker.token_for("rig-1"));
        assert_warns(&ran, &["warning: ", "GASTOWN_CACHE_DIR", "absolute"]);
        assert!(!home.path().join(relative).exists(), "not in the working directory");
    }
    assert_eq!(calls(&town), (1, 0), "the usual place is used");
}

#[test]
fn root_leaves_nothing_in_another_users_home() {
    if !geteuid().is_root() {
        return crate::town::skip("only root can have another user's home");
    }
    let town = Town::start();
    let home = agent(&town);
    chown(home.path(), Some(1234), Some(1234)).expect("root may");
    for _ in 0..2 {
        assert_silently(&get(&home, &town), &credential(&town.worker.token_for("rig-1")));
    }
    assert_eq!(calls(&town), (1, 0), "it is cached where root's own files are");
    assert_eq!(names(&home.path()), Vec::<String>::new());
    // Nor does what the user has there matter.
    make(&home.path().join(".cache"), 0o700);
    make(&home.cache(), 0o700);
    for path in [home.path().join(".cache"), home.cache()] {
        chown(path, Some(1234), Some(1234)).expect("root may");
    }
    assert_silently(&get(&home, &town), &credential(&town.worker.token_for("rig-1")));
    assert_eq!(names(&home.cache()), Vec::<String>::new());
}

#[test]
fn fallback_directory_of_another_user_causes_no_warning_while_it_is_not_needed() {
    if !geteuid().is_root() {
        return crate::town::skip("only root can be another user");
    }
    let town = Town::start();
    let home = agent(&town);
    make(&home.last_place(), 0o700);
    chown(home.last_place(), Some(1234), Some(1234)).expect("root may");
    assert_silently(&get(&home, &town), &credential(&town.worker.token_for("rig-1")));
    assert_silently(&get(&home, &town), &credential(&town.worker.token_for("rig-1")));
}

#[test]
fn get_answers_when_the_sweep_cannot_list_the_directory() {
    let town = Town::start();
    let home = agent(&town);
    let mut strace = home.command("strace");
    let faults = "inject=getdents64:error=EIO";
    strace.args(["-qq", "-f", "-o", "/dev/null", "-e", faults, HELPER, "get"]);
    if home.command("strace").arg("-V").output().is_err() {
        return crate::town::skip("no strace to make the kernel fail");
    }
    let ran = crate::town::Ran::run(strace, request(&town).as_bytes());
    assert_silently(&ran, &credential(&town.worker.token_for("rig-1")));
    assert_silently(&get(&home, &town), &ran.stdout);
    assert_eq!(calls(&town), (1, 0));
}
