//! What of the box the owner switches on.

use super::file::{File, FolderTable};
use super::read::Source;
use crate::error::Error;
use crate::limits;
use std::path::PathBuf;

/// What of the box the owner switches on; nothing of it is on by itself.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// The folder that stands for `/` where `/proc` and `/sys` are read.
    pub root: PathBuf,
    /// Whether sensors are shown.
    pub sensors: bool,
    /// Folders whose files can be read.
    pub folders: Vec<Folder>,
}

/// A folder whose files can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// What it is called in calls.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether files can be written into it as well.
    pub may_write: bool,
    /// The most that one call reads or writes.
    pub max_bytes: usize,
}

impl Default for Allowed {
    fn default() -> Self {
        Allowed { root: PathBuf::from("/"), sensors: false, folders: Vec::new() }
    }
}

impl Source<'_> {
    /// What a file switches on.
    pub(super) fn allowed(&self, file: &File) -> Result<Allowed, Error> {
        let defaults = Allowed::default();
        Ok(Allowed {
            root: file.system.root.as_ref().map_or(Ok(defaults.root), |root| self.absolute(root))?,
            sensors: file.sensors.enabled,
            folders: self.folders(&file.folder)?,
        })
    }

    fn folders(&self, tables: &[FolderTable]) -> Result<Vec<Folder>, Error> {
        let mut folders: Vec<Folder> = Vec::new();
        for table in tables {
            let span = table.name.span();
            if folders.len() >= limits::FOLDERS {
                let what = format!("there are more than {} folders", limits::FOLDERS);
                return Err(self.fault(span, what, "A model chooses badly among so many: list one above them."));
            }
            let folder = self.folder(table)?;
            if folders.iter().any(|other| other.name == folder.name) {
                return Err(self.fault(span, format!("there is a folder `{}` already", folder.name), "Rename one of the two."));
            }
            folders.push(folder);
        }
        Ok(folders)
    }

    fn folder(&self, table: &FolderTable) -> Result<Folder, Error> {
        let max_bytes = match &table.max_bytes {
            None => limits::FILE_BYTES,
            Some(most) if (1..=limits::FILE_BYTES_MAX).contains(most.get_ref()) => *most.get_ref(),
            Some(most) => {
                let what = format!("{} is not between 1 and {}", most.get_ref(), limits::FILE_BYTES_MAX);
                return Err(self.fault(most.span(), what, "Longer files are read in parts."));
            }
        };
        let (name, path) = (self.checked(&table.name, short_name)?, self.absolute(&table.path)?);
        Ok(Folder { name, path, may_write: table.write, max_bytes })
    }
}

/// A name that can stand in a URI and that models do not misspell.
fn short_name(name: &str) -> Result<String, String> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=32).contains(&name.len()) && name.bytes().all(is_good) {
        return Ok(name.to_owned());
    }
    Err(format!("`{name}` is no name of 1 to 32 letters, digits, `-` and `_`"))
}
