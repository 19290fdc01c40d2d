//! Word of changes to what a server offers.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Tools,
    Prompts,
    Resources,
    /// What this resource holds.
    Resource(String),
}

/// Tells clients of changes, from wherever a program notices them. Clones tell the same clients.
///
/// A server that was given one says so to its clients, and those that want to hear of changes hold a stream open for it.
#[derive(Clone, Default)]
pub struct Changes(Rc<RefCell<Option<Sink>>>);

/// Where word of a change goes.
type Sink = Box<dyn Fn(&Change)>;

impl Changes {
    /// One that nobody hears yet; see [`Server::changes`](crate::server::Server::changes).
    pub fn new() -> Self {
        Changes::default()
    }

    /// The list of tools has changed.
    pub fn tools(&self) {
        self.tell(&Change::Tools);
    }

    /// The list of prompts has changed.
    pub fn prompts(&self) {
        self.tell(&Change::Prompts);
    }

    /// The list of resources has changed.
    pub fn resources(&self) {
        self.tell(&Change::Resources);
    }

    /// What the resource at `uri` holds has changed. Only those hear it who watch it.
    pub fn resource(&self, uri: impl Into<String>) {
        self.tell(&Change::Resource(uri.into()));
    }

    fn tell(&self, change: &Change) {
        if let Some(sink) = &*self.0.borrow() {
            sink(change);
        }
    }

    /// Tells `sink` from now on.
    pub(crate) fn connect(&self, sink: impl Fn(&Change) + 'static) {
        self.0.replace(Some(Box::new(sink)));
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}
