//! Where a container token may travel: to the worker at its own address and nowhere else, in the
//! clear only within this machine, through a proxy only on the way out.

use std::io::Read as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::faults::network::Authority;
use crate::scene::Scene;
use crate::scene::*;
use crate::town::server::Server;
use crate::town::{Home, Script};

/// The first byte of a connection over TLS.
const TLS_HANDSHAKE: u8 = 22;

/// Somebody who takes connections, notes how each begins, and hangs up.
struct Bystander {
    server: Server,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Bystander {
    fn start() -> Self {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let notes = Arc::clone(&heard);
        let server = Server::start(move |stream| {
            let text = beginning(&stream);
            notes.lock().expect("nobody panics here").push(text);
        });
        Self { server, heard }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panics here").clone()
    }
}

/// The head of a request in HTTP, or as much as came at once of anything else.
fn beginning(mut stream: &TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..length]);
        let is_tls = bytes.first() == Some(&TLS_HANDSHAKE);
        if length == 0 || is_tls || bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}

/// Whose agent trusts some authority, so that a machine without any will do.
fn careful_scene() -> Scene {
    let mut scene = Scene::new();
    Authority::new(&mut scene);
    scene
}

fn set_proxies(home: &mut Home, url: &str) {
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        home.set(name, url).set(&name.to_lowercase(), url);
    }
}

#[test]
fn an_answer_may_have_64_kib_and_no_more() {
    let body = json!({ "success": true, "data": { "token": "ghs_mine" } }).to_string();
    let padded = |length: usize| {
        Script::status(200, &[], &format!("{body}{}", " ".repeat(length - body.len())))
    };
    let scene = Scene::new();
    scene.worker.answer_with(padded(64 * 1024));
    scene.get().answers("ghs_mine");
    for length in [64 * 1024 + 1, 10 << 20] {
        let scene = Scene::new();
        scene.worker.answer_with(padded(length));
        scene.get().quits("bad-answer");
        assert_eq!(scene.calls(), 1, "once is enough");
    }
}

#[test]
fn an_address_in_the_clear_or_that_is_none_is_refused_without_repeating_its_password() {
    let mut scene = Scene::new();
    let url = scene.worker.url();
    let authority = url.trim_start_matches("http://");
    let port = url.rsplit(':').next().expect("a port");
    for url in [
        // Leads to the stand-in, but does not look like this machine.
        &*format!("http://0.0.0.0:{port}"),
        &format!("HTTP://0.0.0.0:{port}"),
        "http://worker.example",
        "http://localhost.example",
        "http://127.0.0.1.example",
        &format!("http://alice:hunter2@{authority}"),
        &format!("https://hunter2@{authority}"),
        &format!("{url}?key=hunter2"),
        &format!("{url}#hunter2"),
        "hunter2",
        "ftp://127.0.0.1",
        "https://",
        "http:///api",
    ] {
        scene.home.set("GASTOWN_API_URL", url);
        scene.get().quits("config-missing").mentions("GASTOWN_API_URL").never_says("hunter2");
    }
    assert_eq!(scene.worker.calls().len(), 0);
}

#[test]
fn a_trailing_slash_and_a_path_are_part_of_the_address_as_one_would_expect() {
    let mut scene = Scene::new();
    scene.home.set("GASTOWN_API_URL", format!("{}/", scene.worker.url()));
    scene.get().answers(&scene.current());
    let heard = Bystander::start();
    scene.home.set("GASTOWN_API_URL", format!("http://{}/base/", heard.address()));
    scene.get().assert_fails();
    let line = "POST /base/api/towns/town-1/rigs/rig-1/refresh-git-token HTTP/1.1\r\n";
    assert!(heard.heard()[0].starts_with(line), "{:?}", heard.heard());
}

#[test]
fn loopback_is_never_reached_through_a_proxy() {
    let (proxy, worker) = (Bystander::start(), Bystander::start());
    let mut scene = careful_scene();
    set_proxies(&mut scene.home, &format!("http://{}", proxy.address()));
    scene.get().answers(&scene.current());
    scene.home.set("GASTOWN_API_URL", format!("https://{}", worker.address()));
    scene.get().quits("worker-unreachable");
    let heard = worker.heard();
    assert!(!heard.is_empty(), "it was asked directly, over TLS");
    assert!(heard.iter().all(|it| it.as_bytes()[0] == TLS_HANDSHAKE), "{heard:?}");
    assert!(proxy.heard().is_empty(), "{:?}", proxy.heard());
}

#[test]
fn a_proxy_from_the_environment_leads_out_over_https() {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let proxy = Bystander::start();
        let mut scene = careful_scene();
        scene.home.set("GASTOWN_API_URL", "https://worker.example");
        scene.home.set(name, format!("http://{}", proxy.address()));
        scene.get().quits("worker-unreachable");
        let first = proxy.heard().into_iter().next().unwrap_or_default();
        assert!(first.starts_with("CONNECT worker.example:443 HTTP/1.1\r\n"), "{name}: {first}");
        assert!(!first.contains("Bearer"), "{first}");
    }
}

#[test]
fn hosts_in_no_proxy_are_reached_directly() {
    let (proxy, worker) = (Bystander::start(), Bystander::start());
    let mut scene = careful_scene();
    scene.home.set("HTTPS_PROXY", format!("http://{}", proxy.address()));
    scene.home.set("GASTOWN_API_URL", "https://worker.invalid").set("NO_PROXY", ".invalid");
    scene.get().quits("worker-unreachable");
    // Not loopback by its look, and yet this machine.
    scene.home.set("GASTOWN_API_URL", format!("https://0.0.0.0:{}", worker.server.port()));
    scene.home.set("NO_PROXY", "other.example,0.0.0.0");
    scene.get().quits("worker-unreachable");
    assert!(proxy.heard().is_empty(), "{:?}", proxy.heard());
    assert!(!worker.heard().is_empty());
    scene.home.set("NO_PROXY", "other.example");
    scene.let_pass(MINUTE);
    scene.get().quits("worker-unreachable");
    assert!(!proxy.heard().is_empty(), "the list is what made the difference");
}
