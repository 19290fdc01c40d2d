//! What is kept on disk: the key ring, and the grants that were revoked. Written when a key is made or something is
//! revoked, and at no other time.

use crate::error::{Error, Exit};
use crate::seal::KeyRing;
use crate::world::World;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file of ours is at most this long; a longer one is none of ours.
const FILE_BYTES: u64 = 64 * 1024;

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

    /// The key ring; made on the first start.
    pub(crate) fn keys(&self, world: &World<'_>) -> Result<KeyRing, Error> {
        let path = self.folder.join("keys");
        let Some(text) = read(&path).map_err(|error| unreadable(&path, error))? else {
            let keys = KeyRing::generate(world);
            self.write("keys", keys.to_text().as_bytes())?;
            log::info!("made a key ring: {}", path.display());
            return Ok(keys);
        };
        if fs::metadata(&path).is_ok_and(|meta| meta.mode() & 0o077 != 0) {
            let remedy = format!("Keep it to yourself: chmod 600 {}", path.display());
            return Err(Error::new(Exit::Config, "others can read the key ring").at(path.display()).remedy(remedy));
        }
        KeyRing::parse(&text).map_err(|fault| {
            let remedy = "Put the file back from a copy. Or remove it: a new one is made, and everybody signs in once more.";
            Error::new(Exit::Config, fault.to_string()).at(path.display()).remedy(remedy)
        })
    }

    /// What was revoked, as it was written.
    pub(crate) fn revoked(&self) -> Result<Option<Zeroizing<String>>, Error> {
        let path = self.folder.join("revoked");
        read(&path).map_err(|error| unreadable(&path, error))
    }

    /// Remembers what was revoked.
    pub(crate) fn keep_revoked(&self, text: &str) -> Result<(), Error> {
        self.write("revoked", text.as_bytes())
    }

    /// Writes a file so that after a power cut there is either the old one or the new one.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(name);
        let next = self.folder.join(format!("{name}.new"));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&next, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| {
            let remedy = "Check that perchd may write there and that the disk is not full.";
            Error::new(Exit::Config, "cannot write the state").at(path.display()).because(error).remedy(remedy)
        })
    }
}

/// The text of a file; `None` if there is none.
fn read(path: &Path) -> io::Result<Option<Zeroizing<String>>> {
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
