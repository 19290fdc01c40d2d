//! HTTP as bytes on a socket: nothing is mended on the way.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a test waits for anything: the machine may have much else to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// What bytes come and go by: a socket, or TLS over one.
pub(crate) trait Both: Read + Write {}

impl<T: Read + Write> Both for T {}

/// One connection.
pub(crate) struct Wire {
    reader: BufReader<Box<dyn Both>>,
    socket: TcpStream,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Wire {
    pub(crate) fn open(port: u16) -> Wire {
        Wire::over(TcpStream::connect(("127.0.0.1", port)).unwrap(), |socket| Box::new(socket))
    }

    /// The same from another address of this machine.
    pub(crate) fn from(address: &str, port: u16) -> Wire {
        Wire::over(connect_from(address, port).unwrap(), |socket| Box::new(socket))
    }

    /// A connection by what `wrap` makes of a socket.
    pub(crate) fn over(socket: TcpStream, wrap: impl FnOnce(TcpStream) -> Box<dyn Both>) -> Wire {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Wire { reader: BufReader::new(wrap(socket.try_clone().unwrap())), socket }
    }

    pub(crate) fn patience(&mut self, patience: Duration) {
        self.socket.set_read_timeout(Some(patience)).unwrap();
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)?;
        self.reader.get_mut().flush()
    }

    /// Reads the head of an answer.
    pub(crate) fn head(&mut self) -> io::Result<Reply> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Reply { status, headers, body: String::new() })
    }

    /// Reads a whole answer to a request that was no HEAD; an interim one is passed over.
    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        let mut reply = self.head()?;
        while reply.status == 100 {
            reply = self.head()?;
        }
        self.body(reply)
    }

    /// Reads the body that goes with a head.
    pub(crate) fn body(&mut self, mut reply: Reply) -> io::Result<Reply> {
        let body = if reply.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk()? {
                body.extend(chunk);
            }
            body
        } else {
            let length = reply.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            self.reader.read_exact(&mut body)?;
            body
        };
        reply.body = String::from_utf8(body).unwrap();
        Ok(reply)
    }

    /// The next chunk; `None` at the clean end.
    pub(crate) fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let length = usize::from_str_radix(&line, 16).map_err(|_| io::Error::other(format!("no chunk: {line:?}")))?;
        let mut chunk = vec![0; length + 2];
        self.reader.read_exact(&mut chunk)?;
        chunk.truncate(length);
        Ok((length > 0).then_some(chunk))
    }

    /// The next event of a stream, comments passed over.
    pub(crate) fn event(&mut self) -> io::Result<Option<String>> {
        while let Some(chunk) = self.chunk()? {
            let event = String::from_utf8(chunk).unwrap();
            if !event.starts_with(':') {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Whether the other side has closed; waits for it, and one that keeps silent has not.
    pub(crate) fn is_closed(&mut self) -> bool {
        loop {
            match self.reader.read(&mut [0; 1]) {
                Ok(read) => return read == 0,
                // A machine that was stopped and goes on wakes who waits with a deadline (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// A socket that comes from this address of this machine: all of 127.0.0.0/8 is.
pub(crate) fn connect_from(address: &str, port: u16) -> io::Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let socket = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        // Who reads nothing has little room for what comes.
        socket.set_recv_buffer_size(8192)?;
        socket.bind(format!("{address}:0").parse().map_err(io::Error::other)?)?;
        socket.connect(([127, 0, 0, 1], port).into()).await?.into_std()
    })?;
    socket.set_nonblocking(false)?;
    Ok(socket)
}

/// The bytes of a request; a length goes with a body.
pub(crate) fn request(port: u16, line: &str, headers: &[&str], body: &str) -> Vec<u8> {
    use std::fmt::Write;
    let mut text = format!("{line} HTTP/1.1\r\n");
    if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("host:")) {
        let _ = write!(text, "host: localhost:{port}\r\n");
    }
    for header in headers {
        let _ = write!(text, "{header}\r\n");
    }
    if !body.is_empty() {
        let _ = write!(text, "content-length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body;
    text.into_bytes()
}

/// One request on a connection of its own.
pub(crate) fn ask(port: u16, line: &str, headers: &[&str], body: &str) -> Reply {
    let mut wire = Wire::open(port);
    wire.send(&request(port, line, headers, body)).unwrap();
    wire.reply().unwrap()
}

/// One JSON-RPC message to `/mcp`.
pub(crate) fn rpc(port: u16, message: &str) -> Reply {
    ask(port, "POST /mcp", &["content-type: application/json"], message)
}
