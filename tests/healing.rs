//! A token that dies before its time costs one more round trip, not a failed command (git ≥ 2.46);
//! with an older git it costs one failed command that says so.

use crate::client::{Client, refused};
use crate::scene::*;
use crate::town::{Git, Ran, Verdict};

fn healing_gits() -> Vec<Git> {
    let gits: Vec<_> = Git::all().into_iter().filter(Git::heals).collect();
    if gits.is_empty() {
        crate::town::skip("no git on PATH is 2.46 or newer, and older ones cannot heal");
    }
    gits
}

fn older_gits() -> Vec<Git> {
    let gits: Vec<_> = Git::all().into_iter().filter(|git| !git.heals()).collect();
    if gits.is_empty() {
        crate::town::skip("every git on PATH can heal");
    }
    gits
}

/// With a clone and a token that is a while old now.
fn settled(git: &Git) -> Scene {
    let scene = Scene::cloned(git);
    scene.let_pass(A_WHILE);
    scene.worker.forget_calls();
    scene.github.forget_requests();
    scene
}

/// Too large for one request, see `push`.
fn large_file() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(3);
    std::iter::repeat_with(|| random.u8(..)).take(256 << 10).collect()
}

fn push(scene: &Scene) -> Ran {
    scene.home.git_in("app", &["-c", "http.postBuffer=65536", "push", "origin", "HEAD"])
}

#[test]
fn a_push_with_a_token_revoked_before_it_heals_with_one_call_and_the_trace_says_so() {
    for git in healing_gits() {
        for content in [b"small".to_vec(), large_file()] {
            let mut scene = settled(&git);
            scene.home.commit("app", "file", &content);
            scene.github.revoke_all();
            let trace = scene.trace_to_file();
            push(&scene).assert_ok();
            assert_eq!((scene.calls(), scene.github.refused_tokens()), (1, 1));
            let trace = std::fs::read_to_string(trace).expect("it was written");
            assert!(trace.contains("healed: "), "{trace}");
        }
    }
}

#[test]
fn a_push_whose_token_is_revoked_between_info_refs_and_the_post_heals_with_one_call() {
    for git in healing_gits() {
        for content in [b"small".to_vec(), large_file()] {
            let scene = settled(&git);
            scene.home.commit("app", "file", &content);
            scene.github.revoke_after_info_refs();
            push(&scene).assert_ok();
            assert_eq!(scene.calls(), 1);
        }
    }
}

#[test]
fn a_push_heals_between_its_requests_after_an_earlier_one_healed() {
    for git in healing_gits() {
        let scene = settled(&git);
        scene.github.revoke_all();
        scene.push("first").assert_ok();
        for file in ["second", "third"] {
            scene.let_pass(A_WHILE);
            scene.home.commit("app", file, b"small");
            scene.github.revoke_after_info_refs();
            push(&scene).assert_ok();
        }
        assert_eq!(scene.calls(), 3);
    }
}

#[test]
fn a_helper_line_that_runs_us_by_another_program_heals_too() {
    for git in healing_gits() {
        let scene = settled(&git);
        let line = format!("!timeout 60 {HELPER}");
        scene.home.git(&["config", "--global", "credential.helper", &line]).assert_ok();
        scene.home.commit("app", "file", b"content");
        scene.github.revoke_all();
        push(&scene).assert_ok();
        assert_eq!((scene.calls(), scene.github.refused_tokens()), (1, 1));
    }
}

#[test]
fn that_the_worker_had_no_other_is_said_only_if_it_was_asked() {
    for git in healing_gits() {
        let scene = settled(&git);
        scene.home.commit("app", "file", b"content");
        scene.github.revoke_all();
        push(&scene).assert_ok();
        scene.home.commit("app", "file", b"more");
        scene.github.revoke_all();
        push(&scene).assert_fails();
        let again = push(&scene);
        again.assert_fails().mentions("ago, was not asked again since").mentions("refresh");
        assert_eq!(scene.calls(), 1);
    }
}

#[test]
fn fetch_and_clone_heal_too() {
    for git in healing_gits() {
        let scene = settled(&git);
        scene.github.revoke_all();
        scene.home.git_in("app", &["fetch", "origin"]).assert_ok();
        scene.let_pass(A_WHILE);
        scene.github.revoke_all();
        scene.clone_into("again");
        assert_eq!(scene.calls(), 2);
    }
}

#[test]
fn a_worker_stuck_on_a_dead_token_fails_the_push_and_says_why() {
    for git in healing_gits() {
        let scene = settled(&git);
        let stuck = scene.current();
        scene.worker.stuck_on(&stuck);
        scene.github.revoke_all();
        scene.home.commit("app", "file", b"content");

        push(&scene)
            .assert_fails()
            .mentions("[token-rejected]")
            .never_says(&stuck)
            .within(..30 * SECOND);
        assert!(scene.github.requests().len() <= 6, "{:?}", scene.github.requests());
        assert!(scene.calls() <= 3);

        scene.worker.forget_calls();
        for _ in 0..3 {
            push(&scene).assert_fails().mentions("[token-rejected]");
        }
        assert!(scene.calls() <= 1, "no more than once a minute");

        // Once the worker hands out another token, a minute later at the latest, all is well.
        scene.worker.unstuck();
        scene.home.age_cache(A_WHILE);
        push(&scene).assert_ok();
    }
}

#[test]
fn a_token_that_github_knows_only_later_is_handed_out_twice_and_minted_once() {
    for git in healing_gits() {
        let scene = Scene::configured(&git);
        scene.github.set_replication_lag(1);
        let clone = ["clone", &scene.github.url(REPOSITORY), "app"];
        scene.home.git(&clone).assert_ok().within(2 * SECOND..);
        assert_eq!((scene.calls(), scene.worker.minted()), (1, 1));
        let lagging = scene.github.requests();
        assert!(lagging.iter().any(|request| request.verdict == Verdict::Lagging));
    }
}

#[test]
fn a_command_whose_second_token_is_refused_too_says_so() {
    for git in healing_gits() {
        let scene = Scene::cloned(&git);
        scene.github.set_replication_lag(usize::MAX);
        scene.push("file").assert_fails().mentions("for the second time in this command");
    }
}

#[test]
fn with_a_git_that_cannot_heal_one_push_fails_and_says_so_and_the_next_succeeds() {
    for git in older_gits() {
        let scene = settled(&git);
        scene.home.commit("app", "file", b"content");
        scene.github.revoke_all();
        push(&scene)
            .assert_fails()
            .mentions("the worker will be asked for another: run the command again")
            .mentions("[token-rejected]");
        push(&scene).assert_ok();
        assert_eq!(scene.calls(), 1);
    }
}

#[test]
fn a_token_that_another_process_has_renewed_is_handed_out_without_a_call() {
    let scene = settled(&Git::newest());
    let client = Client::new(&scene);
    let old = client.get("");
    scene.github.revoke_all();
    let new = client.get(&refused(&old)).token();
    assert_ne!(new, old.token());
    assert_eq!(client.get(&refused(&old)).token(), new);
    assert_eq!(scene.calls(), 1);
}

#[test]
fn one_line_tells_of_a_refused_long_lived_token_and_of_the_snapshot_in_its_place() {
    let mut scene = Scene::new();
    scene.home.set("GITHUB_CLI_PAT", "ghp_revoked").set("GIT_TOKEN", "ghs_snapshot");
    scene.worker.go_down();
    let client = Client::new(&scene);
    let second = client.get(&refused(&client.get("")));
    assert_eq!(second.token(), "ghs_snapshot");
    let parts = ["rejected GITHUB_CLI_PAT; replace", "[worker-unreachable]", "using GIT_TOKEN"];
    second.warned(&parts);
}
