//! Attacks on the files and the programs; those on the cache's entries are in `faults/strangers.rs`.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use rustix::process::geteuid;

use crate::scene::*;
use crate::town::Town;

/// A program of that name lies in the working directory, and `PATH` looks there first. What git
/// calls runs nothing at all; what a person calls looks for programs in absolute places only.
#[test]
fn cve_2022_24826_and_2021_21237_a_program_in_the_working_directory() {
    let (mut scene, _) = Scene::with_token(SECOND);
    let marker = scene.path("was-run");
    for name in ["git", "gh", "git-lfs", "sh", "ssh", "getent", "hostname", "git-credential-store"]
    {
        scene.script(name, &format!("touch {}", marker.display()));
    }
    for path in ["", ".", ":", "./:/usr/bin"] {
        scene.home.set("PATH", path);
        scene.home.age_cache(HOUR);
        for operation in ["get", "store", "erase", "capability", "future"] {
            scene.ask(operation, "protocol=http\nhost=HOST\npassword=ghs_other\n\n").assert_ok();
        }
        scene.ask("get", "protocol=https\nhost=evil.example\n\n").assert_ok();
        for command in ["doctor", "setup", "status", "gh"] {
            scene.ask(command, "");
        }
        scene.helper(&["doctor", "--offline"]);
        scene.helper(&["exec", "--", "git-credential-store"]);
        scene.helper(&["setup", "--local", "--dry-run"]);
    }
    assert!(!marker.exists());
}

/// Lines of a trace that others can write to prove nothing, and it is theirs to read.
#[test]
fn a_trace_file_that_is_not_ours_alone_to_write_gets_nothing() {
    let (mut scene, _) = Scene::with_token(SECOND);
    let trace = scene.trace_to_file();
    let told = || fs::read_to_string(&trace).expect("there").len();
    for (mode, owner, is_used) in [
        (0o600, None, true),
        (0o644, None, true),
        (0o622, None, false),
        (0o600, Some(NOBODY), false),
    ] {
        scene.write(&trace, "");
        set_mode(&trace, mode);
        if owner.is_some() && chown(&trace, owner, None).is_err() {
            crate::town::skip("another user's trace, because only root can give one away");
            continue;
        }
        scene.get().token();
        assert_eq!(told() > 0, is_used, "{mode:o} {owner:?}");
        fs::remove_file(&trace).expect("ours");
    }
}

/// The config file says where the container token goes: nobody else may have written it.
#[test]
fn a_config_file_that_others_could_have_written_is_not_believed() {
    let ((mut scene, _), attacker) = (Scene::with_token(SECOND), Town::start());
    scene.home.unset("GASTOWN_API_URL").set("GITHUB_CLI_PAT", "ghp_user");
    let text = format!("{{\"api_url\":\"{}\"}}", attacker.worker.url());
    let config = scene.write("config.json", text);
    scene.home.set("GASTOWN_CONFIG", &config);
    for mode in [0o602, 0o620] {
        set_mode(&config, mode);
        scene.get().mentions("is ignored").mentions("others can write it; run: chmod go-w /");
    }
    fs::remove_file(&config).and_then(|()| symlink("/dev/zero", &config)).expect("ours");
    scene.get().mentions("is ignored").mentions("not a regular file");
    assert_eq!(attacker.worker.calls().len(), 0);
}

/// Another user was first in the temporary directory that all share.
#[test]
fn a_private_place_that_somebody_else_made_first_is_not_used() {
    if !geteuid().is_root() {
        return crate::town::skip("only root can be somebody else");
    }
    let scene = Scene::new();
    let shared = scene.path("shared");
    let theirs = shared.join(format!("gastown-{NOBODY}"));
    fs::create_dir_all(&theirs).expect("ours");
    set_mode(&shared, 0o1777);
    set_mode(&theirs, 0o777);
    let script = "unset GASTOWN_CACHE_DIR
        HOME=/nonexistent TMPDIR=$(realpath ../shared) exec ./helper get";
    let Some(ran) = scene.get_as_nobody(script) else { return };
    assert_eq!(ran.mentions("belongs to another user").token(), scene.current());
    assert_eq!(fs::read_dir(&theirs).expect("ours").count(), 0, "nothing was put there");
}
