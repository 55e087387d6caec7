use super::*;

#[test]
fn without_setup_a_push_fails_and_setup_fixes_it() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        fs::remove_file(scene.path(".gitconfig")).unwrap();
        let found = scene.diagnose(&[]);
        let setup = "git credential-gastown setup";
        found.says_of_a_push(None).finds("fail", "helpers", "asks no helper", setup);
        scene.shell(setup);
        scene.diagnose(&[]).says_of_a_push(Some(true));
    }
}

#[test]
fn the_old_way_is_found_and_what_is_named_fixes_it() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let token = scene.town.worker.token_for("rig-1");
        let url = scene.town.github.url_with(REPOSITORY, &token);
        scene.git(&["remote", "set-url", "origin", &url]);
        scene.git(&["config", "credential.helper", "store --file=/tmp/.git-credentials-gone"]);
        let found = scene.diagnose(&[]);
        let fix = "git credential-gastown setup --migrate .";
        found.says_of_a_push(None).finds("fail", "url-token", "remote.origin.url (", fix);
        found.finds("warn", "helpers", "writes every token to a file", fix);
        scene.shell(fix);
        let found = scene.diagnose(&[]);
        found.says_of_a_push(Some(true)).finds("ok", "remotes", "remote.origin.url is http://", "");
    }
}

#[test]
fn helpers_around_ours_are_told_once_for_all_hosts_and_the_command_removes_them() {
    let mut scene = Scene::newest();
    let hosts = format!("{},https://git.example", scene.host());
    scene.home.set("GASTOWN_GIT_HOSTS", &hosts);
    fs::remove_file(scene.path(".gitconfig")).unwrap();
    let global = |key: &str, value: &str| {
        scene.home.git(&["config", "--global", "--add", key, value]).assert_ok();
    };
    global("credential.helper", "store");
    global("credential.helper", HELPER);
    global("credential.helper", "store --file /x");
    let both = format!("(for {}, https://git.example)", scene.host());
    let file = scene.path(".gitconfig").display().to_string();
    let fix = format!("git config --file {file} --unset-all credential.helper '(^|/|-)store( |$)'");
    let found = scene.diagnose(&[]);
    found.finds("fail", "helpers", "first asks `store` (credential.helper in file:", &fix);
    found.finds("warn", "helpers", &both, &fix);
    assert_eq!(found.problems().len(), 2, "{:?}", found.ran);
    scene.shell(&fix);
    assert!(scene.diagnose(&[]).says_of_a_push(Some(true)).problems().is_empty());

    fs::remove_file(scene.path(".gitconfig")).unwrap();
    global("credential.helper", "cache");
    scene.diagnose(&[]).finds("fail", "helpers", "`cache` (credential.helper in", "setup");
    global("credential.helper", HELPER);
    scene.diagnose(&[]).finds_only("warn", "helpers", "git first asks `cache`", "setup");
    let path = format!("credential.{}/acme.helper", scene.host());
    scene.git(&["config", &path, "store"]);
    scene.diagnose(&[]).finds("warn", "helpers", &path[..20], "--migrate .");
}

#[test]
fn a_program_that_has_gone_is_told() {
    let scene = Scene::newest();
    let gone = "/gone/git-credential-gastown";
    let key = format!("credential.{}.helper", scene.host());
    scene.home.git(&["config", "--global", "--replace-all", &key, gone]).assert_ok();
    scene.diagnose(&[]).finds_only("fail", "helpers", "cannot be run", "setup");
}

#[test]
fn a_header_of_its_own_is_told_and_what_is_named_removes_it() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let key = format!("http.{}/acme/.extraHeader", scene.host());
        scene.git(&["config", &key, "AUTHORIZATION: basic c2VudGluZWw="]);
        let found = scene.diagnose(&[]);
        let fix = format!("git config --local --unset-all {}", key.replace("H", "h"));
        found.finds("fail", "extra-header", "a credential of its own", &fix);
        assert!(!found.ran.stdout.contains("c2VudGluZWw"), "{:?}", found.ran);
        scene.shell(&fix);
        scene.diagnose(&[]).says_of_a_push(Some(true));
    }
}

#[test]
fn tokens_in_any_url_are_told_with_the_file_to_edit() {
    let scene = Scene::newest();
    let url = scene.town.github.url_with(REPOSITORY, "ghs_sentinel");
    let base = format!("url.http://x:ghs_sentinel@{}/.insteadOf", scene.town.github.host());
    let foreign = "https://x:sentinel@git.example/a".to_owned();
    for (key, value, status, fix) in [
        (&*base, "gh:", "fail", "git config --local --edit"),
        ("lfs.url", &*url, "fail", "git credential-gastown setup --migrate ."),
        ("remote.pushDefault", &*url, "fail", "setup --migrate ."),
        ("remote.other.url", &*foreign, "warn", "git config --local --edit"),
    ] {
        scene.git(&["config", key, value]);
        let found = scene.diagnose(&[]);
        found.finds(status, "url-token", "has a token in it", fix);
        assert!(!found.ran.stdout.contains("sentinel"), "{:?}", found.ran);
        scene.git(&["config", "--unset", key]);
    }
    scene.home.git(&["config", "--global", "lfs.url", &url]).assert_ok();
    scene.diagnose(&[]).finds("fail", "url-token", "lfs.url", "git config --file /");
}

#[test]
fn rewritten_urls_fixed_users_and_remotes_elsewhere_are_told() {
    let scene = Scene::newest();
    scene.git(&["remote", "add", "other", "https://gitlab.example/acme/app.git"]);
    scene.git(&["config", "credential.username", "alice"]);
    let found = scene.diagnose(&[]);
    found.finds("warn", "username", "for one user", "--local --unset-all credential.username");
    let fix = format!("setup --host {} --host https://gitlab.example", scene.host());
    found.finds("warn", "remotes", "does not answer for https://gitlab.example", &fix);
    scene.git(&["config", "url.git@github.com:.insteadOf", &format!("{}/", scene.host())]);
    let found = scene.diagnose(&[]);
    let fix = "git config --local --unset-all url.git@github.com:.insteadof";
    found.says_of_a_push(None).finds("warn", "rewriting", "not asked", fix);
}

#[test]
fn an_included_file_is_named_and_edited() {
    let scene = Scene::newest();
    fs::rename(scene.path(".gitconfig"), scene.path("included")).unwrap();
    fs::write(scene.path(".gitconfig"), "[include]\n\tpath = included\n").unwrap();
    scene.diagnose(&[]).finds("ok", "helpers", "/included)", "");
    let included = scene.path("included");
    let key = "credential.username";
    scene.home.git(&["config", "--file", included.to_str().unwrap(), key, "me"]).assert_ok();
    let fix = format!("git config --file {} --unset-all {key}", included.display());
    scene.diagnose(&[]).finds_only("warn", "username", "/included", &fix);
    scene.shell(&fix);
    assert!(scene.diagnose(&[]).problems().is_empty());
}
