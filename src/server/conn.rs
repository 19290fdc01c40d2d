//! One connection: HTTP by hyper, until a stream begins; then the socket is taken back and only the stream is left.

use crate::http::route::{self, Answer, Opening};
use crate::http::sse::Writer;
use crate::http::{Body, Link, Service};
use crate::limits;
use crate::server::bell::Bell;
use crate::server::pace::{Busy, Pace, Paced};
use crate::server::stop::{Stop, Ticket};
use hyper::Response;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

/// Where a request leaves word that a stream begins.
type Note = Rc<RefCell<Option<Opening>>>;

/// Serves one connection to its end.
pub(crate) async fn serve<S>(socket: S, link: Link, service: Rc<Service>, stop: Rc<Stop>, ticket: Ticket)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let note = Note::default();
    // Boxed: a stream keeps nothing of the conversation before it.
    let conversation = Box::pin(converse(socket, link, &service, &stop, &note));
    let Some((socket, opening)) = conversation.await else { return };
    drop(note);
    let writer = Writer::new(&opening.outbox, opening.version, &opening.cors_lines());
    let _held = opening.held;
    if let Err(error) = writer.drive(socket).await {
        log::debug!("a stream broke: {error}");
    }
    drop(ticket);
}

/// Answers requests until the connection ends, or until one of them opens a stream.
async fn converse<S>(socket: S, link: Link, service: &Rc<Service>, stop: &Rc<Stop>, note: &Note) -> Option<(S, Opening)>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let pace = Rc::new(Pace::default());
    let answer = |request| {
        let (stop, note, busy) = (Rc::clone(stop), Rc::clone(note), pace.begin());
        route::answer(Rc::clone(service), link, request, move |answer| finished(answer, &stop, &note, busy))
    };
    let io = Patient { io: TokioIo::new(socket), patience: None };
    let mut connection = Box::pin(builder(service).serve_connection(io, service_fn(answer)));
    let mut over = pin!(stop.last_call());
    let mut too_slow = pin!(pace.too_slow(Duration::from_secs(limits::HEAD_SECS)));
    let (mut is_over, mut will_wake) = (false, false);
    // A task has one waker as long as it lives.
    let bell = poll_fn(|context| Poll::Ready(Bell::before(context.waker()))).await;
    let is_taken = poll_fn(|context| {
        // Polled once, this task is woken by the stop: until then there is nothing to hear.
        let may_be_over = !is_over && (stop.has_begun() || !std::mem::replace(&mut will_wake, true));
        if may_be_over && over.as_mut().poll(context).is_ready() {
            is_over = true;
            // It ends at once where nothing is going on.
            connection.as_mut().graceful_shutdown();
        }
        let turn = service.turn();
        let ended = connection.as_mut().poll(&mut Context::from_waker(&bell));
        drop(turn);
        if note.borrow().is_some() {
            return Poll::Ready(true);
        }
        if ended.is_pending() && too_slow.as_mut().poll(context).is_ready() {
            log::debug!("a connection from {} sent no request in time", link.peer);
            return Poll::Ready(false);
        }
        ended.map(|result| {
            if let Err(error) = result {
                log::debug!("a connection from {} broke: {error}", link.peer);
            }
            false
        })
    })
    .await;
    let opening = note.take()?;
    // What the client has sent behind its request is dropped: the stream is the last answer on this connection.
    is_taken.then(|| (Pin::into_inner(connection).into_parts().io.io.into_inner(), opening))
}

fn builder(service: &Service) -> Builder {
    let mut builder = Builder::new();
    builder
        // Ours: hyper's takes a timer from the heap, sets it and puts it away with each request.
        .header_read_timeout(None)
        .max_buf_size(service.config().limits.header_bytes)
        // Else hyper polls the socket, and allocates its read buffer anew, while a request runs.
        .half_close(true);
    builder
}

/// What hyper is given for an answer; nothing where a stream begins, of which a note is left.
fn finished(answer: Answer, stop: &Stop, note: &Note, busy: Busy) -> Option<Result<Response<Paced<Body>>, Infallible>> {
    match answer {
        Answer::Reply(mut reply) => {
            if stop.has_begun() {
                // The next request goes to the next life of the server.
                reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Some(Ok(reply.map(|body| busy.with(body))))
        }
        Answer::Stream(opening) => {
            note.replace(Some(opening));
            None
        }
    }
}

/// A socket that gives up on a reader who takes nothing. It takes one slice at a time, so that hyper writes head and body into
/// one buffer: to keep a list of slices takes longer than to copy an answer of usual size.
struct Patient<S> {
    io: TokioIo<S>,
    patience: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    fn check<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.patience = None;
            return written;
        }
        let limit = Duration::from_secs(limits::WRITE_SECS);
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        patience.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> Read for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Write for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.check(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.check(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Over TLS, the end is a message, which waits for the reader as any other.
        let closed = Pin::new(&mut self.io).poll_shutdown(context);
        self.check(closed, context)
    }
}
