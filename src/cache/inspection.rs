//! What can be told of the cache's places by looking: nothing is made and nothing is changed.

use std::path::{Path, PathBuf};

use git_credential_gastown::host::CacheKey;
use rustix::fs::{Access, access, statvfs};

use super::{BYPASS, Cache, ErrorKind, LOCK, MetadataExt as _, fs, name, prepare};

/// What a place of the cache is like.
#[derive(Debug)]
pub(crate) enum Condition {
    /// It can be used.
    Ready {
        owner: u32,
        mode: u32,
        room: u64,
    },
    /// It will be made when it is needed.
    Missing,
    Unusable(String),
}

impl Cache {
    /// Every place, best first.
    pub(crate) fn inspect(&self) -> Vec<(&Path, Condition)> {
        self.directories.iter().map(|directory| (directory.as_path(), inspect(directory))).collect()
    }

    /// The lock files that are there for a key, wherever a process may hold one.
    pub(crate) fn lock_files(&self, key: &CacheKey) -> Vec<PathBuf> {
        let stem = key.file_stem();
        let both =
            |directory: &PathBuf| [LOCK, BYPASS].map(|kind| directory.join(name(&stem, kind)));
        self.directories.iter().flat_map(both).filter(|path| path.is_file()).collect()
    }
}

fn inspect(directory: &Path) -> Condition {
    let metadata = match fs::symlink_metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return to_be_made(directory),
        Err(error) => return Condition::Unusable(error.to_string()),
    };
    // It is there, so this only looks.
    if let Err(reason) = prepare(directory).and_then(|()| writable(directory)) {
        return Condition::Unusable(format!("{reason:#}"));
    }
    let room = statvfs(directory).map_or(0, |system| system.f_bavail * system.f_frsize);
    Condition::Ready { owner: metadata.uid(), mode: metadata.mode() & 0o7777, room }
}

fn to_be_made(directory: &Path) -> Condition {
    let above = directory.ancestors().find(|ancestor| ancestor.exists());
    match above.map(writable) {
        Some(Ok(())) => Condition::Missing,
        Some(Err(reason)) => Condition::Unusable(format!("it cannot be made: {reason:#}")),
        None => Condition::Unusable("it cannot be made".to_owned()),
    }
}

fn writable(directory: &Path) -> anyhow::Result<()> {
    access(directory, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| anyhow::anyhow!("cannot write to {directory:?}: {error}"))
}
