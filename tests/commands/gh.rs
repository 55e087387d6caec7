//! `gh`, and the link of that name: the real `gh` runs in our place, with a token for its host.

use std::os::unix::fs::symlink;

use super::*;
use crate::town::{Git, RIG};

/// Tells what the real `gh` would have got.
const REAL: &str = "echo \"real gh:\" \"$@\"; /usr/bin/env";
const TOKENS: [&str; 4] =
    ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// An agent for github.com with these directories in its PATH, where the real `gh` is in the last.
fn on_path(directories: &[&str]) -> Scene {
    let mut scene = Scene::new();
    let paths: Vec<_> = directories.iter().map(|it| scene.path(it)).collect();
    paths.iter().for_each(|path| fs::create_dir(path).expect("the home is writable"));
    let path = std::env::join_paths(&paths).expect("plain paths");
    scene.home.set("PATH", &path).set("GASTOWN_GIT_HOSTS", "github.com");
    scene.script(&format!("{}/gh", directories[directories.len() - 1]), REAL);
    scene
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
    assert_eq!(TOKENS.map(|name| ran.value(name)), tokens, "{ran:?}");
}

/// What gh is given for these words, each without a space.
#[track_caller]
fn assert_given(scene: &Scene, words: &str, tokens: Tokens<'_>) -> Ran {
    let words: Vec<_> = std::iter::once("gh").chain(words.split_whitespace()).collect();
    let ran = scene.helper(&words);
    assert_reached(&ran, tokens);
    ran
}

#[test]
fn the_real_gh_gets_a_live_token_and_its_words_untouched() {
    let scene = on_path(&["shim", "real"]);
    let link = scene.path("shim/gh");
    symlink(HELPER, &link).unwrap();
    for words in [&["pr", "--host", "x"][..], &["-v", "--host", "x"], &["get"], &["a b", "--"]] {
        let mut runs = vec![scene.home.run(&link, words, "")];
        if words[0] != "-v" {
            runs.push(scene.helper(&[&["--rig", RIG, "gh"], words].concat()));
        }
        for ran in runs {
            assert_reached(&ran, of_github(&scene.current()));
            let told = format!("real gh: {}", words.join(" "));
            assert_eq!(ran.stdout.lines().next(), Some(&*told));
        }
    }
}

#[test]
fn we_are_skipped_however_we_are_linked_copied_or_called() {
    let shims = ["link", "link-to-link", "relative-link", "copy", "script", "second-copy", "hard"];
    let scene = on_path(&[&shims[..], &["real"]].concat());
    let at = |path: &str| scene.path(path).join("gh");
    symlink(HELPER, at("link")).unwrap();
    symlink(at("link"), at("link-to-link")).unwrap();
    symlink("../link-to-link/gh", at("relative-link")).unwrap();
    scene.install(HELPER, "copy/gh");
    scene.script("script/gh", &format!("exec {HELPER} gh \"$@\""));
    scene.install(HELPER, "second-copy/gh");
    fs::hard_link(at("copy"), at("hard")).unwrap();
    let token = scene.current();
    for shim in shims {
        assert_reached(&scene.home.run(at(shim), &["status"], ""), of_github(&token));
    }
    assert_given(&scene, "status", of_github(&token));
    fs::remove_file(at("real")).unwrap();
    let ran = scene.home.run(at("copy"), &[], "");
    assert_fails(&ran, 127, &["no \"gh\" on PATH"]);
}

#[test]
fn commands_that_need_no_token_run_without_one_and_others_exit_with_125() {
    let scene = on_path(&["real"]);
    scene.worker.go_down();
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
        assert_eq!(assert_given(&scene, words, NONE).stderr, "");
    }
    for words in ["pr list", "auth token", "auth setup-git", "-R o/r pr list", "cs ssh -- x --help"]
    {
        let words: Vec<_> = std::iter::once("gh").chain(words.split(' ')).collect();
        assert_fails(&scene.helper(&words), 125, &["[worker-unreachable]"]);
    }
}

#[test]
fn without_a_token_gh_runs_with_what_it_has_if_that_is_wanted() {
    let mut scene = on_path(&["real"]);
    scene.worker.go_down();
    scene.home.set("GASTOWN_ON_FAILURE", "next").set("GH_TOKEN", "gho_mine");
    let ran = assert_given(&scene, "pr list", [Some("gho_mine"), None, None, None]);
    ran.mentions("[worker-unreachable]");
}

#[test]
fn configured_long_lived_token_goes_before_the_worker_and_a_set_one_before_both() {
    let mut scene = on_path(&["real"]);
    scene.home.set("GITHUB_CLI_PAT", "ghp_mine").set("GH_TOKEN", "ghs_stale");
    assert_given(&scene, "pr list", of_github("ghp_mine"));
    for own in ["ghp_other", "github_pat_other"] {
        scene.home.set("GH_TOKEN", own);
        assert_given(&scene, "pr list", [Some(own), None, None, None]);
    }
    assert_eq!(scene.calls(), 0);
}

#[test]
fn enterprise_host_gets_its_own_variables_and_githubs_stay_as_they_were() {
    let mut scene = on_path(&["real"]);
    let token = scene.current();
    scene.home.set("GH_TOKEN", "ghs_stale").set("GASTOWN_GIT_HOSTS", "ghe.example,github.com");
    let enterprise = |scene: &Scene, words: &str| {
        let ran = assert_given(scene, words, [Some("ghs_stale"), None, Some(&token), Some(&token)]);
        assert_eq!(ran.value("GH_HOST"), Some("ghe.example"));
    };
    enterprise(&scene, "pr list");
    scene.home.set("GASTOWN_GIT_HOSTS", "github.com,ghe.example");
    enterprise(&scene, "pr list -RGHE.example/o/r");
    enterprise(&scene, "api user --hostname ghe.example");
    enterprise(&scene, "pr view https://ghe.example/o/r/pull/1");
    enterprise(&scene, "repo clone git@ghe.example:o/r");
    scene.home.set("GH_REPO", "ghe.example/o/r");
    enterprise(&scene, "pr list");
    scene.home.unset("GH_REPO").set("GH_HOST", "ghe.example");
    enterprise(&scene, "pr list");
    scene.home.set("GH_HOST", "github.com");
    assert_given(&scene, "pr list", of_github(&token));
    // gh needs to know the host even if the user's own token is kept.
    scene
        .home
        .unset("GH_HOST")
        .set("GASTOWN_GIT_HOSTS", "ghe.example")
        .set("GH_ENTERPRISE_TOKEN", "ghp_a");
    let own = [Some("ghs_stale"), None, Some("ghp_a"), None];
    let ran = assert_given(&scene, "pr list", own);
    assert_eq!(ran.value("GH_HOST"), Some("ghe.example"));
}

/// Command lines that name another host.
const NAMED: [&str; 46] = [
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
    "repo clone OTHER:o/r",
    "repo clone OTHER/o:r",
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
    let mut scene = on_path(&["real"]);
    for ours in ["github.com", "ghe.example", "town.ghe.com"] {
        scene.home.set("GASTOWN_GIT_HOSTS", ours);
        for other in ["evil.example", "evil.ghe.com", "github.com.evil.example"] {
            for words in NAMED {
                let words = words.replace("OTHER", other).replace("OURS", ours);
                assert_given(&scene, &words, NONE);
            }
            for (name, value) in [("GH_REPO", &*format!("{other}/o/r")), ("GH_HOST", other)] {
                scene.home.set(name, value);
                assert_given(&scene, "pr list", NONE);
                scene.home.unset(name);
            }
        }
    }
    // Its host comes on stdin.
    assert_given(&scene, "auth git-credential get", NONE);
    assert_eq!(scene.calls(), 0);
}

#[test]
fn snapshot_for_our_host_does_not_go_to_another_and_a_users_own_token_does() {
    let mut scene = on_path(&["real"]);
    scene.home.set("GH_ENTERPRISE_TOKEN", "ghs_stale").set("GITHUB_ENTERPRISE_TOKEN", "ghp_mine");
    // An installation token is of no use to anybody else.
    for ours in ["ghe.example", "github.com"] {
        scene.home.set("GASTOWN_GIT_HOSTS", ours);
        let own = [None, None, None, Some("ghp_mine")];
        assert_given(&scene, "pr list -R evil.example/o/r", own);
    }
}

#[test]
fn alias_or_empty_repository_carries_no_token_to_another_host() {
    let mut scene = on_path(&["real"]);
    scene.home.set("GASTOWN_GIT_HOSTS", "ghe.example");
    // An alias may name any host, and so may an extension.
    for words in ["my-alias", "extension exec x", "extensions upgrade x", "ext exec x"] {
        assert_given(&scene, words, NONE);
    }
    // About every host that gh knows.
    for words in ["auth status -t", "auth status x"] {
        assert_given(&scene, words, NONE);
    }
    scene.home.set("GH_REPO", "evil.example/o/r");
    for words in [&["pr", "list", "-R", ""][..], &["pr", "list", "--repo", ""], &["issue", "list"]]
    {
        assert_reached(&scene.helper(&[&["gh"], words].concat()), NONE);
    }
    assert_eq!(scene.calls(), 0);
    // gh takes this one for github.com only.
    scene.home.set("GASTOWN_GIT_HOSTS", "github.com").unset("GH_REPO");
    assert_given(&scene, "my-alias", of_github(&scene.current()));
}

#[test]
fn codespaces_get_no_token_but_that_of_github_com() {
    let mut scene = on_path(&["real"]);
    scene.home.set("GITHUB_API_URL", "https://api.github.com");
    assert_given(&scene, "codespace list", of_github(&scene.current()));
    scene.home.set("GITHUB_API_URL", "https://evil.example");
    assert_given(&scene, "codespace list", NONE);
    scene.home.unset("GITHUB_API_URL");
    for ours in ["acme.ghe.com", "ghe.example"] {
        scene.home.set("GASTOWN_GIT_HOSTS", ours);
        for words in ["codespace list", "cs list", &format!("codespace create -R {ours}/o/r")] {
            assert_given(&scene, words, NONE);
        }
    }
}

#[test]
fn gh_is_told_the_host_even_if_it_is_github_com() {
    let mut scene = on_path(&["real"]);
    scene.home.set("CODESPACES", "true");
    let ran = assert_given(&scene, "api user", of_github(&scene.current()));
    assert_eq!(ran.value("GH_HOST"), Some("github.com"));
    assert_eq!(ran.value("CODESPACES"), None, "it would send GITHUB_TOKEN anywhere");
}

/// A repository in the home with these remotes.
fn repository(scene: &mut Scene, remotes: &[(&str, &str)]) {
    let git = Git::newest();
    let directory = git.path.parent().expect("git lies in a directory").to_owned();
    // After the real gh.
    let path = format!("{}:{}", scene.path("real").display(), directory.display());
    scene.home.set("PATH", &path);
    scene.home.git(&["init", "--quiet", "."]).assert_ok();
    for (name, url) in remotes {
        scene.home.git(&["remote", "add", name, url]).assert_ok();
    }
}

#[test]
fn repository_tells_the_host_as_gh_reads_it() {
    let mut scene = on_path(&["real"]);
    let token = scene.current();
    scene.home.set("GASTOWN_GIT_HOSTS", "github.com,ghe.example");
    let remotes = [("origin", "https://github.com/o/r"), ("upstream", "corp:o/r")];
    repository(&mut scene, &remotes);
    scene.home.git(&["config", "url.https://ghe.example/.insteadOf", "corp:"]).assert_ok();
    assert_given(&scene, "pr list", [None, None, Some(&token), Some(&token)]);
    assert_given(&scene, "pr list -R o/r", of_github(&token));
    scene.home.git(&["config", "url.https://evil.example/.insteadOf", "co"]).assert_ok();
    assert_given(&scene, "pr list", [None, None, Some(&token), Some(&token)]);
    scene.home.git(&["config", "remote.origin.gh-resolved", "base"]).assert_ok();
    assert_given(&scene, "pr list", of_github(&token));
}

#[test]
fn repository_at_another_host_gets_nothing_and_other_commands_go_to_ours() {
    let mut scene = on_path(&["real"]);
    let token = scene.current();
    repository(&mut scene, &[("origin", "https://evil.example/o/r")]);
    for words in ["pr list", "repo view"] {
        assert_given(&scene, words, NONE);
    }
    for words in ["api user", "repo clone o/r", "pr list -R o/r"] {
        assert_given(&scene, words, of_github(&token));
    }
}

#[test]
fn command_that_takes_our_place_in_gits_configuration_warns_how_to_put_it_back() {
    let mut scene = on_path(&["real"]);
    let said = |scene: &Scene, words: &[&str]| scene.helper(words).assert_ok().stderr.clone();
    repository(&mut scene, &[]);
    assert_eq!(said(&scene, &["gh", "auth", "setup-git"]), "");
    scene.home.configure_helper(&scene);
    for command in ["setup-git", "login"] {
        let said = said(&scene, &["gh", "auth", command]);
        assert!(said.contains("credential-gastown setup"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(said(&scene, &["gh", "auth", "login", "--help"]), "");
    let host = format!("http://{}", scene.github.host());
    scene.helper(&["setup", "--rig", RIG, "--workspace", "/a b", "--host", &host]).assert_ok();
    let told = said(&scene, &["gh", "auth", "setup-git"]);
    let again = format!(r"setup --rig {RIG} --workspace /a\ b");
    assert!(told.contains(&format!("{again} --host")), "{told}");
    // The usual hosts need no name.
    fs::remove_file(scene.path(".gitconfig")).unwrap();
    scene.helper(&["setup", "--rig", RIG, "--workspace", "/a b"]).assert_ok();
    let told = said(&scene, &["gh", "auth", "setup-git"]);
    assert!(told.ends_with(&format!("{again}\n")), "{told}");
}

#[test]
fn the_packaged_gh_takes_the_token() {
    if !Path::new("/usr/bin/gh").exists() {
        return crate::town::skip("no gh in /usr/bin");
    }
    let mut scene = Scene::new();
    let (shim, link) = (scene.path("shim"), scene.path("shim/gh"));
    fs::create_dir(&shim).unwrap();
    symlink(HELPER, &link).unwrap();
    scene.home.set("PATH", format!("{}:/usr/bin:/bin", shim.display()));
    assert!(scene.home.run(&link, &["--version"], "").assert_ok().stdout.starts_with("gh version"));
    let expected = scene.current() + "\n";
    for (ours, elsewhere) in [("github.com", "evil.ghe.com"), ("ghe.example", "evil.example")] {
        scene.home.set("GASTOWN_GIT_HOSTS", ours);
        let told = |host: &str| scene.home.run(&link, &["auth", "token", "--hostname", host], "");
        assert_eq!(told(ours).assert_ok().stdout, expected);
        assert_eq!(told(elsewhere).assert_fails().stdout, "");
    }
    scene.home.set("GASTOWN_GIT_HOSTS", "github.com");
    assert_eq!(scene.home.run(&link, &["auth", "token"], "").assert_ok().stdout, expected);
}
