//! Flags before environment before config file before defaults; a config file that is damaged costs
//! no more than its own values.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::scene::*;
use crate::town::{RIG, Rig, TOWN};

/// Writes the config file to where the user's configuration is.
fn write_config(scene: &Scene, config: impl ToString) -> PathBuf {
    scene.write(".config/gastown/config.json", config.to_string())
}

/// An agent with no more in its environment than its container token.
fn bare() -> Scene {
    let mut scene = Scene::new();
    for name in ["GASTOWN_API_URL", "GASTOWN_TOWN_ID", "GASTOWN_RIG_ID", "GASTOWN_GIT_HOSTS"] {
        scene.home.unset(name);
    }
    scene
}

fn config(scene: &Scene) -> Value {
    json!({
        "api_url": scene.worker.url(),
        "town_id": TOWN,
        "rig_id": RIG,
        "git_hosts": [format!("http://{}", scene.github.host())],
    })
}

#[test]
fn the_config_file_is_enough() {
    let mut scene = bare();
    let [file, cache] = ["container-token", "tokens"].map(|name| scene.path(name));
    let mut config = config(&scene);
    config["container_token_file"] = json!(file);
    config["cache_dir"] = json!(cache);
    config["on_failure"] = json!("next");
    write_config(&scene, config);
    scene.write(file, scene.worker.container_token());
    scene.home.unset("GASTOWN_CONTAINER_TOKEN");
    scene.get().answers(&scene.current());
    assert!(cache.is_dir() && scene.home.cache_files().is_empty());
    scene.home.set("GASTOWN_RIG_ID", "rig-9");
    let ran = scene.get();
    assert_eq!((ran.code, &*ran.stdout), (1, ""), "{ran:?}");
    scene.home.set("GASTOWN_ON_FAILURE", "quit");
    scene.get().quits("rig-not-found");
}

#[test]
fn a_list_of_hosts_may_be_an_array_or_a_comma_list() {
    let scene = bare();
    for hosts in [json!("git.example, code.example"), json!(["git.example", "code.example"])] {
        let mut config = config(&scene);
        config["git_hosts"] = hosts;
        write_config(&scene, config);
        for host in ["git.example", "code.example"] {
            scene.get_for(host).token();
        }
        scene.get_for("github.com").prints("");
    }
}

#[test]
fn the_environment_wins_over_the_config_file_and_a_flag_over_both() {
    let (mut scene, wrong) = (bare(), "http://127.0.0.1:9");
    let (url, mut config) = (scene.worker.url(), config(&scene));
    config["api_url"] = json!(wrong);
    write_config(&scene, config);
    scene.get().quits("worker-unreachable");
    scene.home.set("GASTOWN_API_URL", &url);
    scene.get().answers(&scene.current());
    scene.home.set("GASTOWN_API_URL", wrong).set("GASTOWN_TOWN_ID", "town-2");
    scene.home.set("GASTOWN_RIG_ID", "rig-2");
    let flags = ["--api-url", &url, "--town", TOWN, "--rig", RIG];
    scene.get_with(&flags).answers(&scene.current());
}

#[test]
fn another_config_file_can_be_named() {
    let mut scene = bare();
    let other = scene.path("other.json");
    fs::rename(write_config(&scene, config(&scene)), &other).expect("writable");
    scene.get().prints("");
    let path = other.to_string_lossy();
    scene.get_with(&["--config", &path]).answers(&scene.current());
    scene.home.set("GASTOWN_CONFIG", &other);
    scene.get().answers(&scene.current());
    scene.home.set("GASTOWN_CONFIG", "/nonexistent/config.json").set("GITHUB_CLI_PAT", "ghp_mine");
    let ran = scene.get_for("github.com");
    assert_eq!(ran.token(), "ghp_mine");
    ran.warned(&["warning: ", "/nonexistent/config.json"]);
}

/// A stranger's clone may have a file of that name.
#[test]
fn a_relative_path_of_a_config_file_or_token_file_is_ignored() {
    let (mut unset, mut set) = (bare(), Scene::new());
    fs::rename(write_config(&unset, config(&unset)), unset.home.path().join("g.json")).unwrap();
    unset.home.set("GASTOWN_CONFIG", "g.json");
    set.write("jwt", set.worker.container_token());
    set.home.unset("GASTOWN_CONTAINER_TOKEN").set("GASTOWN_CONTAINER_TOKEN_FILE", "jwt");
    for scene in [unset, set] {
        let ran = scene.helper(&["token"]);
        assert!(ran.assert_fails().stderr.contains("not an absolute path"), "{ran:?}");
        assert_eq!(scene.both_calls(), (0, 0));
    }
}

#[test]
fn a_host_list_of_the_wrong_type_is_reported() {
    for hosts in [json!(5), json!({}), json!([5]), json!(["git.example", null])] {
        let mut scene = bare();
        let mut config = config(&scene);
        config["git_hosts"] = hosts;
        write_config(&scene, config);
        scene.home.set("GITHUB_CLI_PAT", "ghp_mine");
        scene.get_for("github.com").warned(&["`git_hosts` in the config file is ignored"]);
    }
}

#[test]
fn a_damaged_config_file_is_reported_and_the_environment_is_used() {
    let scene = Scene::new();
    for content in ["", "{", "[]", "null", "ghs_secret", "{\"github_cli_pat\": \"ghp_secret\""] {
        let file = write_config(&scene, content);
        let ran = scene.get();
        assert_eq!(ran.token(), scene.current());
        ran.warned(&["warning: ", &*file.to_string_lossy()]).never_says("secret");
    }
}

#[test]
fn a_wrong_value_is_named_and_costs_no_other() {
    let scene = bare();
    let get_with = |key: &str, value: Value| {
        let mut config = config(&scene);
        config[key] = value;
        write_config(&scene, config);
        scene.get()
    };
    for (key, value) in [("rig_id", json!("../rig-1")), ("town_id", json!(7))] {
        get_with(key, value).quits("config-missing").mentions(key);
    }
    let ran = get_with("rigid", json!("a typing error"));
    assert_eq!(ran.token(), scene.current());
    ran.warned(&["warning: ", "`rigid`"]);
}

/// An agent with nothing but its container token, after a `setup` for each host, with the rig and
/// all else that is needed as flags.
fn set_up(hosts: &[(&str, &str)]) -> Scene {
    let scene = bare();
    hosts.iter().for_each(|(rig, host)| set_up_host(&scene, rig, host));
    scene
}

fn set_up_host(scene: &Scene, rig: &str, host: &str) {
    scene.worker.add_rig(rig, Rig::Installation);
    let url = scene.worker.url();
    let flags = ["setup", "--api-url", &url, "--town", TOWN, "--rig", rig, "--host", host];
    scene.helper(&flags).assert_ok();
}

/// What `token` prints for this rig.
fn line_for(scene: &Scene, rig: &str) -> String {
    scene.worker.token_for(rig) + "\n"
}

#[test]
fn flags_that_setup_wrote_count_for_every_command() {
    let mut scene = bare();
    let host = format!("http://{}", scene.github.host());
    set_up_host(&scene, RIG, &host);
    scene.script("bin/gh", "env");
    scene.home.put_on_path(&scene.path("bin"));
    let expected = line_for(&scene, RIG);
    let printed = |words: &[&str]| scene.helper(words).assert_ok().stdout.clone();
    assert_eq!(printed(&["token"]), expected);
    assert_eq!(printed(&["get", &host]), credential(expected.trim_end()));
    assert!(printed(&["exec", "--", "env"]).contains(&format!("GIT_TOKEN={expected}")));
    assert!(printed(&["gh", "api"]).contains(&format!("GH_ENTERPRISE_TOKEN={expected}")));
    printed(&["refresh"]);
    printed(&["status"]);
    let diagnosis = printed(&["doctor", "--offline"]);
    assert!(diagnosis.contains("(from --api-url in git's helper line)"), "{diagnosis}");
}

#[test]
fn hosts_that_are_set_up_replace_the_default_ones() {
    let scene = set_up(&[(RIG, "ghe.example")]);
    scene.helper(&["token"]).assert_ok();
    assert_eq!(scene.helper(&["token", "github.com"]).code, 1);
    let got = scene.helper(&["get", "https://github.com"]);
    assert_eq!(got.assert_ok().stdout, "", "{got:?}");
    let told = scene.helper(&["doctor", "--offline"]);
    assert!(!told.stdout.contains("https://github.com"), "{told:?}");
    // Nor does a later setup add them.
    scene.helper(&["setup"]).assert_ok();
    let lines = scene.home.git(&["config", "--global", "--get-regexp", "credential"]).stdout;
    assert!(!lines.contains("github.com"), "{lines}");
}

#[test]
fn flag_wins_over_the_helper_line_which_wins_over_the_environment() {
    let mut scene = set_up(&[("rig-2", "git.example")]);
    scene.home.set("GASTOWN_RIG_ID", "rig-3");
    let asked = |arguments: &[&str]| scene.helper(arguments);
    assert_eq!(asked(&["token"]).stdout, line_for(&scene, "rig-2"));
    assert_eq!(asked(&["token", "--rig", RIG]).stdout, line_for(&scene, RIG));
    // A flag replaces the list, so this host has no helper line.
    asked(&["token", "--host", "other.example"]).assert_fails().mentions("GASTOWN_API_URL");
}

#[test]
fn host_in_question_is_the_one_given_else_the_repositorys_else_the_first() {
    let scene = set_up(&[(RIG, "one.example"), ("rig-2", "two.example")]);
    let [first, second] = [RIG, "rig-2"].map(|rig| line_for(&scene, rig));
    scene.home.git(&["init", "--quiet", "clone"]).assert_ok();
    let asked = |directory: &str, arguments: &[&str]| {
        let words = [&["token"], arguments].concat();
        scene.home.run_in(directory, HELPER, &words, "").assert_ok().stdout.clone()
    };
    assert_eq!(asked(".", &[]), first);
    assert_eq!(asked(".", &["two.example"]), second);
    assert_eq!(asked("clone", &[]), first);
    for (name, url, expected) in
        [("a", "https://evil.example/o/r", &first), ("b", "git@two.example:o/r", &second)]
    {
        scene.home.git_in("clone", &["remote", "add", name, url]).assert_ok();
        assert_eq!(asked("clone", &[]), *expected);
    }
    assert_eq!(asked("clone", &["https://one.example/o/r"]), first);
}

#[test]
fn doctor_goes_by_the_flags_of_the_host_that_a_push_goes_to() {
    let scene = set_up(&[(RIG, "one.example"), ("rig-2", "two.example")]);
    scene.home.git(&["init", "--quiet", "clone"]).assert_ok();
    for (name, host) in [("upstream", "one.example"), ("origin", "two.example")] {
        let url = format!("https://{host}/o/r");
        scene.home.git_in("clone", &["remote", "add", name, &url]).assert_ok();
    }
    let told = scene.home.run_in("clone", HELPER, &["doctor", "--offline"], "");
    told.assert_ok().tells("rig rig-2 (from --rig in git's helper line)");
}

#[test]
fn flags_are_those_of_the_host_that_gh_is_told() {
    let hosts = [(RIG, "one.example"), ("rig-2", "two.example")];
    let mut scene = set_up(&hosts);
    scene.script("bin/gh", "printenv GH_HOST GH_ENTERPRISE_TOKEN");
    scene.home.put_on_path(&scene.path("bin"));
    for (rig, host) in hosts {
        let ran = scene.helper(&["gh", "pr", "list", "-R", &format!("{host}/o/r")]);
        let expected = format!("{host}\n{}", line_for(&scene, rig));
        assert_eq!(ran.assert_ok().stdout, expected, "{ran:?}");
    }
}

#[test]
fn wrong_flag_in_the_helper_line_is_named_as_such() {
    let scene = Scene::new();
    let key = format!("credential.http://{}.helper", scene.github.host());
    let line = format!("{HELPER} --town ../x --rig rig-404");
    scene.home.git(&["config", "--global", &key, &line]).assert_ok();
    let failed = |arguments: &[&str], words: &str| {
        scene.helper(arguments).assert_fails().mentions(words);
    };
    failed(&["token"], "--town in git's helper line is not an id");
    failed(&["token", "--town", TOWN], "(from --rig in git's helper line)");
}

#[test]
fn git_starts_no_git_and_people_need_none() {
    let mut scene = Scene::new();
    let started = scene.path("started");
    scene.script("bin/git", &format!(">{}\nexit 1", started.display()));
    scene.home.set("PATH", scene.path("bin"));
    let password = scene.get().token();
    for operation in ["store", "erase"] {
        let request = format!("protocol=http\nhost=HOST\npassword={password}\n\n");
        scene.ask(operation, &request).assert_ok();
    }
    assert!(!started.exists(), "git runs a helper for every request");
    scene.helper(&["token"]).assert_ok();
    assert!(started.exists());
    scene.home.set("PATH", "/nonexistent");
    scene.helper(&["token"]).assert_ok();
}
