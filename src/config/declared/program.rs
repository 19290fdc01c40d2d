//! Whether a program may be run: it is there, and nobody who calls perchd can have changed it.

use rustix::fs::{Access, Mode, access};
use rustix::process::{getegid, geteuid, getgroups};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Programs that run a text.
const SHELLS: &[&str] = &["sh", "ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "ksh93", "mksh", "tcsh", "yash", "zsh"];

/// As whom the service runs.
struct Who {
    user: u32,
    groups: Vec<u32>,
}

impl Who {
    fn am_i() -> Self {
        let mut groups: Vec<u32> = getgroups().unwrap_or_default().into_iter().map(rustix::process::Gid::as_raw).collect();
        groups.push(getegid().as_raw());
        Who { user: geteuid().as_raw(), groups }
    }

    /// Why `file` is not safe from change; `None` if it is.
    ///
    /// Root's own files are safe from everybody but root. Whoever owns a file can make it writable.
    fn fault(&self, file: &Found) -> Option<&'static str> {
        let has = |mode: Mode| file.mode & mode.as_raw_mode() != 0;
        let is_root = self.user == 0;
        match file {
            // In such a folder, as /tmp is one, only the owner of a file can put another in its place.
            _ if has(Mode::WOTH) && !(file.is_folder && has(Mode::SVTX)) => Some("everybody can write there"),
            _ if !is_root && file.user == self.user => Some("it belongs to the user that perchd runs as"),
            _ if !is_root && has(Mode::WGRP) && self.groups.contains(&file.group) && !(file.is_folder && has(Mode::SVTX)) => {
                Some("a group that perchd runs in can write there")
            }
            _ => None,
        }
    }
}

/// What the file system says of a file or folder.
struct Found {
    user: u32,
    group: u32,
    mode: u32,
    is_folder: bool,
}

impl From<Metadata> for Found {
    fn from(metadata: Metadata) -> Self {
        Found { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode(), is_folder: metadata.is_dir() }
    }
}

/// Why `path` cannot be run as `elements` say it should, and what to do about it.
pub(in crate::config) fn check(path: &Path, elements: &[&str]) -> Result<(), (String, &'static str)> {
    let shown = path.display();
    if !path.is_absolute() {
        let remedy = "Write the whole path: `command -v NAME` says it. There is no shell that would look for it.";
        return Err((format!("the program `{shown}` is not absolute"), remedy));
    }
    let real = path.canonicalize().map_err(|error| (format!("the program `{shown}` is not there: {error}"), "Install it."))?;
    let metadata = real.metadata().map_err(|error| (format!("cannot look at `{shown}`: {error}"), "Check the path."))?;
    if !metadata.is_file() || access(&real, Access::EXEC_OK).is_err() {
        return Err((format!("`{shown}` cannot be run by the user that perchd runs as"), "See its mode: chmod 755"));
    }
    if runs_text(&real, elements) {
        let what = format!("`{shown} -c` runs a text: perchd lets no shell come between a call and a program");
        return Err((what, "Write the text into a script that begins with #!/bin/sh, and run that."));
    }
    let who = Who::am_i();
    for above in real.ancestors() {
        let found = above.metadata().map(Found::from).map_err(|_| (format!("cannot look at `{}`", above.display()), ""))?;
        if let Some(why) = who.fault(&found) {
            let what = format!("`{shown}` is not safe from change: `{}`: {why}", above.display());
            return Err((what, "Let root own it, and nobody else write there: chown root:root, chmod go-w"));
        }
    }
    Ok(())
}

/// Whether it is a shell that is given a text to run.
fn runs_text(real: &Path, elements: &[&str]) -> bool {
    let is_shell = |name: &str| SHELLS.contains(&name);
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let mut elements = elements.iter().peekable();
    if name == "busybox" {
        elements.next_if(|name| is_shell(name));
    }
    let is_text = |option: &&str| option.starts_with('-') && !option.starts_with("--") && option.contains('c');
    is_shell(&name) && elements.take_while(|element| element.starts_with(['-', '+'])).any(is_text)
}

/// Whether commands can be run in this folder.
pub(super) fn folder(path: &Path) -> Result<PathBuf, String> {
    if path.is_absolute() && path.is_dir() {
        return Ok(path.to_owned());
    }
    Err(format!("`{}` is no folder, as an absolute path", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: u32 = 990;

    fn fault(user: u32, file: (u32, u32, u32), is_folder: bool) -> Option<&'static str> {
        let (owner, group, mode) = file;
        Who { user, groups: vec![SERVICE, 44] }.fault(&Found { user: owner, group, mode, is_folder })
    }

    #[test]
    fn what_the_service_could_change_is_refused() {
        assert_eq!(fault(SERVICE, (0, 0, 0o777), false), Some("everybody can write there"));
        assert_eq!(fault(0, (0, 0, 0o757), false), Some("everybody can write there"));
        assert_eq!(fault(0, (0, 0, 0o757), true), Some("everybody can write there"));
        assert_eq!(fault(SERVICE, (SERVICE, 0, 0o555), false), Some("it belongs to the user that perchd runs as"));
        assert_eq!(fault(SERVICE, (SERVICE, 0, 0o1755), true), Some("it belongs to the user that perchd runs as"));
        assert_eq!(fault(SERVICE, (0, 44, 0o775), false), Some("a group that perchd runs in can write there"));
    }

    #[test]
    fn what_it_cannot_change_is_fine() {
        assert_eq!(fault(SERVICE, (0, 0, 0o755), false), None);
        assert_eq!(fault(SERVICE, (1000, 1000, 0o775), false), None, "the owner's own script");
        assert_eq!(fault(SERVICE, (0, 50, 0o2775), true), None, "/usr/local of Debian, which group staff can write to");
        assert_eq!(fault(SERVICE, (0, 0, 0o1777), true), None, "/tmp");
        assert_eq!(fault(0, (0, 0, 0o755), false), None, "a service that runs as root");
    }

    #[test]
    fn a_shell_with_a_text_is_refused_and_one_with_a_script_is_not() {
        for elements in [["-c", "x"], ["-ec", "x"], ["-e", "-c"], ["+e", "-xc"]] {
            assert!(runs_text(Path::new("/bin/dash"), &elements), "{elements:?}");
        }
        assert!(runs_text(Path::new("/bin/busybox"), &["ash", "-c"]));
        assert!(!runs_text(Path::new("/bin/dash"), &["/opt/script", "-c"]));
        assert!(!runs_text(Path::new("/bin/grep"), &["-c", "x"]));
        assert!(check(Path::new("/bin/sh"), &["-c", "ls"]).unwrap_err().0.contains("no shell"));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for (path, told) in [("true", "absolute"), ("/nonexistent", "not there"), ("/etc/passwd", "run"), ("/usr", "run")] {
            let (what, remedy) = check(Path::new(path), &[]).unwrap_err();
            assert!(what.contains(told) && !remedy.is_empty(), "{what}");
        }
        assert!(folder(Path::new("tmp")).is_err() && folder(Path::new("/etc/passwd")).is_err());
    }
}
