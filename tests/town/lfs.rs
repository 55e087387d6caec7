//! As much of Git LFS as git-lfs needs to push and pull: the batch call with the basic transfer,
//! the objects themselves, and a lock list that is always empty. Objects live in memory. Refuses
//! to check anybody's token, and an object that is not what its name says.
//!
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/api/README.md>

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::http::{Answer, Exchange};
use super::{hex, lock};

const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";

#[derive(Default)]
pub struct Lfs {
    /// By path: two repositories share nothing.
    objects: Mutex<HashMap<String, Vec<u8>>>,
}

impl Lfs {
    /// Whether this request is about LFS and not about git.
    pub fn serves(path: &str) -> bool {
        path.contains(".git/info/lfs/")
    }

    pub fn answer(&self, exchange: &mut Exchange) -> Answer {
        let body = exchange.body().unwrap_or_default();
        let path = exchange.path();
        match exchange.method.as_str() {
            "POST" if path.ends_with("/objects/batch") => {
                let host = exchange.header("host").unwrap_or_default();
                let objects = path.trim_end_matches("/batch");
                self.batch(host, objects, &body)
            }
            "POST" if path.ends_with("/locks/verify") => {
                media(200, &json!({ "ours": [], "theirs": [] }))
            }
            "PUT" => self.put(path, body),
            "GET" => match lock(&self.objects).get(path) {
                Some(object) => Answer::new(200, object.as_slice()),
                None => media(404, &json!({ "message": "no such object" })),
            },
            _ => media(404, &json!({ "message": "not found" })),
        }
    }

    fn batch(&self, host: &str, objects: &str, body: &[u8]) -> Answer {
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return media(422, &json!({ "message": "not JSON" }));
        };
        let uploading = request["operation"] == "upload";
        let stored = lock(&self.objects);
        let wanted = request["objects"].as_array().into_iter().flatten();
        let answers = wanted.map(|object| {
            let path = format!("{objects}/{}", object["oid"].as_str().unwrap_or_default());
            // On this host and without a header of its own: the transfer needs the token again.
            let action = json!({ "href": format!("http://{host}{path}") });
            let answer = match (uploading, stored.contains_key(&path)) {
                (true, true) => json!({}),
                (true, false) => json!({ "actions": { "upload": action } }),
                (false, true) => json!({ "actions": { "download": action } }),
                (false, false) => json!({ "error": { "code": 404, "message": "no such object" } }),
            };
            merged(answer, object)
        });
        media(200, &json!({ "transfer": "basic", "objects": answers.collect::<Vec<_>>() }))
    }

    fn put(&self, path: &str, object: Vec<u8>) -> Answer {
        let oid = hex(&Sha256::digest(&object));
        if !path.ends_with(&oid) {
            return media(422, &json!({ "message": "the object is not what its name says" }));
        }
        lock(&self.objects).insert(path.to_owned(), object);
        Answer::new(200, "")
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
