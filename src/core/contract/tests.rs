use super::*;

const ASKED: Timestamp = Timestamp::from_seconds(1_796_688_000);
const DATE: &str = "Tue, 08 Dec 2026 00:00:00 GMT";

fn bearer() -> &'static Secret {
    static BEARER: std::sync::OnceLock<Secret> = std::sync::OnceLock::new();
    BEARER.get_or_init(|| Secret::parse(b"bearer-without-a-shape").unwrap())
}

fn question() -> Question<'static> {
    Question {
        secrets: std::slice::from_ref(bearer()),
        worker: "https://worker.example",
        town: "town-1",
        rig: "rig-1",
        rig_origin: "GASTOWN_RIG_ID",
        rig_advice: "set GASTOWN_RIG_ID, or run git inside the rig's worktree",
        asked_at: ASKED,
        answered_at: ASKED.shifted(200),
    }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, body: Zeroizing::new(body.into()), ..Reply::default() }
}

fn failure(status: u16, error: &str) -> Failure {
    let body = serde_json::json!({ "success": false, "error": error }).to_string();
    failed(&reply(status, &body))
}

fn failed(reply: &Reply) -> Failure {
    match git_token(reply, question()) {
        Err(Denial::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

/// Milliseconds from the ask to the expiry that is believed.
fn life(fields: &str, date: Option<&str>) -> Option<i64> {
    let body = format!(r#"{{"success":true,"data":{{"token":"ghs_a"{fields}}}}}"#);
    let reply = Reply { date: date.map(str::to_owned), ..reply(200, &body) };
    let expires = git_token(&reply, question()).unwrap().expires;
    expires.map(|expires| expires.millis_since(ASKED))
}

#[test]
fn a_bare_token_is_granted_without_an_expiry() {
    for status in [200, 201, 203] {
        let reply = reply(status, r#"{"success":true,"data":{"token":"ghs_a"}}"#);
        let grant = git_token(&reply, question()).unwrap();
        assert_eq!((grant.token.expose(), grant.expires, grant.asked_at), ("ghs_a", None, ASKED));
    }
}

#[test]
fn an_expiry_is_understood_in_every_form_and_place() {
    let hour = Some(3_600_000);
    assert_eq!(life(r#","expires_at":"2026-12-08T01:00:00Z""#, None), hour);
    assert_eq!(life(r#","expiresAt":"2026-12-08T01:00:00Z""#, None), hour);
    assert_eq!(life(r#","expiresAt":1796691600000"#, None), hour);
    assert_eq!(life(r#","expires_in":3600"#, None), hour);
    let beside = r#"{"data":{"token":"ghs_a"},"expires_at":"2026-12-08T01:00:00Z"}"#;
    let grant = git_token(&reply(200, beside), question()).unwrap();
    assert_eq!(grant.expires, Some(ASKED.shifted(3_600_000)));
}

#[test]
fn an_expiry_that_is_not_sane_counts_as_unknown() {
    for fields in [
        r#","expires_at":"soon""#,
        r#","expires_at":null"#,
        r#","expires_at":[]"#,
        r#","expires_at":"2027-12-08T01:00:00Z""#,
        r#","expiresAt":-1"#,
        r#","expiresAt":1e300"#,
        r#","expires_in":"3600""#,
        r#","expires_in":-5"#,
        r#","expires_in":1e300"#,
        r#","expires_in":3721"#,
    ] {
        assert_eq!(life(fields, None), None, "{fields}");
    }
}

#[test]
fn an_expiry_is_told_in_terms_of_the_local_clock() {
    let hour = r#","expires_at":"2026-12-08T01:00:00Z""#;
    assert_eq!(life(hour, Some(DATE)), Some(3_600_000), "no difference is made up");
    // The worker's clock is a minute behind: the token lives longer than its date says.
    assert_eq!(life(hour, Some("Mon, 07 Dec 2026 23:59:00 GMT")), Some(3_600_000 + 59_000));
    assert_eq!(life(hour, Some("yesterday")), Some(3_600_000));
    // Relative lives need no clock.
    assert_eq!(life(r#","expires_in":60"#, Some("Mon, 07 Dec 2026 23:50:00 GMT")), Some(60_000));
}

#[test]
fn a_token_is_used_whatever_is_said_of_its_expiry() {
    for expired in ["2026-12-08T00:00:00Z", "2020-01-01T00:00:00Z", "0000-01-01T00:00:00Z"] {
        assert_eq!(life(&format!(r#","expires_at":"{expired}""#), Some(DATE)), None);
    }
}

#[test]
fn a_token_is_used_whatever_stands_beside_it() {
    let deep = format!(r#","x":{}{}"#, "[".repeat(300), "]".repeat(300));
    for beside in [r#","x":1e999"#, r#","expires_at":1e999"#, r#","x":"\ud800""#, &deep] {
        assert_eq!(life(beside, None), None, "{beside}");
    }
    assert_eq!(life(r#","expires_in":3600,"expires_at":1e999"#, None), Some(3_600_000));
}

#[test]
fn epoch_seconds_are_told_from_milliseconds() {
    assert_eq!(life(r#","expires_at":1796691600"#, None), Some(3_600_000));
    assert_eq!(life(r#","expires_at":1796691600.9"#, None), Some(3_600_000));
    assert_eq!(life(r#","expiresAt":1796691600"#, Some(DATE)), Some(3_600_000));
    assert_eq!(life(r#","expires_at":1796691600000"#, None), Some(3_600_000));
}

#[test]
fn expiry_is_kept_when_the_date_header_is_hours_wrong() {
    let hour = r#","expires_at":"2026-12-08T01:00:00Z""#;
    for date in ["Tue, 08 Dec 2026 02:00:00 GMT", "Mon, 07 Dec 2026 22:00:00 GMT"] {
        assert_eq!(life(hour, Some(date)), Some(3_600_000), "{date}");
    }
}

#[test]
fn answers_that_are_none_are_bad_answers() {
    let long = format!(r#"{{"data":{{"token":"{}"}}}}"#, "a".repeat(8193));
    for body in [
        "",
        "<html>",
        "null",
        "[]",
        "{}",
        r#"{"data":{}}"#,
        r#"{"data":{"token":""}}"#,
        r#"{"data":{"token":7}}"#,
        r#"{"data":{"token":"ghs_a\nhost=evil.example"}}"#,
        r#"{"data":{"token":"ghs_a b"}}"#,
        r#"{"data":{"token":"ghs_\u0000"}}"#,
        r#"{"data":{"token":"ghs_é"}}"#,
        r#"{"success":false,"data":{"token":"ghs_a"}}"#,
        &long,
    ] {
        assert_eq!(failed(&reply(200, body)).name, Name::BadAnswer, "{body:?}");
    }
    assert_eq!(failed(&reply(204, "")).name, Name::BadAnswer);
}

#[test]
fn every_row_of_the_contract_has_its_name() {
    let row = |status, error| {
        let failure = failure(status, error);
        (failure.name, failure.retry)
    };
    let rejected = (Name::ContainerTokenRejected, Retry::WhenMended);
    assert_eq!(row(401, "Authentication required"), rejected);
    assert_eq!(row(401, "Invalid token signature"), rejected);
    assert_eq!(row(401, "Invalid token payload"), rejected);
    assert_eq!(row(401, "Token validation failed"), rejected);
    assert_eq!(row(403, "Cross-town access denied"), (Name::CrossTown, Retry::WhenMended));
    assert_eq!(row(404, "Rig not found"), (Name::RigNotFound, Retry::WhenMended));
    assert_eq!(
        row(404, "No git token available for this rig"),
        (Name::NoGitToken, Retry::WhenMended)
    );
    assert_eq!(row(500, "Internal server error"), (Name::WorkerError, Retry::AtOnce));
    assert_eq!(row(429, ""), (Name::RateLimited, Retry::Later));
    for status in [302, 307, 400, 403, 404, 405, 418] {
        assert_eq!(row(status, "<html>"), (Name::WorkerError, Retry::WhenMended), "{status}");
    }
    let expired = reply(401, r#"{"success":false,"error":"Token expired"}"#);
    assert!(matches!(git_token(&expired, question()), Err(Denial::ContainerTokenExpired)));
}

#[test]
fn an_error_says_what_failed_and_what_to_do() {
    assert_eq!(
        failure(404, "Rig not found").to_string(),
        "the worker at https://worker.example does not know rig `rig-1` (from GASTOWN_RIG_ID) of town `town-1` \
         (404 Rig not found); set GASTOWN_RIG_ID, or run git inside the rig's worktree \
         [rig-not-found]"
    );
}

#[test]
fn the_workers_own_words_are_escaped_and_cut() {
    let what = failure(400, &format!("a\n\u{1b}[31m{}", "b".repeat(500))).what;
    assert!(what.contains(r"a\n\u{1b}[31mbbb"), "{what}");
    assert!(what.len() < 300, "{what}");
}

#[test]
fn a_secret_in_the_workers_words_is_masked_before_they_are_cut() {
    for length in 90..130 {
        for secret in ["bearer-without-a-shape", "ghs_installation_token"] {
            let what = failure(400, &format!("{} {secret}", "x".repeat(length))).what;
            let parts = ["bearer", "ghs_", "shape", "token_"];
            let shown = parts.iter().find(|part| what.contains(**part));
            assert_eq!(shown, None, "{what}");
        }
    }
}

#[test]
fn retry_after_is_read_in_both_forms() {
    let wait = |text: &str| {
        let reply =
            Reply { retry_after: Some(text.into()), date: Some(DATE.into()), ..reply(429, "{}") };
        failed(&reply).asked_to_wait.map(|wait| wait.as_secs())
    };
    assert_eq!(wait("120"), Some(120));
    assert_eq!(wait("Tue, 08 Dec 2026 00:02:00 GMT"), Some(119));
    assert_eq!(wait("Mon, 07 Dec 2026 00:02:00 GMT"), None);
    assert_eq!(wait("0"), None);
    assert_eq!(wait("-1"), None);
    assert_eq!(wait("soon"), None);
    assert_eq!(wait("99999999999999999999999"), Some(u64::MAX), "the record bounds it");
    assert_eq!(wait("1000000000"), Some(1_000_000_000), "the record bounds it");
    assert!(failure(429, "").what.contains("asked to wait"));
}

#[test]
fn a_redirect_is_named_by_its_host_alone() {
    for location in [
        "https://user:s3kr1t@login.example/path",
        "https://login.example/?private_token=s3kr1t",
        "//s3kr1t@login.example#s3kr1t",
        "/login?private_token=s3kr1t",
    ] {
        let reply = Reply { location: Some(location.to_owned()), ..reply(302, "") };
        let failure = failed(&reply).to_string();
        assert!(!failure.contains("s3kr1t"), "{failure}");
    }
    let mut reply = reply(302, "");
    for location in ["https://login.example/x", "//login.example/x"] {
        reply.location = Some(location.to_owned());
        assert!(failed(&reply).to_string().contains("redirected to login.example"), "{location}");
    }
    let failure = failed(&Reply { location: None, ..reply }).to_string();
    assert!(failure.contains("answered with a redirect (302), which is not followed"), "{failure}");
}
