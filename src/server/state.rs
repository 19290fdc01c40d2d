//! What is kept on disk: the key ring, the grants that were revoked, and what TLS needs. Written when a key or a certificate
//! is made or something is revoked, and at no other time.

use crate::error::{Error, Exit};
use crate::seal::KeyRing;
use crate::systemd;
use crate::world::World;
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file of ours is at most this long; a longer one is none of ours.
const FILE_BYTES: u64 = 64 * 1024;

/// The name under which systemd hands over a key ring, if it does.
const CREDENTIAL: &str = "keys";

/// The mode of a file that nobody else may read.
pub(super) const SECRET: u32 = 0o600;
/// The mode of a file that everybody may read, if he gets into the folder.
pub(super) const PUBLIC: u32 = 0o644;

/// The folder with the state.
#[derive(Clone, Debug)]
pub(crate) struct State {
    folder: PathBuf,
}

impl State {
    /// Opens the folder, and makes it if there is none: nobody else may look into it.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| {
            let remedy = "Name a folder that perchd may write to with --state.";
            Error::new(Exit::Config, "cannot make the state folder").at(folder.display()).because(error).remedy(remedy)
        })?;
        Ok(State { folder: folder.to_owned() })
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps others from using this state for as long as the lock lives. `None` where somebody does already.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, Error> {
        let folder = File::open(&self.folder).map_err(|error| unreadable(&self.folder, error))?;
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Ok(None),
            // Some network file systems know no lock; whoever keeps his state there looks after it himself.
            locked => {
                let _ = locked.inspect_err(|error| log::debug!("the state folder cannot be locked: {error}"));
                Ok(Some(Lock { _folder: folder }))
            }
        }
    }

    /// Whether there is a key ring.
    pub(crate) fn has_keys(&self) -> bool {
        self.folder.join("keys").exists()
    }

    /// Writes another key ring in the place of the one that is there. One that systemd hands over is not ours to change.
    pub(crate) fn keep_keys(&self, keys: &KeyRing) -> Result<(), Error> {
        if let Some(path) = systemd::credential(CREDENTIAL) {
            let remedy = "Change it where LoadCredential= takes it from, and start anew: systemctl restart perchd";
            return Err(Error::new(Exit::Config, "systemd hands over the key ring").at(path.display()).remedy(remedy));
        }
        self.write("keys", keys.to_text().as_bytes(), SECRET)
    }

    /// The key ring: the one that systemd hands over, or else the one in the folder, which is made on the first start.
    pub(crate) fn keys(&self, world: &World<'_>) -> Result<KeyRing, Error> {
        if let Some(path) = systemd::credential(CREDENTIAL) {
            // Its mode is systemd's, which lets nobody else into that folder.
            let text = read(&path).map_err(|error| unreadable(&path, error))?.unwrap_or_default();
            return parse(&text, &path, "Write it with: perchd keys export");
        }
        let path = self.folder.join("keys");
        let Some(text) = read(&path).map_err(|error| unreadable(&path, error))? else {
            let keys = KeyRing::generate(world);
            self.keep_keys(&keys)?;
            log::info!("made a key ring: {}", path.display());
            return Ok(keys);
        };
        check_secret(&path, "the key ring")?;
        let remedy = "Put the file back from a copy. Or remove it: a new one is made, and everybody signs in once more.";
        parse(&text, &path, remedy)
    }

    /// What was revoked, as it was written.
    pub(crate) fn revoked(&self) -> Result<Option<Zeroizing<String>>, Error> {
        self.read("revoked")
    }

    /// Remembers what was revoked.
    pub(crate) fn keep_revoked(&self, text: &str) -> Result<(), Error> {
        self.write("revoked", text.as_bytes(), SECRET)
    }

    /// The path of a file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The text of a file; `None` if there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let path = self.path(name);
        read(&path).map_err(|error| unreadable(&path, error))
    }

    /// The text of a file that nobody else may read; `None` if there is none. `what` is in it, in words.
    pub(super) fn read_secret(&self, name: &str, what: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let text = self.read(name)?;
        if text.is_some() {
            check_secret(&self.path(name), what)?;
        }
        Ok(text)
    }

    /// Writes a file so that after a power cut there is either the old one or the new one.
    pub(super) fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
        self.put(name, bytes, mode, |next, path| fs::rename(next, path))
    }

    /// The same for a file that must not be there yet: it is never written over.
    pub(super) fn create(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
        self.put(name, bytes, mode, |next, path| Ok(renameat_with(CWD, next, CWD, path, RenameFlags::NOREPLACE)?))
    }

    fn put(&self, name: &str, bytes: &[u8], mode: u32, rename: impl Fn(&Path, &Path) -> io::Result<()>) -> Result<(), Error> {
        let path = self.path(name);
        let next = self.path(&format!("{name}.new"));
        let write = || -> io::Result<()> {
            // One that a power cut has left may have another mode.
            fs::remove_file(&next).or_else(|error| (error.kind() == io::ErrorKind::NotFound).then_some(()).ok_or(error))?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&next)?;
            file.write_all(bytes)?;
            if geteuid().is_root() {
                // Root works on the state of the server, which must be able to read it afterwards.
                let folder = fs::metadata(&self.folder)?;
                fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
            }
            file.sync_all()?;
            rename(&next, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| {
            let remedy = "Check that perchd may write there and that the disk is not full.";
            Error::new(Exit::Config, "cannot write the state").at(path.display()).because(error).remedy(remedy)
        })
    }
}

/// The state is in use.
#[derive(Debug)]
pub(crate) struct Lock {
    _folder: File,
}

/// Refuses a file that others can read. `what` is in it, in words.
pub(crate) fn check_secret(path: &Path, what: &str) -> Result<(), Error> {
    if fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o077 != 0) {
        let remedy = format!("Keep it to yourself: chmod 600 {}", path.display());
        return Err(Error::new(Exit::Config, format!("others can read {what}")).at(path.display()).remedy(remedy));
    }
    Ok(())
}

fn parse(text: &str, path: &Path, remedy: &str) -> Result<KeyRing, Error> {
    KeyRing::parse(text).map_err(|fault| Error::new(Exit::Config, fault.to_string()).at(path.display()).remedy(remedy))
}

/// The text of a file; `None` if there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<Zeroizing<String>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES).read_to_string(&mut text)?;
    Ok(Some(text))
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let remedy = "Check the owner and the mode of the file: perchd must be able to read it.";
    Error::new(Exit::Config, "cannot read the state").at(path.display()).because(error).remedy(remedy)
}
