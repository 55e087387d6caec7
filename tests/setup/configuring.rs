//! What is written where, and that doing it again changes nothing.

use super::*;
use crate::scene::can_mount;

#[test]
fn a_push_works_after_setup_and_nothing_else_is_written() {
    for mut scene in Scene::each_git() {
        let ran = scene.setup(&[]);
        ran.assert_ok().tells(".gitconfig").tells("the empty line makes git forget");
        assert_eq!(scene.read(".gitconfig"), scene.added());
        // The host that it named is served from then on.
        scene.home.unset("GASTOWN_GIT_HOSTS");
        scene.clone_and_push();
    }
}

#[test]
fn hosts_of_github_are_set_up_unless_others_are_named_and_a_second_setup_changes_nothing() {
    for mut scene in Scene::each_git_alone() {
        scene.home.unset("GASTOWN_GIT_HOSTS");
        scene.setup(&[]).assert_ok();
        for host in ["https://github.com", "https://gist.github.com"] {
            assert!(scene.read(".gitconfig").contains(&format!("[credential \"{host}\"]")));
        }
        let once = scene.snapshot();
        scene.setup(&[]).assert_ok().tells("already set up by");
        assert_eq!(scene.snapshot(), once);
        // One that is gone is set up again.
        let section = "credential.https://github.com";
        scene.home.git(&["config", "--global", "--remove-section", section]).assert_ok();
        scene.helper(&["token", "https://github.com"]).assert_ok();
        scene.setup(&[]).assert_ok().tells(&format!("{section}.helper"));
    }
}

#[test]
fn that_another_host_alone_was_named_before_is_said() {
    let mut scene = Scene::alone();
    scene.home.unset("GASTOWN_GIT_HOSTS");
    scene.setup(&["--host", "git.example"]).assert_ok().never_tells("is not set up");
    scene.setup(&[]).assert_ok().tells("run: git credential-gastown setup --host github.com");
}

#[test]
fn lines_in_an_included_file_count() {
    for scene in Scene::each_git_alone() {
        scene.write("included", scene.added());
        scene.write(".gitconfig", "[include]\n\tpath = included\n");
        let before = scene.snapshot();
        scene.setup(&[]).assert_ok().tells("included");
        scene.setup(&["--file", ".gitconfig"]).assert_ok();
        assert_eq!(scene.snapshot(), before);
    }
}

#[test]
fn helpers_below_a_section_of_the_host_do_not_come_after_ours() {
    for scene in Scene::each_git_alone() {
        let host = &scene.host;
        let section = format!("[credential \"http://{host}\"]\n\tusername = x-access-token\n");
        scene.write("more", "[credential]\n\thelper = store\n");
        for below in ["[credential]\n\thelper = store\n", "[include]\n\tpath = more\n"] {
            scene.write(".gitconfig", format!("{section}{below}"));
            scene.setup(&[]).assert_ok();
            assert_eq!(scene.read(".gitconfig"), format!("{section}{below}{}", scene.added()));
            scene.setup(&[]).assert_ok().tells("already set up by");
            scene.setup(&["--undo"]).assert_ok();
            assert_eq!(scene.read(".gitconfig"), format!("{section}{below}"));
        }
    }
}

#[test]
fn what_others_wrote_stays_where_it_is_however_often_setup_runs() {
    for scene in Scene::each_git_alone() {
        let theirs = format!(
            "[credential \"http://{}\"]\n\thelper = \n\thelper = !gh auth git-credential # gh\n\
             [credential]\n\thelper = cache\n# the end\n",
            scene.host
        );
        scene.write(".gitconfig", &theirs);
        for rig in ["r1", "r2", "r3"] {
            scene.setup(&["--rig", rig]).assert_ok();
            let text = scene.read(".gitconfig");
            let ours = text.strip_prefix(&theirs).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((ours.lines().count(), ours.contains(rig)), (3, true), "{text}");
        }
    }
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_it_would() {
    let scene = Scene::alone();
    scene.write(".gitconfig", "[user]\n\tname = x\n");
    let before = scene.snapshot();
    let ran = scene.setup(&["--dry-run", "--gh-shim", ".", "--migrate", "."]);
    assert!(ran.assert_ok().stdout.starts_with("dry run: nothing is changed"), "{ran:?}");
    ran.tells("wrote").tells("made the link");
    assert_eq!(scene.snapshot(), before);
    assert!(!scene.path("gh").is_symlink());
}

#[test]
fn comments_and_other_peoples_lines_stay_byte_for_byte() {
    for scene in Scene::each_git() {
        let mine = format!(
            "# mine\r\n[user]\n  name =   x ; odd\n\n[credential]\n\thelper = cache\n\
             [credential \"https://gitlab.example\"]\n\thelper = store\n\
             [credential \"{}\"] # note\n\t; keep\n\tusername = x\n\thelper = cache\n",
            scene.host
        );
        scene.write(".gitconfig", &mine);
        scene.setup(&[]).assert_ok();
        assert_eq!(scene.read(".gitconfig"), format!("{mine}{}", scene.added()));
    }
}

#[test]
fn continued_last_line_does_not_swallow_what_is_appended() {
    for scene in Scene::each_git_alone() {
        for end in ["\\\n", "\\", "\\\\\n"] {
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
    let mut scene = Scene::alone();
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
fn other_flags_replace_the_line_and_are_handed_to_the_helper() {
    for mut scene in Scene::each_git() {
        scene.setup(&[]).assert_ok();
        let url = scene.worker.url();
        for name in ["API_URL", "TOWN_ID", "RIG_ID", "GIT_HOSTS"] {
            scene.home.unset(&format!("GASTOWN_{name}"));
        }
        let cache = scene.path("a cache's \"place\" $HOME");
        let flags =
            ["--api-url", &url, "--town", "town-1", "--rig", "rig-1", "--host", &scene.host];
        let more = ["--cache-dir", cache.to_str().unwrap(), "--on-failure", "next"];
        assert_eq!(scene.setup(&[&flags[..], &more].concat()).assert_ok().stderr, "");
        let lines = scene.helpers(&["--global"]);
        assert_eq!((lines.len(), lines[0].as_str()), (2, ""), "{lines:?}");
        assert!(lines[1].contains("--on-failure next"), "{lines:?}");
        scene.clone_and_push();
        assert!(cache.is_dir(), "it is not expanded");
    }
}

#[test]
fn a_program_in_a_directory_with_spaces_is_called() {
    for git in Git::all() {
        let mut scene = Scene::to_set_up(&git);
        let directory = git.path.parent().unwrap().display();
        scene.home.set("PATH", format!("{directory}:/usr/bin:/bin"));
        fs::create_dir(scene.path("a b'c")).unwrap();
        let program = scene.path("a b'c/git-credential-gastown");
        symlink(HELPER, &program).unwrap();
        scene.home.run(&program, &["setup"], "").assert_ok();
        assert!(scene.helpers(&[])[1].contains(r"/a\ b\'c/git-credential-gastown --host"));
        scene.clone_and_push();
    }
}

#[test]
fn path_that_is_not_utf8_is_refused_and_nothing_is_written() {
    let scene = Scene::alone();
    for script in [
        "bytes=$(printf '\\377'); mkdir \"$bytes\"; ln -s \"$0\" \"$bytes/git-credential-gastown\"
         PATH=/usr/bin:/bin; \"$HOME/$bytes/git-credential-gastown\" setup",
        "\"$0\" setup --cache-dir \"$(printf '/\\377')\"",
    ] {
        let refused = scene.home.run("sh", &["-c", script, HELPER], "");
        refused.assert_fails().mentions("not UTF-8").mentions("[setup-failed]");
        assert!(!scene.path(".gitconfig").exists());
    }
}

#[test]
fn each_place_is_written_to_and_no_other() {
    for mut scene in Scene::each_git_alone() {
        scene.repository("repository", &[]);
        scene.home.unset("GIT_CONFIG_NOSYSTEM");
        let system = scene.path("system");
        scene.home.set("GIT_CONFIG_SYSTEM", &system).set("GIT_EDITOR", "false");
        let in_repository = |arguments: &[&str]| scene.setup_in("repository", arguments);
        in_repository(&["--local"]).assert_ok();
        assert!(scene.read("repository/.git/config").contains(HELPER));
        in_repository(&["--file", "../mine"]).assert_ok();
        assert_eq!(scene.read("mine"), scene.added());
        in_repository(&["--system"]).assert_ok();
        assert_eq!(scene.read("system"), scene.added());
        // The system's line holds for all, and there is nothing of this file to take back.
        let global = in_repository(&["--global"]);
        global.assert_ok().tells("already set up by file:").never_tells("--undo");
        assert!(!scene.path(".gitconfig").exists());
    }
}

#[test]
fn store_helper_behind_ours_is_put_before_it() {
    for scene in Scene::each_git_alone() {
        for part in ["", "/acme"] {
            scene.write(".gitconfig", scene.added());
            let key = format!("credential.{}{part}.helper", scene.host);
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
    let scene = Scene::to_set_up(&Git::newest());
    let before = scene.snapshot();
    for (arguments, words) in [
        (&["--api-url", "http://worker.example"][..], "--api-url is http"),
        (&["--town", "../x"], "--town is not an id"),
        (&["--cache-dir", "~/.cache"], "--cache-dir is not an absolute path"),
        (&["--config", "config.json"], "--config is not an absolute path"),
        (&["--host", "http://evil.example"], "--host"),
        (&["--local"], "--local needs a repository"),
        (&["--file", "no/such/directory/file"], "file"),
        (&["--migrate", "no/such/directory"], "is not a directory"),
        (&["--rig", "r", "--cache-dir", "/a\nb"], "control character"),
    ] {
        assert_eq!(scene.setup(arguments).mentions(words).code, 1);
    }
    assert_eq!(scene.setup(&["--system", "--global"]).code, 2);
    assert_eq!(scene.snapshot(), before);
}

#[test]
fn a_linked_configuration_file_stays_linked() {
    for before in [Some("[user]\n\tname = x\n"), None] {
        let scene = Scene::alone();
        fs::create_dir(scene.path("dotfiles")).unwrap();
        before.iter().for_each(|text| drop(scene.write("dotfiles/gitconfig", text)));
        symlink("dotfiles/gitconfig", scene.path(".gitconfig")).unwrap();
        scene.setup(&[]).assert_ok();
        let text = scene.read("dotfiles/gitconfig");
        assert_eq!(text, before.unwrap_or_default().to_owned() + &scene.added());
        scene.setup(&["--undo"]).assert_ok();
        assert!(scene.path(".gitconfig").is_symlink());
        assert_eq!(fs::read_to_string(scene.path("dotfiles/gitconfig")).ok().as_deref(), before);
    }
}

#[test]
fn device_in_the_place_of_the_configuration_is_refused() {
    let mut scene = Scene::alone();
    // One of its own: what goes wrong here as root must not cost the machine its `/dev/null`.
    let made = scene.paste("mknod null c 1 3 && cat null");
    if made.code != 0 {
        crate::town::skip("no device can be made here");
        return;
    }
    let null = scene.path("null");
    scene.home.set("GIT_CONFIG_GLOBAL", &null);
    for arguments in [&[][..], &["--migrate", "."], &["--undo", "--global"]] {
        let refused = scene.setup(arguments);
        refused.assert_fails().mentions("not a regular file").mentions("[setup-failed]");
    }
    scene.setup(&["--undo"]).assert_ok();
    let kind = fs::symlink_metadata(&null).unwrap().file_type();
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&kind));
    scene.setup(&["--file", "mine"]).assert_ok();
}

#[test]
fn every_host_that_the_settings_serve_is_set_up() {
    for mut scene in Scene::each_git_alone() {
        scene.home.set("GITLAB_TOKEN", "glpat-sentinel");
        scene.home.set("GITLAB_INSTANCE_URL", "https://gitlab.example/");
        let ran = scene.setup(&["--host", "git.example"]);
        let key = "credential.https://gitlab.example.helper";
        ran.assert_ok().tells(key);
        let line = scene.home.git(&["config", "--global", "--get-all", key]);
        // The token names the host: on the list it would be one for GitHub's tokens.
        assert_eq!(line.stdout, format!("\n{HELPER}\n"));
        let request = "protocol=https\nhost=gitlab.example\n\n";
        let filled = scene.home.run("git", &["credential", "fill"], request);
        filled.assert_ok().tells("password=glpat-sentinel");
        let again = scene.setup(&["--host", "git.example"]);
        assert_eq!(again.assert_ok().stdout.matches("already set up").count(), 2, "{again:?}");
        scene.setup(&["--undo"]).assert_ok();
        assert!(!scene.path(".gitconfig").exists());
    }
}

#[test]
fn read_only_file_system_is_named_with_the_file() {
    let scene = Scene::alone();
    if !can_mount() {
        return;
    }
    let mount = "mkdir fixed; mount -t tmpfs -o ro none fixed";
    let ran = scene.mounting_shell(&format!("{mount}; \"$HELPER\" setup --file fixed/config"));
    ran.assert_fails().mentions("cannot change").mentions("config\"");
    ran.mentions("Read-only file system").mentions("[setup-failed]");
}

#[test]
fn file_that_is_a_mount_is_left_and_the_environment_advised() {
    let scene = Scene::alone();
    if !can_mount() {
        return;
    }
    let script = "touch own .gitconfig; mount --bind own .gitconfig; exec \"$HELPER\" setup";
    scene.mounting_shell(script).assert_fails().mentions("setup --print-env");
}

#[test]
fn another_helper_of_the_worktree_is_not_passed_over() {
    for scene in Scene::each_git_alone() {
        for words in [
            &["init", "--quiet", "."][..],
            &["config", "extensions.worktreeConfig", "true"],
            &["config", "--worktree", "credential.helper", "store"],
        ] {
            scene.home.git(words).assert_ok();
        }
        scene.setup(&["--local"]).assert_fails().tells("git asks another helper, too");
    }
}

#[test]
fn setup_does_what_it_says_where_its_user_may_not_enter_the_working_directory() {
    if !is_root() {
        return;
    }
    let scene = Scene::alone();
    let place = tempfile::tempdir().unwrap();
    let program = scene.install(HELPER, place.path().join("git-credential-gastown"));
    let mode = std::os::unix::fs::PermissionsExt::from_mode;
    fs::set_permissions(place.path(), mode(0o755)).unwrap();
    give_away(scene.path("").parent().unwrap());
    let closed = place.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, mode(0o700)).unwrap();
    for (arguments, is_set_up) in [(&["setup"][..], true), (&["setup", "--undo"], false)] {
        let mut setup = scene.home.command("/usr/bin/setpriv");
        setup.args(["--reuid", &NOBODY.to_string(), "--clear-groups"]);
        setup.arg(&program).args(arguments).current_dir(&closed);
        Ran::run(setup, b"").assert_ok();
        assert_eq!(scene.path(".gitconfig").exists(), is_set_up);
    }
}

#[test]
fn who_may_not_write_the_systems_file_migrates_where_it_is_set_up() {
    if !is_root() {
        return;
    }
    let mut scene = Scene::alone();
    // The project may lie where nobody else can enter, and the user may write nothing but the home.
    let system = tempfile::tempdir().unwrap();
    let file = system.path().join("gitconfig");
    let program = scene.install(HELPER, system.path().join("git-credential-gastown"));
    set_mode(system.path(), 0o755);
    scene.home.unset("GIT_CONFIG_NOSYSTEM").set("GIT_CONFIG_SYSTEM", &file);
    let config = scene.repository("rigs/one", &[("remote.origin.url", TOKEN_URL)]);
    let old = fs::read(&config).unwrap();
    give_away(scene.path("").parent().unwrap());
    let setup = |user: u32, arguments: &[&str]| {
        let mut setup = scene.home.command(&program);
        setup.args(["setup", "--system"]).args(arguments);
        std::os::unix::process::CommandExt::uid(&mut setup, user);
        Ran::run(setup, b"")
    };
    let migrate = |arguments: &[&str]| {
        fs::write(&config, &old).unwrap();
        setup(NOBODY, &[arguments, &["--migrate", "rigs"]].concat())
    };
    migrate(&[]).assert_fails().never_tells("wrote").mentions("gitconfig").mentions("as root");
    assert!(!is_clear(&config), "git would not ask this helper");
    setup(0, &[]).assert_ok();
    for arguments in [&[][..], &["--rig", "other"]] {
        migrate(arguments).assert_ok().never_tells("wrote").never_tells("take it back");
        assert!(is_clear(&config));
    }
    fs::write(&config, &old).unwrap();
    for place in ["", "rigs", "rigs/one", "rigs/one/.git"] {
        set_mode(scene.path(place), 0o755);
    }
    let theirs = format!("run this as its owner, user {NOBODY}");
    setup(NOBODY + 1, &["--migrate", "rigs"]).assert_fails().tells(&theirs);
}
