//! The link `gh`.

use super::*;

#[test]
fn undo_keeps_a_link_that_was_there_before_setup() {
    let scene = Scene::alone();
    fs::create_dir(scene.path("bin")).unwrap();
    symlink(HELPER, scene.path("bin/gh")).unwrap();
    scene.setup(&["--gh-shim", "bin"]).assert_ok().tells("already a link");
    scene.setup(&["--undo"]).assert_ok();
    assert!(scene.path("bin/gh").is_symlink());
}

#[test]
fn the_link_is_made_once_in_the_place_of_an_older_one_and_undone() {
    let scene = Scene::alone();
    fs::create_dir(scene.path("bin")).unwrap();
    symlink("/gone/git-credential-gastown", scene.path("bin/gh")).unwrap();
    scene.setup(&["--gh-shim", "bin"]).assert_ok();
    assert_eq!(fs::read_link(scene.path("bin/gh")).unwrap(), Path::new(HELPER));
    scene.setup(&["--gh-shim", "bin"]).assert_ok().tells("already a link");
    scene.setup(&["--undo"]).assert_ok();
    assert!(!scene.path("bin/gh").is_symlink());
}

#[test]
fn what_is_not_ours_is_neither_replaced_nor_removed() {
    let scene = Scene::alone();
    for directory in ["file", "link"] {
        fs::create_dir(scene.path(directory)).unwrap();
    }
    scene.write("file/gh", "the real one");
    symlink("/usr/bin/gh", scene.path("link/gh")).unwrap();
    for directory in ["file", "link"] {
        scene.setup(&["--gh-shim", directory]).assert_fails().mentions("[setup-failed]");
        scene.setup(&["--undo", "--gh-shim", directory]).assert_ok();
    }
    assert_eq!(scene.read("file/gh"), "the real one");
    assert_eq!(fs::read_link(scene.path("link/gh")).unwrap(), Path::new("/usr/bin/gh"));
    scene.setup(&["--gh-shim", "missing"]).assert_fails();
}
