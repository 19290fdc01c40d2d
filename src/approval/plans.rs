//! The plans that wait for a person, or for the call that a person has approved.
//!
//! Nothing of this is on disk, and nothing outlives the program: after a restart nothing is approved.

use crate::config::Confirm;
use crate::limits;
use crate::principal::{ClientTag, GrantId};
use crate::world::Now;
use std::fmt;
use std::rc::Rc;
use std::task::Waker;

/// Names a plan. It is random, and never comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlanId(pub(crate) [u8; 16]);

/// Its first bytes: enough to find it in a log, too few to name it to the server.
impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What is to be done, for whom: an approval is for exactly this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// For whom.
    pub(crate) subject: String,
    /// Through which client.
    pub(crate) client: ClientTag,
    /// By which of his sign-ins.
    pub(crate) grant: GrantId,
    /// Which tool.
    pub(crate) tool: String,
    /// What runs, element by element.
    pub(crate) line: Vec<String>,
}

/// A plan.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) id: PlanId,
    pub(crate) wanted: Wanted,
    /// What the client calls itself.
    pub(crate) program: String,
    /// What a person must be able to allow, to approve it.
    pub(crate) scope: String,
    pub(crate) confirm: Confirm,
}

/// How far a plan has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Approved,
    Rejected,
}

/// What a call is told of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Nobody has decided yet.
    Wait,
    /// It may run, now and once: the plan is gone.
    Go,
    /// A person said no.
    No,
    /// It is too old, or another call has used it.
    Gone,
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Nobody can check a line as long as this.
    Long,
    /// Too many wait.
    Many,
    /// Another one waits for the same button.
    Button,
}

#[derive(Debug)]
struct Entry {
    plan: Rc<Plan>,
    state: State,
    until_ms: u64,
    wakers: Vec<Waker>,
}

/// All plans, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Plans(Vec<Entry>);

impl Plans {
    /// The plan for what is wanted, and whether it is new. There is never more than one for the same.
    pub(crate) fn make(&mut self, now: Now, plan: Plan) -> Result<(Rc<Plan>, bool), Full> {
        self.forget_old(now);
        if let Some(entry) = self.0.iter().find(|entry| entry.plan.wanted == plan.wanted) {
            return Ok((Rc::clone(&entry.plan), false));
        }
        let wanted = &plan.wanted;
        if wanted.line.iter().map(|element| element.len() + 1).sum::<usize>() > limits::PLAN_BYTES {
            return Err(Full::Long);
        }
        let is_his = |entry: &&Entry| entry.plan.wanted.subject == wanted.subject;
        if self.0.len() >= limits::PLANS || self.0.iter().filter(is_his).count() >= limits::PLANS_OF_SUBJECT {
            return Err(Full::Many);
        }
        let is_button = |entry: &Entry| matches!(entry.plan.confirm, Confirm::Button(_)) && entry.plan.confirm == plan.confirm;
        if self.0.iter().any(|entry| entry.state == State::Waiting && is_button(entry)) {
            return Err(Full::Button);
        }
        let plan = Rc::new(plan);
        let until_ms = now.uptime_ms + limits::PLAN_SECS * 1000;
        self.0.push(Entry { plan: Rc::clone(&plan), state: State::Waiting, until_ms, wakers: Vec::new() });
        Ok((plan, true))
    }

    /// Whether nobody has decided yet; `waker` is told when somebody has.
    pub(crate) fn waits(&mut self, now: Now, id: PlanId, waker: &Waker) -> bool {
        self.forget_old(now);
        let is_it = |entry: &&mut Entry| entry.plan.id == id && entry.state == State::Waiting;
        let Some(entry) = self.0.iter_mut().find(is_it) else { return false };
        if !entry.wakers.iter().any(|known| known.will_wake(waker)) {
            entry.wakers.push(waker.clone());
        }
        true
    }

    /// What a call may do now. An approval is used up by this.
    pub(crate) fn ask(&mut self, now: Now, id: PlanId) -> Word {
        self.forget_old(now);
        let Some(index) = self.0.iter().position(|entry| entry.plan.id == id) else { return Word::Gone };
        match self.0[index].state {
            State::Waiting => Word::Wait,
            State::Approved => {
                self.0.remove(index).wake();
                Word::Go
            }
            State::Rejected => Word::No,
        }
    }

    /// Decides on a plan that waits. `None` when it does not any more.
    ///
    /// A no is remembered as long as a yes: who asks for the same again at once is told so, and nobody is asked twice.
    pub(crate) fn decide(&mut self, now: Now, id: PlanId, is_approved: bool) -> Option<Rc<Plan>> {
        self.forget_old(now);
        let entry = self.0.iter_mut().find(|entry| entry.plan.id == id && entry.state == State::Waiting)?;
        entry.state = if is_approved { State::Approved } else { State::Rejected };
        entry.until_ms = now.uptime_ms + limits::PLAN_SECS * 1000;
        entry.wake();
        Some(Rc::clone(&entry.plan))
    }

    /// The plan that waits for this button.
    pub(crate) fn behind(&mut self, now: Now, button: &str) -> Option<PlanId> {
        self.forget_old(now);
        let is_it = |entry: &&Entry| matches!(&entry.plan.confirm, Confirm::Button(name) if name == button);
        let is_seen = |entry: &&Entry| entry.until_ms + limits::PLAN_PRESS_MS <= now.uptime_ms + limits::PLAN_SECS * 1000;
        let waiting = self.0.iter().filter(|entry| entry.state == State::Waiting);
        waiting.filter(is_seen).find(is_it).map(|entry| entry.plan.id)
    }

    /// Those that wait, and for how many seconds more.
    pub(crate) fn waiting(&mut self, now: Now) -> Vec<(Rc<Plan>, u64)> {
        self.forget_old(now);
        let waiting = self.0.iter().filter(|entry| entry.state == State::Waiting);
        waiting.map(|entry| (Rc::clone(&entry.plan), (entry.until_ms - now.uptime_ms).div_ceil(1000))).collect()
    }

    /// Forgets a plan that nobody wants any more.
    pub(crate) fn withdraw(&mut self, id: PlanId) {
        self.0.retain_mut(|entry| entry.plan.id != id || entry.wake());
    }

    /// Forgets all of them: what they would run may be something else by now.
    pub(crate) fn clear(&mut self) {
        self.0.retain_mut(Entry::wake);
    }

    fn forget_old(&mut self, now: Now) {
        self.0.retain_mut(|entry| entry.until_ms > now.uptime_ms || entry.wake());
    }
}

impl Entry {
    /// Tells those that wait to look. `false`, for the one who forgets it.
    fn wake(&mut self) -> bool {
        self.wakers.drain(..).for_each(Waker::wake);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { unix: limits::BUILD_UNIX_SECS, uptime_ms: 1000 };

    fn later(secs: u64) -> Now {
        Now { uptime_ms: NOW.uptime_ms + secs * 1000, ..NOW }
    }

    fn plan(n: u8, subject: &str, line: &[&str], confirm: Confirm) -> Plan {
        let wanted = Wanted {
            subject: subject.to_owned(),
            client: ClientTag([1; 8]),
            grant: GrantId([2; 16]),
            tool: "reboot".to_owned(),
            line: line.iter().map(|element| (*element).to_owned()).collect(),
        };
        Plan { id: PlanId([n; 16]), wanted, program: "c".to_owned(), scope: "tools:write".to_owned(), confirm }
    }

    fn page(n: u8, line: &[&str]) -> Plan {
        plan(n, "anna", line, Confirm::Page)
    }

    #[test]
    fn nothing_runs_before_somebody_has_approved_it() {
        let mut plans = Plans::default();
        let (made, is_new) = plans.make(NOW, page(1, &["/bin/a"])).unwrap();
        assert!(is_new);
        assert_eq!(plans.ask(NOW, made.id), Word::Wait);
        assert_eq!(plans.ask(NOW, PlanId([9; 16])), Word::Gone);
        assert!(plans.decide(NOW, PlanId([9; 16]), true).is_none(), "a guess approves nothing");
        assert_eq!(plans.ask(NOW, made.id), Word::Wait);
    }

    #[test]
    fn an_approval_is_used_once() {
        let mut plans = Plans::default();
        let (made, _) = plans.make(NOW, page(1, &["/bin/a"])).unwrap();
        plans.decide(NOW, made.id, true).unwrap();
        assert!(plans.decide(NOW, made.id, true).is_none(), "and given once");
        assert_eq!(plans.ask(NOW, made.id), Word::Go);
        assert_eq!(plans.ask(NOW, made.id), Word::Gone);
        let (again, is_new) = plans.make(NOW, page(2, &["/bin/a"])).unwrap();
        assert!(is_new && again.id != made.id);
    }

    #[test]
    fn an_approval_is_for_one_caller_and_one_line_to_the_byte() {
        let mut plans = Plans::default();
        let (made, _) = plans.make(NOW, page(1, &["/bin/a", "x"])).unwrap();
        plans.decide(NOW, made.id, true).unwrap();
        let same = |n| page(n, &["/bin/a", "x"]);
        let other = |n, change: fn(&mut Wanted)| {
            let mut plan = same(n);
            change(&mut plan.wanted);
            plan
        };
        let others = [
            other(2, |wanted| wanted.line[1].push(' ')),
            other(3, |wanted| wanted.line = vec!["/bin/a x".to_owned()]),
            other(4, |wanted| wanted.grant = GrantId([3; 16])),
        ];
        for other in others {
            let (plan, is_new) = plans.make(NOW, other).unwrap();
            assert!(is_new && plans.ask(NOW, plan.id) == Word::Wait, "{plan:?}");
            plans.withdraw(plan.id);
        }
        for other in [other(5, |wanted| wanted.client = ClientTag([9; 8])), other(6, |wanted| wanted.tool = "b".to_owned())] {
            assert!(plans.make(NOW, other).unwrap().1);
        }
        let (found, is_new) = plans.make(NOW, same(7)).unwrap();
        assert!(!is_new && plans.ask(NOW, found.id) == Word::Go);
    }

    #[test]
    fn two_minutes_to_approve_and_two_to_run() {
        let mut plans = Plans::default();
        let (made, _) = plans.make(NOW, page(1, &["/bin/a"])).unwrap();
        assert!(plans.decide(later(limits::PLAN_SECS), made.id, true).is_none());
        let (made, is_new) = plans.make(NOW, page(2, &["/bin/a"])).unwrap();
        assert!(is_new);
        let late = later(limits::PLAN_SECS - 1);
        assert_eq!(plans.waiting(late)[0].1, 1);
        plans.decide(late, made.id, true).unwrap();
        let end = later(2 * limits::PLAN_SECS - 1);
        assert_eq!(plans.ask(end, made.id), Word::Gone, "an approval that nobody used is over");
    }

    #[test]
    fn a_no_holds_for_who_asks_again() {
        let mut plans = Plans::default();
        let (made, _) = plans.make(NOW, page(1, &["/bin/a"])).unwrap();
        plans.decide(NOW, made.id, false).unwrap();
        let (found, is_new) = plans.make(NOW, page(2, &["/bin/a"])).unwrap();
        assert!(!is_new && plans.ask(NOW, found.id) == Word::No);
        assert!(plans.waiting(NOW).is_empty() && plans.decide(NOW, made.id, true).is_none());
        assert!(plans.make(later(limits::PLAN_SECS), page(3, &["/bin/a"])).unwrap().1);
    }

    #[test]
    fn plans_have_a_bound_for_all_and_for_each() {
        let mut plans = Plans::default();
        for n in 0..limits::PLANS_OF_SUBJECT {
            plans.make(NOW, page(0, &["/bin/a", &n.to_string()])).unwrap();
        }
        assert_eq!(plans.make(NOW, page(0, &["/bin/b"])).unwrap_err(), Full::Many);
        for n in 0..limits::PLANS - limits::PLANS_OF_SUBJECT {
            plans.make(NOW, plan(0, &format!("user-{n}"), &["/bin/a"], Confirm::Page)).unwrap();
        }
        assert_eq!(plans.make(NOW, plan(0, "ben", &["/bin/a"], Confirm::Page)).unwrap_err(), Full::Many);
        assert!(plans.make(later(limits::PLAN_SECS), page(0, &["/bin/b"])).is_ok());
        let long = "x".repeat(limits::PLAN_BYTES);
        assert_eq!(Plans::default().make(NOW, page(0, &["/bin/a", &long])).unwrap_err(), Full::Long);
    }

    #[test]
    fn a_button_approves_one_plan_and_no_other() {
        let button = |name: &str| Confirm::Button(name.to_owned());
        let mut plans = Plans::default();
        let (made, _) = plans.make(NOW, plan(1, "anna", &["/bin/a"], button("door"))).unwrap();
        assert_eq!(plans.make(NOW, plan(2, "ben", &["/bin/a"], button("door"))).unwrap_err(), Full::Button);
        plans.make(NOW, plan(3, "ben", &["/bin/a"], button("lamp"))).unwrap();
        plans.make(NOW, page(4, &["/bin/b"])).unwrap();
        assert_eq!(plans.behind(NOW, "door"), None, "a finger that was there before");
        assert_eq!(plans.behind(later(1), "door"), Some(made.id));
        plans.decide(later(1), made.id, true).unwrap();
        assert_eq!(plans.behind(later(1), "door"), None);
        assert_eq!(plans.behind(later(1), "bell"), None);
        assert!(plans.make(NOW, plan(5, "ben", &["/bin/a"], button("door"))).is_ok(), "the button is free again");
    }
}
