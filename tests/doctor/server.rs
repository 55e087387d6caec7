use super::*;

#[test]
fn a_revoked_token_never_reads_as_a_push_that_would_succeed() {
    for scene in Scene::each_in_order() {
        scene.worker.ignores_revocations(true);
        scene.github.revoke_all();
        let refused = scene.diagnose(&[]);
        let fix = "git credential-gastown refresh";
        refused.says_of_a_push(Some(false)).finds("fail", "fetch", "rejects the token", fix);
        refused.has_error("token-rejected");
        assert!(!scene.doctor(&[]).stdout.contains("would succeed"));
    }
}

#[test]
fn a_rejected_token_of_a_setting_is_not_the_workers_to_renew() {
    let mut scene = Scene::in_order();
    scene.home.set("GITLAB_INSTANCE_URL", &scene.host).set("GITLAB_TOKEN", "glpat-dead");
    let refused = scene.diagnose(&[]);
    let fix = "unset GITLAB_TOKEN";
    refused.says_of_a_push(Some(false)).finds("fail", "fetch", "rejects the token", fix);
}

#[test]
fn a_revoked_token_that_the_worker_replaces_costs_no_push() {
    for scene in Scene::each_in_order() {
        // In its first minute a refused token is tried again.
        scene.let_pass(A_WHILE);
        scene.github.revoke_all();
        scene.diagnose(&[]).says_of_a_push(Some(true));
    }
}

/// The worker had no other token when git asked, and git will not have it asked again so soon.
#[test]
fn a_new_token_that_doctor_is_given_is_kept() {
    let scene = Scene::in_order();
    scene.let_pass(A_WHILE);
    scene.worker.ignores_revocations(true);
    scene.github.revoke_all();
    assert_ne!(scene.home.git_in("app", &["ls-remote"]).code, 0);
    scene.worker.ignores_revocations(false);
    scene.diagnose(&[]).says_of_a_push(Some(true));
    scene.git(&["ls-remote"]);
}

#[test]
fn a_token_of_another_helper_is_not_called_ours() {
    let scene = Scene::in_order();
    let key = format!("credential.{}.helper", scene.host);
    let script = "!f() { echo username=u; echo password=other-helpers; }; f";
    fs::remove_file(scene.path(".gitconfig")).unwrap();
    for helper in [script, HELPER] {
        scene.home.git(&["config", "--global", "--add", &key, helper]).assert_ok();
    }
    let found = scene.diagnose(&[]);
    found.says_of_a_push(Some(false)).finds("fail", "fetch", "that another helper gave git", "");
    for finding in found.problems() {
        let fix = finding["fix"].as_str().unwrap();
        if fix.starts_with("git config") {
            scene.paste_fix(fix);
        }
    }
}

#[test]
fn what_the_server_does_not_allow_is_reported() {
    for scene in Scene::each_in_order() {
        scene.github.forbid_pushes(REPOSITORY);
        let found = scene.diagnose(&[]);
        found.says_of_a_push(Some(false)).finds("ok", "fetch", "lets git fetch", "");
        found.finds("fail", "push", "(403)", "Contents: read and write");
        scene.git(&["remote", "set-url", "origin", &scene.github.url("acme/missing")]);
        let found = scene.diagnose(&[]);
        let fix = "git remote get-url origin";
        found.says_of_a_push(Some(false)).finds("fail", "fetch", "has no such repository", fix);
    }
}

#[test]
fn a_remote_that_is_not_ours_is_not_asked_and_nothing_is_said_of_a_push() {
    let scene = Scene::in_order();
    let url = scene.github.url(REPOSITORY);
    for (key, value, status, check, what) in [
        ("remote.origin.url", "git@github.com:a/b.git", "ok", "remotes", "asks no helper"),
        ("remote.origin.url", "ext::touch pwned", "ok", "remotes", "asks no helper"),
        ("remote.origin.url", "https://git.example/a", "warn", "remotes", "git asks no helper for"),
    ] {
        scene.git(&["config", key, value]);
        scene.diagnose(&[]).says_of_a_push(None).finds(status, check, what, "");
        let told = scene.doctor(&[]).stdout;
        assert!(told.ends_with("for origin, so its server was not asked\n"), "{told}");
        scene.git(&["config", "--unset", key]);
        scene.git(&["config", "remote.origin.url", &url]);
    }
    assert!(!scene.path("app/pwned").exists());
}

#[test]
fn of_a_remote_that_is_ours_in_one_direction_that_direction_is_asked() {
    let scene = Scene::in_order();
    let url = scene.github.url(REPOSITORY);
    let elsewhere = "for a push git does not ask this helper";
    for (key, value) in [
        ("remote.origin.pushurl", "ssh://git@host/a"),
        ("url.git@host:.pushInsteadOf", &scene.host),
    ] {
        scene.git(&["config", key, value]);
        let found = scene.diagnose(&[]);
        found.says_of_a_push(None).finds("ok", "fetch", "lets git fetch", "");
        scene.doctor(&[]).tells(elsewhere).tells("the server of origin lets git fetch");
        scene.git(&["config", "--unset", key]);
    }
    scene.git(&["config", "remote.origin.pushurl", &url]);
    scene.git(&["config", "remote.origin.url", "ssh://git@host/a"]);
    scene.diagnose(&[]).says_of_a_push(Some(true)).finds("ok", "push", "lets git push", "");
    scene.worker.ignores_revocations(true);
    scene.github.revoke_all();
    scene.diagnose(&[]).says_of_a_push(Some(false)).finds("fail", "push", "rejects the token", "");
    scene.git(&["config", "remote.origin.url", &url]);
    scene.git(&["config", "remote.origin.pushurl", "ssh://git@host/a"]);
    scene.diagnose(&[]).says_of_a_push(None).finds("fail", "fetch", "rejects the token", "");
    scene.doctor(&[]).tells("git cannot fetch from origin").tells(elsewhere);
}

#[test]
fn without_a_repository_it_says_what_git_would_be_given() {
    let scene = Scene::in_order();
    let told = scene.doctor_in(".", &[]);
    let said = format!(
        "git would be given a live token for {}; no server was asked, as there is no repository \
         here, or no remote in it that git would push to\n",
        scene.host
    );
    assert!(told.assert_ok().stdout.ends_with(&said), "{told:?}");
    Diagnosis::of(scene.doctor_in(".", &["--json"])).says_of_a_push(None);
}

/// What a repository's own configuration can bring along to every push.
#[test]
fn nothing_of_the_repository_runs_and_nothing_is_sent() {
    for scene in Scene::each_in_order() {
        let hook = ".git/hooks/pre-push";
        scene.paste_fix(&format!("echo '#!/bin/sh\ntouch pwned' > {hook}; chmod 755 {hook}"));
        scene.git(&["checkout", "--quiet", "--orphan", "without-a-commit"]);
        for (key, value) in [
            ("remote.origin.mirror", "true"),
            ("push.gpgSign", "true"),
            ("gpg.program", "touch pwned;"),
            ("push.recurseSubmodules", "on-demand"),
            ("push.negotiate", "true"),
            ("push.pushOption", "ci.skip"),
            ("core.askPass", "touch pwned;"),
            ("core.sshCommand", "touch pwned;"),
            ("core.fsmonitor", "touch pwned;"),
            ("core.editor", "touch pwned;"),
            ("core.pager", "touch pwned;"),
        ] {
            scene.git(&["config", key, value]);
        }
        let refs = scene.github.refs(REPOSITORY);
        scene.diagnose(&[]).says_of_a_push(Some(true));
        scene.git(&["config", "remote.origin.vcs", "pwned"]);
        scene.diagnose(&[]).says_of_a_push(Some(false)).finds("fail", "fetch", "not allowed", "");
        assert!(!scene.path("app/pwned").exists());
        assert_eq!(scene.github.refs(REPOSITORY), refs);
    }
}

#[test]
fn the_remote_is_the_one_that_git_would_push_to() {
    let scene = Scene::in_order();
    scene.git(&["remote", "add", "fork", &scene.github.url("acme/missing")]);
    scene.diagnose(&[]).says_of_a_push(Some(true));
    scene.git(&["config", "remote.pushDefault", "fork"]);
    scene.diagnose(&[]).says_of_a_push(Some(false)).finds("fail", "fetch", "fork", "");
    scene.git(&["config", "remote.pushDefault", &scene.github.url(REPOSITORY)]);
    scene.diagnose(&[]).says_of_a_push(Some(true)).finds("ok", "push", "http://", "");
}
