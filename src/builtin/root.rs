//! Where `/proc` and `/sys` are: on the board, or in a tree that a test has made.

use crate::order;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// More of a file is not read. `/proc/self/mountinfo` is the longest of them, at 30 KiB on a machine full of containers.
const FILE_BYTES: u64 = 64 * 1024;
/// More entries of a folder are not looked at, where a caller does not say otherwise.
const ENTRIES: usize = 64;
/// The longest name or label of the kernel's that is shown.
const LABEL_CHARS: usize = 64;

/// The folder that stands for `/`.
#[derive(Clone, Debug)]
pub(super) struct Root(pub(super) PathBuf);

impl Default for Root {
    fn default() -> Self {
        Root(PathBuf::from("/"))
    }
}

impl Root {
    /// Where `path`, which begins with `/`, really is.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// A file's text without the white space and NULs around it; `None` where there is nothing to read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        self.try_read(path).ok().filter(|text| !text.is_empty())
    }

    /// The same, with the reason where it cannot be read: a sensor that is not connected says so by an error.
    pub(super) fn try_read(&self, path: &str) -> io::Result<String> {
        let text = read_bounded(&self.place(path))?;
        Ok(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
    }

    /// A file that holds one number.
    pub(super) fn number<T: std::str::FromStr>(&self, path: &str) -> Option<T> {
        self.read(path)?.parse().ok()
    }

    /// A file that holds a name for people: short, on one line, and without what would confuse a terminal.
    pub(super) fn label(&self, path: &str) -> Option<String> {
        self.read(path).map(|text| label(&text))
    }

    /// The names in a folder that begin with `prefix`, in the order in which people count: `hwmon2` before `hwmon10`.
    pub(super) fn names(&self, folder: &str, prefix: &str) -> Vec<String> {
        self.most_names(folder, prefix, ENTRIES)
    }

    /// The same, and at most this many of them.
    pub(super) fn most_names(&self, folder: &str, prefix: &str, most: usize) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.place(folder)) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).take(most).collect();
        order::sort(&mut names, |a, b| (a.len(), a) < (b.len(), b));
        names
    }

    /// The last name of what a link leads to.
    pub(super) fn target(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.place(path)).ok()?;
        Some(label(target.file_name()?.to_str()?))
    }
}

/// A name for people, from whoever chose it.
pub(super) fn label(text: &str) -> String {
    let chars = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    chars.take(LABEL_CHARS).collect()
}

/// A file's text; of a file that is too long, the lines that fit.
fn read_bounded(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == FILE_BYTES {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        bytes.truncate(end);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
