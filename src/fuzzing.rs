//! Doors for the fuzz targets; there only when they are built.

use crate::http::event::{Event, Outbox};
use crate::server::fuzzing::Bench;
use std::cell::OnceCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

thread_local!(static BENCH: OnceCell<Bench> = const { OnceCell::new() });

/// What a connection answers on which `bytes` come, and then no more.
pub fn converse(bytes: &[u8]) -> Vec<u8> {
    BENCH.with(|bench| bench.get_or_init(Bench::new).converse(bytes))
}

/// The same where there is TLS: whether the first byte began a handshake, and what came back.
pub fn greet(bytes: &[u8]) -> (bool, Vec<u8>) {
    BENCH.with(|bench| bench.get_or_init(Bench::new).greet(bytes))
}

/// A script of an outbox, a byte a step.
pub fn frames(steps: &[u8]) {
    let outbox = Rc::<Outbox>::default();
    outbox.number(1);
    let mut reader = outbox.read();
    let (mut pushed, mut read) = (0_u32, 0_u32);
    for step in steps.iter().take(512) {
        match step % 4 {
            0 if !outbox.is_closed() => {
                pushed += 1;
                outbox.push(Event::Message(format!("{{\"n\":{pushed}}}").into()));
            }
            1 => outbox.keep_alive(),
            2 => {
                let after = u32::from(step / 4).min(read);
                if outbox.rewind(after) {
                    read = after;
                    reader = outbox.read();
                }
            }
            _ => {
                let Poll::Ready(Some(frame)) = reader.poll_frame(&Context::from_waker(Waker::noop())) else { continue };
                let frame = String::from_utf8(frame.to_vec()).unwrap_or_default();
                assert!(frame.ends_with("\n\n") && frame.trim_end().matches("\n\n").count() == 0, "{frame:?}");
                if !frame.starts_with(':') {
                    read += 1;
                    assert_eq!(frame, format!("id: 1-{read}\nevent: message\ndata: {{\"n\":{read}}}\n\n"));
                }
            }
        }
    }
    assert!(read <= pushed);
}
