//! The agent's home: nothing of the machine gets in, and its cache can be aged.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::visitor;
use crate::town::home::aged;
use crate::town::{Git, Home, RIG, Ran, Town};

fn names(home: &Home) -> BTreeSet<String> {
    let ran = Ran::run(home.command("env"), b"");
    let lines = ran.assert_ok().stdout.lines();
    lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn an_agent_sees_its_own_environment_only() {
    let town = Town::start();
    let mut home = visitor(&Git::newest());
    let bare = names(&home);
    let expected = "GIT_AUTHOR_EMAIL GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_NAME \
                    GIT_CONFIG_NOSYSTEM GIT_TERMINAL_PROMPT HOME LC_ALL PATH TMPDIR";
    assert_eq!(bare, expected.split_whitespace().map(str::to_owned).collect());
    home.as_agent(&town).set("EXTRA", "1");
    let added: Vec<_> = names(&home).difference(&bare).cloned().collect();
    let expected = "EXTRA GASTOWN_AGENT_ID GASTOWN_AGENT_ROLE GASTOWN_API_URL \
                    GASTOWN_CONTAINER_TOKEN GASTOWN_GIT_HOSTS GASTOWN_RIG_ID GASTOWN_TOWN_ID";
    assert_eq!(added.join(" "), expected);
    home.unset("EXTRA");
    assert!(!names(&home).contains("EXTRA"));
}

#[test]
fn the_chosen_git_is_the_one_that_runs() {
    let gits = Git::all();
    let versions: BTreeSet<_> = gits.iter().map(|git| &git.version).collect();
    assert_eq!(versions.len(), gits.len());
    for git in &gits {
        let ran = visitor(git).git(&["--version"]);
        assert_eq!(ran.stdout, format!("git version {}\n", git.version));
    }
}

#[test]
fn todays_way_works_for_as_long_as_the_token_lives() {
    let town = Town::start();
    town.github.create_repository("acme/app");
    let home = visitor(&Git::newest());
    home.use_credential_store(&town, &town.worker.token_for(RIG));
    home.git(&["clone", &town.github.url("acme/app")]).assert_ok();
    town.let_pass(Duration::from_secs(3600));
    home.git_in("app", &["fetch"]).assert_fails();
    assert_eq!(town.github.refused_tokens(), 1);
}

#[test]
fn configuring_the_helper_makes_it_the_only_one() {
    let town = Town::start();
    let home = visitor(&Git::newest());
    home.configure_helper(&town);
    let url = town.github.url("acme/app");
    let ran = home.git(&["config", "--get-urlmatch", "credential.helper", &url]);
    assert_eq!(ran.stdout.trim(), "/nonexistent/helper");
}

#[test]
fn only_moments_outside_of_strings_grow_older() {
    let json = r#"{"at":1800000000000,"n":60000,"text":"1800000000000 \" 1800000000000","list":[1800000000001]}"#;
    let older = r#"{"at":1799999999000,"n":60000,"text":"1800000000000 \" 1800000000000","list":[1799999999001]}"#;
    assert_eq!(aged(json, 1000), older);
}

#[test]
fn an_aged_cache_keeps_its_modes() {
    let home = visitor(&Git::newest());
    let directory = home.path().join(".cache/gastown/town");
    fs::create_dir_all(&directory).expect("the home is writable");
    let (json, other) = (directory.join("entry.json"), directory.join("entry.lock"));
    for file in [&json, &other] {
        fs::write(file, "1800000000000").expect("the home is writable");
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }
    home.age_cache(Duration::from_secs(1));
    assert_eq!(home.cache_files(), [json.clone(), other.clone()]);
    assert_eq!(fs::read_to_string(&json).ok().as_deref(), Some("1799999999000"));
    assert_eq!(fs::read_to_string(&other).ok().as_deref(), Some("1800000000000"));
    assert_eq!(fs::metadata(&json).expect("there").permissions().mode() & 0o777, 0o600);
}

#[test]
#[should_panic(expected = "killed after 100ms\n$ sh -c sleep 100 & echo begun; sleep 100")]
fn a_command_that_hangs_is_killed_with_its_children() {
    let mut command = visitor(&Git::newest()).command("sh");
    command.args(["-c", "sleep 100 & echo begun; sleep 100"]).current_dir("/");
    Ran::run_within(Duration::from_millis(100), command, b"");
}
