//! How the board is: on the home page as it is loaded, and from then on by `GET /live`, a stream for that page alone.
//!
//! A stranger sees what is harmless: for how long perchd runs, how warm the board is, how many streams are open. Who has
//! signed in sees the last calls as well: the owner all of them, others their own, and nobody with what arguments.

use crate::builtin;
use crate::errand;
use crate::http::Service;
use crate::http::cookie::approver_cookie;
use crate::http::event::{Event, Outbox};
use crate::http::page::{self, CallRow};
use crate::http::reply::{self, Reply};
use crate::http::route::{Answer, Opening};
use crate::http::watch::Called;
use crate::limits;
use crate::oauth::{Base, Mode};
use hyper::header::HeaderMap;
use hyper::{Method, Version};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Where it is.
pub(crate) const PATH: &str = "/live";

/// The pages that are told.
#[derive(Default)]
pub(crate) struct Live {
    viewers: RefCell<Vec<Viewer>>,
    /// Whether somebody tells them already: who comes and goes must not leave one more each time.
    is_told: Cell<bool>,
    /// The last reading of the thermometer, and when it was.
    heat: Cell<Option<(u64, Option<f64>)>>,
}

struct Viewer {
    outbox: Rc<Outbox>,
    /// What its browser had when it came: who is not signed in any more comes anew.
    cookie: Option<String>,
    is_known: bool,
}

impl Live {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.viewers.borrow().len()
    }

    /// Ends them all.
    pub(crate) fn close(&self) {
        self.viewers.borrow().iter().for_each(|viewer| viewer.outbox.close());
    }

    fn forget(&self, outbox: &Rc<Outbox>) {
        self.viewers.borrow_mut().retain(|viewer| !Rc::ptr_eq(&viewer.outbox, outbox));
    }
}

/// What somebody gets to see.
pub(crate) enum Eyes {
    /// What is harmless.
    Stranger,
    /// His own calls.
    Person(String),
    /// All calls.
    Owner,
}

impl Eyes {
    /// Of who has this cookie. Where nobody proves who he is, the board answers its own computer only.
    pub(crate) fn of(service: &Service, cookie: Option<&str>) -> Eyes {
        if !matches!(service.authority.mode(), Mode::Own { .. }) {
            return Eyes::Owner;
        }
        match service.authority.approver(&service.world(), cookie) {
            Some(approver) if service.authority.is_owner(&approver) => Eyes::Owner,
            Some(approver) => Eyes::Person(approver.subject),
            None => Eyes::Stranger,
        }
    }

    /// Whether they see this call.
    pub(crate) fn see(&self, call: &Called) -> bool {
        match self {
            Eyes::Stranger => false,
            Eyes::Person(subject) => call.who.subject == subject.as_str(),
            Eyes::Owner => true,
        }
    }

    /// Whether they are those of somebody.
    fn is_known(&self) -> bool {
        !matches!(self, Eyes::Stranger)
    }
}

/// `GET /live`.
pub(crate) fn open(service: &Rc<Service>, base: &Base, method: &Method, headers: &HeaderMap, version: Version) -> Answer {
    match *method {
        Method::GET => {}
        Method::HEAD => return Answer::Reply(reply::events_head()),
        _ => return Answer::Reply(reply::method_not_allowed("GET")),
    }
    match viewer(service, approver_cookie(base, headers)) {
        Ok(outbox) => {
            let held = Box::new(Held { service: Rc::clone(service), outbox: Rc::clone(&outbox) });
            Answer::Stream(Opening { outbox, held, version, origin: None })
        }
        Err(refusal) => Answer::Reply(refusal),
    }
}

fn viewer(service: &Rc<Service>, cookie: Option<&str>) -> Result<Rc<Outbox>, Reply> {
    let live = &service.live;
    if live.count() >= limits::VIEWERS {
        return Err(reply::busy("As many pages watch as there may be"));
    }
    let eyes = Eyes::of(service, cookie);
    let outbox = Rc::<Outbox>::default();
    outbox.push(frame(service, &eyes));
    // Cuts off a reader that takes nothing.
    service.streams.watch_answer(&outbox);
    let cookie = cookie.map(str::to_owned);
    live.viewers.borrow_mut().push(Viewer { outbox: Rc::clone(&outbox), cookie, is_known: eyes.is_known() });
    if !live.is_told.replace(true) {
        errand::begin(tell(Rc::downgrade(service)));
    }
    Ok(outbox)
}

/// Tells them from time to time, as long as there are any.
async fn tell(service: Weak<Service>) {
    loop {
        tokio::time::sleep(Duration::from_secs(limits::VIEW_SECS)).await;
        let Some(service) = service.upgrade() else { return };
        let viewers = service.live.viewers.borrow();
        if viewers.is_empty() {
            service.live.is_told.set(false);
            return;
        }
        for viewer in viewers.iter() {
            let eyes = Eyes::of(&service, viewer.cookie.as_deref());
            if eyes.is_known() != viewer.is_known {
                viewer.outbox.close();
            } else if viewer.outbox.is_empty() {
                viewer.outbox.push(frame(&service, &eyes));
            }
        }
    }
}

/// The end of a stream takes its page out of the list, however it ends.
struct Held {
    service: Rc<Service>,
    outbox: Rc<Outbox>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.outbox.cut();
        self.service.live.forget(&self.outbox);
    }
}

fn frame(service: &Service, eyes: &Eyes) -> Event {
    // An event is one line.
    Event::Message(status(service, eyes).replace('\n', "").into())
}

/// How the board is, as HTML.
pub(crate) fn status(service: &Service, eyes: &Eyes) -> String {
    let now_ms = service.clock.now().uptime_ms;
    let mut rows = vec![("Running for", spoken(now_ms / 1000))];
    if let Some(celsius) = heat(service, now_ms) {
        rows.push(("Temperature", format!("{celsius:.1} °C")));
    }
    rows.push(("Open streams", service.streams.count().to_string()));
    if eyes.is_known() {
        rows.push(("Connections", service.connections().to_string()));
        rows.push(("perchd", env!("CARGO_PKG_VERSION").to_owned()));
    }
    page::live(&rows, eyes.is_known().then(|| calls(service, eyes)).as_deref())
}

/// The last calls that these eyes see.
pub(crate) fn calls(service: &Service, eyes: &Eyes) -> Vec<CallRow> {
    let now_ms = service.clock.now().uptime_ms;
    let mut rows = Vec::new();
    service.watch.each_call(&mut |call| {
        if eyes.see(call) {
            rows.push(CallRow {
                tool: call.tool.name.clone(),
                fate: call.fate.as_str(),
                took_ms: call.took_ms,
                ago: ago(now_ms, call.at_ms),
                subject: call.who.subject.as_str().to_owned(),
                client: call.who.name.borrow().as_str().to_owned(),
            });
        }
    });
    rows
}

/// The highest temperature of the board, if it has a thermometer.
pub(crate) fn heat(service: &Service, now_ms: u64) -> Option<f64> {
    let live = &service.live;
    if let Some((_, celsius)) = live.heat.get().filter(|(at_ms, _)| now_ms.saturating_sub(*at_ms) < limits::HEAT_MS) {
        return celsius;
    }
    let celsius = builtin::warmest(&service.config().allowed.root);
    live.heat.set(Some((now_ms, celsius)));
    celsius
}

/// When that was.
pub(crate) fn ago(now_ms: u64, at_ms: u64) -> String {
    match now_ms.saturating_sub(at_ms) / 1000 {
        0..=4 => "just now".to_owned(),
        secs => format!("{} ago", spoken(secs)),
    }
}

fn spoken(secs: u64) -> String {
    match secs {
        0..=59 => format!("{secs} s"),
        60..=3599 => format!("{} min", secs / 60),
        3600..=86_399 => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
        _ => format!("{} d {} h", secs / 86_400, secs % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_people_tell_it() {
        for (secs, told) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3660, "1 h 1 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(spoken(secs), told);
        }
        assert_eq!([ago(4999, 0), ago(65_000, 0), ago(0, 7)], ["just now", "1 min ago", "just now"]);
    }
}
