//! Whose records the cache holds, for people to read. As careful as every other reader.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use git_credential_gastown::host::CacheKey;
use git_credential_gastown::token::key_from_wire;

use super::{Cache, FAILURE, Fault, TOKEN, fault, name, read};

impl Cache {
    /// The keys that there is a token or a failure for, sorted; and what is in the way of others.
    pub(crate) fn keys(&self) -> (Vec<CacheKey>, Vec<Fault>) {
        let (mut keys, mut faults) = (Vec::new(), Vec::new());
        for directory in &self.directories {
            let files = match fs::read_dir(directory) {
                Ok(files) => files,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    faults.push(fault(directory, &error.to_string(), true));
                    continue;
                }
            };
            let mut paths: Vec<_> = files.flatten().map(|file| file.path()).collect();
            paths.sort();
            for path in paths {
                match key_of(&path) {
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
fn key_of(path: &Path) -> Result<Option<CacheKey>, Fault> {
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((_, kind @ (TOKEN | FAILURE))) = file.split_once('.') else { return Ok(None) };
    let Some(bytes) = read(path)? else { return Ok(None) };
    let key: CacheKey = key_from_wire(&bytes).map_err(|why| fault(path, why, false))?;
    if name(&key.file_stem(), kind) != file {
        return Err(fault(path, "it is about something else", false));
    }
    Ok(Some(key))
}
