//! Whose token it is: the rig from the flag, from the directory that git runs in, from the
//! environment, from the config file, in that order; and never another rig's.

use std::fs;
use std::os::unix::fs::symlink;

use crate::town::{Git, Home, RIG, Rig, Town};
use crate::transcript::*;

const OTHER: &str = "rig-2";

/// A town with two rigs, and its mayor at work: `rigs` is the workspace, with a directory each.
fn mayor() -> (Town, Home) {
    let town = Town::start();
    town.github.create_repository(REPOSITORY);
    town.worker.add_rig(OTHER, Rig::Installation);
    let mut home = configured(&town, &Git::newest());
    let workspace = home.path().join("rigs");
    for rig in [RIG, OTHER, "mayor-town-1"] {
        fs::create_dir_all(workspace.join(rig).join("deep")).expect("the home is writable");
    }
    home.set("GASTOWN_WORKSPACE_ROOT", &workspace.to_string_lossy());
    home.set("GASTOWN_RIG_ID", "mayor-town-1");
    (town, home)
}

/// The rig whose token an agent gets in that directory, with these flags.
fn rig_of(town: &Town, home: &Home, directory: &str, flags: &[&str]) -> String {
    let mut helper = home.command(HELPER);
    helper.arg("get").args(flags).current_dir(home.path().join(directory));
    let ran = crate::town::Ran::run(helper, request(town).as_bytes());
    let token = token(&ran);
    let owns = |rig: &&str| town.worker.minted_for(rig).contains(&token);
    let owner = [RIG, OTHER, "rig-3"].into_iter().find(owns);
    owner.unwrap_or_else(|| panic!("nobody's token\n{ran:?}")).to_owned()
}

#[test]
fn a_push_from_a_rigs_worktree_uses_that_rigs_token() {
    for git in Git::all() {
        let (town, mayor) = mayor();
        let mut home = configured(&town, &git);
        home.set("GASTOWN_RIG_ID", "mayor-town-1");
        let workspace = mayor.path().join("rigs");
        home.set("GASTOWN_WORKSPACE_ROOT", &workspace.to_string_lossy());
        let (bare, worktree) = (workspace.join(OTHER).join("repo.git"), workspace.join(OTHER));
        let worktree = worktree.join("polecats/amber");
        let url = town.github.url(REPOSITORY);
        let (bare_path, path) = (bare.to_string_lossy(), worktree.to_string_lossy());
        home.git_in(workspace.join(OTHER), &["clone", "--bare", &url, &bare_path]).assert_ok();
        home.git_in(&bare, &["worktree", "add", "-b", "amber", &path]).assert_ok();
        let ran = home.git_in(&worktree, &["push", "--quiet", "origin", "amber"]);
        assert_silently(&ran, "");
        assert!(town.github.commit_at(REPOSITORY, "amber").is_some());
        let [token] = &town.worker.minted_for(OTHER)[..] else { panic!("one token") };
        let requests = town.github.requests().into_iter();
        let used: Vec<_> = requests.filter_map(|request| request.token).collect();
        assert!(!used.is_empty() && used.iter().all(|it| it == token), "{used:?}");
        assert_eq!((town.worker.minted(), calls(&town)), (1, (1, 0)));
    }
}

#[test]
fn a_flag_wins_over_the_directory_which_wins_over_the_environment() {
    let (town, mut home) = mayor();
    assert_eq!(rig_of(&town, &home, "rigs/rig-2", &[]), OTHER);
    assert_eq!(rig_of(&town, &home, "rigs/rig-2/deep", &[]), OTHER);
    assert_eq!(rig_of(&town, &home, "rigs/rig-2/deep", &["--rig", RIG]), RIG);
    home.set("GASTOWN_RIG_ID", RIG);
    assert_eq!(rig_of(&town, &home, "rigs/rig-2/deep", &[]), OTHER);
    assert_eq!(rig_of(&town, &home, "rigs", &[]), RIG);
    assert_eq!(rig_of(&town, &home, ".", &[]), RIG);
    assert_eq!(rig_of(&town, &home, "rigs/mayor-town-1/deep", &[]), RIG);
}

#[test]
fn the_config_file_names_the_rig_when_nothing_else_does() {
    let (town, mut home) = mayor();
    town.worker.add_rig("rig-3", Rig::Installation);
    let workspace = home.path().join("rigs");
    home.unset("GASTOWN_WORKSPACE_ROOT").unset("GASTOWN_RIG_ID");
    let config = serde_json::json!({ "rig_id": "rig-3", "workspace_root": workspace });
    let file = home.path().join("config.json");
    fs::write(&file, config.to_string()).expect("the home is writable");
    home.set("GASTOWN_CONFIG", &file.to_string_lossy());
    assert_eq!(rig_of(&town, &home, ".", &[]), "rig-3");
    assert_eq!(rig_of(&town, &home, "rigs/rig-2", &[]), OTHER);
    home.set("GASTOWN_RIG_ID", RIG);
    assert_eq!(rig_of(&town, &home, ".", &[]), RIG);
}

#[test]
fn a_workspace_behind_a_link_is_recognised() {
    let (town, mut home) = mayor();
    let link = home.path().join("link");
    symlink(home.path().join("rigs"), &link).expect("the home is writable");
    assert_eq!(rig_of(&town, &home, "link/rig-2", &[]), OTHER);
    home.set("GASTOWN_WORKSPACE_ROOT", &link.to_string_lossy());
    assert_eq!(rig_of(&town, &home, "rigs/rig-2", &[]), OTHER);
    assert_eq!(rig_of(&town, &home, "link/rig-2", &[]), OTHER);
}

#[test]
fn one_rigs_token_never_answers_for_another() {
    let (town, home) = mayor();
    for _ in 0..2 {
        assert_eq!(rig_of(&town, &home, "rigs/rig-1", &[]), RIG);
        assert_eq!(rig_of(&town, &home, "rigs/rig-2", &[]), OTHER);
    }
    assert_eq!(calls(&town), (2, 0), "each is cached under its own name");
}

#[test]
fn an_id_that_could_steer_a_url_or_a_file_name_is_refused() {
    let (town, mut home) = mayor();
    let long = "r".repeat(129);
    for id in ["../rig-1", "rig-1/..", ".", "..", "rig 1", "rig-1?x", "rig%2D1", "ríg", &long] {
        for (variable, other) in
            [("GASTOWN_RIG_ID", "GASTOWN_TOWN_ID"), ("GASTOWN_TOWN_ID", "GASTOWN_RIG_ID")]
        {
            home.set(variable, id).set(other, "fine");
            let ran = get(&home, &town);
            assert_fails_as(&ran, "config-missing");
            assert!(ran.stderr.contains(variable) && !ran.stderr.contains(other), "{ran:?}");
        }
    }
    assert_eq!(town.worker.calls().len(), 0);
    assert!(home.cache_files().is_empty());
}

#[test]
fn the_mayor_outside_of_any_rig_is_told_where_to_go() {
    let (town, home) = mayor();
    let ran = get(&home, &town);
    assert_fails_as(&ran, "rig-not-found");
    assert!(ran.stderr.contains("mayor-town-1") && ran.stderr.contains("worktree"), "{ran:?}");
}

#[test]
fn unknown_rig_is_told_with_where_its_id_comes_from() {
    let (town, mut home) = mayor();
    fs::create_dir_all(home.path().join("rigs/rig-9")).expect("the home is writable");
    let ask = |home: &Home, directory: &str| {
        let mut helper = home.command(HELPER);
        helper.arg("get").current_dir(home.path().join(directory));
        crate::town::Ran::run(helper, request(&town).as_bytes())
    };
    let ran = ask(&home, "rigs/rig-9");
    assert_fails_as(&ran, "rig-not-found");
    assert!(ran.stderr.contains("from the working directory"), "{ran:?}");
    assert!(!ran.stderr.contains("set GASTOWN_RIG_ID"), "the directory overrules it\n{ran:?}");
    home.set("GASTOWN_RIG_ID", "rig-8");
    let ran = ask(&home, ".");
    assert_fails_as(&ran, "rig-not-found");
    assert!(
        ran.stderr.contains("from GASTOWN_RIG_ID") && ran.stderr.contains("set GASTOWN_RIG_ID")
    );
    let ran = home.helper(&["get", "--rig", "rig-7"], &request(&town));
    assert!(ran.stderr.contains("from --rig") && ran.stderr.contains("give --rig another id"));
}
