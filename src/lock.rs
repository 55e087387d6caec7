//! The lock that lets one process ask the worker while the others wait. It only saves calls: the
//! rename of the entry carries correctness, so a file system without locks will do. The kernel
//! frees the lock of a killed holder; the lock file is never replaced.

#![expect(clippy::disallowed_methods, reason = "the one place for the lock file")]

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{NFS_SUPER_MAGIC, OFlags, fstatfs};
use rustix::process::geteuid;

/// An open lock file; closing it frees the lock.
pub(crate) struct Lock(File);

impl Lock {
    /// Makes the file if it is not there. Anything but a lock file of ours is an error.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
        let metadata = file.metadata()?;
        // It will be truncated, and a hard link could make it somebody's file.
        let is_ours = metadata.uid() == geteuid().as_raw() && metadata.nlink() <= 1;
        if !(metadata.is_file() && is_ours) {
            return Err(Error::new(ErrorKind::PermissionDenied, "it is not a lock file of ours"));
        }
        if metadata.mode() & 0o777 != 0o600 {
            // The umask may have removed the owner's own permissions.
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(Self(file))
    }

    /// A lock on the directory itself, if no lock file can be made.
    pub(crate) fn of_directory(path: &Path) -> std::io::Result<Self> {
        let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        Ok(Self(file))
    }

    /// Whether this process may go ahead: it has the lock, or this file system has none. Never waits.
    /// On NFS it does not even try, because `flock` may block there for ever.
    pub(crate) fn try_acquire(&mut self) -> bool {
        if fstatfs(&self.0).is_ok_and(|system| system.f_type == NFS_SUPER_MAGIC) {
            return true;
        }
        loop {
            // By full path: std's own method of this name would shadow fs2's.
            match fs2::FileExt::try_lock_exclusive(&self.0) {
                Ok(()) => {
                    self.leave_name();
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
    }

    /// The holder's process id, for messages, if it could be written.
    pub(crate) fn holder(&mut self) -> Option<u32> {
        let mut text = String::new();
        self.0.rewind().ok()?;
        (&self.0).take(16).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    /// Best effort: a full disk must not cost the lock, and a directory takes no text.
    fn leave_name(&mut self) {
        let _ = self.0.set_len(0);
        let _ = self.0.rewind();
        let _ = self.0.write_all(format!("{}\n", std::process::id()).as_bytes());
    }
}

/// Removes a lock file that nobody holds. A process that opened it before and locks it afterwards
/// causes one extra call, nothing worse.
pub(crate) fn retire(path: &Path) {
    if let Ok(mut lock) = Lock::open(path)
        && lock.try_acquire()
    {
        let _ = std::fs::remove_file(path);
    }
}
