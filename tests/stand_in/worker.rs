//! What the worker does besides keeping its contract: each knob that makes it slow, dead or a liar,
//! the record of its calls, and a herd of callers.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::{ask, container_token_path, failure, git_token, git_token_path, post};
use crate::town::{CallKind, RIG, Script, Town, hash};

#[test]
fn scripts_queue_up_and_can_be_for_one_kind_of_call() {
    let town = Town::start();
    let status = |path: &str| {
        let bearer = town.worker.container_token();
        post(&town.worker, path, Some(&bearer)).map(|reply| reply.status).ok()
    };
    let (git, container) = (git_token_path(RIG), container_token_path());
    town.worker.answer_with(Script::error(500, "Internal server error").next(2));
    town.worker.answer_with(Script::Reset.next(1));
    assert_eq!([status(&git), status(&git)], [Some(500), Some(500)]);
    assert_eq!([status(&git), status(&git)], [None, Some(200)]);
    town.worker
        .answer_with(Script::status(429, &[("Retry-After", "7")], "").only(CallKind::GitToken));
    assert_eq!([status(&git), status(&container), status(&git)], [Some(429), Some(200), Some(429)]);
    town.worker.answer_honestly();
    assert_eq!(status(&git), Some(200));
}

#[test]
fn scripts_break_the_rules_as_they_say() {
    let town = Town::start();
    town.worker.answer_with(Script::error(500, "Internal server error").next(1));
    let reply = ask(&town, RIG).expect("an answer");
    assert_eq!((reply.status, reply.json()), (500, failure("Internal server error")));
    town.worker
        .answer_with(Script::status(302, &[("Location", "http://127.0.0.1:1/")], "").next(1));
    assert_eq!(ask(&town, RIG).expect("an answer").header("location"), Some("http://127.0.0.1:1/"));
    let raw = "HTTP/1.1 200 OK\r\n\r\ncut";
    town.worker.answer_with(Script::Raw(raw.into()).next(1));
    assert_eq!(ask(&town, RIG).expect("an answer").body, "cut");
    let pause = Duration::from_millis(1);
    town.worker.answer_with(Script::Drip(raw.into(), pause).next(1));
    assert_eq!(ask(&town, RIG).expect("an answer").body, "cut");
    town.worker.answer_with(Script::Reset.next(1));
    let error = ask(&town, RIG).err().expect("no answer");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// Sends a call without waiting for its answer.
fn begin_call(town: &Town) -> TcpStream {
    let address = town.worker.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).expect("accepted");
    let request = format!("POST {} HTTP/1.1\r\n\r\n", git_token_path(RIG));
    stream.write_all(request.as_bytes()).expect("the request is taken");
    stream
}

#[test]
fn silence_is_recorded_and_never_broken() {
    let town = Town::start();
    town.worker.answer_with(Script::Silence);
    let mut stream = begin_call(&town);
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout can be set");
    let silence = stream.read_exact(&mut [0]).expect_err("nothing is said");
    assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
    let [call] = &town.worker.calls()[..] else { panic!("one call") };
    assert_eq!((call.kind, call.status), (CallKind::GitToken, None));
}

#[test]
fn an_endless_answer_goes_on_for_as_long_as_it_is_read() {
    let town = Town::start();
    town.worker.answer_with(Script::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()));
    let mut much = vec![0; 10 << 20];
    begin_call(&town).read_exact(&mut much).expect("there is more");
    assert!(much.starts_with(b"HTTP/1.1 200 OK\r\n\r\n  ") && much.ends_with(b"  "));
}

#[test]
fn held_calls_are_answered_when_released() {
    let town = Town::start();
    town.worker.hold();
    thread::scope(|scope| {
        let callers = [scope.spawn(|| git_token(&town)), scope.spawn(|| git_token(&town))];
        town.worker.await_git_token_calls(2);
        assert_eq!(town.worker.minted(), 0);
        assert!(town.worker.calls().iter().all(|call| call.status.is_none()));
        town.worker.release();
        let [first, second] = callers.map(|caller| caller.join().expect("an answer"));
        assert_eq!(first, second);
    });
}

#[test]
fn a_slow_worker_answers_late() {
    let town = Town::start();
    town.worker.set_delay(Duration::from_millis(300));
    let started = Instant::now();
    git_token(&town);
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_worker_that_is_down_refuses_connections_and_comes_back_on_its_port() {
    let town = Town::start();
    let url = town.worker.url();
    for _ in 0..3 {
        town.worker.go_down();
        let error = ask(&town, RIG).err().expect("no answer");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        town.worker.come_up();
        assert_eq!(town.worker.url(), url);
        git_token(&town);
    }
}

#[test]
fn calls_are_recorded_with_status_and_bearer() {
    let town = Town::start();
    let bearer = town.worker.container_token();
    post(&town.worker, &git_token_path(RIG), Some(&bearer)).expect("an answer");
    post(&town.worker, &container_token_path(), None).expect("an answer");
    post(&town.worker, "/elsewhere", None).expect("an answer");
    let calls = town.worker.calls();
    let seen = calls.iter().map(|call| (call.kind, call.status, call.bearer.clone()));
    let expected = [
        (CallKind::GitToken, Some(200), Some(hash(&bearer))),
        (CallKind::ContainerToken, Some(401), None),
        (CallKind::Other, Some(404), None),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert_eq!((town.worker.git_token_calls(), town.worker.container_token_calls()), (1, 1));
    town.worker.forget_calls();
    assert!(town.worker.calls().is_empty());
}

#[test]
fn three_hundred_callers_at_once_get_one_token() {
    let town = Town::start();
    let barrier = Barrier::new(300);
    let answers: Vec<String> = thread::scope(|scope| {
        let caller = || {
            barrier.wait();
            git_token(&town)
        };
        let callers: Vec<_> = (0..300).map(|_| scope.spawn(caller)).collect();
        callers.into_iter().map(|it| it.join().expect("an answer")).collect()
    });
    assert_eq!(town.worker.git_token_calls(), 300);
    assert_eq!(town.worker.minted_for(RIG), answers[..1]);
    assert!(answers.iter().all(|token| *token == answers[0]));
}
