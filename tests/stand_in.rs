//! Tests of the stand-in town itself: if these hold, whatever the other tests see of the worker
//! and of GitHub is what the contract and the real git have them see. Speaks to the town over bare
//! sockets and through real git; refuses to use the program under test.

mod agent;
mod contract;
mod github;
mod worker;

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::town::{Git, Home, RIG, TOWN, Town, Worker};

/// What came back: the head as sent, and the body.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Sends these bytes to `http://host:port` and reads until the other side is done.
fn send(url: &str, request: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let (head, body) = reply.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Reply { status, head: head.to_owned(), body: body.to_owned() })
}

/// An agent without the program under test.
fn visitor(git: &Git) -> Home {
    Home::new(Path::new("/nonexistent/helper"), git)
}

/// An error as the contract words it.
fn failure(error: &str) -> Value {
    json!({ "success": false, "error": error })
}

fn post(worker: &Worker, path: &str, bearer: Option<&str>) -> io::Result<Reply> {
    let bearer = bearer.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let bearer = bearer.unwrap_or_default();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: worker\r\n{bearer}Content-Length: 2\r\n\r\n{{}}");
    send(&worker.url(), request.as_bytes())
}

fn git_token_path(rig: &str) -> String {
    format!("/api/towns/{TOWN}/rigs/{rig}/refresh-git-token")
}

fn container_token_path() -> String {
    format!("/api/towns/{TOWN}/refresh-container-token")
}

fn ask(town: &Town, rig: &str) -> io::Result<Reply> {
    post(&town.worker, &git_token_path(rig), Some(&town.worker.container_token()))
}

fn git_token(town: &Town) -> String {
    let reply = ask(town, RIG).expect("the worker answers");
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["data"]["token"].as_str().expect("a token").to_owned()
}
