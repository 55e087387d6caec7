//! The stand-in GitHub: one port that checks the token of every request and then lets the real git
//! or LFS answer. Owns the check, the knobs that kill tokens, and a record of every request;
//! refuses to serve anything to anybody without a live token.

use std::io;
use std::net::TcpStream;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use tempfile::TempDir;

use super::backend::Backend;
use super::http::{Answer, Exchange};
use super::lfs::{Lfs, Moment};
use super::lock;
use super::registry::{Registry, Verdict};
use super::server::Server;

/// A client that comes back with a refused token more often than that, on this server's account of
/// all clients, would do so for ever, and take every port of the machine: it is told to go away.
const MOST_REFUSALS: usize = 1000;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    pub token: Option<String>,
    pub verdict: Verdict,
    pub status: u16,
}

pub struct GitHub {
    shared: Arc<Shared>,
    server: Server,
    /// Removed with the server, whatever threads still run.
    _repositories: TempDir,
}

struct Shared {
    registry: Arc<Registry>,
    backend: Backend,
    lfs: Lfs,
    requests: Mutex<Vec<Request>>,
    revoke_after_info_refs: AtomicBool,
}

impl GitHub {
    pub(super) fn start(registry: Arc<Registry>) -> Self {
        let repositories = tempfile::tempdir().expect("a temporary directory");
        let shared = Arc::new(Shared {
            registry,
            backend: Backend::new(repositories.path()),
            lfs: Lfs::default(),
            requests: Mutex::default(),
            revoke_after_info_refs: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        // A client that hangs up early is the client's business.
        let server = Server::start(move |stream| drop(serving.serve(stream)));
        Self { shared, server, _repositories: repositories }
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    /// The URL of `<owner>/<name>`.
    pub fn url(&self, repository: &str) -> String {
        format!("http://{}/{repository}.git", self.host())
    }

    /// The same with a token inside, as Gastown clones today.
    pub fn url_with(&self, repository: &str, token: &str) -> String {
        format!("http://x-access-token:{token}@{}/{repository}.git", self.host())
    }

    pub fn revoke(&self, token: &str) {
        self.shared.registry.revoke(token);
    }

    pub fn revoke_all(&self) {
        self.shared.registry.revoke_all();
    }

    /// Once: the token that opens the next `info/refs` is dead before its client reads the answer.
    pub fn revoke_after_info_refs(&self) {
        self.shared.revoke_after_info_refs.store(true, Ordering::SeqCst);
    }

    /// The LFS half of the server.
    pub fn lfs(&self) -> &Lfs {
        &self.shared.lfs
    }

    /// Once: every token known by that moment of an LFS transfer is revoked.
    pub fn revoke_all_at(&self, moment: Moment) {
        let registry = Arc::clone(&self.shared.registry);
        self.shared.lfs.at(moment, Box::new(move || registry.revoke_all()));
    }

    /// Refuses each token so often before it is known.
    pub fn set_replication_lag(&self, checks: usize) {
        self.shared.registry.set_replication_lag(checks);
    }

    /// What a request with this token would meet now.
    pub fn judge(&self, token: &str) -> Verdict {
        self.shared.registry.judge(Some(token))
    }

    /// In the order of their answers.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    pub fn forget_requests(&self) {
        lock(&self.shared.requests).clear();
    }

    /// How many requests carried a token and were refused.
    pub fn refused_tokens(&self) -> usize {
        self.shared.refused_tokens()
    }
}

/// Its repositories.
impl Deref for GitHub {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.shared.backend
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut exchange = Exchange::read_head(stream)?;
        let credential = exchange.header("authorization").and_then(credential);
        // A user name alone, as clients take it from a URL, is no token.
        let token = credential.as_ref().map(|(_, token)| token.as_str());
        let token = token.filter(|token| !token.is_empty());
        let verdict = self.registry.judge(token);
        let answer = match (verdict, &credential) {
            (Verdict::Live, Some((user, _))) => self.answer(&mut exchange, user),
            _ if self.refused_tokens() > MOST_REFUSALS => Answer::new(404, "Go away.\n"),
            _ => refusal(),
        };
        if let (Verdict::Live, Some(token)) = (verdict, token)
            && exchange.path().ends_with("/info/refs")
            && self.revoke_after_info_refs.swap(false, Ordering::SeqCst)
        {
            self.registry.revoke(token);
        }
        // On record before the client can act on the answer.
        lock(&self.requests).push(Request {
            method: exchange.method.clone(),
            path: exchange.target.clone(),
            token: token.map(str::to_owned),
            verdict,
            status: answer.status,
        });
        exchange.answer(&answer)
    }

    fn refused_tokens(&self) -> usize {
        let requests = lock(&self.requests);
        requests.iter().filter(|it| it.token.is_some() && it.verdict != Verdict::Live).count()
    }

    fn answer(&self, exchange: &mut Exchange, user: &str) -> Answer {
        if Lfs::serves(exchange.path()) {
            self.lfs.answer(exchange)
        } else {
            self.backend.answer(exchange, user)
        }
    }
}

/// User name and password of basic authentication (RFC 7617). GitHub takes any user name.
fn credential(authorization: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Without a body: libgit2 1.9.2, which is in cargo, takes the body of a 401 for the beginning of
/// the next answer if the connection is closed in between.
fn refusal() -> Answer {
    Answer::new(401, "").header("WWW-Authenticate", "Basic realm=\"GitHub\"")
}
