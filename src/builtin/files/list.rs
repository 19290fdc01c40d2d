//! What is in a folder.

use crate::builtin::files::beneath::{Base, entry, kind, modified};
use crate::builtin::files::inside::{Inside, shown};
use crate::limits;
use crate::order;
use rustix::fs::Dir;
use serde::Serialize;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What is in a folder, in the order of the names' bytes.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    pub(super) folder: String,
    pub(super) path: String,
    entries: Vec<Entry>,
    /// The name to go on after, where there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Whether there are so many that not all were looked at.
    is_truncated: bool,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    kind: &'static str,
    size_bytes: u64,
    modified_unix: i64,
}

/// Lists what stands behind the name `after`.
pub(super) fn list(base: &Base, folder: &str, inside: &Inside, after: &OsStr) -> io::Result<Listing> {
    let opened = base.folder(inside)?;
    let mut names: Vec<OsString> = Vec::new();
    let mut is_truncated = false;
    for found in Dir::read_from(&opened)? {
        let name = OsString::from_vec(found?.file_name().to_bytes().to_vec());
        if name == "." || name == ".." || name.as_bytes() <= after.as_bytes() {
            continue;
        }
        if names.len() >= limits::FOLDER_NAMES {
            is_truncated = true;
            break;
        }
        names.push(name);
    }
    order::sort(&mut names, |a, b| a < b);
    let next = names.get(limits::FOLDER_ENTRIES).and_then(|_| names.get(limits::FOLDER_ENTRIES - 1)).map(|name| shown(name));
    names.truncate(limits::FOLDER_ENTRIES);
    // What is gone again by now is left out.
    let entries = names.iter().filter_map(|name| {
        let metadata = entry(&opened, name).ok()?;
        Some(Entry { name: shown(name), kind: kind(&metadata), size_bytes: metadata.len(), modified_unix: modified(&metadata) })
    });
    Ok(Listing { folder: folder.to_owned(), path: inside.shown(), entries: entries.collect(), next, is_truncated })
}

/// A line for each: folders end in a slash, and of others than files the kind is said.
impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return f.write_str("There is nothing in it.");
        }
        for (index, entry) in self.entries.iter().enumerate() {
            let start = if index == 0 { "" } else { "\n" };
            match entry.kind {
                "file" => write!(f, "{start}{} ({} bytes)", entry.name, entry.size_bytes)?,
                "folder" => write!(f, "{start}{}/", entry.name)?,
                kind => write!(f, "{start}{} ({kind})", entry.name)?,
            }
        }
        if let Some(next) = &self.next {
            write!(f, "\nThere are more: ask again with after = {next}")?;
        }
        if self.is_truncated {
            write!(f, "\nNot all are listed: there are more than {}.", limits::FOLDER_NAMES)?;
        }
        Ok(())
    }
}
