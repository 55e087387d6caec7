//! For agents with other homes.

use super::*;

/// The variables that a shell holds after evaluating what was printed.
fn evaluate(scene: &Scene, printed: &str) -> Vec<(String, String)> {
    let script = "eval \"$0\"; env | grep ^GIT_CONFIG_";
    let listed = scene.home.run("/bin/sh", &["-c", script, printed], "");
    let pairs = listed.stdout.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_push_works_with_the_printed_environment_alone() {
    for mut scene in Scene::each_git() {
        let before = scene.snapshot();
        let cache = scene.path("it's here");
        let printed = scene.setup(&["--print-env", "--cache-dir", cache.to_str().unwrap()]);
        assert_eq!(scene.snapshot(), before, "nothing is written");
        for (name, value) in evaluate(&scene, &printed.assert_ok().stdout) {
            scene.home.set(&name, &value);
        }
        scene.clone_and_push();
        assert!(cache.is_dir());
    }
}

#[test]
fn what_the_environment_sets_already_stays_and_is_not_repeated() {
    let mut scene = Scene::to_set_up(&Git::newest());
    scene.home.set("GIT_CONFIG_COUNT", "1");
    scene.home.set("GIT_CONFIG_KEY_0", "user.name");
    scene.home.set("GIT_CONFIG_VALUE_0", "somebody");
    let printed = scene.setup(&["--print-env"]).assert_ok().stdout.clone();
    assert!(printed.contains("export GIT_CONFIG_COUNT='3'\n"), "{printed}");
    assert!(printed.lines().all(|line| line.starts_with("export GIT_CONFIG_")), "{printed}");
    for (name, value) in evaluate(&scene, &printed) {
        scene.home.set(&name, &value);
    }
    assert_eq!(scene.home.git(&["config", "user.name"]).stdout, "somebody\n");
    let again = scene.setup(&["--print-env"]);
    assert_eq!(again.assert_ok().stdout, "export GIT_CONFIG_COUNT='3'\n");
}

#[test]
fn nothing_but_the_environment_is_printed_where_a_shell_starts() {
    let mut scene = Scene::alone();
    scene.home.set("GASTOWN_CACHE_DIR", "not/absolute");
    let printed = scene.setup(&["--print-env"]);
    assert_eq!(printed.assert_ok().stderr, "", "{printed:?}");
    assert!(scene.setup(&["--dry-run"]).stderr.contains("warning"), "elsewhere it is told");
}
