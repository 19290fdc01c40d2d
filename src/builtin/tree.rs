//! Made-up boards for tests: `/proc` and `/sys` in a folder.

use crate::builtin::root::Root;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A made-up board, gone when the test is over.
pub(super) struct Tree(pub(super) Root);

impl Tree {
    /// A board with these files.
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("perchd-board-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        let tree = Tree(Root(folder));
        fs::create_dir_all(tree.0.place("/")).unwrap();
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    /// The board that `tests/trees` has under this name.
    pub(super) fn of(name: &str) -> Self {
        let tree = Tree::new(&[]);
        for (path, text) in recorded(name) {
            tree.write(&path, &text);
        }
        tree
    }

    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let place = self.0.place(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0.0);
    }
}

/// The files of a recorded board.
pub(super) fn recorded(name: &str) -> BTreeMap<String, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/trees/{name}.txt"));
    let mut files = BTreeMap::<String, String>::new();
    for line in fs::read_to_string(file).unwrap().lines().filter(|line| !line.starts_with('#')) {
        let (path, text) = line.split_once(" = ").unwrap();
        let file = files.entry(path.to_owned()).or_default();
        file.push_str(text);
        file.push('\n');
    }
    files
}
