//! Attacks on the files, the programs and the way to the worker.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::geteuid;

use super::scene::{HELPER, Outcome, Scene};
use crate::town::{Ran, Script, Town};

const HOUR: Duration = Duration::from_secs(3600);
/// Whoever this is, it is neither root nor us.
const NOBODY: u32 = 65_534;

/// Makes a file one that cannot be trusted.
type Spoil = fn(&Path);

/// An HTTP client that follows a redirect carries its credential along.
#[test]
fn ghsa_9857_6mw7_fq2m_a_worker_that_redirects() {
    let (scene, attacker) = (Scene::new(), Town::start());
    scene.home.age_cache(HOUR);
    for (count, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
        fs::remove_dir_all(scene.cache()).expect("the cache is ours");
        for to in [attacker.worker.url(), format!("//{}", attacker.github.host())] {
            let location = format!("{to}/api/towns/town-1/rigs/rig-1/refresh-git-token");
            let script = Script::status(status, &[("Location", &location)], "");
            scene.town.worker.answer_with(script);
        }
        let ran = scene.get().0;
        assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
        assert_eq!(scene.town.worker.calls().len(), count + 1, "once is enough");
    }
    assert_eq!(attacker.worker.calls().len(), 0);
    assert_eq!(attacker.github.requests().len(), 0);
}

/// A program of that name lies in the working directory, and `PATH` looks there first. What git
/// calls runs nothing at all; what a person calls looks for programs in absolute places only.
#[test]
fn cve_2022_24826_and_2021_21237_a_program_in_the_working_directory() {
    let mut scene = Scene::new();
    let here = scene.home.path();
    let marker = here.join("was-run");
    for name in ["git", "gh", "git-lfs", "sh", "ssh", "getent", "hostname", "git-credential-store"]
    {
        fs::write(here.join(name), format!("#!/bin/sh\ntouch {}\n", marker.display()))
            .expect("the home is ours");
        fs::set_permissions(here.join(name), Permissions::from_mode(0o755)).expect("ours");
    }
    for path in ["", ".", ":", "./:/usr/bin"] {
        scene.home.set("PATH", path);
        scene.home.age_cache(HOUR);
        for operation in ["get", "store", "erase", "capability", "future"] {
            scene.ask(operation, "protocol=http\nhost=HOST\npassword=ghs_other\n\n").0.assert_ok();
        }
        scene.ask("get", "protocol=https\nhost=evil.example\n\n").0.assert_ok();
        for command in ["doctor", "setup", "status", "gh"] {
            scene.ask(command, "");
        }
        scene.home.helper(&["doctor", "--offline"], "");
        scene.home.helper(&["setup", "--local", "--dry-run"], "");
    }
    assert!(!marker.exists());
}

/// A cache that others can read; under a umask that hides nothing.
#[test]
fn hive_h3_what_is_written_is_ours_alone() {
    let scene = Scene::new();
    fs::remove_dir_all(scene.cache()).expect("the cache is ours");
    let trace = scene.home.path().join("trace");
    let mut shell = scene.home.command("/bin/sh");
    shell.args(["-c", &format!("umask 000; exec {HELPER} get")]).env("GASTOWN_TRACE", &trace);
    let request = format!("protocol=http\nhost={}\n\n", scene.town.github.host());
    Ran::run(shell, request.as_bytes()).assert_ok();
    let mode = |path: &Path| fs::symlink_metadata(path).expect("there").mode() & 0o7777;
    assert_eq!(mode(&scene.cache()), 0o700);
    assert!(!scene.home.cache_files().is_empty());
    for path in scene.home.cache_files().iter().chain([&trace]) {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
}

/// What is in the place of a record is not used, and is told of.
#[test]
fn hive_h3_what_others_could_have_written_is_not_read() {
    let spoils: [(&str, Spoil); 6] = [
        ("readable for the group", |path| set_mode(path, 0o640)),
        ("writable for others", |path| set_mode(path, 0o602)),
        ("a link", |path| {
            fs::rename(path, path.with_extension("moved")).expect("ours");
            symlink(path.with_extension("moved"), path).expect("ours");
        }),
        ("a directory", |path| {
            fs::remove_file(path).expect("ours");
            fs::create_dir(path).expect("ours");
        }),
        ("a pipe", |path| {
            fs::remove_file(path).expect("ours");
            let made = Command::new("mkfifo").args(["-m", "600"]).arg(path).status();
            assert!(made.expect("mkfifo is everywhere").success());
        }),
        ("another user's", |path| {
            if chown(path, Some(NOBODY), None).is_err() {
                crate::town::skip("another user's file, because only root can give one away");
                set_mode(path, 0o640);
            }
        }),
    ];
    for (what, spoil) in spoils {
        let scene = Scene::new();
        let is_entry = |path: &&PathBuf| path.to_string_lossy().ends_with(".token.json");
        let files = scene.home.cache_files();
        spoil(files.iter().find(is_entry).expect("an entry"));
        let answer = scene.get();
        assert!(answer.password().is_some(), "{what}: {:?}", answer.0);
        assert!(answer.0.stderr.contains("[cache-unusable]"), "{what}: {:?}", answer.0);
        assert_eq!(scene.town.worker.git_token_calls(), 1, "{what}: it was used");
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

/// The lock file is truncated: it must not be another name of something that is needed.
#[test]
fn a_lock_file_that_is_something_else_is_left_alone() {
    for is_link in [true, false] {
        let scene = Scene::new();
        let precious = scene.home.path().join("precious");
        fs::write(&precious, "content").expect("the home is ours");
        let files = scene.home.cache_files();
        let is_lock = |path: &&PathBuf| path.extension().is_some_and(|it| it == "lock");
        let lock = files.iter().find(is_lock).expect("a lock file");
        fs::remove_file(lock).expect("the cache is ours");
        let made = if is_link { symlink(&precious, lock) } else { fs::hard_link(&precious, lock) };
        made.expect("the cache is ours");
        scene.home.age_cache(HOUR);
        let answer = scene.get();
        assert!(answer.password().is_some(), "{:?}", answer.0);
        assert!(answer.0.stderr.contains("[cache-unusable]"), "{:?}", answer.0);
        assert_eq!(fs::read_to_string(&precious).expect("there"), "content");
    }
}

/// Lines of a trace that others can write to prove nothing, and it is theirs to read.
#[test]
fn a_trace_file_that_is_not_ours_alone_to_write_gets_nothing() {
    let mut scene = Scene::new();
    let trace = scene.home.path().join("trace");
    scene.home.set("GASTOWN_TRACE", &trace.to_string_lossy());
    let told = || fs::read_to_string(&trace).expect("there").len();
    for (mode, owner, is_used) in [
        (0o600, None, true),
        (0o644, None, true),
        (0o622, None, false),
        (0o600, Some(NOBODY), false),
    ] {
        fs::write(&trace, "").expect("ours");
        set_mode(&trace, mode);
        if owner.is_some() && chown(&trace, owner, None).is_err() {
            crate::town::skip("another user's trace, because only root can give one away");
            continue;
        }
        assert!(scene.get().password().is_some());
        assert_eq!(told() > 0, is_used, "{mode:o} {owner:?}");
        fs::remove_file(&trace).expect("ours");
    }
}

/// The config file says where the container token goes: nobody else may have written it.
#[test]
fn a_config_file_that_others_could_have_written_is_not_believed() {
    let (mut scene, attacker) = (Scene::new(), Town::start());
    scene.home.unset("GASTOWN_API_URL").set("GITHUB_CLI_PAT", "ghp_user");
    let config = scene.home.path().join("config.json");
    scene.home.set("GASTOWN_CONFIG", &config.to_string_lossy());
    let text = format!("{{\"api_url\":\"{}\"}}", attacker.worker.url());
    let spoils: [(&str, Spoil); 4] = [
        ("others can write it", |path| set_mode(path, 0o646)),
        ("others can write it", |path| set_mode(path, 0o664)),
        ("not a regular file", |path| {
            fs::remove_file(path).expect("ours");
            symlink("/dev/zero", path).expect("ours");
        }),
        ("belongs to another user", |path| {
            if chown(path, Some(NOBODY), None).is_err() {
                crate::town::skip("another user's file, because only root can give one away");
                fs::remove_file(path).expect("ours");
                DirBuilder::new().mode(0o700).create(path).expect("ours");
            }
        }),
    ];
    for (why, spoil) in spoils {
        fs::write(&config, &text).expect("the home is ours");
        spoil(&config);
        let Outcome(ran) = scene.get();
        let is_told = ran.stderr.contains(why) || geteuid().as_raw() != 0;
        assert!(ran.stderr.contains("is ignored") && is_told, "{why}\n{ran:?}");
        let _ = fs::remove_file(&config);
    }
    assert_eq!(attacker.worker.calls().len(), 0);
}

/// Another user was first in the temporary directory that all share.
#[test]
fn a_private_place_that_somebody_else_made_first_is_not_used() {
    let shared = tempfile::tempdir().expect("a temporary directory");
    let (helper, tmp) = (shared.path().join("helper"), shared.path().join("tmp"));
    fs::create_dir(&tmp).expect("ours");
    // Not by our own hand, for the same reason as in `memory.rs`.
    let copied = Command::new("cp").arg(HELPER).arg(&helper).status();
    assert!(copied.expect("cp is everywhere").success());
    for (path, mode) in [(shared.path(), 0o755), (&*helper, 0o755), (&*tmp, 0o1777)] {
        set_mode(path, mode);
    }
    let theirs = tmp.join(format!("gastown-{NOBODY}"));
    fs::create_dir(&theirs).expect("ours");
    set_mode(&theirs, 0o777);
    let scene = Scene::new();
    let mut command = scene.home.command("/usr/bin/setpriv");
    let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
    command.args([&user, &group, "--clear-groups"]).arg(&helper).arg("get").current_dir("/");
    command.env("TMPDIR", &tmp).env("HOME", "/nonexistent").env_remove("GASTOWN_CACHE_DIR");
    if geteuid().as_raw() != 0 || !Path::new("/usr/bin/setpriv").exists() {
        crate::town::skip("only root, and with setpriv, can be somebody else");
        return;
    }
    let request = format!("protocol=http\nhost={}\n\n", scene.town.github.host());
    let answer = Outcome(Ran::run(command, request.as_bytes()));
    assert!(answer.password().is_some(), "it costs no answer\n{:?}", answer.0);
    let why = "belongs to another user";
    assert!(answer.0.stderr.contains(why), "{:?}", answer.0);
    assert_eq!(fs::read_dir(&theirs).expect("ours").count(), 0, "nothing was put there");
}
