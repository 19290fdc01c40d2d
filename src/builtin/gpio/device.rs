//! Lines of the kernel's character devices (`/dev/gpiochipN`, user API 2, Linux 5.10).

use crate::builtin::gpio::bank::{Chips, Held};
use crate::config::gpio::{Bias, Which, Wiring};
use crate::limits;
use crate::tool::ToolError;
use gpiocdev::line::{self, EdgeDetection, Value};
use gpiocdev::request::Builder;
use gpiocdev::{Chip, Error, Request};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::net::unix::pipe;

/// What others see as the one who holds a line.
const CONSUMER: &str = "perchd";

/// One edge, as the kernel tells of it (`struct gpio_v2_line_event`).
const EDGE_BYTES: usize = 48;

/// The chips that the kernel knows.
pub(crate) struct Kernel;

impl Chips for Kernel {
    fn request(&self, wiring: &Wiring, safe: bool) -> Result<Rc<dyn Held>, ToolError> {
        let chip = chip(&wiring.chip)?;
        let info = info(&chip, wiring)?;
        let mut builder = builder(&chip, wiring, info.offset, safe);
        if wiring.is_output {
            return Ok(Rc::new(Output(requested(&mut builder, wiring, &info)?)));
        }
        builder.with_edge_detection(EdgeDetection::BothEdges);
        // Some lines cannot interrupt, such as those behind a slow bus. They can still be read.
        let request = builder.request().or_else(|_| {
            builder.with_edge_detection(None);
            requested(&mut builder, wiring, &info)
        })?;
        let edges = Edges::of(&request).map_err(|error| refused(wiring, &error))?;
        Ok(Rc::new(Input { request, edges }))
    }
}

/// What went wrong, to be put into a sentence: some end theirs themselves.
fn sentence(error: &dyn std::error::Error) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

/// The device of a chip that the configuration names by its name, path or label.
pub(crate) fn path(name: &str) -> Result<PathBuf, ToolError> {
    match named(name) {
        Some(path) => Ok(path),
        None => chip(name).map(|chip| chip.path().to_owned()),
    }
}

/// The device, where it is named by name or path.
fn named(name: &str) -> Option<PathBuf> {
    let number = name.strip_prefix("gpiochip").filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
    (name.starts_with('/') || number.is_some_and(|number| !number.is_empty())).then(|| Path::new("/dev").join(name))
}

/// The chip of this name, path or label.
fn chip(name: &str) -> Result<Chip, ToolError> {
    if let Some(path) = named(name) {
        return opened(&path);
    }
    let mut denied = None;
    for path in gpiocdev::chip::chips().unwrap_or_default() {
        match opened(&path) {
            Ok(chip) if chip.info().is_ok_and(|info| info.label == name) => return Ok(chip),
            Ok(_) => {}
            Err(error) => denied = Some(error),
        }
    }
    Err(denied.unwrap_or_else(|| ToolError::new(format!("The board has no GPIO chip with the label `{name}`."))))
}

fn opened(path: &Path) -> Result<Chip, ToolError> {
    Chip::from_path(path).map_err(|error| {
        let path = path.display();
        ToolError::new(match error {
            Error::Os(errno) if errno.0 == Errno::NOENT.raw_os_error() => {
                format!("The board has no GPIO chip {path}.")
            }
            Error::Os(errno) if [Errno::ACCESS, Errno::PERM].map(Errno::raw_os_error).contains(&errno.0) => {
                format!("perchd may not open {path}. Its owner must let it in, such as by the group `gpio`.")
            }
            error => format!("The GPIO chip {path} cannot be opened: {}.", sentence(&error)),
        })
    })
}

/// What the kernel knows of the line.
fn info(chip: &Chip, wiring: &Wiring) -> Result<line::Info, ToolError> {
    let missing = || ToolError::new(format!("There is no {wiring}."));
    match &wiring.line {
        Which::Number(number) => chip.line_info(*number).map_err(|_| missing()),
        Which::Name(name) => chip.find_line_info(name).ok_or_else(missing),
    }
}

fn builder(chip: &Chip, wiring: &Wiring, offset: line::Offset, safe: bool) -> Builder {
    let mut builder = Request::builder();
    builder.on_chip(chip.path()).with_consumer(CONSUMER).with_line(offset);
    if wiring.is_output {
        builder.as_output(Value::from(safe));
    } else {
        builder.as_input();
    }
    if wiring.is_active_low {
        builder.as_active_low();
    }
    builder.with_bias(wiring.bias.map(|bias| match bias {
        Bias::PullUp => line::Bias::PullUp,
        Bias::PullDown => line::Bias::PullDown,
        Bias::Off => line::Bias::Disabled,
    }));
    builder
}

fn requested(builder: &mut Builder, wiring: &Wiring, info: &line::Info) -> Result<Request, ToolError> {
    builder.request().map_err(|error| match info.used {
        true if info.consumer.is_empty() => ToolError::new(format!("The {wiring} is in use by something else.")),
        true => ToolError::new(format!("The {wiring} is in use by `{}`.", info.consumer)),
        false => refused(wiring, &error),
    })
}

fn refused(wiring: &Wiring, error: &dyn std::error::Error) -> ToolError {
    ToolError::new(format!("The {wiring} cannot be used: {}.", sentence(error)))
}

fn lost(error: &Error) -> ToolError {
    ToolError::new(format!("The line cannot be used any more: {}.", sentence(error)))
}

fn is_on(request: &Request) -> Result<bool, ToolError> {
    request.lone_value().map(|value| value == Value::Active).map_err(|error| lost(&error))
}

struct Output(Request);

impl Held for Output {
    fn is_on(&self) -> Result<bool, ToolError> {
        is_on(&self.0)
    }

    fn switch(&self, on: bool) -> Result<(), ToolError> {
        self.0.set_lone_value(Value::from(on)).map_err(|error| lost(&error))
    }

    fn poll_edges(&self, _: &mut Context<'_>) -> Poll<Result<bool, ToolError>> {
        Poll::Pending
    }
}

struct Input {
    request: Request,
    edges: Edges,
}

impl Held for Input {
    fn is_on(&self) -> Result<bool, ToolError> {
        is_on(&self.request)
    }

    fn switch(&self, _: bool) -> Result<(), ToolError> {
        Err(ToolError::new("It is an input, and cannot be switched."))
    }

    fn poll_edges(&self, context: &mut Context<'_>) -> Poll<Result<bool, ToolError>> {
        self.edges.poll(context).map_err(ToolError::from)
    }
}

/// The edges of a line, which are read from it as from a pipe. Of what is in them only the kind matters, for buttons; else the
/// line is asked.
///
/// tokio's `AsyncFd` would be for this, but can no longer be made without `unsafe`.
struct Edges(pipe::Receiver);

impl Edges {
    fn of(line: impl AsFd) -> io::Result<Self> {
        let line = line.as_fd().try_clone_to_owned()?;
        fcntl_setfl(&line, OFlags::NONBLOCK)?;
        pipe::Receiver::from_owned_fd_unchecked(line).map(Edges)
    }

    /// Ready when there are some: whether one of them switched it on.
    fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut edges = [0; limits::EDGES * EDGE_BYTES];
        loop {
            ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read(&mut edges) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(bytes) => return Poll::Ready(Ok(edges[..bytes].chunks_exact(EDGE_BYTES).any(is_rising))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Whether the line went on, which is the opposite of its voltage where it is active low (`GPIO_V2_LINE_EVENT_RISING_EDGE`).
fn is_rising(edge: &[u8]) -> bool {
    edge[8..12] == 1_u32.to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::task::Waker;
    use tokio::runtime::Builder;

    #[test]
    fn edges_are_waited_for_and_many_are_one() {
        let (line, mut world) = io::pipe().unwrap();
        Builder::new_current_thread().enable_io().build().unwrap().block_on(async {
            let edges = Edges::of(&line).unwrap();
            assert!(edges.poll(&mut Context::from_waker(Waker::noop())).is_pending());
            world.write_all(&[1; 3 * EDGE_BYTES]).unwrap();
            assert!(!poll_fn(|context| edges.poll(context)).await.unwrap());
            let mut rising = [0; EDGE_BYTES];
            rising[8..12].copy_from_slice(&1_u32.to_ne_bytes());
            let mut falling = [0; EDGE_BYTES];
            falling[8..12].copy_from_slice(&2_u32.to_ne_bytes());
            world.write_all(&[falling, rising, falling].concat()).unwrap();
            assert!(poll_fn(|context| edges.poll(context)).await.unwrap(), "one of them switched it on");
            world.write_all(&falling).unwrap();
            assert!(!poll_fn(|context| edges.poll(context)).await.unwrap());
            assert!(edges.poll(&mut Context::from_waker(Waker::noop())).is_pending(), "all three were taken");
            drop(world);
            assert!(poll_fn(|context| edges.poll(context)).await.is_err(), "a line that is gone is told");
        });
    }

    fn wiring(chip: &str) -> Wiring {
        Wiring { chip: chip.to_owned(), line: Which::Number(0), is_output: false, is_active_low: false, bias: None }
    }

    #[test]
    fn a_chip_that_is_not_there_or_none_is_told_in_words() {
        let told = |chip: &str| Kernel.request(&wiring(chip), false).map(drop).unwrap_err().to_string();
        assert_eq!(told("gpiochip4711"), "The board has no GPIO chip /dev/gpiochip4711.");
        assert_eq!(told("no-such-label"), "The board has no GPIO chip with the label `no-such-label`.");
        assert!(told("/dev/null").starts_with("The GPIO chip /dev/null cannot be opened: "), "{}", told("/dev/null"));
    }

    /// Only on a chip that the kernel simulates: the first line of a real one may drive anything.
    #[test]
    #[ignore = "needs a simulated chip (gpio-sim, gpio-mockup); tests/run gpio"]
    fn a_simulated_line_is_switched_and_is_nobody_elses() {
        let is_simulated =
            |info: &gpiocdev::chip::Info| ["gpio-sim", "gpio-mockup"].iter().any(|sim| info.label.starts_with(sim));
        let infos = gpiocdev::chip::chips().unwrap().into_iter().filter_map(|path| Chip::from_path(path).ok()?.info().ok());
        let chip = infos.into_iter().find(is_simulated).unwrap();
        Builder::new_current_thread().enable_io().build().unwrap().block_on(async {
            let output = Wiring { is_output: true, ..wiring(&chip.name) };
            let line = Kernel.request(&output, true).unwrap();
            assert!(line.is_on().unwrap());
            let busy = Kernel.request(&output, true).map(drop).unwrap_err().to_string();
            assert!(busy.ends_with("is in use by `perchd`."), "{busy}");
            line.switch(false).unwrap();
            assert!(!line.is_on().unwrap());
            drop(line);
            Kernel.request(&wiring(&chip.name), false).unwrap().is_on().unwrap();
        });
    }
}
