//! The body of an answer, piece by piece: of a known length, in chunks (RFC 9112 7.1), or to the end of the connection.

use crate::client::dial::{self, Stream};
use crate::client::fault::Fault;
use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// What is read at one time.
const PIECE: usize = 16 * 1024;
/// The longest line of a chunk's size, extensions included.
const SIZE_LINE: usize = 1024;

/// A connection, and what came that nobody has looked at yet.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    pub(super) unread: Vec<u8>,
    /// The server that it leads to.
    pub(super) origin: String,
    /// When it fell idle.
    pub(super) since: Instant,
}

impl Connection {
    /// Reads more; an end is an error.
    pub(super) async fn fill(&mut self) -> io::Result<()> {
        // In place: on the stack it would be a part of every future that waits for it.
        let start = self.unread.len();
        self.unread.resize(start + PIECE, 0);
        let read = dial::read(&mut *self.stream, &mut self.unread[start..]).await;
        self.unread.truncate(start + *read.as_ref().unwrap_or(&0));
        if read? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// Connections that wait for the next request.
pub(super) type Idle = RefCell<Vec<Connection>>;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    /// With what is left of the chunk; `None` before its size.
    Chunks(Option<u64>),
    UntilClose,
    Done,
}

/// The body of an answer.
pub(crate) struct Body {
    pub(super) connection: Option<Connection>,
    pub(super) framing: Framing,
    /// Where the connection goes when all was read, if it can be used again.
    pub(super) home: Option<Weak<Idle>>,
}

impl Body {
    /// Adds what comes next to `out`; `false` is the end.
    pub(crate) async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, Fault> {
        loop {
            let Some(connection) = &mut self.connection else { return Ok(false) };
            match take(&mut connection.unread, &mut self.framing, out)? {
                Taken::Some => return Ok(true),
                Taken::All => {
                    self.go_home();
                    return Ok(false);
                }
                Taken::Nothing => match connection.fill().await {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.framing == Framing::UntilClose => {
                        self.connection = None;
                        return Ok(false);
                    }
                    Err(error) => {
                        self.connection = None;
                        return Err(Fault::Lost(error));
                    }
                },
            }
        }
    }

    /// All of it, if it is no larger than `bytes_max` and comes in time.
    pub(crate) async fn whole(mut self, bytes_max: usize, secs: u64) -> Result<Vec<u8>, Fault> {
        let read = async {
            let mut all = Vec::new();
            while self.next(&mut all).await? {
                if all.len() > bytes_max {
                    return Err(Fault::Large);
                }
            }
            Ok(all)
        };
        tokio::time::timeout(Duration::from_secs(secs), read).await.map_err(|_| Fault::Late)?
    }

    fn go_home(&mut self) {
        let (Some(mut connection), Some(home)) = (self.connection.take(), self.home.take().and_then(|home| home.upgrade()))
        else {
            return;
        };
        let mut idle = home.borrow_mut();
        // What nobody asked for is no answer to the next request.
        if connection.unread.is_empty() && idle.len() < crate::limits::IDLE_CONNECTIONS {
            connection.since = Instant::now();
            idle.push(connection);
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("framing", &self.framing).finish_non_exhaustive()
    }
}

pub(super) fn home_of(idle: &Rc<Idle>, is_kept: bool) -> Option<Weak<Idle>> {
    is_kept.then(|| Rc::downgrade(idle))
}

enum Taken {
    Some,
    Nothing,
    All,
}

/// Moves what is there of the body to `out`.
fn take(unread: &mut Vec<u8>, framing: &mut Framing, out: &mut Vec<u8>) -> Result<Taken, Fault> {
    loop {
        match framing {
            Framing::Done | Framing::Length(0) => return Ok(Taken::All),
            _ if unread.is_empty() => return Ok(Taken::Nothing),
            Framing::UntilClose => {
                out.append(unread);
                return Ok(Taken::Some);
            }
            Framing::Length(left) | Framing::Chunks(Some(left @ 1..)) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
                out.extend(unread.drain(..count));
                *left -= count as u64;
                return Ok(Taken::Some);
            }
            // The line break after a chunk, and then the size of the next one.
            Framing::Chunks(Some(_)) => match unread.as_slice() {
                [b'\r'] => return Ok(Taken::Nothing),
                [b'\r', b'\n', ..] => {
                    unread.drain(..2);
                    *framing = Framing::Chunks(None);
                }
                _ => return Err(Fault::Odd("the answer has a broken chunk")),
            },
            Framing::Chunks(None) => match httparse::parse_chunk_size(unread) {
                Ok(httparse::Status::Complete((_, 0))) => {
                    let Some(end) = end_of_trailers(unread) else {
                        return if unread.len() > SIZE_LINE { Err(Fault::Large) } else { Ok(Taken::Nothing) };
                    };
                    unread.drain(..end);
                    *framing = Framing::Done;
                }
                Ok(httparse::Status::Complete((line, size))) => {
                    unread.drain(..line);
                    *framing = Framing::Chunks(Some(size));
                }
                Ok(httparse::Status::Partial) if unread.len() <= SIZE_LINE => return Ok(Taken::Nothing),
                _ => return Err(Fault::Odd("the answer has a broken chunk")),
            },
        }
    }
}

/// Where the last chunk ends, with its trailers, which nobody reads.
fn end_of_trailers(unread: &[u8]) -> Option<usize> {
    let line = unread.windows(2).position(|pair| pair == b"\r\n")?;
    // Without trailers the blank line comes at once; the line break before it belongs to the size.
    unread[line..].windows(4).position(|four| four == b"\r\n\r\n").map(|at| line + at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body that comes in pieces of `size` bytes; what is left over.
    fn read(text: &str, size: usize, framing: Framing) -> Result<(String, usize), Fault> {
        let (mut framing, mut out, mut unread) = (framing, Vec::new(), Vec::new());
        let mut pieces = text.as_bytes().chunks(size);
        loop {
            match take(&mut unread, &mut framing, &mut out)? {
                Taken::Some => {}
                Taken::All => {
                    return Ok((String::from_utf8(out).unwrap(), unread.len() + pieces.map(<[u8]>::len).sum::<usize>()));
                }
                Taken::Nothing => match pieces.next() {
                    Some(piece) => unread.extend_from_slice(piece),
                    None => return Err(Fault::Late),
                },
            }
        }
    }

    #[test]
    fn a_body_ends_where_it_says() {
        for size in [1, 2, 5, 1000] {
            let chunks = "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n";
            assert_eq!(read(chunks, size, Framing::Chunks(None)).unwrap(), ("hello world".to_owned(), 0));
            let trailers = "1\r\na\r\n0\r\nX: y\r\n\r\nnext";
            assert_eq!(read(trailers, size, Framing::Chunks(None)).unwrap(), ("a".to_owned(), 4));
            assert_eq!(read("hello", size, Framing::Length(5)).unwrap(), ("hello".to_owned(), 0));
            assert_eq!(read("", size, Framing::Length(0)).unwrap(), (String::new(), 0));
        }
    }

    #[test]
    fn a_body_that_is_cut_or_broken_is_none() {
        for text in ["5\r\nhell", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n"] {
            assert!(matches!(read(text, 3, Framing::Chunks(None)), Err(Fault::Late)), "{text:?}");
        }
        for text in ["x\r\n", "5\r\nhelloX\r\n", "-1\r\na", "fffffffffffffffff\r\n"] {
            assert!(matches!(read(text, 3, Framing::Chunks(None)), Err(Fault::Odd(_))), "{text:?}");
        }
        let endless = format!("0\r\n{}", "X: y\r\n".repeat(SIZE_LINE));
        assert!(matches!(read(&endless, 1000, Framing::Chunks(None)), Err(Fault::Large)));
    }
}
