//! `exec`: the command is in our place, with a live token.

use std::collections::BTreeMap;
use std::process::Stdio;

use super::*;
use crate::town::RIG;

fn exec(home: &Home, words: &[&str]) -> Ran {
    home.helper(&[&["exec", "--"], words].concat(), "")
}

/// Asserts that for this host the token is in these variables, with one that names the host, and
/// that all others are as they were.
#[track_caller]
fn assert_given(home: &Home, host: &str, token: &str, names: &[&str], more: &[(&str, &str)]) {
    let arguments = ["exec", "--host", host, "--env", "A_TOKEN", "--env", "B_TOKEN", "--", "env"];
    let ran = home.helper(&arguments, "");
    let before = Ran::run(home.command("env"), b"");
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
    let (town, mut home) = settled();
    let token = town.worker.token_for(RIG);
    let github = ["GH_TOKEN", "GITHUB_TOKEN", "GIT_TOKEN"];
    let enterprise = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GIT_TOKEN"];
    let named = |host| [("GH_HOST", host)];
    home.set("GH_TOKEN", "ghs_stale").set("EXTRA", "as it was");
    assert_given(&home, "github.com", &token, &github, &[]);
    assert_given(&home, "gist.github.com", &token, &github, &[]);
    assert_given(&home, "town.ghe.com", &token, &github, &named("town.ghe.com"));
    assert_given(&home, "ghe.example", &token, &enterprise, &named("ghe.example"));
    assert_given(&home, "ghe.example:8443", &token, &enterprise, &named("ghe.example:8443"));
    // gh would take a token for another tenant's.
    home.set("GH_HOST", "other.ghe.com");
    assert_given(&home, "github.com", &token, &github, &named("github.com"));
}

#[test]
fn repository_at_another_host_is_taken_out_of_the_environment() {
    let (_town, mut home) = settled();
    for (repository, stays) in
        [("evil.example/o/r", false), ("ghe.example/o/r", true), ("o/r", true)]
    {
        home.set("GH_REPO", repository);
        let ran = home.helper(&["exec", "--host", "ghe.example", "--", "env"], "");
        let left = variable(&ran.assert_ok().stdout, "GH_REPO");
        assert_eq!(left, stays.then_some(repository), "{ran:?}");
    }
}

#[test]
fn command_for_gitlab_gets_none_of_githubs_variables() {
    let (town, mut home) = settled();
    home.set("GITLAB_TOKEN", "glpat-mine").set("GITLAB_INSTANCE_URL", "https://git.example");
    let names = ["GITLAB_TOKEN", "GIT_TOKEN"];
    let named = [("GITLAB_HOST", "git.example")];
    assert_given(&home, "git.example", "glpat-mine", &names, &named);
    home.unset("GITLAB_INSTANCE_URL");
    assert_given(&home, "gitlab.com", "glpat-mine", &names, &[]);
    assert_eq!(town.worker.git_token_calls(), 0);
}

#[test]
fn long_lived_gh_token_of_the_user_stays() {
    let (town, mut home) = settled();
    home.set("GH_TOKEN", "ghp_mine");
    let ran = home.helper(&["exec", "--host", "github.com", "--", "env"], "");
    let token = town.worker.token_for(RIG);
    let given = ["GH_TOKEN", "GITHUB_TOKEN"].map(|name| variable(&ran.stdout, name));
    assert_eq!(given, [Some("ghp_mine"), Some(&*token)], "{ran:?}");
}

#[test]
fn the_command_is_the_same_process_with_its_words_untouched() {
    let (_town, home) = settled();
    let mut command = home.command(HELPER);
    command.args(["exec", "--", "sh", "-c", "echo $$ \"$@\"", "sh", "--host", "-v", "--", "a b"]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let expected = format!("{pid} --host -v -- a b\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let (_town, home) = settled();
    assert_eq!(exec(&home, &["sh", "-c", "exit 7"]).code, 7);
    assert_eq!(exec(&home, &["sh", "-c", "kill -TERM $$"]).code, 128 + 15);
    assert_eq!(exec(&home, &["sh", "-c", "cat"]).code, 0);
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell() {
    let (_town, home) = settled();
    fs::write(home.path().join("bare.txt"), "echo $0: ${GIT_TOKEN%%_*} $1; exit 7\n").unwrap();
    installed(&home, &home.path().join("bare.txt"), "bare");
    let ran = exec(&home, &["./bare", "two words"]);
    assert_eq!((ran.code, &*ran.stdout), (7, "./bare: ghs two words\n"));
}

#[test]
fn without_a_token_nothing_runs_and_the_code_is_125() {
    let (town, home) = settled();
    town.worker.go_down();
    let ran = exec(&home, &["touch", "ran"]);
    assert_fails(&ran, 125, &["[worker-unreachable]", "; tried: "]);
    assert!(!home.path().join("ran").exists());
}

#[test]
fn what_cannot_run_is_126_or_127_and_costs_no_token() {
    let (town, mut home) = settled();
    fs::create_dir_all(home.path().join("bin/directory")).unwrap();
    fs::write(home.path().join("bin/plain"), "text").unwrap();
    let path = home.path().join("bin");
    home.set("PATH", &format!("{}:/usr/bin:/bin", path.display()));
    assert_fails(&exec(&home, &["plain"]), 126, &["check its mode"]);
    assert_fails(&exec(&home, &["directory"]), 127, &["on PATH"]);
    assert_fails(&exec(&home, &["nosuch"]), 127, &["on PATH"]);
    assert_fails(&exec(&home, &[""]), 127, &[]);
    assert_eq!(town.worker.git_token_calls(), 0);
    // Of a path only trying tells.
    assert_fails(&exec(&home, &["bin/plain"]), 126, &["check its mode"]);
    assert_fails(&exec(&home, &["bin/nosuch"]), 127, &["check the path"]);
    fs::write(home.path().join("orphan.txt"), "#!/no/such/interpreter\n").unwrap();
    installed(&home, &home.path().join("orphan.txt"), "bin/orphan");
    assert_fails(&exec(&home, &["orphan"]), 127, &["interpreter"]);
}

#[test]
fn the_current_directory_is_not_searched() {
    let (_town, mut home) = settled();
    script(&home, "trap", "echo trapped");
    script(&home, "gh", "echo trapped");
    for path in ["", ".", ":", "./:relative"] {
        home.set("PATH", path);
        assert_fails(&home.helper(&["gh"], ""), 127, &["apt-get install gh"]);
        for more in ["", ":/usr/bin"] {
            home.set("PATH", &format!("{path}{more}"));
            assert_fails(&exec(&home, &["trap"]), 127, &["on PATH"]);
        }
    }
    assert_eq!(exec(&home, &["./trap"]).assert_ok().stdout, "trapped\n");
}

#[test]
fn a_command_without_dashes_a_variable_without_a_name_and_a_word_too_many_are_usage_errors() {
    let (_town, home) = settled();
    for words in [
        "exec env",
        "exec --",
        "exec --env A=B -- env",
        "status foo",
        "refresh a b",
        "doctor foo",
        "token --min-life 25",
    ] {
        let ran = home.helper(&words.split(' ').collect::<Vec<_>>(), "");
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{ran:?}");
    }
}
