//! What is kept of a server: one file for each, which only its user can read.

use crate::client::url::Url;
use crate::error::{Error, Exit};
use crate::json::Members;
use crate::limits;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A registration and its tokens. It has no `Debug`: it is full of secrets.
#[derive(Clone, Default, Serialize)]
pub(super) struct Kept {
    pub(super) issuer: String,
    pub(super) token_endpoint: String,
    pub(super) resource: String,
    pub(super) client_id: String,
    pub(super) client_secret: Option<String>,
    /// The secret goes into a header, not into the form.
    pub(super) is_basic: bool,
    /// Where the registration lets a browser come back to.
    pub(super) redirect_port: u16,
    pub(super) access_token: Option<String>,
    pub(super) refresh_token: Option<String>,
    pub(super) expires_unix: Option<u64>,
    pub(super) scope: Option<String>,
}

impl Kept {
    fn read(kept: &mut Members) -> Option<Self> {
        let read = Kept {
            issuer: kept.text("issuer"),
            token_endpoint: kept.text("token_endpoint"),
            resource: kept.text("resource"),
            client_id: kept.text("client_id"),
            client_secret: kept.text_if_any("client_secret"),
            is_basic: kept.flag("is_basic"),
            redirect_port: kept.number("redirect_port"),
            access_token: kept.text_if_any("access_token"),
            refresh_token: kept.text_if_any("refresh_token"),
            expires_unix: kept.number_if_any("expires_unix"),
            scope: kept.text_if_any("scope"),
        };
        kept.sound(read)
    }
}

/// The place of one server.
#[derive(Debug)]
pub(super) struct Store {
    file: PathBuf,
}

impl Store {
    pub(super) fn of(url: &Url) -> Result<Self, Error> {
        let given = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || given("HOME").or_else(|| given("USERPROFILE")).map(|home| home.join(".config"));
        let folder = given("XDG_CONFIG_HOME")
            .or_else(home)
            .ok_or_else(|| Error::new(Exit::Config, "there is no place for tokens: neither XDG_CONFIG_HOME nor HOME is set"))?;
        // Only what a file name may have: a host has letters, digits, `.`, `-`, `_` and colons. A token is for one address of a
        // server (RFC 8707), so that each of them has a file of its own.
        let origin = url.origin().replace("://", "-").replace([':', '[', ']'], "-");
        let digest = digest(&SHA256, url.path_alone().as_bytes());
        let name = format!("{origin}-{}", URL_SAFE_NO_PAD.encode(&digest.as_ref()[..9]));
        Ok(Store { file: folder.join("perchd/connect").join(format!("{name}.json")) })
    }

    /// What is there; nothing where it is damaged.
    pub(super) fn read(&self) -> Kept {
        let is_small = fs::metadata(&self.file).is_ok_and(|about| about.len() <= limits::KEPT_BYTES as u64);
        let text = is_small.then(|| fs::read(&self.file).ok()).flatten();
        text.and_then(|text| Kept::read(&mut Members::read(&text)?)).unwrap_or_default()
    }

    /// Puts it in place at once, or not at all.
    pub(super) fn write(&self, kept: &Kept) -> Result<(), Error> {
        let write = || -> io::Result<()> {
            let new = self.file.with_extension(format!("{}.new", std::process::id()));
            let _ = fs::remove_file(&new);
            let mut out = private(OpenOptions::new().write(true).create_new(true)).open(&new)?;
            out.write_all(&serde_json::to_vec(kept)?)?;
            out.sync_all()?;
            fs::rename(&new, &self.file)
        };
        self.folder().and_then(|()| write()).map_err(|error| self.failed("cannot keep the tokens", error))
    }

    pub(super) fn forget(&self) -> Result<bool, Error> {
        let _ = fs::remove_file(self.lock_file());
        match fs::remove_file(&self.file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed("cannot forget the tokens", error)),
        }
    }

    /// Keeps other processes from signing in or renewing at the same time; it ends with the value.
    pub(super) async fn lock(&self) -> Result<File, Error> {
        let open = || private(OpenOptions::new().write(true).create(true).truncate(false)).open(self.lock_file());
        let file = self.folder().and_then(|()| open()).map_err(|error| self.failed("cannot lock the tokens", error))?;
        let mut waits = 0;
        while !try_lock(&file) && waits < limits::SIGN_IN_SECS * 5 {
            waits += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(file)
    }

    fn lock_file(&self) -> PathBuf {
        self.file.with_extension("lock")
    }

    fn folder(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(self.file.parent().unwrap_or(Path::new(".")))
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::new(Exit::System, what).at(self.file.display()).because(error)
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(unix)]
fn try_lock(file: &File) -> bool {
    rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok()
}

#[cfg(not(unix))]
fn try_lock(_file: &File) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_of_a_server_has_a_file_of_its_own() {
        let file = |text: &str| Store::of(&Url::parse(text).unwrap()).unwrap().file;
        assert_eq!(file("https://board.local:8787/mcp"), file("https://BOARD.local:8787/mcp?x=1"));
        assert_ne!(file("https://board.local:8787/mcp"), file("https://board.local:8787/sse"));
        assert_ne!(file("https://board.local:8787/mcp"), file("https://board.local:8788/mcp"));
        let name = file("https://[::1]:8787/a/../b").file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("https----1--8787-") && !name.contains('/'), "{name}");
    }
}
