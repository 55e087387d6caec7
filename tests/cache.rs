//! What the cache keeps, and for whom: each API URL, town, rig and host apart, private from the
//! first byte on, one small file each and nothing else beside it. What is not certainly ours is a
//! miss, and is replaced: see `faults/disk.rs` and `faults/strangers.rs`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

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
        let trace = home.path().join("trace");
        shell.args(["-c", &format!("umask {umask}; exec {HELPER} get")]);
        shell.env("GASTOWN_TRACE", &trace);
        let ran = Ran::run(shell, request(&town).as_bytes());
        assert_silently(&ran, &credential(&town.worker.token_for(RIG)));
        assert_silently(&get(&home, &town), &ran.stdout);
        assert_eq!(calls(&town).0, 1, "umask {umask}");
        assert_eq!(mode(&home.cache()), 0o700, "umask {umask}");
        let files = home.cache_files();
        assert_eq!(mode(&trace) & 0o7177, 0, "umask {umask}");
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
