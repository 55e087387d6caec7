//! What a test makes the worker say instead of the truth. Owns the plan of overrides and how each
//! breaks the rules; refuses to touch the worker's own state.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};

use super::http::Answer;
use super::lock;

/// Which of the two calls of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    GitToken,
    ContainerToken,
    Other,
}

#[derive(Clone, Debug)]
pub enum Script {
    /// An answer in good form.
    Answer(Answer),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// These bytes one at a time, each after a pause.
    Drip(Vec<u8>, Duration),
    /// These bytes, then blanks for as long as anybody reads them.
    Endless(Vec<u8>),
    /// Reads the request and says nothing until the caller goes away.
    Silence,
    /// Resets the connection once the request was read.
    Reset,
}

impl Script {
    pub fn status(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let answer = Answer::new(status, body);
        let headers = headers.iter();
        Self::Answer(headers.fold(answer, |answer, (name, value)| answer.header(name, value)))
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::Answer(Answer::json(status, body))
    }

    /// An error in the contract's form.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "success": false, "error": message }))
    }

    /// For the next so many calls only.
    pub fn next(self, times: usize) -> Override {
        Override { times: Some(times), ..self.into() }
    }

    /// For calls of one kind only.
    pub fn only(self, kind: CallKind) -> Override {
        Override { only: Some(kind), ..self.into() }
    }

    /// Says its part on a connection whose request was read; the caller may leave at any time.
    pub fn perform(self, mut stream: TcpStream) -> io::Result<()> {
        match self {
            Self::Raw(bytes) => stream.write_all(&bytes),
            Self::Drip(bytes, pause) => bytes.iter().try_for_each(|byte| {
                thread::sleep(pause);
                stream.write_all(&[*byte])
            }),
            Self::Endless(head) => {
                stream.write_all(&head)?;
                loop {
                    stream.write_all(&[b' '; 8192])?;
                }
            }
            Self::Silence => stream.read_to_end(&mut Vec::new()).map(drop),
            Self::Reset => Ok(set_socket_linger(&stream, Some(Duration::ZERO))?),
            Self::Answer(_) => Ok(()),
        }
    }
}

/// A script and the calls it is meant for.
#[derive(Clone, Debug)]
pub struct Override {
    script: Script,
    times: Option<usize>,
    only: Option<CallKind>,
}

impl Override {
    #[must_use]
    pub fn next(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }
}

impl From<Script> for Override {
    fn from(script: Script) -> Self {
        Self { script, times: None, only: None }
    }
}

/// The overrides in their order: counted ones queue up, one without a count replaces whatever was
/// planned for the calls that it is meant for.
#[derive(Default)]
pub struct Plan {
    overrides: Mutex<Vec<Override>>,
}

impl Plan {
    pub fn add(&self, addition: Override) {
        let mut overrides = self.overrides();
        if addition.times.is_none() {
            let apart = |one: Option<CallKind>, other| one.zip(other).is_some_and(|(a, b)| a != b);
            overrides.retain(|planned| apart(planned.only, addition.only));
        }
        overrides.push(addition);
    }

    pub fn clear(&self) {
        self.overrides().clear();
    }

    /// The script for this call, which is counted as one of its times.
    pub fn take(&self, kind: CallKind) -> Option<Script> {
        let mut overrides = self.overrides();
        let fits = |planned: &Override| planned.only.is_none_or(|only| only == kind);
        let position = overrides.iter().position(fits)?;
        let chosen = &mut overrides[position];
        let script = chosen.script.clone();
        if let Some(times) = &mut chosen.times {
            *times -= 1;
            if *times == 0 {
                overrides.remove(position);
            }
        }
        Some(script)
    }

    fn overrides(&self) -> MutexGuard<'_, Vec<Override>> {
        lock(&self.overrides)
    }
}
