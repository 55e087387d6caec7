//! A worker that keeps its callers waiting: how long it is waited for depends on what the cached
//! token is still good for, and 20 seconds end everything. The cases wait side by side.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::net::{AddressFamily, SocketAddrV4, SocketType, bind, listen, socket};

use crate::scene::*;
use crate::town::Script;

const DRIP: Duration = Duration::from_millis(500);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n";

/// What keeps the callers waiting, and for which phase of a call they give up.
type Delay = (&'static str, fn(&mut Scene) -> Option<TcpListener>, &'static str);

fn scripted(scene: &Scene, script: Script) -> Option<TcpListener> {
    scene.worker.answer_with(script);
    None
}

/// Replaces the worker by one that is listening but does not say a word, on this scheme.
fn silent(scene: &mut Scene, scheme: &str) -> Option<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    scene.home.set("GASTOWN_API_URL", format!("{scheme}://{address}"));
    Some(listener)
}

/// Replaces the worker by one whose kernel lets every attempt to connect fall on the floor.
fn deaf(scene: &mut Scene) -> Option<TcpListener> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddrV4::new([127, 0, 0, 1].into(), 0)).expect("a free port");
    listen(&socket, 0).expect("a bound socket can listen");
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().expect("it is bound");
    let connect = |address: &SocketAddr| TcpStream::connect_timeout(address, DRIP).ok();
    let waiting: Vec<_> = std::iter::from_fn(|| connect(&address)).take(8).collect();
    assert!(waiting.len() < 8, "a full queue takes nobody in");
    // They keep their places for as long as the listener lives, whether or not they hang up.
    drop(waiting);
    scene.home.set("GASTOWN_API_URL", format!("http://{address}"));
    Some(listener)
}

const DELAYS: [Delay; 6] = [
    ("silence", |scene| scripted(scene, Script::Silence), "waiting for the answer"),
    ("a dripping head", |scene| scripted(scene, drip(HEAD)), "waiting for the answer"),
    (
        "a dripping body",
        |scene| scripted(scene, drip(&[HEAD, &[b' '; 400]].concat())),
        "waiting for the answer",
    ),
    ("a TLS handshake that stalls", |scene| silent(scene, "https"), "connecting"),
    ("a plain handshake that stalls", |scene| silent(scene, "http"), "waiting for the answer"),
    ("no handshake at all", deaf, "connecting"),
];

fn drip(bytes: &[u8]) -> Script {
    Script::Drip(bytes.to_vec(), DRIP)
}

#[test]
fn no_delay_holds_a_process_for_longer_than_its_time() {
    let delays: [fn(); 4] = [
        who_has_waited_too_long_blames_nobody,
        without_a_token_each_kind_of_delay_is_borne_for_so_long,
        with_a_token_silence_is_borne_for_as_long_as_the_token_allows,
        the_time_runs_from_the_end_of_the_request,
    ];
    at_once(&delays, |delay| delay());
}

fn without_a_token_each_kind_of_delay_is_borne_for_so_long() {
    at_once(&DELAYS, |(what, delay, phase)| {
        let mut scene = Scene::new();
        let _listener = delay(&mut scene);
        let ran = scene.get();
        // Two attempts at something that takes at most 4 s, or 13 s in all.
        ran.quits("timeout").mentions(phase).within(7 * SECOND..20 * SECOND);
        scene.prolong_failure();
        scene.get().quits("timeout").mentions(phase).within(..4 * SECOND);
        assert!(scene.calls() <= 2, "{what}");
    });
}

fn with_a_token_silence_is_borne_for_as_long_as_the_token_allows() {
    at_once(&[SOON, DUE, DEAD], |age| {
        let (scene, old) = Scene::with_token(*age);
        scene.worker.answer_with(Script::Silence);
        let ran = scene.get();
        match *age {
            SOON => ran.answers(&old).within(3 * SECOND..7 * SECOND),
            DUE => ran.warns(&old, "timeout").within(7 * SECOND..12 * SECOND),
            _ => ran.quits("timeout").within(12 * SECOND..20 * SECOND),
        };
        assert_eq!(scene.calls(), if *age == SOON { 1 } else { 2 });
        assert!(scene.record("failure").is_some());
    });
}

/// A process that waited for another one, and had no time left to ask, knows nothing of the worker.
fn who_has_waited_too_long_blames_nobody() {
    let (scene, _) = Scene::with_token(DEAD);
    scene.get().assert_ok();
    scene.let_pass(2 * HOUR);
    scene.worker.answer_with(Script::Silence);
    let files = scene.home.cache_files();
    let lock = files.iter().find(|file| file.extension().is_some_and(|end| end == "lock"));
    let lock = File::open(lock.expect("a renewal made it")).expect("it is ours");
    flock(&lock, FlockOperation::LockExclusive).expect("nobody holds it");
    let ran = scene.get();
    ran.assert_fails().mentions("did not answer within").mentions("[timeout]");
    ran.within(14 * SECOND..);
    assert_eq!(scene.record("failure"), None);
}

fn the_time_runs_from_the_end_of_the_request() {
    let (scene, _) = Scene::with_token(DEAD);
    let request = scene.request();
    // One second more than a process has.
    let late = scene.shell(&format!("{{ sleep 21; printf '%s' '{request}'; }} | \"$HELPER\" get"));
    late.answers(&scene.current());
    assert_eq!(scene.record("failure"), None);
}

#[test]
fn sixty_processes_on_a_silent_worker_share_one_timeout() {
    let herds: [fn(); 2] = [
        sixty_without_a_token_share_one_timeout,
        sixty_with_a_token_near_its_end_do_not_wait_in_turn,
    ];
    at_once(&herds, |herd| herd());
}

fn sixty_without_a_token_share_one_timeout() {
    let (scene, _) = Scene::with_token(DEAD);
    scene.worker.answer_with(Script::Silence);
    let herd = scene.herd(60);
    assert!(scene.calls() <= 2, "one process asks, twice: {:?}", scene.worker.calls());
    for ran in &herd {
        ran.quits("timeout").within(..22 * SECOND);
    }
    assert_eq!(scene.record("failure").expect("it is on record")["count"], 1);
    scene.prolong_failure();
    // Whoever comes next is told at once, with when it will be tried again.
    scene.get().quits("timeout").mentions("will be tried again in").within(..2 * SECOND);
    assert!(scene.calls() <= 2);
}

fn sixty_with_a_token_near_its_end_do_not_wait_in_turn() {
    let (scene, old) = Scene::with_token(DUE);
    scene.worker.answer_with(Script::Silence);
    for ran in scene.herd(60) {
        // The one that asked tells what came of it, the others that somebody is asking.
        ran.warns_of(&old, &["[timeout]", "has been renewing"]).within(..13 * SECOND);
    }
    assert!(scene.calls() <= 2, "{:?}", scene.worker.calls());
}
