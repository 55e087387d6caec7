//! The worker's contract, to the letter: which call gets which answer. Owns authentication and the
//! wording; refuses to be cleverer than the contract, so no expiry unless a test asked for one.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::clock::{Clock, http_date, millis, rfc3339};
use super::http::Answer;
use super::script::CallKind;
use super::token_service::{Grant, Refusal, TokenService};
use super::{TOWN, lock};

/// How an answer tells when its token dies. The contract's worker does not.
#[derive(Clone, Debug)]
pub enum Expiry {
    None,
    /// `data.expires_at`, RFC 3339.
    ExpiresAt,
    /// These fields in `data`, whatever they say.
    Literal(Value),
}

/// One of the two calls, or something that the worker has never heard of.
pub struct Route {
    pub kind: CallKind,
    town: String,
    rig: String,
}

impl Route {
    pub fn of(method: &str, target: &str) -> Self {
        let decode = |segment| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let segments: Vec<String> = target.split('/').map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (kind, town, rig) = match segments[..] {
            _ if method != "POST" => (CallKind::Other, "", ""),
            ["", "api", "towns", town, "rigs", rig, "refresh-git-token"] => {
                (CallKind::GitToken, town, rig)
            }
            ["", "api", "towns", town, "refresh-container-token"] => {
                (CallKind::ContainerToken, town, "")
            }
            _ => (CallKind::Other, "", ""),
        };
        Self { kind, town: town.to_owned(), rig: rig.to_owned() }
    }
}

const CONTAINER_TOKEN_LIFE: i64 = 8 * 60 * 60 * 1000;

pub struct Contract {
    clock: Clock,
    tokens: TokenService,
    /// The container tokens, each with what it is good for. A real worker checks a signature.
    issued: Mutex<HashMap<String, Claims>>,
    expiry: Mutex<Expiry>,
    /// How far the worker's clock is ahead of the caller's, in milliseconds.
    clock_skew: AtomicI64,
}

/// Whom a container token is for, and when it expires by the worker's clock.
#[derive(Clone)]
struct Claims {
    town: String,
    expires: i64,
}

type Error = (u16, &'static str);

impl Contract {
    pub fn new(clock: Clock, tokens: TokenService, expiry: Expiry) -> Self {
        let (expiry, clock_skew) = (Mutex::new(expiry), AtomicI64::new(0));
        Self { clock, tokens, issued: Mutex::default(), expiry, clock_skew }
    }

    pub fn set_expiry(&self, expiry: Expiry) {
        *lock(&self.expiry) = expiry;
    }

    /// Puts the worker's clock ahead of the caller's: `Date`, expiries and JWTs are off by that.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.clock_skew.store(seconds * 1000, Ordering::SeqCst);
    }

    /// What the `Date` header says.
    pub fn date(&self) -> String {
        http_date(self.told(self.clock.now()))
    }

    pub fn answer(&self, route: &Route, bearer: Option<&str>) -> Answer {
        let Route { kind, town, rig } = route;
        let answer = match kind {
            CallKind::GitToken => self.answer_git_token(town, rig, bearer),
            CallKind::ContainerToken => self.answer_container_token(town, bearer),
            CallKind::Other => Err((404, "Not found")),
        };
        match answer {
            Ok(body) => Answer::json(200, &body),
            Err((status, error)) => {
                Answer::json(status, &json!({ "success": false, "error": error }))
            }
        }
    }

    fn answer_git_token(
        &self,
        town: &str,
        rig: &str,
        bearer: Option<&str>,
    ) -> Result<Value, Error> {
        let claims = self.authenticated(bearer)?;
        if self.has_expired(&claims) {
            return Err((401, "Token expired"));
        }
        of_this_town(&claims, town)?;
        match self.tokens.hand_out(rig) {
            Ok(grant) => Ok(self.granted(&grant)),
            Err(Refusal::RigNotFound) => Err((404, "Rig not found")),
            Err(Refusal::NoGitToken) => Err((404, "No git token available for this rig")),
        }
    }

    fn answer_container_token(&self, town: &str, bearer: Option<&str>) -> Result<Value, Error> {
        let claims = self.authenticated(bearer)?;
        of_this_town(&claims, town)?;
        let token = self.container_token_of_town(town);
        let expired_inbound = self.has_expired(&claims);
        Ok(json!({
            "success": true,
            "data": { "token": token, "expiredInbound": expired_inbound },
        }))
    }

    /// Whether the token has expired is for the call to judge.
    fn authenticated(&self, bearer: Option<&str>) -> Result<Claims, Error> {
        let token = bearer.ok_or((401, "Authentication required"))?;
        lock(&self.issued).get(token).cloned().ok_or((401, "Invalid token signature"))
    }

    fn granted(&self, grant: &Grant) -> Value {
        let mut body = json!({ "success": true, "data": { "token": grant.token } });
        match (&*lock(&self.expiry), grant.expires) {
            (Expiry::Literal(fields), _) => {
                for (name, value) in fields.as_object().into_iter().flatten() {
                    body["data"][name] = value.clone();
                }
            }
            (Expiry::ExpiresAt, Some(at)) => {
                body["data"]["expires_at"] = rfc3339(self.told(at)).into();
            }
            _ => {}
        }
        body
    }

    /// A container token for this town, issued now.
    pub fn container_token(&self) -> String {
        self.container_token_issued(Duration::ZERO)
    }

    pub fn container_token_issued(&self, ago: Duration) -> String {
        self.issue(TOWN, ago)
    }

    pub fn container_token_of_town(&self, other: &str) -> String {
        self.issue(other, Duration::ZERO)
    }

    /// With every claim that the worker wants, but not issued by it.
    pub fn container_token_badly_signed(&self) -> String {
        jwt(TOWN, self.told(self.clock.now()))
    }

    fn issue(&self, town: &str, ago: Duration) -> String {
        let skew = self.clock_skew.load(Ordering::SeqCst);
        let issued = self.clock.now() - millis(ago);
        let token = jwt(town, self.told(issued));
        let claims =
            Claims { town: town.to_owned(), expires: issued + skew + CONTAINER_TOKEN_LIFE };
        lock(&self.issued).insert(token.clone(), claims);
        token
    }

    fn has_expired(&self, claims: &Claims) -> bool {
        let skew = self.clock_skew.load(Ordering::SeqCst);
        claims.expires <= self.clock.now() + skew
    }

    /// A moment in town time as the worker tells it to the outside.
    fn told(&self, moment: i64) -> i64 {
        moment - self.clock.ahead() + self.clock_skew.load(Ordering::SeqCst)
    }
}

/// What the rigs get.
impl Deref for Contract {
    type Target = TokenService;

    fn deref(&self) -> &TokenService {
        &self.tokens
    }
}

fn of_this_town(claims: &Claims, town: &str) -> Result<(), Error> {
    if claims.town == town { Ok(()) } else { Err((403, "Cross-town access denied")) }
}

/// In the form of the worker's, with a signature that nobody checks.
fn jwt(town: &str, issued: i64) -> String {
    let (iat, exp) = (issued / 1000, (issued + CONTAINER_TOKEN_LIFE) / 1000);
    let claims = json!({
        "townId": town, "userId": "user-1", "scope": "container", "iat": iat, "exp": exp,
    });
    let (claims, signature) = (claims.to_string(), [(); 32].map(|()| fastrand::u8(..)));
    let parts = [&br#"{"alg":"HS256","typ":"JWT"}"#[..], claims.as_bytes(), &signature];
    parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}
