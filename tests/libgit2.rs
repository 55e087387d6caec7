//! Clients that use libgit2: cargo as it is by default, and programs on git2-rs. They run the
//! helper themselves, keep no state and never erase. After a revocation the second try must
//! succeed.
//!
//! git2-rs finds no helper for a host that is an IP address, nor in a section for a host with a
//! port: here the helper is configured for every host, and the server is called `localhost`.

use std::fs;
use std::path::Path;

use crate::clients::git2_client::git2_client;
use crate::scene::{A_WHILE, MINUTE, REPOSITORY, SECOND, Scene};
use crate::town::{Git, Ran};

/// The repository's URL in the form that these clients need.
fn url(scene: &Scene) -> String {
    scene.github.url(REPOSITORY).replace("127.0.0.1", "localhost")
}

/// With a cached token that is a while old.
fn settled() -> Scene {
    let mut scene = Scene::careless(&Git::newest());
    let host = scene.github.host();
    let hosts = format!("http://{host},http://{}", host.replace("127.0.0.1", "localhost"));
    scene.home.set("GASTOWN_GIT_HOSTS", &hosts);
    scene.home.git(&["clone", "--quiet", &url(&scene), "app"]).assert_ok();
    let_a_while_pass(&scene);
    scene
}

fn let_a_while_pass(scene: &Scene) {
    scene.let_pass(A_WHILE);
    scene.worker.forget_calls();
    scene.github.forget_requests();
}

/// Makes the repository a library, and a package in `project` that depends on it. `None`, and a
/// word about it, if cargo cannot fetch from a directory either: that of Debian 12 cannot.
fn with_cargo() -> Option<Scene> {
    let mut scene = settled();
    let manifest = "[package]\nname = \"library\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    fs::create_dir(scene.path("app/src")).expect("ours");
    scene.home.commit("app", "src/lib.rs", b"");
    scene.home.commit("app", "Cargo.toml", manifest.as_bytes());
    scene.home.git_in("app", &["push", "--quiet", "origin", "HEAD"]).assert_ok();

    let project = scene.path("project");
    fs::create_dir_all(project.join("src")).expect("ours");
    fs::write(project.join("src/lib.rs"), "").expect("ours");
    let depend_on = |url: &str| {
        let dependency = format!("[dependencies]\nlibrary = {{ git = \"{url}\" }}\n");
        let manifest = manifest.replace("library", "project") + &dependency;
        fs::write(project.join("Cargo.toml"), manifest).expect("ours");
    };
    let toolchain = Path::new(env!("CARGO")).parent().expect("cargo lies in a directory");
    let cargo_home = scene.path(".cargo");
    let cargo_home = cargo_home.to_str().expect("a path in UTF-8").to_owned();
    scene
        .home
        .put_on_path(toolchain)
        .set("CARGO_HOME", &cargo_home)
        // What is under test: not the git command, which heals by itself.
        .set("CARGO_NET_GIT_FETCH_WITH_CLI", "false");
    depend_on(&format!("file://{}", scene.path("app").display()));
    let ran = cargo_fetch(&scene);
    if ran.code != 0 {
        let reason = ran.stderr.lines().last().unwrap_or_default().trim();
        crate::town::skip(format_args!("cargo cannot fetch from any repository: {reason}"));
        return None;
    }
    depend_on(&url(&scene));
    let_a_while_pass(&scene);
    Some(scene)
}

/// From nothing, so that cargo cannot do without the network.
fn cargo_fetch(scene: &Scene) -> Ran {
    let _ = fs::remove_dir_all(scene.path(".cargo/git"));
    let _ = fs::remove_file(scene.path("project/Cargo.lock"));
    scene.home.run_in("project", env!("CARGO"), &["fetch"], "")
}

/// A program that takes what the helper says as often as that.
fn list(scene: &Scene, client: &Path, tries: u32) -> Ran {
    scene.home.run(client, &[&url(scene), &tries.to_string()], "")
}

/// The programs, each with what it takes to run it once.
fn each_client(mut check: impl FnMut(&str, &Scene, &dyn Fn(&Scene) -> Ran)) {
    if let Some(scene) = with_cargo() {
        check("cargo", &scene, &cargo_fetch);
    }
    let Some(client) = git2_client() else { return };
    check("git2", &settled(), &|scene: &Scene| list(scene, &client, 1));
    check("git2 that asks again", &settled(), &|scene: &Scene| list(scene, &client, 3));
}

#[test]
fn cached_token_is_taken_without_a_call() {
    each_client(|name, scene, run| {
        let ran = run(scene);
        assert_eq!((ran.code, scene.calls()), (0, 0), "{name}\n{ran:?}");
        assert_eq!(scene.github.refused_tokens(), 0, "{name}\n{ran:?}");
    });
}

/// And once more: what the first healing left on record must not stand in the way.
#[test]
fn revoked_token_heals_at_the_second_try_with_one_call() {
    each_client(|name, scene, run| {
        for round in 0..2 {
            scene.github.revoke_all();
            let first = run(scene);
            let second = run(scene);
            assert_eq!(second.code, 0, "{name}, {round}\n{first:?}\n{second:?}");
            let asks_again = name == "git2 that asks again";
            assert!(first.code == 0 || !asks_again, "{name}, {round}\n{first:?}");
            assert_eq!(scene.calls(), 1, "{name}, {round}\n{first:?}\n{second:?}");
            let_a_while_pass(scene);
        }
    });
}

#[test]
fn live_token_asked_for_again_and_again_costs_at_most_one_call_a_minute() {
    let Some(client) = git2_client() else { return };
    let scene = settled();
    for minutes in 1..=3 {
        for _ in 0..20 {
            list(&scene, &client, 1).assert_ok();
        }
        assert!(scene.calls() <= minutes, "{:?}", scene.worker.calls());
        scene.let_pass(MINUTE + SECOND);
    }
    assert_eq!(scene.github.refused_tokens(), 0);
}

#[test]
fn asking_for_two_hosts_is_not_asking_twice() {
    let mut scene = settled();
    let hosts = format!("http://{},http://localhost:1", scene.github.host());
    scene.home.set("GASTOWN_GIT_HOSTS", hosts);
    for (host, calls) in [("HOST", 0), ("localhost:1", 0), ("HOST", 1)] {
        scene.ask("get", &format!("protocol=http\nhost={host}\n\n")).assert_ok();
        assert_eq!(scene.calls(), calls, "{host}");
    }
}

#[test]
fn git_beside_such_clients_costs_no_call() {
    let Some(client) = git2_client() else { return };
    let scene = settled();
    list(&scene, &client, 1).assert_ok();
    for _ in 0..5 {
        scene.home.git(&["ls-remote", "--quiet", &url(&scene)]).assert_ok();
    }
    assert_eq!(scene.calls(), 0);
}

#[test]
fn token_that_stays_dead_costs_at_most_one_call_and_other_asks_are_answered() {
    let Some(client) = git2_client() else { return };
    let scene = settled();
    let stuck = scene.current();
    scene.worker.stuck_on(&stuck);
    scene.worker.ignores_revocations(true);
    scene.github.revoke_all();
    for _ in 0..5 {
        list(&scene, &client, 3).assert_fails();
    }
    assert!(scene.calls() <= 1, "{:?}", scene.worker.calls());
    // No server's refusal was reported: every other ask is answered.
    let answer = scene.ask("get", "protocol=http\nhost=HOST\n\n");
    assert!(answer.assert_ok().stdout.contains(&stuck), "{answer:?}");

    scene.worker.unstuck();
    scene.worker.ignores_revocations(false);
    let_a_while_pass(&scene);
    list(&scene, &client, 1);
    list(&scene, &client, 1).assert_ok();
}
