//! What of the box the owner switches on.

use super::file::{File, FolderTable, Placed, WakeTable};
use super::read::Source;
use super::services::Services;
use super::text;
use super::tree::Named;
use crate::error::Error;
use crate::limits;
use std::net::{Ipv4Addr, SocketAddr};
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
    /// Hosts that can be woken.
    pub wake: Vec<WakeHost>,
    /// Units of systemd that can be looked at and controlled.
    pub services: Option<Services>,
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

/// A host that can be woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakeHost {
    /// What it is called in calls.
    pub name: String,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// Where the packet that wakes it is sent to.
    pub broadcast: SocketAddr,
}

impl Default for Allowed {
    fn default() -> Self {
        Allowed { root: PathBuf::from("/"), sensors: false, folders: Vec::new(), wake: Vec::new(), services: None }
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
            wake: self.wake(&file.wake)?,
            services: file.services.as_ref().map(|table| self.services(table)).transpose()?,
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

    fn wake(&self, tables: &Named<WakeTable>) -> Result<Vec<WakeHost>, Error> {
        if let Some((name, _)) = tables.0.get(limits::FOLDERS) {
            let what = format!("there are more than {} hosts", limits::FOLDERS);
            return Err(self.fault(name.span(), what, "A model chooses badly among so many: list fewer."));
        }
        let host = |(name, table): &(Placed<String>, WakeTable)| {
            let everybody = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
            let broadcast = table.broadcast.as_ref();
            let broadcast = broadcast.map_or(Ok(everybody), |address| self.checked(address, text::address))?;
            Ok(WakeHost { name: self.checked(name, short_name)?, mac: self.checked(&table.mac, mac)?, broadcast })
        };
        tables.0.iter().map(host).collect()
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

/// Six bytes, as `ip link` shows them.
fn mac(text: &str) -> Result<[u8; 6], String> {
    let fault = || format!("`{text}` is no hardware address of one host, such as \"00:11:32:ab:cd:ef\"");
    let mut mac = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit()));
        *byte = part.and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or_else(fault)?;
    }
    // An odd first byte means several hosts (IEEE 802), and none is called zero.
    if parts.next().is_some() || mac[0] & 1 != 0 || mac == [0; 6] { Err(fault()) } else { Ok(mac) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardware_address_has_six_bytes_and_is_of_one_host() {
        for text in [
            "",
            "00:11:32:ab:cd",
            "00:11:32:ab:cd:ef:00",
            "0:11:32:ab:cd:ef",
            "00:11:32:ab:cd:eg",
            "001132abcdef",
            "+0:11:32:ab:cd:ef",
            "ff:ff:ff:ff:ff:ff",
            "01:00:5e:00:00:01",
            "00:00:00:00:00:00",
            "00:11:32:ab:cd:ef:",
        ] {
            assert!(mac(text).unwrap_err().contains("00:11:32:ab:cd:ef"), "{text}");
        }
        assert_eq!(mac("00:11:32:ab:CD:ef"), Ok([0, 0x11, 0x32, 0xab, 0xcd, 0xef]));
        assert_eq!(mac("00-11-32-AB-CD-EF"), mac("00:11:32:ab:cd:ef"));
    }
}
