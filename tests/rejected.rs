//! A 401 is evidence about one token at one host at one moment: it has the worker asked, and takes
//! a live token from nobody but the command that was refused.

use std::time::Duration;

use crate::client::{Client, End, refused, state};
use crate::scene::at_once;
use crate::town::{Git, Home, RIG, Ran, Town};
use crate::transcript::*;

/// A town and an agent with a token that GitHub must know everywhere by now.
fn settled() -> (Town, Home) {
    let town = Town::start();
    let home = agent(&town);
    token(&get(&home, &town));
    let_pass(&town, &home, 2 * MINUTE);
    town.worker.forget_calls();
    (town, home)
}

#[test]
fn after_five_seconds_of_refusals_every_ask_succeeds() {
    let (town, home) = settled();
    let (good, ill) = (Client::new(&home, &town), Client::new(&home, &town).refusing());
    for _ in 0..5 {
        assert_ne!(ill.command(), End::Nothing);
        let_pass(&town, &home, SECOND);
    }
    for step in 0..120 {
        assert_eq!(good.command(), End::Accepted, "step {step}");
        let_pass(&town, &home, 15 * SECOND);
    }
}

/// An hour of each. The program pauses whenever a token seconds old is refused, so they run side by
/// side.
#[test]
fn refusals_cost_at_most_20_calls_an_hour_and_break_no_other_ask() {
    let hours: [fn(); 3] = [
        repository_that_always_refuses,
        worker_that_mints_at_every_call,
        hints_and_refusals_together,
    ];
    at_once(&hours, |hour| hour());
}

fn repository_that_always_refuses() {
    let (town, home) = settled();
    let (good, bad) = (Client::new(&home, &town), Client::new(&home, &town).refusing());
    for step in 0..1000 {
        assert_ne!(bad.command(), End::Nothing, "step {step}");
        assert_eq!(good.command(), End::Accepted, "step {step}");
        let_pass(&town, &home, Duration::from_millis(3600));
    }
    let (calls, _) = calls(&town);
    assert!(calls <= 20, "{calls} calls");
}

fn worker_that_mints_at_every_call() {
    let (town, home) = settled();
    let bad = Client::new(&home, &town).refusing();
    for _ in 0..100 {
        town.worker.forget(RIG);
        assert_ne!(bad.command(), End::Nothing);
        let_pass(&town, &home, 36 * SECOND);
    }
    let (calls, _) = calls(&town);
    assert!(calls <= 20, "{calls} calls");
}

#[test]
fn only_the_command_that_was_refused_itself_ends() {
    let (town, home) = settled();
    let (good, bad) = (Client::new(&home, &town), Client::new(&home, &town).refusing());
    assert_eq!(bad.command(), End::Quit);
    for _ in 0..3 {
        assert_eq!(bad.command(), End::Quit);
        assert_eq!(good.command(), End::Accepted);
    }
    assert_eq!(calls(&town), (1, 0));
}

#[test]
fn refusal_at_one_host_changes_nothing_at_another() {
    let (town, mut home) = settled();
    let other = "localhost:1";
    home.set("GASTOWN_GIT_HOSTS", &format!("http://{},http://{other}", town.github.host()));
    let bad = Client::new(&home, &town).refusing();
    assert_eq!(bad.command(), End::Quit);
    town.worker.forget_calls();
    let_pass(&town, &home, MINUTE);
    for _ in 0..10 {
        assert_eq!(Client::new(&home, &town).at(other).command(), End::Accepted);
    }
    assert_eq!(calls(&town), (0, 0), "nobody refused it there");
}

#[test]
fn refused_token_is_served_to_other_commands_while_the_worker_is_down() {
    let (town, home) = settled();
    town.worker.go_down();
    let (good, bad) = (Client::new(&home, &town), Client::new(&home, &town).refusing());
    for _ in 0..3 {
        assert_eq!(bad.command(), End::Quit);
        assert_eq!(good.command(), End::Accepted);
        let_pass(&town, &home, 40 * SECOND);
    }
}

#[test]
fn long_lived_token_refused_at_one_host_serves_the_other() {
    let (town, mut home) = settled();
    let other = "localhost:1";
    home.set("GASTOWN_GIT_HOSTS", &format!("http://{},http://{other}", town.github.host()));
    home.set("GITHUB_CLI_PAT", "ghp_mine");
    let here = || Client::new(&home, &town);
    let there = || Client::new(&home, &town).at(other);
    assert_eq!(there().refusing().command(), End::Refused, "the worker's is refused there, too");
    for _ in 0..5 {
        let ran = here().helper("get", "");
        assert_eq!((token(&ran), &*ran.stderr), ("ghp_mine".to_owned(), ""));
        // There the next source is used for five minutes.
        let ran = there().helper("get", "");
        assert_ne!(token(&ran), "ghp_mine");
        assert!(ran.stderr.contains("GITHUB_CLI_PAT"), "{ran:?}");
        let_pass(&town, &home, 50 * SECOND);
    }
    let_pass(&town, &home, MINUTE);
    assert_eq!(token(&there().helper("get", "")), "ghp_mine");
}

#[test]
fn long_lived_token_that_is_the_only_source_is_handed_out_again() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GITHUB_CLI_PAT", "ghp_mine");
    home.unset("GASTOWN_API_URL");
    let (good, bad) = (Client::new(&home, &town), Client::new(&home, &town).refusing());
    for _ in 0..3 {
        assert_eq!(bad.command(), End::Quit, "the command that was refused");
        let next = good.helper("get", "");
        assert_eq!(token(&next), "ghp_mine");
        assert!(next.stderr.contains("GITHUB_CLI_PAT"), "{next:?}");
        assert_eq!(good.command(), End::Accepted);
        assert_eq!(good.helper("get", "").stderr, "", "a success clears it");
    }
}

#[test]
fn clone_with_a_dead_extra_header_leaves_other_clones_working() {
    at_once(&Git::all(), |git| {
        let town = Town::start();
        town.github.create_repository(REPOSITORY);
        let home = cloned(&town, git);
        home.git(&["clone", "--quiet", &town.github.url(REPOSITORY), "good"]).assert_ok();
        let key = format!("http.http://{}/.extraheader", town.github.host());
        home.git_in("app", &["config", &key, "Authorization: Basic ZGVhZDpkZWFk"]).assert_ok();
        town.worker.forget_calls();
        for round in 0..12 {
            let_pass(&town, &home, 5 * MINUTE);
            home.commit("app", "file", format!("{round}").as_bytes());
            home.git_in("app", &["push", "--quiet", "origin", "HEAD"]).assert_fails();
            home.git_in("good", &["fetch", "--quiet", "origin"]).assert_ok();
        }
        let (calls, _) = calls(&town);
        assert!(calls <= 20, "{calls} calls with git {}", git.version);
    });
}

#[test]
fn snapshot_that_was_refused_is_dead_for_good_and_named() {
    let (town, mut home) = settled();
    town.worker.go_down();
    let_pass(&town, &home, 2 * HOUR);
    home.set("GIT_TOKEN", "ghs_snapshot");
    let client = Client::new(&home, &town);
    let first = client.helper("get", "");
    assert_eq!(token(&first), "ghs_snapshot");
    let lines = "username=x-access-token\npassword=ghs_snapshot\n";
    let erased = client.helper("erase", lines);
    assert!(erased.stderr.contains("rejected GIT_TOKEN"), "{erased:?}");
    for _ in 0..3 {
        let next = client.helper("get", "");
        assert_eq!(next.assert_fails().stdout, "quit=1\n", "{next:?}");
        assert!(next.stderr.contains("GIT_TOKEN (known dead)"), "{next:?}");
        let_pass(&town, &home, 3 * 24 * HOUR);
    }
}

#[test]
fn snapshot_that_the_worker_has_replaced_is_dead() {
    let (town, mut home) = settled();
    let old = town.worker.token_for(RIG);
    let_pass(&town, &home, HOUR);
    token(&get(&home, &town));
    town.worker.go_down();
    let_pass(&town, &home, HOUR);
    home.set("GIT_TOKEN", &old);
    let ran = get(&home, &town);
    assert_fails_as(&ran, "worker-unreachable");
    assert!(ran.stderr.contains("GIT_TOKEN (known dead)"), "{ran:?}");
}

#[test]
fn without_a_cache_a_refused_token_is_not_handed_out_to_the_same_command() {
    let town = Town::start();
    let mut home = agent(&town);
    let file = home.path().join("file");
    std::fs::write(&file, "").expect("the home is writable");
    let nowhere = file.join("cache");
    home.set("GASTOWN_CACHE_DIR", nowhere.to_str().expect("text"));
    home.set("TMPDIR", nowhere.to_str().expect("text"));
    let bad = Client::new(&home, &town).refusing();
    assert_eq!(bad.command(), End::Quit);
}

/// The parent of such an ask is this test: a program that is not git.
#[test]
fn client_that_keeps_no_state_gets_another_token_at_the_second_try_within_a_minute() {
    let (town, home) = settled();
    let old = token(&get(&home, &town));
    town.github.revoke_all();
    let_pass(&town, &home, SECOND);
    assert_ne!(token(&get(&home, &town)), old);
    assert_eq!(calls(&town), (1, 0));
    for _ in 0..20 {
        token(&get(&home, &town));
    }
    assert_eq!(calls(&town), (1, 0), "once a minute at the most");
}

#[test]
fn asks_of_git_are_no_hints() {
    let (town, home) = settled();
    for _ in 0..5 {
        token(&home.helper_of_transport(&["get"], &request(&town)));
    }
    assert_eq!(calls(&town), (0, 0));
}

/// What git-lfs does through `git credential`, as one process: this test.
fn fill_and_reject(home: &Home, town: &Town, times: usize) -> Vec<Ran> {
    let url = format!("url=http://{}/acme/app.git\n\n", town.github.host());
    let credential = |operation: &str, input: &str| {
        let mut git = home.command("git");
        git.args(["credential", operation]);
        Ran::run(git, input.as_bytes())
    };
    let mut filled = Vec::new();
    for _ in 0..times {
        filled.push(credential("fill", &url));
        let answer = filled.last().expect("just pushed");
        if answer.code == 0 {
            credential("reject", &format!("{}\n", answer.stdout)).assert_ok();
        }
    }
    filled
}

#[test]
fn process_that_goes_on_to_reject_is_ended_whatever_sources_there_are() {
    at_once(&Git::all(), |git| {
        for (pat, has_worker) in [(None, true), (Some("ghp_mine"), true), (Some("ghp_mine"), false)]
        {
            let town = Town::start();
            let mut home = configured(&town, git);
            if let Some(pat) = pat {
                home.set("GITHUB_CLI_PAT", pat);
            }
            if has_worker {
                token(&get(&home, &town));
                let_pass(&town, &home, 2 * MINUTE);
            } else {
                home.unset("GASTOWN_API_URL");
            }
            let filled = fill_and_reject(&home, &town, 8);
            let last = filled.last().expect("eight");
            assert!(last.code != 0, "{pat:?}, {has_worker}\n{last:?}");
            assert!(last.stderr.contains("[token-rejected]"), "{last:?}");
            assert!(calls(&town).0 <= 3, "{:?}", calls(&town));
        }
    });
}

#[test]
fn process_that_rejected_once_gets_the_token_again() {
    let town = Town::start();
    let home = configured(&town, &Git::newest());
    token(&get(&home, &town));
    let_pass(&town, &home, 2 * MINUTE);
    let filled = fill_and_reject(&home, &town, 1);
    assert_eq!(filled[0].code, 0);
    let_pass(&town, &home, 5 * SECOND);
    let again = fill_and_reject(&home, &town, 1);
    assert_eq!(again[0].code, 0, "the worker vouches for it\n{:?}", again[0]);
}

#[test]
fn tokens_that_are_revoked_one_after_the_other_heal_each_time() {
    let (town, home) = settled();
    for round in 0..6 {
        let bad = Client::new(&home, &town).refusing();
        let_pass(&town, &home, 70 * SECOND);
        // Refused until there is another token, as after a revocation.
        let old = town.worker.token_for(RIG);
        town.worker.forget(RIG);
        let first = bad.helper("get", "");
        let again = bad.helper("get", &refused(&first));
        let new = value(&again, "password").map(str::to_owned);
        assert!(new.as_ref().is_some_and(|new| *new != old), "round {round}\n{again:?}");
        let stored = format!("username=x-access-token\npassword={}\n", new.unwrap_or_default());
        bad.helper("store", &stored).assert_ok();
    }
    assert_eq!(calls(&town).0, 6);
}

fn hints_and_refusals_together() {
    let (town, home) = settled();
    let client = Client::new(&home, &town);
    for _ in 0..150 {
        // As git-lfs: state with every further ask, refused or not, and then a rejection.
        let first = client.helper("get", "");
        let hint = state(&first);
        let second = client.helper("get", &hint);
        let erased = format!("{hint}username=x-access-token\npassword={}\n", token(&second));
        client.helper("erase", &erased).assert_ok();
        assert_eq!(client.command(), End::Accepted);
        let_pass(&town, &home, 24 * SECOND);
    }
    let (calls, _) = calls(&town);
    assert!(calls <= 20, "{calls} calls");
}

#[test]
fn refused_long_lived_token_costs_one_warning_a_command() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GITHUB_CLI_PAT", "ghp_one").set("GIT_TOKEN", "ghp_two");
    home.unset("GASTOWN_API_URL");
    let client = Client::new(&home, &town);
    for name in ["ghp_one", "ghp_two"] {
        let erased = format!("username=x-access-token\npassword={name}\n");
        let ran = client.helper("erase", &erased);
        assert!(!ran.stderr.contains("the worker's token"), "there is no worker\n{ran:?}");
    }
    let ran = client.helper("get", "");
    assert_eq!(token(&ran), "ghp_one");
    assert_warns(&ran, &["GITHUB_CLI_PAT", "no other token"]);
}

#[test]
fn erased_token_of_the_other_kind_is_not_ours_there() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GITLAB_TOKEN", "glpat-mine").set("GITHUB_CLI_PAT", "ghp_mine");
    let erase = |password: &str| {
        let text = format!("protocol=https\nhost=gitlab.com\npassword={password}\n\n");
        home.helper(&["erase"], &text)
    };
    assert_silently(&erase("ghp_mine"), "");
    let ran = erase("glpat-mine");
    assert!(ran.stderr.contains("GITLAB_TOKEN; replace it [token-rejected]"), "{ran:?}");
}
