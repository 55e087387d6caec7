//! `gh`, and the link of that name: the real `gh` runs in our place, with a token for the host that
//! it talks to.

use std::os::unix::fs::symlink;

use super::*;
use crate::town::{Git, RIG};

/// Tells what the real `gh` would have got.
const REAL: &str = "echo \"real gh:\" \"$@\"; /usr/bin/env";
const TOKENS: [&str; 4] =
    ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// An agent for github.com with these directories in its PATH, where the real `gh` is in the last.
fn on_path(directories: &[&str]) -> (Town, Home) {
    let (town, mut home) = settled();
    let paths: Vec<_> = directories.iter().map(|it| home.path().join(it)).collect();
    paths.iter().for_each(|path| fs::create_dir(path).expect("the home is writable"));
    let path = std::env::join_paths(&paths).expect("plain paths");
    home.set("PATH", &path.to_string_lossy()).set("GASTOWN_GIT_HOSTS", "github.com");
    script(&home, &format!("{}/gh", directories[directories.len() - 1]), REAL);
    (town, home)
}

fn run(home: &Home, program: impl AsRef<Path>, arguments: &[&str]) -> Ran {
    let mut command = home.command(program);
    command.args(arguments);
    Ran::run(command, b"")
}

/// What the real gh got: in GH_TOKEN and GITHUB_TOKEN, and in those for an enterprise host.
type Tokens<'a> = [Option<&'a str>; 4];
const NONE: Tokens<'_> = [None; 4];

fn of_github(token: &str) -> Tokens<'_> {
    [Some(token), Some(token), None, None]
}

#[track_caller]
fn assert_reached(ran: &Ran, tokens: Tokens<'_>) {
    assert!(ran.assert_ok().stdout.starts_with("real gh:"), "{ran:?}");
    assert_eq!(TOKENS.map(|name| variable(&ran.stdout, name)), tokens, "{ran:?}");
}

/// What gh is given for these words, each without a space.
#[track_caller]
fn assert_given(home: &Home, words: &str, tokens: Tokens<'_>) -> Ran {
    let words: Vec<_> = std::iter::once("gh").chain(words.split_whitespace()).collect();
    let ran = home.helper(&words, "");
    assert_reached(&ran, tokens);
    ran
}

#[test]
fn the_real_gh_gets_a_live_token_and_its_words_untouched() {
    let (town, home) = on_path(&["shim", "real"]);
    let link = home.path().join("shim/gh");
    symlink(HELPER, &link).unwrap();
    for words in [&["pr", "--host", "x"][..], &["-v", "--host", "x"], &["get"], &["a b", "--"]] {
        let mut runs = vec![run(&home, &link, words)];
        if words[0] != "-v" {
            runs.push(home.helper(&[&["--rig", RIG, "gh"], words].concat(), ""));
        }
        for ran in runs {
            assert_reached(&ran, of_github(&town.worker.token_for(RIG)));
            let told = format!("real gh: {}", words.join(" "));
            assert_eq!(ran.stdout.lines().next(), Some(&*told));
        }
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
        let ran = run(&home, at(link), &["status"]);
        assert_reached(&ran, of_github(&town.worker.token_for(RIG)));
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
    let token = town.worker.token_for(RIG);
    for path in ["copy/gh", "script/gh", "second-copy/gh", "hard/gh"] {
        assert_reached(&run(&home, at(path), &["status"]), of_github(&token));
    }
    assert_given(&home, "status", of_github(&token));
    fs::remove_file(at("real/gh")).unwrap();
    let ran = run(&home, at("copy/gh"), &[]);
    assert_eq!((ran.code, &*ran.stdout), (127, ""), "{ran:?}");
}

#[test]
fn without_a_program_it_is_126_or_127() {
    let (_town, home) = on_path(&["real"]);
    let real = home.path().join("real/gh");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    assert_fails(&home.helper(&["gh"], ""), 126, &["check its mode"]);
    fs::remove_file(&real).unwrap();
    assert_fails(&home.helper(&["gh"], ""), 127, &["no \"gh\" on PATH"]);
}

#[test]
fn what_needs_no_token_runs_without_and_all_else_ends_with_125() {
    let (town, home) = on_path(&["real"]);
    town.worker.go_down();
    for words in [
        "",
        "--version",
        "--help",
        "-h",
        "help pr",
        "version",
        "pr list --help",
        "pr list -h",
        "auth setup-git --help",
        "completion -s bash",
        "auth login --hostname x",
        "config set a b",
        "alias list",
    ] {
        assert_eq!(assert_given(&home, words, NONE).stderr, "");
    }
    for words in ["pr list", "auth token", "auth setup-git", "-R o/r pr list", "cs ssh -- x --help"]
    {
        let words: Vec<_> = std::iter::once("gh").chain(words.split(' ')).collect();
        assert_fails(&home.helper(&words, ""), 125, &["[worker-unreachable]"]);
    }
}

#[test]
fn without_a_token_gh_runs_with_what_it_has_if_that_is_wanted() {
    let (town, mut home) = on_path(&["real"]);
    town.worker.go_down();
    home.set("GASTOWN_ON_FAILURE", "next").set("GH_TOKEN", "gho_mine");
    let ran = assert_given(&home, "pr list", [Some("gho_mine"), None, None, None]);
    ran.mentions("[worker-unreachable]");
}

#[test]
fn configured_long_lived_token_goes_before_the_worker_and_a_set_one_before_both() {
    let (town, mut home) = on_path(&["real"]);
    home.set("GITHUB_CLI_PAT", "ghp_mine").set("GH_TOKEN", "ghs_stale");
    assert_given(&home, "pr list", of_github("ghp_mine"));
    for own in ["ghp_other", "github_pat_other"] {
        home.set("GH_TOKEN", own);
        assert_given(&home, "pr list", [Some(own), None, None, None]);
    }
    assert_eq!(town.worker.git_token_calls(), 0);
}

#[test]
fn enterprise_host_gets_its_own_variables_and_githubs_stay_as_they_were() {
    let (town, mut home) = on_path(&["real"]);
    let token = town.worker.token_for(RIG);
    home.set("GH_TOKEN", "ghs_stale").set("GASTOWN_GIT_HOSTS", "ghe.example,github.com");
    let enterprise = |home: &Home, words: &str| {
        let ran = assert_given(home, words, [Some("ghs_stale"), None, Some(&token), Some(&token)]);
        assert_eq!(variable(&ran.stdout, "GH_HOST"), Some("ghe.example"));
    };
    enterprise(&home, "pr list");
    home.set("GASTOWN_GIT_HOSTS", "github.com,ghe.example");
    enterprise(&home, "pr list -RGHE.example/o/r");
    enterprise(&home, "api user --hostname ghe.example");
    enterprise(&home, "pr view https://ghe.example/o/r/pull/1");
    enterprise(&home, "repo clone git@ghe.example:o/r");
    home.set("GH_REPO", "ghe.example/o/r");
    enterprise(&home, "pr list");
    home.unset("GH_REPO").set("GH_HOST", "ghe.example");
    enterprise(&home, "pr list");
    home.set("GH_HOST", "github.com");
    assert_given(&home, "pr list", of_github(&token));
    // gh needs to know the host even if the user's own token is kept.
    home.unset("GH_HOST")
        .set("GASTOWN_GIT_HOSTS", "ghe.example")
        .set("GH_ENTERPRISE_TOKEN", "ghp_a");
    let own = [Some("ghs_stale"), None, Some("ghp_a"), None];
    let ran = assert_given(&home, "pr list", own);
    assert_eq!(variable(&ran.stdout, "GH_HOST"), Some("ghe.example"));
}

/// Command lines that name another host.
const NAMED: [&str; 44] = [
    "pr list -R OTHER/o/r",
    "pr list -ROTHER/o/r",
    "pr list -R=OTHER/o/r",
    "pr list -wR OTHER/o/r",
    "pr list --repo OTHER/o/r",
    "pr list --repo=OTHER/o/r",
    "-R OTHER/o/r pr list",
    "pr list -R https://OTHER/o/r",
    "pr list -R https://x:y@OTHER:8443/o/r.git",
    "pr list -R git@OTHER:o/r.git",
    "pr list -R ssh://git@OTHER:22/o/r",
    "api --hostname OTHER user",
    "api user --hostname=OTHER",
    "auth token -h OTHER",
    "auth token -hOTHER",
    "api https://OTHER/x",
    "api https://OTHER?x",
    "pr view https://OTHER/o/r/pull/1",
    "pr view --web https://OTHER/o/r/pull/1",
    "pr view https://OURS@OTHER/o/r/pull/1",
    "repo clone OTHER/o/r",
    "repo clone --upstream-remote-name x OTHER/o/r -- --depth 1",
    "repo clone git@OTHER:o/r.git",
    "repo sync --source OTHER/o/r",
    "repo sync -s=OTHER/o/r",
    "repo create x --template OTHER/o/r",
    "repo create x -pOTHER/o/r",
    "repo create x -p=https://OTHER/o/r",
    "repo create x -cp=OTHER/o/r",
    "repo new x -p OTHER/o/r",
    "issue develop 5 --branch-repo=OTHER/o/r",
    "issue develop 5 -iOTHER/o/r",
    "issue transfer 5 OTHER/o/r",
    "label clone OTHER/o/r",
    "extension install https://OTHER/o/gh-x",
    "issue edit 5 --parent=https://OTHER/o/r/issues/1",
    "pr view -- https://OTHER/o/r/pull/1",
    "pr list --search -- -R OTHER/o/r",
    "pr view --jq --body https://OTHER/o/r/pull/1",
    "pr view --body -b https://OTHER/o/r/pull/1",
    "api https://OURS\\@OTHER/x",
    "api http://OURS/user",
    "api https://OURS:8443/user",
    "pr view -R OURS/o/r https://OTHER/o/r",
];

#[test]
fn host_that_is_not_ours_gets_nothing_however_it_is_named() {
    let (town, mut home) = on_path(&["real"]);
    for ours in ["github.com", "ghe.example", "town.ghe.com"] {
        home.set("GASTOWN_GIT_HOSTS", ours);
        for other in ["evil.example", "evil.ghe.com", "github.com.evil.example"] {
            for words in NAMED {
                let words = words.replace("OTHER", other).replace("OURS", ours);
                assert_given(&home, &words, NONE);
            }
            for (name, value) in [("GH_REPO", &*format!("{other}/o/r")), ("GH_HOST", other)] {
                home.set(name, value);
                assert_given(&home, "pr list", NONE);
                home.unset(name);
            }
        }
    }
    // Its host comes on stdin.
    assert_given(&home, "auth git-credential get", NONE);
    assert_eq!(town.worker.git_token_calls(), 0);
}

#[test]
fn snapshot_for_our_host_does_not_go_to_another_and_a_users_own_token_does() {
    let (_town, mut home) = on_path(&["real"]);
    home.set("GH_ENTERPRISE_TOKEN", "ghs_stale").set("GITHUB_ENTERPRISE_TOKEN", "ghp_mine");
    // An installation token is of no use to anybody else.
    for ours in ["ghe.example", "github.com"] {
        home.set("GASTOWN_GIT_HOSTS", ours);
        let own = [None, None, None, Some("ghp_mine")];
        assert_given(&home, "pr list -R evil.example/o/r", own);
    }
}

#[test]
fn alias_or_empty_repository_carries_no_token_to_another_host() {
    let (town, mut home) = on_path(&["real"]);
    home.set("GASTOWN_GIT_HOSTS", "ghe.example");
    // An alias may name any host, and so may an extension.
    for words in ["my-alias", "extension exec x", "extensions upgrade x", "ext exec x"] {
        assert_given(&home, words, NONE);
    }
    // About every host that gh knows.
    assert_given(&home, "auth status -t", NONE);
    home.set("GH_REPO", "evil.example/o/r");
    for words in [&["pr", "list", "-R", ""][..], &["pr", "list", "--repo", ""], &["issue", "list"]]
    {
        assert_reached(&home.helper(&[&["gh"], words].concat(), ""), NONE);
    }
    assert_eq!(town.worker.git_token_calls(), 0);
    // gh takes this one for github.com only.
    home.set("GASTOWN_GIT_HOSTS", "github.com").unset("GH_REPO");
    assert_given(&home, "my-alias", of_github(&town.worker.token_for(RIG)));
}

#[test]
fn codespaces_get_no_token_but_that_of_github_com() {
    let (town, mut home) = on_path(&["real"]);
    home.set("GITHUB_API_URL", "https://api.github.com");
    assert_given(&home, "codespace list", of_github(&town.worker.token_for(RIG)));
    home.set("GITHUB_API_URL", "https://evil.example");
    assert_given(&home, "codespace list", NONE);
    home.unset("GITHUB_API_URL");
    for ours in ["acme.ghe.com", "ghe.example"] {
        home.set("GASTOWN_GIT_HOSTS", ours);
        for words in ["codespace list", "cs list", &format!("codespace create -R {ours}/o/r")] {
            assert_given(&home, words, NONE);
        }
    }
}

#[test]
fn gh_is_told_the_host_even_if_it_is_github_com() {
    let (town, mut home) = on_path(&["real"]);
    home.set("CODESPACES", "true");
    let ran = assert_given(&home, "api user", of_github(&town.worker.token_for(RIG)));
    assert_eq!(variable(&ran.stdout, "GH_HOST"), Some("github.com"));
    assert_eq!(variable(&ran.stdout, "CODESPACES"), None, "it would send GITHUB_TOKEN anywhere");
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
    let remotes = [("origin", "https://github.com/o/r"), ("upstream", "corp:o/r")];
    repository(&mut home, &remotes);
    home.git(&["config", "url.https://ghe.example/.insteadOf", "corp:"]).assert_ok();
    assert_given(&home, "pr list", [None, None, Some(&token), Some(&token)]);
    assert_given(&home, "pr list -R o/r", of_github(&token));
    home.git(&["config", "url.https://evil.example/.insteadOf", "co"]).assert_ok();
    assert_given(&home, "pr list", [None, None, Some(&token), Some(&token)]);
    home.git(&["config", "remote.origin.gh-resolved", "base"]).assert_ok();
    assert_given(&home, "pr list", of_github(&token));
}

#[test]
fn repository_at_another_host_gets_nothing_and_other_commands_go_to_ours() {
    let (town, mut home) = on_path(&["real"]);
    let token = town.worker.token_for(RIG);
    repository(&mut home, &[("origin", "https://evil.example/o/r")]);
    for words in ["pr list", "repo view"] {
        assert_given(&home, words, NONE);
    }
    for words in ["api user", "repo clone o/r", "pr list -R o/r"] {
        assert_given(&home, words, of_github(&token));
    }
}

#[test]
fn command_that_takes_our_place_in_gits_configuration_warns_how_to_put_it_back() {
    let (town, mut home) = on_path(&["real"]);
    let said = |home: &Home, words: &[&str]| home.helper(words, "").assert_ok().stderr.clone();
    repository(&mut home, &[]);
    assert_eq!(said(&home, &["gh", "auth", "setup-git"]), "");
    home.configure_helper(&town);
    for command in ["setup-git", "login"] {
        let said = said(&home, &["gh", "auth", command]);
        assert!(said.contains("credential-gastown setup"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(said(&home, &["gh", "auth", "login", "--help"]), "");
    home.helper(&["setup", "--rig", RIG, "--workspace", "/a b"], "").assert_ok();
    let told = said(&home, &["gh", "auth", "setup-git"]);
    let again = format!(r"setup --rig {RIG} --workspace /a\ b");
    assert!(told.contains(&format!("{again} --host")), "{told}");
    // The usual hosts need no name.
    fs::remove_file(home.path().join(".gitconfig")).unwrap();
    home.helper(&["setup", "--rig", RIG, "--workspace", "/a b"], "").assert_ok();
    let told = said(&home, &["gh", "auth", "setup-git"]);
    assert!(told.ends_with(&format!("{again}\n")), "{told}");
}

#[test]
fn the_packaged_gh_takes_the_token() {
    if !Path::new("/usr/bin/gh").exists() {
        return crate::town::skip("no gh in /usr/bin");
    }
    let (town, mut home) = settled();
    let (shim, link) = (home.path().join("shim"), home.path().join("shim/gh"));
    fs::create_dir(&shim).unwrap();
    symlink(HELPER, &link).unwrap();
    home.set("PATH", &format!("{}:/usr/bin:/bin", shim.display()));
    assert!(run(&home, &link, &["--version"]).assert_ok().stdout.starts_with("gh version"));
    let expected = town.worker.token_for(RIG) + "\n";
    for (ours, elsewhere) in [("github.com", "evil.ghe.com"), ("ghe.example", "evil.example")] {
        home.set("GASTOWN_GIT_HOSTS", ours);
        let told = |host: &str| run(&home, &link, &["auth", "token", "--hostname", host]);
        assert_eq!(told(ours).assert_ok().stdout, expected);
        assert_eq!(told(elsewhere).assert_fails().stdout, "");
    }
    home.set("GASTOWN_GIT_HOSTS", "github.com");
    assert_eq!(run(&home, &link, &["auth", "token"]).assert_ok().stdout, expected);
}
