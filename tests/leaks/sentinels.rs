//! An agent that is given secrets of every kind, runs every command, and searches all that comes of
//! it. Owns the secrets and where each may be.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::scene::*;
use crate::town::{RIG, Ran};

/// What git and scripts run, with what they give it. `OURS`, `FOREIGN` and `TOKEN` are filled in.
const COMMANDS: [(&[&str], &str); 16] = [
    (&["get"], "OURS\n"),
    (&["get", "-v"], "capability[]=state\nOURS\n"),
    (&["get", "-v"], "OURSusername=me\npassword=TOKEN\n\n"),
    (&["get", "-v"], "protocol=https\nhost=gitlab.com\n\n"),
    (&["get", "-v"], "url=https://me:TOKEN@evil.example/TOKEN\n\n"),
    (&["get", "-v"], "protocol=https\nhost=a\nTOKEN\npassword=TOKEN\npassword=TOKEN\n\n"),
    (&["get", "-v"], "url=TOKEN\n\n"),
    (&["store", "-v"], "OURSusername=x-access-token\npassword=TOKEN\n\n"),
    (&["erase", "-v"], "OURSusername=x-access-token\npassword=TOKEN\n\n"),
    (&["erase", "-v"], "OURSauthtype=Basic\ncredential=CREDENTIAL\n\n"),
    (&["capability", "-v"], "TOKEN\n\n"),
    (&["refresh", "-v"], ""),
    (&["exec", "-v", "--", "true"], ""),
    (&["status", "-v"], ""),
    (&["status", "--json"], ""),
    (&["doctor", "--offline", "--json"], ""),
];

/// The commands that a person types, each once: some of them run git, and none is quick.
const COMMANDS_FOR_PEOPLE: [&[&str]; 10] = [
    &["doctor", "-v"],
    &["doctor", "--json"],
    &["setup", "--dry-run", "-v"],
    &["setup", "--print-env", "-v"],
    &["setup", "-v"],
    &["setup", "--undo", "-v"],
    &["completions", "bash"],
    &["gh", "--version"],
    &["token", "-v"],
    &["token", "--json", "-v"],
];

/// What stands in the environment, with the part of it that is the secret.
pub(super) const ENVIRONMENT: [(&str, &str, &str); 7] = [
    ("GIT_TOKEN", "Zq81-git-variable-77xKd", "Zq81-git-variable-77xKd"),
    ("GITHUB_TOKEN", "ghs_1234_eyJz.Mu53-snapshot.b_c", "eyJz.Mu53-snapshot.b_c"),
    ("GH_TOKEN", "Wp35-other-program-21mTe", "Wp35-other-program-21mTe"),
    ("GITLAB_TOKEN", "glpat-Lm42-instance-93uRb", "Lm42-instance-93uRb"),
    ("HTTPS_PROXY", "http://me:Rt64-proxy-word-58vCy@127.0.0.1:9", "Rt64-proxy-word-58vCy"),
    ("https_proxy", "http://me:Hn90-second-word-16kQf@127.0.0.1:9", "Hn90-second-word-16kQf"),
    ("GASTOWN_UNHEARD_OF", "Bd27-unheard-of-83jXa", "Bd27-unheard-of-83jXa"),
];
/// Those that no process of ours takes for a secret, as it has no use for them.
pub(super) const UNREAD: [&str; 2] = ["https_proxy", "GASTOWN_UNHEARD_OF"];
/// What only a client knows: another helper's password.
const FOREIGN: &str = "Ys19-another-helper-46pGn";

pub(super) struct Sentinels {
    pub(super) scene: Scene,
    /// Written by the agent itself: not ours to keep clean.
    pub(super) own_files: Vec<PathBuf>,
    pub(super) secrets: Vec<String>,
    /// The container tokens, whole.
    pub(super) bearers: [String; 2],
    /// How often everything was run.
    rounds: usize,
}

impl Sentinels {
    pub(super) fn new() -> Self {
        let mut scene = Scene::new();
        let audit = scene.path("audit");
        scene.home.set("GASTOWN_AUDIT_LOG", &audit);
        let mut secrets = vec![FOREIGN.to_owned()];
        for (name, value, secret) in ENVIRONMENT {
            scene.home.set(name, value);
            secrets.push(secret.to_owned());
        }
        let bearers = [scene.worker.container_token(), scene.worker.container_token_issued(HOUR)];
        let file = scene.write("container-token", &bearers[1]);
        scene.home.set("GASTOWN_CONTAINER_TOKEN", &bearers[0]);
        scene.home.set("GASTOWN_CONTAINER_TOKEN_FILE", &file);
        secrets.extend(bearers.iter().map(|jwt| signature(jwt)));
        Self { scene, own_files: vec![file], secrets, bearers, rounds: 0 }
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.scene.home.set(name, value);
    }

    /// Whatever the worker has handed out since.
    fn secrets(&self) -> Vec<String> {
        let minted = self.scene.worker.minted_for(RIG).into_iter();
        let tokens = minted.map(|token| token.trim_start_matches("ghs_").to_owned());
        self.secrets.iter().cloned().chain(tokens).chain(self.renewals()).collect()
    }

    /// The signatures of the renewed container tokens in the cache.
    pub(super) fn renewals(&self) -> Vec<String> {
        let files = self.scene.home.cache_files().into_iter();
        let files = files.filter(|path| path.to_string_lossy().ends_with(".container.json"));
        let texts = files.map(|path| fs::read_to_string(path).expect("cache files are text"));
        let parts =
            texts.flat_map(|it| it.split(['.', '"']).map(str::to_owned).collect::<Vec<_>>());
        parts.filter(|part| part.len() > 40 && !part.starts_with("eyJ")).collect()
    }

    /// Runs every command and searches all that is left.
    #[track_caller]
    pub(super) fn assert_tight(&mut self, what: &str) {
        self.assert_git_is_told_nothing(what);
        self.assert_git_is_told_nothing(what);
        self.set("GASTOWN_TRACE", "");
        for arguments in COMMANDS_FOR_PEOPLE {
            let mut ran = self.scene.helper(arguments);
            if arguments[0] == "token" {
                // There it belongs.
                ran.stdout.clear();
            }
            self.assert_said_nothing(&ran, what);
        }
        self.assert_files_hold_nothing(what);
    }

    /// Runs what git and scripts run. They trace to stderr or to a file in turn from round to
    /// round, and are given another's token or ours, so that four rounds have both of either.
    #[track_caller]
    pub(super) fn assert_git_is_told_nothing(&mut self, what: &str) {
        let trace = self.scene.path("trace").to_string_lossy().into_owned();
        self.rounds += 1;
        for (number, (arguments, input)) in COMMANDS.into_iter().enumerate() {
            self.set("GASTOWN_TRACE", if self.rounds.is_multiple_of(2) { "" } else { &trace });
            let latest = self.scene.worker.minted_for(RIG).pop();
            let latest = latest.filter(|_| (self.rounds / 2 + number).is_multiple_of(2));
            let token = latest.unwrap_or_else(|| FOREIGN.to_owned());
            let credential = STANDARD.encode(format!("x-access-token:{token}"));
            let ours = request(&self.scene).replace("\n\n", "\n");
            let input = input.replace("CREDENTIAL", &credential).replace("OURS", &ours);
            let ran = self.scene.home.helper(arguments, &input.replace("TOKEN", &token));
            self.assert_said_nothing(&ran, what);
        }
        self.assert_files_hold_nothing(what);
    }

    #[track_caller]
    pub(super) fn assert_said_nothing(&self, ran: &Ran, what: &str) {
        let (answers, rest): (Vec<_>, Vec<_>) =
            ran.stdout.lines().partition(|line| line.starts_with("password="));
        assert!(answers.len() <= 1, "{what}\n{ran:?}");
        let rest = rest.join("\n");
        for secret in self.secrets() {
            for part in parts(&secret) {
                let is_shown = rest.contains(&part) || ran.stderr.contains(&part);
                assert!(!is_shown, "{what}: {part} of {secret} is shown\n{ran:?}");
            }
        }
    }

    #[track_caller]
    pub(super) fn assert_files_hold_nothing(&self, what: &str) {
        let (minted, renewals) = (self.scene.worker.minted_for(RIG), self.renewals());
        let files = self.scene.home.everything().into_iter().filter(|path| !path.is_dir());
        for file in files.filter(|file| !self.own_files.contains(file)) {
            let text = String::from_utf8_lossy(&fs::read(&file).expect("readable")).into_owned();
            let name = file.to_string_lossy();
            assert_eq!(mode(&file), 0o600, "{what}: {name}");
            for secret in self.secrets() {
                let is_token = minted.iter().any(|token| token.ends_with(&secret));
                let is_home = (is_token && name.ends_with(".token.json"))
                    || (renewals.contains(&secret) && name.ends_with(".container.json"));
                for part in parts(&secret) {
                    assert!(is_home || !text.contains(&part), "{what}: {part} is in {name}");
                }
            }
        }
    }
}

/// What makes a JWT a secret: header and claims are much the same in all of them.
pub(super) fn signature(jwt: &str) -> String {
    jwt.rsplit('.').next().expect("text has an end").to_owned()
}

/// A secret, each half of it, and both as another program would encode them.
fn parts(secret: &str) -> Vec<String> {
    let (front, back) = secret.split_at(secret.len() / 2);
    let plain = [secret, front, back].into_iter().filter(|part| part.len() >= 10);
    let pair = STANDARD_NO_PAD.encode(format!("x-access-token:{secret}"));
    plain.map(str::to_owned).chain([STANDARD_NO_PAD.encode(secret), pair]).collect()
}
