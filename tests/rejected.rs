//! A 401 is evidence about one token at one host at one moment: it has the worker asked, and takes
//! a live token from nobody but the command that was refused.

use crate::client::{Client, End};
use crate::scene::*;
use crate::town::Git;

/// Another host that is served. Nothing is there.
const OTHER: &str = "localhost:1";

/// With a token that GitHub must know everywhere by now.
fn settled() -> Scene {
    Scene::with_token(A_WHILE).0
}

/// With a long-lived token and no worker.
fn without_worker(token: &str) -> Scene {
    let mut scene = Scene::new();
    scene.home.set("GITHUB_CLI_PAT", token).unset("GASTOWN_API_URL");
    scene
}

fn serve_other_host(scene: &mut Scene) {
    let hosts = format!("http://{},http://{OTHER}", scene.github.host());
    scene.home.set("GASTOWN_GIT_HOSTS", &hosts);
}

#[test]
fn after_five_seconds_of_refusals_every_ask_succeeds() {
    let scene = settled();
    let (good, ill) = (Client::new(&scene), Client::new(&scene).refusing());
    for _ in 0..5 {
        assert_ne!(ill.command(), End::Nothing);
        scene.let_pass(SECOND);
    }
    for step in 0..30 {
        assert_eq!(good.command(), End::Accepted, "step {step}");
        scene.let_pass(MINUTE);
    }
}

#[test]
fn refusals_cost_at_most_20_calls_an_hour_and_break_no_other_ask() {
    for is_stuck in [false, true] {
        let scene = Scene::new();
        let token = scene.get().token();
        if is_stuck {
            scene.worker.stuck_on(&token);
        }
        let (good, bad) = (Client::new(&scene), Client::new(&scene).refusing());
        const STEPS: u32 = 200;
        for step in 0..STEPS {
            scene.let_pass(HOUR / STEPS);
            assert_ne!(bad.command(), End::Nothing, "step {step}");
            assert_eq!(good.command(), End::Accepted, "step {step}");
        }
        assert!(scene.calls() <= 20, "{} calls, stuck: {is_stuck}", scene.calls());
    }
}

#[test]
fn only_the_command_that_was_refused_itself_ends() {
    for is_down in [false, true] {
        let scene = settled();
        if is_down {
            scene.worker.go_down();
        }
        let (good, bad) = (Client::new(&scene), Client::new(&scene).refusing());
        for _ in 0..4 {
            assert_eq!(bad.command(), End::Quit);
            assert_eq!(good.command(), End::Accepted);
            scene.let_pass(10 * SECOND);
        }
        assert_eq!(scene.both_calls(), (usize::from(!is_down), 0));
    }
}

#[test]
fn refusal_at_one_host_changes_nothing_at_another() {
    let mut scene = settled();
    serve_other_host(&mut scene);
    assert_eq!(Client::new(&scene).refusing().command(), End::Quit);
    scene.worker.forget_calls();
    scene.let_pass(MINUTE);
    for _ in 0..10 {
        assert_eq!(Client::new(&scene).at(OTHER).command(), End::Accepted);
    }
    assert_eq!(scene.both_calls(), (0, 0), "nobody refused it there");
}

#[test]
fn long_lived_token_refused_at_one_host_serves_the_other() {
    let mut scene = settled();
    serve_other_host(&mut scene);
    scene.home.set("GITHUB_CLI_PAT", "ghp_mine");
    let (here, there) = (Client::new(&scene), Client::new(&scene).at(OTHER));
    let refusing = Client::new(&scene).at(OTHER).refusing();
    assert_eq!(refusing.command(), End::Refused, "the worker's is refused there, too");
    for _ in 0..5 {
        here.get("").answers("ghp_mine");
        // There the next source is used for five minutes.
        assert_ne!(there.get("").mentions("GITHUB_CLI_PAT").token(), "ghp_mine");
        scene.let_pass(50 * SECOND);
    }
    scene.let_pass(MINUTE);
    assert_eq!(there.get("").token(), "ghp_mine");
}

#[test]
fn long_lived_token_that_is_the_only_source_is_handed_out_again() {
    for token in ["ghp_mine", "gho_mine", "of_another_shape"] {
        let scene = without_worker(token);
        let (good, bad) = (Client::new(&scene), Client::new(&scene).refusing());
        for _ in 0..3 {
            assert_eq!(bad.command(), End::Quit, "the command that was refused");
            assert_eq!(good.get("").mentions("GITHUB_CLI_PAT").token(), token);
            assert_eq!(good.command(), End::Accepted);
            good.get("").answers(token);
        }
    }
}

#[test]
fn clone_with_a_dead_extra_header_leaves_other_clones_working() {
    at_once(&Git::all(), |git| {
        let scene = Scene::cloned(git);
        scene.clone_into("good");
        let key = format!("http.http://{}/.extraheader", scene.github.host());
        let dead = ["config", &key, "Authorization: Basic ZGVhZDpkZWFk"];
        scene.home.git_in("app", &dead).assert_ok();
        scene.worker.forget_calls();
        for round in 0..12 {
            scene.let_pass(5 * MINUTE);
            scene.push(&format!("file-{round}")).assert_fails();
            scene.home.git_in("good", &["fetch", "--quiet", "origin"]).assert_ok();
        }
        assert!(scene.calls() <= 20, "{} calls with git {}", scene.calls(), git.version);
    });
}

#[test]
fn snapshot_that_was_refused_is_dead_for_good_and_named() {
    let mut scene = settled();
    scene.worker.go_down();
    scene.let_pass(2 * HOUR);
    scene.home.set("GIT_TOKEN", "ghs_snapshot");
    let client = Client::new(&scene);
    assert_eq!(client.get("").token(), "ghs_snapshot");
    let erased = "username=x-access-token\npassword=ghs_snapshot\n";
    client.helper("erase", erased).mentions("rejected GIT_TOKEN");
    for _ in 0..3 {
        let next = client.get("");
        assert_eq!(next.assert_fails().stdout, "quit=1\n", "{next:?}");
        next.mentions("GIT_TOKEN (known dead)");
        scene.let_pass(3 * 24 * HOUR);
    }
}

#[test]
fn snapshot_that_the_worker_has_replaced_is_dead() {
    let mut scene = settled();
    let old = scene.current();
    scene.let_pass(HOUR);
    scene.get().token();
    scene.worker.go_down();
    scene.let_pass(HOUR);
    scene.home.set("GIT_TOKEN", &old);
    scene.get().quits("worker-unreachable").mentions("GIT_TOKEN (known dead)");
}

#[test]
fn without_a_cache_a_refused_token_is_not_handed_out_to_the_same_command() {
    let mut scene = Scene::new();
    let nowhere = "/dev/null/cache";
    scene.home.set("GASTOWN_CACHE_DIR", nowhere).set("TMPDIR", nowhere);
    assert_eq!(Client::new(&scene).refusing().command(), End::Quit);
}

#[test]
fn refused_long_lived_token_costs_one_warning_a_command() {
    let mut scene = without_worker("ghp_mine");
    scene.home.set("GIT_TOKEN", "ghp_two");
    let client = Client::new(&scene);
    for token in ["ghp_mine", "ghp_two"] {
        let erased = format!("username=x-access-token\npassword={token}\n");
        client.helper("erase", &erased).never_says("the worker's token");
    }
    let ran = client.get("");
    assert_eq!(ran.token(), "ghp_mine");
    ran.warned(&["GITHUB_CLI_PAT", "no other token"]);
}

#[test]
fn erased_token_of_the_other_kind_is_not_ours_there() {
    let mut scene = Scene::new();
    scene.home.set("GITLAB_TOKEN", "glpat-mine").set("GITHUB_CLI_PAT", "ghp_mine");
    let erase = |password: &str| {
        scene.ask("erase", &format!("protocol=https\nhost=gitlab.com\npassword={password}\n\n"))
    };
    erase("ghp_mine").prints("");
    erase("glpat-mine").mentions("GITLAB_TOKEN; replace it [token-rejected]");
}
