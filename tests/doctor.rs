//! Each cause is told once, with what fixes it and whether a push would fail over it; that a push
//! would succeed is said only if the server said so; and nothing that is said holds a secret.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::scene::{A_WHILE, HELPER, REPOSITORY, Scene, set_mode};
use crate::town::{Git, Home, Ran};

/// Lines of git's configuration that get in the way.
mod configuration;
/// The machine, the cache and the environment.
mod machine;
/// Safe to paste.
mod secrets;
/// What the server of the repository says.
mod server;
/// The settings, the worker and what it says.
mod source;

/// What doctor found, and what it ended with.
#[derive(Debug)]
struct Diagnosis {
    ran: Ran,
    report: Value,
}

/// With everything in order, and a clone in `app`.
impl Scene {
    fn in_order() -> Self {
        Self::cloned(&Git::newest())
    }

    /// A scene with each git in turn.
    fn each_in_order() -> impl Iterator<Item = Self> {
        Git::all().into_iter().map(|git| Self::cloned(&git))
    }

    fn git(&self, arguments: &[&str]) {
        self.home.git_in("app", arguments).assert_ok();
    }

    fn paste_fix(&self, command: &str) {
        self.paste_in("app", command).assert_ok();
    }

    fn forget_cache(&self) {
        fs::remove_dir_all(self.home.cache()).expect("there is a cache");
        self.worker.forget_calls();
    }

    /// In the clone.
    fn doctor(&self, arguments: &[&str]) -> Ran {
        self.doctor_in("app", arguments)
    }

    fn doctor_in(&self, directory: &str, arguments: &[&str]) -> Ran {
        self.home.run_in(directory, HELPER, &[&["doctor"], arguments].concat(), "")
    }

    /// Asserts that a problem is told, and that what is named as its fix, pasted in the clone,
    /// removes it.
    #[track_caller]
    fn is_fixed_by_its_fix(&self, status: &str, check: &str, what: &str) -> String {
        let before = self.diagnose(&[]);
        before.finds(status, check, what, "");
        let is_it = |it: &Value| {
            it["check"] == check && it["what"].as_str().is_some_and(|text| text.contains(what))
        };
        let found = before.problems().into_iter().find(|it| is_it(it)).expect("just found");
        self.paste_fix(found["fix"].as_str().expect("every problem has a fix"));
        let after = self.diagnose(&[]);
        assert!(!after.problems().into_iter().any(is_it), "{before:?}\n{after:?}");
        before.ran.stdout
    }

    fn diagnose(&self, arguments: &[&str]) -> Diagnosis {
        Diagnosis::of(self.doctor(&[&["--json"], arguments].concat()))
    }
}

impl Diagnosis {
    #[track_caller]
    fn of(ran: Ran) -> Self {
        let report = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("not JSON: {error}\n{ran:?}"));
        let diagnosis = Self { ran, report };
        let fails = diagnosis.findings().iter().any(|finding| finding["status"] == "fail");
        assert_eq!(diagnosis.ran.code, i32::from(fails), "{:?}", diagnosis.ran);
        assert_eq!(diagnosis.ran.stderr, "", "all that is to say is in the report");
        diagnosis
    }

    fn findings(&self) -> &[Value] {
        self.report["findings"].as_array().expect("a list")
    }

    /// Without the warning of a git that cannot heal: this machine's newest may be such a one.
    fn problems(&self) -> Vec<&Value> {
        let is_old_git = |it: &Value| it["check"] == "git" && it["status"] == "warn";
        let findings = self.findings().iter();
        findings.filter(|it| it["status"] != "ok" && !is_old_git(it)).collect()
    }

    /// Asserts that this is said, with what fixes it.
    #[track_caller]
    fn finds(&self, status: &str, check: &str, what: &str, fix: &str) -> &Self {
        let has = |finding: &Value, key: &str, words: &str| {
            finding[key].as_str().unwrap_or_default().contains(words)
        };
        let found = self.findings().iter().any(|finding| {
            finding["check"] == check
                && finding["status"] == status
                && has(finding, "what", what)
                && has(finding, "fix", fix)
        });
        assert!(found, "{status} {check}: {what:?}, {fix:?}\n{:?}", self.ran);
        self
    }

    /// Asserts that this is the one problem.
    #[track_caller]
    fn finds_only(&self, status: &str, check: &str, what: &str, fix: &str) -> &Self {
        assert_eq!(self.problems().len(), 1, "{:?}", self.ran);
        self.finds(status, check, what, fix)
    }

    #[track_caller]
    fn has_error(&self, name: &str) -> &Self {
        assert!(self.problems().iter().any(|it| it["error"] == name), "{name}: {:?}", self.ran);
        self
    }

    /// Whether a push would succeed, if that is known.
    #[track_caller]
    fn says_of_a_push(&self, would_succeed: Option<bool>) -> &Self {
        let said = self.report["push_would_succeed"].as_bool();
        assert_eq!(said, would_succeed, "{:?}", self.ran);
        self
    }
}

#[test]
fn where_everything_is_in_order_it_says_so() {
    for git in Git::all() {
        let scene = Scene::cloned(&git);
        scene.github.forget_requests();
        let refs = scene.github.refs(REPOSITORY);
        let diagnosis = scene.diagnose(&[]);
        diagnosis.says_of_a_push(Some(true)).finds("ok", "push", "lets git push", "");
        diagnosis.finds("ok", "settings", "(from GASTOWN_API_URL)", "");
        diagnosis.finds("ok", "worker", "rig-1", "").finds("ok", "git-credential", "", "");
        assert!(diagnosis.problems().is_empty(), "{:?}", diagnosis.ran);
        if !git.heals() {
            diagnosis.finds("warn", "git", "costs one failed command", "upgrade git");
        }

        assert_eq!(scene.github.refs(REPOSITORY), refs);
        let asked = scene.github.requests();
        let posts = asked.iter().filter(|it| it.method == "POST");
        assert!(posts.clone().all(|it| it.path.ends_with("/git-upload-pack")), "{asked:?}");

        let told = scene.doctor(&[]);
        assert!(
            told.assert_ok()
                .stdout
                .ends_with("as far as its server goes: it lets git fetch and push\n"),
            "{told:?}"
        );
        assert_eq!(told.stderr, "");
    }
}

#[test]
fn the_json_report_has_a_version_and_the_same_keys_everywhere() {
    let scene = Scene::in_order();
    scene.worker.go_down();
    let diagnosis = scene.diagnose(&[]);
    let report = &diagnosis.report;
    let keys = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let top = ["findings", "offline", "program_version", "push_would_succeed", "version"];
    assert_eq!(keys(report), top);
    assert_eq!(report["version"], 1);
    assert_eq!(report["program_version"], env!("CARGO_PKG_VERSION"));
    for finding in report["findings"].as_array().unwrap() {
        assert_eq!(keys(finding), ["check", "error", "fix", "status", "what"]);
        assert_eq!(finding["fix"].is_string(), finding["status"] != "ok", "{finding}");
    }
    assert_ne!(report["findings"][0]["status"], "ok", "problems come first");
    assert_eq!(diagnosis.problems()[0]["error"], "worker-unreachable");
}

#[test]
fn offline_asks_nobody_and_says_so() {
    let scene = Scene::in_order();
    scene.worker.forget_calls();
    scene.github.forget_requests();
    let diagnosis = scene.diagnose(&["--offline"]);
    diagnosis.says_of_a_push(None);
    assert!(diagnosis.problems().is_empty() && diagnosis.report["offline"] == true);
    assert!(scene.worker.calls().is_empty());
    assert!(scene.github.requests().is_empty());
    let told = scene.doctor(&["--offline"]);
    assert!(told.stdout.ends_with("offline: no worker and no server was asked\n"), "{told:?}");
}
