//! Why a request got no answer.

use crate::client::tls::Refusal;
use crate::client::url::Url;
use crate::error::{Error, Exit};
use std::io;

/// What went wrong, and how far the request had come.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Nobody knows the host.
    Name(io::Error),
    /// Nobody listens there, or the network does not lead there.
    Connect(io::Error),
    /// The certificate is not to be trusted.
    Trust(Box<Refusal>),
    /// TLS failed for another reason.
    Tls(io::Error),
    /// The connection ended after the request had begun to go out.
    Lost(io::Error),
    /// There was no answer in time.
    Late,
    /// The answer is no HTTP, or none that is understood.
    Odd(&'static str),
    /// The answer is larger than there is room for.
    Large,
}

impl Fault {
    /// Whether it may go away by itself, as when a board restarts.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Fault::Name(_) | Fault::Connect(_) | Fault::Lost(_) | Fault::Late | Fault::Tls(_) => true,
            Fault::Trust(_) | Fault::Odd(_) | Fault::Large => false,
        }
    }

    /// Whether the server may have got the request.
    pub(crate) fn was_sent(&self) -> bool {
        matches!(self, Fault::Lost(_) | Fault::Late | Fault::Odd(_) | Fault::Large)
    }

    /// The same in words, with what to do.
    pub(crate) fn told(self, url: &Url) -> Error {
        let error = |what: &str| Error::new(Exit::Unavailable, what).at(url.origin());
        match self {
            Fault::Name(cause) => {
                let remedy = if url.host().rsplit('.').next() == Some("local") {
                    "Is the board on, and on this network? A name in .local needs mDNS (on Linux: avahi-daemon and libnss-mdns); \
                     the address of the board does as well."
                } else {
                    "Is it spelt right? The address of the board does as well."
                };
                error("nobody knows this name").because(cause).remedy(remedy)
            }
            Fault::Connect(cause) => error("cannot connect")
                .because(cause)
                .remedy("Is it on, does perchd run there, and is this the port? On the board: perchd health"),
            Fault::Trust(refusal) => refusal.told(url),
            Fault::Tls(cause) if is_no_tls(&cause) => error("what answers there does not speak TLS")
                .remedy("It may speak plain HTTP: then the address begins with http://. Or this is the port of something else."),
            Fault::Tls(cause) => error("TLS failed")
                .because(cause)
                .remedy("Does the server speak TLS there? If not, the address begins with http://"),
            Fault::Lost(cause) => error("the connection broke").because(cause),
            Fault::Late => error("no answer in time"),
            Fault::Odd(what) => error(what).remedy("Is this the address of an MCP server? It ends in /mcp, or in /sse."),
            Fault::Large => error("the answer is larger than there is room for"),
        }
    }
}

/// Whether what came is no TLS at all, such as an answer of HTTP.
fn is_no_tls(cause: &io::Error) -> bool {
    use rustls::{Error, InvalidMessage};
    let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(inner, Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)))
}
