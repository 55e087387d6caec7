//! What is written where, and that doing it again changes nothing.

use super::*;

#[test]
fn a_push_works_after_setup_and_nothing_else() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let ran = scene.setup(&[]);
        assert!(ran.assert_ok().stdout.contains(".gitconfig"), "{ran:?}");
        assert!(ran.stdout.contains("the empty line makes git forget"), "{ran:?}");
        assert_eq!(scene.read(".gitconfig"), scene.added());
        scene.clone_and_push();
    }
}

#[test]
fn hosts_of_github_are_set_up_unless_others_are_named_and_a_second_setup_changes_nothing() {
    for git in Git::all() {
        let mut scene = Scene::alone(&git);
        scene.home.unset("GASTOWN_GIT_HOSTS");
        scene.setup(&[]).assert_ok();
        for host in ["https://github.com", "https://gist.github.com"] {
            assert!(scene.read(".gitconfig").contains(&format!("[credential \"{host}\"]")));
        }
        let once = scene.snapshot();
        let again = scene.setup(&[]);
        assert!(again.assert_ok().stdout.contains("already set up by"), "{again:?}");
        assert_eq!(scene.snapshot(), once);
    }
}

#[test]
fn lines_in_an_included_file_count() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        scene.write("included", &scene.added());
        scene.write(".gitconfig", "[include]\n\tpath = included\n");
        let before = scene.snapshot();
        let ran = scene.setup(&[]);
        assert!(ran.assert_ok().stdout.contains("included"), "{ran:?}");
        let file = scene.path(".gitconfig");
        scene.setup(&["--file", file.to_str().unwrap()]).assert_ok();
        assert_eq!(scene.snapshot(), before);
    }
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_it_would() {
    let scene = Scene::new(&Git::newest());
    scene.write(".gitconfig", "[user]\n\tname = x\n");
    let before = scene.snapshot();
    let bin = scene.path("");
    let ran = scene.setup(&["--dry-run", "--gh-shim", bin.to_str().unwrap(), "--migrate", "."]);
    assert!(ran.assert_ok().stdout.starts_with("dry run: nothing is changed"), "{ran:?}");
    assert!(ran.stdout.contains("wrote") && ran.stdout.contains("made the link"), "{ran:?}");
    assert_eq!(scene.snapshot(), before);
    assert!(!scene.path("gh").is_symlink());
}

#[test]
fn comments_and_other_peoples_lines_stay_byte_for_byte() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let mine = format!(
            "# mine\r\n[user]\n  name =   x ; odd\n\n[credential]\n\thelper = cache\n\
             [credential \"https://gitlab.example\"]\n\thelper = store\n\
             [credential \"{}\"] # note\n\t; keep\n\tusername = x\n\thelper = cache\n",
            scene.host()
        );
        scene.write(".gitconfig", &mine);
        scene.setup(&[]).assert_ok();
        let text = scene.read(".gitconfig");
        assert_eq!(text, format!("{mine}\thelper = \n\thelper = {}\n", scene.line()));
    }
}

#[test]
fn continued_last_line_does_not_swallow_what_is_appended() {
    for git in Git::all() {
        for end in ["\\\n", "\\", "\\\\\n"] {
            let scene = Scene::alone(&git);
            let mine = format!("[user]\n\temail = x{end}");
            scene.write(".gitconfig", &mine);
            scene.setup(&[]).assert_ok();
            assert_eq!(scene.helpers(&["--global"]), ["", &*scene.line()], "{end:?}");
            let email = scene.home.git(&["config", "--global", "user.email"]);
            assert_eq!(email.stdout.trim_end().trim_end_matches('\\'), "x", "{end:?}");
            scene.setup(&["--undo"]).assert_ok();
            assert_eq!(scene.read(".gitconfig"), mine);
        }
    }
}

#[test]
fn flags_of_an_earlier_setup_stay_until_others_are_given() {
    let mut scene = Scene::alone(&Git::newest());
    let flags = ["--api-url", "http://127.0.0.1:1", "--town", "a", "--on-failure", "next"];
    scene.setup(&flags).assert_ok();
    let line = scene.helpers(&[]).pop().unwrap();
    assert!(line.contains("--town a") && line.contains("--api-url"), "{line}");
    scene.home.unset("GASTOWN_GIT_HOSTS");
    for arguments in [&[][..], &["--host", "https://git.example"], &["--migrate", "."]] {
        scene.setup(arguments).assert_ok();
        assert_eq!(scene.helpers(&[]), ["", &*line], "{arguments:?}");
    }
    scene.setup(&["--host", "https://git.example", "--town", "b"]).assert_ok();
    assert_eq!(scene.helpers(&[]), ["", &*line.replace("--town a", "--town b")]);
}

#[test]
fn host_that_a_variable_named_is_served_without_it_from_then_on() {
    let mut scene = Scene::new(&Git::newest());
    scene.setup(&[]).assert_ok();
    scene.home.unset("GASTOWN_GIT_HOSTS");
    scene.clone_and_push();
}

#[test]
fn other_flags_replace_the_line_and_are_handed_to_the_helper() {
    for git in Git::all() {
        let mut scene = Scene::new(&git);
        scene.setup(&[]).assert_ok();
        let url = scene.town().worker.url();
        for name in ["API_URL", "TOWN_ID", "RIG_ID", "GIT_HOSTS"] {
            scene.home.unset(&format!("GASTOWN_{name}"));
        }
        let host = scene.host();
        let cache = "a cache's \"place\" $HOME";
        let flags = ["--api-url", &url, "--town", "town-1", "--rig", "rig-1", "--host", &host];
        let more = ["--cache-dir", cache, "--on-failure", "next"];
        scene.setup(&[&flags[..], &more].concat()).assert_ok();
        let lines = scene.helpers(&["--global"]);
        assert_eq!((lines.len(), lines[0].as_str()), (2, ""), "{lines:?}");
        assert!(lines[1].contains("--on-failure next"), "{lines:?}");
        scene.clone_and_push();
        assert!(scene.path(cache).is_dir(), "relative to where setup ran, and not expanded");
    }
}

#[test]
fn a_program_in_a_directory_with_spaces_is_called() {
    for git in Git::all() {
        let mut scene = Scene::new(&git);
        let directory = git.path.parent().unwrap().display();
        scene.home.set("PATH", &format!("{directory}:/usr/bin:/bin"));
        fs::create_dir(scene.path("a b'c")).unwrap();
        let program = scene.path("a b'c/git-credential-gastown");
        symlink(HELPER, &program).unwrap();
        let mut setup = scene.home.command(&program);
        setup.arg("setup");
        Ran::run(setup, b"").assert_ok();
        assert!(scene.helpers(&[])[1].contains(r"/a\ b\'c/git-credential-gastown --host"));
        scene.clone_and_push();
    }
}

#[test]
fn each_place_is_written_to_and_no_other() {
    for git in Git::all() {
        let mut scene = Scene::new(&git);
        scene.home.git(&["init", "--quiet", "repository"]).assert_ok();
        scene.home.unset("GIT_CONFIG_NOSYSTEM");
        let system = scene.path("system");
        scene.home.set("GIT_CONFIG_SYSTEM", system.to_str().unwrap());
        scene.home.set("GIT_EDITOR", "false");
        let in_repository = |arguments: &[&str]| {
            let mut setup = scene.home.command(HELPER);
            setup.arg("setup").args(arguments).current_dir(scene.path("repository"));
            Ran::run(setup, b"")
        };
        in_repository(&["--local"]).assert_ok();
        assert!(scene.read("repository/.git/config").contains(HELPER));
        in_repository(&["--file", "../mine"]).assert_ok();
        assert_eq!(scene.read("mine"), scene.added());
        in_repository(&["--system"]).assert_ok();
        assert_eq!(scene.read("system"), scene.added());
        let global = in_repository(&["--global"]);
        assert!(global.assert_ok().stdout.contains("already set up by file:"), "{global:?}");
        assert!(!scene.path(".gitconfig").exists(), "the system's line holds for all");
    }
}

#[test]
fn store_helper_behind_ours_is_put_before_it() {
    for git in Git::all() {
        for part in ["", "/acme"] {
            let scene = Scene::alone(&git);
            scene.setup(&[]).assert_ok();
            let key = format!("credential.{}{part}.helper", scene.host());
            scene.home.git(&["config", "--global", "--add", &key, "store"]).assert_ok();
            scene.setup(&[]).assert_ok();
            let text = scene.read(".gitconfig");
            assert!(text.ends_with(&scene.added()) || part.is_empty(), "{text}");
            assert_eq!(scene.helpers(&["--global"]).last().unwrap(), &scene.line(), "{text}");
        }
    }
}

#[test]
fn what_cannot_work_is_refused_and_nothing_is_written() {
    let scene = Scene::new(&Git::newest());
    let before = scene.snapshot();
    for (arguments, words) in [
        (&["--api-url", "http://worker.example"][..], "--api-url is http"),
        (&["--town", "../x"], "--town is not an id"),
        (&["--host", "http://evil.example"], "--host"),
        (&["--local"], "--local needs a repository"),
        (&["--file", "no/such/directory/file"], "file"),
        (&["--migrate", "no/such/directory"], "is not a directory"),
        (&["--rig", "r", "--cache-dir", "a\nb"], "control character"),
    ] {
        let ran = scene.setup(arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(words), "{words}\n{ran:?}");
    }
    assert_eq!(scene.setup(&["--system", "--global"]).code, 2);
    assert_eq!(scene.snapshot(), before);
}

#[test]
fn a_linked_configuration_file_stays_linked() {
    let scene = Scene::new(&Git::newest());
    scene.write("dotfile", "[user]\n\tname = x\n");
    symlink("dotfile", scene.path(".gitconfig")).unwrap();
    scene.setup(&[]).assert_ok();
    assert!(scene.path(".gitconfig").is_symlink());
    assert!(scene.read("dotfile").contains(HELPER));
    scene.setup(&["--undo"]).assert_ok();
    assert!(scene.path(".gitconfig").is_symlink());
    assert_eq!(scene.read("dotfile"), "[user]\n\tname = x\n");
}

#[test]
fn device_in_the_place_of_the_configuration_is_refused() {
    let mut scene = Scene::alone(&Git::newest());
    // One of its own: what goes wrong here as root must not cost the machine its `/dev/null`.
    let null = scene.path("null");
    let made = std::process::Command::new("mknod").arg(&null).args(["c", "1", "3"]).output();
    if !made.is_ok_and(|output| output.status.success()) || fs::read(&null).is_err() {
        crate::town::skip("no device can be made here");
        return;
    }
    scene.home.set("GIT_CONFIG_GLOBAL", null.to_str().unwrap());
    for arguments in [&[][..], &["--migrate", "."], &["--undo", "--global"]] {
        let refused = scene.setup(arguments);
        assert!(refused.assert_fails().stderr.contains("not a regular file"), "{refused:?}");
        assert!(refused.stderr.contains("[setup-failed]"), "{refused:?}");
    }
    scene.setup(&["--undo"]).assert_ok();
    let kind = fs::symlink_metadata(&null).unwrap().file_type();
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&kind));
    scene.setup(&["--file", "mine"]).assert_ok();
}

#[test]
fn every_host_that_the_settings_serve_is_set_up() {
    for git in Git::all() {
        let mut scene = Scene::alone(&git);
        scene.home.set("GITLAB_TOKEN", "glpat-sentinel");
        scene.home.set("GITLAB_INSTANCE_URL", "https://gitlab.example/");
        let ran = scene.setup(&["--host", "git.example"]);
        let key = "credential.https://gitlab.example.helper";
        assert!(ran.assert_ok().stdout.contains(key), "{ran:?}");
        let line = scene.home.git(&["config", "--global", "--get-all", key]);
        // The token names the host: on the list it would be one for GitHub's tokens.
        assert_eq!(line.stdout, format!("\n{HELPER}\n"));
        let mut fill = scene.home.command("git");
        fill.args(["credential", "fill"]);
        let filled = Ran::run(fill, b"protocol=https\nhost=gitlab.example\n\n");
        assert!(filled.assert_ok().stdout.contains("password=glpat-sentinel"), "{filled:?}");
        let again = scene.setup(&["--host", "git.example"]);
        assert_eq!(again.assert_ok().stdout.matches("already set up").count(), 2, "{again:?}");
        scene.setup(&["--undo"]).assert_ok();
        assert!(!scene.path(".gitconfig").exists());
    }
}

/// Everything in the home belongs to a user who may write nothing else.
fn as_another_user(scene: &Scene, program: &Path, arguments: &[&str]) -> Ran {
    let mut setup = scene.home.command(program);
    setup.arg("setup").args(arguments);
    std::os::unix::process::CommandExt::uid(&mut setup, 4711);
    Ran::run(setup, b"")
}

#[test]
fn read_only_file_system_is_named_with_the_file() {
    let scene = Scene::alone(&Git::newest());
    fs::create_dir(scene.path("fixed")).unwrap();
    let fixed = scene.path("fixed");
    let fixed = fixed.to_str().unwrap();
    let script = format!(
        "mount -t tmpfs -o ro none {fixed} && {HELPER} setup --file {fixed}/config; echo rc $?"
    );
    let mut unshare = scene.home.command("unshare");
    let ran = Ran::run(
        {
            unshare.args(["--mount", "sh", "-c", &script]);
            unshare
        },
        b"",
    );
    if !ran.stdout.contains("rc 1") || !ran.stderr.contains("setup-failed") {
        assert!(ran.stderr.contains("unshare") || ran.stderr.contains("mount"), "{ran:?}");
        crate::town::skip("nothing can be mounted");
        return;
    }
    assert!(ran.stderr.contains("cannot change") && ran.stderr.contains("config\""), "{ran:?}");
    assert!(ran.stderr.contains("Read-only file system"), "{ran:?}");
}

#[test]
fn who_may_not_write_the_systems_file_migrates_where_it_is_set_up() {
    if !rustix::process::geteuid().is_root() {
        crate::town::skip("only root can become another user");
        return;
    }
    let mut scene = Scene::alone(&Git::newest());
    let system = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(system.path(), open).unwrap();
    let file = system.path().join("gitconfig");
    // The project may lie where nobody else can enter.
    let program = system.path().join("git-credential-gastown");
    let mut install = scene.home.command("/usr/bin/install");
    install.args(["-m", "755", HELPER]).arg(&program);
    Ran::run(install, b"").assert_ok();
    scene.home.unset("GIT_CONFIG_NOSYSTEM");
    scene.home.set("GIT_CONFIG_SYSTEM", file.to_str().unwrap());
    scene.home.git(&["init", "--quiet", "rigs/one"]).assert_ok();
    let url = format!("{}/a.git", scene.host().replace("://", "://x:ghs_sentinel@"));
    scene.home.git_in("rigs/one", &["remote", "add", "origin", &url]).assert_ok();
    let owned = scene.path("").parent().unwrap().to_owned();
    let status = std::process::Command::new("chown").args(["-R", "4711"]).arg(&owned).status();
    assert!(status.unwrap().success());
    let config = || scene.read("rigs/one/.git/config");

    let refused = as_another_user(&scene, &program, &["--system", "--migrate", "rigs"]);
    assert!(!refused.assert_fails().stdout.contains("wrote"), "{refused:?}");
    assert!(refused.stderr.contains("gitconfig"), "{refused:?}");
    assert!(config().contains("ghs_sentinel"), "git would not ask this helper");

    let mut setup = scene.home.command(&program);
    setup.args(["setup", "--system"]);
    Ran::run(setup, b"").assert_ok();
    for arguments in [&[][..], &["--rig", "other"]] {
        let arguments = [arguments, &["--system", "--migrate", "rigs"]].concat();
        scene.home.git_in("rigs/one", &["config", "remote.origin.url", &url]);
        let migrated = as_another_user(&scene, &program, &arguments);
        assert!(!migrated.assert_ok().stdout.contains("wrote"), "{migrated:?}");
        assert!(!config().contains("ghs_sentinel"), "{migrated:?}");
    }
}
