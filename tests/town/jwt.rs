//! The worker's container tokens: HS256 JWTs. Owns their wire form and signature; whether one has
//! expired is the worker's business, because one of its calls accepts expired ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    pub town_id: String,
    pub user_id: String,
    pub scope: String,
    /// Seconds of the real clock, as the program under test sees it.
    pub iat: i64,
    pub exp: i64,
    /// The one claim that the real worker lacks, left out while it is zero: how many milliseconds
    /// the town's clock was ahead at issue, without which `exp` says nothing after time was moved.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub town_clock_ahead: i64,
}

pub fn mint(key: &[u8], claims: &impl Serialize) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = serde_json::to_vec(claims).expect("claims are plain data");
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = signer(key, &signed).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// # Errors
/// What the worker answers, in the order of checking.
pub fn verify(key: &[u8], token: &str) -> Result<Claims, &'static str> {
    const SIGNATURE: &str = "Invalid token signature";
    const PAYLOAD: &str = "Invalid token payload";
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        return Err("Token validation failed");
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SIGNATURE)?;
    signer(key, &format!("{header}.{payload}")).verify_slice(&signature).map_err(|_| SIGNATURE)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| PAYLOAD)?;
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| PAYLOAD)?;
    if claims.scope == "container" { Ok(claims) } else { Err(PAYLOAD) }
}

fn signer(key: &[u8], message: &str) -> Hmac<Sha256> {
    let mut signer = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    signer.update(message.as_bytes());
    signer
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}
