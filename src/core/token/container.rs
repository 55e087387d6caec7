//! The container JWT: which of those at hand to present, and when it has run out. It is the
//! worker's own token, so reading its `exp` without verifying is fine (worker contract, fact 7).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::time::Timestamp;
use crate::token::Secret;

/// A container JWT and where it was found.
#[derive(Clone, Debug)]
pub struct ContainerToken {
    pub secret: Secret,
    pub source: Source,
    expires: Option<Timestamp>,
}

/// Where a container JWT was found; the earlier one wins when two live equally long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The file named by `GASTOWN_CONTAINER_TOKEN_FILE` or the config file.
    File,
    /// `GASTOWN_CONTAINER_TOKEN`: a snapshot taken when the agent was dispatched.
    Environment,
    /// The cache, renewed by some agent of this town.
    Renewal,
}

impl Source {
    pub fn name(&self) -> &'static str {
        match self {
            Self::File => "the container token file",
            Self::Environment => "GASTOWN_CONTAINER_TOKEN",
            Self::Renewal => "the cached renewal",
        }
    }
}

impl ContainerToken {
    pub fn new(secret: Secret, source: Source) -> Self {
        let expires = expiry(&secret);
        Self { secret, source, expires }
    }

    /// When it runs out; `None` if it does not say.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// The latest-expiring first: an agent's snapshot may be hours older than another's renewal.
pub fn latest_first(mut candidates: Vec<ContainerToken>) -> Vec<ContainerToken> {
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.expires));
    candidates
}

fn expiry(secret: &Secret) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let payload = secret.expose().split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let Claims { exp } = serde_json::from_slice(&payload).ok()?;
    Some(Timestamp::from_seconds(exp))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container_token(claims: &str, source: Source) -> ContainerToken {
        let text = format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        ContainerToken::new(Secret::parse(text.as_bytes()).unwrap(), source)
    }

    #[test]
    fn the_expiry_is_read_from_the_claims() {
        let token = container_token(r#"{"townId":"t","exp":100}"#, Source::Environment);
        assert!(!token.has_expired(Timestamp::from_millis(99_999)));
        assert!(token.has_expired(Timestamp::from_seconds(100)));
    }

    #[test]
    fn what_is_no_jwt_never_expires_by_itself() {
        for claims in ["", "{}", r#"{"exp":"soon"}"#, "[]", r#"{"exp":1e300}"#] {
            let token = container_token(claims, Source::Environment);
            assert!(!token.has_expired(Timestamp::from_millis(i64::MAX)), "{claims}");
        }
        let opaque = Secret::parse(b"opaque").unwrap();
        assert_eq!(ContainerToken::new(opaque, Source::File).expires(), None);
    }

    #[test]
    fn the_latest_expiring_one_comes_first() {
        let sources = |candidates: Vec<ContainerToken>| {
            let sorted = latest_first(candidates).into_iter();
            sorted.map(|candidate| candidate.source).collect::<Vec<_>>()
        };
        let file = || container_token(r#"{"exp":10}"#, Source::File);
        let environment = || container_token("{}", Source::Environment);
        let renewal = || container_token(r#"{"exp":20}"#, Source::Renewal);
        assert_eq!(
            sources(vec![file(), environment(), renewal()]),
            [Source::Renewal, Source::File, Source::Environment]
        );
    }
}
