//! Texts on their way in and out: hosts, tokens, records under their keys, and what is shown.

use git_credential_gastown::contract::{Question, Reply, git_token};
use git_credential_gastown::host::{CacheKey, Host, Id};
use git_credential_gastown::patch::WayBack;
use git_credential_gastown::record::{Key as _, from_bytes, to_bytes};
use git_credential_gastown::redact::clean;
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::Secret;
use proptest::prelude::{Strategy, any, prop};
use proptest::{prop_assert, prop_assert_eq, prop_assume, proptest};

use super::{config, hostile_text};

fn secret(text: &str) -> Secret {
    Secret::parse(text.as_bytes()).expect("printable")
}

fn key(parts: &[String; 3]) -> CacheKey {
    let [api, town, rig] = parts.clone();
    CacheKey { api, town, rig }
}

/// Where a secret may stand in a text, in place of `SECRET`.
const PLACES: [&str; 17] = [
    "https://me:SECRET@host.example/a.git",
    "https://SECRET@host.example/a.git",
    "http://SECRET:x-oauth-basic@127.0.0.1:8787/a.git",
    "ssh://git:SECRET@host.example/a.git",
    "ftps://SECRET@host.example/a.git",
    "foo::https://me:SECRET@host.example",
    "https://me:SECRET",
    "me:SECRET@host.example:a.git",
    "SECRET@host.example",
    "url.https://me:SECRET@host.example/.insteadof",
    "HTTPS_PROXY=http://me:SECRET@proxy.example",
    "https://host.example/a.git?private_token=SECRET",
    "https://host.example/?unheard_of=SECRET&x=y",
    "access_token=SECRET&x=y",
    "credential.helper = !f() { echo password=x SECRET; }; f",
    "asks `!echo SECRET` first",
    "Authorization: Bearer SECRET",
];

/// Parts of a key that may run into each other.
fn parts() -> impl Strategy<Value = [String; 3]> {
    prop::array::uniform3("[a-b/:]{0,3}")
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_host_is_ours_only_by_its_exact_name(host in hostile_text()) {
        let ours = Host::listed("github.com").expect("a host");
        if Host::requested(b"https", host.as_bytes()) == Some(ours) {
            let name = host.to_ascii_lowercase();
            prop_assert!(name == "github.com" || name == "github.com:443", "{:?}", host);
        }
    }

    #[test]
    fn a_patch_leads_back_and_keeps_no_line_of_both(
        before in "([a-d]|x\\n|y\\n|\\n){0,12}",
        after in "([a-d]|x\\n|y\\n|\\n){0,12}",
        common in "[0-9]{20}",
    ) {
        // git ends a last line that was not ended.
        let around = |text: &str, end: &str| format!("{text}\n{common}\n{text}\n{common}{end}");
        let (before, after) = (around(&before, ""), around(&after, "\n"));
        let mut way_back = WayBack::default();
        way_back.record(Some(before.as_bytes()), after.as_bytes(), true).expect("it is new");
        let origin = way_back.origin(after.as_bytes()).expect("it is not damaged");
        prop_assert_eq!(origin, Some(Some(before.into_bytes())));
        let kept = serde_json::to_string(&way_back).expect("it is text");
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &common);
        prop_assert!(!kept.contains(&encoded[..20]), "{}", kept);
    }

    #[test]
    fn an_id_cannot_leave_its_place_in_a_url(text in hostile_text()) {
        if let Some(id) = Id::parse(&text) {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            prop_assert!(id.as_str().bytes().all(plain) && !id.as_str().starts_with('.'));
        }
    }

    #[test]
    fn a_record_is_read_under_its_own_key_only(mine in parts(), other in parts(), record: u64) {
        let wire = to_bytes(&key(&mine), &record);
        prop_assert_eq!(from_bytes(&key(&mine), &wire), Ok(record));
        prop_assume!(mine != other);
        prop_assert!(from_bytes::<_, u64>(&key(&other), &wire).is_err());
        prop_assert!(key(&mine).file() != key(&other).file());
    }

    #[test]
    fn a_cut_record_is_a_miss(mine in parts(), record: u64, cut in any::<prop::sample::Index>()) {
        let wire = to_bytes(&key(&mine), &record);
        prop_assert!(from_bytes::<_, u64>(&key(&mine), &wire[..cut.index(wire.len())]).is_err());
    }

    #[test]
    fn a_token_is_granted_if_it_can_travel_and_only_then(
        token in proptest::prop_oneof![hostile_text(), "[!-~]{1,600}", "[ -\u{ff}]{1,40}"],
    ) {
        let body = serde_json::json!({ "success": true, "data": { "token": token } });
        let reply = Reply { status: 200, body: body.to_string().into_bytes().into(), ..Reply::default() };
        let now = Timestamp::from_seconds(1_800_000_000);
        let question = Question {
            worker: "https://worker.example",
            town: "town-1",
            rig: "rig-1",
            rig_origin: "GASTOWN_RIG_ID",
            rig_advice: "set GASTOWN_RIG_ID, or run git inside the rig's worktree",
            secrets: &[],
            asked_at: now,
            answered_at: now,
        };
        let can_travel = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let granted = git_token(&reply, question).ok();
        prop_assert_eq!(granted.map(|it| it.token.expose().to_owned()), can_travel.then_some(token));
    }

    #[test]
    fn what_is_shown_holds_no_secret_and_stays_one_line(
        pieces in prop::collection::vec((hostile_text(), any::<prop::sample::Index>()), 0..8),
        // A fixed beginning, so that no escape can happen to spell one.
        secrets in prop::collection::vec("secret-[a-zA-Z0-9._-]{8,60}", 1..4),
    ) {
        let with_secret = |(text, which): &(String, prop::sample::Index)| {
            format!("{text}{}", secrets[which.index(secrets.len())])
        };
        let text: String = pieces.iter().map(with_secret).collect();
        let known: Vec<_> = secrets.iter().map(|it| secret(it)).collect();
        let shown = clean(&text, &known);
        prop_assert!(!shown.contains("secret-"), "{:?} is shown as {:?}", text, shown);
        let steers = |it: char| it.is_control() || ('\u{2028}'..='\u{202e}').contains(&it);
        let steering = shown.chars().find(|it| steers(*it));
        prop_assert_eq!(steering, None);
        for shape in ["ghs_", "ghp_", "github_pat_", "eyJ"] {
            let mut bodies = shown.split(shape).skip(1);
            let is_token = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
            prop_assert!(!bodies.any(|body| body.starts_with(is_token)), "{:?}", shown);
        }
    }

    #[test]
    fn no_secret_is_shown_wherever_it_stands(
        parts in prop::collection::vec("zq9[A-Za-z0-9._~!$&*+;:%=-]{0,3}", 1..5),
        place in prop::sample::select(&PLACES[..]),
        around in prop::array::uniform2("([a-z:.,(]{0,6} )?"),
    ) {
        let [before, after] = around;
        let text = format!("{before}{} {after}", place.replace("SECRET", &parts.concat()));
        let shown = clean(&text, &[]);
        prop_assert!(!shown.contains("zq9"), "{:?} is shown as {:?}", text, shown);
        prop_assert_eq!(clean(&shown, &[]), shown);
    }
}
