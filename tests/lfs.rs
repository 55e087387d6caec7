//! git-lfs asks through `git credential fill`, many times in one command and in parallel. A token
//! that dies meanwhile must never cost it the command; a token that stays dead must end the
//! command.
//!
//! Not every combination is run: each version of git-lfs meets every death, in the next of the
//! `WAYS` to set git-lfs up each time, and every death meets both values of each setting.

mod scene;

use std::thread;

use self::scene::{Cost, LfsScene, WAYS};
use crate::clients::git_lfs::GitLfs;
use crate::town::lfs::Moment;
use crate::town::{Git, Ran};
use crate::transcript::A_WHILE;

/// `lfs.concurrenttransfers`: that many requests can be on their way when a token dies.
const TRANSFERS_AT_ONCE: usize = 8;

/// What a token that dies may cost one command: each running transfer once, and once more whenever
/// the dead token gets back into git-lfs's own cache. A worker that knows no other puts it there
/// once, and so does git-lfs itself, where a request that was answered before the token died is
/// approved after another was refused (`Approve` in `creds/creds.go`).
#[track_caller]
fn assert_cheap(ran: &Ran, cost: Cost, case: &str) {
    assert!(cost.refused <= 3 * TRANSFERS_AT_ONCE, "{case}, {cost:?}\n{ran:?}");
    assert!(cost.worker_calls <= 2, "{case}, {cost:?}\n{ran:?}");
}

/// Checks the newest git with every version of git-lfs, the first of them in the way of that
/// number, side by side; and every older git, which does not pass our state on to git-lfs, with one
/// of them.
fn each_git_lfs(first_way: usize, gits: &[Git], check: impl Fn(&LfsScene, &str) + Sync) {
    let (versions, newest) = (GitLfs::all(), Git::newest());
    thread::scope(|scope| {
        for (number, git_lfs) in versions.iter().enumerate() {
            let gits = gits.iter().filter(|git| {
                git.version == newest.version || number == first_way % versions.len()
            });
            for git in gits {
                let (way, check) = (WAYS[(first_way + number) % WAYS.len()], &check);
                scope.spawn(move || {
                    let case = format!("git {}, git-lfs {}, {way:?}", git.version, git_lfs.version);
                    check(&LfsScene::new(git, git_lfs, way), &case);
                });
            }
        }
    });
}

/// Pushes and pulls with a token that dies as `kill` arranges.
fn assert_heals(first_way: usize, kill: impl Fn(&LfsScene) + Sync) {
    each_git_lfs(first_way, &[Git::newest()], |scene, case| {
        kill(scene);
        let (pushed, cost) = scene.measured(LfsScene::push);
        assert_eq!(pushed.code, 0, "{case}, {cost:?}\n{pushed:?}");
        assert_cheap(&pushed, cost, case);
        scene.assert_everything_is_stored();
        scene.assert_its_moment_came();

        scene.clone_without_objects();
        kill(scene);
        let (pulled, cost) = scene.measured(LfsScene::pull);
        assert_eq!(pulled.code, 0, "{case}, {cost:?}\n{pulled:?}");
        assert_cheap(&pulled, cost, case);
        scene.assert_everything_was_pulled();
        scene.assert_its_moment_came();
        scene.assert_no_token_went_elsewhere();
    });
}

#[test]
fn live_token_is_never_taken_for_refused() {
    each_git_lfs(0, &Git::all(), |scene, case| {
        let (pushed, cost_of_push) = scene.measured(LfsScene::push);
        scene.clone_without_objects();
        let (pulled, cost_of_pull) = scene.measured(LfsScene::pull);
        for (ran, cost) in [(pushed, cost_of_push), (pulled, cost_of_pull)] {
            assert_eq!((ran.code, cost.refused), (0, 0), "{case}\n{ran:?}");
            assert!(cost.worker_calls <= 1, "{case}, {cost:?}\n{ran:?}");
            assert!(!ran.stderr.contains("git-credential-gastown"), "{case}\n{ran:?}");
        }
        scene.assert_everything_was_pulled();
        scene.assert_no_token_went_elsewhere();
    });
}

#[test]
fn token_revoked_after_the_first_batch_heals_with_every_git_lfs() {
    assert_heals(0, |scene| scene.github.revoke_all_at(Moment::Batches(1)));
}

#[test]
fn token_expired_after_the_first_batch_heals_with_every_git_lfs() {
    assert_heals(1, |scene| scene.expire_at(Moment::Batches(1)));
}

#[test]
fn token_revoked_in_the_middle_of_a_batch_heals_with_every_git_lfs() {
    assert_heals(2, |scene| scene.github.revoke_all_at(Moment::Transfers(50)));
}

#[test]
fn token_expired_in_the_middle_of_a_batch_heals_with_every_git_lfs() {
    assert_heals(3, |scene| scene.expire_at(Moment::Transfers(50)));
}

/// With a worker that has no other token, every command fails soon and says why, whatever the
/// versions; and all is well a while after the worker is.
fn assert_ends(first_way: usize, kill: impl Fn(&LfsScene) + Sync) {
    each_git_lfs(first_way, &Git::all(), |scene, case| {
        scene.worker.stuck_on(&scene.current());
        kill(scene);
        let (failed, cost) = scene.measured(LfsScene::push);
        assert_ne!(failed.code, 0, "{case}, {cost:?}\n{failed:?}");
        assert_cheap(&failed, cost, case);
        assert!(failed.stderr.contains("[token-rejected]"), "{case}\n{failed:?}");

        scene.worker.unstuck();
        scene.let_pass(A_WHILE);
        let (pushed, cost) = scene.measured(LfsScene::push);
        assert_eq!(pushed.code, 0, "{case}, {cost:?}\n{pushed:?}");
        scene.assert_everything_is_stored();
    });
}

#[test]
fn token_that_stays_dead_before_a_push_ends_it_with_every_git_lfs() {
    assert_ends(1, |scene| scene.github.revoke_all());
}

#[test]
fn token_that_stays_dead_in_the_middle_of_a_batch_ends_the_push_with_every_git_lfs() {
    assert_ends(2, |scene| scene.github.revoke_all_at(Moment::Transfers(50)));
}
