//! Files and directories by descriptor, for `setup`. A directory is opened once and every name in it
//! is reached through that descriptor, so renaming or linking meanwhile has no effect. As root,
//! refuses to follow a user's link to a file of somebody else.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat, fchmod, fchown, flock, fstat,
    linkat, mkdirat, openat, readlinkat, renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

/// A directory that may be searched but not listed can only be opened like this.
#[cfg(target_os = "linux")]
const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const SEARCH: OFlags = OFlags::RDONLY;
const NO_LINK: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// As many as Linux follows.
const MOST_LINKS: usize = 40;
/// git's configuration is a few kilobytes.
const LONGEST_FILE: u64 = 16 * 1024 * 1024;

/// An open directory. The path is where it was found, for messages.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
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
        let (directory, name) = resolve(&path.join("."))?;
        debug_assert_eq!(name, ".");
        Ok(directory)
    }

    /// Opens a directory in this one. A link is not followed.
    pub(crate) fn enter(&self, name: &OsStr) -> Result<Self> {
        let path = match name.as_encoded_bytes() {
            b"." => self.path.clone(),
            b".." => self.path.parent().unwrap_or(&self.path).to_owned(),
            _ => self.path.join(name),
        };
        let fd = openat(&self.fd, name, SEARCH | NO_LINK, Mode::empty());
        Ok(Self { fd: fd.with_context(|| format!("cannot open {path:?}"))?, path })
    }

    /// The same directory, opened once more.
    pub(crate) fn reopen(&self) -> Result<Self> {
        self.enter(OsStr::new("."))
    }

    pub(crate) fn parent(&self) -> Result<Self> {
        self.enter(OsStr::new(".."))
    }

    /// Makes a directory that only its owner can enter.
    pub(crate) fn make(&self, name: &OsStr) -> Result<()> {
        let made = mkdirat(&self.fd, name, Mode::RWXU);
        made.with_context(|| format!("cannot write to directory {:?}", self.path))
    }

    pub(crate) fn stat(&self) -> Result<Stat> {
        fstat(&self.fd).with_context(|| format!("cannot look at {:?}", self.path))
    }

    /// Of a name in it; a link is not followed.
    pub(crate) fn stat_of(&self, name: &OsStr) -> Option<Stat> {
        statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).ok()
    }

    pub(crate) fn entry(&self, name: &OsStr) -> Entry {
        let Some(stat) = self.stat_of(name) else { return Entry::Nothing };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Entry::File,
            FileType::Directory => Entry::Directory,
            FileType::Symlink => self.link_target(name).map_or(Entry::Other, Entry::Link),
            _ => Entry::Other,
        }
    }

    fn link_target(&self, name: &OsStr) -> Option<PathBuf> {
        let target = readlinkat(&self.fd, name, Vec::new()).ok()?;
        Some(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    /// Opens a file once and reads it; `None` if it is not there.
    pub(crate) fn read(&self, name: &OsStr) -> Result<Option<Snapshot>> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Opening a pipe without a writer would block.
        let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = match openat(&self.fd, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => bail!("{path:?} is a link, which is not followed here"),
            fd => fd.with_context(|| format!("cannot read {path:?}"))?,
        };
        let stat = fstat(&fd).with_context(|| format!("cannot read {path:?}"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            bail!("{path:?} is not a regular file");
        }
        let mut bytes = Vec::new();
        let read = File::from(fd).take(LONGEST_FILE + 1).read_to_end(&mut bytes);
        read.with_context(|| format!("cannot read {path:?}"))?;
        if bytes.len() as u64 > LONGEST_FILE {
            bail!("{path:?} is too large");
        }
        Ok(Some(Snapshot { bytes, stat }))
    }

    /// Writes a file that was not there before, which only its owner can read.
    pub(crate) fn write_new(&self, name: &OsStr, bytes: &[u8]) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let written = openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(std::io::Error::from)
            .map(File::from)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.with_context(|| format!("cannot write {:?}", self.path.join(name)))
    }

    /// Gives a new file the owner and the permissions of the one that it replaces.
    pub(crate) fn copy_attributes(
        &self,
        name: &OsStr,
        owner: &Stat,
        mode: Option<u32>,
    ) -> Result<()> {
        let change = || -> rustix::io::Result<()> {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = openat(&self.fd, name, flags, Mode::empty())?;
            let own = fstat(&fd)?;
            // Only root can change the owner, and only root needs to.
            if geteuid().is_root() && (own.st_uid, own.st_gid) != (owner.st_uid, owner.st_gid) {
                let user = rustix::fs::Uid::from_raw(owner.st_uid);
                fchown(&fd, Some(user), Some(rustix::fs::Gid::from_raw(owner.st_gid)))?;
            }
            if let Some(mode) = mode {
                fchmod(&fd, Mode::from_raw_mode(mode & 0o777))?;
            }
            rustix::fs::fsync(&fd)
        };
        change().with_context(|| format!("cannot write {:?}", self.path.join(name)))
    }

    /// Makes a hard link to a file, in another directory. Returns whether the name was free.
    pub(crate) fn link_to(&self, name: &OsStr, other: &Self, second: &OsStr) -> Result<bool> {
        match linkat(&self.fd, name, &other.fd, second, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => {
                Err(error).with_context(|| format!("cannot write {:?}", other.path.join(second)))
            }
        }
    }

    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> Result<()> {
        let renamed = renameat(&self.fd, from, &self.fd, to);
        renamed.with_context(|| format!("cannot write {:?}", self.path.join(to)))
    }

    pub(crate) fn remove(&self, name: &OsStr) -> Result<()> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => {
                Err(error).with_context(|| format!("cannot remove {:?}", self.path.join(name)))
            }
        }
    }

    /// Removes a directory if nothing is in it.
    pub(crate) fn remove_emptied(&self, name: &OsStr) {
        let _ = unlinkat(&self.fd, name, AtFlags::REMOVEDIR);
    }

    pub(crate) fn make_link(&self, name: &OsStr, target: &Path) -> Result<()> {
        let made = symlinkat(target, &self.fd, name);
        made.with_context(|| format!("cannot make the link {:?}", self.path.join(name)))
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> Result<Vec<OsString>> {
        let list = || -> rustix::io::Result<Vec<OsString>> {
            let entries = Dir::new(self.listable()?)?;
            let name = |entry: rustix::fs::DirEntry| entry.file_name().to_bytes().to_vec();
            entries.map(|entry| Ok(OsString::from_vec(name(entry?)))).collect()
        };
        let mut names = list().with_context(|| format!("cannot read {:?}", self.path))?;
        names.retain(|name| name != "." && name != "..");
        names.sort();
        Ok(names)
    }

    /// Locks the directory against other setups until the descriptor is closed. `None` while another
    /// process has the lock.
    pub(crate) fn try_lock(&self) -> rustix::io::Result<Option<OwnedFd>> {
        let fd = self.listable()?;
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(fd)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn listable(&self) -> rustix::io::Result<OwnedFd> {
        openat(&self.fd, ".", OFlags::RDONLY | NO_LINK, Mode::empty())
    }

    pub(crate) fn is(&self, other: &Stat) -> bool {
        self.stat().is_ok_and(|own| same(&own, other))
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

pub(crate) fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// The directory that a path leads to and the name in it. Every link is followed here and once.
/// Root follows a link of another user only to what that user owns: otherwise any user could have
/// root change any file.
pub(crate) fn resolve(path: &Path) -> Result<(Directory, OsString)> {
    let mut waiting = words(path);
    // `components` drops a final dot, which stands for the directory itself.
    if path.as_os_str().as_encoded_bytes().ends_with(b"/.") {
        waiting.push_back(".".into());
    }
    let mut place = root()?;
    let mut link_owner = None;
    let mut links = 0;
    while let Some(name) = waiting.pop_front() {
        if let Entry::Link(target) = place.entry(&name) {
            let owner = place.stat_of(&name).map(|stat| stat.st_uid);
            link_owner = owner.filter(|owner| *owner != 0 && geteuid().is_root()).or(link_owner);
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
            check_link_owner(&place, &name, link_owner, path)?;
            return Ok((place, name));
        } else {
            place = place.enter(&name)?;
        }
    }
    bail!("{path:?} names no file");
}

fn check_link_owner(
    place: &Directory,
    name: &OsStr,
    link_owner: Option<u32>,
    path: &Path,
) -> Result<()> {
    let Some(link_owner) = link_owner else { return Ok(()) };
    let file = place.stat_of(name);
    if place.stat()?.st_uid != link_owner || file.is_some_and(|stat| stat.st_uid != link_owner) {
        let target = place.path.join(name);
        bail!(
            "{path:?} leads through a link of user {link_owner} to {target:?}, which is not theirs"
        );
    }
    Ok(())
}

fn root() -> Result<Directory> {
    let fd = openat(CWD, "/", SEARCH | NO_LINK, Mode::empty()).context("cannot open /")?;
    Ok(Directory { fd, path: "/".into() })
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
    use std::os::unix::fs::{lchown, symlink};

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
    }

    #[test]
    fn link_of_another_user_to_a_third_users_file_is_refused() {
        let (home, link) = at("link");
        std::fs::write(home.path().join("file"), "").unwrap();
        symlink("file", &link).unwrap();
        if lchown(&link, Some(4711), Some(4711)).is_err() {
            eprintln!("skipped: only root can give a link away");
            return;
        }
        let refused = resolve(&link).unwrap_err().to_string();
        assert!(refused.contains("a link of user 4711"), "{refused}");
    }

    #[test]
    fn only_regular_files_are_read() {
        let (home, _) = at("");
        let directory = Directory::open(&home.path().canonicalize().unwrap()).unwrap();
        symlink("/etc/passwd", home.path().join("link")).unwrap();
        assert!(directory.read(OsStr::new("link")).is_err());
        assert!(directory.read(OsStr::new("gone")).unwrap().is_none());
        let device = Directory::open(Path::new("/dev")).unwrap();
        assert!(device.read(OsStr::new("null")).is_err());
    }
}
