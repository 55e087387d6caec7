//! Flags before environment before config file before defaults, for every setting that `get` uses;
//! and a config file that is damaged costs no more than its own values.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::town::{Home, RIG, Rig, TOWN, Town};
use crate::transcript::*;

/// Writes the config file to where the user's configuration is.
fn write_config(home: &Home, config: &str) -> PathBuf {
    let directory = home.path().join(".config/gastown");
    fs::create_dir_all(&directory).expect("the home is writable");
    let file = directory.join("config.json");
    fs::write(&file, config).expect("the home is writable");
    file
}

/// An agent with no more in its environment than its container token.
fn bare_agent(town: &Town) -> Home {
    let mut home = agent(town);
    for name in ["GASTOWN_API_URL", "GASTOWN_TOWN_ID", "GASTOWN_RIG_ID", "GASTOWN_GIT_HOSTS"] {
        home.unset(name);
    }
    home
}

fn config(town: &Town) -> Value {
    json!({
        "api_url": town.worker.url(),
        "town_id": TOWN,
        "rig_id": RIG,
        "git_hosts": [format!("http://{}", town.github.host())],
    })
}

#[test]
fn the_config_file_is_enough() {
    let town = Town::start();
    let mut home = bare_agent(&town);
    let mut config = config(&town);
    config["container_token_file"] = json!(home.path().join("container-token"));
    config["cache_dir"] = json!(home.path().join("tokens"));
    config["on_failure"] = json!("next");
    write_config(&home, &config.to_string());
    let bearer = town.worker.container_token();
    fs::write(home.path().join("container-token"), &bearer).expect("the home is writable");
    home.unset("GASTOWN_CONTAINER_TOKEN");
    get(&home, &town).prints(&credential(&town.worker.token_for(RIG)));
    assert!(home.path().join("tokens").is_dir() && home.cache_files().is_empty());
    home.set("GASTOWN_RIG_ID", "rig-9");
    let ran = get(&home, &town);
    assert_eq!((ran.code, &*ran.stdout), (1, ""), "{ran:?}");
    home.set("GASTOWN_ON_FAILURE", "quit");
    get(&home, &town).quits("rig-not-found");
}

#[test]
fn a_list_of_hosts_may_be_an_array_or_a_comma_list() {
    let town = Town::start();
    let home = bare_agent(&town);
    for hosts in [json!("git.example, code.example"), json!(["git.example", "code.example"])] {
        let mut config = config(&town);
        config["git_hosts"] = hosts;
        write_config(&home, &config.to_string());
        for host in ["git.example", "code.example"] {
            let request = format!("protocol=https\nhost={host}\n\n");
            home.helper(&["get"], &request).token();
        }
        home.helper(&["get"], "protocol=https\nhost=github.com\n\n").prints("");
    }
}

#[test]
fn the_environment_wins_over_the_config_file_and_a_flag_over_both() {
    let (town, wrong) = (Town::start(), "http://127.0.0.1:9");
    for rig in ["rig-2", "rig-3"] {
        town.worker.add_rig(rig, Rig::Installation);
    }
    let mut home = bare_agent(&town);
    let mut config = config(&town);
    config["api_url"] = json!(wrong);
    write_config(&home, &config.to_string());
    get(&home, &town).quits("worker-unreachable");
    home.set("GASTOWN_API_URL", &town.worker.url());
    get(&home, &town).prints(&credential(&town.worker.token_for(RIG)));
    home.set("GASTOWN_RIG_ID", "rig-2");
    get(&home, &town).prints(&credential(&town.worker.token_for("rig-2")));
    let ran = home.helper(&["get", "--rig", "rig-3"], &request(&town));
    ran.prints(&credential(&town.worker.token_for("rig-3")));
    home.set("GASTOWN_API_URL", wrong).set("GASTOWN_TOWN_ID", "town-2");
    let url = town.worker.url();
    let flags = ["get", "--api-url", &url, "--town", TOWN, "--rig", "rig-3"];
    let ran = home.helper(&flags, &request(&town));
    ran.prints(&credential(&town.worker.token_for("rig-3")));
}

#[test]
fn another_config_file_can_be_named() {
    let town = Town::start();
    let mut home = bare_agent(&town);
    let other = home.path().join("other.json");
    fs::rename(write_config(&home, &config(&town).to_string()), &other).expect("writable");
    get(&home, &town).prints("");
    let path = other.to_string_lossy().into_owned();
    let ran = home.helper(&["--config", &path, "get"], &request(&town));
    ran.prints(&credential(&town.worker.token_for(RIG)));
    home.set("GASTOWN_CONFIG", &path);
    get(&home, &town).prints(&credential(&town.worker.token_for(RIG)));
    home.set("GASTOWN_CONFIG", "/nonexistent/config.json").set("GITHUB_CLI_PAT", "ghp_mine");
    let ran = home.helper(&["get"], "protocol=https\nhost=github.com\n\n");
    assert_eq!(ran.token(), "ghp_mine");
    ran.warned(&["warning: ", "/nonexistent/config.json"]);
}

#[test]
fn a_damaged_config_file_is_told_and_the_environment_serves() {
    let town = Town::start();
    let home = agent(&town);
    for content in ["", "{", "[]", "null", "ghs_secret", "{\"github_cli_pat\": \"ghp_secret\""] {
        let file = write_config(&home, content);
        let ran = get(&home, &town);
        assert_eq!(ran.token(), town.worker.token_for(RIG));
        ran.warned(&["warning: ", &*file.to_string_lossy()]);
        assert!(!ran.stderr.contains("secret"), "{ran:?}");
    }
}

#[test]
fn config_file_with_a_token_that_others_can_read_is_told_with_the_fix() {
    let town = Town::start();
    let home = agent(&town);
    let file = write_config(&home, "{\"github_cli_pat\": \"ghp_mine\"}");
    for (mode, count) in [(0o600, 0), (0o644, 1)] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&file, mode).expect("ours");
        let ran = get(&home, &town);
        assert_eq!((ran.token(), ran.warnings().len()), ("ghp_mine".to_owned(), count), "{ran:?}");
        assert_eq!(ran.stderr.contains("run: chmod 600 /"), count == 1, "{ran:?}");
    }
}

#[test]
fn a_wrong_value_is_named_and_costs_no_other() {
    let town = Town::start();
    let home = bare_agent(&town);
    for (key, value) in [("rig_id", json!("../rig-1")), ("town_id", json!(7))] {
        let mut config = config(&town);
        config[key] = value;
        write_config(&home, &config.to_string());
        let ran = get(&home, &town);
        ran.quits("config-missing");
        assert!(ran.stderr.contains(key), "{ran:?}");
    }
    let mut config = config(&town);
    config["rigid"] = json!("a typing error");
    write_config(&home, &config.to_string());
    let ran = get(&home, &town);
    ran.token();
    ran.warned(&["warning: ", "`rigid`"]);
}

#[test]
fn port_that_is_none_is_refused_and_not_taken_for_another() {
    let town = Town::start();
    let mut home = agent(&town);
    for port in ["99999", "65616", ""] {
        home.set("GASTOWN_API_URL", &format!("http://127.0.0.1:{port}"));
        let ran = get(&home, &town);
        ran.quits("config-missing");
        assert!(ran.stderr.contains("GASTOWN_API_URL is with a port"), "{ran:?}");
    }
    assert_eq!(calls(&town), (0, 0));
}

/// An agent with nothing but its container token, after `setup` with the settings as flags.
fn set_up(town: &Town, rig: &str, host: &str) -> Home {
    let home = bare_agent(town);
    set_up_host(&home, town, rig, host);
    home
}

fn set_up_host(home: &Home, town: &Town, rig: &str, host: &str) {
    let url = town.worker.url();
    let flags = ["setup", "--api-url", &url, "--town", TOWN, "--rig", rig, "--host", host];
    home.helper(&flags, "").assert_ok();
}

fn on_path(home: &mut Home, directory: &str) {
    let directory = home.path().join(directory);
    home.put_on_path(&directory);
}

#[test]
fn flags_that_setup_wrote_count_for_every_command() {
    let town = Town::start();
    let host = format!("http://{}", town.github.host());
    let mut home = set_up(&town, RIG, &host);
    let expected = town.worker.token_for(RIG);
    let bin = home.path().join("bin");
    fs::create_dir(&bin).expect("the home is writable");
    std::os::unix::fs::symlink("/usr/bin/env", bin.join("gh")).expect("the home is writable");
    on_path(&mut home, "bin");
    assert_eq!(home.helper(&["token"], "").assert_ok().stdout, format!("{expected}\n"));
    home.helper(&["get", &host], "").prints(&credential(&expected));
    let given = format!("GIT_TOKEN={expected}\n");
    assert!(home.helper(&["exec", "--", "env"], "").assert_ok().stdout.contains(&given));
    let given = format!("GH_ENTERPRISE_TOKEN={expected}\n");
    assert!(home.helper(&["gh", "-u", "api"], "").assert_ok().stdout.contains(&given));
    home.helper(&["refresh"], "").assert_ok();
    let told = home.helper(&["status"], "");
    assert!(told.assert_ok().stdout.contains("(from --api-url in git's helper line)"), "{told:?}");
    home.helper(&["doctor", "--offline"], "").assert_ok();
}

#[test]
fn hosts_that_are_set_up_replace_the_default_ones() {
    let town = Town::start();
    let home = set_up(&town, RIG, "ghe.example");
    home.helper(&["token"], "").assert_ok();
    assert_eq!(home.helper(&["token", "github.com"], "").code, 1);
    let got = home.helper(&["get", "https://github.com"], "");
    assert_eq!(got.assert_ok().stdout, "", "{got:?}");
    let told = home.helper(&["doctor", "--offline"], "");
    assert!(!told.stdout.contains("https://github.com"), "{told:?}");
    // Nor does a later setup add them.
    home.helper(&["setup"], "").assert_ok();
    let lines = home.git(&["config", "--global", "--get-regexp", "credential"]).stdout;
    assert!(!lines.contains("github.com"), "{lines}");
}

#[test]
fn flag_wins_over_the_helper_line_which_wins_over_the_environment() {
    let town = Town::start();
    for rig in ["rig-2", "rig-3"] {
        town.worker.add_rig(rig, Rig::Installation);
    }
    let mut home = set_up(&town, "rig-2", "git.example");
    home.set("GASTOWN_RIG_ID", RIG);
    let asked = |arguments: &[&str]| home.helper(arguments, "").assert_ok().stdout.clone();
    assert_eq!(asked(&["token"]), format!("{}\n", town.worker.token_for("rig-2")));
    let flags = ["token", "--rig", "rig-3"];
    assert_eq!(asked(&flags), format!("{}\n", town.worker.token_for("rig-3")));
    // A flag replaces the list, so this host has no helper line.
    let flags = ["token", "--host", "other.example"];
    let failed = home.helper(&flags, "");
    assert!(failed.assert_fails().stderr.contains("GASTOWN_API_URL"), "{failed:?}");
}

#[test]
fn host_in_question_is_the_one_given_else_the_repositorys_else_the_first() {
    let town = Town::start();
    town.worker.add_rig("rig-2", Rig::Installation);
    let home = set_up(&town, RIG, "one.example");
    set_up_host(&home, &town, "rig-2", "two.example");
    let [first, second] = [RIG, "rig-2"].map(|rig| format!("{}\n", town.worker.token_for(rig)));
    home.git(&["init", "--quiet", "clone"]).assert_ok();
    let asked = |directory: &str, arguments: &[&str]| {
        let mut helper = home.command(HELPER);
        helper.arg("token").args(arguments).current_dir(home.path().join(directory));
        crate::town::Ran::run(helper, b"").assert_ok().stdout.clone()
    };
    assert_eq!(asked(".", &[]), first);
    assert_eq!(asked(".", &["two.example"]), second);
    assert_eq!(asked("clone", &[]), first);
    home.git_in("clone", &["remote", "add", "a", "https://evil.example/o/r"]).assert_ok();
    assert_eq!(asked("clone", &[]), first);
    home.git_in("clone", &["remote", "add", "b", "git@two.example:o/r"]).assert_ok();
    assert_eq!(asked("clone", &[]), second);
    assert_eq!(asked("clone", &["https://one.example/o/r"]), first);
}

#[test]
fn flags_are_those_of_the_host_that_gh_is_told() {
    let town = Town::start();
    town.worker.add_rig("rig-2", Rig::Installation);
    let mut home = set_up(&town, RIG, "one.example");
    set_up_host(&home, &town, "rig-2", "two.example");
    let bin = home.path().join("bin");
    fs::create_dir(&bin).expect("the home is writable");
    crate::commands::script(&home, "bin/gh", "printenv GH_HOST GH_ENTERPRISE_TOKEN");
    on_path(&mut home, "bin");
    for (host, rig) in [("one.example", RIG), ("two.example", "rig-2")] {
        let ran = home.helper(&["gh", "pr", "list", "-R", &format!("{host}/o/r")], "");
        let expected = format!("{host}\n{}\n", town.worker.token_for(rig));
        assert_eq!(ran.assert_ok().stdout, expected, "{ran:?}");
    }
}

#[test]
fn wrong_flag_in_the_helper_line_is_named_as_such() {
    let town = Town::start();
    let home = agent(&town);
    let host = format!("http://{}", town.github.host());
    let line = format!("{HELPER} --town ../x --rig rig-404");
    home.git(&["config", "--global", &format!("credential.{host}.helper"), &line]).assert_ok();
    let failed = home.helper(&["token"], "");
    assert!(failed.assert_fails().stderr.contains("--town in git's helper line is not an id"));
    let failed = home.helper(&["token", "--town", TOWN], "");
    assert!(failed.assert_fails().stderr.contains("(from git's helper line)"), "{failed:?}");
}

#[test]
fn git_starts_no_git_and_people_need_none() {
    let town = Town::start();
    let mut home = agent(&town);
    let bin = home.path().join("bin");
    fs::create_dir(&bin).expect("the home is writable");
    let (script, started) = (bin.join("git"), home.path().join("started"));
    fs::write(&script, format!("#!/bin/sh\n>{}\nexit 1\n", started.display())).expect("writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).expect("ours");
    home.set("PATH", &bin.to_string_lossy());
    let secret = get(&home, &town).token();
    for operation in ["store", "erase"] {
        let request =
            format!("{}password={secret}\n\n", request(&town).trim_end().to_owned() + "\n");
        home.helper(&[operation], &request).assert_ok();
    }
    assert!(!started.exists(), "git runs a helper for every request");
    home.helper(&["token"], "").assert_ok();
    assert!(started.exists());
    home.set("PATH", "/nonexistent");
    home.helper(&["token"], "").assert_ok();
}

/// git prompts then, and nothing else would say why.
#[test]
fn a_list_without_a_valid_host_is_a_warning() {
    let town = Town::start();
    let mut home = agent(&town);
    for list in ["*", "http://git.example", "github.com;gitlab.com", "u:p@host"] {
        home.set("GASTOWN_GIT_HOSTS", list);
        let ran = get(&home, &town);
        assert_eq!(ran.assert_ok().stdout, "", "{list}");
        assert!(ran.stderr.contains("warning: git host `"), "{list}: {ran:?}");
    }
}

#[test]
fn a_config_file_that_others_can_write_is_a_warning_with_a_command() {
    let town = Town::start();
    let home = agent(&town);
    let path = home.path().join(".config/gastown/config.json");
    fs::create_dir_all(path.parent().expect("a directory")).expect("writable");
    fs::write(&path, "{}").expect("writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(&path, mode).expect("ours");
    let ran = get(&home, &town);
    let advice = format!("run: chmod go-w {}", path.display());
    assert!(ran.assert_ok().stderr.contains(&advice), "{ran:?}");
}
