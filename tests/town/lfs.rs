//! As much of Git LFS as git-lfs needs to push and pull: the batch call with the basic transfer,
//! the objects themselves, and a lock list that is always empty. Objects live in memory, and are
//! sent to and from the git host itself or another host. Refuses to check the git host's token,
//! and an object that is not what its name says.
//!
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/api/README.md>

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::http::{Answer, Exchange};
use super::lfs_storage::Storage;
use super::{hex, lock};

const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";

/// When something is to happen, counted from the moment it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After that many answered batch calls.
    Batches(usize),
    /// After that many objects were sent or received.
    Transfers(usize),
}

pub type Action = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub struct Lfs {
    objects: Arc<Objects>,
    /// Where the objects are transferred, if not on the git host.
    elsewhere: Mutex<Option<Storage>>,
}

impl Lfs {
    /// Whether this request is about LFS and not about git.
    pub fn serves(path: &str) -> bool {
        path.contains(".git/info/lfs/")
    }

    /// From here on objects are transferred through another host, which wants its own signature.
    pub fn store_elsewhere(&self) {
        lock(&self.elsewhere).get_or_insert_with(|| Storage::start(Arc::clone(&self.objects)));
    }

    /// The `Authorization` header of every request that reached the other host.
    pub fn authorizations_elsewhere(&self) -> Vec<Option<String>> {
        lock(&self.elsewhere).as_ref().map(Storage::authorizations).unwrap_or_default()
    }

    /// Does something once, before the answer that makes it that moment is sent.
    pub fn at(&self, moment: Moment, action: Action) {
        lock(&self.objects.traps).push((moment, action));
    }

    /// Whether there is something that has not happened yet.
    pub fn awaits_a_moment(&self) -> bool {
        !lock(&self.objects.traps).is_empty()
    }

    pub fn stored(&self) -> usize {
        lock(&self.objects.contents).len()
    }

    pub fn answer(&self, exchange: &mut Exchange) -> Answer {
        let path = exchange.path().to_owned();
        match exchange.method.as_str() {
            "POST" if path.ends_with("/objects/batch") => {
                let body = exchange.body().unwrap_or_default();
                let host = exchange.header("host").unwrap_or_default();
                let answer = self.batch(host, path.trim_end_matches("/batch"), &body);
                self.objects.count(|moment| matches!(moment, Moment::Batches(_)));
                answer
            }
            "POST" if path.ends_with("/locks/verify") => {
                media(200, &json!({ "ours": [], "theirs": [] }))
            }
            _ => self.objects.answer(exchange),
        }
    }

    fn batch(&self, host: &str, objects: &str, body: &[u8]) -> Answer {
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return media(422, &json!({ "message": "not JSON" }));
        };
        let uploading = request["operation"] == "upload";
        let elsewhere = lock(&self.elsewhere);
        let wanted = request["objects"].as_array().into_iter().flatten();
        let answers = wanted.map(|object| {
            let path = format!("{objects}/{}", object["oid"].as_str().unwrap_or_default());
            let action = match &*elsewhere {
                // Without a header of its own: the transfer needs the token again.
                None => json!({ "href": format!("http://{host}{path}") }),
                Some(storage) => storage.action(&path),
            };
            let answer = match (uploading, self.objects.has(&path)) {
                (true, true) => json!({}),
                (true, false) => json!({ "actions": { "upload": action } }),
                (false, true) => json!({ "actions": { "download": action } }),
                (false, false) => json!({ "error": { "code": 404, "message": "no such object" } }),
            };
            merged(answer, object)
        });
        media(200, &json!({ "transfer": "basic", "objects": answers.collect::<Vec<_>>() }))
    }
}

/// The objects of all repositories, by path: two repositories share nothing.
#[derive(Default)]
pub(super) struct Objects {
    contents: Mutex<HashMap<String, Vec<u8>>>,
    traps: Mutex<Vec<(Moment, Action)>>,
}

impl Objects {
    fn has(&self, path: &str) -> bool {
        lock(&self.contents).contains_key(path)
    }

    /// A transfer of one object, in either direction.
    pub(super) fn answer(&self, exchange: &mut Exchange) -> Answer {
        let body = exchange.body().unwrap_or_default();
        let path = exchange.path();
        let answer = match exchange.method.as_str() {
            "PUT" => self.put(path, body),
            "GET" => match lock(&self.contents).get(path) {
                Some(object) => Answer::new(200, object.as_slice()),
                None => media(404, &json!({ "message": "no such object" })),
            },
            _ => media(404, &json!({ "message": "not found" })),
        };
        if answer.status == 200 {
            self.count(|moment| matches!(moment, Moment::Transfers(_)));
        }
        answer
    }

    fn put(&self, path: &str, object: Vec<u8>) -> Answer {
        let oid = hex(&Sha256::digest(&object));
        if !path.ends_with(&oid) {
            return media(422, &json!({ "message": "the object is not what its name says" }));
        }
        lock(&self.contents).insert(path.to_owned(), object);
        Answer::new(200, "")
    }

    /// Counts one event for every trap of that kind, and springs those whose moment has come.
    fn count(&self, counts: impl Fn(&Moment) -> bool) {
        let mut traps = lock(&self.traps);
        for (moment, _) in traps.iter_mut().filter(|(moment, _)| counts(moment)) {
            let (Moment::Batches(left) | Moment::Transfers(left)) = moment;
            *left = left.saturating_sub(1);
        }
        let is_over = |moment: &Moment| matches!(moment, Moment::Batches(0) | Moment::Transfers(0));
        let (over, waiting) = traps.drain(..).partition(|(moment, _)| is_over(moment));
        *traps = waiting;
        // While the lock is held: no other answer is sent before everything has happened.
        let over: Vec<(Moment, Action)> = over;
        over.into_iter().for_each(|(_, action)| action());
    }
}

/// An answer about an object repeats its `oid` and `size`.
fn merged(mut answer: Value, object: &Value) -> Value {
    answer["oid"] = object["oid"].clone();
    answer["size"] = object["size"].clone();
    answer
}

fn media(status: u16, body: &Value) -> Answer {
    Answer::new(status, body.to_string()).header("Content-Type", MEDIA_TYPE)
}
