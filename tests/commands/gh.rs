//! `gh`, and the link of that name: the real `gh` runs in our place, with a token for the host that
//! it talks to.

use std::os::unix::fs::symlink;

use super::*;
use crate::town::RIG;

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
    for words in [&["--help"][..], &["--version"], &["-v", "--host", "x"], &["get"], &["a b", "--"]]
    {
        let ran = run(&home, &link, words);
        assert_reached(&town, &ran);
        assert_eq!(ran.stdout.lines().next(), Some(&*format!("real gh: {}", words.join(" "))));
    }
    for words in [&["gh", "pr", "list", "--host", "x"][..], &["gh", "--version"], &["gh", "--help"]]
    {
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
        assert_reached(&town, &run(&home, at(link), &[]));
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
        assert_reached(&town, &run(&home, at(path), &[]));
    }
    assert_reached(&town, &home.helper(&["gh"], ""));
    fs::remove_file(at("real/gh")).unwrap();
    let ran = run(&home, at("copy/gh"), &[]);
    assert_eq!((ran.code, &*ran.stdout), (127, ""), "{ran:?}");
}

#[test]
fn a_gh_in_the_current_directory_is_never_run() {
    let (_town, mut home) = on_path(&["real"]);
    script(&home, "gh", "echo trapped");
    for path in ["", ".", ":", "./:relative"] {
        home.set("PATH", path);
        assert_fails(&home.helper(&["gh"], ""), 127, &["apt-get install gh"]);
    }
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
    assert_fails(&home.helper(&["gh"], ""), 127, &["no `gh` on PATH"]);
}

#[test]
fn a_personal_token_goes_first() {
    let (town, mut home) = on_path(&["real"]);
    home.set("GITHUB_CLI_PAT", "ghp_mine").set("GH_TOKEN", "ghs_stale");
    let ran = home.helper(&["gh"], "");
    assert_eq!(tokens(&ran), [Some("ghp_mine"), Some("ghp_mine"), None, None], "{ran:?}");
    assert_eq!(town.worker.git_token_calls(), 0);
}

#[test]
fn an_enterprise_host_gets_its_own_variables_and_githubs_stay_as_they_were() {
    let (town, mut home) = on_path(&["real"]);
    let token = town.worker.token_for(RIG);
    home.set("GH_TOKEN", "ghs_stale").set("GASTOWN_GIT_HOSTS", "ghe.example,github.com");
    let enterprise = [Some("ghs_stale"), None, Some(&*token), Some(&*token)];
    let first = home.helper(&["gh"], "");
    assert_eq!(tokens(&first), enterprise, "{first:?}");
    home.set("GASTOWN_GIT_HOSTS", "github.com,ghe.example").set("GH_HOST", "ghe.example");
    let named = home.helper(&["gh"], "");
    assert_eq!(tokens(&named), enterprise, "{named:?}");
    home.set("GH_HOST", "github.com");
    let github = home.helper(&["gh"], "");
    assert_eq!(tokens(&github), [Some(&*token), Some(&*token), None, None], "{github:?}");
}

#[test]
fn a_host_that_is_not_ours_gets_nothing() {
    let (town, mut home) = on_path(&["real"]);
    for host in ["evil.example", "github.com.evil.example", "http://github.com"] {
        home.set("GH_HOST", host);
        let ran = home.helper(&["gh"], "");
        assert_eq!(tokens(ran.assert_ok()), [None; 4], "{ran:?}");
    }
    assert_eq!(town.worker.git_token_calls(), 0);
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
}
