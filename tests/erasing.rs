//! `erase` compares before it forgets, and says what a person must know.

use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::scene::*;
use crate::town::RIG;
use crate::transcript::HOUR;

/// Older than any replication lag.
const A_WHILE: std::time::Duration = MINUTE.saturating_mul(2);

/// What `erase` says on stderr; it never says anything on stdout, and never fails.
fn erase(scene: &Scene, more: &str) -> String {
    let erased = scene.ask("erase", &format!("protocol=http\nhost=HOST\n{more}\n")).0;
    assert_eq!(erased.assert_ok().stdout, "");
    erased.stderr
}

#[test]
fn the_cached_token_is_replaced_after_its_erasure() {
    let (scene, old) = Scene::with_token(A_WHILE);
    scene.town.github.revoke_all();
    let said = erase(&scene, &format!("username=x-access-token\npassword={old}\n"));
    assert!(said.contains("the worker will be asked for another: run the command again"), "{said}");
    assert!(said.ends_with("[token-rejected]\n") && said.lines().count() == 1, "{said}");
    assert!(!said.contains(&old));
    assert_ne!(scene.get().token(), old);
    assert_eq!(scene.calls(), 1);
}

#[test]
fn a_token_seconds_old_may_not_be_known_yet() {
    let (scene, token) = Scene::with_token(SECOND);
    let said = erase(&scene, &format!("password={token}\n"));
    assert!(said.contains("may not be known there yet: run the command again"), "{said}");
}

#[test]
fn the_token_inside_a_credential_is_recognised() {
    let (scene, old) = Scene::with_token(A_WHILE);
    scene.town.github.revoke_all();
    let credential = STANDARD.encode(format!("x-access-token:{old}"));
    erase(&scene, &format!("authtype=Basic\ncredential={credential}\n"));
    assert_ne!(scene.get().token(), old);
}

#[test]
fn a_git_that_heals_needs_no_advice() {
    let (scene, old) = Scene::with_token(A_WHILE);
    assert_eq!(erase(&scene, &format!("capability[]=state\npassword={old}\n")), "");
}

#[test]
fn another_password_or_none_changes_nothing() {
    let (scene, token) = Scene::with_token(A_WHILE);
    for more in ["", "username=x-access-token\n", "password=\n", "password=other\n"] {
        assert_eq!(erase(&scene, more), "", "{more:?}");
    }
    let elsewhere = format!("protocol=https\nhost=evil.example\npassword={token}\n\n");
    scene.ask("erase", &elsewhere).0.assert_ok();
    scene.get().answers(&token);
    assert_eq!(scene.calls(), 0);
}

#[test]
fn an_erased_predecessor_does_not_cost_its_successor() {
    let (scene, old) = Scene::with_token(HOUR);
    let new = scene.get().token();
    assert_ne!(new, old);
    let said = erase(&scene, &format!("password={old}\n"));
    assert!(said.contains("has since been replaced: run the command again"), "{said}");
    scene.get().answers(&new);
    assert_eq!(scene.calls(), 1);
}

#[test]
fn a_foreign_installation_token_is_named_embedded_and_not_shown() {
    let (scene, _) = Scene::with_token(SECOND);
    for foreign in ["ghs_foreign123".to_owned(), scene.town.worker.token_for(RIG) + "x"] {
        let said = erase(&scene, &format!("password={foreign}\n"));
        assert!(said.contains("setup --migrate"), "{said}");
        assert!(said.ends_with("[embedded-token]\n"), "{said}");
        assert!(!said.contains(&foreign), "{said}");
    }
    assert_eq!(scene.calls(), 0);
}

#[test]
fn a_hundred_processes_that_erase_the_old_token_while_one_renews_lose_nothing() {
    let (scene, old) = Scene::with_token(HOUR);
    thread::scope(|scope| {
        for index in 0..101 {
            let (scene, old) = (&scene, &old);
            scope.spawn(move || match index {
                50 => drop(scene.get()),
                _ => drop(scene.erase(old)),
            });
        }
    });
    assert_ne!(scene.get().token(), old);
    assert_eq!(scene.calls(), 1);
}
