use super::*;

#[test]
fn without_setup_a_push_fails_and_setup_mends_it() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        fs::remove_file(scene.path(".gitconfig")).unwrap();
        let found = scene.diagnose(&[]);
        found.fails().finds("helpers", "fail", "asks no helper", "git credential-gastown setup");
        found.finds("git credential fill", "fail", "no credential", "");
        scene.home.helper(&["setup"], "").assert_ok();
        scene.diagnose(&[]).succeeds();
    }
}

#[test]
fn the_old_way_is_found_and_what_is_named_mends_it() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let token = scene.town.worker.token_for("rig-1");
        let url = scene.town.github.url_with(REPOSITORY, &token);
        scene.git(&["remote", "set-url", "origin", &url]);
        scene.git(&["config", "credential.helper", "store --file=/tmp/.git-credentials-gone"]);
        let found = scene.diagnose(&[]);
        found.fails().finds("remotes", "fail", "with a token in it", "setup --migrate .");
        found.finds("helpers", "warn", "writes every token of ours", "setup --migrate .");
        let mut mend = scene.home.command(HELPER);
        mend.args(["setup", "--migrate", "."]).current_dir(scene.path("app"));
        Ran::run(mend, b"").assert_ok();
        let diagnosis = scene.diagnose(&[]);
        diagnosis.succeeds().finds("remotes", "ok", "remote.origin.url is http://", "");
    }
}

#[test]
fn a_store_helper_before_ours_or_behind_it_is_told() {
    let scene = Scene::newest();
    fs::remove_file(scene.path(".gitconfig")).unwrap();
    let global = |key: &str, value: &str| {
        scene.home.git(&["config", "--global", "--add", key, value]).assert_ok();
    };
    global("credential.helper", "store");
    global("credential.helper", HELPER);
    let found = scene.diagnose(&[]);
    found.fails().finds("helpers", "fail", "stale tokens", "git config --global --unset-all");
    fs::remove_file(scene.path(".gitconfig")).unwrap();
    global("credential.helper", "cache");
    scene.diagnose(&[]).fails().finds("helpers", "fail", "not among them", "setup");
    global("credential.helper", HELPER);
    scene.diagnose(&[]).succeeds().finds("helpers", "warn", "asked before ours", "setup");
}

#[test]
fn a_program_that_has_gone_is_told() {
    let scene = Scene::newest();
    let gone = "/gone/git-credential-gastown";
    let key = format!("credential.{}.helper", scene.host());
    scene.home.git(&["config", "--global", "--replace-all", &key, gone]).assert_ok();
    scene.diagnose(&[]).fails().finds("helpers", "fail", "cannot be run", "setup");
}

#[test]
fn a_header_of_its_own_is_told_and_what_is_named_removes_it() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let key = format!("http.{}/.extraHeader", scene.host());
        let value = "AUTHORIZATION: basic c2VudGluZWw=";
        scene.git(&["config", &key, value]);
        let found = scene.diagnose(&[]);
        let mend = format!("git config --local --unset-all {}", key.replace("H", "h"));
        found.fails().finds("http.extraHeader", "fail", "a credential of its own", &mend);
        assert!(!found.ran.stdout.contains("c2VudGluZWw"), "{:?}", found.ran);
        let mut shell = scene.home.command("/bin/sh");
        shell.args(["-c", &mend]).current_dir(scene.path("app"));
        Ran::run(shell, b"").assert_ok();
        scene.diagnose(&[]).succeeds();
    }
}

#[test]
fn rewritten_urls_are_told() {
    let scene = Scene::newest();
    let host = scene.host();
    scene.git(&["config", "url.git@github.com:.insteadOf", &format!("{host}/")]);
    let found = scene.diagnose(&[]);
    found.succeeds().finds(
        "insteadOf",
        "warn",
        "leads elsewhere",
        "git config --local --unset-all",
    );
    let key = format!("url.http://x:ghs_sentinel@{}/.insteadOf", scene.town.github.host());
    scene.git(&["config", &key, "gh:"]);
    let found = scene.diagnose(&[]);
    found.fails().finds("insteadOf", "fail", "brings a token", "git config --local --edit");
    assert!(!found.ran.stdout.contains("ghs_sentinel"), "{:?}", found.ran);
}

#[test]
fn a_fixed_user_and_a_remote_elsewhere_are_told() {
    let scene = Scene::newest();
    scene.git(&["config", "credential.username", "alice"]);
    scene.git(&["remote", "add", "other", "https://gitlab.example/acme/app.git"]);
    scene.git(&["remote", "add", "ssh", "git@github.com:acme/app.git"]);
    let found = scene.diagnose(&[]);
    found.finds("credential.username", "warn", "asks for one user", "git config --local");
    found.finds(
        "remotes",
        "warn",
        "does not answer for https://gitlab.example",
        "GASTOWN_GIT_HOSTS",
    );
    found.finds("remotes", "ok", "git asks no helper for it", "");
}

#[test]
fn an_included_file_is_named_as_the_origin() {
    let scene = Scene::newest();
    fs::rename(scene.path(".gitconfig"), scene.path("included")).unwrap();
    fs::write(scene.path(".gitconfig"), "[include]\n\tpath = included\n").unwrap();
    scene.diagnose(&[]).succeeds().finds("helpers", "ok", "included)", "");
}
