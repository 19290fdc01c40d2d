//! What hyper costs by itself: HTTP/1.1 on a runtime of one thread, a `serde_json::Value` in, an answer of one shape out, and
//! nothing verified. A GET of `/sse` or `/mcp` holds a stream; what is posted to `/messages` is answered there.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::net::TcpListener;

/// What an answer carries; a stream does not end.
enum Answer {
    Full(Option<Bytes>),
    Stream(Rc<Events>),
}

/// What waits for the reader of a stream.
#[derive(Default)]
struct Events {
    waiting: RefCell<VecDeque<Bytes>>,
    waker: RefCell<Option<Waker>>,
}

thread_local! {
    /// The streams, in the order in which they were opened.
    static STREAMS: RefCell<Vec<Rc<Events>>> = const { RefCell::new(Vec::new()) };
}

/// Opens a stream, which says first where to post.
fn open() -> Rc<Events> {
    let events = Rc::<Events>::default();
    STREAMS.with_borrow_mut(|streams| {
        let first = format!("event: endpoint\ndata: /messages?stream={}\n\n", streams.len());
        events.waiting.borrow_mut().push_back(first.into());
        streams.push(Rc::clone(&events));
    });
    events
}

/// Answers a message on the stream that the query names.
fn post(query: Option<&str>, body: &[u8]) {
    let index = query.and_then(|query| query.strip_prefix("stream=")?.parse::<usize>().ok());
    let events = index.and_then(|index| STREAMS.with_borrow(|streams| streams.get(index).cloned()));
    if let (Some(events), Some(answer)) = (events, sum(body)) {
        events.waiting.borrow_mut().push_back(format!("event: message\ndata: {answer}\n\n").into());
        if let Some(waker) = events.waker.take() {
            waker.wake();
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Answer::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Answer::Stream(events) => match events.waiting.borrow_mut().pop_front() {
                Some(event) => Poll::Ready(Some(Ok(Frame::data(event)))),
                None => {
                    events.waker.replace(Some(context.waker().clone()));
                    Poll::Pending
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Answer::Full(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Answer::Full(bytes) => hyper::body::SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Answer::Stream(_) => hyper::body::SizeHint::default(),
        }
    }
}

fn sum(body: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(body).ok()?;
    let (id, arguments) = (message.get("id")?, &message["params"]["arguments"]);
    let sum = arguments["a"].as_f64()? + arguments["b"].as_f64()?;
    let content = format!(r#"[{{"type":"text","text":"{sum}"}}]"#);
    Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":{content},"isError":false}}}}"#))
}

async fn handle(request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let (method, path) = (request.method().clone(), request.uri().path());
    let mut answer = match (method, path) {
        (Method::POST, "/mcp") => {
            let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let mut answer = Response::new(Answer::Full(sum(&body).map(Bytes::from)));
            answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
            return Ok(answer);
        }
        (Method::POST, "/messages") => {
            let query = request.uri().query().map(str::to_owned);
            let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            post(query.as_deref(), &body);
            let mut answer = Response::new(Answer::Full(Some(Bytes::from_static(b"Accepted"))));
            *answer.status_mut() = StatusCode::ACCEPTED;
            return Ok(answer);
        }
        (Method::GET, "/mcp" | "/sse") => Response::new(Answer::Stream(open())),
        _ => Response::new(Answer::Full(None)),
    };
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/event-stream"));
    Ok(answer)
}

fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("a port");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
        while let Ok((socket, _)) = listener.accept().await {
            let _ = socket.set_nodelay(true);
            tokio::task::spawn_local(async move {
                let _ = Builder::new().serve_connection(TokioIo::new(socket), service_fn(handle)).await;
            });
        }
    });
}
