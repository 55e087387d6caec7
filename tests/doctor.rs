//! Diagnosing: each broken link is found, named with what mends it, and weighed by whether a push
//! would fail over it; and nothing that is said holds a secret.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::town::{Git, Home, Ran, Town};
use crate::transcript::{HELPER, REPOSITORY};

/// Lines of git's configuration that get in the way.
mod configuration;
/// The machine, the cache and the environment.
mod machine;
/// Safe to paste.
mod secrets;
/// The worker and what it says.
mod worker;

struct Scene {
    town: Town,
    home: Home,
}

/// What doctor found, and what it ended with.
struct Diagnosis {
    ran: Ran,
    findings: Vec<Value>,
}

impl Scene {
    /// An agent with everything in order, and a clone in `app`.
    fn new(git: &Git) -> Self {
        let town = Town::start();
        town.github.create_repository(REPOSITORY);
        let mut home = Home::new(Path::new(HELPER), git);
        home.as_agent(&town).configure_helper(&town);
        home.git(&["clone", "--quiet", &town.github.url(REPOSITORY), "app"]).assert_ok();
        Self { town, home }
    }

    fn newest() -> Self {
        Self::new(&Git::newest())
    }

    fn host(&self) -> String {
        format!("http://{}", self.town.github.host())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn git(&self, arguments: &[&str]) {
        self.home.git_in("app", arguments).assert_ok();
    }

    fn forget_cache(&self) {
        fs::remove_dir_all(self.home.cache()).expect("there is a cache");
        self.town.worker.forget_calls();
    }

    /// In the clone.
    fn doctor(&self, arguments: &[&str]) -> Ran {
        let mut doctor = self.home.command(HELPER);
        doctor.arg("doctor").args(arguments).current_dir(self.path("app"));
        Ran::run(doctor, b"")
    }

    fn diagnose(&self, arguments: &[&str]) -> Diagnosis {
        let ran = self.doctor(&[&["--json"], arguments].concat());
        let report: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("not JSON: {error}\n{ran:?}"));
        let findings = report["findings"].as_array().expect("a list").clone();
        let fails = findings.iter().any(|finding| finding["verdict"] == "fail");
        assert_eq!(report["push_would_succeed"], !fails, "{ran:?}");
        assert_eq!(ran.code, i32::from(fails), "{ran:?}");
        Diagnosis { ran, findings }
    }
}

impl Diagnosis {
    /// That this is said of a link, with what mends it.
    #[track_caller]
    fn finds(&self, link: &str, verdict: &str, what: &str, mend: &str) -> &Self {
        let has = |finding: &Value, key: &str, words: &str| {
            finding[key].as_str().unwrap_or_default().contains(words)
        };
        let found = self.findings.iter().any(|finding| {
            finding["link"] == link
                && finding["verdict"] == verdict
                && has(finding, "what", what)
                && has(finding, "mend", mend)
        });
        assert!(found, "{link}: {verdict}, {what:?}, {mend:?}\n{:?}", self.ran);
        self
    }

    #[track_caller]
    fn succeeds(&self) -> &Self {
        assert_eq!(self.ran.code, 0, "{:?}", self.ran);
        self
    }

    #[track_caller]
    fn fails(&self) -> &Self {
        assert_eq!(self.ran.code, 1, "{:?}", self.ran);
        self
    }
}

#[test]
fn where_everything_is_in_order_it_says_so() {
    for git in Git::all() {
        let scene = Scene::new(&git);
        let url = scene.town.github.url(REPOSITORY);
        let diagnosis = scene.diagnose(&["--online", &url]);
        let expected = if git.heals() { vec!["ok"] } else { vec!["warn", "ok"] };
        for finding in &diagnosis.findings {
            let verdict = finding["verdict"].as_str().unwrap();
            assert!(expected.contains(&verdict), "{finding}");
            assert!(verdict == "ok" || finding["link"] == "git", "{finding}");
        }
        diagnosis.finds("git credential fill", "ok", "this helper's token", "");
        diagnosis.finds("git ls-remote", "ok", "1 branches", "");
        diagnosis.finds("rig", "ok", "rig-1", "");
        diagnosis.finds("settings", "ok", "(from GASTOWN_API_URL)", "");

        let told = scene.doctor(&[]);
        assert!(told.assert_ok().stdout.contains("\na push would succeed"), "{told:?}");
        assert_eq!(told.stderr, "");
    }
}

#[test]
fn offline_asks_nobody_and_says_so() {
    let scene = Scene::newest();
    scene.town.worker.forget_calls();
    scene.town.github.forget_requests();
    let diagnosis = scene.diagnose(&["--offline"]);
    diagnosis.succeeds();
    for link in ["token", "worker", "git credential fill"] {
        diagnosis.finds(link, "skip", "--offline", "");
    }
    assert!(scene.town.worker.calls().is_empty());
    assert!(scene.town.github.requests().is_empty());
    let told = scene.doctor(&["--offline"]);
    assert!(told.stdout.contains("as far as can be told offline"), "{told:?}");
    assert_eq!(scene.doctor(&["--offline", "--online", "x"]).code, 2);
}

#[test]
fn it_works_outside_of_a_repository_and_without_any_setting() {
    let scene = Scene::newest();
    let mut bare = Home::new(Path::new(HELPER), &Git::newest());
    let ran = bare.helper(&["doctor"], "");
    assert_eq!(ran.code, 1, "{ran:?}");
    for words in
        ["worker: unset", "export GASTOWN_API_URL", "git asks no helper", "[config-missing]"]
    {
        assert!(ran.stdout.contains(words), "{words}\n{ran:?}");
    }
    bare.set("GITHUB_CLI_PAT", "ghp_sentinel");
    let helper = scene.home.helper_path().to_str().unwrap();
    bare.git(&["config", "--global", "credential.helper", helper]).assert_ok();
    let ran = bare.helper(&["doctor"], "");
    assert!(ran.assert_ok().stdout.contains("warn  settings: worker: unset"), "{ran:?}");
}
