//! No path is followed twice, and `--migrate` stays inside the directory that it was given.

use std::os::unix::fs::{MetadataExt as _, chown, lchown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::*;

const STORE: &str = "[credential]\n\thelper = store\n";

fn old_configuration() -> String {
    format!("[remote \"origin\"]\n\turl = {TOKEN_URL}\n{STORE}")
}

#[test]
fn root_refuses_repositories_of_other_users_unless_told() {
    if !is_root() {
        return;
    }
    let mut scene = Scene::alone();
    let config = scene.old_repository("rigs/one");
    give_away(&scene.path("rigs"));
    let refused = scene.setup(&["--migrate", "rigs"]);
    refused.assert_fails().tells(&format!("belongs to user {NOBODY}")).tells("--any-owner");
    assert!(!is_clear(&config));

    scene.home.set("SUDO_UID", NOBODY.to_string());
    let advice = "run: git credential-gastown setup --system";
    scene.setup(&["--migrate", "rigs"]).assert_ok().tells(advice);
    assert!(is_clear(&config));
    let owner = fs::metadata(&config).unwrap();
    assert_eq!((owner.uid(), owner.gid()), (NOBODY, NOBODY));

    scene.home.unset("SUDO_UID");
    let config = scene.old_repository("rigs/two");
    give_away(&scene.path("rigs"));
    scene.setup(&["--migrate", "rigs", "--any-owner"]).assert_ok();
    assert!(is_clear(&config));
    assert_eq!(fs::metadata(&config).unwrap().uid(), NOBODY);
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
    let scene = Scene::alone();
    scene.setup(&[]).assert_ok();
    fs::create_dir(scene.path("victim")).unwrap();
    let text = old_configuration();
    for name in ["victim/config", "victim/HEAD"] {
        scene.write(name, &text);
    }
    let before = fs::metadata(scene.path("victim/config")).unwrap();
    for round in 0..8 {
        let directory = format!("rigs/{round}");
        let config = scene.old_repository(&directory);
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
    let scene = Scene::alone();
    fs::create_dir(scene.path("theirs")).unwrap();
    give_away(&scene.path("theirs"));
    for (file, code) in [("theirs/config", 1), ("config", 0)] {
        let script = format!("umount -l /proc && exec {HELPER} setup --file {file}");
        let ran = scene.home.run("unshare", &["--mount", "sh", "-c", &script], "");
        if ran.stderr.contains("umount: ") || ran.stderr.contains("unshare: ") {
            crate::town::skip("nothing can be unmounted");
            return;
        }
        assert_eq!((ran.code, scene.path(file).exists()), (code, code == 0), "{ran:?}");
        assert_eq!(ran.stderr.contains("/proc is not mounted"), code == 1, "{ran:?}");
    }
}

/// Asserts that migrating in `top` changes none of these files.
#[track_caller]
fn leads_nowhere(scene: &Scene, top: &str, files: &[&str]) -> Ran {
    let read = || files.iter().map(|file| scene.read(file)).collect::<Vec<_>>();
    let before = read();
    let ran = scene.setup(&["--migrate", top]);
    ran.tells("changed 0").never_tells("rm ");
    assert_eq!(read(), before, "{ran:?}");
    ran
}

#[test]
fn tracked_files_that_look_like_a_repository_lead_nowhere() {
    for scene in Scene::each_git_alone() {
        scene.setup(&[]).assert_ok();
        scene.old_repository("outside");
        scene.write(".gitconfig", &(scene.read(".gitconfig") + STORE));
        scene.setup(&[]).assert_ok();
        scene.write("config", old_configuration());
        let looks_like = |directory: &str, common: &str| {
            fs::create_dir_all(scene.path(directory)).unwrap();
            scene.write(format!("{directory}/HEAD"), "ref: refs/heads/main\n");
            scene.write(format!("{directory}/commondir"), common);
        };
        for target in ["../../..", "../../../outside/.git"] {
            looks_like("rigs/clone/x", target);
            looks_like("rigs/clone/worktrees/y", target);
            leads_nowhere(&scene, "rigs", &["outside/.git/config", "config", ".gitconfig"]);
        }
        // A repository above the directory.
        scene.home.git(&["init", "--quiet", "--bare", "above"]).assert_ok();
        scene.home.git_in("above", &["remote", "add", "origin", TOKEN_URL]).assert_ok();
        for (directory, top) in
            [("above/clone/x", "above/clone"), ("above/worktrees/clone", "above/worktrees/clone")]
        {
            scene.home.git(&["init", "--quiet", top]).assert_ok();
            looks_like(directory, "../..\n");
            leads_nowhere(&scene, top, &["above/config"]);
        }
    }
}

#[test]
fn a_git_directory_is_followed_only_if_it_names_the_worktree_back() {
    let scene = Scene::alone();
    let outside = scene.old_repository("outside");
    fs::create_dir_all(scene.path("rigs/clone")).unwrap();
    let git = scene.path("outside/.git");
    scene.write("rigs/clone/.git", format!("gitdir: {}\n", git.display()));
    symlink(scene.path("outside"), scene.path("rigs/link")).unwrap();
    let config = scene.old_repository("rigs/one");
    fs::remove_file(&config).unwrap();
    symlink(&outside, &config).unwrap();
    let ran = leads_nowhere(&scene, "rigs", &["outside/.git/config"]);
    ran.assert_fails().tells("is not named back by").tells("is a link, which is not");
    assert!(config.is_symlink());
}

#[test]
fn file_of_another_user_with_a_second_name_is_left_alone() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone();
    let config = scene.old_repository("rigs/one");
    give_away(&scene.path("rigs"));
    fs::hard_link(&config, scene.path("second")).unwrap();
    let before = scene.read("second");
    scene.setup(&["--migrate", "rigs", "--any-owner"]).assert_fails().tells("other names");
    assert_eq!(scene.read("second"), before);
}

#[test]
fn directory_in_a_repository_means_that_repository() {
    for scene in Scene::each_git_alone() {
        let config = scene.old_repository("one");
        fs::create_dir_all(scene.path("one/a/b")).unwrap();
        scene.setup(&["--migrate", "one/a/b"]).assert_ok();
        assert!(is_clear(&config));

        let config = scene.old_repository("two");
        scene.home.commit("two", "file", b"x");
        scene.setup_in("two/.git/refs", &["--migrate", "."]).assert_ok();
        assert!(is_clear(&config));
    }
}

#[test]
fn worktree_and_submodule_alone_reach_their_own_repository() {
    for scene in Scene::each_git_alone() {
        let config = scene.old_repository("one");
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
        let store = ["config", "credential.helper", "store"];
        scene.home.git_in("super/inner", &store).assert_ok();
        scene.setup(&["--migrate", "super/inner"]).assert_ok();
        assert!(is_clear(&scene.path("super/.git/modules/inner/config")));
    }
}

#[test]
fn pipes_cost_no_time() {
    let scene = Scene::alone();
    scene.setup(&[]).assert_ok();
    for name in ["one", "two", "three"] {
        scene.old_repository(&format!("rigs/{name}"));
    }
    let script = "mkfifo pipe rigs/one/.git/pipe rigs/two/.git/pipe
        git -C rigs/one config include.path pipe && git -C rigs/two config include.path pipe
        rm rigs/three/.git/config && mkfifo rigs/three/.git/config";
    scene.paste(script).assert_ok();
    let ran = scene.setup(&["--migrate", "rigs"]);
    ran.assert_fails().within(..Duration::from_secs(5));
    assert_eq!(ran.stdout.matches("not a regular file").count(), 3, "{ran:?}");

    scene.write(".gitconfig", "[include]\n\tpath = pipe\n");
    let ran = scene.setup(&[]);
    ran.assert_fails().mentions("not a regular file").within(..Duration::from_secs(5));
}

#[test]
fn root_follows_no_link_of_another_user_to_a_third_users_file() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone();
    scene.write("victim", "[user]\n\tname = x\n");
    symlink("victim", scene.path(".gitconfig")).unwrap();
    lchown(scene.path(".gitconfig"), Some(NOBODY), Some(NOBODY)).unwrap();
    scene.setup(&[]).assert_fails().mentions(&format!("link of user {NOBODY}"));
    assert_eq!(scene.read("victim"), "[user]\n\tname = x\n");

    let theirs = Some(NOBODY);
    for path in [scene.path("victim"), scene.path("")] {
        chown(path, theirs, theirs).unwrap();
    }
    scene.setup(&[]).assert_ok();
    assert!(scene.read("victim").contains(HELPER));
    assert_eq!(fs::metadata(scene.path("victim")).unwrap().uid(), NOBODY);
}

#[test]
fn root_follows_no_link_of_a_user_to_a_link_of_another() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone();
    fs::create_dir(scene.path("theirs")).unwrap();
    scene.write("theirs/file", "");
    symlink("file", scene.path("theirs/link")).unwrap();
    give_away(&scene.path("theirs"));
    scene.setup(&["--file", "theirs/link"]).assert_ok();

    scene.write("theirs/file", "");
    symlink("theirs/link", scene.path("link")).unwrap();
    let third = Some(NOBODY + 1);
    lchown(scene.path("link"), third, third).unwrap();
    scene.setup(&["--file", "link"]).assert_fails().mentions("links of several users");
    assert_eq!(scene.read("theirs/file"), "");
}

#[test]
fn root_makes_no_directory_in_the_home_of_another_user() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone();
    give_away(&scene.path(""));
    scene.setup(&[]).assert_ok().mentions("belongs to another user");
    assert!(!scene.path(".config").exists());
    assert_eq!(fs::metadata(scene.path(".gitconfig")).unwrap().uid(), NOBODY);
    scene.setup(&["--undo"]).assert_ok();
    assert!(!scene.read(".gitconfig").contains("helper"));
}

#[test]
fn whatever_the_umask_git_can_read_what_was_written() {
    for mask in ["0777", "0177", "0277", "0077", "0022"] {
        let scene = Scene::alone();
        let script = format!("umask {mask}; exec \"$0\" setup");
        scene.home.run("sh", &["-c", &script, HELPER], "").assert_ok();
        let expected = if mask == "0022" { 0o644 } else { 0o600 };
        assert_eq!(mode(scene.path(".gitconfig")), expected, "umask {mask}");
        scene.setup(&["--undo"]).assert_ok();
        assert!(!scene.path(".gitconfig").exists());
    }
}

#[test]
fn repository_behind_a_link_is_left_and_named_with_the_command_for_it() {
    let scene = Scene::alone();
    let config = scene.old_repository("real");
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
