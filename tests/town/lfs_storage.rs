//! A storage host beside the git host, as GitHub has one: every transfer carries a signature that
//! came with the batch answer. Owns its own port, the signature, and a record of what it was sent;
//! refuses a request without its signature, and knows nothing of git's tokens.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::http::{Answer, Exchange};
use super::lfs::Objects;
use super::lock;
use super::server::Server;

pub struct Storage {
    signature: String,
    authorizations: Arc<Mutex<Vec<Option<String>>>>,
    server: Server,
}

impl Storage {
    pub(super) fn start(objects: Arc<Objects>) -> Self {
        let random = std::iter::repeat_with(fastrand::alphanumeric).take(20);
        let signature = format!("Signature {}", random.collect::<String>());
        let authorizations = Arc::<Mutex<Vec<_>>>::default();
        let (expected, record) = (signature.clone(), Arc::clone(&authorizations));
        let serve = move |stream: TcpStream| {
            let mut exchange = Exchange::read_head(stream)?;
            let given = exchange.header("authorization").map(str::to_owned);
            let is_signed = given.as_ref() == Some(&expected);
            lock(&record).push(given);
            let answer = match is_signed {
                true => objects.answer(&mut exchange),
                false => Answer::new(403, "The signature is wrong or missing.\n"),
            };
            exchange.answer(&answer)
        };
        // A client that hangs up early is the client's business.
        let server = Server::start(move |stream| drop(serve(stream)));
        Self { signature, authorizations, server }
    }

    /// What a batch answer says about one object.
    pub(super) fn action(&self, path: &str) -> Value {
        json!({
            // Another name than the git host's, too.
            "href": format!("http://localhost:{}{path}", self.server.port()),
            "header": { "Authorization": self.signature },
            "expires_in": 3600,
        })
    }

    pub(super) fn authorizations(&self) -> Vec<Option<String>> {
        lock(&self.authorizations).clone()
    }
}
