//! One change is one rename, whoever else is at it and whenever it is killed.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::*;
use crate::scene::{HOUR, can_inject};
use crate::town::home::make_older;

const MINE: &str = "[user]\n\tname = x\n[credential]\n\thelper = cache\n";

fn start(scene: &Scene, arguments: &[&str]) -> Child {
    let mut setup = scene.command(&[&["setup"], arguments].concat());
    setup.stdout(Stdio::piped()).stderr(Stdio::piped());
    setup.spawn().expect("it starts")
}

/// Asserts that all of them succeed.
#[track_caller]
fn all_succeed(setups: impl IntoIterator<Item = Child>) {
    for setup in setups {
        let output = setup.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
    }
}

/// Nothing but what belongs in the home: no lock, no copy.
#[track_caller]
fn assert_nothing_remains(scene: &Scene) {
    let is_left = |path: &PathBuf| {
        let path = path.to_string_lossy();
        path.contains(".gastown-setup-") || path.ends_with(".lock") || path.ends_with(".new")
    };
    let paths = scene.snapshot().into_iter().map(|(path, _)| path);
    assert_eq!(paths.filter(is_left).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn setups_at_once_configure_git_once_and_can_be_undone() {
    for scene in Scene::each_git_alone() {
        let alike = vec![vec![]; 16];
        let differ =
            ["a", "b", "c", "d", "e", "f", "g", "h"].map(|rig| vec!["--rig", rig]).to_vec();
        for round in [&alike, &alike, &differ] {
            scene.write(".gitconfig", MINE);
            all_succeed(round.iter().map(|flags| start(&scene, flags)).collect::<Vec<_>>());
            assert_eq!(scene.helpers(&["--global"]).len(), 2, "{}", scene.read(".gitconfig"));
            assert!(
                round == &differ || scene.read(".gitconfig") == MINE.to_owned() + &scene.added()
            );
            assert_nothing_remains(&scene);
            scene.setup(&["--undo"]).assert_ok();
            assert_eq!(scene.read(".gitconfig"), MINE);
        }
    }
}

#[test]
fn setups_without_notes_take_care_of_each_other_through_gits_lock_alone() {
    let mut scene = Scene::alone();
    scene.write("config", MINE);
    scene.home.set("XDG_CONFIG_HOME", "/proc");
    all_succeed((0..8).map(|_| start(&scene, &["--file", "config"])).collect::<Vec<_>>());
}

/// A lock on the directory needs no more than the right to open it.
#[test]
fn a_lock_that_somebody_keeps_on_the_directory_is_passed_by() {
    let scene = Scene::alone();
    scene.write(".gitconfig", MINE);
    let home = File::open(scene.path("")).expect("it is there");
    rustix::fs::flock(&home, rustix::fs::FlockOperation::LockExclusive).expect("nobody has it");
    scene.setup(&[]).assert_ok();
    assert_eq!(scene.read(".gitconfig"), MINE.to_owned() + &scene.added());
}

#[test]
fn git_config_at_the_same_time_loses_nothing() {
    let scene = Scene::alone();
    scene.write(".gitconfig", MINE);
    let setups: Vec<_> = (0..6).map(|_| start(&scene, &[])).collect();
    let write = |number| {
        let key = format!("mine.number{number}");
        scene.home.git(&["config", "--global", &key, "x"]).code == 0
    };
    let written = (0..60).filter(|number| write(*number)).count();
    all_succeed(setups);
    let listed = scene.home.git(&["config", "--global", "--get-regexp", "mine"]);
    assert_eq!(listed.stdout.lines().count(), written);
    assert_eq!(scene.helpers(&["--global"]), ["", &*scene.line()]);
}

/// The system calls that change something, and the one between taking the lock and publishing. A
/// kill at any other call is as good as one at the next of these.
const CALLS: [&str; 13] = [
    "openat",
    "?mkdir,?mkdirat",
    "?link,?linkat",
    "?rename,?renameat,?renameat2",
    "?unlink,?unlinkat,?rmdir",
    "?fchmod,?fchmodat",
    "?fchown,?fchownat",
    "?fsync",
    "flock",
    "?newfstatat,?statx",
    "write",
    "fchdir",
    "?clone,?clone3,?vfork",
];

/// Runs setup and kills it at the n-th of these calls; whether it came that far.
fn killed_at(scene: &Scene, calls: &str, number: usize, arguments: &[&str]) -> bool {
    let arguments = [&["setup"], arguments].concat();
    let mut setup = scene.home.with_fault(calls, &format!("signal=KILL:when={number}"), &arguments);
    let status = setup.output().expect("strace runs").status;
    let killed = status.signal() == Some(9) || status.code() == Some(128 + 9);
    assert!(killed || status.success(), "{calls} {number}: {status:?}");
    killed
}

/// Has setup killed at each of these calls in turn, each time in a new scene that `prepare` makes,
/// until it is not killed any more, and has what is left checked. Returns how often it was killed.
fn kill_at(
    calls: &[&str],
    arguments: &[&str],
    prepare: impl Fn(&Scene),
    check: impl Fn(&Scene),
) -> usize {
    let is_killed_at = |calls: &str, number| {
        let scene = Scene::alone();
        prepare(&scene);
        let is_killed = killed_at(&scene, calls, number, arguments);
        check(&scene);
        assert_nothing_remains(&scene);
        is_killed
    };
    let count = |calls: &&str| (1..).take_while(|number| is_killed_at(calls, *number)).count();
    if can_inject() { calls.iter().map(count).sum() } else { usize::MAX }
}

/// Asserts that git reads its configuration, and that the file is one of these two.
fn assert_whole(scene: &Scene) {
    let text = scene.read(".gitconfig");
    assert!(text == MINE || text == MINE.to_owned() + &scene.added(), "{text}");
    assert_eq!(scene.home.git(&["config", "--global", "user.name"]).stdout, "x\n");
}

#[test]
fn setup_killed_at_any_system_call_leaves_the_old_file_or_the_new_one() {
    let prepare = |scene: &Scene| drop(scene.write(".gitconfig", MINE));
    let locks = Cell::new(0);
    let kills = kill_at(&CALLS, &[], prepare, |scene| {
        assert_whole(scene);
        // Its lock is removed by undo, too.
        if scene.path(".gitconfig.lock").exists() {
            locks.set(locks.get() + 1);
            scene.setup(&["--undo"]).assert_ok();
        }
        let again = scene.setup(&[]);
        again.assert_ok();
        assert_eq!(scene.read(".gitconfig"), MINE.to_owned() + &scene.added());
        scene.home.git(&["config", "--global", "user.email", "x"]).assert_ok();
        scene.home.git(&["config", "--global", "--unset", "user.email"]).assert_ok();
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(scene.read(".gitconfig"), MINE, "{again:?}");
    });
    assert!(kills > 20 && (kills == usize::MAX || locks.get() > 0), "{kills}, {locks:?}");
}

#[test]
fn undo_killed_at_any_system_call_leaves_the_old_file_or_the_new_one() {
    let prepare = |scene: &Scene| {
        scene.write(".gitconfig", MINE);
        scene.setup(&[]).assert_ok();
    };
    let kills = kill_at(&CALLS, &["--undo"], prepare, |scene| {
        assert_whole(scene);
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(scene.read(".gitconfig"), MINE);
    });
    assert!(kills > 20, "{kills}");
}

#[test]
fn migration_killed_while_it_writes_leaves_the_old_file_or_the_new_one() {
    let config = "rigs/one/.git/config";
    let after = "[remote \"origin\"]\n\turl = https://git.example/a.git\n";
    let before = after.replace("//", "//x:ghs_sentinel@") + "[credential]\n\thelper = store\n";
    let prepare = |scene: &Scene| {
        scene.repository("rigs/one", &[]);
        scene.write(config, scene.read(config) + &before);
    };
    let calls = ["?link,?linkat", "?rename,?renameat,?renameat2", "?unlink,?unlinkat,?rmdir"];
    let kills = kill_at(&calls, &["--migrate", "rigs"], prepare, |scene| {
        let text = scene.read(config);
        assert!(text.ends_with(&before) || text.ends_with(after), "{text}");
        scene.setup(&["--migrate", "rigs"]).assert_ok();
        assert!(scene.read(config).ends_with(after));
        scene.setup(&["--undo", "--migrate", "rigs"]).assert_ok();
        assert!(scene.read(config).ends_with(&before.replace("x:ghs_sentinel@", "")));
    });
    assert!(kills > 5, "{kills}");
}

#[test]
fn held_lock_is_named_with_its_age_and_waited_for_a_little() {
    let scene = Scene::alone();
    scene.write(".gitconfig", MINE);
    scene.write(".gitconfig.lock", "");
    make_older(&scene.path(".gitconfig.lock"), 3 * HOUR);
    let refused = scene.setup(&[]);
    for words in [".gitconfig.lock", "3 h", "[setup-failed]", "rm "] {
        refused.assert_fails().mentions(words);
    }
    refused.within(..Duration::from_secs(10));
    assert_eq!(scene.read(".gitconfig"), MINE);
    assert!(scene.path(".gitconfig.lock").exists(), "it is not ours");

    let setup = start(&scene, &[]);
    std::thread::sleep(Duration::from_millis(500));
    fs::remove_file(scene.path(".gitconfig.lock")).unwrap();
    all_succeed([setup]);
    assert_nothing_remains(&scene);
}

#[test]
fn full_disk_changes_nothing() {
    let scene = Scene::alone();
    scene.write("before", MINE);
    if !can_mount() {
        return;
    }
    let ran = scene.mounting_shell(
        "mkdir small; mount -t tmpfs -o size=64k none small; cp before small/config
        head -c 1M /dev/zero >small/filling || true
        \"$HELPER\" setup --file small/config && exit 9
        cat small/config; ls -A small
        rm small/filling; \"$HELPER\" setup --file small/config",
    );
    ran.assert_ok().tells(&format!("{MINE}config\nfilling\n"));
    ran.mentions("free some space").mentions("[setup-failed]");
}

#[test]
fn what_a_killed_setup_left_is_removed_and_that_of_a_running_one_is_not() {
    let scene = Scene::alone();
    let left = scene.path(".gastown-setup-0123456789abcdef-.gitconfig");
    scene.write(left.join("config"), MINE);
    set_mode(&left, 0o700);
    // A running setup has a lock on the directory that holds the file.
    let running = File::open(scene.path("")).unwrap();
    running.lock().unwrap();
    let setup = start(&scene, &[]);
    std::thread::sleep(Duration::from_millis(500));
    assert!(left.join("config").exists());
    drop(running);
    all_succeed([setup]);
    assert!(!left.exists());
    assert_eq!(scene.read(".gitconfig"), scene.added());
}
