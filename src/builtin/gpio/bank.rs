//! The lines that are held, from one configuration to the next: one that stays is not let go for a moment.

use crate::approval::Approvals;
use crate::builtin::gpio::device::Kernel;
use crate::config::Gpio;
use crate::config::gpio::{GpioLine, Wiring};
use crate::errand;
use crate::limits;
use crate::tool::{Changes, ToolError};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Where lines come from.
pub(crate) trait Chips {
    /// Takes a line for itself; an output is `safe` from then on. What is wrong is a sentence for the model.
    fn request(&self, wiring: &Wiring, safe: bool) -> Result<Rc<dyn Held>, ToolError>;
}

/// A line that nobody else has; its end gives it back.
pub(crate) trait Held {
    fn is_on(&self) -> Result<bool, ToolError>;
    fn switch(&self, on: bool) -> Result<(), ToolError>;
    /// Ready when an input has changed since it was last; whether it went on.
    fn poll_edges(&self, context: &mut Context<'_>) -> Poll<Result<bool, ToolError>>;
}

/// All lines of a board.
pub(crate) struct Bank {
    chips: Box<dyn Chips>,
    changes: RefCell<Changes>,
    /// What buttons approve.
    approvals: RefCell<Rc<Approvals>>,
    lines: RefCell<Vec<Rc<Line>>>,
}

impl Default for Bank {
    fn default() -> Self {
        Bank::of(Kernel)
    }
}

impl Bank {
    /// One whose lines come from `chips`.
    pub(crate) fn of(chips: impl Chips + 'static) -> Self {
        Bank { chips: Box::new(chips), changes: RefCell::default(), approvals: RefCell::default(), lines: RefCell::default() }
    }

    /// Tells `changes` of edges from now on, and `approvals` of inputs that went on.
    pub(crate) fn tell(&self, changes: &Changes, approvals: &Rc<Approvals>) {
        self.changes.replace(changes.clone());
        self.approvals.replace(Rc::clone(approvals));
    }

    /// Holds these lines and no others. What is gone is made safe before anything new is taken: it may be the same line,
    /// used otherwise. One that cannot be taken is tried again when it is used.
    pub(crate) fn hold(&self, gpio: &Gpio) {
        let mut before = self.lines.take();
        let mut kept: Vec<Option<Rc<Line>>> = Vec::new();
        for wanted in &gpio.lines {
            let index = before.iter().position(|line| line.about.borrow().wiring == wanted.wiring);
            kept.push(index.map(|index| before.swap_remove(index)));
        }
        for line in before {
            line.release();
        }
        let lines = kept.into_iter().zip(&gpio.lines).map(|(kept, wanted)| match kept {
            Some(line) => {
                line.about.replace(wanted.clone());
                line
            }
            None => Rc::new(Line::new(wanted.clone())),
        });
        self.lines.replace(lines.collect());
        for line in self.lines.borrow().iter() {
            if let Err(error) = self.held(line) {
                log::error!("[gpio.{}]: {error}", line.name());
            }
        }
    }

    /// Makes every output safe and gives all lines back. It is done first of all when a server stops: what is on must not
    /// wait for connections that take their time.
    pub(crate) fn close(&self) {
        self.hold(&Gpio::default());
    }

    /// The line of this name.
    pub(super) fn line(&self, name: &str) -> Result<Rc<Line>, ToolError> {
        let found = self.lines.borrow().iter().find(|line| line.name() == name).map(Rc::clone);
        found.ok_or_else(|| ToolError::new(format!("perchd does not hold the line `{name}` at the moment.")))
    }

    /// Whether the line is on.
    pub(super) fn is_on(&self, line: &Rc<Line>) -> Result<bool, ToolError> {
        self.held(line)?.is_on().inspect_err(|_| line.forget())
    }

    /// Switches the line for as long as nobody switches it otherwise.
    pub(super) fn switch(&self, line: &Rc<Line>, on: bool) -> Result<(), ToolError> {
        let held = self.held(line)?;
        line.turn.set(line.turn.get() + 1);
        held.switch(on).inspect_err(|_| line.forget())
    }

    /// Switches the line to what is not safe, until the pulse ends.
    pub(super) fn pulse(&self, line: &Rc<Line>) -> Result<Pulse, ToolError> {
        if line.is_pulsed.get() {
            return Err(ToolError::new(format!("`{}` is being pulsed. Wait for that to end.", line.name())));
        }
        self.switch(line, !line.safe())?;
        line.is_pulsed.set(true);
        Ok(Pulse { line: Rc::clone(line), turn: line.turn.get() })
    }

    fn held(&self, line: &Rc<Line>) -> Result<Rc<dyn Held>, ToolError> {
        if let Some(held) = &*line.held.borrow() {
            return Ok(Rc::clone(held));
        }
        let wiring = line.about.borrow().wiring.clone();
        let held = self.chips.request(&wiring, line.safe())?;
        if !wiring.is_output {
            let hearers = (self.changes.borrow().clone(), Rc::clone(&self.approvals.borrow()));
            let watching = watch(Rc::downgrade(line), Rc::downgrade(&held), hearers);
            line.watching.replace(Some(errand::begin(watching).abort_handle()));
        }
        line.held.replace(Some(Rc::clone(&held)));
        Ok(held)
    }
}

impl fmt::Debug for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bank").finish_non_exhaustive()
    }
}

/// Tells of the edges of an input. It holds on to nothing, so that the line can be given back at once.
async fn watch(line: Weak<Line>, held: Weak<dyn Held>, (changes, approvals): (Changes, Rc<Approvals>)) {
    loop {
        let edges = poll_fn(|context| held.upgrade().map_or(Poll::Ready(None), |held| held.poll_edges(context).map(Some)));
        let (edges, Some(line)) = (edges.await, line.upgrade()) else { return };
        match edges {
            None => return,
            Some(Ok(went_on)) => {
                changes.resource(line.uri());
                if went_on {
                    approvals.press(&line.name());
                }
            }
            Some(Err(error)) => {
                log::warn!("[gpio.{}]: {error}", line.name());
                line.forget();
                return;
            }
        }
        drop(line);
        tokio::time::sleep(Duration::from_millis(limits::EDGE_MS)).await;
    }
}

/// One line.
pub(super) struct Line {
    about: RefCell<GpioLine>,
    held: RefCell<Option<Rc<dyn Held>>>,
    watching: RefCell<Option<AbortHandle>>,
    /// Grows whenever somebody switches it.
    turn: Cell<u64>,
    is_pulsed: Cell<bool>,
}

impl Line {
    fn new(about: GpioLine) -> Self {
        let (turn, is_pulsed) = Default::default();
        Line { about: RefCell::new(about), held: RefCell::default(), watching: RefCell::default(), turn, is_pulsed }
    }

    pub(super) fn name(&self) -> String {
        self.about.borrow().name.clone()
    }

    fn uri(&self) -> String {
        super::uri(&self.about.borrow().name)
    }

    fn safe(&self) -> bool {
        self.about.borrow().safe.unwrap_or_default()
    }

    /// Makes it safe, if it is held and an output.
    fn rest(&self) {
        let held = self.held.borrow().clone();
        let Some(held) = held.filter(|_| self.about.borrow().wiring.is_output) else { return };
        self.turn.set(self.turn.get() + 1);
        if let Err(error) = held.switch(self.safe()) {
            log::error!("[gpio.{}] cannot be made safe: {error}", self.name());
        }
    }

    fn release(&self) {
        self.rest();
        self.forget();
    }

    /// Gives it back as it is.
    fn forget(&self) {
        self.held.take();
        if let Some(watching) = self.watching.take() {
            watching.abort();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.release();
    }
}

/// A line that is not safe for a while. However that ends, it is safe then, unless somebody has switched it since.
pub(super) struct Pulse {
    line: Rc<Line>,
    turn: u64,
}

impl Pulse {
    /// Whether it is still as the pulse has switched it.
    pub(super) fn holds(&self) -> bool {
        self.line.turn.get() == self.turn
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if self.holds() {
            self.line.rest();
        }
        self.line.is_pulsed.set(false);
    }
}
