//! Bodies: what a request brings, within its bounds, and what an answer takes away.

use crate::http::event::Reader;
use crate::limits;
use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 413.
    TooLarge,
    /// 408.
    TooSlow,
    /// The connection broke, or the chunks are malformed: 400.
    Broken,
}

/// Reads a whole body of at most `most` bytes, whether it says its length or comes in chunks.
///
/// A body that is too large is read on for a while and thrown away: a client that is still sending when the socket closes
/// sees a broken connection, and not the answer that says why.
pub(crate) async fn read(mut body: Incoming, most: usize) -> Result<Bytes, Fault> {
    let mut reading = pin!(read_or_drain(&mut body, most));
    // Most bodies came with the head: they need no timer, nor room for one.
    if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
        return done;
    }
    Box::pin(tokio::time::timeout(Duration::from_secs(limits::BODY_SECS), reading)).await.unwrap_or(Err(Fault::TooSlow))
}

async fn read_or_drain(body: &mut Incoming, most: usize) -> Result<Bytes, Fault> {
    let is_too_large = body.size_hint().lower() > most as u64;
    let collected = if is_too_large { Err(Fault::TooLarge) } else { collect(body, most).await };
    if collected == Err(Fault::TooLarge) {
        let _ = Box::pin(tokio::time::timeout(Duration::from_secs(limits::DRAIN_BODY_SECS), drain(body))).await;
    }
    collected
}

async fn drain(body: &mut Incoming) {
    let mut left = limits::DRAIN_BYTES;
    while let Some(Ok(frame)) = poll_fn(|context| poll_part(body, context)).await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

async fn collect(body: &mut Incoming, most: usize) -> Result<Bytes, Fault> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|context| poll_part(body, context)).await {
        let Ok(data) = frame.map_err(|_| Fault::Broken)?.into_data() else { continue };
        if first.len() + all.len() + data.len() > most {
            return Err(Fault::TooLarge);
        }
        if first.is_empty() && all.is_empty() {
            first = data;
            // Most bodies are whole with their first part, and to ask for another takes two locks.
            if body.is_end_stream() {
                break;
            }
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
            first = Bytes::new();
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

thread_local! {
    static TAKING: Cell<Taking> = const { Cell::new(Taking::Nothing) };
}

/// What is taken on this thread, at this moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taking {
    Nothing,
    /// A part of a body.
    Part,
    /// The same, and hyper has asked to be woken.
    PartForMore,
}

/// Takes the next part of a body. hyper asks to be woken for it, so that it reads on, whether there is more or not.
fn poll_part(body: &mut Incoming, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    TAKING.set(Taking::Part);
    let part = Pin::new(&mut *body).poll_frame(context);
    if TAKING.replace(Taking::Nothing) == Taking::PartForMore && !body.is_end_stream() {
        context.waker().wake_by_ref();
    }
    part
}

/// Whether a part of a body is being taken: then a connection is woken afterwards, if there is more to read.
pub(crate) fn holds_back() -> bool {
    let is_taking = TAKING.get() != Taking::Nothing;
    if is_taking {
        TAKING.set(Taking::PartForMore);
    }
    is_taking
}

/// What an answer carries.
#[derive(Debug)]
pub(crate) enum Body {
    /// These bytes.
    Full(Chunk),
    /// Events as they come, and what is left of the last one.
    Events(Reader, Bytes),
}

impl Body {
    pub(crate) fn empty() -> Self {
        Body::Full(Bytes::new().into())
    }
}

impl http_body::Body for Body {
    type Data = Chunk;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, Infallible>>> {
        match self.get_mut() {
            Body::Full(bytes) if !bytes.has_remaining() => Poll::Ready(None),
            Body::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes.part())))),
            Body::Events(reader, rest) => {
                if rest.is_empty() {
                    *rest = match ready!(reader.poll_frame(context)) {
                        Some(frame) => frame,
                        None => return Poll::Ready(None),
                    };
                }
                Poll::Ready(Some(Ok(Frame::data(part(rest).into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Full(bytes) if !bytes.has_remaining())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Full(bytes) => SizeHint::with_exact(bytes.remaining() as u64),
            Body::Events(..) => SizeHint::default(),
        }
    }
}

/// Bytes that go out.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// Written for this answer alone, few enough for one part, and gone so far: as `Bytes` they would take a block of the heap
    /// more, to be shared.
    Own(Vec<u8>, usize),
    /// Held by others as well, or part of the program.
    Shared(Bytes),
}

impl Chunk {
    /// The next part that goes out, which is taken away.
    fn part(&mut self) -> Chunk {
        match self {
            Chunk::Own(bytes, gone) => Chunk::Own(std::mem::take(bytes), std::mem::take(gone)),
            Chunk::Shared(bytes) => Chunk::Shared(part(bytes)),
        }
    }
}

fn part(bytes: &mut Bytes) -> Bytes {
    bytes.split_to(bytes.len().min(limits::PART_BYTES))
}

impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Chunk::Shared(bytes)
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() <= limits::PART_BYTES { Chunk::Own(bytes, 0) } else { Chunk::Shared(bytes.into()) }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.chunk().len()
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Chunk::Own(bytes, gone) => bytes.get(*gone..).unwrap_or_default(),
            Chunk::Shared(bytes) => bytes,
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Chunk::Own(_, gone) => *gone += count,
            Chunk::Shared(bytes) => bytes.advance(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn what_is_long_goes_out_in_parts_and_whole() {
        let all = |len: usize| (0..=u8::MAX).cycle().take(len).collect::<Vec<u8>>();
        for (len, count) in [(1, 1), (limits::PART_BYTES, 1), (limits::PART_BYTES + 1, 2), (5 * limits::PART_BYTES, 5)] {
            for chunk in [Chunk::from(all(len)), Chunk::from(Bytes::from(all(len)))] {
                let mut body = Body::Full(chunk);
                let mut parts = Vec::new();
                while !body.is_end_stream() {
                    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()))
                    else {
                        panic!("a part is there")
                    };
                    parts.push(frame.into_data().unwrap());
                }
                assert_eq!(parts.len(), count, "{len}");
                assert!(parts.iter().all(|part| part.remaining() <= limits::PART_BYTES));
                assert_eq!(parts.iter().flat_map(|part| part.chunk().to_vec()).collect::<Vec<u8>>(), all(len));
            }
        }
    }
}
