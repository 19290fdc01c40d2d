//! From an address to a connection: the name, TCP, and TLS. Each step can be taken alone.

use crate::client::fault::Fault;
use crate::client::tls::Tls;
use crate::client::url::Url;
use crate::limits;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a connection is written to and read from, plain or TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// A connection to the server of `url`, in time.
pub(crate) async fn connect(url: &Url, tls: &Tls) -> Result<Box<dyn Stream>, Fault> {
    let whole = async {
        let socket = tcp(&resolve(url).await?).await?;
        if !url.is_tls() {
            return Ok(Box::new(socket) as Box<dyn Stream>);
        }
        tls.handshake(url.host(), socket).await.map(|stream| Box::new(stream) as Box<dyn Stream>)
    };
    let late = || Fault::Connect(io::ErrorKind::TimedOut.into());
    timeout(Duration::from_secs(limits::CONNECT_SECS), whole).await.map_err(|_| late())?
}

/// The addresses of the host.
pub(crate) async fn resolve(url: &Url) -> Result<Vec<SocketAddr>, Fault> {
    let found: Vec<_> = tokio::net::lookup_host((url.host(), url.port())).await.map_err(Fault::Name)?.collect();
    if found.is_empty() { Err(Fault::Name(io::ErrorKind::NotFound.into())) } else { Ok(found) }
}

/// A connection to the first of these that takes one.
pub(crate) async fn tcp(addresses: &[SocketAddr]) -> Result<TcpStream, Fault> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        // One that is silent must not use up the time of the others.
        let patience = Duration::from_secs(limits::CONNECT_SECS) / u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                let _ = socket.set_nodelay(true);
                stay_alive(&socket);
                return Ok(socket);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(Fault::Connect(last))
}

/// A peer whose power was cut says nothing: after a minute of that, the kernel ends the connection.
#[cfg(target_os = "linux")]
fn stay_alive(socket: &TcpStream) {
    use rustix::net::sockopt;
    let _ = sockopt::set_socket_keepalive(socket, true);
    let _ = sockopt::set_tcp_keepidle(socket, Duration::from_secs(20));
    let _ = sockopt::set_tcp_keepintvl(socket, Duration::from_secs(10));
    let _ = sockopt::set_tcp_keepcnt(socket, 3);
    let _ = sockopt::set_tcp_user_timeout(socket, 50_000);
}

#[cfg(not(target_os = "linux"))]
fn stay_alive(_socket: &TcpStream) {}

/// Reads what is there, at most `room`; 0 is the end.
pub(crate) async fn read(stream: &mut dyn Stream, room: &mut [u8]) -> io::Result<usize> {
    let mut buffer = ReadBuf::new(room);
    poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer)).await?;
    Ok(buffer.filled().len())
}

/// Writes all of it, and has it sent.
pub(crate) async fn write(stream: &mut dyn Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match poll_fn(|context| Pin::new(&mut *stream).poll_write(context, bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = &bytes[count..],
        }
    }
    poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await
}
