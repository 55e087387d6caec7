//! `erase` compares before it forgets, waits for nothing, and says what a person must know.

use std::path::Path;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::town::{Git, Home, Town};
use crate::transcript::HELPER;

/// Older than any replication lag.
const A_WHILE: Duration = Duration::from_secs(120);

struct Scene {
    town: Town,
    home: Home,
}

impl Scene {
    fn new() -> Self {
        let town = Town::start();
        let mut home = Home::new(Path::new(HELPER), &Git::newest());
        home.as_agent(&town);
        Self { town, home }
    }

    fn request(&self, more: &str) -> String {
        format!("protocol=http\nhost={}\n{more}\n", self.town.github.host())
    }

    fn get(&self) -> String {
        let answer = self.home.helper(&["get"], &self.request(""));
        let lines = answer.assert_ok().stdout.lines();
        lines.filter_map(|line| line.strip_prefix("password=")).collect()
    }

    /// What `erase` says on stderr; it never says anything on stdout, and never fails.
    fn erase(&self, more: &str) -> String {
        let erased = self.home.helper(&["erase"], &self.request(more));
        assert_eq!(erased.assert_ok().stdout, "");
        erased.stderr
    }

    fn let_pass(&self, time: Duration) {
        self.town.let_pass(time);
        self.home.age_cache(time);
    }

    fn calls(&self) -> usize {
        self.town.worker.git_token_calls()
    }
}

#[test]
fn the_cached_token_is_replaced_after_its_erasure() {
    let scene = Scene::new();
    let old = scene.get();
    scene.let_pass(A_WHILE);
    scene.town.github.revoke_all();
    let said = scene.erase(&format!("username=x-access-token\npassword={old}\n"));
    assert!(said.contains("the worker will be asked for another: run the command again"), "{said}");
    assert!(said.ends_with("[token-rejected]\n") && said.lines().count() == 1, "{said}");
    assert!(!said.contains(&old));
    assert_ne!(scene.get(), old);
    assert_eq!(scene.calls(), 2);
}

#[test]
fn a_token_seconds_old_may_not_be_known_yet() {
    let scene = Scene::new();
    let token = scene.get();
    let said = scene.erase(&format!("password={token}\n"));
    assert!(said.contains("may not be known there yet: run the command again"), "{said}");
}

#[test]
fn the_token_inside_a_credential_is_recognised() {
    let scene = Scene::new();
    let old = scene.get();
    scene.let_pass(A_WHILE);
    scene.town.github.revoke_all();
    let credential = STANDARD.encode(format!("x-access-token:{old}"));
    scene.erase(&format!("authtype=Basic\ncredential={credential}\n"));
    assert_ne!(scene.get(), old);
}

#[test]
fn a_git_that_heals_needs_no_advice() {
    let scene = Scene::new();
    let old = scene.get();
    scene.let_pass(A_WHILE);
    assert_eq!(scene.erase(&format!("capability[]=state\npassword={old}\n")), "");
}

#[test]
fn another_password_or_none_changes_nothing() {
    let scene = Scene::new();
    let token = scene.get();
    scene.let_pass(A_WHILE);
    for more in ["", "username=x-access-token\n", "password=\n", "password=other\n"] {
        assert_eq!(scene.erase(more), "", "{more:?}");
    }
    let elsewhere = format!("protocol=https\nhost=evil.example\npassword={token}\n\n");
    scene.home.helper(&["erase"], &elsewhere).assert_ok();
    assert_eq!(scene.get(), token);
    assert_eq!(scene.calls(), 1);
}

#[test]
fn an_erased_predecessor_does_not_cost_its_successor() {
    let scene = Scene::new();
    let old = scene.get();
    scene.let_pass(Duration::from_secs(3600));
    let new = scene.get();
    assert_ne!(new, old);
    let said = scene.erase(&format!("password={old}\n"));
    assert!(said.contains("has since been replaced: run the command again"), "{said}");
    assert_eq!(scene.get(), new);
    assert_eq!(scene.calls(), 2);
}

#[test]
fn a_foreign_installation_token_is_named_embedded_and_not_shown() {
    let scene = Scene::new();
    scene.get();
    for foreign in ["ghs_foreign123".to_owned(), scene.town.worker.token_for("rig-1") + "x"] {
        let said = scene.erase(&format!("password={foreign}\n"));
        assert!(said.contains("setup --migrate"), "{said}");
        assert!(said.ends_with("[embedded-token]\n"), "{said}");
        assert!(!said.contains(&foreign), "{said}");
    }
    assert_eq!(scene.calls(), 1);
}

#[test]
fn a_hundred_processes_that_erase_the_old_token_while_one_renews_lose_nothing() {
    let scene = Scene::new();
    let old = scene.get();
    scene.let_pass(Duration::from_secs(3600));
    thread::scope(|scope| {
        for index in 0..101 {
            let (scene, old) = (&scene, &old);
            scope.spawn(move || match index {
                50 => drop(scene.get()),
                _ => drop(scene.erase(&format!("password={old}\n"))),
            });
        }
    });
    let new = scene.get();
    assert_ne!(new, old);
    assert_eq!(scene.calls(), 2, "one for each of the two tokens");
}

#[test]
fn a_hundred_refusals_of_a_token_seconds_old_count_once_and_mint_nothing() {
    let scene = Scene::new();
    let token = scene.get();
    thread::scope(|scope| {
        for _ in 0..100 {
            let (scene, token) = (&scene, &token);
            scope.spawn(move || scene.erase(&format!("password={token}\n")));
        }
    });
    assert_eq!(scene.get(), token);
    assert_eq!(scene.calls(), 1);
    scene.let_pass(Duration::from_secs(60));
    scene.get();
    assert_eq!(scene.calls(), 2);
}

#[test]
fn a_token_that_the_worker_repeats_after_its_refusal_is_served_to_everybody() {
    let scene = Scene::new();
    let token = scene.get();
    scene.let_pass(A_WHILE);
    scene.erase(&format!("password={token}\n"));
    let again = scene.home.helper(&["get"], &scene.request(""));
    assert!(again.assert_ok().stdout.contains(&token), "{again:?}");
    assert!(again.stderr.contains("[token-rejected]"), "{again:?}");
    assert_eq!(scene.calls(), 2);

    scene.erase(&format!("password={token}\n"));
    for _ in 0..20 {
        assert_eq!(scene.get(), token, "it may live");
    }
    assert_eq!(scene.calls(), 2, "no more than once a minute");
}

#[test]
fn erasing_waits_for_no_renewal() {
    let scene = Scene::new();
    let token = scene.get();
    scene.let_pass(Duration::from_secs(3600));
    scene.town.worker.hold();
    thread::scope(|scope| {
        let renewal = scope.spawn(|| scene.get());
        scene.town.worker.await_git_token_calls(2);
        scene.erase(&format!("password={token}\n"));
        assert!(!renewal.is_finished());
        scene.town.worker.release();
    });
}
