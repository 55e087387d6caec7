//! git's credential protocol, byte for byte: what the program reads, and the exact bytes that git
//! gets. The rules are those of git-credential(1); what it refuses to read is in `advisories.rs`.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use assert_cmd::cargo::cargo_bin_cmd;

use crate::town::{Home, RIG, Ran, Rig, Town, hash};
use crate::transcript::*;

/// A town, an agent whose token is cached, and that token.
fn answered() -> (Town, Home, String) {
    let town = Town::start();
    let home = agent(&town);
    let token = token(&get(&home, &town));
    town.worker.forget_calls();
    (town, home, token)
}

/// `get` with these bytes, in which `HOST` stands for the stand-in GitHub.
fn ask(town: &Town, home: &Home, request: &str) -> Ran {
    home.helper(&["get"], &request.replace("HOST", &town.github.host()))
}

#[test]
fn an_answer_is_user_and_token_and_nothing_else() {
    let town = Town::start();
    let ran = get(&agent(&town), &town);
    let [token] = &town.worker.minted_for(RIG)[..] else { panic!("one token") };
    assert_silently(&ran, &format!("username=x-access-token\npassword={token}\n"));
}

#[test]
fn every_honest_wording_of_a_request_gets_the_same_answer() {
    let (town, home, token) = answered();
    for request in [
        "protocol=http\nhost=HOST\n\n",
        // git2-rs ends it by the end of file.
        "protocol=http\nhost=HOST\n",
        "protocol=http\nhost=HOST",
        "protocol=http\r\nhost=HOST\r\n\r\n",
        "host=HOST\nprotocol=http\n\n",
        "protocol=http\nhost=HOST\npath=acme/app.git\nusername=alice\n\n",
        "protocol=http\nhost=HOST\nusername=\npassword=\npath=\n\n",
        "url=http://HOST\n\n",
        "url=http://HOST/\n\n",
        "url=http://alice@HOST/acme/app.git\n\n",
        "url=http://HOST/acme/app.git\nprotocol=http\nhost=HOST\npath=acme/app.git\n\n",
        // Keys of the future, and of other helpers.
        "protocol=http\nhost=HOST\nfuture=1\nfuture=2\nfuture[]=3\n=\n\n",
        "protocol=http\nhost=HOST\nwwwauth[]=Basic realm=\"GitHub\"\nwwwauth[]=\n\n",
        // What follows the blank line is not part of it.
        "protocol=http\nhost=HOST\n\nhost=evil.example\n\0\r",
    ] {
        assert_silently(&ask(&town, &home, request), &credential(&token));
    }
    let longest = "x".repeat(65_535 - "path=".len());
    let request = format!("protocol=http\nhost=HOST\npath={longest}\n\n");
    assert_silently(&ask(&town, &home, &request), &credential(&token));
    assert_eq!(calls(&town), (0, 0));
}

#[test]
fn the_whole_answer_is_one_write() {
    let (town, home, token) = answered();
    let answer = credential(&token);
    for (request, expected) in [
        (request(&town), answer.as_bytes()),
        ("protocol=https\nhost=evil.example\n\n".to_owned(), b"".as_slice()),
    ] {
        // A datagram socket keeps each write apart.
        let (ours, theirs) = UnixDatagram::pair().expect("a pair of sockets");
        let mut helper = home.command(HELPER);
        let stdin = home.path().join("request");
        std::fs::write(&stdin, request).expect("the home is writable");
        helper.arg("get").stdin(std::fs::File::open(&stdin).expect("just written"));
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
    let (town, home, token) = answered();
    let request = "capability[]=authtype\ncapability[]=state\nprotocol=http\nhost=HOST\n\
                   wwwauth[]=Basic realm=\"GitHub\"\n\n";
    let request = request.replace("HOST", &town.github.host());
    let ran = home.helper_of_transport(&["get"], &request);
    let state = value(&ran, "state[]").expect("a state");
    let prefix = state.strip_prefix("gastown:").expect("our state");
    assert!(prefix.len() >= 8 && hash(&token).starts_with(prefix), "{ran:?}");
    let expected = format!("{}state[]={state}\ncontinue=1\n", credential(&token));
    assert_silently(&ran, &format!("capability[]=state\n{expected}"));
    for request in [
        "capability[]=authtype\nprotocol=http\nhost=HOST\n\n",
        "capability[]=state\ncapability[]=\nprotocol=http\nhost=HOST\n\n",
    ] {
        assert_silently(&ask(&town, &home, request), &credential(&token));
    }
}

#[test]
fn store_does_nothing_at_all() {
    let (town, home, token) = answered();
    let before = home.everything();
    for request in [
        format!("{}username=x-access-token\npassword={token}\n\n", request(&town).trim_end()),
        format!("{}username=alice\npassword=secret\n\n", request(&town).trim_end()),
        "protocol=https\nhost=evil.example\nusername=alice\npassword=secret\n\n".to_owned(),
        "nonsense".to_owned(),
    ] {
        assert_silently(&home.helper(&["store"], &request), "");
    }
    let fresh = agent(&town);
    let nothing = fresh.everything();
    assert_silently(&fresh.helper(&["store"], &credential("secret")), "");
    assert_eq!((fresh.everything(), home.everything()), (nothing, before));
    assert_eq!(calls(&town), (0, 0));
}

#[test]
fn capability_tells_in_gits_own_form() {
    let town = Town::start();
    let ran = agent(&town).helper(&["capability"], "");
    assert_silently(&ran, "version 0\ncapability state\n");
    assert_eq!(town.worker.calls().len(), 0);
}

#[test]
fn operations_of_the_future_are_ignored_in_silence() {
    let (town, home, _) = answered();
    let before = home.everything();
    for operation in [["approve", ""], ["frobnicate", "--hard"], ["GET", ""], ["", ""]] {
        assert_silently(&home.helper(&operation, &request(&town)), "");
    }
    assert_eq!((calls(&town), home.everything()), ((0, 0), before));
}

#[test]
fn wrong_usage_is_told_on_stderr_with_code_2() {
    let (town, home, _) = answered();
    let wrong: [&[&str]; 5] =
        [&[], &["-v"], &["get", "--frobnicate"], &["--rig"], &["get", "--on-failure", "maybe"]];
    for arguments in wrong {
        let ran = home.helper(arguments, &request(&town));
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{ran:?}");
        assert!(ran.stderr.contains("--help"), "{ran:?}");
    }
}

#[test]
fn flags_may_stand_before_and_after_the_operation() {
    let town = Town::start();
    town.worker.add_rig("rig-2", Rig::Installation);
    let home = agent(&town);
    let before = home.helper(&["--rig", "rig-2", "get"], &request(&town));
    let after = home.helper(&["get", "--rig=rig-2"], &request(&town));
    let [token] = &town.worker.minted_for("rig-2")[..] else { panic!("one token") };
    assert_silently(&before, &credential(token));
    assert_silently(&after, &credential(token));
}

#[test]
fn a_failure_makes_git_quit_unless_the_next_helper_shall_be_asked() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_RIG_ID", "rig-9");
    assert_fails_as(&get(&home, &town), "rig-not-found");
    let next = |home: &Home, arguments: &[&str]| {
        let ran = home.helper(arguments, &request(&town));
        assert_eq!((ran.code, &*ran.stdout), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains("[rig-not-found]"), "{ran:?}");
    };
    next(&home, &["get", "--on-failure", "next"]);
    next(&home, &["--on-failure=next", "get"]);
    home.set("GASTOWN_ON_FAILURE", "next");
    next(&home, &["get"]);
    let ran = home.helper(&["get", "--on-failure", "quit"], &request(&town));
    assert_fails_as(&ran, "rig-not-found");
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
