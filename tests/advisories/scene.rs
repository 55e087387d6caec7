//! What the attacks need beside the agent: an attacker's town, git asking the program for every host,
//! and what "nothing came out" means.

use crate::scene::Scene;
use crate::town::{Git, Town};
use crate::transcript::{HELPER, REPOSITORY};

/// With a fresh token in the cache, which every mistake would cost.
pub(super) fn cached_scene() -> Scene {
    Scene::with_git(&Git::newest())
}

/// The same with a careless configuration: the program is git's helper for every host.
pub(super) fn careless_scene(git: &Git) -> Scene {
    let scene = Scene::with_git(git);
    scene.home.git(&["config", "--global", "credential.helper", HELPER]).assert_ok();
    scene
}

/// A repository, and a clone of it in `app`.
pub(super) fn clone_app(scene: &Scene) {
    scene.town.github.create_repository(REPOSITORY);
    let url = scene.town.github.url(REPOSITORY);
    scene.home.git(&["clone", "--quiet", &url, "app"]).assert_ok();
}

pub(super) fn cached(scene: &Scene) -> String {
    scene.cached_token().expect("it is cached")
}

/// Lines that begin with our name, or in a trace with the time and our name; and no character that
/// a terminal or another program's reader could take for more than itself.
#[track_caller]
pub(super) fn assert_only_lines_of_ours(text: &str) {
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let traced = |line: &str| {
            let (moment, rest) = line.split_once(' ')?;
            (moment.ends_with('Z') && rest.starts_with("git-credential-gastown[")).then_some(())
        };
        let is_ours = line.starts_with("git-credential-gastown: ") || traced(line).is_some();
        assert!(is_ours, "forged: {line:?} in\n{text:?}");
        let steers = |it: char| it.is_control() || matches!(it, '\u{2028}'..='\u{202e}');
        assert!(!line.contains(steers), "a control character in {line:?}");
    }
}

/// That the attacker's host was asked, and was shown no credential.
#[track_caller]
pub(super) fn assert_saw_no_token(attacker: &Town) {
    let requests = attacker.github.requests();
    assert!(!requests.is_empty(), "nobody came: the test proves nothing");
    for request in requests {
        assert_eq!((&request.token, request.status), (&None, 401), "{request:?}");
    }
}
