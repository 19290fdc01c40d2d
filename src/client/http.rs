//! One HTTP/1.1 request, one answer. Connections are kept for the next request to the same server.

use crate::client::body::{Body, Connection, Framing, Idle, home_of};
use crate::client::dial;
use crate::client::fault::Fault;
use crate::client::tls::Tls;
use crate::client::url::Url;
use crate::limits;
use std::fmt::Write;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::io::ReadBuf;
use tokio::time::timeout;

/// Sends requests.
pub(crate) struct Client {
    tls: Tls,
    idle: Rc<Idle>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a Url,
    /// Beside `Host`, `User-Agent` and `Content-Length`.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    /// The head of the answer must be here after this time.
    pub(crate) secs: u64,
}

/// An answer. Its body is still to be read.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

impl Response {
    /// The value of a header, of the first with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The values of all headers with this name.
    pub(crate) fn headers(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the body is of this media type, whatever its parameters.
    pub(crate) fn is_of(&self, media_type: &str) -> bool {
        let given = self.header("content-type").and_then(|value| value.split(';').next());
        given.is_some_and(|given| given.trim().eq_ignore_ascii_case(media_type))
    }
}

impl Client {
    /// One that trusts whom `tls` trusts.
    pub(crate) fn new(tls: Tls) -> Self {
        Client { tls, idle: Rc::default() }
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(&self, request: &Request<'_>) -> Result<Response, Fault> {
        let head = head(request).ok_or(Fault::Odd("a header has a line break in it"))?;
        let mut connection = self.connection(request.url).await?;
        let exchange = async {
            // In one piece where that is short: in one packet.
            let joined: Vec<u8>;
            let pieces = if request.body.len() <= 16 * 1024 {
                joined = [head.as_bytes(), request.body].concat();
                [joined.as_slice(), b""]
            } else {
                [head.as_bytes(), request.body]
            };
            for piece in pieces {
                dial::write(&mut *connection.stream, piece).await.map_err(Fault::Lost)?;
            }
            read_head(&mut connection).await
        };
        let head = timeout(Duration::from_secs(request.secs), exchange).await.map_err(|_| Fault::Late)??;
        let framing = if request.method == "HEAD" { Framing::Done } else { head.framing };
        let home = home_of(&self.idle, head.is_kept && framing != Framing::UntilClose);
        Ok(Response { status: head.status, headers: head.headers, body: Body { connection: Some(connection), framing, home } })
    }

    /// One that is idle, or a new one.
    async fn connection(&self, url: &Url) -> Result<Connection, Fault> {
        let origin = url.origin();
        loop {
            let found = {
                let mut idle = self.idle.borrow_mut();
                idle.retain(|connection| connection.since.elapsed() < Duration::from_secs(limits::IDLE_SECS));
                idle.iter().rposition(|connection| connection.origin == origin).map(|at| idle.swap_remove(at))
            };
            let Some(mut connection) = found else { break };
            if is_quiet(&mut connection) {
                return Ok(connection);
            }
        }
        let stream = dial::connect(url, &self.tls).await?;
        Ok(Connection { stream, unread: Vec::new(), origin, since: Instant::now() })
    }
}

/// Whether nothing came while it was idle: an end, above all.
fn is_quiet(connection: &mut Connection) -> bool {
    let mut room = [0; 1];
    let mut room = ReadBuf::new(&mut room);
    let polled = Pin::new(&mut *connection.stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut room);
    matches!(polled, Poll::Pending)
}

/// The head as it goes out; `None` where a header would end early.
fn head(request: &Request<'_>) -> Option<String> {
    let is_line = |text: &str| !text.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f);
    if !request.headers.iter().all(|(name, value)| is_line(name) && is_line(value)) {
        return None;
    }
    let Request { method, url, .. } = request;
    let agent = concat!("perchd/", env!("CARGO_PKG_VERSION"));
    let mut head = format!("{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {agent}\r\n", url.path(), url.authority());
    for (name, value) in request.headers {
        head.extend([*name, ": ", *value, "\r\n"]);
    }
    if !request.body.is_empty() || *method == "POST" {
        // Writing to a String does not fail.
        let _ = write!(head, "Content-Length: {}\r\n", request.body.len());
    }
    head.push_str("\r\n");
    Some(head)
}

#[derive(Debug)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
    framing: Framing,
    is_kept: bool,
}

async fn read_head(connection: &mut Connection) -> Result<Head, Fault> {
    loop {
        match parse(&connection.unread)? {
            Some((head, length)) => {
                connection.unread.drain(..length);
                // RFC 9110 15.2: what comes before the answer.
                if head.status >= 200 {
                    return Ok(head);
                }
            }
            None if connection.unread.len() > limits::ANSWER_HEAD.0 => return Err(Fault::Large),
            None => connection.fill().await.map_err(Fault::Lost)?,
        }
    }
}

/// The head of an answer, and its length; `None` where it is not whole.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Fault> {
    let mut room = [httparse::EMPTY_HEADER; limits::ANSWER_HEAD.1];
    let mut parsed = httparse::Response::new(&mut room);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::Large),
        Err(_) => return Err(Fault::Odd("this is no answer of HTTP")),
    };
    let status = parsed.code.unwrap_or(0);
    let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
    let headers: Vec<_> = parsed.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
    let find = |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
    let framing = match (find("transfer-encoding"), find("content-length")) {
        _ if status < 200 || status == 204 || status == 304 => Framing::Done,
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunks(None),
        (Some(_), _) => return Err(Fault::Odd("the answer is in an unknown transfer coding")),
        (None, Some(length)) => Framing::Length(length.parse().map_err(|_| Fault::Odd("the answer has no length"))?),
        (None, None) => Framing::UntilClose,
    };
    let is_closed = find("connection").is_some_and(|value| value.to_ascii_lowercase().contains("close"));
    let is_kept = parsed.version == Some(1) && !is_closed;
    Ok(Some((Head { status, headers, framing, is_kept }, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(head: &str) -> Result<(Framing, bool), Fault> {
        parse(head.as_bytes()).map(|found| found.map(|(head, _)| (head.framing, head.is_kept)).unwrap())
    }

    #[test]
    fn an_answer_says_how_long_it_is_and_whether_another_may_follow() {
        let framed = |lines: &str| framing(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).unwrap();
        assert_eq!(framed("content-length: 5\r\n"), (Framing::Length(5), true));
        assert_eq!(framed("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), (Framing::Chunks(None), true));
        assert_eq!(framed("content-length: 5\r\nConnection: Close\r\n"), (Framing::Length(5), false));
        assert_eq!(framed(""), (Framing::UntilClose, true));
        assert_eq!(framing("HTTP/1.1 204 No Content\r\n\r\n").unwrap(), (Framing::Done, true));
        assert_eq!(framing("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n").unwrap(), (Framing::Length(1), false));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        ] {
            assert!(matches!(parse(text.as_bytes()), Err(Fault::Odd(_))), "{text:?}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(limits::ANSWER_HEAD.1 + 1));
        assert!(matches!(parse(many.as_bytes()), Err(Fault::Large)));
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent").unwrap().is_none());
    }

    #[test]
    fn a_header_cannot_smuggle_another_one() {
        let url = Url::parse("http://localhost/").unwrap();
        let with = |value| head(&Request { method: "GET", url: &url, headers: &[("X-A", value)], body: b"", secs: 1 });
        assert!(with("a b\tc").unwrap().contains("\r\nX-A: a b\tc\r\n"));
        for value in ["a\r\nX-B: c", "a\nb", "\0"] {
            assert_eq!(with(value), None);
        }
    }
}
