//! Attacks that others fell for, each under its id: nothing comes out. `gits.rs` has those that go
//! through a real git, `places.rs` those on files, programs and the way to the worker.

use std::fs;

use crate::scene::*;
use crate::town::Script;

mod gits;
mod places;

/// Lines that begin with our name, or in a trace with the time and our name; and no character that
/// a terminal or another program's reader could take for more than itself.
#[track_caller]
fn assert_only_lines_of_ours(text: &str) {
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let is_traced = line.split_once(' ').is_some_and(|(moment, rest)| {
            moment.ends_with('Z') && rest.starts_with("git-credential-gastown[")
        });
        let is_ours = line.starts_with("git-credential-gastown: ") || is_traced;
        assert!(is_ours, "forged: {line:?} in\n{text:?}");
        let steers = |it: char| it.is_control() || matches!(it, '\u{2028}'..='\u{202e}');
        assert!(!line.contains(steers), "a control character in {line:?}");
    }
}

/// Each case that the parser refuses is with the parser, in `src/core/protocol/tests.rs`, under its
/// id; here is one of each kind, with the cached token that it would cost.
#[test]
fn what_the_parser_refuses_gets_nothing_and_changes_nothing() {
    let (scene, token) = Scene::with_token(SECOND);
    let (long, many) = ("x".repeat(70_000), "wwwauth[]=x\n".repeat((1 << 20) / 12 + 1));
    for request in [
        // CVE-2020-5260: an injected line.
        "protocol=http\nhost=evil.example\nhost=HOST\n\n",
        "url=http://evil.example%0ahost=HOST/\n\n",
        "url=http://HOST/\nhost=evil.example\n\n",
        "protocol=http\nhost=HOST\npassword=a\npassword=TOKEN\n\n",
        // CVE-2020-11008: a blank host, which was taken for "any".
        "",
        "protocol=http\nhost=\nusername=x-access-token\npassword=TOKEN\n\n",
        "username=x-access-token\npassword=TOKEN\n\n",
        // CVE-2024-50338, CVE-2024-53263: bytes that are a line's end to some readers.
        "protocol=http\nhost=evil.example\rhost=HOST\n\n",
        "protocol=http\nhost=HOST\0.evil.example\n\n",
        "protocol=http\nhost=HOST\npath=acme/app.git/info/lfs\0\n\n",
        // CVE-2025-23040: the ends of lines that Unicode knows.
        "protocol=http\nhost=evil.example\u{2028}host=HOST\n\n",
        "protocol=http\u{85}host=HOST\n\n",
        // CVE-2025-48386: fields that overran a buffer.
        &format!("protocol=http\nhost=HOST\nfuture={long}\n\n"),
        &format!("protocol=http\nhost=HOST\n{many}\n"),
    ] {
        scene.assert_nothing_comes_of(&request.replace("TOKEN", &token));
    }
}

/// Control characters in what a person is shown steer the terminal or forge a line; here from the
/// request, from the worker and from the settings, on stderr and in the trace.
#[test]
fn cve_2024_50349_control_characters_in_what_is_shown() {
    let (mut scene, _) = Scene::with_token(SECOND);
    let forged = "\n2026-01-01T00:00:00Z forged \u{1b}[31m\u{9b}2J\u{2028}\u{202e}\r\u{7}";
    let trace = scene.path("trace");
    let error = Script::error(500, forged);
    let moved = Script::status(302, &[("Location", "http://evil.example/\u{9b}2J\u{2028}")], "");
    for script in [error, moved] {
        scene.worker.answer_with(script);
        for (name, value) in [("GASTOWN_TRACE", "1"), ("GASTOWN_TRACE", &*trace.to_string_lossy())]
        {
            scene.home.set(name, value).set("GASTOWN_RIG_ID", format!("rig-{}", fastrand::u64(..)));
            scene.home.set(
                "GASTOWN_GIT_HOSTS",
                format!("http://HOST,{forged}").replace("HOST", &scene.github.host()),
            );
            assert_only_lines_of_ours(&scene.get().stderr);
            for host in ["evil\u{2028}2026-01-01T00:00:00Z", "evil\u{9b}31m", "\u{202e}moc.live"] {
                let request = format!("protocol=https\nhost={host}\nusername=\u{202e}\n\n");
                assert_only_lines_of_ours(&scene.ask("get", &request).stderr);
            }
            let secret = format!("protocol=http\nhost=HOST\npassword={forged}\n\n");
            assert_only_lines_of_ours(&scene.ask("erase", &secret).stderr);
        }
    }
    for name in ["GASTOWN_TOWN_ID", "GASTOWN_API_URL", "GASTOWN_ON_FAILURE", "GITHUB_CLI_PAT"] {
        scene.home.set(name, forged);
        assert_only_lines_of_ours(&scene.get().stderr);
        scene.home.unset(name);
    }
    assert_only_lines_of_ours(&fs::read_to_string(trace).expect("it was written"));
}
