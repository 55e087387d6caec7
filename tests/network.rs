//! Where a container token may travel, and what may come back: to the worker at its own address and
//! nowhere else, in the clear only within this machine, through a proxy only on the way out; and an
//! answer that ends.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::town::server::Server;
use crate::town::{Home, RIG, Script, Town};
use crate::transcript::*;

/// Some authority, so that a machine without any will do. Nobody knows its key.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUVeg6XkrfrQKSiKQfDNdUJJUjJ7AwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGTm9ib2R5MCAXDTI2MTEyMTExMjMyNVoYDzIxMjYxMDI4MTEy
MzI1WjARMQ8wDQYDVQQDDAZOb2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARzgBgmh4e3awA01tj8dyTq2JmPJc5l472OsEW67qUjYT9tYWkGTwLlPg5PMrpD
o9O76gEfdnl1Lu0YgE4S6YaNo1MwUTAdBgNVHQ4EFgQUQP/BUqvONq6+YF3o/dKE
mwflGIwwHwYDVR0jBBgwFoAUQP/BUqvONq6+YF3o/dKEmwflGIwwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAvD7a6ICy6jcBcNHQHOkaECjJ1Q03
+OpIojLxAoRKvZcCICxte7muLhuQr6Baoqd4wF49yLz3VagFEm/V4Y9GWpE7
-----END CERTIFICATE-----
";

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
        let server = Server::start(0, move |stream| {
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

/// An agent who trusts that one authority.
fn careful_agent(town: &Town) -> Home {
    let mut home = agent(town);
    let file = home.path().join("authority.pem");
    fs::write(&file, CERTIFICATE).expect("the home is writable");
    home.set("SSL_CERT_FILE", &file.to_string_lossy());
    home
}

fn set_proxies(home: &mut Home, url: &str) {
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        home.set(name, url).set(&name.to_lowercase(), url);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Bystander::start();
    for status in [301, 302, 303, 307, 308] {
        let town = Town::start();
        let location = format!("http://{}/here", elsewhere.address());
        town.worker.answer_with(Script::status(status, &[("Location", &location)], ""));
        let ran = get(&agent(&town), &town);
        assert_fails_as(&ran, "worker-error");
        assert!(ran.stderr.contains(&elsewhere.address()), "it says whereto\n{ran:?}");
        assert_eq!(calls(&town), (1, 0), "{status}");
    }
    assert!(elsewhere.heard().is_empty(), "{:?}", elsewhere.heard());
}

#[test]
fn an_answer_may_have_64_kib_and_no_more() {
    let body = json!({ "success": true, "data": { "token": "ghs_mine" } }).to_string();
    let padded = |length: usize| {
        let blanks = " ".repeat(length - body.len());
        Script::status(200, &[], &format!("{body}{blanks}"))
    };
    let town = Town::start();
    town.worker.answer_with(padded(64 * 1024));
    assert_silently(&get(&agent(&town), &town), &credential("ghs_mine"));
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes();
    for script in [padded(64 * 1024 + 1), padded(10 << 20), Script::Endless(endless)] {
        let town = Town::start();
        town.worker.answer_with(script);
        let ran = get(&agent(&town), &town);
        assert_fails_as(&ran, "bad-answer");
        assert_eq!(calls(&town), (1, 0), "once is enough\n{ran:?}");
    }
}

#[test]
fn a_worker_in_the_clear_beyond_this_machine_is_refused() {
    let town = Town::start();
    let mut home = agent(&town);
    let port = town.worker.url().rsplit(':').next().expect("a port").to_owned();
    for url in [
        // Leads to the stand-in, but does not look like this machine.
        format!("http://0.0.0.0:{port}"),
        "http://worker.example".to_owned(),
        "http://localhost.example".to_owned(),
        "http://127.0.0.1.example".to_owned(),
        format!("HTTP://0.0.0.0:{port}"),
    ] {
        home.set("GASTOWN_API_URL", &url);
        let ran = get(&home, &town);
        assert_fails_as(&ran, "config-missing");
        assert!(ran.stderr.contains("GASTOWN_API_URL"), "{ran:?}");
    }
    assert_eq!(town.worker.calls().len(), 0);
}

#[test]
fn an_address_that_is_no_workers_is_refused_without_repeating_its_password() {
    let town = Town::start();
    let mut home = agent(&town);
    let url = town.worker.url();
    let authority = url.trim_start_matches("http://");
    for url in [
        format!("http://alice:hunter2@{authority}"),
        format!("https://hunter2@{authority}"),
        format!("{url}?key=hunter2"),
        format!("{url}#hunter2"),
        "hunter2".to_owned(),
        "ftp://127.0.0.1".to_owned(),
        "https://".to_owned(),
        "http:///api".to_owned(),
    ] {
        home.set("GASTOWN_API_URL", &url);
        let ran = get(&home, &town);
        assert_fails_as(&ran, "config-missing");
        assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
    }
    assert_eq!(town.worker.calls().len(), 0);
}

#[test]
fn a_trailing_slash_and_a_path_are_part_of_the_address_as_one_would_expect() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_API_URL", &format!("{}/", town.worker.url()));
    let first = get(&home, &town);
    assert_silently(&first, &credential(&town.worker.token_for(RIG)));
    let heard = Bystander::start();
    home.set("GASTOWN_API_URL", &format!("http://{}/base/", heard.address()));
    get(&home, &town).assert_fails();
    let line = "POST /base/api/towns/town-1/rigs/rig-1/refresh-git-token HTTP/1.1\r\n";
    assert!(heard.heard()[0].starts_with(line), "{:?}", heard.heard());
}

#[test]
fn loopback_is_never_reached_through_a_proxy() {
    let (town, proxy, worker) = (Town::start(), Bystander::start(), Bystander::start());
    let mut home = careful_agent(&town);
    set_proxies(&mut home, &format!("http://{}", proxy.address()));
    assert_silently(&get(&home, &town), &credential(&town.worker.token_for(RIG)));
    home.set("GASTOWN_API_URL", &format!("https://{}", worker.address()));
    assert_fails_as(&get(&home, &town), "worker-unreachable");
    assert!(!worker.heard().is_empty(), "it was asked directly, over TLS");
    assert!(
        worker.heard().iter().all(|it| it.as_bytes()[0] == TLS_HANDSHAKE),
        "{:?}",
        worker.heard()
    );
    assert!(proxy.heard().is_empty(), "{:?}", proxy.heard());
}

#[test]
fn a_proxy_from_the_environment_leads_out_over_https() {
    let town = Town::start();
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let proxy = Bystander::start();
        let mut home = careful_agent(&town);
        home.set("GASTOWN_API_URL", "https://worker.example");
        home.set(name, &format!("http://{}", proxy.address()));
        let ran = get(&home, &town);
        assert_fails_as(&ran, "worker-unreachable");
        let first = proxy.heard().into_iter().next().unwrap_or_default();
        assert!(first.starts_with("CONNECT worker.example:443 HTTP/1.1\r\n"), "{name}: {first}");
        assert!(!first.contains("Bearer"), "{first}");
    }
}

#[test]
fn a_proxy_that_is_down_is_what_the_message_names() {
    let town = Town::start();
    let mut home = careful_agent(&town);
    home.set("GASTOWN_API_URL", "https://worker.example");
    home.set("HTTPS_PROXY", &format!("http://{}", Bystander::start().address()));
    let ran = get(&home, &town);
    assert_fails_as(&ran, "worker-unreachable");
    assert!(ran.stderr.contains("HTTPS_PROXY"), "the worker refused nothing\n{ran:?}");
}

#[test]
fn hosts_in_no_proxy_are_reached_directly() {
    let (town, proxy, worker) = (Town::start(), Bystander::start(), Bystander::start());
    let mut home = careful_agent(&town);
    // Not loopback by its look, and yet this machine.
    home.set("GASTOWN_API_URL", &format!("https://0.0.0.0:{}", worker.server.port()));
    home.set("HTTPS_PROXY", &format!("http://{}", proxy.address()));
    home.set("NO_PROXY", "other.example,0.0.0.0");
    assert_fails_as(&get(&home, &town), "worker-unreachable");
    assert!(proxy.heard().is_empty(), "{:?}", proxy.heard());
    assert!(!worker.heard().is_empty());
    home.set("NO_PROXY", "other.example").age_cache(MINUTE);
    assert_fails_as(&get(&home, &town), "worker-unreachable");
    assert!(!proxy.heard().is_empty(), "the list is what made the difference");
}

#[test]
fn a_worker_without_a_trusted_certificate_hears_no_token() {
    let (town, worker) = (Town::start(), Bystander::start());
    let mut home = careful_agent(&town);
    home.set("GASTOWN_API_URL", &format!("https://{}", worker.address()));
    assert_fails_as(&get(&home, &town), "worker-unreachable");
    let heard = worker.heard().concat();
    assert!(!heard.is_empty() && !heard.contains("Bearer"), "{heard}");
    home.set("SSL_CERT_FILE", "/nonexistent/authority.pem").age_cache(MINUTE);
    let ran = get(&home, &town);
    assert_fails_as(&ran, "worker-unreachable");
    assert!(ran.stderr.contains("SSL_CERT_FILE"), "{ran:?}");
    assert_eq!(worker.heard().concat(), heard, "nobody is asked whom nobody can vouch for");
}
