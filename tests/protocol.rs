//! git's credential protocol, byte for byte: what the program reads, and the exact bytes that git
//! gets. The rules are those of git-credential(1); what it refuses to read is in `advisories.rs`.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use assert_cmd::cargo::cargo_bin_cmd;

use crate::scene::*;
use crate::town::hash;

/// With a token in the cache.
fn answered() -> (Scene, String) {
    Scene::with_token(SECOND)
}

#[test]
fn every_honest_wording_of_a_request_gets_the_same_answer() {
    let (scene, token) = answered();
    for request in [
        // git2-rs ends it by the end of file.
        "protocol=http\nhost=HOST",
        "protocol=http\r\nhost=HOST\r\n\r\n",
        "host=HOST\nprotocol=http\npath=acme/app.git\nusername=alice\npassword=\n\n",
        "url=http://alice@HOST/acme/app.git\n\n",
        "url=http://HOST/acme/app.git\nprotocol=http\nhost=HOST\npath=acme/app.git\n\n",
        "protocol=http\nhost=HOST\nwwwauth[]=Basic realm=\"GitHub\"\nwwwauth[]=\n\n",
        // GCM's `ntlm`: a new key of git's broke helpers.
        "protocol=http\nhost=HOST\nntlm=suppress\nntlm=allow\nnew[]=1\nnew[]=2\n=\n\n",
        // What follows the blank line is not part of it.
        "protocol=http\nhost=HOST\n\nhost=evil.example\n\0\r",
    ] {
        scene.ask("get", request).prints(&credential(&token));
    }
    let longest = "x".repeat(65_535 - "path=".len());
    let request = format!("protocol=http\nhost=HOST\npath={longest}\n\n");
    scene.ask("get", &request).prints(&credential(&token));
    assert_eq!(scene.both_calls(), (0, 0));
}

#[test]
fn the_whole_answer_is_one_write() {
    let (scene, token) = answered();
    let answer = credential(&token);
    for (request, expected) in [
        (request(&scene), answer.as_bytes()),
        ("protocol=https\nhost=evil.example\n\n".to_owned(), b"".as_slice()),
    ] {
        // A datagram socket keeps each write apart.
        let (ours, theirs) = UnixDatagram::pair().expect("a pair of sockets");
        let mut helper = scene.command(&["get"]);
        let stdin = scene.write("request", request);
        helper.stdin(std::fs::File::open(&stdin).expect("just written"));
        let status = helper.stdout(OwnedFd::from(theirs)).status();
        drop(helper);
        assert!(status.expect("the program under test can be started").success());
        ours.set_nonblocking(true).expect("a socket can be");
        let mut buffer = [0; 65_536];
        let writes = std::iter::from_fn(|| ours.recv(&mut buffer).ok().filter(|size| *size > 0));
        let sizes: Vec<_> = writes.collect();
        let expected: Vec<_> = Some(expected.len()).into_iter().filter(|size| *size > 0).collect();
        assert_eq!(sizes, expected);
    }
}

#[test]
fn a_client_that_keeps_state_is_told_which_token_it_got() {
    let (scene, token) = answered();
    let request = "capability[]=authtype\ncapability[]=state\nprotocol=http\nhost=HOST\n\
                   wwwauth[]=Basic realm=\"GitHub\"\n\n";
    let request = request.replace("HOST", &scene.github.host());
    let ran = scene.home.helper_of_transport(&["get"], &request);
    let state = ran.value("state[]").expect("a state");
    let prefix = state.strip_prefix("gastown:").expect("our state");
    assert!(prefix.len() >= 8 && hash(&token).starts_with(prefix), "{ran:?}");
    let expected = format!("{}state[]={state}\ncontinue=1\n", credential(&token));
    ran.prints(&format!("capability[]=state\n{expected}"));
    for request in [
        "capability[]=authtype\nprotocol=http\nhost=HOST\n\n",
        "capability[]=state\ncapability[]=\nprotocol=http\nhost=HOST\n\n",
    ] {
        scene.ask("get", request).prints(&credential(&token));
    }
}

#[test]
fn store_does_nothing_at_all() {
    let (scene, token) = answered();
    let before = scene.home.everything();
    for request in [
        format!("{}username=x-access-token\npassword={token}\n\n", request(&scene).trim_end()),
        format!("{}username=alice\npassword=secret\n\n", request(&scene).trim_end()),
        "protocol=https\nhost=evil.example\nusername=alice\npassword=secret\n\n".to_owned(),
        "nonsense".to_owned(),
    ] {
        scene.home.helper(&["store"], &request).prints("");
    }
    let fresh = Scene::new();
    let nothing = fresh.home.everything();
    fresh.home.helper(&["store"], &credential("secret")).prints("");
    assert_eq!((fresh.home.everything(), scene.home.everything()), (nothing, before));
    assert_eq!(scene.both_calls(), (0, 0));
}

#[test]
fn capability_tells_in_gits_own_form() {
    let scene = Scene::new();
    scene.helper(&["capability"]).prints("version 0\ncapability state\n");
    assert_eq!(scene.worker.calls().len(), 0);
}

#[test]
fn operations_of_the_future_are_ignored_in_silence() {
    let (scene, _) = answered();
    let before = scene.home.everything();
    for operation in [["approve", ""], ["frobnicate", "--hard"], ["GET", ""], ["", ""]] {
        scene.home.helper(&operation, &request(&scene)).prints("");
    }
    assert_eq!((scene.both_calls(), scene.home.everything()), ((0, 0), before));
}

#[test]
fn wrong_usage_is_told_on_stderr_with_code_2() {
    let (scene, _) = answered();
    let wrong: [&[&str]; 5] =
        [&[], &["-v"], &["get", "--frobnicate"], &["--rig"], &["get", "--on-failure", "maybe"]];
    for arguments in wrong {
        let ran = scene.home.helper(arguments, &request(&scene));
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{ran:?}");
        ran.mentions("--help");
    }
}

#[test]
fn a_failure_makes_git_quit_unless_the_next_helper_shall_be_asked() {
    let mut scene = Scene::new();
    scene.home.set("GASTOWN_RIG_ID", "rig-9");
    scene.get().quits("rig-not-found");
    let next = |scene: &Scene, arguments: &[&str]| {
        let ran = scene.home.helper(arguments, &scene.request());
        assert_eq!((ran.code, &*ran.stdout), (1, ""), "{ran:?}");
        ran.mentions("[rig-not-found]");
    };
    next(&scene, &["get", "--on-failure", "next"]);
    next(&scene, &["--on-failure=next", "get"]);
    scene.home.set("GASTOWN_ON_FAILURE", "next");
    next(&scene, &["get"]);
    scene.get_with(&["--on-failure", "quit"]).quits("rig-not-found");
}

#[test]
fn help_and_version_go_to_stdout_and_a_usage_error_to_stderr() {
    let program = || cargo_bin_cmd!("git-credential-gastown");
    let version = concat!("git-credential-gastown ", env!("CARGO_PKG_VERSION"), "\n");
    program().arg("--version").assert().success().stdout(version).stderr("");
    let help = program().arg("--help").assert().success().stderr("");
    let help = String::from_utf8_lossy(&help.get_output().stdout).into_owned();
    assert!(help.contains("GASTOWN_API_URL"), "{help}");
    for operation in ["get", "store", "erase", "capability"] {
        assert!(help.contains(&format!("\n  {operation} ")), "{help}");
    }
    program().arg("--no-such-flag").assert().code(2).stdout("");
}
