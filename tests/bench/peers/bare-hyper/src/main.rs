//! What hyper costs by itself: HTTP/1.1 on a runtime of one thread, a `serde_json::Value` in, an answer of one shape out, and
//! nothing verified. A GET of `/sse` or `/mcp` holds a stream on which nothing is said after its first event.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpListener;

/// What an answer carries; a stream does not end.
enum Answer {
    Full(Option<Bytes>),
    Stream(Option<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Answer::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Answer::Stream(first) => first.take().map_or(Poll::Pending, |first| Poll::Ready(Some(Ok(Frame::data(first))))),
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
        (Method::GET, "/mcp" | "/sse") => Response::new(Answer::Stream(Some(Bytes::from_static(b": here\n\n")))),
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
