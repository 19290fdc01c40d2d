//! Puts a whole file into a folder, or nothing: whoever reads it sees the old one or the new one, also after a power cut.

use crate::builtin::files::beneath::{Base, entry, kind};
use crate::builtin::files::inside::Inside;
use crate::limits;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, fchmod, fstatvfs, fsync, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU32, Ordering};

/// Writes `bytes` to a file; returns whether there was one before.
pub(super) fn write(base: &Base, inside: &Inside, bytes: &[u8], may_replace: bool) -> io::Result<bool> {
    let refused = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    let (above, name) = inside.parent().ok_or_else(|| refused("the path names no file".to_owned()))?;
    let folder = base.folder(&above)?;
    let before = match entry(&folder, name) {
        Ok(before) if !before.is_file() => return Err(refused(format!("there is a {} of this name", kind(&before)))),
        Ok(_) if !may_replace => return Err(exists()),
        Ok(before) => Some(before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let space = fstatvfs(&folder)?;
    if space.f_bavail.saturating_mul(space.f_frsize) < limits::DISK_FREE_BYTES + bytes.len() as u64 {
        return Err(io::Error::other("the disk is almost full"));
    }
    let draft = Draft::new(&folder)?;
    draft.fill(bytes, before.as_ref())?;
    draft.take_place(name, before.is_some())?;
    Ok(before.is_some())
}

fn exists() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of this name; to put this one in its place: replace = true")
}

/// A file that has another name until it is whole; it is gone if that never comes.
struct Draft<'a> {
    folder: &'a OwnedFd,
    name: String,
    file: File,
}

impl<'a> Draft<'a> {
    fn new(folder: &'a OwnedFd) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Another name where a power cut has left this one behind.
        for _ in 0..limits::FOLDERS {
            let name = format!(".perchd-{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            match openat(folder, &name, flags, Mode::from_raw_mode(0o644)) {
                Err(Errno::EXIST) => {}
                file => return Ok(Draft { folder, name, file: File::from(file?) }),
            }
        }
        Err(Errno::EXIST.into())
    }

    fn fill(&self, bytes: &[u8], before: Option<&Metadata>) -> io::Result<()> {
        (&self.file).write_all(bytes)?;
        if let Some(before) = before {
            fchmod(&self.file, Mode::from_raw_mode(before.mode() & 0o777))?;
        }
        Ok(fsync(&self.file)?)
    }

    /// Gives it its name. Where there was no file before, none that has come since is lost.
    fn take_place(self, name: &OsStr, is_there: bool) -> io::Result<()> {
        let name = name.as_bytes();
        let plain = || renameat(self.folder, &self.name, self.folder, name);
        let renamed = if is_there {
            plain()
        } else {
            match renameat_with(self.folder, &self.name, self.folder, name, RenameFlags::NOREPLACE) {
                // File systems of other systems, such as exFAT, know no such renaming.
                Err(Errno::INVAL | Errno::NOSYS) => plain(),
                Err(Errno::EXIST) => return Err(exists()),
                renamed => renamed,
            }
        };
        renamed?;
        // It is there by now, whatever comes of this: some file systems know no such thing.
        let _ = fsync(self.folder);
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // Once it has its name, there is none under this one.
        let _ = unlinkat(self.folder, &self.name, AtFlags::empty());
    }
}
