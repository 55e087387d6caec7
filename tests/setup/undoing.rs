//! What undo restores, to the byte.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const MINE: &str = "# mine\n[credential]\n\thelper = cache ; note\n[user]\n\tname = x";

#[test]
fn undoing_restores_the_file_to_the_byte_with_its_mode() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        scene.write(".gitconfig", MINE);
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(scene.path(".gitconfig"), private).unwrap();
        let before = scene.snapshot();
        scene.setup(&[]).assert_ok();
        scene.setup(&["--rig", "rig-1"]).assert_ok();
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(scene.snapshot(), before);
        let mode = fs::metadata(scene.path(".gitconfig")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = scene.setup(&["--undo"]);
        assert!(again.assert_ok().stdout.contains("nothing to undo"), "{again:?}");
    }
}

#[test]
fn a_file_that_was_not_there_goes_again() {
    let scene = Scene::new(&Git::newest());
    scene.setup(&[]).assert_ok();
    scene.setup(&["--undo", "--global"]).assert_ok();
    assert!(!scene.path(".gitconfig").exists());
    assert!(!scene.path(".config/gastown").exists(), "nor is an empty directory left");
}

#[test]
fn after_others_changed_the_file_only_our_lines_go() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        scene.write(".gitconfig", "[credential]\n\thelper = cache ; note\n[user]\n\tname = x\n");
        scene.setup(&[]).assert_ok();
        scene.home.git(&["config", "--global", "user.email", "x@example.com"]).assert_ok();
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(
            scene.read(".gitconfig"),
            "[credential]\n\thelper = cache ; note\n[user]\n\tname = x\n\temail = x@example.com\n"
        );
    }
}

#[test]
fn the_users_own_helpers_for_the_host_stay() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let mine = format!("[credential \"{}\"]\n\thelper = \n\thelper = cache\n", scene.host());
        scene.write(".gitconfig", &mine);
        scene.setup(&[]).assert_ok();
        assert_eq!(scene.helpers(&[]), ["", "cache", "", &*scene.line()]);
        scene.home.git(&["config", "--global", "user.name", "x"]).assert_ok();
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(scene.helpers(&[]), ["", "cache"]);
    }
}

#[test]
fn without_a_note_our_lines_are_found_by_what_they_call() {
    let scene = Scene::new(&Git::newest());
    scene.setup(&[]).assert_ok();
    fs::remove_dir_all(scene.path(".config/gastown/setup")).unwrap();
    scene.home.git(&["config", "--global", "user.name", "x"]).assert_ok();
    let ran = scene.setup(&["--undo"]);
    assert!(ran.assert_ok().stdout.contains("took the lines of this helper"), "{ran:?}");
    assert_eq!(scene.read(".gitconfig"), "[user]\n\tname = x\n");
}

#[test]
fn without_a_place_named_every_place_is_undone_and_a_dry_run_undoes_none() {
    let scene = Scene::new(&Git::newest());
    let before = scene.snapshot();
    scene.setup(&["--file", "one"]).assert_ok();
    scene.setup(&["--file", "two"]).assert_ok();
    scene.setup(&[]).assert_ok();
    let after = scene.snapshot();
    scene.setup(&["--undo", "--dry-run"]).assert_ok();
    assert_eq!(scene.snapshot(), after);
    scene.setup(&["--undo"]).assert_ok();
    assert_eq!(scene.snapshot(), before);
}

#[test]
fn damaged_note_is_an_error_that_says_how_to_go_on() {
    let scene = Scene::alone(&Git::newest());
    scene.write(".gitconfig", MINE);
    scene.setup(&[]).assert_ok();
    let directory = scene.path(".config/gastown/setup");
    let note = fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&note).unwrap();
    let after = scene.read(".gitconfig");
    for (wrong, is_undo_all) in [
        (String::new(), true),
        ("{}".to_owned(), false),
        (text.replace("\"from\": ", "\"from\": 99999999999"), true),
        (text.replace("\"count\": ", "\"count\": 1844674407370955161"), false),
        (text.replace("\"pieces\": [", "\"pieces\": [{\"text\": \"AAAA\"},"), true),
        (text.replace(".gitconfig", "other"), false),
    ] {
        fs::write(&note, wrong).unwrap();
        let arguments: &[&str] = if is_undo_all { &["--undo"] } else { &["--undo", "--global"] };
        let refused = scene.setup(arguments);
        let said = refused.assert_fails().stdout.clone() + &refused.stderr;
        assert!(said.contains("damaged") && said.contains("[setup-failed]"), "{refused:?}");
        assert!(!said.contains("internal error"), "{refused:?}");
        assert_eq!(scene.read(".gitconfig"), after);
    }
    fs::write(&note, "{").unwrap();
    let refused = scene.setup(&["--undo"]);
    let (_, advice) = refused.stdout.split_once("run this again: ").expect("advice");
    scene.paste(advice.lines().next().unwrap()).assert_ok();
    scene.setup(&["--undo"]).assert_ok();
    assert!(!scene.read(".gitconfig").contains(HELPER));
}

#[test]
fn note_that_others_can_write_is_not_used() {
    let scene = Scene::alone(&Git::newest());
    scene.write(".gitconfig", MINE);
    scene.setup(&[]).assert_ok();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(scene.path(".config/gastown/setup"), open).unwrap();
    let ran = scene.setup(&["--undo"]);
    assert!(ran.assert_ok().stderr.contains("others can write to"), "{ran:?}");
    // git ends the last line, which only the note knows was not ended.
    assert_eq!(scene.read(".gitconfig"), MINE.to_owned() + "\n");
}

#[test]
fn dangling_link_stays() {
    let scene = Scene::alone(&Git::newest());
    symlink("dotfiles/gitconfig", scene.path(".gitconfig")).unwrap();
    fs::create_dir(scene.path("dotfiles")).unwrap();
    scene.setup(&[]).assert_ok();
    assert_eq!(scene.read("dotfiles/gitconfig"), scene.added());
    scene.setup(&["--undo"]).assert_ok();
    assert!(scene.path(".gitconfig").is_symlink());
    assert!(!scene.path("dotfiles/gitconfig").exists());
}

#[test]
fn occupied_gh_changes_nothing_and_what_was_set_up_before_can_be_undone() {
    let scene = Scene::alone(&Git::newest());
    scene.write(".gitconfig", MINE);
    fs::create_dir(scene.path("bin")).unwrap();
    scene.write("bin/gh", "the real one");
    let before = scene.snapshot();
    scene.setup(&["--gh-shim", "bin"]).assert_fails();
    assert_eq!(scene.snapshot(), before);
    scene.setup(&[]).assert_ok();
    scene.setup(&["--rig", "rig-1", "--gh-shim", "bin"]).assert_fails();
    scene.setup(&["--undo"]).assert_ok();
    assert_eq!(scene.snapshot(), before);
}

#[test]
fn note_is_private_and_holds_no_secret_of_the_file() {
    let mut scene = Scene::alone(&Git::newest());
    scene.home.set("GASTOWN_GIT_HOSTS", "one.example,two.example");
    let mine = "[credential \"https://one.example\"]\n\tusername = x\n[http]\n\textraHeader = \
                c2VudGluZWw\n[credential \"https://two.example\"]\n\tusername = x\n";
    scene.write(".gitconfig", mine);
    scene.setup(&[]).assert_ok();
    let note = fs::read_dir(scene.path(".config/gastown/setup")).unwrap().next().unwrap().unwrap();
    let text = fs::read_to_string(note.path()).unwrap();
    for secret in ["c2VudGluZWw", "YzJWdWRHbHVaV3c"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.len() < 2500, "{text}");
    assert_eq!(note.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    scene.setup(&["--undo"]).assert_ok();
    assert_eq!(scene.read(".gitconfig"), mine);
}
