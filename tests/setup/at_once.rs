//! One change is one rename, whoever else is at it and whenever it is killed.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use super::*;

const MINE: &str = "[user]\n\tname = x\n[credential]\n\thelper = cache\n";

fn start(scene: &Scene, arguments: &[&str]) -> Child {
    let mut setup = scene.home.command(HELPER);
    setup.arg("setup").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    setup.spawn().expect("it starts")
}

/// Nothing but what belongs in the home: no lock, no copy.
fn remains(scene: &Scene) -> Vec<PathBuf> {
    let is_left = |path: &Path| {
        let path = path.to_string_lossy();
        path.contains(".gastown-setup-") || path.ends_with(".lock") || path.ends_with(".new")
    };
    scene.snapshot().into_iter().map(|(path, _)| path).filter(|path| is_left(path)).collect()
}

#[test]
fn sixteen_setups_at_once_configure_git_once_and_can_be_undone() {
    for git in Git::all() {
        for round in 0..3 {
            let scene = Scene::new(&git);
            scene.write(".gitconfig", MINE);
            let setups: Vec<_> = (0..16).map(|_| start(&scene, &[])).collect();
            for setup in setups {
                let output = setup.wait_with_output().expect("it ends");
                assert!(output.status.success(), "round {round}: {output:?}");
            }
            assert_eq!(scene.read(".gitconfig"), MINE.to_owned() + &scene.added());
            assert_eq!(remains(&scene), Vec::<PathBuf>::new());
            scene.setup(&["--undo"]).assert_ok();
            assert_eq!(scene.read(".gitconfig"), MINE);
        }
    }
}

#[test]
fn setups_without_notes_take_care_of_each_other_through_gits_lock_alone() {
    let mut scene = Scene::new(&Git::newest());
    scene.write("config", MINE);
    scene.home.set("XDG_CONFIG_HOME", "/proc");
    let setups: Vec<_> = (0..8).map(|_| start(&scene, &["--file", "config"])).collect();
    for setup in setups {
        let output = setup.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
    }
}

/// Whoever may open a directory may lock it.
#[test]
fn a_lock_that_somebody_keeps_on_the_directory_is_passed_by() {
    let scene = Scene::new(&Git::newest());
    scene.write(".gitconfig", MINE);
    let home = File::open(scene.path("")).expect("it is there");
    rustix::fs::flock(&home, rustix::fs::FlockOperation::LockExclusive).expect("nobody has it");
    scene.setup(&[]).assert_ok();
    assert_eq!(scene.read(".gitconfig"), MINE.to_owned() + &scene.added());
}

#[test]
fn setups_for_different_rigs_leave_one_line_and_can_be_undone() {
    let scene = Scene::new(&Git::newest());
    scene.write(".gitconfig", MINE);
    let rigs = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let setups: Vec<_> = rigs.iter().map(|rig| start(&scene, &["--rig", rig])).collect();
    for setup in setups {
        let output = setup.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(scene.helpers(&["--global"]).len(), 2, "{}", scene.read(".gitconfig"));
    scene.setup(&["--undo"]).assert_ok();
    assert_eq!(scene.read(".gitconfig"), MINE);
}

#[test]
fn git_config_at_the_same_time_loses_nothing() {
    let scene = Scene::new(&Git::newest());
    scene.write(".gitconfig", MINE);
    let setups: Vec<_> = (0..6).map(|_| start(&scene, &[])).collect();
    let mut written = 0;
    for number in 0..60 {
        let key = format!("mine.number{number}");
        written += i32::from(scene.home.git(&["config", "--global", &key, "x"]).code == 0);
    }
    for setup in setups {
        let output = setup.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
    }
    let listed = scene.home.git(&["config", "--global", "--get-regexp", "mine"]);
    assert_eq!(listed.stdout.lines().count(), usize::try_from(written).unwrap());
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
    let mut strace = scene.home.command("strace");
    let inject = format!("inject={calls}:signal=KILL:when={number}");
    strace.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &inject]);
    strace.arg(HELPER).arg("setup").args(arguments);
    let status = strace.output().expect("strace runs").status;
    let killed = status.signal() == Some(9) || status.code() == Some(128 + 9);
    assert!(killed || status.success(), "{calls} {number}: {status:?}");
    killed
}

/// Whether this machine can kill a process at a system call.
fn can_kill() -> bool {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let works = works.is_ok_and(|output| output.status.success());
    assert!(works || std::env::var_os("CI").is_none(), "strace is missing");
    works
}

/// Kills it at each call in turn. Afterwards git reads its configuration, the file is one of the
/// two, and what follows ends well.
fn kill_everywhere(arguments: &[&str], is_prepared: bool, follow: fn(&Scene)) {
    if !can_kill() {
        crate::town::skip("no strace");
        return;
    }
    let mut kills = 0;
    for calls in CALLS {
        for number in 1.. {
            let scene = Scene::alone(&Git::newest());
            scene.write(".gitconfig", MINE);
            if is_prepared {
                scene.setup(&[]).assert_ok();
            }
            let with_ours = MINE.to_owned() + &scene.added();
            let killed = killed_at(&scene, calls, number, arguments);
            let text = scene.read(".gitconfig");
            assert!(text == MINE || text == with_ours, "{calls} {number}: {text}");
            let name = scene.home.git(&["config", "--global", "user.name"]);
            assert_eq!(name.stdout, "x\n", "{calls} {number}");
            follow(&scene);
            assert_eq!(remains(&scene), Vec::<PathBuf>::new(), "{calls} {number}");
            if !killed {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 20, "only {kills} kills");
}

#[test]
fn setup_killed_at_any_system_call_leaves_the_old_file_or_the_new_one() {
    kill_everywhere(&[], false, |scene| {
        let again = scene.setup(&[]);
        again.assert_ok();
        assert_eq!(scene.read(".gitconfig"), MINE.to_owned() + &scene.added());
        scene.home.git(&["config", "--global", "user.email", "x"]).assert_ok();
        scene.home.git(&["config", "--global", "--unset", "user.email"]).assert_ok();
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(scene.read(".gitconfig"), MINE, "{again:?}");
    });
}

#[test]
fn lock_of_a_killed_setup_is_removed_by_undo_too() {
    if !can_kill() {
        crate::town::skip("no strace");
        return;
    }
    let mut locks = 0;
    for number in 1.. {
        let scene = Scene::alone(&Git::newest());
        let killed = killed_at(&scene, "?rename,?renameat,?renameat2", number, &[]);
        locks += usize::from(scene.path(".gitconfig.lock").exists());
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(scene.snapshot(), [], "{number}");
        if !killed {
            break;
        }
    }
    assert_eq!(locks, 1);
}

#[test]
fn undo_killed_at_any_system_call_leaves_the_old_file_or_the_new_one() {
    kill_everywhere(&["--undo"], true, |scene| {
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(scene.read(".gitconfig"), MINE);
    });
}

#[test]
fn migration_killed_while_it_writes_leaves_the_old_file_or_the_new_one() {
    if !can_kill() {
        crate::town::skip("no strace");
        return;
    }
    let config = "rigs/one/.git/config";
    let after = "[remote \"origin\"]\n\turl = https://git.example/a.git\n";
    let before = after.replace("//", "//x:ghs_sentinel@") + "[credential]\n\thelper = store\n";
    for calls in ["?link,?linkat", "?rename,?renameat,?renameat2", "?unlink,?unlinkat,?rmdir"] {
        for number in 1.. {
            let scene = Scene::alone(&Git::newest());
            scene.home.git(&["init", "--quiet", "rigs/one"]).assert_ok();
            let own = scene.read(config);
            scene.write(config, &(own.clone() + &before));
            let killed = killed_at(&scene, calls, number, &["--migrate", "rigs"]);
            let text = scene.read(config);
            assert!([&before, after].contains(&text.strip_prefix(&own).unwrap()), "{text}");
            scene.setup(&["--migrate", "rigs"]).assert_ok();
            assert_eq!(scene.read(config), own.clone() + after, "{calls} {number}");
            assert_eq!(remains(&scene), Vec::<PathBuf>::new(), "{calls} {number}");
            scene.setup(&["--undo", "--migrate", "rigs"]).assert_ok();
            assert_eq!(scene.read(config), own + &before.replace("x:ghs_sentinel@", ""));
            if !killed {
                break;
            }
        }
    }
}

#[test]
fn held_lock_is_named_with_its_age_and_waited_for_a_little() {
    let scene = Scene::new(&Git::newest());
    scene.write(".gitconfig", MINE);
    scene.write(".gitconfig.lock", "");
    let lock = fs::File::options().write(true).open(scene.path(".gitconfig.lock")).unwrap();
    lock.set_modified(SystemTime::now() - Duration::from_secs(3 * 3600)).unwrap();
    let refused = scene.setup(&[]);
    let stderr = &refused.assert_fails().stderr;
    assert!(stderr.contains(".gitconfig.lock") && stderr.contains("3 h"), "{refused:?}");
    assert!(stderr.contains("[setup-failed]") && stderr.contains("rm "), "{refused:?}");
    assert!(refused.took < Duration::from_secs(10), "{refused:?}");
    assert_eq!(scene.read(".gitconfig"), MINE);
    assert!(scene.path(".gitconfig.lock").exists(), "it is not ours");

    let setup = start(&scene, &[]);
    std::thread::sleep(Duration::from_millis(500));
    fs::remove_file(scene.path(".gitconfig.lock")).unwrap();
    assert!(setup.wait_with_output().expect("it ends").status.success());
    assert_eq!(remains(&scene), Vec::<PathBuf>::new());
}

#[test]
fn full_disk_changes_nothing() {
    let scene = Scene::new(&Git::newest());
    fs::create_dir(scene.path("small")).unwrap();
    let small = scene.path("small");
    let mount =
        |arguments: &[&str]| Command::new(arguments[0]).args(&arguments[1..]).arg(&small).output();
    let mounted = mount(&["mount", "-t", "tmpfs", "-o", "size=64k", "none"]);
    if !mounted.is_ok_and(|output| output.status.success()) {
        crate::town::skip("nothing can be mounted");
        return;
    }
    scene.write("small/config", MINE);
    let mut filler = Vec::new();
    while fs::write(scene.path(&format!("small/{}", filler.len())), [0; 4096]).is_ok() {
        filler.push(());
    }
    let refused = scene.setup(&["--file", "small/config"]);
    let text = scene.read("small/config");
    let left = remains(&scene);
    fs::remove_file(scene.path("small/0")).unwrap();
    fs::remove_file(scene.path("small/1")).unwrap();
    fs::remove_file(scene.path("small/2")).unwrap();
    let again = scene.setup(&["--file", "small/config"]);
    let _ = mount(&["umount"]);
    let stderr = &refused.assert_fails().stderr;
    assert!(stderr.contains("free some space") && stderr.contains("[setup-failed]"), "{refused:?}");
    assert_eq!(text, MINE);
    assert_eq!(left, Vec::<PathBuf>::new());
    again.assert_ok();
}

#[test]
fn what_a_killed_setup_left_is_removed_and_that_of_a_running_one_is_not() {
    let scene = Scene::alone(&Git::newest());
    let left = scene.path(".gastown-setup-0123456789abcdef-.gitconfig");
    fs::create_dir(&left).unwrap();
    fs::set_permissions(&left, Permissions::from_mode(0o700)).unwrap();
    fs::write(left.join("config"), MINE).unwrap();
    // A running setup has a lock on the directory that holds the file.
    let running = File::open(scene.path("")).unwrap();
    running.lock().unwrap();
    let setup = start(&scene, &[]);
    std::thread::sleep(Duration::from_millis(500));
    assert!(left.join("config").exists());
    drop(running);
    assert!(setup.wait_with_output().expect("it ends").status.success());
    assert!(!left.exists());
    assert_eq!(scene.read(".gitconfig"), scene.added());
}
