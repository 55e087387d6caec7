//! Sentinels of every kind through every command and every failure, searched for on stdout, stderr,
//! in the trace, the audit log and all files. A token may be in the answer and in the cache's
//! entry, a renewed container token in the cache; nothing else may be anywhere, and all of it is
//! 0600.

mod sentinels;

use self::sentinels::{ENVIRONMENT, Sentinels, UNREAD, signature};
use crate::scene::*;
use crate::town::script::Override;
use crate::town::{CallKind, RIG, Rig, Script};

/// What only the worker knows: somebody else's token.
const OF_WORKER: &str = "ghs_Qe47.of-the-worker-30tYn";

#[test]
fn no_secret_leaks_while_all_goes_well() {
    let mut all = Sentinels::new();
    all.assert_tight("with an empty cache");
    all.assert_git_is_told_nothing("with a cached token");
    all.scene.home.age_cache(HOUR);
    all.assert_tight("with a dead token");
    let old = all.scene.worker.container_token_issued(9 * HOUR);
    all.secrets.push(signature(&old));
    all.scene.home.unset("GASTOWN_CONTAINER_TOKEN_FILE");
    all.set("GASTOWN_CONTAINER_TOKEN", &old);
    all.scene.home.age_cache(HOUR);
    all.assert_git_is_told_nothing("with a container token to renew");
    assert_eq!(all.renewals().len(), 1, "it was renewed");
}

#[test]
fn no_secret_leaks_when_the_worker_fails_and_repeats_them_all() {
    // A snapshot answers all the same, and then a person reads a warning; without one, an error.
    let cases = |has_snapshot| (0..FAILURES).map(move |number| (number, has_snapshot));
    let cases: Vec<_> = cases(true).chain(cases(false)).collect();
    for some in cases.chunks(4) {
        at_once(some, |(number, has_snapshot)| {
            let mut all = Sentinels::new();
            let is_read = |name| {
                !UNREAD.contains(name)
                    && (*has_snapshot || !["GIT_TOKEN", "GITHUB_TOKEN"].contains(name))
            };
            let read = ENVIRONMENT.iter().filter(|(name, ..)| is_read(name));
            let values: Vec<_> = read.map(|(_, value, _)| *value).collect();
            let (values, bearers) = (values.join(" "), all.bearers.join(" "));
            let said = format!("no: {values} Rt64-proxy-word-58vCy {bearers} {OF_WORKER}");
            all.secrets.push(OF_WORKER.trim_start_matches("ghs_").to_owned());
            let (what, script) = failure(*number, &said);
            all.scene.worker.answer_with(script);
            if *has_snapshot {
                all.assert_tight(what);
            } else {
                all.scene.home.unset("GIT_TOKEN").unset("GITHUB_TOKEN");
                all.assert_git_is_told_nothing(what);
            }
        });
    }
    let mut all = Sentinels::new();
    all.scene.worker.go_down();
    all.assert_tight("down");
}

const FAILURES: usize = 12;

/// Every way in which a worker can fail, saying this wherever it can.
fn failure(number: usize, said: &str) -> (&'static str, Override) {
    let padded = format!("{}{said}", "x ".repeat(45));
    let location = format!("http://evil.example/?{}", said.replace(' ', "&"));
    let granted = serde_json::json!({ "success": true, "data": { "token": said } });
    let cut_off = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec();
    let failures: [(&str, Override); FAILURES] = [
        ("401", Script::error(401, said).into()),
        ("expired for ever", Script::error(401, "Token expired").only(CallKind::GitToken)),
        ("403", Script::error(403, &padded).into()),
        ("404", Script::error(404, said).into()),
        ("429", Script::status(429, &[("Retry-After", said)], said).into()),
        ("500", Script::error(500, &padded).into()),
        ("a redirect", Script::status(307, &[("Location", &location)], said).into()),
        ("not JSON", Script::status(200, &[], said).into()),
        ("no token", Script::json(200, &granted).into()),
        ("not HTTP", Script::Raw(said.to_owned().into_bytes()).into()),
        ("a reset", Script::Reset.into()),
        ("cut off", Script::Raw(cut_off).into()),
    ];
    failures.into_iter().nth(number).expect("a failure of that number")
}

#[test]
fn no_secret_leaks_when_settings_are_wrong() {
    let secret = "Kc72-in-the-wrong-place-05wHb";
    let in_url = &*format!("https://me:{secret}@ worker.example/");
    let settings = [
        [("GASTOWN_API_URL", in_url), ("GASTOWN_RIG_ID", "rig-1")],
        [("GASTOWN_TOWN_ID", in_url), ("GASTOWN_RIG_ID", "rig-1")],
        [("GASTOWN_RIG_ID", in_url), ("GASTOWN_TOWN_ID", "town-1")],
        [("GASTOWN_CONTAINER_TOKEN", in_url), ("GASTOWN_RIG_ID", "rig-1")],
        [("HTTPS_PROXY", in_url), ("GASTOWN_API_URL", "https://worker.example")],
        [("HTTPS_PROXY", &format!("{secret}://x")), ("GASTOWN_API_URL", "https://worker.example")],
        [("GITHUB_CLI_PAT", in_url), ("GASTOWN_RIG_ID", "rig-1")],
    ];
    at_once(&settings, |settings| {
        let mut all = Sentinels::new();
        all.secrets.push(secret.to_owned());
        for (name, value) in settings {
            all.set(name, value);
        }
        all.assert_tight(settings[0].0);
    });
    let mut all = Sentinels::new();
    let config = all.scene.path("config.json");
    all.set("GASTOWN_CONFIG", &config.to_string_lossy());
    all.own_files.push(config.clone());
    all.secrets.push(secret.to_owned());
    for text in [
        format!("{{\"github_cli_pat\":\"{secret}\""),
        format!("{{\"github_cli_pat\":\"{secret} \\n x\"}}"),
        format!("{{\"github_cli_pat\":[\"{secret}\"]}}"),
        format!("[\"{secret}\"]"),
        secret.to_owned(),
    ] {
        all.scene.write(&config, text);
        all.assert_git_is_told_nothing("a config file");
    }
    all.assert_tight("a config file");
}

#[test]
fn no_secret_leaks_when_a_configured_token_answers_or_is_refused() {
    let mut all = Sentinels::new();
    all.scene.worker.add_rig(RIG, Rig::NoToken);
    for (name, secret) in [
        ("GITHUB_CLI_PAT", "github_pat_Vx38OfSomebody91"),
        ("GITHUB_TOKEN", "ghp_Dj66OfSomebodyElse40"),
        ("GITHUB_CLI_PAT", "Tf84-without-a-shape-29nSe"),
    ] {
        all.secrets.push(secret.to_owned());
        all.set(name, secret);
        all.assert_git_is_told_nothing(name);
        let refused = format!("{}\npassword={secret}\n\n", request(&all.scene).trim_end());
        let ran = all.scene.home.helper(&["erase", "-v"], &refused);
        all.assert_said_nothing(&ran, name);
        all.assert_tight("after a refusal");
        all.scene.home.unset(name);
    }
}
