//! Tokens inside remote URLs: git uses such a token without asking any helper. Owns finding one
//! and what the URL is without it; refuses to show it.

use crate::host::Host;
use crate::token::Secret;

/// A URL with a credential inside.
#[derive(Debug)]
pub struct Embedded {
    /// The same URL without user and password.
    pub cleared: String,
    /// `None` if it is of no host that could be ours.
    pub host: Option<Host>,
    /// To be masked from here on.
    pub secrets: Vec<Secret>,
}

/// The credential in an http(s) URL, if there is one: a password, or a token in the user's place.
/// A plain user name is none.
pub fn credential_in(url: &str) -> Option<Embedded> {
    let (scheme, user, rest) = parts(url)?;
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    if password.is_empty() && !looks_like_a_token(name) {
        return None;
    }
    let secrets = [name, password].into_iter().filter(|part| *part != "x-access-token");
    let secrets = secrets.filter_map(|part| Secret::parse(part.as_bytes())).collect();
    let cleared = format!("{scheme}://{rest}");
    Some(Embedded { host: host_of(address(&cleared)), cleared, secrets })
}

/// A pattern for the same URL with any user, for `git config --replace-all`: with it the token is
/// not among git's arguments.
pub fn any_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let mut pattern = format!("^{scheme}://[^/]*@");
    for character in rest.chars() {
        if r"\.[]{}()*+?^$|".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "$"
}

/// The host that an http(s) URL leads to, if it could be ours.
pub fn host_of(url: &str) -> Option<Host> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let name = authority.rsplit_once('@').map_or(authority, |(_, name)| name);
    Host::listed(&format!("{scheme}://{name}")).ok()
}

/// The path of an http(s) URL that leads to this host.
pub fn path_on<'a>(url: &'a str, host: &Host) -> Option<&'a str> {
    host_of(url).filter(|named| named == host)?;
    let (_, rest) = url.split_once("://")?;
    Some(rest.find('/').map_or("/", |start| &rest[start..]))
}

/// Scheme, user information and the rest of an http(s) URL that has user information.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if !["https", "http"].iter().any(|known| address(scheme).eq_ignore_ascii_case(known)) {
        return None;
    }
    let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let at = rest[..authority_ends].rfind('@')?;
    Some((scheme, &rest[..at], &rest[at + 1..]))
}

/// `https::https://…` names git's own transport, too.
fn address(url: &str) -> &str {
    ["https::", "http::"].iter().find_map(|name| url.strip_prefix(name)).unwrap_or(url)
}

fn looks_like_a_token(name: &str) -> bool {
    let prefixes = ["ghs_", "ghp_", "gho_", "ghu_", "ghr_", "github_pat_", "glpat-"];
    let is_old = name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_old || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_and_cut_out() {
        for user in [
            "x-access-token:ghs_1_eyJ.a-b",
            "ghp_abc",
            "ghp_abc:x-oauth-basic",
            "alice:pass@word",
            "0123456789abcdef0123456789abcdef01234567",
            ":secret",
        ] {
            let found = credential_in(&format!("https://{user}@github.com/acme/app.git")).unwrap();
            assert_eq!(found.cleared, "https://github.com/acme/app.git");
            assert_eq!(found.host, Some(Host::listed("github.com").unwrap()));
            assert!(!found.secrets.is_empty(), "{user}");
        }
        let found = credential_in("https::https://x:y@github.com/a").unwrap();
        assert_eq!(found.cleared, "https::https://github.com/a");
        assert_eq!(found.host, Some(Host::listed("github.com").unwrap()));
    }

    #[test]
    fn what_has_no_token_is_left_alone() {
        for url in [
            "https://github.com/acme/app.git",
            "https://alice@github.com/acme/app.git",
            "https://x-access-token@github.com/acme/app.git",
            "https://github.com/a@b:c/d",
            "git@github.com:acme/app.git",
            "ssh://git:pw@github.com/acme/app.git",
            "/srv/a:b@c",
            "",
        ] {
            assert!(credential_in(url).is_none(), "{url}");
        }
    }

    #[test]
    fn a_url_leads_to_the_host_behind_its_user() {
        assert_eq!(host_of("https://x:y@github.com/a@b"), Host::listed("github.com").ok());
        for elsewhere in ["git@github.com:a", "ssh://github.com/a", "/srv/https://github.com"] {
            assert_eq!(host_of(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn the_path_of_a_url_begins_behind_its_host_however_that_is_written() {
        let host = Host::listed("github.com").unwrap();
        for url in
            ["https://github.com/a/b", "https://GitHub.com:443/a/b", "https://me@github.com/a/b"]
        {
            assert_eq!(path_on(url, &host), Some("/a/b"), "{url}");
        }
        assert_eq!(path_on("https://github.com", &host), Some("/"));
        assert_eq!(path_on("https://github.company.com/a/b", &host), None);
    }
}
