//! Who is asking, for what: git hosts and their kind, town and rig, the worker's address, and the
//! cache key. Refuses everything that is not exactly a host; a host is never matched by suffix
//! (CVE-2020-11008, CVE-2024-53858).

use std::fmt;
use std::net::IpAddr;
use std::path::{Component, Path};

use http::Uri;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::record::Key;
use crate::token::{Entry, Secret, hex};

/// What a git host takes for a credential. No token is offered to a host of the other kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    GitHub,
    GitLab,
}

/// A git host with scheme and port, in its one canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// http is only ever to loopback: a token in the clear must not leave the machine.
    is_https: bool,
    name: String,
    port: u16,
}

impl Host {
    /// Reads an entry of the allow-list: `host[:port]` or `https://host[:port]`, or `http://` for
    /// loopback.
    ///
    /// # Errors
    /// What is wrong with the entry.
    pub fn listed(entry: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = entry.split_once("://").unwrap_or(("https", entry));
        Self::parse(scheme.as_bytes(), rest.strip_suffix('/').unwrap_or(rest))
    }

    /// The host of a request; `None` for everything that could not be on the list anyway.
    pub fn requested(protocol: &[u8], host: &[u8]) -> Option<Self> {
        Self::parse(protocol, std::str::from_utf8(host).ok()?).ok()
    }

    fn parse(scheme: &[u8], text: &str) -> Result<Self, &'static str> {
        let is_https = match scheme {
            b"https" => true,
            b"http" => false,
            _ => return Err("neither https nor http"),
        };
        if text.contains('@') {
            return Err("user information is not part of a host");
        }
        let (name, port) = split_port(text, is_https)?;
        if !is_host_name(name) {
            return Err("not a host name");
        }
        let name = name.to_ascii_lowercase();
        if !is_https && !is_loopback(&name) {
            return Err("http is for loopback only");
        }
        Ok(Self { is_https, name, port })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// `gitlab` is the configured GitLab instance. A host that calls itself one is never given a
    /// GitHub token, even if it is listed without its instance being configured.
    pub fn kind(&self, gitlab: &Self) -> Kind {
        // Another port of the same machine is the same kind; on this one each is a server of its
        // own.
        let is_instance = self.name == gitlab.name && !is_loopback(&self.name);
        let is_gitlab = self == gitlab || is_instance || self.name.starts_with("gitlab.");
        if is_gitlab { Kind::GitLab } else { Kind::GitHub }
    }

    pub fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme(), self.name)?;
        if self.port == default_port(self.is_https) {
            return Ok(());
        }
        write!(formatter, ":{}", self.port)
    }
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

fn split_port(text: &str, is_https: bool) -> Result<(&str, u16), &'static str> {
    let name_end = text.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = text[name_end..].find(':') else { return Ok((text, default_port(is_https))) };
    let (name, port) = text.split_at(name_end + colon);
    let is_number = port[1..].bytes().all(|byte| byte.is_ascii_digit());
    let port = port[1..].parse().ok().filter(|port| is_number && *port != 0);
    Ok((name, port.ok_or("not a port")?))
}

fn is_host_name(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Whether a host name means this machine: `localhost`, 127.0.0.0/8, `[::1]`.
pub fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The id of a town or a rig. It becomes part of URLs, so it is letters, digits, `.`, `_`, `-`
/// only, at most 128, and does not begin with a dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(String);

impl Id {
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let fits = (1..=128).contains(&text.len()) && !text.starts_with('.');
        (fits && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The worker's address: https, or http on loopback; without user info, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl {
    text: String,
    host: String,
    port: u16,
    is_https: bool,
}

impl ApiUrl {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "not a URL")?;
        let host = uri.host().ok_or("without a host")?.to_ascii_lowercase();
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(&host) => false,
            Some("http") => return Err("http, which is for loopback only; use https"),
            _ => return Err("neither https nor http"),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err("with user information in it, which is refused");
        }
        if split_port(authority, is_https).is_err() {
            return Err("with a port that is none");
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("with a query or fragment");
        }
        let text = text.trim_end_matches('/').to_owned();
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        Ok(Self { text, host, port, is_https })
    }

    /// Without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_https(&self) -> bool {
        self.is_https
    }

    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Without the port.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Whether a `NO_PROXY` list names the host: itself, a domain that it lies in, or `*`. An entry may
/// end in a port.
pub fn bypasses_proxy(list: &str, api: &ApiUrl) -> bool {
    let (host, own_port) = (api.host(), api.port.to_string());
    let entries = list.split([',', ' ']).filter(|entry| !entry.is_empty());
    entries.map(str::to_ascii_lowercase).any(|entry| {
        let entry = match entry.rsplit_once(':') {
            Some((entry, port)) if port == own_port => entry,
            _ => &*entry,
        };
        let domain = entry.trim_start_matches("*.").trim_start_matches('.');
        let within = host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
        entry == "*" || domain == host || within
    })
}

/// The rig whose worktree `directory` lies in: `<workspace>/<rig>/…`. The mayor's own directory
/// (`mayor-…`) names no rig.
pub fn rig_of_directory(workspace: &Path, directory: &Path) -> Option<Id> {
    let Some(Component::Normal(first)) =
        directory.strip_prefix(workspace).ok()?.components().next()
    else {
        return None;
    };
    first.to_str().filter(|name| !name.starts_with("mayor-")).and_then(Id::parse)
}

/// What a cached token is for, at every host of its kind: a credential of one rig must never reach
/// another (worker contract, fact 8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheKey {
    pub api: String,
    pub town: String,
    pub rig: String,
}

/// What a renewed container JWT is for: all of a town (worker contract, fact 7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TownKey {
    pub api: String,
    pub town: String,
}

impl Key for CacheKey {
    type Record = Entry;
    const KIND: &'static str = "token.json";

    fn parts(&self) -> Vec<&str> {
        vec![&self.api, &self.town, &self.rig]
    }
}

impl Key for TownKey {
    type Record = Secret;
    const KIND: &'static str = "container.json";

    fn parts(&self) -> Vec<&str> {
        vec![&self.api, &self.town]
    }
}

/// The first 32 hex digits of the hash of all parts, each ended by a separator.
pub fn stem(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
        digest.update([0]);
    }
    hex(&digest.finalize()[..16])
}

#[cfg(test)]
mod tests;
