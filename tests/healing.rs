//! A token that dies before its time costs one more round trip, not a failed command (git ≥ 2.46);
//! with an older git it costs one failed command that says so.

use std::time::Duration;

use crate::client::{Client, refused, state};
use crate::town::{Git, Home, Ran, Rig, Town, Verdict};
use crate::transcript::*;

/// Older than any replication lag.
const A_WHILE: Duration = Duration::from_secs(120);

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

/// A town with a repository, and an agent that has cloned it with a token that is a while old now.
fn settled(git: &Git) -> (Town, Home) {
    let (town, home) = arrived(git);
    let_pass(&town, &home, A_WHILE);
    (town, home)
}

/// The same with a token that is seconds old.
fn arrived(git: &Git) -> (Town, Home) {
    let town = Town::start();
    town.github.create_repository(REPOSITORY);
    let home = cloned(&town, git);
    town.worker.forget_calls();
    town.github.forget_requests();
    (town, home)
}

/// Too large for one request, see `push`.
fn large_file() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(3);
    std::iter::repeat_with(|| random.u8(..)).take(256 << 10).collect()
}

fn push(home: &Home) -> Ran {
    home.git_in("app", &["-c", "http.postBuffer=65536", "push", "origin", "HEAD"])
}

#[test]
fn a_push_with_a_token_revoked_before_it_heals_with_one_call_and_the_trace_says_so() {
    for git in healing_gits() {
        for content in [b"small".to_vec(), large_file()] {
            let (town, mut home) = settled(&git);
            home.commit("app", "file", &content);
            town.github.revoke_all();
            let trace = home.path().join("trace");
            home.set("GASTOWN_TRACE", &trace.to_string_lossy());
            push(&home).assert_ok();
            assert_eq!(calls(&town).0, 1);
            assert_eq!(town.github.refused_tokens(), 1);
            let trace = std::fs::read_to_string(trace).expect("it was written");
            assert!(trace.contains("healed: "), "{trace}");
        }
    }
}

#[test]
fn a_push_whose_token_is_revoked_between_info_refs_and_the_post_heals_with_one_call() {
    for git in healing_gits() {
        for content in [b"small".to_vec(), large_file()] {
            let (town, home) = settled(&git);
            home.commit("app", "file", &content);
            town.github.revoke_after_info_refs();
            push(&home).assert_ok();
            assert_eq!(calls(&town).0, 1);
        }
    }
}

#[test]
fn fetch_and_clone_heal_too() {
    for git in healing_gits() {
        let (town, home) = settled(&git);
        town.github.revoke_all();
        home.git_in("app", &["fetch", "origin"]).assert_ok();
        let_pass(&town, &home, A_WHILE);
        town.github.revoke_all();
        home.git(&["clone", "--quiet", &town.github.url(REPOSITORY), "again"]).assert_ok();
        assert_eq!(calls(&town).0, 2);
    }
}

#[test]
fn a_worker_stuck_on_a_dead_token_fails_the_push_and_says_why() {
    for git in healing_gits() {
        let (town, home) = settled(&git);
        let stuck = town.worker.token_for("rig-1");
        town.worker.stuck_on(&stuck);
        town.worker.ignores_revocations(true);
        town.github.revoke_all();
        home.commit("app", "file", b"content");

        let first = push(&home);
        first.assert_fails();
        assert!(first.stderr.contains("[token-rejected]"), "{first:?}");
        assert!(first.took < Duration::from_secs(30));
        assert!(town.github.requests().len() <= 6, "{:?}", town.github.requests());
        assert!(calls(&town).0 <= 3);

        town.worker.forget_calls();
        for _ in 0..3 {
            let next = push(&home);
            next.assert_fails();
            assert!(next.stderr.contains("[token-rejected]"), "{next:?}");
        }
        assert!(calls(&town).0 <= 1, "no more than once a minute");
        assert!(!first.stderr.contains(&stuck));

        // Once the worker hands out another token, a minute later at the latest, all is well.
        town.worker.unstuck();
        town.worker.ignores_revocations(false);
        home.age_cache(A_WHILE);
        push(&home).assert_ok();
    }
}

#[test]
fn a_token_that_github_knows_only_later_is_handed_out_twice_and_minted_once() {
    for git in healing_gits() {
        let town = Town::start();
        town.github.create_repository(REPOSITORY);
        town.github.set_replication_lag(Duration::from_millis(1200));
        cloned(&town, &git);
        assert_eq!((calls(&town).0, town.worker.minted()), (1, 1));
        let lagging = town.github.requests();
        assert!(lagging.iter().any(|request| request.verdict == Verdict::Lagging));
    }
}

#[test]
fn a_command_whose_second_token_is_refused_too_says_so() {
    for git in healing_gits() {
        let (town, home) = arrived(&git);
        home.commit("app", "file", b"content");
        town.github.set_replication_lag(Duration::from_secs(600));
        let failed = push(&home);
        failed.assert_fails();
        assert!(
            failed.stderr.contains("rejected the token twice within this command"),
            "{failed:?}"
        );
    }
}

#[test]
fn with_a_git_that_cannot_heal_one_push_fails_and_says_so_and_the_next_succeeds() {
    for git in older_gits() {
        let (town, home) = settled(&git);
        home.commit("app", "file", b"content");
        town.github.revoke_all();
        let first = push(&home);
        first.assert_fails();
        let advice = "the worker will be asked for another: run the command again";
        assert!(first.stderr.contains(advice), "{first:?}");
        assert!(first.stderr.contains("[token-rejected]"), "{first:?}");
        push(&home).assert_ok();
        assert_eq!(calls(&town).0, 1);
    }
}

#[test]
fn large_files_are_pushed_with_a_valid_and_with_a_revoked_token() {
    for git in Git::all() {
        let (town, home) = settled(&git);
        let tracked = home.git_in("app", &["lfs", "install", "--local"]);
        if tracked.code != 0 {
            crate::town::skip(format_args!("no git-lfs beside git {}", git.version));
            continue;
        }
        home.git_in("app", &["lfs", "track", "*.bin"]).assert_ok();
        home.git_in("app", &["add", ".gitattributes"]).assert_ok();
        home.commit("app", "first.bin", &large_file());
        push(&home).assert_ok();
        assert!(calls(&town).0 <= 2);

        town.worker.forget_calls();
        let_pass(&town, &home, A_WHILE);
        home.commit("app", "second.bin", b"second");
        town.github.revoke_all();
        let second = push(&home);
        if !git.heals() {
            second.assert_fails();
            push(&home).assert_ok();
        } else {
            second.assert_ok();
        }
        assert!(calls(&town).0 <= 2);
    }
}

#[test]
fn git_lfs_alone_heals_whatever_its_version() {
    for git in Git::all() {
        let (town, home) = settled(&git);
        if home.git_in("app", &["lfs", "install", "--local"]).code != 0 {
            crate::town::skip(format_args!("no git-lfs beside git {}", git.version));
            continue;
        }
        home.git_in("app", &["lfs", "track", "*.bin"]).assert_ok();
        home.commit("app", "only.bin", &large_file());
        town.github.revoke_all();
        home.git_in("app", &["lfs", "push", "origin", "HEAD"]).assert_ok();
        assert!(calls(&town).0 <= 2);
    }
}

#[test]
fn git_lfs_may_send_our_state_on_every_ask_and_costs_one_call_a_minute() {
    let (town, home) = settled(&Git::newest());
    let first = Client::new(&home, &town).helper("get", "");
    assert_eq!(value(&first, "continue"), None, "it is not git's own transport that asks");
    for _ in 0..5 {
        let next = Client::new(&home, &town).helper("get", &state(&first));
        assert_eq!((token(&next), value(&next, "continue")), (token(&first), None));
    }
    assert_eq!(calls(&town).0, 1);
    home.age_cache(A_WHILE);
    Client::new(&home, &town).helper("get", &state(&first)).assert_ok();
    assert_eq!(calls(&town).0, 2);
}

#[test]
fn a_token_that_another_process_has_renewed_is_handed_out_without_a_call() {
    let (town, home) = settled(&Git::newest());
    let old = Client::new(&home, &town).helper("get", "");
    town.github.revoke_all();
    let new = Client::new(&home, &town).helper("get", &refused(&old));
    assert_ne!(token(&new), token(&old));
    assert_eq!(token(&Client::new(&home, &town).helper("get", &refused(&old))), token(&new));
    assert_eq!(calls(&town).0, 1);
}

#[test]
fn other_helpers_states_are_ignored() {
    let (town, home) = settled(&Git::newest());
    let host = town.github.host();
    let other = "state[]=other:1\nusername=x-access-token\n";
    let text = format!("capability[]=state\nprotocol=http\nhost={host}\n{other}\n");
    let answer = home.helper_of_transport(&["get"], &text);
    assert_eq!(value(answer.assert_ok(), "continue"), Some("1"));
    assert_eq!(calls(&town).0, 0);
}

#[test]
fn one_line_tells_of_a_refused_long_lived_token_and_of_the_snapshot_in_its_place() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GITHUB_CLI_PAT", "ghp_revoked").set("GIT_TOKEN", "ghs_snapshot");
    town.worker.go_down();
    let first = Client::new(&home, &town).helper("get", "");
    let second = Client::new(&home, &town).helper("get", &refused(&first));
    assert_eq!(token(&second), "ghs_snapshot");
    let parts = ["rejected GITHUB_CLI_PAT; replace", "[worker-unreachable]", "using GIT_TOKEN"];
    assert_warns(&second, &parts);
}

#[test]
fn a_rig_with_another_token_is_not_touched_by_a_refusal() {
    let (town, mut home) = settled(&Git::newest());
    town.worker.add_rig("rig-2", Rig::Installation);
    home.set("GASTOWN_RIG_ID", "rig-2");
    let other = token(&get(&home, &town));
    home.set("GASTOWN_RIG_ID", "rig-1");
    let host = town.github.host();
    let erased = format!("protocol=http\nhost={host}\npassword={other}\n\n");
    home.helper(&["erase"], &erased).assert_ok();
    town.worker.forget_calls();
    token(&get(&home, &town));
    assert_eq!(calls(&town).0, 0);
}
