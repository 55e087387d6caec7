//! Each error name, provoked, and its advice followed: the next ask succeeds. What is mended in the
//! settings works at once; what mends itself, once the time on record is over. `embedded-token` is
//! in `setup`, where its command is.

use std::fs::{Permissions, set_permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::town::{Home, Ran, Rig, Script, Town};
use crate::transcript::{HELPER, HOUR, MINUTE, agent, get, let_pass, request};

/// That the ask fails with this name and says this to do.
#[track_caller]
fn assert_advises(home: &Home, town: &Town, name: &str, advice: &str) {
    let ran = get(home, town);
    ran.quits(name);
    assert!(ran.stderr.contains(advice), "`{advice}` is missing\n{ran:?}");
}

/// A setting that is wrong, and right again as the advice has it.
#[track_caller]
fn assert_mended_by_setting(wrong: (&str, &str), name: &str, advice: &str) {
    let town = Town::start();
    let mut home = agent(&town);
    let (variable, value) = wrong;
    home.set(variable, value);
    assert_advises(&home, &town, name, advice);
    home.as_agent(&town);
    get(&home, &town).token();
}

/// A worker that goes wrong, and is right again when the command is run again.
#[track_caller]
fn assert_mended_by_time(script: Script, name: &str, advice: &str) {
    let town = Town::start();
    let home = agent(&town);
    town.worker.answer_with(script);
    assert_advises(&home, &town, name, advice);
    town.worker.answer_honestly();
    home.age_cache(MINUTE);
    get(&home, &town).token();
}

#[test]
fn config_missing_names_what_to_set() {
    assert_mended_by_setting(("GASTOWN_TOWN_ID", ""), "config-missing", "GASTOWN_TOWN_ID is unset");
    let unset = "GASTOWN_CONTAINER_TOKEN is unset; set it";
    assert_mended_by_setting(("GASTOWN_CONTAINER_TOKEN", ""), "config-missing", unset);
}

#[test]
fn malformed_container_token_is_not_called_unset() {
    let town = Town::start();
    let mut home = agent(&town);
    home.set("GASTOWN_CONTAINER_TOKEN", "a b");
    let ran = get(&home, &town);
    assert!(ran.stderr.contains("GASTOWN_CONTAINER_TOKEN is not a token; set it"), "{ran:?}");
    assert!(!ran.stderr.contains("GASTOWN_CONTAINER_TOKEN is unset"), "{ran:?}");
}

#[test]
fn worker_that_speaks_no_https_is_not_said_to_have_a_wrong_certificate() {
    let town = Town::start();
    let mut home = agent(&town);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("it is bound").port();
    home.set("GASTOWN_API_URL", &format!("https://127.0.0.1:{port}"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (mut stream, mut hello) = (stream, [0; 1024]);
            let _ = stream.read(&mut hello);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let advice = "check the scheme and the port in GASTOWN_API_URL";
    assert_advises(&home, &town, "worker-unreachable", advice);
}

#[test]
fn nothing_configured_names_all_that_is_unset_and_a_command_to_type() {
    let town = Town::start();
    let mut home = agent(&town);
    for name in ["GASTOWN_API_URL", "GASTOWN_TOWN_ID", "GASTOWN_RIG_ID"] {
        home.unset(name);
    }
    let unset = "error: GASTOWN_API_URL, GASTOWN_TOWN_ID and GASTOWN_RIG_ID are unset; ";
    assert_advises(&home, &town, "config-missing", unset);
    assert_advises(&home, &town, "config-missing", "run: git credential-gastown doctor [");
    home.set("GASTOWN_API_URL", "http://x.example");
    let wrong = "error: GASTOWN_API_URL is http, which is for loopback only; use https; \
                 GASTOWN_TOWN_ID and GASTOWN_RIG_ID are unset; ";
    assert_advises(&home, &town, "config-missing", wrong);
}

#[test]
fn container_token_file_that_cannot_be_read_is_reported_with_the_reason() {
    let town = Town::start();
    let mut home = agent(&town);
    let file = home.path().join("absent");
    home.unset("GASTOWN_CONTAINER_TOKEN");
    home.set("GASTOWN_CONTAINER_TOKEN_FILE", &file.to_string_lossy());
    let ran = get(&home, &town);
    let error = ran.stderr.lines().find(|line| line.contains("error: ")).unwrap_or_default();
    assert!(error.contains("absent\": ") && error.contains("No such file"), "{ran:?}");
    assert!(!error.contains("is unset"), "{ran:?}");
}

/// The program where no `PATH` leads, in a directory whose name the shell would split.
fn off_path(home: &mut Home) -> String {
    let directory = home.path().join("a $(touch trap) place");
    std::fs::create_dir(&directory).expect("the home is writable");
    let own = directory.join("git-credential-gastown");
    let mut install = home.command("/usr/bin/install");
    install.arg(HELPER).arg(&own);
    Ran::run(install, b"").assert_ok();
    home.set("PATH", "/usr/bin:/bin");
    own.to_string_lossy().into_owned()
}

/// Runs the command that a message names, as somebody who pastes it.
#[track_caller]
fn paste(home: &Home, message: &str) -> Ran {
    let starts = ["run: ", "at once: ", "run in this repository: "];
    let found = starts.iter().find_map(|start| message.split_once(start));
    let (_, rest) = found.unwrap_or_else(|| panic!("no command in: {message}"));
    let command = rest.split(" [").next().unwrap_or_default().split(';').next();
    let command = command.unwrap_or_default().trim();
    assert!(command.contains("git-credential-gastown "), "not by its path: {message}");
    let mut shell = home.command("/bin/sh");
    shell.args(["-c", command]);
    let ran = Ran::run(shell, b"");
    assert!(![126, 127].contains(&ran.code), "{ran:?}");
    assert!(!home.path().join("trap").exists(), "{ran:?}");
    ran
}

#[test]
fn advice_names_the_program_by_its_path_where_its_name_leads_elsewhere() {
    let town = Town::start();
    let mut home = agent(&town);
    let own = off_path(&mut home);
    let ask = |home: &Home, words: &[&str], stdin: &str| {
        let mut helper = home.command(&own);
        helper.args(words);
        Ran::run(helper, stdin.as_bytes())
    };
    let request = request(&town);
    // config-missing
    home.set("GASTOWN_TOWN_ID", "");
    let failed = ask(&home, &["get"], &request);
    assert!(paste(&home, &failed.stderr).stdout.contains("town"), "{failed:?}");
    home.as_agent(&town);
    // worker-unreachable
    town.worker.go_down();
    ask(&home, &["get"], &request).assert_fails();
    let failed = ask(&home, &["get"], &request);
    let status = ask(&home, &["status"], "");
    town.worker.come_up();
    assert!(paste(&home, &failed.stderr).assert_ok().stdout.starts_with("renewed: "));
    paste(&home, &status.stdout).assert_ok();
    // token-rejected
    let secret = ask(&home, &["get"], &request).token();
    let_pass(&town, &home, 2 * MINUTE);
    let refused = |secret: &str| format!("{}\npassword={secret}\n\n", request.trim_end());
    let erased = ask(&home, &["erase"], &refused(&secret));
    assert!(erased.stderr.contains("[token-rejected]"), "{erased:?}");
    paste(&home, erased.stderr.split_once("once more, ").expect("advice").1);
    // embedded-token
    let erased = ask(&home, &["erase"], &refused("ghs_elsewhere"));
    assert!(erased.stderr.contains("[embedded-token]"), "{erased:?}");
    paste(&home, &erased.stderr).assert_ok();
    // Another program of that name.
    home.put_on_path(Path::new(&own).parent().expect("it lies in a directory"));
    let_pass(&town, &home, HOUR);
    town.worker.go_down();
    ask(&home, &["get"], &request).assert_fails();
    let plain = ask(&home, &["get"], &request);
    assert!(plain.stderr.contains("at once: git credential-gastown refresh ["), "{plain:?}");
    let other = home.path().join("other");
    std::fs::create_dir(&other).expect("the home is writable");
    let copy = other.join("git-credential-gastown");
    std::fs::write(&copy, "#!/bin/sh\n").expect("the home is writable");
    set_permissions(&copy, Permissions::from_mode(0o755)).expect("ours");
    home.put_on_path(&other);
    let by_path = ask(&home, &["get"], &request);
    town.worker.come_up();
    paste(&home, &by_path.stderr).assert_ok();
}

#[test]
fn container_token_rejected_asks_for_one_of_this_worker() {
    let wrong = ("GASTOWN_CONTAINER_TOKEN", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln");
    let advice = "set GASTOWN_CONTAINER_TOKEN to one that this worker issued";
    assert_mended_by_setting(wrong, "container-token-rejected", advice);
}

#[test]
fn cross_town_asks_for_town_and_token_of_the_same_town() {
    let advice = "make GASTOWN_TOWN_ID and GASTOWN_CONTAINER_TOKEN of the same town";
    assert_mended_by_setting(("GASTOWN_TOWN_ID", "town-2"), "cross-town", advice);
}

#[test]
fn rig_not_found_asks_for_the_rig() {
    let advice = "set GASTOWN_RIG_ID, or run git inside the rig's worktree";
    assert_mended_by_setting(("GASTOWN_RIG_ID", "rig-404"), "rig-not-found", advice);
}

#[test]
fn no_git_token_offers_the_long_lived_one() {
    let town = Town::start();
    town.worker.add_rig("rig-2", Rig::NoToken);
    let mut home = agent(&town);
    home.set("GASTOWN_RIG_ID", "rig-2");
    assert_advises(&home, &town, "no-git-token", "or set GITHUB_CLI_PAT");
    home.set("GITHUB_CLI_PAT", "ghp_mine");
    assert_eq!(get(&home, &town).token(), "ghp_mine");
}

#[test]
fn worker_unreachable_asks_to_run_it_and_the_command_again() {
    let town = Town::start();
    let home = agent(&town);
    town.worker.go_down();
    let advice = "whether the worker runs, then run the command again";
    assert_advises(&home, &town, "worker-unreachable", advice);
    town.worker.come_up();
    home.age_cache(MINUTE);
    get(&home, &town).token();
}

#[test]
fn what_passes_by_itself_asks_to_run_the_command_again() {
    let again = "run the command again";
    let later = "will be tried again in";
    assert_mended_by_time(Script::error(500, "Internal server error"), "worker-error", later);
    let wait = Script::status(429, &[("Retry-After", "30")], "{}");
    assert_mended_by_time(wait, "rate-limited", later);
    assert_mended_by_time(Script::Silence, "timeout", again);
    let foreign = Script::status(200, &[], "<html>");
    assert_mended_by_time(foreign, "bad-answer", "check that GASTOWN_API_URL");
}

#[test]
fn token_rejected_is_mended_by_running_the_command_again() {
    let town = Town::start();
    let home = agent(&town);
    let old = get(&home, &town).token();
    town.let_pass(2 * MINUTE);
    home.age_cache(2 * MINUTE);
    town.github.revoke_all();
    let refused = format!("{}password={old}\n\n", request(&town).trim_end().to_owned() + "\n");
    let erased = home.helper(&["erase"], &refused);
    assert!(erased.stderr.contains("run the command again"), "{erased:?}");
    assert!(erased.stderr.contains("[token-rejected]"), "{erased:?}");
    assert_ne!(get(&home, &town).token(), old);
}

#[test]
fn cache_unusable_names_the_mode_to_set() {
    let town = Town::start();
    let home = agent(&town);
    get(&home, &town).token();
    let cache = home.cache();
    set_permissions(&cache, Permissions::from_mode(0o755)).expect("ours");
    town.let_pass(Duration::from_secs(3700));
    home.age_cache(Duration::from_secs(3700));
    let warned = get(&home, &town);
    warned.token();
    warned.warned(&["[cache-unusable]", "run: chmod 700"]);
    set_permissions(&cache, Permissions::from_mode(0o700)).expect("ours");
    let silent = get(&home, &town);
    silent.prints(&silent.stdout);
}

#[test]
fn setup_failed_names_the_file_that_is_in_the_way() {
    let town = Town::start();
    let home = agent(&town);
    let in_the_way = home.path().join("config");
    std::fs::create_dir(&in_the_way).expect("the home is writable");
    let failed = home.helper(&["setup", "--file", in_the_way.to_str().expect("text")], "");
    assert!(failed.assert_fails().stderr.contains("[setup-failed]"), "{failed:?}");
    std::fs::remove_dir(&in_the_way).expect("the home is writable");
    home.helper(&["setup", "--file", in_the_way.to_str().expect("text")], "").assert_ok();
}
