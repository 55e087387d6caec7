//! git's credential protocol as bytes: <https://git-scm.com/docs/git-credential#IOFMT>. Owns
//! parsing a request and writing an answer. Refuses rather than repairs: whatever is not certainly
//! one request for one host gets no answer (CVE-2020-5260, CVE-2024-50338, CVE-2025-23040).

use std::fmt;

pub use state::{Handed, Report};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::time::Timestamp;
use crate::token::Secret;

mod state;

/// The user name that GitHub expects beside an installation token.
pub const TOKEN_USER: &str = "x-access-token";

/// The longest line git itself takes, in bytes.
const LONGEST_LINE: usize = 65_535;
/// The longest request that is read, in bytes.
pub const LONGEST_REQUEST: usize = 1 << 20;

/// The keys that hold one value each. Unknown keys are dropped: git adds new ones.
const SCALARS: [&str; 7] =
    ["protocol", "host", "path", "username", "password", "credential", "url"];
/// The keys in which a control byte could forge a line, a prompt or a path.
const PLAIN: [&str; 4] = ["protocol", "host", "path", "username"];

/// One request, as far as it matters here.
#[derive(Default)]
pub struct Request {
    scalars: Vec<(&'static str, Zeroizing<Vec<u8>>)>,
    capabilities: Vec<Vec<u8>>,
    states: Vec<Vec<u8>>,
}

/// Why a request gets no answer. Never repeats what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    TooLong,
    LineTooLong,
    NotAPair,
    StrayByte,
    ControlByte(&'static str),
    Repeated(&'static str),
    BadUrl,
    ContradictsUrl(&'static str),
    NoProtocol,
    NoHost,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(formatter, "more than {LONGEST_REQUEST} bytes"),
            Self::LineTooLong => write!(formatter, "a line of more than {LONGEST_LINE} bytes"),
            Self::NotAPair => formatter.write_str("a line that is not `key=value`"),
            Self::StrayByte => formatter.write_str("a carriage return or NUL inside a line"),
            Self::ControlByte(key) => write!(formatter, "a control byte in `{key}`"),
            Self::Repeated(key) => write!(formatter, "`{key}` appears twice"),
            Self::BadUrl => formatter.write_str("`url` is not a URL"),
            Self::ContradictsUrl(key) => write!(formatter, "`{key}` contradicts `url`"),
            Self::NoProtocol => formatter.write_str("`protocol` is missing or empty"),
            Self::NoHost => formatter.write_str("`host` is missing or empty"),
        }
    }
}

/// Whether the bytes hold a whole request: git ends it by a blank line, git2-rs by end of file.
pub fn is_complete(bytes: &[u8]) -> bool {
    let blank = |line: &[u8]| matches!(line, b"\n" | b"\r\n");
    bytes.split_inclusive(|byte| *byte == b'\n').any(blank)
}

impl Request {
    /// Reads a request up to its blank line or the end, or tells why it must not be answered.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > LONGEST_REQUEST {
            return Err(Refusal::TooLong);
        }
        let mut request = Self::default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = without_line_end(line);
            if line.is_empty() {
                break;
            }
            request.take_line(line)?;
        }
        request.resolve_url()?;
        request.check()?;
        Ok(request)
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line.len() > LONGEST_LINE {
            return Err(Refusal::LineTooLong);
        }
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\0')) {
            return Err(Refusal::StrayByte);
        }
        let equals = line.iter().position(|byte| *byte == b'=').ok_or(Refusal::NotAPair)?;
        let (key, value) = (&line[..equals], &line[equals + 1..]);
        match key {
            b"capability[]" => add_or_reset(&mut self.capabilities, value),
            b"state[]" => add_or_reset(&mut self.states, value),
            _ => {
                if let Some(key) = SCALARS.into_iter().find(|known| known.as_bytes() == key) {
                    self.set(key, value, Refusal::Repeated(key))?;
                }
            }
        }
        Ok(())
    }

    /// Sets a key that must not have been set before.
    fn set(&mut self, key: &'static str, value: &[u8], otherwise: Refusal) -> Result<(), Refusal> {
        if self.get(key).is_some() {
            return Err(otherwise);
        }
        self.scalars.push((key, Zeroizing::new(value.to_vec())));
        Ok(())
    }

    /// `url` stands in for its parts, each percent-decoded as git does; a part that says otherwise
    /// makes the request suspect.
    fn resolve_url(&mut self) -> Result<(), Refusal> {
        let Some(url) = self.get("url") else { return Ok(()) };
        let url = Zeroizing::new(std::str::from_utf8(url).map_err(|_| Refusal::BadUrl)?.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or(Refusal::BadUrl)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user_info, host) = match authority.rsplit_once('@') {
            Some((user_info, host)) => (Some(user_info), host),
            None => (None, authority),
        };
        self.agree("protocol", scheme)?;
        self.agree("host", host)?;
        if let Some(path) = Some(path.trim_start_matches('/')).filter(|path| !path.is_empty()) {
            self.agree("path", path)?;
        }
        if let Some(user_info) = user_info {
            let (user, password) = user_info.split_once(':').unzip();
            self.agree("username", user.unwrap_or(user_info))?;
            if let Some(password) = password {
                self.agree("password", password)?;
            }
        }
        Ok(())
    }

    fn agree(&mut self, key: &'static str, part: &str) -> Result<(), Refusal> {
        let part = Zeroizing::new(percent_decode_str(part).collect::<Vec<u8>>());
        match self.get(key) {
            Some(value) if value == part.as_slice() => Ok(()),
            _ => self.set(key, &part, Refusal::ContradictsUrl(key)),
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        for key in PLAIN {
            if self.get(key).is_some_and(|value| value.iter().any(u8::is_ascii_control)) {
                return Err(Refusal::ControlByte(key));
            }
        }
        if self.protocol().is_empty() {
            return Err(Refusal::NoProtocol);
        }
        if self.host().is_empty() {
            return Err(Refusal::NoHost);
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Option<&[u8]> {
        let (_, value) = self.scalars.iter().find(|(known, _)| *known == key)?;
        Some(value)
    }

    pub fn protocol(&self) -> &[u8] {
        self.get("protocol").unwrap_or_default()
    }

    /// Host and port, as sent.
    pub fn host(&self) -> &[u8] {
        self.get("host").unwrap_or_default()
    }

    pub fn username(&self) -> Option<&[u8]> {
        self.get("username")
    }

    /// The token that `store` or `erase` is about: the password, or the one inside a `credential`
    /// of the Basic scheme.
    pub fn secret(&self) -> Option<Secret> {
        if let Some(password) = self.get("password") {
            return Secret::parse(password);
        }
        let pair = Zeroizing::new(STANDARD.decode(self.get("credential")?).ok()?);
        let colon = pair.iter().position(|byte| *byte == b':')?;
        Secret::parse(&pair[colon + 1..])
    }

    /// Whether the client announces any capability, as git ≥ 2.46 does.
    pub fn has_capabilities(&self) -> bool {
        !self.capabilities.is_empty()
    }

    /// Whether the client keeps our state between asks of one command (git ≥ 2.46).
    pub fn keeps_state(&self) -> bool {
        self.capabilities.iter().any(|capability| capability == b"state")
    }

    /// The states that the client gives back, ours and other helpers'.
    pub fn states(&self) -> impl Iterator<Item = &[u8]> {
        self.states.iter().map(Vec::as_slice)
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    match line {
        [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n'] => rest,
        rest => rest,
    }
}

fn add_or_reset(list: &mut Vec<Vec<u8>>, value: &[u8]) {
    if value.is_empty() {
        list.clear();
    } else {
        list.push(value.to_vec());
    }
}

/// What git gets: one credential.
pub struct Answer<'a> {
    pub username: &'a str,
    pub password: &'a Secret,
    /// Only a known expiry, and only while it lies ahead: git throws away what has expired.
    pub expires: Option<Timestamp>,
    /// For a client that keeps state.
    pub continuation: Option<Continuation>,
}

/// The state that git hands back if the server refuses the answer (git ≥ 2.46).
pub struct Continuation {
    /// Names the token that was handed out, never the token.
    pub state: String,
    /// Whether git is to ask again, within the same command, if the server refuses the answer.
    pub may_continue: bool,
}

impl Answer<'_> {
    /// The whole answer, to be written at once. No value can hold a line end: a secret is
    /// printable ASCII, the rest is made here.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Room for all of it: a buffer that grows leaves copies behind that nobody wipes.
        let room = 1024 + self.password.expose().len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        let mut line = |key: &str, value: &str| {
            for part in [key, "=", value, "\n"] {
                bytes.extend_from_slice(part.as_bytes());
            }
        };
        // Capabilities go first: git reads what follows by them.
        if self.continuation.is_some() {
            line("capability[]", "state");
        }
        line("username", self.username);
        line("password", self.password.expose());
        if let Some(expires) = self.expires {
            line("password_expiry_utc", &expires.seconds().to_string());
        }
        if let Some(continuation) = &self.continuation {
            line("state[]", &continuation.state);
            if continuation.may_continue {
                line("continue", "1");
            }
        }
        bytes
    }
}

/// Stops git from prompting and from asking the next helper.
pub const QUIT: &[u8] = b"quit=1\n";
/// What `git credential-gastown capability` answers.
pub const CAPABILITIES: &[u8] = b"version 0\ncapability state\n";

#[cfg(test)]
mod tests;
