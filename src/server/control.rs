//! The control socket: commands of the owner reach the server that runs, and nobody else's do.
//!
//! One line of JSON each way. The socket stands in a folder of the server's own, and whoever connects must be the user that
//! the server runs as, or root: the kernel says who it is.

use crate::error::{Error, Exit};
use crate::json::{self, Members};
use crate::limits;
use crate::server::desk::{Answer, Desk, Request};
use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use serde::Serialize;
use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use zeroize::Zeroizing;

/// Its name, in whichever folder it stands.
const NAME: &str = "control";
/// The runtime directory of the system's server (systemd.exec(5), `RuntimeDirectory`).
const SYSTEM: &str = "/run/perchd";

/// A request, and the folder with the state that it is about: there may be more than one server.
#[derive(Serialize)]
struct Ask<'a> {
    state: PathBuf,
    request: &'a Request,
}

/// Reads one.
fn read(line: &[u8]) -> Option<(PathBuf, Request)> {
    let mut ask = Members::read(line)?;
    let read = (ask.text("state").into(), Request::read(ask.take("request")?)?);
    ask.whole(read)
}

/// The socket of a server; it is gone when the server is.
#[derive(Debug)]
pub(crate) struct Control {
    listener: StdListener,
    path: PathBuf,
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Control {
    /// Opens the socket in the runtime directory; in the state folder where there is none, or where it is another server's.
    pub(crate) fn open(state: &Path) -> io::Result<Self> {
        let runtime = runtime_folder().and_then(|folder| Control::open_at_runtime(&folder).ok());
        runtime.map_or_else(|| Control::open_in(state), Ok)
    }

    fn open_at_runtime(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // systemd makes it for everybody to look into, unless it is told otherwise.
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        // Two that start at once would take each other's for one that was left.
        let turn = File::open(folder)?;
        flock(&turn, FlockOperation::LockExclusive)?;
        Control::open_in(folder)
    }

    fn open_in(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        if StdStream::connect(&path).is_ok() {
            return Err(ErrorKind::AddrInUse.into());
        }
        // What nobody listens to was left by a power cut.
        fs::remove_file(&path).or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        let listener = StdListener::bind(&path)?;
        let control = Control { listener, path };
        fs::set_permissions(&control.path, Permissions::from_mode(0o600))?;
        control.listener.set_nonblocking(true)?;
        Ok(control)
    }

    /// Answers one after the other, for as long as the server runs.
    pub(crate) async fn serve(self, desk: Desk) {
        let Ok(listener) = self.listener.try_clone().and_then(UnixListener::from_std) else { return };
        let desk = Rc::new(desk);
        loop {
            let patience = Duration::from_secs(limits::CONTROL_SECS);
            match listener.accept().await {
                Ok((socket, _)) => match socket.peer_cred() {
                    Ok(peer) if is_owner(peer.uid(), geteuid().as_raw()) => {
                        let _ = tokio::time::timeout(patience, converse(socket, &desk)).await;
                    }
                    peer => log::warn!("the control socket is not for user {:?}", peer.ok().map(|peer| peer.uid())),
                },
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// Whether this user may ask: the one that we run as, or root.
fn is_owner(uid: u32, own: u32) -> bool {
    uid == own || uid == 0
}

async fn converse(socket: UnixStream, desk: &Desk) -> io::Result<()> {
    let answer = match read(&read_line(&socket).await?) {
        Some((state, request)) if state == whole(desk.state().folder()) => desk.answer(request),
        Some(_) => Answer::Elsewhere,
        None => Answer::Fault { exit: Exit::Usage.code(), told: "the server does not know this request".to_owned() },
    };
    let mut line = Zeroizing::new(serde_json::to_vec(&answer)?);
    line.push(b'\n');
    let mut rest = &line[..];
    while !rest.is_empty() {
        socket.writable().await?;
        match socket.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read_line(socket: &UnixStream) -> io::Result<Zeroizing<Vec<u8>>> {
    // All of its room from the start: a buffer that grows leaves copies of a token behind.
    let mut line = Zeroizing::new(vec![0; limits::CONTROL_BYTES]);
    let mut length = 0;
    while length < line.len() && !line[..length].ends_with(b"\n") {
        socket.readable().await?;
        match socket.try_read(&mut line[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    line.truncate(length);
    Ok(line)
}

/// Asks the server that runs with this state. `None` where there is none.
pub(crate) fn ask(state: &Path, request: &Request) -> Result<Option<Answer>, Error> {
    let line = serde_json::to_vec(&Ask { state: whole(state), request }).map(Zeroizing::new);
    let line = line.map_err(|error| Error::new(Exit::Software, error.to_string()))?;
    let elsewhere = [runtime_folder(), Some(PathBuf::from(SYSTEM))];
    for path in elsewhere.into_iter().flatten().map(|folder| folder.join(NAME)) {
        // What cannot be reached there may be the server of somebody else.
        match ask_at(&path, &line) {
            Ok(Some(Answer::Elsewhere)) | Err(_) => {}
            answered => return told(&path, answered),
        }
    }
    let path = state.join(NAME);
    told(&path, ask_at(&path, &line))
}

/// What a server said, or what its silence means.
fn told(path: &Path, answered: io::Result<Option<Answer>>) -> Result<Option<Answer>, Error> {
    const OTHERS: &str = "Ask as root, or as the user that the server runs as: sudo perchd ...";
    match answered {
        Ok(Some(Answer::Elsewhere)) => Ok(None),
        Ok(Some(Answer::Fault { exit, told })) => Err(Error::new(Exit::from_code(exit), told)),
        Ok(Some(answer)) => Ok(Some(answer)),
        Ok(None) => {
            let what = "the server hung up: it belongs to another user, or is another perchd";
            Err(Error::new(Exit::Permission, what).at(path.display()).remedy(OTHERS))
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => {
            let is_denied = error.kind() == ErrorKind::PermissionDenied;
            let remedy = if is_denied { OTHERS } else { "Look at what it does: journalctl -u perchd" };
            Err(Error::new(Exit::System, "cannot talk to the server").at(path.display()).because(error).remedy(remedy))
        }
    }
}

/// `None` for an end without an answer.
fn ask_at(path: &Path, line: &[u8]) -> io::Result<Option<Answer>> {
    let mut socket = StdStream::connect(path)?;
    let patience = Some(Duration::from_secs(limits::CONTROL_SECS * 5));
    socket.set_read_timeout(patience)?;
    socket.set_write_timeout(patience)?;
    let mut answer = Zeroizing::new(Vec::with_capacity(limits::CONTROL_BYTES));
    let sent = socket.write_all(line).and_then(|()| socket.write_all(b"\n")).and_then(|()| socket.shutdown(Shutdown::Write));
    let read = sent.and_then(|()| (&mut socket).take(limits::CONTROL_BYTES as u64).read_to_end(&mut answer));
    match read {
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Err(error),
        _ => Ok(json::read(&answer).ok().and_then(Answer::read)),
    }
}

/// `$RUNTIME_DIRECTORY` (systemd.exec(5)), or `$XDG_RUNTIME_DIR/perchd`.
fn runtime_folder() -> Option<PathBuf> {
    let given = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // There may be several, with colons between.
    let first = |path: PathBuf| path.to_str().and_then(|all| all.split(':').next()).map(PathBuf::from);
    given("RUNTIME_DIRECTORY").and_then(first).or_else(|| given("XDG_RUNTIME_DIR").map(|folder| folder.join("perchd")))
}

/// The folder under its one name.
fn whole(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_user_and_root_may_ask() {
        assert!(!is_owner(1000, 999) && !is_owner(65534, 0));
        assert!(is_owner(999, 999) && is_owner(0, 999));
    }

    #[test]
    fn an_answer_that_is_none_names_the_remedy() {
        let path = Path::new("/run/perchd/control");
        let error = told(path, Ok(None)).err().unwrap();
        assert_eq!(error.exit().code(), 77);
        assert!(error.to_string().contains("sudo"), "{error}");
        let denied = told(path, Err(ErrorKind::PermissionDenied.into())).err().unwrap();
        assert_eq!(denied.exit().code(), 77);
        let late = told(path, Err(ErrorKind::WouldBlock.into())).err().unwrap();
        assert_eq!(late.exit().code(), 71);
        assert!(told(path, Err(ErrorKind::ConnectionRefused.into())).unwrap().is_none());
        assert!(told(path, Ok(Some(Answer::Elsewhere))).unwrap().is_none());
    }
}
