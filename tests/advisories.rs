//! Attacks that others fell for, each under its id: what a hostile client sends, and that nothing
//! comes out. Real processes throughout; `gits.rs` has the attacks that go through a real git,
//! `places.rs` those on files, programs and the way to the worker.

use std::fs;

use crate::scene::*;
use crate::town::Script;

mod gits;
mod places;

/// Asserts that nothing comes of any of these requests, in which `TOKEN` stands for the cached one.
#[track_caller]
fn assert_nothing_comes_of(requests: &[&str]) {
    let (scene, token) = Scene::with_token(SECOND);
    for request in requests {
        scene.assert_nothing_comes_of(&request.replace("TOKEN", &token));
    }
}

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

/// A URL with `%0a` makes an old git send a line of the attacker's.
#[test]
fn cve_2020_5260_an_injected_line() {
    assert_nothing_comes_of(&[
        "protocol=http\nhost=evil.example\nhost=HOST\n\n",
        "protocol=http\nhost=HOST\nhost=evil.example\n\n",
        "protocol=http\nhost=HOST\nhost=HOST\n\n",
        "protocol=https\nhost=HOST\nprotocol=http\n\n",
        "protocol=http\nhost=HOST\npath=a\npath=b\n\n",
        "protocol=http\nhost=HOST\nusername=a\nusername=b\n\n",
        "protocol=http\nhost=HOST\npassword=a\npassword=TOKEN\n\n",
        "url=http://evil.example%0ahost=HOST/\n\n",
        "url=http://HOST/\nhost=evil.example\n\n",
        "host=evil.example\nurl=http://HOST/\n\n",
        "url=http://HOST/\nprotocol=https\n\n",
        "url=http://alice@HOST/\nusername=bob\n\n",
        "protocol=http\nhost=HOST\nnonsense\n\n",
        "url=http://HOST/%0ahost=evil.example\n\n",
        "url=http://HOST/\nurl=http://evil.example/\n\n",
    ]);
}

/// Helpers took a blank or missing host for "any", and for all on erase.
#[test]
fn cve_2020_11008_a_blank_host() {
    assert_nothing_comes_of(&[
        "",
        "\n",
        "protocol=http\n\n",
        "host=HOST\n\n",
        "protocol=http\nhost=\n\n",
        "protocol=\nhost=HOST\n\n",
        "protocol=\nhost=\n\n",
        "protocol=http\nhost=\nusername=x-access-token\npassword=TOKEN\n\n",
        "username=x-access-token\npassword=TOKEN\n\n",
        "url=http:///acme/app.git\n\n",
        "url=://HOST/acme/app.git\n\n",
        "url=HOST/acme/app.git\n\n",
        "url=\n\n",
    ]);
}

/// A bare carriage return is a line end to some readers.
#[test]
fn cve_2024_50338_a_bare_carriage_return() {
    assert_nothing_comes_of(&[
        "protocol=http\nhost=evil.example\rhost=HOST\n\n",
        "protocol=http\nhost=HOST\rhost=evil.example\n\n",
        "protocol=http\rhost=HOST\r\r",
        "protocol=http\nhost=HOST\r\r\n\n",
        "protocol=http\nhost=HOST\npath=a\rpassword=b\n\n",
        "protocol=http\nhost=HOST\nwwwauth[]=Basic\rhost=evil.example\n\n",
        "protocol=http\nhost=HOST\nfuture=a\rb\n\n",
        "protocol=http\nhost=HOST\nfuture=\0\n\n",
        "protocol=http\nhost=HOST\nusername=\u{1b}[31m\n\n",
        "protocol=http\nhost=HOST\npath=a\tb\n\n",
        "protocol=http\nhost=HOST\u{7f}\n\n",
        "protocol=http\nhost=HOST\0\n\n",
        "protocol=http\nhost=HOST\0.evil.example\n\n",
        "protocol=http\nhost=HOST\x0bhost=evil.example\n\n",
        "protocol=http\nhost=HOST\x0chost=evil.example\n\n",
        "url=http://evil.example%0dhost=HOST/\n\n",
        "url=http://HOST%00.evil.example/\n\n",
        // As git-lfs sent them for a hostile `.lfsconfig` (CVE-2024-53263).
        "protocol=http\nhost=HOST\npath=acme/app.git/info/lfs\0\n\n",
        "protocol=http\nhost=HOST\npath=a\x01b\n\n",
    ]);
}

/// Readers that know Unicode end lines at U+0085, U+2028 and U+2029 too.
#[test]
fn cve_2025_23040_a_line_end_of_unicode() {
    let (scene, token) = Scene::with_token(SECOND);
    for end in ["\u{85}", "\u{2028}", "\u{2029}", "%e2%80%a8", "\u{1e}"] {
        for request in [
            format!("protocol=http\nhost=evil.example{end}host=HOST\n\n"),
            format!("protocol=http\nhost=HOST{end}host=evil.example\n\n"),
            format!("protocol=http{end}host=HOST\n\n"),
            format!("url=http://evil.example{end}host=HOST/\n\n"),
        ] {
            scene.assert_nothing_comes_of(&request);
        }
    }
    // In a value that is not ours to read it is a byte like any other.
    scene
        .ask("get", "protocol=http\nhost=HOST\npath=a\u{2028}host=evil.example\n\n")
        .answers(&token);
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
            scene
                .home
                .set(name, value)
                .set("GASTOWN_RIG_ID", &format!("rig-{}", fastrand::u64(..)));
            scene.home.set(
                "GASTOWN_GIT_HOSTS",
                &format!("http://HOST,{forged}").replace("HOST", &scene.github.host()),
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

/// Fields longer than a buffer overran it.
#[test]
fn cve_2025_48386_fields_that_are_too_long() {
    let (scene, _) = Scene::with_token(SECOND);
    let long = "x".repeat(70_000);
    for key in ["protocol", "host", "path", "username", "password", "future", "state[]"] {
        scene.assert_nothing_comes_of(&format!("protocol=http\nhost=HOST\n{key}={long}\n\n"));
    }
    scene.assert_nothing_comes_of(&format!("protocol=http\nhost=HOST\n{long}=x\n\n"));
    let endless = "wwwauth[]=x\n".repeat((1 << 20) / 12 + 1);
    scene.assert_nothing_comes_of(&format!("protocol=http\nhost=HOST\n{endless}\n"));
}

/// A new key of git's (`ntlm`) broke helpers; and values must never hold a line end on the way out.
#[test]
fn gcm_ntlm_unknown_keys_in_and_line_ends_out() {
    let (scene, token) = Scene::with_token(SECOND);
    let future = "ntlm=suppress\nntlm=allow\nnew[]=1\nnew[]=2\n=\n";
    scene.ask("get", &format!("protocol=http\nhost=HOST\n{future}\n")).answers(&token);
    for token in
        ["ghs_a\\nhost=evil.example", "ghs_a\\r", "ghs_a\\u0000", "ghs a", "", "ghs_\\u2028"]
    {
        let (scene, _) = Scene::with_token(DEAD);
        let body = format!("{{\"success\":true,\"data\":{{\"token\":\"{token}\"}}}}");
        scene.worker.answer_with(Script::status(200, &[], &body));
        scene.get().quits("bad-answer");
    }
}
