//! Wrong settings and their advice, which is followed: the next ask succeeds.

use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::scene::*;
use crate::town::server::Server;
use crate::town::{Home, Ran, Rig};

/// Asserts that the ask fails with this name and says this to do.
#[track_caller]
fn assert_advises(scene: &Scene, name: &str, advice: &str) {
    scene.get().quits(name).mentions(advice);
}

#[test]
fn wrong_settings_are_named_with_what_to_set_and_changed_ones_are_tried_at_once() {
    let forged = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln";
    for (variable, wrong, name, advice) in [
        ("TOWN_ID", "", "config-missing", "unset: GASTOWN_TOWN_ID"),
        (
            "CONTAINER_TOKEN",
            "",
            "config-missing",
            "GASTOWN_CONTAINER_TOKEN is unset; set GASTOWN_CONTAINER_TOKEN",
        ),
        ("CONTAINER_TOKEN", "a b", "config-missing", "is not a token; set GASTOWN_CONTAINER_TOKEN"),
        ("CONTAINER_TOKEN", forged, "container-token-rejected", "one that this worker issued"),
        ("TOWN_ID", "town-2", "cross-town", "and GASTOWN_CONTAINER_TOKEN of the same town"),
        ("RIG_ID", "rig-404", "rig-not-found", "set GASTOWN_RIG_ID, or run git inside the rig's"),
        ("RIG_ID", "rig-without", "no-git-token", "or set GITHUB_CLI_PAT"),
    ] {
        let mut scene = Scene::new();
        scene.worker.add_rig("rig-without", Rig::NoToken);
        scene.home.set(&format!("GASTOWN_{variable}"), wrong);
        for _ in 0..3 {
            assert_advises(&scene, name, advice);
        }
        assert!(scene.calls() <= 1, "{name}: a refusal stands for these settings");
        scene.home.as_agent(&scene.town);
        scene.get().answers(&scene.current());
    }
}

#[test]
fn worker_that_speaks_no_https_is_not_said_to_have_a_wrong_certificate() {
    let mut scene = Scene::new();
    let server = Server::start(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    scene.home.set("GASTOWN_API_URL", format!("https://127.0.0.1:{}", server.port()));
    let advice = "check the scheme and the port in GASTOWN_API_URL";
    assert_advises(&scene, "worker-unreachable", advice);
}

#[test]
fn nothing_configured_names_all_that_is_unset_and_a_command_to_type() {
    let mut scene = Scene::new();
    for name in ["GASTOWN_API_URL", "GASTOWN_TOWN_ID", "GASTOWN_RIG_ID"] {
        scene.home.unset(name);
    }
    let unset = "error: unset: GASTOWN_API_URL, GASTOWN_TOWN_ID, GASTOWN_RIG_ID; ";
    assert_advises(&scene, "config-missing", unset);
    assert_advises(&scene, "config-missing", "run: git credential-gastown doctor [");
    scene.home.unset("GASTOWN_CONTAINER_TOKEN");
    assert_advises(&scene, "config-missing", "GASTOWN_RIG_ID, GASTOWN_CONTAINER_TOKEN; ");
    scene.home.set("GASTOWN_API_URL", "http://x.example").set("GASTOWN_CONTAINER_TOKEN", "x");
    let wrong = "error: GASTOWN_API_URL is http, which is for loopback only; use https; \
                 unset: GASTOWN_TOWN_ID, GASTOWN_RIG_ID; ";
    assert_advises(&scene, "config-missing", wrong);
}

/// The program where no `PATH` leads, in a directory whose name the shell would split.
fn off_path(scene: &mut Scene) -> String {
    let own = scene.install(HELPER, "a $(touch trap) place/git-credential-gastown");
    scene.home.set("PATH", "/usr/bin:/bin");
    own.to_string_lossy().into_owned()
}

/// Runs the command that a message names, as somebody who pastes it.
#[track_caller]
fn paste(home: &Home, message: &str) -> Ran {
    let starts = ["run: ", "at once: ", "run in this repository: "];
    let found = starts.iter().find_map(|start| message.split_once(start));
    let (_, rest) = found.unwrap_or_else(|| panic!("no command in: {message}"));
    let command = rest.split(" [").next().unwrap_or_default().split(';').next();
    let command = command.unwrap_or_default().trim();
    assert!(command.contains("git-credential-gastown "), "not by its path: {message}");
    let ran = home.run("/bin/sh", &["-c", command], "");
    assert!(![126, 127].contains(&ran.code), "{ran:?}");
    assert!(!home.path().join("trap").exists(), "{ran:?}");
    ran
}

#[test]
fn advice_names_the_program_by_its_path_where_its_name_leads_elsewhere() {
    let mut scene = Scene::new();
    let own = off_path(&mut scene);
    let request = scene.request();
    let ask = |scene: &Scene, words: &[&str], stdin: &str| scene.home.run(&own, words, stdin);
    // config-missing
    scene.home.set("GASTOWN_TOWN_ID", "");
    let failed = ask(&scene, &["get"], &request);
    paste(&scene.home, &failed.stderr).tells("town");
    scene.home.as_agent(&scene.town);
    // worker-unreachable
    scene.worker.go_down();
    ask(&scene, &["get"], &request).assert_fails();
    let failed = ask(&scene, &["get"], &request);
    scene.prolong_failure();
    let status = ask(&scene, &["status"], "");
    scene.worker.come_up();
    paste(&scene.home, &failed.stderr).assert_ok().tells("renewed: ");
    paste(&scene.home, &status.stdout).assert_ok();
    // token-rejected
    let secret = ask(&scene, &["get"], &request).token();
    scene.let_pass(2 * MINUTE);
    let refused = |secret: &str| format!("{}\npassword={secret}\n\n", request.trim_end());
    let erased = ask(&scene, &["erase"], &refused(&secret));
    erased.mentions("[token-rejected]");
    paste(&scene.home, erased.stderr.split_once("once more, ").expect("advice").1);
    // embedded-token
    let erased = ask(&scene, &["erase"], &refused("ghs_elsewhere"));
    paste(&scene.home, &erased.mentions("[embedded-token]").stderr).assert_ok();
    // Another program of that name.
    scene.home.put_on_path(Path::new(&own).parent().expect("it lies in a directory"));
    scene.let_pass(HOUR);
    scene.worker.go_down();
    ask(&scene, &["get"], &request).assert_fails();
    ask(&scene, &["get"], &request).mentions("at once: git credential-gastown refresh [");
    scene.script("other/git-credential-gastown", "");
    scene.home.put_on_path(&scene.path("other"));
    let by_path = ask(&scene, &["get"], &request);
    scene.worker.come_up();
    paste(&scene.home, &by_path.stderr).assert_ok();
}
