//! What is in an agent's cache, read and changed behind the program's back.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::Scene;
use crate::town::home::aged;

impl Scene {
    pub(crate) fn cache(&self) -> PathBuf {
        self.home.cache()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.cache())
    }

    fn records(&self) -> Vec<PathBuf> {
        let is_record = |path: &PathBuf| path.extension().is_some_and(|it| it == "json");
        self.home.everything().into_iter().filter(is_record).collect()
    }

    /// The record of a kind, if there is one: `token`, `failure`, `rejection`.
    pub(crate) fn record(&self, kind: &str) -> Option<Value> {
        let text = fs::read_to_string(self.path_of(&format!(".{kind}.json"))?).ok()?;
        let record: Value = serde_json::from_str(&text).expect("records are whole");
        Some(record["record"].clone())
    }

    /// How many refusals are on record, for all tokens together.
    pub(crate) fn refusals(&self) -> u64 {
        let is_about_host = |path: &PathBuf| path.to_string_lossy().ends_with(".host.json");
        let refusals = |path: PathBuf| {
            let text = fs::read_to_string(path).expect("records are text");
            let record: Value = serde_json::from_str(&text).expect("records are whole");
            record["record"]["refusals"].as_u64().expect("it is counted")
        };
        self.records().into_iter().filter(is_about_host).map(refusals).sum()
    }

    /// The cache's only file with such a name.
    pub(crate) fn path_of(&self, ending: &str) -> Option<PathBuf> {
        let is_it = |path: &PathBuf| path.to_string_lossy().ends_with(ending);
        self.home.cache_files().into_iter().find(is_it)
    }

    pub(crate) fn cached_token(&self) -> Option<String> {
        Some(self.record("token")?["token"].as_str()?.to_owned())
    }

    /// Who holds the lock, as the lock file has it.
    pub(crate) fn holder(&self) -> u32 {
        let path = self.path_of(".lock").expect("somebody asks the worker");
        let text = fs::read_to_string(path).expect("a lock file is text");
        text.trim().parse().expect("a lock file holds a process id")
    }

    /// Makes the cache as if the clock had been set back by that much since it was written.
    pub(crate) fn set_clock_back(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).expect("no test lasts that long");
        for path in self.records() {
            let text = fs::read_to_string(&path).expect("records are text");
            fs::write(&path, aged(&text, -millis)).expect("the cache is ours");
        }
    }

    /// Has the failure on record stand for a minute more, as the next process may start late.
    #[track_caller]
    pub(crate) fn prolong_failure(&self) {
        let path = self.path_of(".failure.json").expect("it is on record");
        let text = fs::read_to_string(&path).expect("records are text");
        let mut file: Value = serde_json::from_str(&text).expect("records are whole");
        for name in ["until", "until_usable"] {
            let until = file["record"][name].as_i64().expect("a moment");
            file["record"][name] = (until + 60_000).into();
        }
        fs::write(path, file.to_string()).expect("the cache is ours");
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let name = |it: fs::DirEntry| it.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.map(|it| name(it.expect("readable"))).collect();
    names.sort();
    names
}
