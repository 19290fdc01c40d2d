//! Chips in memory, which write down what is done to them.

use crate::builtin::gpio::bank::{Chips, Held};
use crate::config::gpio::Wiring;
use crate::tool::ToolError;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// The world outside the board; a test may hold it on another thread.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// What was done, in words, in order.
    done: Vec<String>,
    on: Vec<(String, bool)>,
    held: Vec<String>,
    /// Lines that cannot be used, and why.
    faults: Vec<(String, &'static str)>,
    edges: Vec<(String, bool)>,
    wakers: Vec<Waker>,
}

impl World {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// What was done since it was last asked.
    pub(crate) fn done(&self) -> Vec<String> {
        self.with(|inner| std::mem::take(&mut inner.done))
    }

    /// Whether a line is on.
    pub(crate) fn is_on(&self, line: &str) -> bool {
        self.with(|inner| inner.on.iter().any(|(name, on)| name == line && *on))
    }

    /// Somebody presses a button.
    pub(crate) fn press(&self, line: &str, on: bool) {
        let wakers = self.with(|inner| {
            inner.set(line, on);
            inner.edges.push((line.to_owned(), on));
            std::mem::take(&mut inner.wakers)
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The line cannot be used, or can again.
    pub(crate) fn fail(&self, line: &str, fault: Option<&'static str>) {
        self.with(|inner| {
            inner.faults.retain(|(name, _)| name != line);
            inner.faults.extend(fault.map(|fault| (line.to_owned(), fault)));
        });
    }
}

impl Inner {
    fn set(&mut self, line: &str, on: bool) {
        self.on.retain(|(name, _)| name != line);
        self.on.push((line.to_owned(), on));
    }

    fn check(&self, line: &str) -> Result<(), ToolError> {
        let fault = self.faults.iter().find(|(name, _)| name == line);
        fault.map_or(Ok(()), |(_, fault)| Err(ToolError::new(*fault)))
    }
}

struct Lent {
    world: World,
    name: String,
    is_output: bool,
}

impl Chips for World {
    fn request(&self, wiring: &Wiring, safe: bool) -> Result<Rc<dyn Held>, ToolError> {
        let name = wiring.to_string();
        self.with(|inner| {
            inner.check(&name)?;
            if inner.held.contains(&name) {
                return Err(ToolError::new(format!("The {name} is in use by `perchd`.")));
            }
            inner.held.push(name.clone());
            inner.done.push(format!("take {name}"));
            if wiring.is_output {
                inner.set(&name, safe);
            }
            Ok(())
        })?;
        Ok(Rc::new(Lent { world: self.clone(), name, is_output: wiring.is_output }))
    }
}

impl Held for Lent {
    fn is_on(&self) -> Result<bool, ToolError> {
        self.world.with(|inner| inner.check(&self.name))?;
        Ok(self.world.is_on(&self.name))
    }

    fn switch(&self, on: bool) -> Result<(), ToolError> {
        assert!(self.is_output, "the kernel refuses that");
        self.world.with(|inner| {
            inner.check(&self.name)?;
            inner.set(&self.name, on);
            inner.done.push(format!("switch {} {on}", self.name));
            Ok(())
        })
    }

    fn poll_edges(&self, context: &mut Context<'_>) -> Poll<Result<bool, ToolError>> {
        self.world.with(|inner| {
            let (mine, others): (Vec<_>, _) =
                std::mem::take(&mut inner.edges).into_iter().partition(|(line, _)| *line == self.name);
            inner.edges = others;
            if !mine.is_empty() {
                return Poll::Ready(Ok(mine.iter().any(|(_, on)| *on)));
            }
            inner.wakers.push(context.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.world.with(|inner| {
            inner.held.retain(|name| *name != self.name);
            inner.done.push(format!("give {}", self.name));
        });
    }
}
