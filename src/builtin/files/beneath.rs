//! Opens what is beneath a folder, and nothing else: no `..`, link or race leads out.

use crate::builtin::files::inside::Inside;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Somebody who keeps renaming what is on the way makes the kernel give up; so often it is asked again.
const TRIES: usize = 16;

/// A folder that the owner listed.
#[derive(Debug)]
pub(super) struct Base {
    folder: OwnedFd,
    /// Whether the kernel itself keeps the way beneath the folder.
    has_openat2: bool,
}

impl Base {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let folder = openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Base { folder, has_openat2: true })
    }

    /// The same for a kernel before 5.6, or a filter of system calls that knows no newer one.
    #[cfg(test)]
    pub(super) fn open_without_openat2(path: &Path) -> io::Result<Self> {
        Ok(Base { has_openat2: false, ..Base::open(path)? })
    }

    /// A file to read. Devices, pipes and sockets are not even opened: that alone can do something, such as wait for ever
    /// or start a watchdog.
    pub(super) fn file(&self, inside: &Inside) -> io::Result<(File, Metadata)> {
        let looked_at = self.metadata(inside)?;
        if !looked_at.is_file() {
            return Err(refusal(&looked_at));
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(self.find(inside, flags)?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(refusal(&metadata));
        }
        Ok((file, metadata))
    }

    /// A folder to list or to write into.
    pub(super) fn folder(&self, inside: &Inside) -> io::Result<OwnedFd> {
        self.find(inside, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
    }

    /// What is there, without opening it.
    pub(super) fn metadata(&self, inside: &Inside) -> io::Result<Metadata> {
        File::from(self.find(inside, OFlags::PATH | OFlags::CLOEXEC)?).metadata()
    }

    fn find(&self, inside: &Inside, flags: OFlags) -> io::Result<OwnedFd> {
        if !self.has_openat2 {
            return self.step_by_step(inside, flags);
        }
        let path = if inside.0.is_empty() { OsString::from(".") } else { inside.0.join(OsStr::new("/")) };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(&self.folder, path.as_bytes(), flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                // Old filters of system calls, as Docker's were, say EPERM to what they do not know.
                Err(Errno::NOSYS | Errno::PERM) => return self.step_by_step(inside, flags),
                found => return Ok(found?),
            }
        }
        Err(Errno::AGAIN.into())
    }

    /// Without `openat2`: name by name, following no link at all.
    fn step_by_step(&self, inside: &Inside, flags: OFlags) -> io::Result<OwnedFd> {
        if inside.0.iter().any(|name| name == "..") {
            return Err(Errno::XDEV.into());
        }
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Some((above, name)) = inside.parent() else {
            return Ok(openat(&self.folder, ".", flags, Mode::empty())?);
        };
        let mut at = openat(&self.folder, ".", step, Mode::empty())?;
        for name in &above.0 {
            at = openat(&at, name.as_bytes(), step, Mode::empty())?;
        }
        Ok(openat(&at, name.as_bytes(), flags | OFlags::NOFOLLOW, Mode::empty())?)
    }
}

/// What is at this name of an open folder; the link itself if it is one.
pub(super) fn entry(folder: &OwnedFd, name: &OsStr) -> io::Result<Metadata> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    File::from(openat(folder, name.as_bytes(), flags, Mode::empty())?).metadata()
}

/// What kind of thing it is, in a word.
pub(super) fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "folder",
        () if kind.is_symlink() => "link",
        () if kind.is_fifo() => "pipe",
        () if kind.is_socket() => "socket",
        () => "device",
    }
}

fn refusal(metadata: &Metadata) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is a {}, not a file", kind(metadata)))
}

/// When it was changed, in seconds since 1970.
pub(super) fn modified(metadata: &Metadata) -> i64 {
    metadata.mtime()
}

/// Why it could not be done, for the model.
pub(super) fn told(error: &io::Error) -> String {
    let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there; list_files shows what is".to_owned(),
        io::ErrorKind::PermissionDenied => "the user that perchd runs as may not do this".to_owned(),
        _ if is(Errno::XDEV) => "a link leads out of the folder".to_owned(),
        _ if is(Errno::LOOP) => "there is a link on the way that is not followed".to_owned(),
        _ => error.to_string(),
    }
}
