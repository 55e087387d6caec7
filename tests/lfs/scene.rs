//! A clone with large files that git-lfs has not pushed yet, in one of the ways in which
//! git-lfs can be set up. Owns the two commands that are watched and what they cost.

use std::fs;
use std::ops::Deref;

use crate::clients::git_lfs::GitLfs;
use crate::scene::*;
use crate::town::lfs::Moment;
use crate::town::{Git, Ran, home};

/// Three batches, of a hundred each.
const OBJECTS: usize = 250;

/// How git-lfs is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Objects are transferred through a host that wants a signature and no token, as at GitHub.
    pub(super) stored_elsewhere: bool,
    /// The URL is `http://x-access-token@…`.
    pub(super) user_in_url: bool,
    /// `lfs.cachecredentials`: git-lfs asks once, or for every request.
    pub(super) cached: bool,
}

/// Every pair of values of two settings is among them. Three in a row have both values of each
/// setting, if the first of them is not the last of all.
pub(super) const WAYS: [Way; 5] = [
    Way { stored_elsewhere: false, user_in_url: false, cached: true },
    Way { stored_elsewhere: false, user_in_url: true, cached: false },
    Way { stored_elsewhere: true, user_in_url: true, cached: true },
    Way { stored_elsewhere: true, user_in_url: false, cached: false },
    Way { stored_elsewhere: false, user_in_url: true, cached: true },
];

/// What one command cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Requests that carried a token and were refused.
    pub(super) refused: usize,
    pub(super) worker_calls: usize,
}

pub(super) struct LfsScene {
    scene: Scene,
    url: String,
}

impl Deref for LfsScene {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl LfsScene {
    pub(super) fn new(git: &Git, git_lfs: &GitLfs, way: Way) -> Self {
        let mut scene = Scene::configured(git);
        if way.stored_elsewhere {
            scene.github.lfs().store_elsewhere();
        }
        scene.home.put_on_path(&git_lfs.directory);
        scene.home.git(&["lfs", "install"]).assert_ok();
        let cached = if way.cached { "true" } else { "false" };
        scene.home.git(&["config", "--global", "lfs.cachecredentials", cached]).assert_ok();
        let mut url = scene.github.url(REPOSITORY);
        if way.user_in_url {
            url = url.replace("http://", "http://x-access-token@");
        }
        scene.home.git(&["clone", "--quiet", &url, "app"]).assert_ok();
        let app = scene.path("app");
        for number in 0..OBJECTS {
            fs::write(app.join(format!("{number}.bin")), number.to_string()).expect("ours");
        }
        fs::write(app.join(".gitattributes"), "*.bin filter=lfs -text\n").expect("ours");
        scene.home.git_in("app", &["add", "."]).assert_ok();
        scene.home.git_in("app", &["commit", "--quiet", "--message", "objects"]).assert_ok();
        scene.let_pass(A_WHILE);
        Self { scene, url }
    }

    /// The objects alone: git itself asks nothing.
    pub(super) fn push(&self) -> Ran {
        self.home.git_in("app", &["lfs", "push", "origin", "HEAD"])
    }

    pub(super) fn pull(&self) -> Ran {
        self.home.git_in("again", &["lfs", "pull"])
    }

    /// A new clone in `again`, without the objects that were pushed.
    pub(super) fn clone_without_objects(&self) {
        let push = ["push", "--quiet", "--no-verify", "origin", "HEAD"];
        self.home.git_in("app", &push).assert_ok();
        let mut clone = self.home.command("git");
        clone.args(["clone", "--quiet", &self.url, "again"]).env("GIT_LFS_SKIP_SMUDGE", "1");
        Ran::run(clone, b"").assert_ok();
        self.let_pass(A_WHILE);
    }

    pub(super) fn measured(&self, command: impl Fn(&Self) -> Ran) -> (Ran, Cost) {
        self.github.forget_requests();
        self.worker.forget_calls();
        let ran = command(self);
        let cost = Cost {
            refused: self.github.refused_tokens(),
            worker_calls: self.worker.git_token_calls(),
        };
        (ran, cost)
    }

    /// At that moment an hour has gone by, for the town and for the agent's cache.
    pub(super) fn expire_at(&self, moment: Moment) {
        let (clock, cache) = (self.clock.clone(), self.cache());
        let pass = move || {
            clock.let_pass(HOUR);
            home::age_cache(&cache, HOUR);
        };
        self.github.lfs().at(moment, Box::new(pass));
    }

    /// Asserts that a token which was to die in the middle of a command did.
    #[track_caller]
    pub(super) fn assert_its_moment_came(&self) {
        assert!(!self.github.lfs().awaits_a_moment());
    }

    #[track_caller]
    pub(super) fn assert_everything_is_stored(&self) {
        assert_eq!(self.github.lfs().stored(), OBJECTS);
    }

    #[track_caller]
    pub(super) fn assert_everything_was_pulled(&self) {
        for number in 0..OBJECTS {
            let file = self.home.path().join(format!("again/{number}.bin"));
            let content = fs::read_to_string(&file).expect("it is in the commit");
            assert_eq!(content, number.to_string(), "{}", file.display());
        }
    }

    /// The storage host gets the signature it gave, and nothing else.
    #[track_caller]
    pub(super) fn assert_no_token_went_elsewhere(&self) {
        let mut given = self.github.lfs().authorizations_elsewhere();
        given.sort();
        given.dedup();
        let is_signature =
            |it: &Option<String>| it.as_ref().is_some_and(|it| it.starts_with("Signature "));
        assert!(given.iter().all(is_signature), "{given:?}");
    }
}
