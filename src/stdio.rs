//! stdin and stdout: git's request in, and every answer out, whole and in one write. What is for
//! people is redacted here; git's answer and the tokens that people ask for leave as they are.

#![expect(clippy::disallowed_methods, reason = "the one place for stdin and stdout")]

use std::fmt::Display;
use std::io::IsTerminal as _;
use std::os::fd::BorrowedFd;

use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::protocol::{LONGEST_REQUEST, Request, is_complete};
use git_credential_gastown::time::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, write};
use rustix::stdio::{stdin, stdout};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::config::variable;
use crate::messages::Messages;

/// git's requests are shorter by far.
const CHUNK: usize = 1024;

/// The request on stdin. `None` for what is not a proper one: it gets no answer and no complaint,
/// because it may be an attack on whoever sent it; the trace tells why.
pub(crate) fn read_request(messages: &Messages) -> Result<Option<Request>, Failure> {
    let input = read_input(stdin());
    let input = input.map_err(|error| failed(format!("read git's request from stdin: {error}")))?;
    match Request::parse(&input) {
        Ok(request) => Ok(Some(request)),
        Err(refusal) => {
            messages.trace(format_args!("request refused: {refusal}"));
            Ok(None)
        }
    }
}

/// Up to the blank line or the end of the input. What is over the limit is refused as a whole, so
/// there is no need to read on. Past the buffers of the standard library, which nobody wipes.
fn read_input(input: BorrowedFd<'_>) -> Result<Zeroizing<Vec<u8>>, Errno> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(CHUNK));
    let mut chunk = Zeroizing::new([0; CHUNK]);
    // Where the last line begins: what is before it has been looked at.
    let mut line = 0;
    let mut is_over = false;
    while bytes.len() <= LONGEST_REQUEST && !is_over {
        let count = retry(input, PollFlags::IN, || read(input, chunk.as_mut_slice()))?;
        let read_before = bytes.len();
        bytes.extend_from_slice(&chunk[..count]);
        is_over = count == 0;
        if let Some(last) = chunk[..count].iter().rposition(|byte| *byte == b'\n') {
            is_over = is_complete(&bytes[line..]);
            line = read_before + last + 1;
        }
    }
    Ok(bytes)
}

/// The whole answer, in one write unless the pipe takes it in parts.
pub(crate) fn write_answer(bytes: &[u8]) -> Result<(), Failure> {
    let written = write_all(stdout(), bytes);
    written.map_err(|error| failed(format!("write the answer to stdout: {error}")))
}

fn write_all(output: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match retry(output, PollFlags::OUT, || write(output, bytes))? {
            0 => return Err(Errno::IO),
            count => bytes = &bytes[count..],
        }
    }
    Ok(())
}

/// Tries again after a signal, and when a stream that does not block is ready.
fn retry(
    stream: BorrowedFd<'_>,
    ready: PollFlags,
    mut attempt: impl FnMut() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    loop {
        match attempt() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&stream, ready)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            },
            done => return done,
        }
    }
}

fn failed(what: String) -> Failure {
    let (name, what) = (Name::IoFailed, format!("cannot {what}"));
    Failure::new(name, Retry::AtOnce, what, "run the command again")
}

/// Whether a person types the input.
pub(crate) fn asks_a_terminal() -> bool {
    stdin().is_terminal()
}

/// Whether a person reads the answer.
pub(crate) fn answers_a_terminal() -> bool {
    stdout().is_terminal()
}

/// The colour of a word, as terminals number it.
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
}

/// An answer for people. Each line is redacted by itself, because a line end would be escaped.
pub(crate) struct Text<'a> {
    messages: &'a Messages,
    in_colour: bool,
    text: String,
}

impl<'a> Text<'a> {
    pub(crate) fn new(messages: &'a Messages) -> Self {
        // <https://no-color.org>, and terminals that have none.
        let has_colour = variable("TERM").is_some_and(|terminal| terminal != "dumb");
        let in_colour = answers_a_terminal() && has_colour && variable("NO_COLOR").is_none();
        Self { messages, in_colour, text: String::new() }
    }

    pub(crate) fn line(&mut self, line: impl Display) {
        self.text += &self.messages.clean(&line.to_string());
        self.text.push('\n');
    }

    /// A line with a word of our own in colour, behind an indent.
    pub(crate) fn marked(
        &mut self,
        indent: &str,
        word: impl Display,
        is: Colour,
        line: impl Display,
    ) {
        self.text += indent;
        self.text += &match self.in_colour {
            true => format!("\x1b[{}m{word}\x1b[0m", is as u8),
            false => word.to_string(),
        };
        self.line(line);
    }

    pub(crate) fn write(self) -> Result<(), Failure> {
        write_answer(self.text.as_bytes())
    }
}

/// An answer for programs. Each text in it is redacted by itself, so that it stays one object.
pub(crate) fn write_object(messages: &Messages, mut object: Value) -> Result<(), Failure> {
    clean(&mut object, messages);
    write_answer(format!("{object:#}\n").as_bytes())
}

fn clean(value: &mut Value, messages: &Messages) {
    match value {
        Value::String(text) => *text = messages.clean(text),
        Value::Array(values) => values.iter_mut().for_each(|value| clean(value, messages)),
        Value::Object(fields) => fields.values_mut().for_each(|value| clean(value, messages)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A moment in an object: RFC 3339, or null if it is not known.
pub(crate) fn moment(moment: impl Into<Option<Timestamp>>) -> Option<String> {
    moment.into().and_then(Timestamp::to_rfc3339)
}
