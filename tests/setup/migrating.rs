//! Repositories cloned the old way.

use super::*;

/// A repository as it was made the old way: a bare one with a worktree, a token in both of its
/// URLs, and a `store` helper in the configuration of the worktree.
fn old_way(scene: &Scene, token: &str) {
    let url = scene.town().github.url_with(REPOSITORY, token);
    let git = |arguments: &[&str]| {
        scene.home.git(arguments).assert_ok();
    };
    git(&["clone", "--quiet", "--bare", &url, "rigs/bare"]);
    let in_bare = |arguments: &[&str]| {
        scene.home.git_in("rigs/bare", arguments).assert_ok();
    };
    in_bare(&["config", "remote.origin.pushurl", &url]);
    // With it, what only holds for the bare one has to stand in its own file.
    in_bare(&["config", "extensions.worktreeConfig", "true"]);
    in_bare(&["config", "--unset", "core.bare"]);
    in_bare(&["config", "--worktree", "core.bare", "true"]);
    in_bare(&["worktree", "add", "--quiet", "../worktree", "-b", "work"]);
    let store = format!("store --file={}", scene.path("stale-tokens").display());
    let in_worktree = |arguments: &[&str]| {
        scene.home.git_in("rigs/worktree", arguments).assert_ok();
    };
    in_worktree(&["config", "--worktree", "credential.helper", &store]);
    let line = format!("http://x-access-token:{token}@{}\n", scene.town().github.host());
    scene.write("stale-tokens", &line);
}

/// An ordinary clone, and one with a submodule.
fn old_clones(scene: &Scene, token: &str) {
    let url = scene.town().github.url_with(REPOSITORY, token);
    let git = |arguments: &[&str]| {
        scene.home.git(arguments).assert_ok();
    };
    git(&["clone", "--quiet", &url, "rigs/clone"]);
    let local = ["config", "credential.helper", "store --file=/tmp/.git-credentials-gone"];
    scene.home.git_in("rigs/clone", &local).assert_ok();
    git(&["init", "--quiet", "rigs/super"]);
    let added = scene.home.git_in("rigs/super", &["submodule", "add", "--quiet", &url, "inner"]);
    added.assert_ok();
}

/// Below the home, without the directory for temporary files.
fn files_with(scene: &Scene, token: &str) -> Vec<PathBuf> {
    let has = |text: &[u8]| text.windows(token.len()).any(|part| part == token.as_bytes());
    let found = scene.snapshot().into_iter().filter(|(_, text)| has(text));
    found.map(|(path, _)| path).collect()
}

#[test]
fn the_push_that_fails_names_the_command_and_the_command_mends_it() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let token = scene.town().worker.token_for("rig-1");
        old_way(&scene, &token);
        scene.setup(&[]).assert_ok();
        scene.home.commit("rigs/worktree", "file", b"content");
        scene.town().github.revoke_all();

        let push = || scene.home.git_in("rigs/worktree", &["push", "--quiet", "origin", "HEAD"]);
        let failed = push();
        assert!(failed.assert_fails().stderr.contains("[embedded-token]"), "{failed:?}");
        let named = "git credential-gastown setup --migrate .";
        assert!(failed.stderr.contains(named), "{failed:?}");

        let mut mend = scene.home.command(HELPER);
        mend.args(["setup", "--migrate", "."]).current_dir(scene.path("rigs/worktree"));
        let mended = Ran::run(mend, b"");
        assert!(mended.assert_ok().stdout.contains("remote.origin.pushurl"), "{mended:?}");
        assert!(!format!("{mended:?}").contains(&token), "no token is shown");
        push().assert_ok();
    }
}

#[test]
fn every_repository_worktree_and_submodule_below_is_mended() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let token = scene.town().worker.token_for("rig-1");
        old_way(&scene, &token);
        old_clones(&scene, &token);
        let before = scene.snapshot();
        let planned = scene.setup(&["--dry-run", "--migrate", "rigs"]);
        assert_eq!(scene.snapshot(), before);

        let ran = scene.setup(&["--migrate", "rigs"]);
        // The list of submodules is versioned: only a commit can change it.
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stdout.contains(".gitmodules"), "{ran:?}");
        assert!(ran.stdout.contains("old tokens are still in"), "{ran:?}");
        for said in [&planned, &ran] {
            assert!(!format!("{said:?}").contains(&token), "no token is shown");
        }
        let summary = |ran: &Ran| {
            let mut lines = ran.stdout.lines().filter(|line| line.starts_with("looked at"));
            lines.next().expect("a summary").to_owned()
        };
        assert_eq!(summary(&planned), summary(&ran));
        let config = scene.read("rigs/clone/.git/config");
        assert!(!config.contains("credential"), "{config}");
        let left: Vec<_> = files_with(&scene, &token);
        let may_stay = [scene.path("stale-tokens"), scene.path("rigs/super/.gitmodules")];
        let is_config =
            |path: &&PathBuf| path.ends_with("config") || path.ends_with("config.worktree");
        assert_eq!(left.iter().filter(is_config).count(), 0, "{left:?}");
        for path in may_stay {
            assert!(left.contains(&path), "{left:?}");
        }

        scene.town().github.revoke_all();
        scene.town().let_pass(std::time::Duration::from_secs(120));
        scene.home.age_cache(std::time::Duration::from_secs(120));
        for directory in ["rigs/worktree", "rigs/clone", "rigs/super/inner"] {
            scene.home.commit(directory, "file", directory.as_bytes());
            let branch = format!("HEAD:refs/heads/{}", directory.replace('/', "-"));
            scene.home.git_in(directory, &["push", "--quiet", "origin", &branch]).assert_ok();
        }
        let again = scene.setup(&["--migrate", "rigs"]);
        assert!(again.stdout.contains("changed 0"), "{again:?}");
    }
}

#[test]
fn links_are_not_followed_and_other_hosts_are_left_alone() {
    let scene = Scene::new(&Git::newest());
    scene.home.git(&["init", "--quiet", "outside"]).assert_ok();
    scene.home.git(&["init", "--quiet", "rigs/inside"]).assert_ok();
    let foreign = "https://alice:sentinel1@gitlab.example/acme/app.git";
    let ours = scene.town().github.url_with(REPOSITORY, "ghs_sentinel2");
    scene.home.git_in("outside", &["remote", "add", "origin", &ours]).assert_ok();
    scene.home.git_in("rigs/inside", &["remote", "add", "origin", foreign]).assert_ok();
    symlink(scene.path("outside"), scene.path("rigs/link")).unwrap();
    let (outside, inside) =
        (scene.read("outside/.git/config"), scene.read("rigs/inside/.git/config"));
    scene.setup(&["--migrate", "rigs"]).assert_ok();
    assert_eq!(scene.read("outside/.git/config"), outside);
    assert_eq!(scene.read("rigs/inside/.git/config"), inside);
}

#[test]
fn advice_about_a_hostile_repository_does_what_it_says_and_nothing_else() {
    let scene = Scene::new(&Git::newest());
    scene.home.git(&["init", "--quiet", "hostile"]).assert_ok();
    let url = format!("http://me:ghs_a@{}/a.git;touch pwned", scene.town().github.host());
    let name = "x;touch pwned;$(touch pwned)`touch pwned`";
    scene.write("hostile/.gitmodules", &format!("[submodule \"{name}\"]\n\turl = \"{url}\"\n"));
    let ran = scene.setup(&["--migrate", "hostile"]);
    let (_, advice) = ran.assert_fails().stdout.split_once("run: ").expect("advice");
    let (advice, _) = advice.split_once(", then commit it").expect("advice");
    scene.paste(advice).assert_ok();
    assert!(!scene.path("pwned").exists(), "{advice}");
    assert!(!scene.read("hostile/.gitmodules").contains("ghs_a"), "{advice}");
}

/// A repository of that name, and the host that tokens in it are for.
fn one(scene: &Scene, lines: &[(&str, &str)]) -> String {
    scene.home.git(&["init", "--quiet", "rigs/one"]).assert_ok();
    for (key, value) in lines {
        scene.home.git_in("rigs/one", &["config", "--add", key, value]).assert_ok();
    }
    scene.read("rigs/one/.git/config")
}

#[test]
fn every_url_loses_its_token() {
    for git in Git::all() {
        let scene = Scene::alone(&git);
        let url = "https://x:ghs_sentinel@git.example/acme/app.git";
        let keys = [
            "remote.origin.url",
            "remote.origin.pushurl",
            "remote.origin.lfsurl",
            "remote.pushDefault",
            "branch.main.remote",
            "branch.main.pushRemote",
            "lfs.url",
            "lfs.pushurl",
            "submodule.x.url",
        ];
        one(&scene, &keys.map(|key| (key, url)));
        let second = "https://y:ghs_sentinel@git.example/acme/app.git";
        scene.home.git_in("rigs/one", &["config", "--add", "lfs.url", second]).assert_ok();
        scene.setup(&["--migrate", "rigs"]).assert_ok();
        let config = scene.read("rigs/one/.git/config");
        assert!(!config.contains("ghs_sentinel"), "{config}");
        assert_eq!(config.matches("https://git.example/acme/app.git").count(), 9, "{config}");
    }
}

#[test]
fn token_stays_where_git_would_not_ask_this_helper() {
    for git in Git::all() {
        let mut scene = Scene::alone(&git);
        scene.home.set("GITLAB_TOKEN", "glpat-other");
        let ours = "https://x:ghs_sentinel@git.example/a.git";
        let gitlab = "https://oauth2:glpat-sentinel@gitlab.com/a.git";
        let stays = |scene: &Scene, arguments: &[&str], token: &str| {
            let ran = scene.setup(arguments);
            let why = "carries a token and stays: git";
            assert!(ran.assert_fails().stdout.contains(why), "{ran:?}");
            assert!(!format!("{ran:?}").contains(token), "{ran:?}");
            assert!(scene.read("rigs/one/.git/config").contains(token), "{ran:?}");
            let line = ran.stdout.lines().find(|line| line.contains("FAILED"));
            line.and_then(|line| line.split_once("run: "))
                .map_or("", |(_, advice)| advice)
                .to_owned()
        };
        one(&scene, &[("remote.origin.url", gitlab), ("remote.other.url", ours)]);
        stays(&scene, &["--file", "mine", "--migrate", "rigs"], "ghs_sentinel");
        stays(&scene, &["--file", "mine", "--migrate", "rigs"], "glpat-sentinel");
        scene.setup(&["--undo"]).assert_ok();
        let local = [("credential.helper", ""), ("credential.helper", "cache")];
        for helper in &local {
            one(&scene, std::slice::from_ref(helper));
            stays(&scene, &["--migrate", "rigs"], "ghs_sentinel");
        }
        // What the repository says goes before what the user says, so that is where to change it.
        let advice = stays(&scene, &["--migrate", "rigs"], "ghs_sentinel");
        scene.paste(&advice).assert_ok();
        scene.setup(&["--migrate", "rigs"]).assert_ok();
        let config = scene.read("rigs/one/.git/config");
        assert!(!config.contains("sentinel"), "setup serves GitLab now: {config}");
    }
}

#[test]
fn store_helper_stays_where_it_is_all_there_is() {
    let scene = Scene::alone(&Git::newest());
    let before = one(&scene, &[("credential.helper", "store")]);
    let ran = scene.setup(&["--file", "mine", "--migrate", "rigs"]);
    assert!(
        ran.assert_fails()
            .stdout
            .contains("credential.helper = store hands out old tokens and stays"),
        "{ran:?}"
    );
    assert_eq!(scene.read("rigs/one/.git/config"), before);
}

#[test]
fn every_form_of_store_is_removed_for_parts_of_the_host_too() {
    let scene = Scene::alone(&Git::newest());
    one(
        &scene,
        &[
            ("credential.https://git.example/acme.helper", "store"),
            ("credential.https://me@git.example.helper", "store --file /x"),
            ("credential.https://git.example.helper", "!git credential-store"),
            ("credential.helper", "/usr/lib/git-core/git-credential-store"),
            ("credential.https://elsewhere.example/acme.helper", "store"),
            // It would hide this helper once those after it are gone.
            ("credential.https://git.example/other.helper", ""),
            ("credential.https://git.example/other.helper", "store"),
        ],
    );
    scene.setup(&["--migrate", "rigs"]).assert_ok();
    let listed = scene.home.git_in("rigs/one", &["config", "--local", "--get-regexp", "helper"]);
    assert_eq!(listed.stdout, "credential.https://elsewhere.example/acme.helper store\n");
}

#[test]
fn token_in_another_file_or_in_a_name_is_reported_with_its_place_and_no_other() {
    let scene = Scene::alone(&Git::newest());
    let key = "url.https://x:ghs_sentinel@git.example/.insteadOf";
    scene.home.git(&["config", "--global", key, "https://git.example/"]).assert_ok();
    one(&scene, &[("include.path", "../../../included"), (key, "https://git.example/")]);
    scene.write("included", "[lfs]\n\turl = https://x:ghs_sentinel@git.example/a\n");
    let ran = scene.setup(&["--migrate", "rigs"]);
    let said = &ran.assert_fails().stdout;
    assert!(
        said.contains("/.gitconfig`: url.https://[redacted]@git.example/.insteadof carries"),
        "{ran:?}"
    );
    assert!(said.contains("/included`: lfs.url carries a token"), "{ran:?}");
    assert!(
        said.contains("/config`: url.https://[redacted]@git.example/.insteadof carries"),
        "{ran:?}"
    );
    assert!(!said.contains("took") && !format!("{ran:?}").contains("ghs_sentinel"), "{ran:?}");
}

#[test]
fn url_that_is_not_utf8_is_reported_and_left_as_it_is() {
    let scene = Scene::alone(&Git::newest());
    one(&scene, &[("remote.origin.url", "https://x:ghs_sentinel@git.example/a.git")]);
    let path = scene.path("rigs/one/.git/config");
    let mut before = fs::read(&path).unwrap();
    let at = before.windows(5).position(|part| part == b"a.git").unwrap();
    before[at] = 0xff;
    fs::write(&path, &before).unwrap();
    let modules = b"[submodule \"x\"]\n\turl = https://x:ghs_sentinel@git.example/\xff\n";
    fs::write(scene.path("rigs/one/.gitmodules"), modules).unwrap();
    let ran = scene.setup(&["--migrate", "rigs"]);
    assert_eq!(ran.assert_fails().stdout.matches("not UTF-8").count(), 2, "{ran:?}");
    assert!(ran.stdout.contains(".gitmodules --edit"), "{ran:?}");
    assert!(!ran.stdout.contains("took"), "{ran:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn undone_migration_brings_the_helpers_back_and_no_token() {
    for git in Git::all() {
        let scene = Scene::alone(&git);
        let url = "https://x:ghs_sentinel@git.example/a.git";
        let lines = [
            ("credential.helper", ""),
            ("credential.helper", "store --file=/x"),
            ("remote.origin.url", url),
            ("credential.https://git.example.helper", "store"),
        ];
        let before = one(&scene, &lines);
        scene.setup(&["--migrate", "rigs"]).assert_ok();
        scene.setup(&["--undo", "--migrate", "rigs"]).assert_ok();
        let after = scene.read("rigs/one/.git/config");
        assert_eq!(after, before.replace("x:ghs_sentinel@", ""));
        let again = scene.setup(&["--undo", "--migrate", "rigs"]);
        assert!(again.assert_ok().stdout.contains("nothing to undo"), "{again:?}");

        scene.setup(&["--migrate", "rigs"]).assert_ok();
        scene.home.git_in("rigs/one", &["config", "user.name", "x"]).assert_ok();
        scene.setup(&["--undo", "--migrate", "rigs/one"]).assert_ok();
        let helpers = ["config", "--local", "--get-regexp", "helper|name"];
        let listed = scene.home.git_in("rigs/one", &helpers).stdout;
        assert!(listed.contains("store --file=/x") && listed.contains("name x"), "{listed}");
        for (path, text) in scene.snapshot() {
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains("ghs_sentinel"), "{path:?}");
        }
    }
}

#[test]
fn one_failure_stops_no_other_and_each_names_a_command_that_works_where_it_is_pasted() {
    let mut scene = Scene::alone(&Git::newest());
    scene.home.set("GIT_CONFIG_COUNT", "1");
    scene.home.set("GIT_CONFIG_KEY_0", "lfs.url");
    scene.home.set("GIT_CONFIG_VALUE_0", "https://x:ghs_sentinel@git.example/a");
    let included = "[include]\n\tpath = /dev/zero\n";
    one(&scene, &[("include.path", "../../../included"), ("credential.helper", "")]);
    scene.write("included", "[lfs]\n\turl = https://x:ghs_sentinel@git.example/a\n");
    for name in ["pipe", "broken", "lost", "locked", "linked", "usual"] {
        scene.home.git(&["init", "--quiet", &format!("rigs/{name}")]).assert_ok();
    }
    let url = "https://x:ghs_sentinel@git.example/a.git";
    for name in ["locked", "usual"] {
        let add = ["remote", "add", "origin", url];
        scene.home.git_in(format!("rigs/{name}"), &add).assert_ok();
    }
    scene.write("rigs/pipe/.git/config", included);
    scene.write("rigs/broken/.git/HEAD", "");
    scene.write("rigs/locked/.git/config.lock", "");
    fs::remove_dir_all(scene.path("rigs/lost/.git")).unwrap();
    scene.write("rigs/lost/.git", "gitdir: /nowhere\n");
    fs::rename(scene.path("rigs/linked/.git/config"), scene.path("elsewhere")).unwrap();
    symlink(scene.path("elsewhere"), scene.path("rigs/linked/.git/config")).unwrap();
    scene.write("rigs/.gitmodules", &format!("[submodule \"x\"]\n\turl = {url}\n"));
    let ran = scene.setup(&["--migrate", "rigs"]);
    assert!(!format!("{:?}", ran.assert_fails()).contains("ghs_sentinel"), "{ran:?}");
    assert!(ran.stdout.contains("changed 1 files"), "those that can be changed are: {ran:?}");
    assert!(scene.read("rigs/locked/.git/config").contains("ghs_sentinel"));
    let failures: Vec<_> = ran.stdout.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert_eq!(failures.len(), 8, "{ran:?}");
    for line in failures {
        let (_, advice) = line.rsplit_once("run: ").unwrap_or_else(|| panic!("{line}"));
        let pasted = scene.paste(advice.split_once(", then").map_or(advice, |(first, _)| first));
        // What is asked is why git takes this for no repository.
        assert!(pasted.code == 0 || line.contains("to see why"), "{line}\n{pasted:?}");
    }
}

#[test]
fn old_tokens_are_named_without_a_command_that_deletes() {
    let scene = Scene::alone(&Git::newest());
    scene.write("id_ed25519", "a key");
    let store = format!("store --file={}", scene.path("id_ed25519").display());
    one(&scene, &[("credential.helper", &store)]);
    let ran = scene.setup(&["--migrate", "rigs"]);
    assert!(ran.assert_ok().stdout.contains("id_ed25519"), "{ran:?}");
    assert!(!ran.stdout.contains("rm "), "{ran:?}");
}
