//! Certificates that nobody can trust, and proxies that are down or lie: one attempt is enough, and
//! no message gives away what a proxy's address holds.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::scene::*;
use crate::town::server::Server;

/// Counts the connections, and handles each by this function. A visitor may hang up early.
fn serve(
    deal: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> (Server, Arc<AtomicUsize>) {
    let visits = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&visits);
    let server = Server::start(move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = deal(stream);
    });
    (server, visits)
}

/// An authority, in a file for `SSL_CERT_FILE`.
pub(crate) struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(scene: &mut Scene) -> Self {
        let mut params = CertificateParams::new([]).expect("no names are fine names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a certificate");
        let file = scene.write("authority.pem", root.pem());
        scene.home.set("SSL_CERT_FILE", &file);
        Self(Issuer::new(params, key))
    }

    pub(crate) fn vouches_for(&self, names: &[&str], until: i32) -> ServerConfig {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("fine names");
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth();
        config.with_single_cert(vec![certificate.der().clone()], key).expect("they fit")
    }
}

/// Shows a certificate that is wrong in some way, and tells the scene whom to trust.
type Certified = fn(&mut Scene) -> ServerConfig;

/// Puts the worker behind TLS; also returns the count of connections.
pub(crate) fn behind_tls(scene: &mut Scene, config: ServerConfig) -> (Server, Arc<AtomicUsize>) {
    let worker = scene.worker.url().replace("http://", "");
    let config = Arc::new(config);
    let (server, visits) = serve(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        let mut outside = StreamOwned::new(connection, stream);
        let mut request = Vec::new();
        // The body of every call is `{}`.
        while !request.ends_with(b"{}") {
            let mut bytes = [0; 4096];
            let count = outside.read(&mut bytes)?;
            request.extend_from_slice(&bytes[..count]);
        }
        let mut inside = TcpStream::connect(&worker)?;
        inside.write_all(&request)?;
        io::copy(&mut inside, &mut outside)?;
        outside.conn.send_close_notify();
        outside.flush()
    });
    scene.home.set("GASTOWN_API_URL", format!("https://127.0.0.1:{}", server.port()));
    (server, visits)
}

#[test]
fn a_worker_with_a_trusted_certificate_is_asked_over_tls() {
    let mut scene = Scene::new();
    let config = Authority::new(&mut scene).vouches_for(&["127.0.0.1"], 4000);
    let (_server, visits) = behind_tls(&mut scene, config);
    scene.get().answers(&scene.current());
    assert_eq!((visits.load(Ordering::SeqCst), scene.calls()), (1, 1));
}

#[test]
fn ssl_cert_dir_is_a_list() {
    let mut scene = Scene::new();
    let config = Authority::new(&mut scene).vouches_for(&["127.0.0.1"], 4000);
    let home = scene.home.path();
    let (certificates, empty) = (home.join("certificates"), home.join("empty"));
    fs::create_dir(&certificates).and_then(|()| fs::create_dir(&empty)).expect("ours");
    // Named by its hash, as OpenSSL wants it; rustls takes whatever is there.
    fs::rename(home.join("authority.pem"), certificates.join("0a1b2c3d.0")).expect("ours");
    scene.home.unset("SSL_CERT_FILE");
    let list = [&empty, &certificates].map(|path| path.to_string_lossy()).join(":");
    scene.home.set("SSL_CERT_DIR", &list);
    let _server = behind_tls(&mut scene, config);
    scene.get().answers(&scene.current());
}

#[test]
fn a_certificate_that_cannot_be_trusted_costs_one_connection_and_no_secret() {
    let faults: [(&str, Certified); 3] = [
        ("expired", |scene| Authority::new(scene).vouches_for(&["127.0.0.1"], 2001)),
        ("of another name", |scene| Authority::new(scene).vouches_for(&["worker.example"], 4000)),
        ("of an unknown authority", |scene| {
            let unknown = Authority::new(scene).vouches_for(&["127.0.0.1"], 4000);
            Authority::new(scene);
            unknown
        }),
    ];
    for (what, fault) in faults {
        let mut scene = Scene::new();
        let config = fault(&mut scene);
        let (_server, visits) = behind_tls(&mut scene, config);
        scene.get().quits("worker-unreachable").mentions("certificate");
        assert_eq!((visits.load(Ordering::SeqCst), scene.calls()), (1, 0), "{what}");
    }
}

#[test]
fn without_any_authority_to_trust_nobody_is_asked() {
    // A pipe and a device might never end.
    for (name, make) in [
        ("empty.pem", ": >empty.pem"),
        ("missing.pem", ""),
        ("pipe", "mkfifo pipe"),
        ("/dev/zero", ""),
    ] {
        let mut scene = Scene::new();
        let (server, visits) = serve(|_| Ok(()));
        scene.change(make);
        scene.home.set("SSL_CERT_FILE", scene.path(name));
        scene.home.set("GASTOWN_API_URL", format!("https://127.0.0.1:{}", server.port()));
        scene.get().quits("worker-unreachable").mentions("SSL_CERT_FILE");
        assert_eq!(visits.load(Ordering::SeqCst), 0, "{name}");
    }
}

/// What a proxy does with its guests.
type Manners = fn(TcpStream) -> io::Result<()>;

fn proxy_says(mut stream: TcpStream, text: &str) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.extend_from_slice(&byte);
    }
    stream.write_all(text.as_bytes())
}

const PROXIES: [(&str, Manners); 6] = [
    ("hangs up", |_| Ok(())),
    ("talks nonsense", |stream| proxy_says(stream, "220 smtp.example\r\n\r\n")),
    ("wants a password", |stream| proxy_says(stream, "HTTP/1.1 407 Who?\r\n\r\n")),
    ("fails", |stream| proxy_says(stream, "HTTP/1.1 502 Bad Gateway\r\n\r\n")),
    ("lies that it has connected", |stream| proxy_says(stream, "HTTP/1.1 200 OK\r\n\r\n")),
    ("lies that it is the worker", |stream| {
        proxy_says(stream, "HTTP/1.1 200 OK\r\n\r\n{\"success\":true,\"data\":{\"token\":\"t\"}}")
    }),
];

/// Beyond a proxy that has a password in its address.
fn beyond_proxy(port: u16) -> Scene {
    let mut scene = Scene::new();
    Authority::new(&mut scene);
    scene.home.set("GASTOWN_API_URL", "https://worker.invalid");
    scene.home.set("HTTPS_PROXY", format!("http://smith:sesame@127.0.0.1:{port}"));
    scene
}

#[test]
fn a_proxy_that_is_down_or_lies_is_named_without_its_password() {
    at_once(&PROXIES, |(what, manners)| {
        let (server, visits) = serve(*manners);
        let scene = beyond_proxy(server.port());
        let ran = scene.get();
        ran.quits("worker-unreachable").within(..20 * SECOND);
        // What one that claims to have connected says next is taken for a bad certificate.
        let named = ["HTTPS_PROXY", "SSL_CERT_FILE"].iter().any(|it| ran.stderr.contains(it));
        assert!(named && (what.starts_with("lies") || ran.stderr.contains("HTTPS_PROXY")));
        assert!(!ran.stderr.contains("sesame") && !ran.stderr.contains("smith"), "{ran:?}");
        assert_eq!(visits.load(Ordering::SeqCst), 1, "{what}");
    });
    let (server, _) = serve(|_| Ok(()));
    server.close();
    beyond_proxy(server.port())
        .get()
        .quits("worker-unreachable")
        .mentions("HTTPS_PROXY")
        .never_says("sesame");
}

#[test]
fn wrong_certificates_or_a_wrong_proxy_of_one_agent_silence_no_other() {
    let mut scene = Scene::new();
    let right = Authority::new(&mut scene);
    let _worker = behind_tls(&mut scene, right.vouches_for(&["127.0.0.1"], 4000));
    let authority = scene.home.path().join("authority.pem");
    let (kept, empty) = (authority.with_extension("kept"), authority.with_extension("empty"));
    fs::copy(&authority, &kept).and_then(|_| fs::write(&empty, "")).expect("ours");
    Authority::new(&mut scene);
    scene.get().quits("worker-unreachable").mentions("certificate");
    scene.get().quits("worker-unreachable").mentions("certificate").mentions("tried again in");
    scene.home.set("SSL_CERT_FILE", &empty);
    scene.get().quits("worker-unreachable").mentions("no certificates");
    scene.home.set("SSL_CERT_FILE", &kept);
    scene.get().answers(&scene.current());
}

#[test]
fn agents_behind_one_proxy_that_fails_share_one_attempt() {
    let (server, visits) = serve(|stream| proxy_says(stream, "HTTP/1.1 502 Bad Gateway\r\n\r\n"));
    let mut scene = beyond_proxy(server.port());
    // With each failure the next attempt is further away.
    for _ in 0..5 {
        scene.helper(&["refresh"]).assert_fails().mentions("HTTPS_PROXY");
    }
    scene.get().quits("worker-unreachable").mentions("HTTPS_PROXY");
    assert_eq!(visits.load(Ordering::SeqCst), 5);
    // Another proxy is tried at once.
    let (other, others_visits) = serve(|_| Ok(()));
    scene.home.set("HTTPS_PROXY", format!("http://127.0.0.1:{}", other.port()));
    scene.get().quits("worker-unreachable");
    assert_eq!(others_visits.load(Ordering::SeqCst), 1);
}

#[test]
fn a_proxys_address_that_cannot_be_used_is_named_and_not_repeated() {
    let mut scene = beyond_proxy(1);
    for address in [
        "http://smith:sesame@",
        "socks5://smith:sesame@127.0.0.1:1080",
        "socks5h://127.0.0.1:1080",
        "socks4://127.0.0.1",
        "ftp://x",
    ] {
        scene.home.set("HTTPS_PROXY", address);
        scene.get().quits("config-missing").mentions("HTTPS_PROXY").never_says("sesame");
    }
}
