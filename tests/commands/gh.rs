//! `gh`, and the link of that name: the real `gh` runs in our place, with a token for the host that
//! it talks to.

use std::os::unix::fs::symlink;

use super::*;
use crate::town::{Git, RIG};

/// Tells what the real `gh` would have got.
const REAL: &str = "echo \"real gh:\" \"$@\"; /usr/bin/env";
const TOKENS: [&str; 4] =
    ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// An agent for github.com that finds the real `gh` in the last of these directories.
fn on_path(directories: &[&str]) -> (Town, Home) {
    let (town, mut home) = settled();
    let paths: Vec<_> =
        directories.iter().map(|it| home.path().join(it).display().to_string()).collect();
    home.set("PATH", &paths.join(":")).set("GASTOWN_GIT_HOSTS", "github.com");
    for directory in directories {
        fs::create_dir_all(home.path().join(directory)).expect("the home is writable");
    }
    script(&home, &format!("{}/gh", directories[directories.len() - 1]), REAL);
    (town, home)
}

fn run(home: &Home, program: impl AsRef<Path>, arguments: &[&str]) -> Ran {
    let mut command = home.command(program);
    command.args(arguments);
    Ran::run(command, b"")
}

fn tokens(ran: &Ran) -> [Option<&str>; 4] {
    TOKENS.map(|name| variable(&ran.stdout, name))
}

#[track_caller]
fn assert_reached(town: &Town, ran: &Ran) {
    let token = town.worker.token_for(RIG);
    assert!(ran.assert_ok().stdout.starts_with("real gh:"), "{ran:?}");
    assert_eq!(tokens(ran), [Some(&*token), Some(&*token), None, None], "{ran:?}");
}

#[test]
fn the_real_gh_gets_a_live_token_and_its_words_untouched() {
    let (town, home) = on_path(&["shim", "real"]);
    symlink(HELPER, home.path().join("shim/gh")).unwrap();
    let link = home.path().join("shim/gh");
    for words in [&["pr", "list"][..], &["-v", "--host", "x"], &["get"], &["a b", "--"]] {
        let ran = run(&home, &link, words);
        assert_reached(&town, &ran);
        assert_eq!(ran.stdout.lines().next(), Some(&*format!("real gh: {}", words.join(" "))));
    }
    for words in [&["gh", "pr", "list", "--host", "x"][..], &["gh", "auth", "token"]] {
        let ran = home.helper(words, "");
        assert_reached(&town, &ran);
        assert_eq!(ran.stdout.lines().next(), Some(&*format!("real gh: {}", words[1..].join(" "))));
    }
}

#[test]
fn we_are_skipped_however_we_are_linked() {
    let (town, home) = on_path(&["one", "two", "three", "real"]);
    let at = |path: &str| home.path().join(path);
    symlink(HELPER, at("one/gh")).unwrap();
    symlink(at("one/gh"), at("two/gh")).unwrap();
    symlink("../two/gh", at("three/gh")).unwrap();
    for link in ["one/gh", "two/gh", "three/gh"] {
        assert_reached(&town, &run(&home, at(link), &["status"]));
    }
}

#[test]
fn hard_links_copies_and_scripts_that_call_us_do_not_take_turns() {
    let (town, home) = on_path(&["copy", "script", "second-copy", "hard", "real"]);
    let at = |path: &str| home.path().join(path);
    installed(&home, Path::new(HELPER), "copy/gh");
    script(&home, "script/gh", &format!("exec {HELPER} gh \"$@\""));
    installed(&home, Path::new(HELPER), "second-copy/gh");
    fs::hard_link(at("copy/gh"), at("hard/gh")).unwrap();
    for path in ["copy/gh", "script/gh", "second-copy/gh", "hard/gh"] {
        assert_reached(&town, &run(&home, at(path), &["status"]));
    }
    assert_reached(&town, &home.helper(&["gh", "status"], ""));
    fs::remove_file(at("real/gh")).unwrap();
    let ran = run(&home, at("copy/gh"), &[]);
    assert_eq!((ran.code, &*ran.stdout), (127, ""), "{ran:?}");
}

#[test]
fn without_a_token_it_is_125_and_without_a_program_126_or_127() {
    let (town, home) = on_path(&["real"]);
    town.worker.go_down();
    assert_fails(&home.helper(&["gh", "auth", "status"], ""), 125, &["[worker-unreachable]"]);
    let real = home.path().join("real/gh");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    assert_fails(&home.helper(&["gh"], ""), 126, &["check its mode"]);
    fs::remove_file(&real).unwrap();
    assert_fails(&home.helper(&["gh"], ""), 127, &["no \"gh\" on PATH"]);
}

/// What gh is given for these words.
fn given(home: &Home, words: &[&str]) -> Ran {
    let ran = home.helper(&[&["gh"], words].concat(), "");
    assert!(ran.assert_ok().stdout.starts_with("real gh:"), "{ran:?}");
    ran
}

#[test]
fn what_needs_no_token_runs_without() {
    let (town, home) = on_path(&["real"]);
    town.worker.go_down();
    for words in [
        &[][..],
        &["--version"],
        &["version"],
        &["--help"],
        &["help", "pr"],
        &["pr", "list", "--help"],
        &["completion", "-s", "bash"],
        &["auth", "login"],
        &["config", "list"],
        &["alias", "list"],
    ] {
        let ran = given(&home, words);
        assert_eq!((tokens(&ran), &*ran.stderr), ([None; 4], ""), "{ran:?}");
    }
}

#[test]
fn without_a_token_gh_runs_with_what_it_has_if_that_is_wanted() {
    let (town, mut home) = on_path(&["real"]);
    town.worker.go_down();
    home.set("GASTOWN_ON_FAILURE", "next").set("GH_TOKEN", "gho_mine");
    let ran = given(&home, &["pr", "list"]);
    assert_eq!(tokens(&ran), [Some("gho_mine"), None, None, None], "{ran:?}");
    assert!(ran.stderr.contains("[worker-unreachable]"), "{ran:?}");
}

#[test]
fn configured_long_lived_token_goes_before_the_worker_and_a_set_one_before_both() {
    let (town, mut home) = on_path(&["real"]);
    home.set("GITHUB_CLI_PAT", "ghp_mine").set("GH_TOKEN", "ghs_stale");
    let ran = given(&home, &["pr", "list"]);
    assert_eq!(tokens(&ran), [Some("ghp_mine"), Some("ghp_mine"), None, None], "{ran:?}");
    for own in ["ghp_other", "github_pat_other"] {
        home.set("GH_TOKEN", own);
        let ran = given(&home, &["pr", "list"]);
        assert_eq!(tokens(&ran), [Some(own), None, None, None], "{ran:?}");
    }
    assert_eq!(town.worker.git_token_calls(), 0);
}

#[test]
fn enterprise_host_gets_its_own_variables_and_githubs_stay_as_they_were() {
    let (town, mut home) = on_path(&["real"]);
    let token = town.worker.token_for(RIG);
    home.set("GH_TOKEN", "ghs_stale").set("GASTOWN_GIT_HOSTS", "ghe.example,github.com");
    let enterprise = [Some("ghs_stale"), None, Some(&*token), Some(&*token)];
    let first = given(&home, &["pr", "list"]);
    assert_eq!(tokens(&first), enterprise, "{first:?}");
    assert_eq!(variable(&first.stdout, "GH_HOST"), Some("ghe.example"));
    home.set("GASTOWN_GIT_HOSTS", "github.com,ghe.example");
    for words in [
        &["pr", "list", "-R", "ghe.example/o/r"][..],
        &["pr", "list", "-RGHE.example/o/r"],
        &["api", "user", "--hostname", "ghe.example"],
        &["pr", "view", "https://ghe.example/o/r/pull/1"],
        &["repo", "clone", "git@ghe.example:o/r"],
    ] {
        let named = given(&home, words);
        assert_eq!(tokens(&named), enterprise, "{named:?}");
        assert_eq!(variable(&named.stdout, "GH_HOST"), Some("ghe.example"));
    }
    home.set("GH_REPO", "ghe.example/o/r");
    assert_eq!(tokens(&given(&home, &["pr", "list"])), enterprise);
    home.unset("GH_REPO").set("GH_HOST", "ghe.example");
    assert_eq!(tokens(&given(&home, &["pr", "list"])), enterprise);
    home.set("GH_HOST", "github.com");
    let github = given(&home, &["pr", "list"]);
    assert_eq!(tokens(&github), [Some(&*token), Some(&*token), None, None], "{github:?}");
}

#[test]
fn host_that_is_not_ours_gets_nothing_however_it_is_named() {
    let (town, mut home) = on_path(&["real"]);
    for ours in ["github.com", "ghe.example", "town.ghe.com"] {
        home.set("GASTOWN_GIT_HOSTS", ours).unset("GH_HOST").unset("GH_REPO");
        for other in ["evil.example", "evil.ghe.com", "github.com.evil.example"] {
            let (repository, url) = (format!("{other}/o/r"), format!("https://{other}/o/r"));
            let (short, long) = (format!("-R{repository}"), format!("--repo={repository}"));
            for words in [
                &["pr", "list", "-R", &repository][..],
                &["pr", "list", &short],
                &["pr", "list", "--repo", &repository],
                &["pr", "list", &long],
                &["pr", "list", "-R", &url],
                &["pr", "list", "-R", &format!("git@{other}:o/r")],
                &["pr", "view", &url],
                &["api", "--hostname", other, "user"],
                &["api", &format!("--hostname={other}"), "user"],
                &["api", &url],
                &["auth", "token", "-h", other],
                &["repo", "clone", &repository],
                &["pr", "view", "-R", &format!("{ours}/o/r"), &url],
            ] {
                let ran = given(&home, words);
                assert_eq!(tokens(&ran), [None; 4], "{ran:?}");
            }
            home.set("GH_REPO", &repository);
            assert_eq!(tokens(&given(&home, &["pr", "list"])), [None; 4]);
            home.unset("GH_REPO").set("GH_HOST", other);
            assert_eq!(tokens(&given(&home, &["pr", "list"])), [None; 4]);
            home.unset("GH_HOST");
        }
    }
    // Its host comes on stdin.
    assert_eq!(tokens(&given(&home, &["auth", "git-credential", "get"])), [None; 4]);
    assert_eq!(town.worker.git_token_calls(), 0);
}

#[test]
fn snapshot_for_our_host_does_not_go_to_another_and_a_users_own_token_does() {
    let (_town, mut home) = on_path(&["real"]);
    let foreign = ["pr", "list", "-R", "evil.example/o/r"];
    home.set("GASTOWN_GIT_HOSTS", "ghe.example");
    home.set("GH_ENTERPRISE_TOKEN", "ghs_stale").set("GITHUB_ENTERPRISE_TOKEN", "ghp_mine");
    let ran = given(&home, &foreign);
    assert_eq!(tokens(&ran), [None, None, None, Some("ghp_mine")], "{ran:?}");
    // An installation token is of no use to anybody else.
    home.set("GASTOWN_GIT_HOSTS", "github.com");
    let ran = given(&home, &foreign);
    assert_eq!(tokens(&ran), [None, None, None, Some("ghp_mine")], "{ran:?}");
}

#[test]
fn alias_or_empty_repository_carries_no_token_to_another_host() {
    let (town, mut home) = on_path(&["real"]);
    home.set("GASTOWN_GIT_HOSTS", "ghe.example");
    // An alias may name any host, and so may an extension.
    assert_eq!(tokens(&given(&home, &["my-alias"])), [None; 4]);
    home.set("GH_REPO", "evil.example/o/r");
    for words in [&["pr", "list", "-R", ""][..], &["pr", "list", "--repo", ""], &["issue", "list"]]
    {
        assert_eq!(tokens(&given(&home, words)), [None; 4], "{words:?}");
    }
    assert_eq!(town.worker.git_token_calls(), 0);
    // gh takes this one for github.com only.
    home.set("GASTOWN_GIT_HOSTS", "github.com").unset("GH_REPO");
    assert_reached(&town, &given(&home, &["my-alias"]));
}

/// A repository in the home with these remotes.
fn repository(home: &mut Home, remotes: &[(&str, &str)]) {
    let git = Git::newest();
    let directory = git.path.parent().expect("git lies in a directory").to_owned();
    // After the real gh.
    let path = format!("{}:{}", home.path().join("real").display(), directory.display());
    home.set("PATH", &path);
    home.git(&["init", "--quiet", "."]).assert_ok();
    for (name, url) in remotes {
        home.git(&["remote", "add", name, url]).assert_ok();
    }
}

#[test]
fn repository_tells_the_host_as_gh_reads_it() {
    let (town, mut home) = on_path(&["real"]);
    let token = town.worker.token_for(RIG);
    home.set("GASTOWN_GIT_HOSTS", "github.com,ghe.example");
    let remotes = [("origin", "https://github.com/o/r"), ("upstream", "git@ghe.example:o/r")];
    repository(&mut home, &remotes);
    let upstream = given(&home, &["pr", "list"]);
    assert_eq!(tokens(&upstream), [None, None, Some(&*token), Some(&*token)], "{upstream:?}");
    let named = given(&home, &["pr", "list", "-R", "o/r"]);
    assert_eq!(tokens(&named), [Some(&*token), Some(&*token), None, None], "{named:?}");
}

#[test]
fn repository_at_another_host_gets_nothing_and_other_commands_go_to_ours() {
    let (town, mut home) = on_path(&["real"]);
    let token = town.worker.token_for(RIG);
    repository(&mut home, &[("origin", "https://evil.example/o/r")]);
    assert_eq!(tokens(&given(&home, &["pr", "list"])), [None; 4]);
    assert_eq!(tokens(&given(&home, &["repo", "view"])), [None; 4]);
    for words in [&["api", "user"][..], &["repo", "clone", "o/r"], &["pr", "list", "-R", "o/r"]] {
        let ran = given(&home, words);
        assert_eq!(tokens(&ran), [Some(&*token), Some(&*token), None, None], "{ran:?}");
    }
}

#[test]
fn command_that_takes_our_place_in_gits_configuration_warns_how_to_put_it_back() {
    let (town, mut home) = on_path(&["real"]);
    repository(&mut home, &[]);
    assert_eq!(given(&home, &["auth", "setup-git"]).stderr, "");
    home.configure_helper(&town);
    for words in [&["auth", "setup-git"][..], &["auth", "login"]] {
        let ran = given(&home, words);
        assert!(ran.stderr.contains("credential-gastown setup"), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    }
    assert_eq!(given(&home, &["auth", "login", "--help"]).stderr, "");
}

#[test]
fn the_packaged_gh_takes_the_token() {
    if !Path::new("/usr/bin/gh").exists() {
        return crate::town::skip("no gh in /usr/bin");
    }
    let (town, mut home) = on_path(&["shim"]);
    let link = home.path().join("shim/gh");
    fs::remove_file(&link).unwrap();
    symlink(HELPER, &link).unwrap();
    home.set("PATH", &format!("{}:/usr/bin:/bin", home.path().join("shim").display()));
    assert!(run(&home, &link, &["--version"]).assert_ok().stdout.starts_with("gh version"));
    let told = run(&home, &link, &["auth", "token"]);
    assert_eq!(told.assert_ok().stdout, format!("{}\n", town.worker.token_for(RIG)), "{told:?}");
    let elsewhere = run(&home, &link, &["auth", "token", "--hostname", "evil.ghe.com"]);
    assert_eq!(elsewhere.assert_fails().stdout, "", "{elsewhere:?}");
    home.set("GASTOWN_GIT_HOSTS", "ghe.example");
    let told = run(&home, &link, &["auth", "token", "--hostname", "ghe.example"]);
    assert_eq!(told.assert_ok().stdout, format!("{}\n", town.worker.token_for(RIG)), "{told:?}");
    let elsewhere = run(&home, &link, &["auth", "token", "--hostname", "evil.example"]);
    assert_eq!(elsewhere.assert_fails().stdout, "", "{elsewhere:?}");
}
