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
        assert_eq!(scene.helpers(&[]), ["", "cache", "", HELPER]);
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
fn the_note_holds_no_secret_of_the_file_and_is_private() {
    let scene = Scene::new(&Git::newest());
    let secret = "AUTHORIZATION: basic c2VudGluZWw=";
    scene.write(".gitconfig", &format!("[http]\n\textraHeader = \"{secret}\"\n"));
    scene.setup(&[]).assert_ok();
    let notes: Vec<_> = fs::read_dir(scene.path(".config/gastown/setup")).unwrap().collect();
    assert_eq!(notes.len(), 1);
    let note = notes[0].as_ref().unwrap();
    let text = fs::read_to_string(note.path()).unwrap();
    assert!(!text.contains("c2VudGluZWw"), "{text}");
    assert_eq!(note.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}
