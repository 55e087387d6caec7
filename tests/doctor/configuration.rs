use super::*;

#[test]
fn each_line_that_gets_in_the_way_is_reported_and_the_fix_removes_it() {
    for mut scene in Scene::each_in_order() {
        // Where only a person can take a token out.
        scene.home.set("GIT_EDITOR", "sed -i /sentinel/d");
        let host = scene.github.host();
        // What a fix adds goes behind it, unless nothing is to be added.
        scene.paste_fix("git credential-gastown setup");
        let included = scene.write("included", "");
        let include = ["config", "--global", "include.path", included.to_str().unwrap()];
        scene.home.git(&include).assert_ok();
        for (key, value, status, check, what) in [
            ("credential.helper", "store --file=/x", "warn", "helpers", "writes every token"),
            ("credential.http://HOST/acme.helper", "store", "warn", "helpers", "writes every"),
            ("http.extraHeader", "AUTHORIZATION: sentinel", "fail", "extra-header", "sends a"),
            ("http.http://HOST/acme/.extraHeader", "Authorization: x", "fail", "extra-header", ""),
            ("url.ssh://sentinel@HOST/.insteadOf", "http://HOST/", "warn", "rewriting", "redacted"),
            ("credential.username", "alice", "warn", "username", "asks for one user only"),
            ("url.git@github.com:.insteadOf", "http://HOST/", "warn", "rewriting", "not asked"),
            ("url.ssh://git@HOST/.pushInsteadOf", "http://HOST/", "warn", "rewriting", "not asked"),
            ("url.http://x:ghs_sentinel@HOST/.insteadOf", "gh:", "fail", "url-token", "url.http"),
            ("lfs.url", "http://x:ghs_sentinel@HOST/a", "fail", "url-token", "lfs.url"),
            ("remote.pushDefault", "http://x:ghs_sentinel@HOST/a", "fail", "url-token", "remote.p"),
            ("remote.x.url", "https://x:sentinel@git.example/a", "warn", "url-token", "another"),
        ] {
            let [key, value] = [key, value].map(|text| text.replace("HOST", &host));
            for file in [".git/config", included.to_str().unwrap()] {
                scene.git(&["config", "--file", file, "--add", &key, &value]);
                let told = scene.is_fixed_by_its_fix(status, check, what);
                assert!(!told.contains("sentinel"), "{told}");
                // A URL stays, without its token.
                scene.home.git_in("app", &["config", "--file", file, "--unset-all", &key]);
            }
        }
        assert!(scene.diagnose(&[]).says_of_a_push(Some(true)).problems().is_empty());
    }
}

#[test]
fn token_in_a_url_that_is_not_text_is_to_be_edited_out() {
    let mut scene = Scene::in_order();
    scene.home.set("GIT_EDITOR", "sed -i /sentinel/d");
    let mut config = fs::read(scene.path("app/.git/config")).unwrap();
    let url = format!("[remote \"x\"]\n\turl = http://x:sentinel@{}/", scene.github.host());
    config.extend([url.as_bytes(), b"\xff\n"].concat());
    scene.write("app/.git/config", config);
    scene.diagnose(&[]).finds("fail", "url-token", "remote.x.url", "--edit");
    scene.is_fixed_by_its_fix("fail", "url-token", "remote.x.url");
}

#[test]
fn token_in_a_versioned_file_is_to_be_taken_out_and_committed() {
    for scene in Scene::each_in_order() {
        let url = scene.github.url_with(REPOSITORY, "ghs_sentinel");
        for (file, key, status) in
            [(".lfsconfig", "lfs.url", "fail"), (".gitmodules", "submodule.a.url", "warn")]
        {
            scene.git(&["config", "--file", file, key, &url]);
            let said = scene.is_fixed_by_its_fix(status, "url-token", &format!("{key} carries"));
            assert!(said.contains("commit the file") && !said.contains("sentinel"), "{said}");
        }
    }
}

#[test]
fn without_setup_or_its_program_setup_is_the_fix() {
    for scene in Scene::each_in_order() {
        fs::remove_file(scene.path(".gitconfig")).unwrap();
        scene.is_fixed_by_its_fix("fail", "helpers", "git asks no helper (for ");
        let key = format!("credential.{}.helper", scene.host);
        let gone = "/gone/git-credential-gastown";
        for broken in [gone, &format!("{HELPER} --on-failure perhaps")] {
            scene.home.git(&["config", "--global", "--replace-all", &key, broken]).assert_ok();
            scene.is_fixed_by_its_fix("fail", "helpers", "which cannot be run");
        }
        scene.git(&["config", "--add", &key, ""]);
        scene.git(&["config", "--add", &key, gone]);
        scene.is_fixed_by_its_fix("fail", "helpers", "which cannot be run");
        scene.diagnose(&[]).says_of_a_push(Some(true));
    }
}

#[test]
fn the_old_way_is_found_and_migrated() {
    for scene in Scene::each_in_order() {
        let token = scene.worker.token_for("rig-1");
        let url = scene.github.url_with(REPOSITORY, &token);
        scene.git(&["remote", "set-url", "origin", &url]);
        scene.git(&["config", "credential.helper", "store --file=/tmp/.git-credentials-gone"]);
        scene.is_fixed_by_its_fix("fail", "url-token", "remote.origin.url carries a token (");
        let found = scene.diagnose(&[]);
        found.says_of_a_push(Some(true)).finds("ok", "remotes", "remote.origin.url is http://", "");
    }
}

#[test]
fn other_helpers_are_reported_once_for_all_hosts() {
    let mut scene = Scene::in_order();
    let hosts = format!("{},https://git.example", scene.host);
    scene.home.set("GASTOWN_GIT_HOSTS", &hosts);
    let global = |values: &[&str]| {
        fs::remove_file(scene.path(".gitconfig")).unwrap();
        for value in values {
            let add = ["config", "--global", "--add", "credential.helper", value];
            scene.home.git(&add).assert_ok();
        }
    };
    global(&["store", HELPER, "store --file /x"]);
    let both = format!("(for {}, https://git.example)", scene.host);
    let found = scene.diagnose(&[]);
    found.finds("fail", "helpers", "first asks `store` (credential.helper in file:", "--unset-all");
    found.finds("warn", "helpers", &both, "--unset-all");
    assert_eq!(found.problems().len(), 2, "{:?}", found.ran);
    scene.is_fixed_by_its_fix("fail", "helpers", "first asks `store`");
    assert!(scene.diagnose(&[]).says_of_a_push(Some(true)).problems().is_empty());
    global(&["cache"]);
    scene.diagnose(&[]).finds("fail", "helpers", "`cache` (credential.helper in", "setup");
    global(&["cache", HELPER]);
    scene.diagnose(&[]).finds_only("warn", "helpers", "git first asks `cache`", "setup");
}

/// A repository must not choose where tokens go, whoever pastes what doctor says there.
#[test]
fn a_remote_of_another_host_is_reported_without_a_command_that_adds_the_host() {
    let scene = Scene::in_order();
    scene.git(&["remote", "add", "other", "https://gitlab.example/acme/app.git"]);
    scene.git(&["remote", "add", "program", "ext::sh -c 'curl -u me:sentinel git.example'"]);
    scene.git(&["remote", "add", "schemeless", "//me:sentinel@git.example/a"]);
    let found = scene.diagnose(&[]);
    let fix = "if the tokens of this worker are for that host, name it to setup";
    found.finds_only("warn", "remotes", "git asks no helper for https://gitlab.example", fix);
    scene.git(&["config", "credential.https://gitlab.example.helper", "cache"]);
    let found = scene.diagnose(&[]);
    let fix = "none, if another helper answers for it";
    found.finds_only("warn", "remotes", "does not answer for https://gitlab.example", fix);
    assert!(!found.ran.stdout.contains("setup --host http"), "{:?}", found.ran);
    found.finds("ok", "remotes", "remote.program.url, which is ext::…", "");
    assert!(!found.ran.stdout.contains("sentinel"), "{:?}", found.ran);
    scene.git(&["config", "url.ext::sh -c 'echo sentinel'.insteadOf", &scene.host]);
    let found = scene.diagnose(&[]);
    found.finds("warn", "rewriting", "url.ext::…", "--edit");
    assert!(!found.ran.stdout.contains("sentinel"), "{:?}", found.ran);
}

#[test]
fn helpers_are_judged_by_the_path_of_the_remote_on_its_own_host() {
    let mut scene = Scene::in_order();
    // The URL of one host begins with that of the other.
    let hosts = format!("{},http://127.0.0.1", scene.host);
    scene.home.set("GASTOWN_GIT_HOSTS", &hosts);
    scene.git(&["credential-gastown", "setup"]);
    let elsewhere = format!("credential.{}/other.helper", scene.host);
    scene.git(&["config", "--global", &elsewhere, "store"]);
    let url = scene.github.url(REPOSITORY);
    for url in [url.clone(), url.replace("://", "://alice@")] {
        scene.git(&["remote", "set-url", "origin", &url]);
        let found = scene.diagnose(&[]);
        assert!(found.problems().is_empty(), "{:?}", found.ran);
    }
}

#[test]
fn port_that_every_https_url_has_changes_nothing() {
    let mut scene = Scene::in_order();
    scene.home.set("GASTOWN_GIT_HOSTS", "git.example");
    fs::remove_file(scene.path(".gitconfig")).unwrap();
    scene.git(&["credential-gastown", "setup"]);
    scene.git(&["remote", "set-url", "origin", "https://git.example:443/acme/app"]);
    let found = scene.diagnose(&["--offline"]);
    assert!(found.problems().is_empty(), "{:?}", found.ran);
}

#[test]
fn gitlab_without_its_token_lacks_the_token_and_no_host() {
    let mut scene = Scene::in_order();
    let line = "credential.https://gitlab.com.helper";
    scene.home.git(&["config", "--global", line, HELPER]).assert_ok();
    scene.home.unset("GASTOWN_GIT_HOSTS");
    let found = scene.diagnose(&["--offline"]);
    found.finds("warn", "helpers", "which has no token for GitLab", "GITLAB_TOKEN");
}

/// Else `setup` would be advised, which has set the whole host up already.
#[test]
fn helper_lines_of_a_repository_that_hide_ours_are_what_the_fix_takes_out() {
    let scene = Scene::in_order();
    scene.paste_fix("git credential-gastown setup");
    let key = format!("credential.{}/acme.helper", scene.host);
    scene.git(&["config", &key, ""]);
    scene.is_fixed_by_its_fix("fail", "helpers", "git asks no helper");
    let whole = format!("credential.{}.helper", scene.host);
    let script = "!f() { echo username=u; echo password=other-helpers; }; f";
    for (key, helper) in [(&key, ""), (&key, script), (&whole, HELPER)] {
        scene.git(&["config", "--add", key, helper]);
    }
    scene.is_fixed_by_its_fix("warn", "helpers", "an inline helper");
    scene.git(&["config", "credential.helper", ""]);
    scene.is_fixed_by_its_fix("fail", "helpers", "git asks no helper");
    scene.diagnose(&[]).says_of_a_push(Some(true));
}

#[test]
fn a_fix_leaves_the_harmless_values_of_the_same_key() {
    let scene = Scene::in_order();
    let base = "url.git@github.com:.insteadOf";
    let host = format!("{}/", scene.host);
    for (key, value, check, harmless) in [
        ("http.extraHeader", "AUTHORIZATION: basic sentinel", "extra-header", "X-Foo: bar"),
        (base, host.as_str(), "rewriting", "corp:"),
    ] {
        scene.git(&["config", "--add", key, harmless]);
        scene.git(&["config", "--add", key, value]);
        let status = if key == base { "warn" } else { "fail" };
        scene.is_fixed_by_its_fix(status, check, "");
        let left = scene.home.git_in("app", &["config", "--get-all", key]);
        assert_eq!(left.assert_ok().stdout.trim_end(), harmless);
    }
    scene.git(&["config", "--add", "http.extraHeader", "Authorization: basic taken-back"]);
    scene.git(&["config", "--add", "http.extraHeader", ""]);
    scene.diagnose(&[]).says_of_a_push(Some(true));
}

#[test]
fn a_header_from_the_environment_is_fixed_there() {
    let mut scene = Scene::in_order();
    scene.home.set("GIT_CONFIG_COUNT", "1").set("GIT_CONFIG_KEY_0", "http.extraHeader");
    scene.home.set("GIT_CONFIG_VALUE_0", "Authorization: basic sentinel");
    let fix = "unset GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS";
    scene.diagnose(&[]).finds("fail", "extra-header", "a credential of its own", fix);
    scene.paste_fix(&format!("{fix} && git credential-gastown doctor"));
    let told = scene.doctor(&[]).stdout;
    assert!(told.contains(&format!("fix: {fix}\n")), "{told}");
}

#[test]
fn host_that_this_helper_does_not_serve_is_reported_and_the_fix_serves_it() {
    let scene = Scene::in_order();
    let key = format!("credential.{}.helper", scene.host);
    let line = format!("{HELPER} --host git.example");
    scene.git(&["config", "--global", "--replace-all", &key, &line]);
    scene.is_fixed_by_its_fix("fail", "helpers", "keeps from answering");
    scene.git(&["ls-remote"]);
}

#[test]
fn fix_for_the_line_of_an_old_gitlab_instance_never_makes_it_a_host_of_github() {
    let mut scene = Scene::in_order();
    scene.home.set("GITLAB_TOKEN", "glpat-x").set("GITLAB_INSTANCE_URL", "https://old.example");
    scene.git(&["credential-gastown", "setup"]);
    let fix = "GITLAB_INSTANCE_URL=https://old.example; else take the line out: git config --file";
    scene.home.set("GITLAB_INSTANCE_URL", "https://new.example");
    scene.diagnose(&[]).finds("warn", "helpers", "names no host, and no setting does", fix);
    scene.home.unset("GITLAB_INSTANCE_URL").unset("GITLAB_TOKEN");
    scene.diagnose(&[]).finds_only("warn", "helpers", "names no host, and no setting does", fix);
}

#[test]
fn scheme_that_git_must_not_use_is_reported_and_the_fix_allows_it() {
    let mut scene = Scene::in_order();
    scene.git(&["config", "protocol.allow", "never"]);
    scene.is_fixed_by_its_fix("fail", "protocol", "git must not use http");
    scene.git(&["config", "protocol.allow", "never"]);
    scene.git(&["config", "protocol.http.allow", "always"]);
    scene.diagnose(&[]).says_of_a_push(Some(true));
    scene.home.set("GIT_ALLOW_PROTOCOL", "https:ssh");
    let fix = "unset GIT_ALLOW_PROTOCOL";
    scene.diagnose(&[]).says_of_a_push(None).finds_only("fail", "protocol", "forbids http", fix);
    scene.home.unset("GIT_ALLOW_PROTOCOL").set("GIT_PROTOCOL_FROM_USER", "0");
    scene.git(&["config", "protocol.http.allow", "user"]);
    scene.diagnose(&[]).says_of_a_push(None).finds("fail", "protocol", "must not use http", "");
}
