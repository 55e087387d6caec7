//! Attacks that others fell for, each under its id: what a hostile client sends, and that nothing
//! comes out. Real processes throughout; `gits.rs` has the attacks that go through a real git,
//! `places.rs` those on files, programs and the way to the worker.

use std::fs;

use crate::town::Script;
use crate::transcript::HOUR;
use scene::{assert_only_lines_of_ours, cached, cached_scene};

mod gits;
mod places;
mod scene;

/// A URL with `%0a` makes an old git send a line of the attacker's.
#[test]
fn cve_2020_5260_an_injected_line() {
    let scene = cached_scene();
    for request in [
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
    ] {
        scene.assert_nothing_comes_of(&request.replace("TOKEN", &cached(&scene)));
    }
}

/// Helpers took a blank or missing host for "any", and for all on erase.
#[test]
fn cve_2020_11008_a_blank_host() {
    let scene = cached_scene();
    for request in [
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
    ] {
        scene.assert_nothing_comes_of(&request.replace("TOKEN", &cached(&scene)));
    }
}

/// A bare carriage return is a line end to some readers.
#[test]
fn cve_2024_50338_a_bare_carriage_return() {
    let scene = cached_scene();
    for request in [
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
    ] {
        scene.assert_nothing_comes_of(request);
    }
}

/// Readers that know Unicode end lines at U+0085, U+2028 and U+2029 too.
#[test]
fn cve_2025_23040_a_line_end_of_unicode() {
    let scene = cached_scene();
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
    let answer = scene.ask("get", "protocol=http\nhost=HOST\npath=a\u{2028}host=evil.example\n\n");
    assert_eq!(answer.password(), Some(&*cached(&scene)));
}

/// Control characters in what a person is shown steer the terminal or forge a line; here from the
/// request, from the worker and from the settings, on stderr and in the trace.
#[test]
fn cve_2024_50349_control_characters_in_what_is_shown() {
    let mut scene = cached_scene();
    let forged = "\n2026-01-01T00:00:00Z forged \u{1b}[31m\u{9b}2J\u{2028}\u{202e}\r\u{7}";
    let trace = scene.home.path().join("trace");
    let error = Script::error(500, forged);
    let moved = Script::status(302, &[("Location", "http://evil.example/\u{9b}2J\u{2028}")], "");
    for script in [error, moved] {
        scene.town.worker.answer_with(script);
        for (name, value) in [("GASTOWN_TRACE", "1"), ("GASTOWN_TRACE", &*trace.to_string_lossy())]
        {
            scene
                .home
                .set(name, value)
                .set("GASTOWN_RIG_ID", &format!("rig-{}", fastrand::u64(..)));
            scene.home.set(
                "GASTOWN_GIT_HOSTS",
                &format!("http://HOST,{forged}").replace("HOST", &scene.town.github.host()),
            );
            assert_only_lines_of_ours(&scene.get().0.stderr);
            for host in ["evil\u{2028}2026-01-01T00:00:00Z", "evil\u{9b}31m", "\u{202e}moc.live"] {
                let request = format!("protocol=https\nhost={host}\nusername=\u{202e}\n\n");
                assert_only_lines_of_ours(&scene.ask("get", &request).0.stderr);
            }
            let secret = format!("protocol=http\nhost=HOST\npassword={forged}\n\n");
            assert_only_lines_of_ours(&scene.ask("erase", &secret).0.stderr);
        }
    }
    for name in ["GASTOWN_TOWN_ID", "GASTOWN_API_URL", "GASTOWN_ON_FAILURE", "GITHUB_CLI_PAT"] {
        scene.home.set(name, forged);
        assert_only_lines_of_ours(&scene.get().0.stderr);
        scene.home.unset(name);
    }
    assert_only_lines_of_ours(&fs::read_to_string(trace).expect("it was written"));
}

/// `.lfsconfig` named a URL whose encoded line ends git-lfs put into its request.
#[test]
fn cve_2024_53263_what_git_lfs_sent_for_a_hostile_lfsconfig() {
    let scene = cached_scene();
    for request in [
        "protocol=http\nhost=evil.example\nhost=HOST\npath=acme/app.git/info/lfs\n\n",
        "protocol=http\nhost=evil.example\rhost=HOST\npath=acme/app.git/info/lfs\n\n",
        "protocol=http\nhost=evil.example\0HOST\npath=acme/app.git/info/lfs\n\n",
        "protocol=http\nhost=HOST\npath=acme/app.git/info/lfs\0\n\n",
        "protocol=http\nhost=HOST\npath=a\x01b\n\n",
    ] {
        scene.assert_nothing_comes_of(request);
    }
}

/// Every host that was not the known one counted as an "enterprise" host and got a token; or one
/// that ended like it did.
#[test]
fn cve_2024_53858_and_53859_another_host() {
    let mut scene = cached_scene();
    for (name, value) in [
        ("CODESPACES", "true"),
        ("GH_ENTERPRISE_TOKEN", "ghs_enterprise"),
        ("GITHUB_ENTERPRISE_TOKEN", "ghs_enterprise"),
        ("GITHUB_TOKEN", "ghs_snapshot"),
        ("GIT_TOKEN", "ghs_snapshot"),
        ("GITHUB_CLI_PAT", "ghp_user"),
    ] {
        scene.home.set(name, value);
    }
    let ours = scene.town.github.host();
    scene.home.set("GASTOWN_GIT_HOSTS", &format!("http://{ours},github.com"));
    for host in [
        "evil.example",
        "github.com.evil.example",
        "evilgithub.com",
        "x.github.com",
        "github.example",
        "github.com:8443",
        "github.com@evil.example",
        "evil.example/github.com",
        "evil.example#github.com",
        "github.com\\.evil.example",
        "localhost",
        "[::1]",
    ] {
        // The cached token and the PAT stay where they are.
        for operation in ["get", "store", "erase"] {
            let request = format!("protocol=https\nhost={host}\n\n");
            let ran = scene.ask(operation, &request).0;
            assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, "", ""), "{ran:?}");
        }
    }
    assert_eq!(scene.town.worker.calls().len(), 0);
}

/// Fields longer than a buffer overran it.
#[test]
fn cve_2025_48386_fields_that_are_too_long() {
    let mut scene = cached_scene();
    let long = "x".repeat(70_000);
    for key in ["protocol", "host", "path", "username", "password", "future", "state[]"] {
        scene.assert_nothing_comes_of(&format!("protocol=http\nhost=HOST\n{key}={long}\n\n"));
    }
    scene.assert_nothing_comes_of(&format!("protocol=http\nhost=HOST\n{long}=x\n\n"));
    let endless = "wwwauth[]=x\n".repeat((1 << 20) / 12 + 1);
    scene.assert_nothing_comes_of(&format!("protocol=http\nhost=HOST\n{endless}\n"));
    // Names of files are hashes: no id is too long for one, none can name another place.
    scene.home.set("GASTOWN_TOWN_ID", &"t".repeat(128)).set("GASTOWN_RIG_ID", &"r".repeat(128));
    scene.get().0.assert_fails();
    let too_long = |name: String| name.len() > 64;
    let files = scene.home.cache_files().into_iter();
    let mut names = files.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    assert!(!names.any(too_long));
    for id in [&*"t".repeat(129), "..", "../../x", "a/b", "a%2fb", ""] {
        scene.home.set("GASTOWN_TOWN_ID", id).set("GASTOWN_RIG_ID", id);
        scene.get().0.assert_fails();
    }
    let everything = scene.home.everything().into_iter();
    assert_eq!(everything.filter(|path| path.ends_with("gastown")).count(), 1);
}

/// A new key of git's (`ntlm`) broke helpers; and values must never hold a line end on the way out.
#[test]
fn gcm_ntlm_unknown_keys_in_and_line_ends_out() {
    let scene = cached_scene();
    let future = "ntlm=suppress\nntlm=allow\nnew[]=1\nnew[]=2\n=\n";
    let answer = scene.ask("get", &format!("protocol=http\nhost=HOST\n{future}\n"));
    assert_eq!(answer.password(), Some(&*cached(&scene)));
    for token in
        ["ghs_a\\nhost=evil.example", "ghs_a\\r", "ghs_a\\u0000", "ghs a", "", "ghs_\\u2028"]
    {
        let scene = cached_scene();
        let body = format!("{{\"success\":true,\"data\":{{\"token\":\"{token}\"}}}}");
        scene.town.worker.answer_with(Script::status(200, &[], &body));
        scene.home.age_cache(HOUR);
        let ran = scene.get().0;
        assert_eq!((ran.code, &*ran.stdout), (1, "quit=1\n"), "{ran:?}");
        assert!(ran.stderr.contains("[bad-answer]"), "{ran:?}");
    }
}
