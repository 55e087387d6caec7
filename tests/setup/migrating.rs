//! Repositories cloned the old way.

use super::*;

/// Repositories as they were made the old way: a bare one with a worktree, a token in both of its
/// URLs, and a `store` helper in the configuration of the worktree; an ordinary clone, and one with
/// a submodule.
fn old_way(scene: &Scene, token: &str) {
    let url = scene.github.url_with(REPOSITORY, token);
    let line = format!("http://x-access-token:{token}@{}\n", scene.github.host());
    scene.write("stale-tokens", &line);
    // With configuration for each worktree, what only holds for the bare one has to stand in its
    // own.
    let script = format!(
        "set -e; git clone -q --bare {url} rigs/bare; cd rigs/bare
         git config remote.origin.pushurl {url}
         git config extensions.worktreeConfig true
         git config --unset core.bare
         git config --worktree core.bare true
         git worktree add -q ../worktree -b work
         cd ../worktree
         git config --worktree credential.helper \"store --file=$HOME/stale-tokens\"
         cd ..
         git clone -q {url} clone
         git -C clone config credential.helper 'store --file=/tmp/.git-credentials-gone'
         git init -q super
         git -C super submodule add -q {url} inner"
    );
    scene.paste(&script).assert_ok();
}

/// Below the home, without the directory for temporary files.
fn files_with(scene: &Scene, token: &str) -> Vec<PathBuf> {
    let has = |text: &[u8]| text.windows(token.len()).any(|part| part == token.as_bytes());
    let found = scene.snapshot().into_iter().filter(|(_, text)| has(text));
    found.map(|(path, _)| path).collect()
}

#[test]
fn the_push_that_fails_names_the_command_and_the_command_mends_it() {
    for scene in Scene::each_git() {
        let token = scene.worker.token_for("rig-1");
        old_way(&scene, &token);
        scene.setup(&[]).assert_ok();
        scene.home.commit("rigs/worktree", "file", b"content");
        scene.github.revoke_all();

        let push = || scene.home.git_in("rigs/worktree", &["push", "--quiet", "origin", "HEAD"]);
        let failed = push();
        failed.assert_fails().mentions("[embedded-token]");
        let named = "git credential-gastown setup --migrate .";
        failed.mentions(named);

        let mended = scene.setup_in("rigs/worktree", &["--migrate", "."]);
        mended.assert_ok().tells("remote.origin.pushurl");
        assert!(!format!("{mended:?}").contains(&token), "no token is shown");
        push().assert_ok();
    }
}

#[test]
fn every_repository_worktree_and_submodule_below_is_mended() {
    for scene in Scene::each_git() {
        let token = scene.worker.token_for("rig-1");
        old_way(&scene, &token);
        let before = scene.snapshot();
        let planned = scene.setup(&["--dry-run", "--migrate", "rigs"]);
        assert_eq!(scene.snapshot(), before);

        let ran = scene.setup(&["--migrate", "rigs"]);
        // The list of submodules is versioned: only a commit can change it.
        assert_eq!(ran.code, 1, "{ran:?}");
        ran.tells(".gitmodules");
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

        scene.github.revoke_all();
        scene.let_pass(A_WHILE);
        for directory in ["rigs/worktree", "rigs/clone", "rigs/super/inner"] {
            scene.home.commit(directory, "file", directory.as_bytes());
            let branch = format!("HEAD:refs/heads/{}", directory.replace('/', "-"));
            scene.home.git_in(directory, &["push", "--quiet", "origin", &branch]).assert_ok();
        }
        scene.setup(&["--migrate", "rigs"]).tells("changed 0");
    }
}

#[test]
fn advice_about_a_hostile_repository_does_what_it_says_and_nothing_else() {
    let scene = Scene::to_set_up(&Git::newest());
    scene.home.git(&["init", "--quiet", "hostile"]).assert_ok();
    let url = format!("http://me:ghs_a@{}/a.git;touch pwned", scene.github.host());
    let name = "x;touch pwned;$(touch pwned)`touch pwned`";
    for (file, section) in
        [(".gitmodules", format!("submodule \"{name}\"")), (".lfsconfig", "lfs".into())]
    {
        let path = format!("hostile/{file}");
        scene.write(&path, format!("[{section}]\n\turl = \"{url}\"\n"));
        let ran = scene.setup(&["--migrate", "hostile"]);
        let (_, advice) = ran.assert_fails().stdout.split_once("run: ").expect("advice");
        scene.paste(advice.lines().next().expect("a line")).assert_ok();
        assert!(!scene.path("pwned").exists(), "{advice}");
        assert!(!scene.read(&path).contains("ghs_a"), "{advice}");
    }
}

/// The repository `rigs/one`, and what is in its configuration.
fn one(scene: &Scene, lines: &[(&str, &str)]) -> String {
    scene.repository("rigs/one", lines);
    scene.read("rigs/one/.git/config")
}

#[test]
fn every_url_of_ours_loses_its_token() {
    for scene in Scene::each_git_alone() {
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
        let foreign = "https://alice:stays@gitlab.example/acme/app.git";
        let with_port = "https://x:ghs_sentinel@git.example:443/acme/app.git";
        let others = [("remote.foreign.url", foreign), ("remote.port.url", with_port)];
        one(&scene, &[&[("lfs.url", second)], &others[..]].concat());
        scene.setup(&["--migrate", "rigs"]).assert_ok();
        let config = scene.read("rigs/one/.git/config");
        assert!(!config.contains("ghs_sentinel") && config.contains(foreign), "{config}");
        assert_eq!(config.matches("https://git.example/acme/app.git").count(), 9, "{config}");
    }
}

#[test]
fn token_stays_where_git_would_not_ask_this_helper() {
    for mut scene in Scene::each_git_alone() {
        scene.home.set("GITLAB_TOKEN", "glpat-other");
        let gitlab = "https://oauth2:glpat-sentinel@gitlab.com/a.git";
        let stays = |scene: &Scene, arguments: &[&str], token: &str| {
            let ran = scene.setup(&[arguments, &["--migrate", "rigs"]].concat());
            ran.assert_fails().tells("carries a token and stays: git");
            assert!(!format!("{ran:?}").contains(token), "{ran:?}");
            assert!(scene.read("rigs/one/.git/config").contains(token), "{ran:?}");
            ran.stdout.split_once("run: ").map(|(_, advice)| advice.to_owned()).expect("advice")
        };
        one(&scene, &[("remote.origin.url", gitlab), ("remote.other.url", TOKEN_URL)]);
        stays(&scene, &["--file", "mine"], "ghs_sentinel");
        stays(&scene, &["--file", "mine"], "glpat-sentinel");
        scene.setup(&["--undo"]).assert_ok();
        for helper in ["", "cache", "store"] {
            one(&scene, &[("credential.helper", helper)]);
            stays(&scene, &[], "ghs_sentinel");
        }
        // What the repository says goes before what the user says, so that is where to change it.
        let advice = stays(&scene, &[], "ghs_sentinel");
        scene.paste(advice.lines().next().unwrap()).assert_ok();
        scene.setup(&["--migrate", "rigs"]).assert_ok();
        let config = scene.read("rigs/one/.git/config");
        assert!(!config.contains("sentinel"), "setup serves GitLab now: {config}");
    }
}

#[test]
fn every_form_of_store_is_removed_for_parts_of_the_host_too() {
    let scene = Scene::alone();
    scene.write("id_ed25519", "a key");
    scene.write("old", "https://me:ghs_sentinel@git.example\n");
    let lines = [
        ("credential.https://git.example/acme.helper", "store"),
        ("credential.https://me@git.example.helper", "store --file=id_ed25519"),
        ("credential.https://git.example.helper", "!git credential-store --file old"),
        ("credential.helper", "/usr/lib/git-core/git-credential-store"),
        ("credential.https://elsewhere.example/acme.helper", "store"),
        // It would hide this helper once those after it are gone.
        ("credential.https://git.example/other.helper", ""),
        ("credential.https://git.example/other.helper", "store"),
    ];
    one(&scene, &lines);
    let ran = scene.setup(&["--migrate", "rigs"]);
    // A stranger may have written those names, to have the files deleted.
    ran.assert_ok().never_tells("rm ");
    let listed = scene.home.git_in("rigs/one", &["config", "--local", "--get-regexp", "helper"]);
    assert_eq!(listed.stdout, "credential.https://elsewhere.example/acme.helper store\n");
}

#[test]
fn token_in_another_file_or_in_a_name_is_reported_with_its_place_and_no_other() {
    let scene = Scene::alone();
    let key = "url.https://x:ghs_sentinel@git.example/.insteadOf";
    scene.home.git(&["config", "--global", key, "https://git.example/"]).assert_ok();
    one(&scene, &[("include.path", "../../../included"), (key, "https://git.example/")]);
    scene.write("included", format!("[lfs]\n\turl = {TOKEN_URL}\n"));
    let ran = scene.setup(&["--migrate", "rigs"]);
    for place in [".gitconfig", "config"] {
        let shown = "url.https://[redacted]@git.example/.insteadof";
        ran.tells(&format!("/{place}`: {shown} carries a token in its name"));
    }
    ran.assert_fails().tells("/included`: lfs.url carries a token").never_tells("took");
    assert!(!format!("{ran:?}").contains("ghs_sentinel"), "{ran:?}");
}

#[test]
fn url_that_is_not_utf8_is_reported_and_left_as_it_is() {
    let scene = Scene::alone();
    let path = scene.repository("rigs/one", &[]);
    let config = |section: &str| [section, "\turl = ", TOKEN_URL].concat().into_bytes();
    let before = [config("[remote \"origin\"]\n"), b"\xff\n".to_vec()].concat();
    fs::write(&path, [fs::read(&path).unwrap(), before.clone()].concat()).unwrap();
    let modules = [config("[submodule \"x\"]\n"), b"\xff\n".to_vec()].concat();
    scene.write("rigs/one/.gitmodules", modules);
    let ran = scene.setup(&["--migrate", "rigs"]);
    assert_eq!(ran.assert_fails().stdout.matches("not UTF-8").count(), 2, "{ran:?}");
    ran.tells(".gitmodules --edit").never_tells("took");
    assert!(fs::read(&path).unwrap().ends_with(&before));
}

#[test]
fn undone_migration_brings_the_helpers_back_and_no_token() {
    for scene in Scene::each_git_alone() {
        let lines = [
            ("credential.helper", ""),
            ("credential.helper", "store --file=/x"),
            ("remote.origin.url", TOKEN_URL),
            ("credential.https://git.example.helper", "store"),
        ];
        let before = one(&scene, &lines);
        scene.setup(&["--migrate", "rigs"]).assert_ok();
        scene.setup(&["--undo", "--migrate", "rigs"]).assert_ok();
        let after = scene.read("rigs/one/.git/config");
        assert_eq!(after, before.replace("x:ghs_sentinel@", ""));
        scene.setup(&["--undo", "--migrate", "rigs"]).assert_ok().tells("nothing to undo");

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
fn undo_stays_exact_if_others_change_the_file_during_a_migration() {
    let mut scene = Scene::alone();
    let git = scene.paste("command -v git").stdout.trim_end().to_owned();
    let before = one(&scene, &[("credential.helper", ""), ("credential.helper", "store")]);
    let line = "[user]\n\tname = x\n";
    // Once, while setup has the file changed.
    let script = format!(
        "case \"$*\" in *--unset-all*) [ -e ~/done ] || printf '{line}' >>~/rigs/one/.git/config
         touch ~/done ;; esac; exec {git} \"$@\""
    );
    scene.script("bin/git", &script);
    let bin = scene.path("bin");
    scene.home.put_on_path(&bin);
    scene.setup(&["--migrate", "rigs"]).assert_ok();
    assert!(scene.path("done").exists() && is_clear(&scene.path("rigs/one/.git/config")));
    scene.setup(&["--undo", "--migrate", "rigs"]).assert_ok();
    assert_eq!(scene.read("rigs/one/.git/config"), before + line);
}

#[test]
fn one_failure_stops_no_other_and_each_names_a_command_that_works_where_it_is_pasted() {
    let mut scene = Scene::alone();
    scene.home.set("GIT_CONFIG_COUNT", "1").set("GIT_CONFIG_KEY_0", "lfs.url");
    scene.home.set("GIT_CONFIG_VALUE_0", TOKEN_URL);
    let included = "[include]\n\tpath = /dev/zero\n";
    one(&scene, &[("include.path", "../../../included"), ("credential.helper", "")]);
    scene.write("included", format!("[lfs]\n\turl = {TOKEN_URL}\n"));
    for name in ["pipe", "broken", "lost", "linked"] {
        scene.repository(&format!("rigs/{name}"), &[]);
    }
    for name in ["locked", "usual"] {
        scene.repository(&format!("rigs/{name}"), &[("remote.origin.url", TOKEN_URL)]);
    }
    scene.write("rigs/pipe/.git/config", included);
    scene.write("rigs/broken/.git/HEAD", "");
    scene.write("rigs/locked/.git/config.lock", "");
    fs::remove_dir_all(scene.path("rigs/lost/.git")).unwrap();
    scene.write("rigs/lost/.git", "gitdir: /nowhere\n");
    fs::rename(scene.path("rigs/linked/.git/config"), scene.path("elsewhere")).unwrap();
    symlink(scene.path("elsewhere"), scene.path("rigs/linked/.git/config")).unwrap();
    scene.write("rigs/.gitmodules", format!("[submodule \"x\"]\n\turl = {TOKEN_URL}\n"));
    let ran = scene.setup(&["--migrate", "rigs"]);
    assert!(!format!("{:?}", ran.assert_fails()).contains("ghs_sentinel"), "{ran:?}");
    assert!(ran.stdout.contains("changed 1 file"), "those that can be changed are: {ran:?}");
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
