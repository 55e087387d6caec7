//! The audit log: a line of JSON for each call that a token was asked for or refused in. Owns the
//! file, which is created 0600; each line is one appending write, so that any number of processes
//! share it. Refuses links, what is not a plain file, and what others own or can write to. Knows
//! tokens by their hash only.

#![expect(clippy::disallowed_methods, reason = "the one place for the audit log")]

use std::fs::OpenOptions;
use std::io::{Error, Result, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;
use serde::Serialize;

/// One call. The order is that of the line; what is not known is null.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    /// RFC 3339, in UTC.
    pub time: Option<String>,
    pub pid: u32,
    pub agent: Option<String>,
    pub town: Option<&'a str>,
    pub rig: Option<&'a str>,
    pub host: String,
    pub operation: &'a str,
    pub outcome: &'a str,
    /// The stable name of the error.
    pub error: Option<&'a str>,
    pub source: Option<&'a str>,
    /// As in GitHub's audit log.
    pub hashed_token: Option<String>,
    /// For how many seconds this machine has known the token.
    pub age: Option<u64>,
    /// How long the call took, in milliseconds.
    pub ms: u128,
}

/// # Errors
/// If the line cannot be written as a whole.
pub(crate) fn append(path: &Path, line: &Line<'_>) -> Result<()> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Error::other("not a plain file"));
    }
    if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(Error::other("others own it or can write to it"));
    }
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    // A second write might land behind another process's line.
    match file.write(&bytes)? {
        written if written == bytes.len() => Ok(()),
        _ => Err(Error::other("only a part was written")),
    }
}
