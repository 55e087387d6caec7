//! Files and directories by descriptor, for `setup`: a directory is opened once and every name in it
//! is reached through that descriptor, so renaming or linking meanwhile has no effect. As root,
//! refuses to follow a user's link to a file of somebody else. Also reads the files that are used
//! only if others cannot have written them.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{Error, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{
    Access, AtFlags, CWD, Dir, DirEntry, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid,
    accessat, fchmod, fchown, flock, fstat, fsync, linkat, mkdirat, open, openat, readlinkat,
    renameat, statat, symlinkat, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::geteuid;
use zeroize::Zeroizing;

/// A directory that may be searched but not listed can only be opened like this.
#[cfg(target_os = "linux")]
pub(crate) const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
pub(crate) const SEARCH: OFlags = OFlags::RDONLY;
const NEW_DESCRIPTOR: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);
const NO_LINK: OFlags = OFlags::DIRECTORY.union(NEW_DESCRIPTOR);
/// As many as Linux follows.
const MOST_LINKS: usize = 40;
/// git's configuration is a few kilobytes.
const LONGEST_FILE: u64 = 16 * 1024 * 1024;
pub(crate) const WRITABLE: &str = "others can write it";

/// An open directory. The path is where it was found, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub fd: Rc<OwnedFd>,
    pub path: PathBuf,
}

/// A regular file as it was when it was read.
pub(crate) struct Snapshot {
    pub bytes: Vec<u8>,
    pub stat: Stat,
}

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Nothing,
    File,
    Directory,
    /// A link, and where it leads.
    Link(PathBuf),
    Other,
}

impl Directory {
    /// Opens the directory at an absolute path.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(resolve(&path.join("."))?.0)
    }

    /// Opens a directory in this one. A link is not followed.
    pub(crate) fn enter(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = name.as_ref();
        let path = match name.as_encoded_bytes() {
            b".." => self.path.parent().unwrap_or(&self.path).to_owned(),
            _ => self.path.join(name),
        };
        let fd = openat(&self.fd, name, SEARCH | NO_LINK, Mode::empty());
        Ok(Self { fd: Rc::new(fd.with_context(|| format!("cannot open {path:?}"))?), path })
    }

    pub(crate) fn parent(&self) -> Result<Self> {
        self.enter("..")
    }

    /// Makes a directory that only its owner can enter.
    pub(crate) fn make_private(&self, name: &OsStr) -> Result<Self> {
        let made = mkdirat(&self.fd, name, Mode::RWXU);
        made.with_context(|| format!("cannot write to directory {:?}", self.path))?;
        let made = self.enter(name)?;
        ensure!(made.is_private(), "others can change {:?}", made.path);
        Ok(made)
    }

    /// Whether only the user of this process can enter it.
    pub(crate) fn is_private(&self) -> bool {
        let is_own = |stat: Stat| stat.st_uid == geteuid().as_raw() && stat.st_mode & 0o077 == 0;
        self.stat().is_ok_and(is_own)
    }

    pub(crate) fn is_writable(&self) -> bool {
        accessat(&self.fd, ".", Access::WRITE_OK, AtFlags::empty()).is_ok()
    }

    pub(crate) fn stat(&self) -> Result<Stat> {
        fstat(&self.fd).with_context(|| format!("cannot look at {:?}", self.path))
    }

    /// Of a name in it; a link is not followed.
    pub(crate) fn stat_of(&self, name: impl AsRef<OsStr>) -> Option<Stat> {
        statat(&self.fd, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW).ok()
    }

    pub(crate) fn entry(&self, name: impl AsRef<OsStr>) -> Entry {
        let name = name.as_ref();
        let Some(stat) = self.stat_of(name) else { return Entry::Nothing };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Entry::File,
            FileType::Directory => Entry::Directory,
            FileType::Symlink => {
                self.link_at(name).map_or(Entry::Other, |(target, _)| Entry::Link(target))
            }
            _ => Entry::Other,
        }
    }

    /// Where a link leads and whose it is. It is opened for that: between two looks at its name,
    /// another could take its place.
    fn link_at(&self, name: &OsStr) -> Option<(PathBuf, u32)> {
        let link = openat(&self.fd, name, SEARCH | NEW_DESCRIPTOR, Mode::empty()).ok()?;
        let target = readlinkat(&link, "", Vec::new()).ok()?;
        Some((OsString::from_vec(target.into_bytes()).into(), fstat(&link).ok()?.st_uid))
    }

    /// Opens a file once and reads it; `None` if it is not there.
    pub(crate) fn read(&self, name: impl AsRef<OsStr>) -> Result<Option<Snapshot>> {
        let path = self.path.join(name.as_ref());
        let unreadable = || format!("cannot read {path:?}");
        // Opening a pipe without a writer would block.
        let flags = NEW_DESCRIPTOR | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = match openat(&self.fd, name.as_ref(), flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => bail!("{path:?} is a link, which is not followed here"),
            fd => fd.with_context(unreadable)?,
        };
        let stat = fstat(&fd).with_context(unreadable)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            bail!("{path:?} is not a regular file");
        }
        let mut bytes = Vec::new();
        File::from(fd).take(LONGEST_FILE + 1).read_to_end(&mut bytes).with_context(unreadable)?;
        if bytes.len() as u64 > LONGEST_FILE {
            bail!("{path:?} is too large");
        }
        Ok(Some(Snapshot { bytes, stat }))
    }

    /// Writes a file that was not there before, which only its owner can read.
    pub(crate) fn write_new(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> Result<()> {
        let flags = NEW_DESCRIPTOR | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let fd = openat(&self.fd, name.as_ref(), flags, Mode::RUSR | Mode::WUSR);
        let write = |mut file: File| file.write_all(bytes).and_then(|()| file.sync_all());
        let written = fd.map_err(Into::into).and_then(|fd| write(fd.into()));
        written.with_context(|| self.unwritable(name.as_ref()))
    }

    /// Gives a file in it that owner and these permissions, and has it written to the disk.
    pub(crate) fn give(&self, name: &str, owner: &Stat, mode: u32) -> Result<()> {
        let give = || -> rustix::io::Result<()> {
            let file = openat(&self.fd, name, NEW_DESCRIPTOR | OFlags::RDONLY, Mode::empty())?;
            let own = fstat(&file)?;
            // Only root can change the owner, and only root needs to.
            if geteuid().is_root() && (own.st_uid, own.st_gid) != (owner.st_uid, owner.st_gid) {
                let (user, group) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
                fchown(&file, Some(user), Some(group))?;
            }
            fchmod(&file, Mode::from_raw_mode(mode & 0o777))?;
            fsync(&file)
        };
        give().with_context(|| self.unwritable(name.as_ref()))
    }

    /// Makes a second name, in another directory, for a file. Returns whether that name was free.
    pub(crate) fn link(&self, name: &str, place: &Self, second: &OsStr) -> Result<bool> {
        match linkat(&self.fd, name, &place.fd, second, AtFlags::empty()) {
            Err(Errno::EXIST) => Ok(false),
            linked => linked.map(|()| true).with_context(|| place.unwritable(second)),
        }
    }

    pub(crate) fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> Result<()> {
        let renamed = renameat(&self.fd, from.as_ref(), &self.fd, to.as_ref());
        renamed.with_context(|| self.unwritable(to.as_ref()))
    }

    pub(crate) fn make_link(&self, name: &str, target: &Path) -> Result<()> {
        symlinkat(target, &self.fd, name).with_context(|| self.unwritable(name.as_ref()))
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: impl AsRef<OsStr>) -> Result<()> {
        match unlinkat(&self.fd, name.as_ref(), AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => removed
                .with_context(|| format!("cannot remove {:?}", self.path.join(name.as_ref()))),
        }
    }

    /// Removes a directory if nothing is in it.
    pub(crate) fn remove_emptied(&self, name: &OsStr) {
        let _ = unlinkat(&self.fd, name, AtFlags::REMOVEDIR);
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> Result<Vec<OsString>> {
        let list = || -> rustix::io::Result<Vec<OsString>> {
            let entries = Dir::new(self.listable()?)?;
            let name = |entry: DirEntry| OsString::from_vec(entry.file_name().to_bytes().to_vec());
            entries.map(|entry| entry.map(name)).collect()
        };
        let mut names = list().with_context(|| format!("cannot read {:?}", self.path))?;
        names.retain(|name| name != "." && name != "..");
        names.sort();
        Ok(names)
    }

    /// Locks the directory against other setups until the descriptor is closed. `None` while
    /// another process has the lock.
    pub(crate) fn try_lock(&self) -> rustix::io::Result<Option<OwnedFd>> {
        let fd = self.listable()?;
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Ok(None),
            locked => locked.map(|()| Some(fd)),
        }
    }

    fn listable(&self) -> rustix::io::Result<OwnedFd> {
        openat(&self.fd, ".", OFlags::RDONLY | NO_LINK, Mode::empty())
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.stat().ok().zip(other.stat().ok()).is_some_and(|(own, other)| same(&own, &other))
    }

    fn unwritable(&self, name: &OsStr) -> String {
        format!("cannot write {:?}", self.path.join(name))
    }
}

pub(crate) fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// The directory that a path leads to and the name in it. Every link is followed here and once.
/// Root follows a link of another user only to what that user owns: otherwise any user could have
/// root change any file.
pub(crate) fn resolve(path: &Path) -> Result<(Directory, OsString)> {
    // It would be taken for one that begins at the root.
    ensure!(path.is_absolute(), "{path:?} leads nowhere, as the working directory is gone");
    let mut waiting = words(path);
    // `components` drops a final dot, which stands for the directory itself.
    if path.as_os_str().as_encoded_bytes().ends_with(b"/.") {
        waiting.push_back(".".into());
    }
    let mut place = root()?;
    let mut link_owner = None;
    let mut links = 0;
    while let Some(name) = waiting.pop_front() {
        if let Some((target, owner)) = place.link_at(&name) {
            if owner != 0 && geteuid().is_root() {
                let first = *link_owner.get_or_insert(owner);
                ensure!(first == owner, "{path:?} leads through links of several users");
            }
            links += 1;
            if links > MOST_LINKS {
                bail!("too many links on the way to {path:?}");
            }
            if target.is_absolute() {
                place = root()?;
            }
            for word in words(&target).into_iter().rev() {
                waiting.push_front(word);
            }
        } else if waiting.is_empty() {
            if let Some(owner) = link_owner {
                let is_theirs = |stat: Stat| stat.st_uid == owner;
                let target = place.path.join(&name);
                ensure!(
                    is_theirs(place.stat()?) && place.stat_of(&name).is_none_or(is_theirs),
                    "{path:?} leads through a link of user {owner} to {target:?}, which is not theirs"
                );
            }
            return Ok((place, name));
        } else {
            place = place.enter(&name)?;
        }
    }
    bail!("{path:?} names no file");
}

fn root() -> Result<Directory> {
    let fd = openat(CWD, "/", SEARCH | NO_LINK, Mode::empty()).context("cannot open /")?;
    Ok(Directory { fd: Rc::new(fd), path: "/".into() })
}

/// Keeps `..`, which after a link is not the directory before it in the path.
fn words(path: &Path) -> VecDeque<OsString> {
    let word = |component: Component<'_>| match component {
        Component::Normal(word) => Some(word.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(word).collect()
}

/// Reads a regular file, opened with these flags and others; a pipe or a device would keep us
/// reading. `trusted`: the owners that it may have, and the permissions that it must not have.
pub(crate) fn read_trusted(
    path: &Path,
    flags: OFlags,
    longest: u64,
    trusted: Option<(&[u32], u32)>,
) -> std::io::Result<(Zeroizing<Vec<u8>>, Metadata)> {
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(retry_on_intr(|| open(path, flags, Mode::empty()))?);
    let metadata = file.metadata()?;
    let (owners, forbidden) = trusted.unwrap_or_default();
    let others = if forbidden == 0o022 { WRITABLE } else { "others can read or write it" };
    let faults = [
        (!metadata.is_file(), "it is not a regular file"),
        (trusted.is_some() && !owners.contains(&metadata.uid()), "it belongs to another user"),
        (metadata.mode() & forbidden != 0, others),
        (trusted.is_some() && metadata.len() > longest, "it is too long"),
    ];
    if let Some((_, fault)) = faults.into_iter().find(|(is_so, _)| *is_so) {
        return Err(Error::other(fault));
    }
    // Large enough from the start: a buffer that grows leaves a secret behind.
    let room = longest.min(metadata.len()) as usize + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(longest).read_to_end(&mut bytes)?;
    Ok((bytes, metadata))
}

/// Reads a file, following links. `None` if it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    if !path.exists() {
        return Ok(None);
    }
    let (directory, name) = resolve(path)?;
    Ok(directory.read(&name)?.map(|snapshot| snapshot.bytes))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make what they look at")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn at(name: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join(name);
        (directory, path)
    }

    #[test]
    fn links_are_followed_to_the_file_that_they_name() {
        let (home, link) = at("link");
        let real = home.path().canonicalize().unwrap().join("real");
        std::fs::create_dir(&real).unwrap();
        symlink("real/../real/file", &link).unwrap();
        let (directory, name) = resolve(&link).unwrap();
        assert_eq!((directory.path, name), (real.clone(), "file".into()));
        assert_eq!(Directory::open(&real).unwrap().path, real);
        symlink("loop", home.path().join("loop")).unwrap();
        assert!(resolve(&home.path().join("loop")).is_err());
        assert!(resolve(Path::new("etc")).is_err(), "the root is not where a relative path begins");
    }
}
