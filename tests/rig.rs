//! Whose token it is: the rig from the flag, from the directory that git runs in, from the
//! environment, from the config file, in that order; and never another rig's.

use std::fs;
use std::os::unix::fs::symlink;

use crate::scene::*;
use crate::town::{Git, RIG, Ran, Rig};

const OTHER: &str = "rig-2";

/// A town with two rigs, and its mayor at work: `rigs` is the workspace, with a directory each.
fn mayor(git: &Git) -> Scene {
    let mut scene = Scene::configured(git);
    scene.worker.add_rig(OTHER, Rig::Installation);
    let workspace = scene.path("rigs");
    for rig in [RIG, OTHER, "mayor-town-1"] {
        fs::create_dir_all(workspace.join(rig).join("deep")).expect("the home is writable");
    }
    scene.home.set("GASTOWN_WORKSPACE_ROOT", &workspace);
    scene.home.set("GASTOWN_RIG_ID", "mayor-town-1");
    scene
}

fn get_in(scene: &Scene, directory: &str, flags: &[&str]) -> Ran {
    scene.home.run_in(directory, HELPER, &[&["get"], flags].concat(), &scene.request())
}

/// The rig whose token an agent gets in that directory, with these flags.
fn rig_of(scene: &Scene, directory: &str, flags: &[&str]) -> &'static str {
    let token = get_in(scene, directory, flags).token();
    let owns = |rig: &&str| scene.worker.minted_for(rig).contains(&token);
    [RIG, OTHER, "rig-3"].into_iter().find(owns).expect("the token is some rig's")
}

#[test]
fn a_push_from_a_rigs_worktree_uses_that_rigs_token() {
    for git in Git::all() {
        let scene = mayor(&git);
        let home = scene.path("rigs").join(OTHER);
        let (bare, worktree) = (home.join("repo.git"), home.join("polecats/amber"));
        let (bare_path, path) = (bare.to_string_lossy(), worktree.to_string_lossy());
        let clone = ["clone", "--bare", &scene.github.url(REPOSITORY), &bare_path];
        scene.home.git_in(&home, &clone).assert_ok();
        scene.home.git_in(&bare, &["worktree", "add", "-b", "amber", &path]).assert_ok();
        scene.home.git_in(&worktree, &["push", "--quiet", "origin", "amber"]).prints("");
        assert!(scene.github.commit_at(REPOSITORY, "amber").is_some());
        let [token] = &scene.worker.minted_for(OTHER)[..] else { panic!("one token") };
        let requests = scene.github.requests().into_iter();
        let used: Vec<_> = requests.filter_map(|request| request.token).collect();
        assert!(!used.is_empty() && used.iter().all(|it| it == token), "{used:?}");
        assert_eq!((scene.worker.minted(), scene.both_calls()), (1, (1, 0)));
    }
}

#[test]
fn a_flag_wins_over_the_directory_which_wins_over_the_environment() {
    let mut scene = mayor(&Git::newest());
    assert_eq!(rig_of(&scene, "rigs/rig-2", &[]), OTHER);
    assert_eq!(rig_of(&scene, "rigs/rig-2/deep", &[]), OTHER);
    assert_eq!(rig_of(&scene, "rigs/rig-2/deep", &["--rig", RIG]), RIG);
    scene.home.set("GASTOWN_RIG_ID", RIG);
    assert_eq!(rig_of(&scene, "rigs/rig-2/deep", &[]), OTHER);
    assert_eq!(rig_of(&scene, "rigs", &[]), RIG);
    assert_eq!(rig_of(&scene, ".", &[]), RIG);
    assert_eq!(rig_of(&scene, "rigs/mayor-town-1/deep", &[]), RIG);
}

#[test]
fn the_config_file_names_the_rig_when_nothing_else_does() {
    let mut scene = mayor(&Git::newest());
    scene.worker.add_rig("rig-3", Rig::Installation);
    let workspace = scene.path("rigs");
    scene.home.unset("GASTOWN_WORKSPACE_ROOT").unset("GASTOWN_RIG_ID");
    let config = serde_json::json!({ "rig_id": "rig-3", "workspace_root": workspace });
    let file = scene.write("config.json", config.to_string());
    scene.home.set("GASTOWN_CONFIG", &file);
    assert_eq!(rig_of(&scene, ".", &[]), "rig-3");
    assert_eq!(rig_of(&scene, "rigs/rig-2", &[]), OTHER);
    scene.home.set("GASTOWN_RIG_ID", RIG);
    assert_eq!(rig_of(&scene, ".", &[]), RIG);
}

#[test]
fn a_workspace_behind_a_link_is_recognised() {
    let mut scene = mayor(&Git::newest());
    let link = scene.path("link");
    symlink(scene.path("rigs"), &link).expect("the home is writable");
    assert_eq!(rig_of(&scene, "link/rig-2", &[]), OTHER);
    scene.home.set("GASTOWN_WORKSPACE_ROOT", &link);
    assert_eq!(rig_of(&scene, "rigs/rig-2", &[]), OTHER);
    assert_eq!(rig_of(&scene, "link/rig-2", &[]), OTHER);
}

#[test]
fn unknown_rig_is_told_with_where_its_id_comes_from() {
    let scene = mayor(&Git::newest());
    fs::create_dir_all(scene.path("rigs/rig-9")).expect("the home is writable");
    let quits = |directory: &str, flags: &[&str]| {
        let ran = get_in(&scene, directory, flags);
        ran.quits("rig-not-found");
        ran
    };
    // The directory overrules the variable.
    let ran = quits("rigs/rig-9", &[]);
    ran.mentions("from the working directory").never_says("set GASTOWN_RIG");
    ran.mentions("run here: git credential-gastown setup --local --rig RIG");
    let rig_9 = scene.home.path().join("rigs/rig-9");
    scene.home.git_in(&rig_9, &["init", "--quiet"]).assert_ok();
    let asks = || scene.home.git_in(&rig_9, &["ls-remote", &scene.github.url(REPOSITORY)]);
    asks().assert_fails().mentions("[rig-not-found]");
    scene.home.run_in(&rig_9, HELPER, &["setup", "--local", "--rig", RIG], "").assert_ok();
    asks().assert_ok();
    // The mayor, outside of any rig.
    let ran = quits(".", &[]);
    ran.mentions("mayor-town-1").mentions("from GASTOWN_RIG_ID").mentions("set GASTOWN_RIG_ID");
    quits(".", &["--rig", "rig-7"]).mentions("from --rig").mentions("give --rig another id");
}
