//! What of the box the owner switches on.

use super::file::File;
use super::read::Source;
use crate::error::Error;
use std::path::PathBuf;

/// What of the box the owner switches on; nothing of it is on by itself.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// The folder that stands for `/` where `/proc` and `/sys` are read.
    pub root: PathBuf,
    /// Whether sensors are shown.
    pub sensors: bool,
}

impl Default for Allowed {
    fn default() -> Self {
        Allowed { root: PathBuf::from("/"), sensors: false }
    }
}

impl Source<'_> {
    /// What a file switches on.
    pub(super) fn allowed(&self, file: &File) -> Result<Allowed, Error> {
        let defaults = Allowed::default();
        Ok(Allowed {
            root: file.system.root.as_ref().map_or(Ok(defaults.root), |root| self.absolute(root))?,
            sensors: file.sensors.enabled,
        })
    }
}
