//! Single flight: however many agents wake at once, one asks the worker and the others have its
//! answer, be it a token or a failure. Whoever holds the others up is waited for no longer than
//! it is worth, and nobody waits for a lock who has a token that will do.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Output};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::town::{Git, Home, RIG, Script, Town};
use crate::transcript::*;

/// Long enough for processes that were started to be waiting, and no harm if they are not yet.
const SETTLING: Duration = Duration::from_millis(300);

fn outputs(herd: Vec<Child>) -> Vec<Output> {
    let wait = |child: Child| child.wait_with_output().expect("pipes can be read");
    herd.into_iter().map(wait).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// That each was answered with this credential, and had nothing to say.
#[track_caller]
fn assert_all_got(herd: Vec<Child>, token: &str) {
    for output in outputs(herd) {
        assert_eq!(text(&output.stderr), "");
        assert_eq!(text(&output.stdout), credential(token));
    }
}

/// A town and an agent whose token was confirmed this long ago, with the worker holding its
/// answers back.
fn held_town(age: Duration) -> (Town, Home, String) {
    let town = Town::start();
    let home = agent(&town);
    let token = token(&get(&home, &town));
    let_pass(&town, &home, age);
    town.worker.forget_calls();
    town.worker.hold();
    (town, home, token)
}

#[test]
fn sixteen_pushes_at_once_after_an_hour_cost_one_call() {
    let _machine = have_the_machine();
    for git in Git::all() {
        let town = Town::start();
        town.github.create_repository(REPOSITORY);
        let home = cloned(&town, &git);
        for number in 0..16 {
            let path = format!("../agent-{number}");
            let branch = format!("branch-{number}");
            home.git_in("app", &["worktree", "add", "--quiet", "-b", &branch, &path]).assert_ok();
            home.commit(&format!("agent-{number}"), "file", branch.as_bytes());
        }
        let_pass(&town, &home, HOUR);
        town.worker.forget_calls();
        thread::scope(|scope| {
            for number in 0..16 {
                let (home, town) = (&home, &town);
                scope.spawn(move || {
                    let (worktree, branch) =
                        (format!("agent-{number}"), format!("branch-{number}"));
                    let ran = home.git_in(&worktree, &["push", "--quiet", "origin", &branch]);
                    assert_silently(&ran, "");
                    assert!(town.github.commit_at(REPOSITORY, &branch).is_some());
                });
            }
        });
        assert_eq!((calls(&town), town.github.refused_tokens()), ((1, 0), 0), "{}", git.version);
    }
}

#[test]
fn three_hundred_processes_on_an_empty_cache_make_one_call() {
    let _machine = have_the_machine();
    let town = Town::start();
    let home = agent(&town);
    town.worker.hold();
    let herd: Vec<_> = (0..300).map(|_| start_get(&home, &town)).collect();
    town.worker.await_git_token_calls(1);
    town.worker.release();
    let answers = outputs(herd);
    let [token] = &town.worker.minted_for(RIG)[..] else { panic!("one token") };
    for output in answers {
        assert_eq!((&*text(&output.stdout), &*text(&output.stderr)), (&*credential(token), ""));
    }
    assert_eq!(calls(&town), (1, 0));
    assert_eq!(home.cache_files().len(), 2, "an entry and its lock: {:?}", home.cache_files());
}

#[test]
fn three_hundred_processes_with_an_expired_container_token_make_one_call_of_each_kind() {
    let _machine = have_the_machine();
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_CONTAINER_TOKEN", &town.worker.container_token_issued(9 * HOUR));
    let herd: Vec<_> = (0..300).map(|_| start_get(&home, &town)).collect();
    let answers = outputs(herd);
    let [token] = &town.worker.minted_for(RIG)[..] else { panic!("one token") };
    assert!(answers.iter().all(|it| text(&it.stdout) == credential(token)));
    assert_eq!(calls(&town), (1, 1));
}

#[test]
fn a_refusal_answers_for_all_who_waited_for_it() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_RIG_ID", "rig-9");
    town.worker.hold();
    let herd: Vec<_> = (0..50).map(|_| start_get(&home, &town)).collect();
    town.worker.await_git_token_calls(1);
    thread::sleep(SETTLING);
    town.worker.release();
    for output in outputs(herd) {
        assert_eq!(text(&output.stdout), "quit=1\n");
        assert!(text(&output.stderr).contains("[rig-not-found]"), "{}", text(&output.stderr));
    }
    assert_eq!(calls(&town), (1, 0));
}

#[test]
fn a_timeout_is_shared_and_not_queued_for() {
    let town = Town::start();
    let home = agent(&town);
    town.worker.answer_with(Script::Silence);
    let started = Instant::now();
    let herd: Vec<_> = (0..20).map(|_| start_get(&home, &town)).collect();
    for output in outputs(herd) {
        assert_eq!(text(&output.stdout), "quit=1\n");
        assert!(text(&output.stderr).contains("[timeout]"), "{}", text(&output.stderr));
    }
    assert!(started.elapsed() < 25 * SECOND, "20 s are any process's last: {started:?}");
    assert!(calls(&town).0 <= 2, "one process, two attempts: {:?}", calls(&town));
}

#[test]
fn a_killed_holder_frees_the_lock_and_the_others_go_on() {
    let (town, home, _) = held_town(2 * HOUR);
    let mut holder = start_get(&home, &town);
    town.worker.await_git_token_calls(1);
    let herd: Vec<_> = (0..5).map(|_| start_get(&home, &town)).collect();
    thread::sleep(SETTLING);
    assert_eq!(calls(&town).0, 1, "the others wait");
    holder.kill().expect("it is ours");
    holder.wait().expect("it is ours");
    town.worker.await_git_token_calls(2);
    town.worker.release();
    let token = town.worker.token_for(RIG);
    assert_all_got(herd, &token);
    assert_eq!(calls(&town).0, 2);
}

#[test]
fn a_stopped_holder_is_passed_by() {
    let (town, home, _) = held_town(2 * HOUR);
    let mut holder = start_get(&home, &town);
    town.worker.await_git_token_calls(1);
    let pid = Pid::from_child(&holder);
    kill_process(pid, Signal::STOP).expect("it is ours");
    town.worker.release();
    let waiters = [start_get(&home, &town), start_get(&home, &town), start_get(&home, &town)];
    let answers = outputs(waiters.into());
    holder.kill().expect("it is ours");
    holder.wait().expect("it is ours");
    let token = town.worker.token_for(RIG);
    assert!(answers.iter().all(|it| text(&it.stdout) == credential(&token)), "{answers:?}");
    let warned = |it: &&Output| text(&it.stderr).contains(&format!("process {}", holder.id()));
    assert_eq!(answers.iter().filter(warned).count(), 1, "one goes ahead: {answers:?}");
    assert_eq!(calls(&town).0, 2);
}

#[test]
fn waiters_end_when_a_newer_entry_appears_whoever_wrote_it() {
    let town = Town::start();
    let (home, elsewhere) = (agent(&town), agent(&town));
    let newer = token(&get(&elsewhere, &town));
    let written =
        elsewhere.cache_files().into_iter().find(|it| it.extension() == Some("json".as_ref()));
    let written = written.expect("an entry");
    town.worker.forget_calls();
    town.worker.hold();
    let holder = start_get(&home, &town);
    town.worker.await_git_token_calls(1);
    let waiter = start_get(&home, &town);
    thread::sleep(SETTLING);
    // Where an entry lies is told by what it is about, so it can move from cache to cache.
    let (copy, name) = (home.path().join("copy"), written.file_name().expect("a name"));
    fs::copy(&written, &copy).expect("the home is writable");
    fs::rename(&copy, home.cache().join(name)).expect("the cache is ours");
    assert_all_got(vec![waiter], &newer);
    assert_eq!(calls(&town).0, 1);
    town.worker.release();
    assert_all_got(vec![holder], &newer);
}

#[test]
fn a_fresh_token_needs_no_lock() {
    let (town, home, old) = held_town(10 * MINUTE);
    let is_lock = |path: &PathBuf| path.extension().is_some_and(|it| it == "lock");
    for lock in home.cache_files().into_iter().filter(is_lock) {
        fs::remove_file(lock).expect("the cache is ours");
    }
    let before = home.everything();
    assert_silently(&get(&home, &town), &credential(&old));
    assert_eq!((calls(&town).0, home.everything()), (0, before));
}

#[test]
fn a_token_to_be_renewed_soon_is_handed_out_while_another_renews() {
    let (town, home, old) = held_town(20 * MINUTE);
    let holder = start_get(&home, &town);
    town.worker.await_git_token_calls(1);
    assert_silently(&get(&home, &town), &credential(&old));
    assert_eq!(calls(&town).0, 1);
    town.worker.release();
    assert_all_got(vec![holder], &old);
}

#[test]
fn a_token_near_its_end_is_handed_out_with_a_warning_when_another_takes_too_long() {
    let (town, home, old) = held_town(27 * MINUTE);
    let holder = start_get(&home, &town);
    town.worker.await_git_token_calls(1);
    let ran = get(&home, &town);
    assert_eq!(ran.stdout, credential(&old));
    assert_warns(&ran, &["warning: ", &format!("process {}", holder.id())]);
    town.worker.release();
    assert_all_got(vec![holder], &old);
}
