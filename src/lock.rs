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
pub(crate) struct Lock {
    file: File,
    /// Whether the holder can write its process id into it.
    has_room: bool,
}

/// The outcome of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Try {
    Held,
    Busy,
    /// This file system has no locks: go ahead without.
    Unsupported,
}

impl Lock {
    /// # Errors
    /// If the file cannot be opened or created there, or is something else.
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
        Ok(Self { file, has_room: true })
    }

    /// A lock on the directory itself, if no lock file can be made.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) fn of_directory(path: &Path) -> std::io::Result<Self> {
        let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        Ok(Self { file, has_room: false })
    }

    /// Never waits. On NFS it does not even try, because `flock` may block there for ever.
    pub(crate) fn try_acquire(&mut self) -> Try {
        if fstatfs(&self.file).is_ok_and(|system| system.f_type == NFS_SUPER_MAGIC) {
            return Try::Unsupported;
        }
        loop {
            // By full path: std's own method of this name would shadow fs2's.
            match fs2::FileExt::try_lock_exclusive(&self.file) {
                Ok(()) => {
                    self.leave_name();
                    return Try::Held;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Try::Busy,
                Err(_) => return Try::Unsupported,
            }
        }
    }

    /// The holder's process id, for messages, if it could be written.
    pub(crate) fn holder(&mut self) -> Option<u32> {
        let mut text = String::new();
        self.file.rewind().ok()?;
        (&self.file).take(16).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    /// Errors are ignored: a full disk must not cost the lock.
    fn leave_name(&mut self) {
        if self.has_room {
            let _ = self.file.set_len(0);
            let _ = self.file.rewind();
            let _ = self.file.write_all(format!("{}\n", std::process::id()).as_bytes());
        }
    }
}

/// Removes a lock file that nobody holds. A process that opened it before and locks it afterwards
/// causes one extra call, nothing worse.
pub(crate) fn retire(path: &Path) {
    if let Ok(mut lock) = Lock::open(path)
        && lock.try_acquire() == Try::Held
    {
        let _ = std::fs::remove_file(path);
    }
}
