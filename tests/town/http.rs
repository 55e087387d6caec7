//! As much HTTP/1.1 as the stand-ins need: one request a connection, bodies with a length or in
//! chunks, `Expect: 100-continue`. Owns the bytes of one exchange; knows nothing of tokens, git or
//! LFS, keeps no connection alive and speaks no TLS.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a peer may keep a stand-in waiting for its next bytes.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_HEAD: u64 = 64 * 1024;

/// A request whose head was read, waiting for its answer.
pub struct Exchange {
    stream: BufReader<TcpStream>,
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    headers: Vec<(String, String)>,
    body_was_read: bool,
}

impl Exchange {
    pub fn read_head(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut stream = BufReader::new(stream);
        let request_line = read_line(&mut stream)?;
        let mut words = request_line.split(' ').map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut headers = Vec::new();
        while let Some((name, value)) = read_line(&mut stream)?.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self { stream, method, target, headers, body_was_read: false })
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// By its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The whole body, out of its chunks but still compressed if it was.
    pub fn body(&mut self) -> io::Result<Vec<u8>> {
        if std::mem::replace(&mut self.body_was_read, true) {
            return Ok(Vec::new());
        }
        if self.waits_for_leave() {
            self.stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            return read_chunks(&mut self.stream);
        }
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    /// A client that is still sending would meet a reset instead of the answer, so what is left of
    /// the body is read first, unless the client waits for leave to send it.
    pub fn answer(mut self, answer: &Answer) -> io::Result<()> {
        if !self.waits_for_leave() {
            self.body()?;
        }
        self.stream.get_mut().write_all(&answer.to_bytes())
    }

    /// For whoever wants to break the rules of HTTP.
    pub fn into_stream(mut self) -> io::Result<TcpStream> {
        self.body()?;
        Ok(self.stream.into_inner())
    }

    fn waits_for_leave(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }
}

fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.by_ref().take(LONGEST_HEAD).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn read_chunks(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
        if size == 0 {
            while !read_line(stream)?.is_empty() {}
            return Ok(body);
        }
        stream.by_ref().take(size).read_to_end(&mut body)?;
        read_line(stream)?;
    }
}

/// What goes back. Says its own length unless a header lies about it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string()).header("Content-Type", "application/json")
    }

    /// Adds a header unless there is one of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if !self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name)) {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    fn to_bytes(&self) -> Vec<u8> {
        let length = self.body.len().to_string();
        let whole = self.clone().header("Content-Length", &length).header("Connection", "close");
        let mut head = format!("HTTP/1.1 {} \r\n", whole.status);
        for (name, value) in &whole.headers {
            head += &format!("{name}: {value}\r\n");
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}
