//! What the cache keeps, and for whom: each API URL, town, rig and host apart, private from the
//! first byte on, one small file each and nothing else beside it. What is not certainly ours is a
//! miss, and is replaced.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::town::{Home, RIG, Ran, Rig, TOWN, Town};
use crate::transcript::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").mode() & 0o7777
}

/// The one entry in the cache.
fn entry(home: &Home) -> PathBuf {
    let entries = home.cache_files().into_iter();
    let mut entries = entries.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let entry = entries.next().expect("an entry");
    assert_eq!(entries.next(), None, "one entry");
    entry
}

#[test]
fn files_are_private_whatever_the_umask() {
    // A file that nobody can use would cost a call and a warning each time.
    for umask in ["000", "022", "077", "111", "133", "177", "277", "777"] {
        let town = Town::start();
        let mut home = agent(&town);
        home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token_issued(9 * HOUR));
        let mut shell = home.command("sh");
        shell.args(["-c", &format!("umask {umask}; exec {HELPER} get")]);
        let ran = Ran::run(shell, request(&town).as_bytes());
        assert_silently(&ran, &credential(&town.worker.token_for(RIG)));
        assert_silently(&get(&home, &town), &ran.stdout);
        assert_eq!(calls(&town).0, 1, "umask {umask}");
        assert_eq!(mode(&home.cache()), 0o700, "umask {umask}");
        let files = home.cache_files();
        assert!(files.len() >= 3, "a token, a container token, a lock: {files:?}");
        assert!(files.iter().all(|file| mode(file) == 0o600), "umask {umask}: {files:?}");
    }
}

#[test]
fn each_api_url_town_and_rig_has_one_token_for_all_its_hosts() {
    let (town, other) = (Town::start(), Town::start());
    town.worker.add_rig("rig-2", Rig::Installation);
    let mut home = agent(&town);
    let hosts = format!("http://{},github.com", town.github.host());
    home.set("GASTOWN_GIT_HOSTS", &hosts);
    let github = "protocol=https\nhost=github.com\n\n";
    for round in 0..2 {
        get(&home, &town).assert_ok();
        home.helper(&["get"], github).assert_ok();
        home.set("GASTOWN_RIG_ID", "rig-2");
        get(&home, &town).assert_ok();
        home.set("GASTOWN_RIG_ID", "rig-1").set("GASTOWN_TOWN_ID", "town-2");
        home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token_of_town("town-2"));
        get(&home, &town).assert_ok();
        home.set("GASTOWN_TOWN_ID", TOWN).set("GASTOWN_API_URL", &other.worker.url());
        home.set("GASTOWN_CONTAINER_TOKEN", &other.worker.container_token());
        let ran = get(&home, &town);
        assert!(other.worker.minted_for("rig-1").contains(&token(&ran)));
        home.set("GASTOWN_API_URL", &town.worker.url());
        home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token());
        assert_eq!((calls(&town), calls(&other)), ((3, 0), (1, 0)), "round {round}");
    }
}

#[test]
fn no_id_steers_the_name_of_a_file() {
    let town = Town::start();
    let mut home = agent(&town);
    for rig in ["r".repeat(128), "-.._.-".to_owned(), "rig.lock".to_owned()] {
        town.worker.add_rig(&rig, Rig::Installation);
        home.set("GASTOWN_RIG_ID", &rig);
        get(&home, &town).assert_ok();
    }
    let files = home.cache_files();
    assert_eq!(files.len(), 6, "three entries, three locks: {files:?}");
    for file in files {
        assert_eq!(file.parent(), Some(&*home.cache()));
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name.len() < 64 && !name.starts_with(['-', '.', 'r']), "{name}");
    }
}

#[test]
fn many_answers_leave_no_more_behind_than_one() {
    let town = Town::start();
    let home = agent(&town);
    get(&home, &town).assert_ok();
    let before = home.everything();
    for _ in 0..20 {
        let_pass(&town, &home, 20 * MINUTE);
        get(&home, &town).assert_ok();
    }
    assert_eq!(home.everything(), before, "no temporary file, no second entry");
}

/// Spoils the entry, and says how its next reader takes it.
type Damage = fn(&Path);

/// A writer that broke off, a disk that lies, a version to come: nobody's fault.
const ACCIDENTS: [(&str, Damage); 6] = [
    ("empty", |entry| fs::write(entry, "").expect("ours")),
    ("truncated", |entry| {
        let length = fs::metadata(entry).expect("there").len();
        File::options()
            .write(true)
            .open(entry)
            .and_then(|it| it.set_len(length - 1))
            .expect("ours");
    }),
    ("garbage", |entry| fs::write(entry, b"\x7fELF\0\xff\xfe").expect("ours")),
    ("another JSON", |entry| fs::write(entry, r#"{"token":"ghs_mine"}"#).expect("ours")),
    ("of another version", |entry| replace(entry, r#""version":1"#, r#""version":99"#)),
    ("about another rig", |entry| replace(entry, r#""rig":"rig-1""#, r#""rig":"rig-2""#)),
];

/// What nobody's program would leave there.
const SUSPECTS: [(&str, Damage); 5] = [
    ("a link", |entry| {
        let elsewhere = entry.with_file_name("elsewhere");
        fs::rename(entry, &elsewhere).and_then(|()| symlink(&elsewhere, entry)).expect("ours");
    }),
    ("a FIFO", |entry| {
        fs::remove_file(entry).expect("ours");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, entry, mode).expect("ours");
    }),
    ("open to others", |entry| {
        fs::set_permissions(entry, Permissions::from_mode(0o644)).expect("ours");
    }),
    ("writable for others", |entry| {
        fs::set_permissions(entry, Permissions::from_mode(0o602)).expect("ours");
    }),
    ("oversized", |entry| {
        let mut text = fs::read(entry).expect("ours");
        text.resize(10 << 20, b' ');
        fs::write(entry, text).expect("ours");
    }),
];

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("ours");
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(path, text.replace(from, to)).expect("ours");
}

/// That a damaged entry is a miss, costs one call, and is whole again.
#[track_caller]
fn assert_is_replaced(what: &str, damage: impl Fn(&Path), is_told: bool) {
    let town = Town::start();
    let home = agent(&town);
    let token = token(&get(&home, &town));
    let entry = entry(&home);
    damage(&entry);
    let ran = get(&home, &town);
    assert_eq!((ran.code, &*ran.stdout), (0, &*credential(&token)), "{what}\n{ran:?}");
    if is_told {
        assert_warns(&ran, &["warning: ", "[cache-unusable]", &*entry.to_string_lossy()]);
    } else {
        assert_eq!(ran.stderr, "", "{what}");
    }
    assert_eq!(calls(&town), (2, 0), "{what} is a miss");
    assert!(fs::symlink_metadata(&entry).expect("there").is_file(), "{what}");
    assert_eq!(mode(&entry), 0o600, "{what}");
    assert_silently(&get(&home, &town), &credential(&token));
    assert_eq!(calls(&town), (2, 0), "{what} is replaced");
}

#[test]
fn a_damaged_entry_is_a_miss_and_is_replaced() {
    for (what, damage) in ACCIDENTS {
        assert_is_replaced(what, damage, false);
    }
}

#[test]
fn a_suspicious_entry_is_a_miss_and_is_replaced_with_a_warning() {
    for (what, damage) in SUSPECTS {
        assert_is_replaced(what, damage, true);
    }
}

#[test]
fn another_users_entry_is_a_miss_and_is_replaced_with_a_warning() {
    if !geteuid().is_root() {
        // Nobody else can give a file away, so nobody else can make one.
        crate::town::skip("only root can make a file that belongs to somebody else");
        return;
    }
    let give_away = |entry: &Path| chown(entry, Some(65_534), None).expect("root may");
    assert_is_replaced("another user's", give_away, true);
}

#[test]
fn a_directory_in_place_of_an_entry_costs_calls_and_warnings_but_no_answer() {
    let town = Town::start();
    let home = agent(&town);
    let token = token(&get(&home, &town));
    let entry = entry(&home);
    fs::remove_file(&entry).and_then(|()| fs::create_dir(&entry)).expect("ours");
    fs::write(entry.join("precious"), "").expect("ours");
    let ran = get(&home, &town);
    assert_eq!((ran.code, &*ran.stdout), (0, &*credential(&token)), "{ran:?}");
    assert!(ran.stderr.contains("[cache-unusable]"), "{ran:?}");
    assert!(entry.join("precious").exists());
    assert_eq!(calls(&town), (2, 0));
}

#[test]
fn a_link_in_place_of_an_entry_is_not_written_through() {
    let town = Town::start();
    let home = agent(&town);
    get(&home, &town).assert_ok();
    let (entry, victim) = (entry(&home), home.path().join("victim"));
    fs::write(&victim, "precious").expect("the home is writable");
    fs::remove_file(&entry).and_then(|()| symlink(&victim, &entry)).expect("ours");
    token(&get(&home, &town));
    assert_eq!(fs::read_to_string(&victim).expect("there"), "precious");
}
