//! No path is followed twice, and `--migrate` stays inside the directory that it was given.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::geteuid;

use super::*;

const STRANGER: u32 = 4711;
const STORE: &str = "[credential]\n\thelper = store\n";

/// A repository with a token in its URL and a `store` helper.
fn repository(scene: &Scene, directory: &str) -> PathBuf {
    scene.home.git(&["init", "--quiet", directory]).assert_ok();
    let url = format!("https://x:ghs_sentinel@{}/a.git", host_name(scene));
    scene.home.git_in(directory, &["remote", "add", "origin", &url]).assert_ok();
    scene.home.git_in(directory, &["config", "credential.helper", "store"]).assert_ok();
    scene.path(directory).join(".git/config")
}

fn host_name(scene: &Scene) -> String {
    scene.host().split_once("://").expect("a URL").1.to_owned()
}

fn is_clear(config: &Path) -> bool {
    let text = fs::read_to_string(config).expect("a configuration");
    !text.contains("ghs_sentinel") && !text.contains("store")
}

fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        crate::town::skip("only root can give files away");
    }
    is_root
}

fn give_away(directory: &Path) {
    let owner = format!("{STRANGER}:{STRANGER}");
    let status = Command::new("chown").args(["-R", "-h", &owner]).arg(directory).status();
    assert!(status.expect("chown runs").success());
}

#[test]
fn root_refuses_repositories_of_other_users_unless_told() {
    if !is_root() {
        return;
    }
    let mut scene = Scene::alone(&Git::newest());
    let config = repository(&scene, "rigs/one");
    give_away(&scene.path("rigs"));
    let refused = scene.setup(&["--migrate", "rigs"]);
    assert!(refused.assert_fails().stdout.contains("belongs to user 4711"), "{refused:?}");
    assert!(refused.stdout.contains("--any-owner"), "{refused:?}");
    assert!(!is_clear(&config));

    scene.home.set("SUDO_UID", "4711");
    scene.setup(&["--migrate", "rigs"]).assert_ok();
    assert!(is_clear(&config));
    let owner = fs::metadata(&config).unwrap();
    assert_eq!((owner.uid(), owner.gid()), (STRANGER, STRANGER));

    scene.home.unset("SUDO_UID");
    let config = repository(&scene, "rigs/two");
    give_away(&scene.path("rigs"));
    scene.setup(&["--migrate", "rigs", "--any-owner"]).assert_ok();
    assert!(is_clear(&config));
    assert_eq!(fs::metadata(&config).unwrap().uid(), STRANGER);
}

/// Has the name of whatever setup makes in a directory lead elsewhere, and back, as fast as can be.
fn exchange_what_setup_makes(directory: &Path, target: &Path, done: &AtomicBool) {
    let link = directory.join("leads-elsewhere");
    let _ = symlink(target, &link);
    while !done.load(Ordering::Relaxed) {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let made = entries.map(|entry| entry.path());
        for path in made.filter(|path| path.to_string_lossy().contains(".gastown-setup-")) {
            while !done.load(Ordering::Relaxed)
                && renameat_with(CWD, &path, CWD, &link, RenameFlags::EXCHANGE).is_ok()
            {
            }
        }
    }
}

#[test]
fn root_changes_no_file_that_an_owner_swaps_in() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone(&Git::newest());
    scene.setup(&[]).assert_ok();
    fs::create_dir(scene.path("victim")).unwrap();
    let url = format!("https://x:ghs_victim@{}/a.git", host_name(&scene));
    let text = format!("[remote \"origin\"]\n\turl = {url}\n{STORE}");
    for name in ["victim/config", "victim/HEAD"] {
        scene.write(name, &text);
    }
    let before = fs::metadata(scene.path("victim/config")).unwrap();
    for round in 0..8 {
        let directory = format!("rigs/{round}");
        let config = repository(&scene, &directory);
        give_away(&scene.path("rigs"));
        let (git, done) = (scene.path(&directory).join(".git"), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                if round % 2 == 1 {
                    return exchange_what_setup_makes(&git, &scene.path("victim"), &done);
                }
                let aside = |path: &Path| path.with_extension("aside");
                for path in [&config, &git].into_iter().cycle() {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let target = if *path == config { "victim/config" } else { "victim" };
                    // Whatever of it fails, both are tried again.
                    let _ = fs::rename(path, aside(path));
                    let _ = symlink(scene.path(target), path);
                    std::thread::sleep(Duration::from_micros(300));
                    let _ = fs::remove_file(path);
                    let _ = fs::rename(aside(path), path);
                    std::thread::sleep(Duration::from_micros(300));
                }
            });
            for _ in 0..4 {
                scene.setup(&["--migrate", "rigs", "--any-owner"]);
            }
            done.store(true, Ordering::Relaxed);
        });
        let after = fs::metadata(scene.path("victim/config")).unwrap();
        assert_eq!(scene.read("victim/config"), text, "{round}");
        assert_eq!((after.uid(), after.ino()), (before.uid(), before.ino()), "{round}");
        let names: Vec<_> = fs::read_dir(scene.path("victim")).unwrap().collect();
        assert_eq!(names.len(), 2, "nothing was made there: {names:?}");
        // Their own file may be a link to another by now.
        if !config.is_symlink() {
            scene.setup(&["--migrate", &directory, "--any-owner"]).assert_ok();
            assert!(is_clear(&config), "{round}");
        }
    }
}

#[test]
fn without_proc_root_changes_only_files_that_nobody_else_can_move() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone(&Git::newest());
    fs::create_dir(scene.path("theirs")).unwrap();
    give_away(&scene.path("theirs"));
    for (file, code) in [("theirs/config", 1), ("config", 0)] {
        let mut unshare = scene.home.command("unshare");
        let script = format!("umount -l /proc && exec {HELPER} setup --file {file}");
        unshare.args(["--mount", "sh", "-c", &script]);
        let ran = Ran::run(unshare, b"");
        if ran.stderr.contains("umount: ") || ran.stderr.contains("unshare: ") {
            crate::town::skip("nothing can be unmounted");
            return;
        }
        assert_eq!((ran.code, scene.path(file).exists()), (code, code == 0), "{ran:?}");
        assert_eq!(ran.stderr.contains("/proc is not mounted"), code == 1, "{ran:?}");
    }
}

#[test]
fn tracked_files_that_look_like_a_repository_lead_nowhere() {
    for git in Git::all() {
        let scene = Scene::alone(&git);
        scene.setup(&[]).assert_ok();
        repository(&scene, "outside");
        scene.write(".gitconfig", &(scene.read(".gitconfig") + STORE));
        scene.setup(&[]).assert_ok();
        let url = format!("https://x:ghs_sentinel@{}/a.git", host_name(&scene));
        scene.write("config", &format!("[remote \"origin\"]\n\turl = {url}\n{STORE}"));
        fs::create_dir_all(scene.path("rigs/clone/x")).unwrap();
        fs::create_dir_all(scene.path("rigs/clone/worktrees/y")).unwrap();
        scene.write("id_ed25519", "a key");
        let before: Vec<_> =
            ["outside/.git/config", "config", ".gitconfig"].map(|name| scene.read(name)).into();
        for (directory, target) in [("x", "../../.."), ("x", "../../../outside/.git")] {
            for directory in [directory, "worktrees/y"] {
                scene.write(&format!("rigs/clone/{directory}/HEAD"), "ref: refs/heads/main\n");
                scene.write(&format!("rigs/clone/{directory}/commondir"), target);
            }
            let ran = scene.setup(&["--migrate", "rigs"]);
            assert!(ran.stdout.contains("changed 0") && !ran.stdout.contains("rm "), "{ran:?}");
            let after: Vec<_> =
                ["outside/.git/config", "config", ".gitconfig"].map(|name| scene.read(name)).into();
            assert_eq!(after, before);
        }
    }
}

#[test]
fn tracked_files_do_not_lead_to_a_repository_above_the_directory() {
    for directory in ["above/clone/x", "above/worktrees/clone"] {
        let scene = Scene::alone(&Git::newest());
        scene.home.git(&["init", "--quiet", "--bare", "above"]).assert_ok();
        let url = format!("https://x:ghs_sentinel@{}/a.git", host_name(&scene));
        scene.home.git_in("above", &["remote", "add", "origin", &url]).assert_ok();
        let top = directory.strip_suffix("/x").unwrap_or(directory);
        scene.home.git(&["init", "--quiet", top]).assert_ok();
        fs::create_dir_all(scene.path(directory)).unwrap();
        scene.write(&format!("{directory}/HEAD"), "ref: refs/heads/main\n");
        scene.write(&format!("{directory}/commondir"), "../..\n");
        let ran = scene.setup(&["--migrate", top]);
        assert!(ran.stdout.contains("changed 0"), "{ran:?}");
        assert!(scene.read("above/config").contains("ghs_sentinel"), "{ran:?}");
    }
}

#[test]
fn worktree_and_submodule_files_that_are_not_named_back_lead_nowhere() {
    let scene = Scene::alone(&Git::newest());
    let outside = repository(&scene, "outside");
    let before = fs::read_to_string(&outside).unwrap();
    fs::create_dir_all(scene.path("rigs/clone")).unwrap();
    let git = scene.path("outside/.git");
    scene.write("rigs/clone/.git", &format!("gitdir: {}\n", git.display()));
    let ran = scene.setup(&["--migrate", "rigs"]);
    assert!(ran.assert_fails().stdout.contains("is not named back by"), "{ran:?}");
    assert_eq!(fs::read_to_string(&outside).unwrap(), before);
}

#[test]
fn link_in_the_place_of_a_configuration_file_is_not_followed() {
    let scene = Scene::alone(&Git::newest());
    let config = repository(&scene, "rigs/one");
    fs::rename(&config, scene.path("outside")).unwrap();
    symlink(scene.path("outside"), &config).unwrap();
    let before = scene.read("outside");
    scene.setup(&["--migrate", "rigs"]).assert_fails();
    assert_eq!(scene.read("outside"), before);
    assert!(config.is_symlink());
}

#[test]
fn file_of_another_user_with_a_second_name_is_left_alone() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone(&Git::newest());
    let config = repository(&scene, "rigs/one");
    give_away(&scene.path("rigs"));
    fs::hard_link(&config, scene.path("second")).unwrap();
    let before = scene.read("second");
    let refused = scene.setup(&["--migrate", "rigs", "--any-owner"]);
    assert!(refused.assert_fails().stdout.contains("other names"), "{refused:?}");
    assert_eq!(scene.read("second"), before);
}

#[test]
fn directory_in_a_repository_means_that_repository() {
    for git in Git::all() {
        let scene = Scene::alone(&git);
        let config = repository(&scene, "one");
        fs::create_dir_all(scene.path("one/a/b")).unwrap();
        scene.setup(&["--migrate", "one/a/b"]).assert_ok();
        assert!(is_clear(&config));

        let config = repository(&scene, "two");
        scene.home.commit("two", "file", b"x");
        let mut setup = scene.home.command(HELPER);
        setup.args(["setup", "--migrate", "."]).current_dir(scene.path("two/.git/refs"));
        Ran::run(setup, b"").assert_ok();
        assert!(is_clear(&config));
    }
}

#[test]
fn worktree_and_submodule_alone_reach_their_own_repository() {
    for git in Git::all() {
        let scene = Scene::alone(&git);
        let config = repository(&scene, "one");
        scene.home.commit("one", "file", b"x");
        let add = ["worktree", "add", "--quiet", "../tree"];
        scene.home.git_in("one", &add).assert_ok();
        scene.setup(&["--migrate", "tree"]).assert_ok();
        assert!(is_clear(&config));

        scene.home.git(&["init", "--quiet", "super"]).assert_ok();
        let one = scene.path("one");
        let add = ["-c", "protocol.file.allow=always", "submodule", "add", "--quiet"];
        let add = [&add[..], &[one.to_str().unwrap(), "inner"]].concat();
        scene.home.git_in("super", &add).assert_ok();
        let in_inner = |words: &[&str]| {
            scene.home.git_in("super/inner", words).assert_ok();
        };
        in_inner(&["config", "credential.helper", "store"]);
        scene.setup(&["--migrate", "super/inner"]).assert_ok();
        assert!(is_clear(&scene.path("super/.git/modules/inner/config")));
    }
}

#[test]
fn pipes_cost_no_time() {
    let scene = Scene::alone(&Git::newest());
    scene.setup(&[]).assert_ok();
    let pipe = |path: &str| {
        scene.paste(&format!("mkfifo {path}")).assert_ok();
    };
    for name in ["one", "two", "three"] {
        repository(&scene, &format!("rigs/{name}"));
        pipe(&format!("rigs/{name}/.git/pipe"));
        scene.home.git_in(format!("rigs/{name}"), &["config", "core.bare", "false"]).assert_ok();
    }
    for name in ["one", "two"] {
        let config = format!("rigs/{name}/.git/config");
        scene.write(&config, &(scene.read(&config) + "[include]\n\tpath = pipe\n"));
    }
    fs::remove_file(scene.path("rigs/three/.git/config")).unwrap();
    pipe("rigs/three/.git/config");
    let ran = scene.setup(&["--migrate", "rigs"]);
    assert_eq!(ran.assert_fails().stdout.matches("not a regular file").count(), 3, "{ran:?}");
    assert!(ran.took < Duration::from_secs(5), "{ran:?}");

    pipe("pipe");
    scene.write(".gitconfig", "[include]\n\tpath = pipe\n");
    let ran = scene.setup(&[]);
    assert!(ran.assert_fails().stderr.contains("not a regular file"), "{ran:?}");
    assert!(ran.took < Duration::from_secs(5), "{ran:?}");
}

#[test]
fn root_follows_no_link_of_another_user_to_a_third_users_file() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone(&Git::newest());
    scene.write("victim", "[user]\n\tname = x\n");
    symlink("victim", scene.path(".gitconfig")).unwrap();
    lchown(scene.path(".gitconfig"), Some(STRANGER), Some(STRANGER)).unwrap();
    let refused = scene.setup(&[]);
    assert!(refused.assert_fails().stderr.contains("link of user 4711"), "{refused:?}");
    assert_eq!(scene.read("victim"), "[user]\n\tname = x\n");

    let theirs = Some(STRANGER);
    for path in [scene.path("victim"), scene.path("")] {
        chown(path, theirs, theirs).unwrap();
    }
    scene.setup(&[]).assert_ok();
    assert!(scene.read("victim").contains(HELPER));
    assert_eq!(fs::metadata(scene.path("victim")).unwrap().uid(), STRANGER);
}

#[test]
fn root_makes_no_directory_in_the_home_of_another_user() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone(&Git::newest());
    give_away(&scene.path(""));
    let ran = scene.setup(&[]);
    assert!(ran.assert_ok().stderr.contains("belongs to another user"), "{ran:?}");
    assert!(!scene.path(".config").exists());
    assert_eq!(fs::metadata(scene.path(".gitconfig")).unwrap().uid(), STRANGER);
    scene.setup(&["--undo"]).assert_ok();
    assert!(!scene.read(".gitconfig").contains("helper"));
}

#[test]
fn whatever_the_umask_git_can_read_what_was_written() {
    for mask in ["0777", "0177", "0277", "0077", "0022"] {
        let scene = Scene::alone(&Git::newest());
        let mut shell = scene.home.command("sh");
        shell.args(["-c", &format!("umask {mask}; exec \"$0\" setup"), HELPER]);
        Ran::run(shell, b"").assert_ok();
        let mode = fs::metadata(scene.path(".gitconfig")).unwrap().permissions().mode() & 0o777;
        let expected = if mask == "0022" { 0o644 } else { 0o600 };
        assert_eq!(mode, expected, "umask {mask}");
        scene.setup(&["--undo"]).assert_ok();
        assert!(!scene.path(".gitconfig").exists());
    }
}

#[test]
fn repository_behind_a_link_is_left_and_named_with_the_command_for_it() {
    let scene = Scene::alone(&Git::newest());
    let config = repository(&scene, "real");
    fs::create_dir(scene.path("linked")).unwrap();
    symlink("../real/.git", scene.path("linked/.git")).unwrap();
    let ran = scene.setup(&["--migrate", scene.path("linked").to_str().unwrap()]);
    let line = ran.stdout.lines().find(|line| line.contains("is a link to")).expect("it is named");
    assert!(ran.code == 1 && line.starts_with("FAILED"), "{ran:?}");
    assert!(!is_clear(&config), "no link is followed");
    let (_, advice) = line.split_once("run: ").expect("a command");
    scene.paste(advice);
    assert!(is_clear(&config), "{ran:?}");
}
