//! What should be read is read; what tries to get out of its folder does not.

use super::*;
use crate::builtin::tree::Tree;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SECRET: &str = "what nobody may read";

/// A folder `data` with a few files, and a secret beside it.
struct Case {
    tree: Tree,
    shelf: Shelf,
}

impl Case {
    fn new() -> Self {
        let files = [("/secret/key", SECRET), ("/data/a.txt", "hello\n"), ("/data/sub/b.txt", "deep\n")];
        let tree = Tree::new(&files);
        let folder = Folder { name: "data".into(), path: tree.0.place("/data"), may_write: true, max_bytes: 1000 };
        let shelf = Shelf { folders: vec![folder].into(), budget: Budget::new(limits::FILES_BYTES) };
        Case { tree, shelf }
    }

    fn link(&self, name: &str, to: impl AsRef<Path>) {
        symlink(to, self.tree.0.place(name)).unwrap();
    }

    /// The same path with and without the help of the kernel.
    fn both(&self, path: &str) -> [Asked; 2] {
        let old = Base::open_without_openat2(&self.tree.0.place("/data")).unwrap();
        let asked = || self.shelf.find("data", path).unwrap();
        [asked(), Asked { base: old, ..asked() }]
    }

    /// Reads a file both ways; what came, or what was said.
    fn read(&self, path: &str) -> [Result<String, String>; 2] {
        self.both(path).map(|asked| {
            let answer = asked.read(&self.shelf.budget, 0).map_err(|error| error.to_string())?;
            Ok(answer.structured_content().unwrap().into_owned())
        })
    }

    fn refuses(&self, path: &str, why: &str) {
        for told in self.read(path) {
            let told = told.unwrap_err();
            assert!(told.contains(why) && !told.contains(SECRET), "{path}: {told}");
        }
    }
}

#[test]
fn paths_that_lead_out_are_refused_by_every_tool() {
    let case = Case::new();
    for path in ["../secret/key", "sub/../../secret/key", "/etc/passwd", "/proc/self/root/etc/passwd", "..", "sub/.."] {
        assert!(case.shelf.find("data", path).is_err(), "{path}");
    }
    assert!(case.shelf.find("other", "a.txt").is_err());
    // Even past the check of the text, the way stays beneath the folder.
    for mut asked in case.both("a.txt") {
        asked.inside = Inside(vec!["..".into(), "secret".into(), "key".into()]);
        assert_eq!(told(&asked.base.metadata(&asked.inside).unwrap_err()), "a link leads out of the folder");
    }
}

#[test]
fn links_that_lead_out_are_not_followed() {
    let case = Case::new();
    let root = case.tree.0.place("/");
    case.link("/data/absolute", root.join("secret/key"));
    case.link("/data/relative", "../secret/key");
    case.link("/data/folder", "../secret");
    case.link("/data/root", "/proc/self/root");
    case.link("/data/cwd", "/proc/self/cwd");
    case.link("/data/circle", "circle");
    for path in ["absolute", "relative", "folder/key", "root/etc/passwd", "cwd", "circle"] {
        for told in case.read(path) {
            assert!(told.is_err(), "{path}: {told:?}");
        }
        assert!(case.shelf.find("data", path).unwrap().list("".as_ref()).is_err(), "{path}");
        assert!(case.shelf.find("data", path).unwrap().tail(&case.shelf.budget, 10).is_err(), "{path}");
        let written = case.shelf.find("data", path).unwrap().write("x", true);
        assert!(written.is_err(), "{path}");
    }
    assert!(case.shelf.find("data", "folder/new").unwrap().write("x", false).is_err());
    assert_eq!(fs::read_to_string(root.join("secret/key")).unwrap(), SECRET);
    assert_eq!(fs::read_dir(root.join("secret")).unwrap().count(), 1);
}

#[test]
fn a_link_that_stays_in_the_folder_is_followed_where_the_kernel_keeps_watch() {
    let case = Case::new();
    case.link("/data/inner", "sub/b.txt");
    let [with, without] = case.read("inner");
    assert!(with.unwrap().contains("deep"));
    assert!(without.is_err());
}

#[test]
fn whoever_swaps_a_folder_for_a_link_wins_no_race() {
    let case = Case::new();
    case.tree.write("/data/turn/key", "harmless");
    case.link("/data/other", "../secret");
    let (turn, other, spare) =
        (case.tree.0.place("/data/turn"), case.tree.0.place("/data/other"), case.tree.0.place("/data/spare"));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for (from, to) in [(&turn, &spare), (&other, &turn), (&turn, &other), (&spare, &turn)] {
                    fs::rename(from, to).unwrap();
                }
            }
        });
        let began = Instant::now();
        let (mut read, mut refused) = (0, 0);
        while began.elapsed() < Duration::from_secs(1) {
            for told in case.read("turn/key") {
                match told {
                    Ok(text) => {
                        assert!(text.contains("harmless"), "{text}");
                        read += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
            let written = case.shelf.find("data", "turn/new").unwrap().write("x", true);
            assert!(!case.tree.0.place("/secret/new").exists(), "{written:?}");
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(read > 0 && refused > 0, "there was no race: {read} {refused}");
    });
}

#[test]
fn what_is_no_file_is_refused_at_once_and_not_opened() {
    let case = Case::new();
    mknodat(CWD, case.tree.0.place("/data/pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(case.tree.0.place("/data/socket")).unwrap();
    let began = Instant::now();
    case.refuses("pipe", "it is a pipe");
    case.refuses("socket", "it is a socket");
    case.refuses("sub", "it is a folder");
    assert!(began.elapsed() < Duration::from_secs(2));
    let listing = case.shelf.find("data", "").unwrap().list("".as_ref()).unwrap().to_string();
    assert_eq!(listing, "a.txt (6 bytes)\npipe (pipe)\nsocket (socket)\nsub/");
    for name in ["pipe", "socket", "sub"] {
        let told = case.shelf.find("data", name).unwrap().write("x", true).unwrap_err().to_string();
        assert!(told.contains("of this name"), "{told}");
    }
    // A device, where there is one: only root can make another.
    let device = Folder { name: "data".into(), path: "/dev".into(), may_write: true, max_bytes: 1000 };
    let shelf = Shelf { folders: vec![device].into(), ..case.shelf.clone() };
    let told = shelf.find("data", "zero").unwrap().read(&shelf.budget, 0).unwrap_err().to_string();
    assert!(told.contains("it is a device"), "{told}");
}

#[test]
fn a_file_of_a_gigabyte_is_read_in_parts() {
    let case = Case::new();
    let file = fs::File::create(case.tree.0.place("/data/big")).unwrap();
    file.set_len(1 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"\nthe end\n", (1 << 30) - 9).unwrap();
    for told in case.read("big") {
        let told: Value = serde_json::from_str(&told.unwrap()).unwrap();
        assert_eq!((&told["size_bytes"], &told["next_offset"]), (&json!(1 << 30), &json!(1000)));
    }
    let asked = case.shelf.find("data", "big").unwrap();
    let end = asked.tail(&case.shelf.budget, 1).unwrap().structured_content().unwrap().into_owned();
    assert!(end.contains(r#""text":"the end\n""#), "{end}");
    let beyond = asked.read(&case.shelf.budget, 1 << 40).unwrap().structured_content().unwrap().into_owned();
    assert!(beyond.contains(r#""text":"""#) && !beyond.contains("next_offset"), "{beyond}");
}

#[test]
fn more_than_there_is_memory_for_is_refused() {
    let case = Case::new();
    let share = case.shelf.budget.take(limits::FILES_BYTES - 999).unwrap();
    case.refuses("a.txt", "try again");
    drop(share);
    assert!(case.read("a.txt")[0].is_ok());
}

#[test]
fn a_name_that_is_no_text_can_be_listed_and_read() {
    let case = Case::new();
    fs::write(case.tree.0.place("/data").join(OsStr::from_bytes(b"caf\xe9")), "old").unwrap();
    let listing = case.shelf.find("data", "").unwrap().list("".as_ref()).unwrap().to_string();
    assert!(listing.contains("caf\\xE9 (3 bytes)"), "{listing}");
    assert!(case.read("caf\\xE9")[0].as_ref().unwrap().contains("\"old\""));
}

#[test]
fn a_long_folder_is_listed_in_pages() {
    let case = Case::new();
    for number in 0..limits::FOLDER_ENTRIES + 5 {
        case.tree.write(&format!("/data/many/{number:05}"), "");
    }
    let asked = case.shelf.find("data", "many").unwrap();
    let first = serde_json::to_value(asked.list("".as_ref()).unwrap()).unwrap();
    assert_eq!((first["entries"].as_array().unwrap().len(), first["next"].as_str()), (limits::FOLDER_ENTRIES, Some("00499")));
    let second = serde_json::to_value(asked.list("00499".as_ref()).unwrap()).unwrap();
    assert_eq!((second["entries"][0]["name"].as_str(), second["next"].as_str()), (Some("00500"), None));
    assert_eq!(second["entries"].as_array().unwrap().len(), 5);
}

#[test]
fn a_file_is_written_whole_and_only_replaced_where_that_is_said() {
    let case = Case::new();
    let write = |path: &str, text: &str, replace: bool| {
        let asked = case.shelf.find("data", path).unwrap();
        asked.write(text, replace).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(write("a.txt", "new", false).unwrap_err().contains("replace = true"));
    assert!(write("", "new", true).unwrap_err().contains("names no file"));
    assert!(write("none/c.txt", "new", true).unwrap_err().contains("not there"));
    assert!(write("c.txt", &"x".repeat(1001), true).unwrap_err().contains("at most 1000"));
    let place = case.tree.0.place("/data/a.txt");
    assert_eq!(fs::read_to_string(&place).unwrap(), "hello\n");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&place).unwrap();
    write("a.txt", "new", true).unwrap();
    let after = fs::metadata(&place).unwrap();
    assert_eq!((fs::read_to_string(&place).unwrap().as_str(), after.mode() & 0o777), ("new", 0o640));
    assert_ne!(before.ino(), after.ino(), "the old file was written into");
    write("sub/c.txt", "fresh", false).unwrap();
    assert_eq!(fs::read_to_string(case.tree.0.place("/data/sub/c.txt")).unwrap(), "fresh");
    let names: Vec<_> = fs::read_dir(case.tree.0.place("/data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing is left behind: {names:?}");
}

#[test]
fn a_folder_with_the_keys_of_the_board_is_refused() {
    let case = Case::new();
    let place = |path: &str| case.tree.0.place(path);
    case.link("/link", "secret");
    let mut config = Config::with_state(place("/secret"));
    config.file = Some(place("/etc/perchd.toml"));
    let check = |path: PathBuf| {
        let folder = Folder { name: "x".into(), path, may_write: false, max_bytes: 1 };
        check(&folder, &config).map_err(|error| error.to_string())
    };
    for path in ["/", "/secret", "/link", "/secret/deeper", "/etc", "/etc/tools.d"] {
        assert!(check(place(path)).unwrap_err().contains("must not be read"), "{path}");
    }
    for path in ["/proc/self/root", "/proc", "/sys/class", "/dev/shm"] {
        assert!(check(path.into()).is_err(), "{path}");
    }
    assert_eq!(check(place("/data")), Ok(()));
}

#[test]
fn the_schemas_are_kept() {
    let case = Case::new();
    fs::write(case.tree.0.place("/data/picture"), b"\x89PNG\r\n\x1a\n\0").unwrap();
    let asked = |path: &str| case.shelf.find("data", path).unwrap();
    for (tool, output) in [
        (read_file(&case.shelf), asked("a.txt").read(&case.shelf.budget, 0)),
        (read_file(&case.shelf), asked("picture").read(&case.shelf.budget, 0)),
        (tail_file(&case.shelf), asked("a.txt").tail(&case.shelf.budget, 3)),
        (write_file(&case.shelf), asked("new").write("x", false)),
    ] {
        assert_eq!(tool.check(&output.unwrap()), Ok(()));
    }
    let listing = Output::structured(&asked("").list("".as_ref()).unwrap()).unwrap();
    assert_eq!(list_files(&case.shelf).check(&listing), Ok(()));
    let picture = asked("picture").read(&case.shelf.budget, 0).unwrap();
    assert!(matches!(picture.content().nth(1), Some(Content::Image { mime_type, .. }) if mime_type == "image/png"));
}
