//! What the cache holds, to be shown to people. Makes and changes nothing. As careful as every
//! other reader.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use git_credential_gastown::failure::FailureKey;
use git_credential_gastown::host::CacheKey;
use git_credential_gastown::record::{Key, key_of};

use super::{Cache, Candidate, Condition, Fault, directory, fault, read};

impl Cache {
    /// What each candidate is like, the best one first.
    pub(crate) fn inspect(candidates: &[Candidate]) -> Vec<(&Path, Condition)> {
        candidates.iter().map(|it| (it.path.as_path(), directory::condition(it))).collect()
    }

    pub(crate) fn lock_files(&self, key: &CacheKey) -> Vec<PathBuf> {
        let paths = self.lock_paths(key).into_iter().flatten();
        paths.filter(|path| path.is_file()).collect()
    }

    /// The keys that there is a token or a failure for, sorted; and what is in the way of others.
    pub(crate) fn keys(&self) -> (Vec<CacheKey>, Vec<Fault>) {
        let (mut keys, mut faults) = (Vec::new(), Vec::new());
        for directory in self.directories() {
            let files = match fs::read_dir(directory) {
                Ok(files) => files,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    let what = format!("cannot list {directory:?}: {error}");
                    faults.push(Fault { what, is_suspicious: true });
                    continue;
                }
            };
            let mut paths: Vec<_> = files.flatten().map(|file| file.path()).collect();
            paths.sort();
            for path in paths {
                match key_at(&path) {
                    Ok(key) => keys.extend(key),
                    Err(fault) => faults.push(fault),
                }
            }
        }
        keys.sort();
        keys.dedup();
        (keys, faults)
    }
}

/// The key of a record; `None` for files of other kinds.
fn key_at(path: &Path) -> Result<Option<CacheKey>, Fault> {
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((_, kind @ (CacheKey::KIND | FailureKey::KIND))) = file.split_once('.') else {
        return Ok(None);
    };
    let Some(bytes) = read(path)? else { return Ok(None) };
    let damaged = |why| fault(path, why, false);
    let (name, key) = if kind == CacheKey::KIND {
        let key: CacheKey = key_of(&bytes).map_err(damaged)?;
        (key.file(), key)
    } else {
        let key: FailureKey = key_of(&bytes).map_err(damaged)?;
        (key.file(), key.place)
    };
    if name == file { Ok(Some(key)) } else { Err(damaged("it is about something else")) }
}
