//! `exec`: the command is in our place, with a live token.

use std::collections::BTreeMap;
use std::process::Stdio;

use super::*;

fn exec(scene: &Scene, words: &[&str]) -> Ran {
    scene.helper(&[&["exec", "--"], words].concat())
}

/// Asserts that for this host the token is in these variables, with one that names the host, and
/// that all others are as they were.
#[track_caller]
fn assert_given(scene: &Scene, host: &str, token: &str, names: &[&str], more: &[(&str, &str)]) {
    let arguments = ["exec", "--host", host, "--env", "A_TOKEN", "--env", "B_TOKEN", "--", "env"];
    let ran = scene.helper(&arguments);
    let before = scene.home.run("env", &[], "");
    let mut expected = environment(&before);
    expected.extend(names.iter().chain(&["A_TOKEN", "B_TOKEN"]).map(|name| (*name, token)));
    expected.extend(more.iter().copied());
    assert_eq!(environment(ran.assert_ok()), expected);
}

/// What `env` printed.
fn environment(ran: &Ran) -> BTreeMap<&str, &str> {
    ran.stdout.lines().filter_map(|line| line.split_once('=')).collect()
}

#[test]
fn command_gets_the_variables_of_its_host_and_keeps_all_others() {
    let mut scene = Scene::new();
    let token = scene.current();
    let github = ["GH_TOKEN", "GITHUB_TOKEN", "GIT_TOKEN"];
    let enterprise = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GIT_TOKEN"];
    let named = |host| [("GH_HOST", host)];
    scene.home.set("GH_TOKEN", "ghs_stale").set("EXTRA", "as it was");
    assert_given(&scene, "github.com", &token, &github, &[]);
    assert_given(&scene, "gist.github.com", &token, &github, &[]);
    assert_given(&scene, "town.ghe.com", &token, &github, &named("town.ghe.com"));
    assert_given(&scene, "ghe.example", &token, &enterprise, &named("ghe.example"));
    assert_given(&scene, "ghe.example:8443", &token, &enterprise, &named("ghe.example:8443"));
    // gh would take a token for another tenant's.
    scene.home.set("GH_HOST", "other.ghe.com");
    assert_given(&scene, "github.com", &token, &github, &named("github.com"));
}

#[test]
fn repository_at_another_host_is_taken_out_of_the_environment() {
    let mut scene = Scene::new();
    for (repository, stays) in
        [("evil.example/o/r", false), ("ghe.example/o/r", true), ("o/r", true)]
    {
        scene.home.set("GH_REPO", repository);
        let ran = scene.helper(&["exec", "--host", "ghe.example", "--", "env"]);
        let left = ran.assert_ok().value("GH_REPO");
        assert_eq!(left, stays.then_some(repository), "{ran:?}");
    }
}

#[test]
fn command_for_gitlab_gets_none_of_githubs_variables() {
    let mut scene = Scene::new();
    scene.home.set("GITLAB_TOKEN", "glpat-mine").set("GITLAB_INSTANCE_URL", "https://git.example");
    let names = ["GITLAB_TOKEN", "GIT_TOKEN"];
    let named = [("GITLAB_HOST", "git.example")];
    assert_given(&scene, "git.example", "glpat-mine", &names, &named);
    scene.home.unset("GITLAB_INSTANCE_URL");
    assert_given(&scene, "gitlab.com", "glpat-mine", &names, &[]);
    assert_eq!(scene.calls(), 0);
}

#[test]
fn long_lived_gh_token_of_the_user_stays() {
    let mut scene = Scene::new();
    scene.home.set("GH_TOKEN", "ghp_mine");
    let ran = scene.helper(&["exec", "--host", "github.com", "--", "env"]);
    let token = scene.current();
    let given = ["GH_TOKEN", "GITHUB_TOKEN"].map(|name| ran.value(name));
    assert_eq!(given, [Some("ghp_mine"), Some(&*token)], "{ran:?}");
}

#[test]
fn the_command_is_the_same_process_with_its_words_untouched() {
    let scene = Scene::new();
    let mut command = scene.command(&["exec", "--", "sh", "-c", "echo $$ \"$@\"", "sh"]);
    command.args(["--host", "-v", "--", "a b"]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let expected = format!("{pid} --host -v -- a b\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let scene = Scene::new();
    assert_eq!(exec(&scene, &["sh", "-c", "exit 7"]).code, 7);
    assert_eq!(exec(&scene, &["sh", "-c", "kill -TERM $$"]).code, 128 + 15);
    assert_eq!(exec(&scene, &["sh", "-c", "cat"]).code, 0);
}

#[test]
fn a_script_without_an_interpreter_line_is_run_by_the_shell() {
    let scene = Scene::new();
    let text = scene.write("bare.txt", "echo $0: ${GIT_TOKEN%%_*} $1; exit 7\n");
    scene.install(text, "bare");
    let ran = exec(&scene, &["./bare", "two words"]);
    assert_eq!((ran.code, &*ran.stdout), (7, "./bare: ghs two words\n"));
}

#[test]
fn without_a_token_nothing_runs_and_the_code_is_125() {
    let scene = Scene::new();
    scene.worker.go_down();
    let ran = exec(&scene, &["touch", "ran"]);
    assert_fails(&ran, 125, &["[worker-unreachable]", "; tried: "]);
    assert!(!scene.path("ran").exists());
}

#[test]
fn what_cannot_run_is_126_or_127_and_costs_no_token() {
    let mut scene = Scene::new();
    fs::create_dir_all(scene.path("bin/directory")).unwrap();
    scene.write("bin/plain", "text");
    let path = scene.path("bin");
    scene.home.set("PATH", format!("{}:/usr/bin:/bin", path.display()));
    assert_fails(&exec(&scene, &["plain"]), 126, &["check its mode"]);
    assert_fails(&exec(&scene, &["directory"]), 127, &["on PATH"]);
    assert_fails(&exec(&scene, &["nosuch"]), 127, &["on PATH"]);
    assert_fails(&exec(&scene, &[""]), 127, &[]);
    assert_eq!(scene.calls(), 0);
    // Of a path only trying tells.
    assert_fails(&exec(&scene, &["bin/plain"]), 126, &["check its mode"]);
    assert_fails(&exec(&scene, &["bin/nosuch"]), 127, &["check the path"]);
    scene.install(scene.write("orphan.txt", "#!/no/such/interpreter\n"), "bin/orphan");
    assert_fails(&exec(&scene, &["orphan"]), 127, &["interpreter"]);
}

#[test]
fn a_command_without_dashes_a_variable_without_a_name_and_a_word_too_many_are_usage_errors() {
    let scene = Scene::new();
    for words in [
        "exec env",
        "exec --",
        "exec --env A=B -- env",
        "status foo",
        "refresh a b",
        "doctor foo",
        "token --min-life 25",
    ] {
        let ran = scene.helper(&words.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{ran:?}");
    }
}
