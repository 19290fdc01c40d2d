//! Where the configuration and the state are looked for.

use crate::error::{Error, Exit};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The configuration of the system's server.
pub const FILE: &str = "/etc/perchd/perchd.toml";
/// And its state, unless it says otherwise (Filesystem Hierarchy Standard 5.8).
const STATE: &str = "/var/lib/perchd";
/// Names the configuration in place of all others.
const VARIABLE: &str = "PERCHD_CONFIG";

/// The configuration that holds: the one that `$PERCHD_CONFIG` names, else a user's own, else the system's. `None` where
/// there is none of them.
pub fn find() -> Option<PathBuf> {
    named(env::var_os).or_else(|| {
        let own = own(is_root(), env::var_os).filter(|path| path.exists());
        own.or_else(|| Some(PathBuf::from(FILE)).filter(|path| path.exists()))
    })
}

/// Where whoever asks keeps a configuration: root the system's, others their own.
pub fn place() -> PathBuf {
    named(env::var_os).or_else(|| own(is_root(), env::var_os)).unwrap_or_else(|| PathBuf::from(FILE))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn named(variable: impl Fn(&'static str) -> Option<OsString>) -> Option<PathBuf> {
    variable(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// XDG Base Directory Specification 0.8. Root's own is the system's.
fn own(is_root: bool, variable: impl Fn(&'static str) -> Option<OsString>) -> Option<PathBuf> {
    if is_root {
        return None;
    }
    let home = || absolute(&variable, "HOME").map(|home| home.join(".config"));
    absolute(&variable, "XDG_CONFIG_HOME").or_else(home).map(|folder| folder.join("perchd/perchd.toml"))
}

/// `$XDG_STATE_HOME/perchd`, or what stands for it (XDG Base Directory Specification 0.8); under systemd, the folder that it
/// made (systemd.exec(5), `StateDirectory`). `file` is the configuration, if there is one.
pub(super) fn state_folder(file: Option<&Path>) -> Result<PathBuf, Error> {
    state_of(file, env::var_os)
}

fn state_of(file: Option<&Path>, variable: impl Fn(&'static str) -> Option<OsString>) -> Result<PathBuf, Error> {
    if let Some(given) = absolute(&variable, "STATE_DIRECTORY") {
        return Ok(given);
    }
    // Else root at a terminal, who is not told by systemd, would look at another state than the server.
    if file == Some(Path::new(FILE)) {
        return Ok(PathBuf::from(STATE));
    }
    let home = || absolute(&variable, "HOME").map(|home| home.join(".local/state"));
    absolute(&variable, "XDG_STATE_HOME").or_else(home).map(|home| home.join("perchd")).ok_or_else(|| {
        let what = "there is no place for the key ring: neither XDG_STATE_HOME nor HOME is set";
        Error::new(Exit::Config, what).remedy("Name a folder with --state.")
    })
}

fn absolute(variable: impl Fn(&'static str) -> Option<OsString>, name: &'static str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &'static [(&str, &str)]) -> impl Fn(&'static str) -> Option<OsString> {
        move |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn a_user_has_a_configuration_of_his_own_and_root_that_of_the_system() {
        let home = with(&[("HOME", "/home/ada")]);
        assert_eq!(own(false, &home), Some("/home/ada/.config/perchd/perchd.toml".into()));
        assert_eq!(own(true, &home), None);
        assert_eq!(own(false, with(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")])), Some("/c/perchd/perchd.toml".into()));
        // A path that is not absolute is to be passed over.
        assert_eq!(own(false, with(&[("XDG_CONFIG_HOME", "c")])), None);
    }

    #[test]
    fn the_environment_names_it_before_all_others() {
        assert_eq!(named(with(&[("PERCHD_CONFIG", "my.toml")])), Some("my.toml".into()));
        assert_eq!(named(with(&[("PERCHD_CONFIG", "")])), None);
    }

    #[test]
    fn the_systems_configuration_has_the_systems_state_whoever_asks() {
        let home = with(&[("HOME", "/root")]);
        assert_eq!(state_of(Some(Path::new(FILE)), &home).unwrap(), Path::new("/var/lib/perchd"));
        assert_eq!(state_of(Some(Path::new("/root/my.toml")), &home).unwrap(), Path::new("/root/.local/state/perchd"));
        assert_eq!(state_of(None, &home).unwrap(), Path::new("/root/.local/state/perchd"));
        let systemd = with(&[("STATE_DIRECTORY", "/var/lib/greenhouse")]);
        assert_eq!(state_of(Some(Path::new(FILE)), systemd).unwrap(), Path::new("/var/lib/greenhouse"));
        assert!(state_of(None, with(&[])).unwrap_err().to_string().contains("--state"));
    }
}
