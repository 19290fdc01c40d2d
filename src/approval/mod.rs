//! Approval by a person, by a way that no model has: the board's own page, or a button that is wired to the board.
//!
//! A call that needs it makes a plan of exactly what it would run, and stops there. It goes on when somebody has approved
//! that plan: at once where it still waits, else when the same is called again. A model cannot forge this: what its client
//! holds is a bearer token, and with that nobody gets to the page; nor does a token press buttons.

mod gate;
mod plans;

pub(crate) use gate::behind;
pub(crate) use gate::shown;
pub(crate) use plans::{Plan, PlanId};

use crate::audit::Event;
use crate::world::{Clock, Kernel, Random as _};
use plans::{Full, Plans, Wanted, Word};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::task::Waker;

/// What approvals want from whoever they belong to.
pub(crate) trait Board {
    /// Where people approve.
    fn page(&self) -> Option<String>;
    /// Writes down what happened.
    fn record(&self, event: &Event<'_>);
    /// The decision, where the person is right here.
    fn decide(&self, _: &Plan) -> Option<bool> {
        None
    }
}

/// The plans of a board; they are of one configuration, and gone with the next.
pub(crate) struct Approvals {
    clock: Clock,
    random: Kernel,
    plans: RefCell<Plans>,
    board: RefCell<Option<Box<dyn Board>>>,
}

impl Default for Approvals {
    fn default() -> Self {
        Approvals { clock: Clock::start(0), random: Kernel::new(), plans: RefCell::default(), board: RefCell::default() }
    }
}

impl Approvals {
    /// Belongs to `board` from now on.
    pub(crate) fn connect(&self, board: impl Board + 'static) {
        self.board.replace(Some(Box::new(board)));
    }

    /// Forgets every plan.
    pub(crate) fn clear(&self) {
        self.plans.borrow_mut().clear();
    }

    /// Somebody pressed a button.
    pub(crate) fn press(&self, button: &str) {
        let plan = self.plans.borrow_mut().behind(self.clock.now(), button);
        if let Some(plan) = plan {
            self.decide(plan, true, "button", button);
        }
    }

    /// Those that wait, and for how many seconds more.
    pub(crate) fn waiting(&self) -> Vec<(Rc<Plan>, u64)> {
        self.plans.borrow_mut().waiting(self.clock.now())
    }

    /// Decides on a plan. `false` when it does not wait any more.
    pub(crate) fn decide(&self, id: PlanId, is_approved: bool, way: &'static str, by: &str) -> bool {
        let Some(plan) = self.plans.borrow_mut().decide(self.clock.now(), id, is_approved) else { return false };
        let (subject, tool, plan) = (plan.wanted.subject.as_str(), plan.wanted.tool.as_str(), &plan.id.to_string());
        self.record(&if is_approved {
            Event::PlanApproved { plan, way, by, subject, tool }
        } else {
            Event::PlanRejected { plan, way, by, subject, tool }
        });
        true
    }

    /// The plan for what is wanted.
    fn make(&self, plan: Plan) -> Result<Rc<Plan>, Full> {
        let (plan, is_new) = self.plans.borrow_mut().make(self.clock.now(), plan)?;
        if is_new {
            let Wanted { subject, client, tool, .. } = &plan.wanted;
            self.record(&Event::PlanMade { plan: &plan.id.to_string(), subject, client: *client, tool });
        }
        Ok(plan)
    }

    /// What a call may do now.
    fn ask(&self, plan: &Plan) -> Word {
        let word = self.plans.borrow_mut().ask(self.clock.now(), plan.id);
        if word == Word::Go {
            let (subject, tool) = (&plan.wanted.subject, &plan.wanted.tool);
            self.record(&Event::PlanRun { plan: &plan.id.to_string(), subject, tool });
        }
        word
    }

    /// Whether nobody has decided yet.
    fn waits(&self, plan: &Plan, waker: &Waker) -> bool {
        self.plans.borrow_mut().waits(self.clock.now(), plan.id, waker)
    }

    /// The caller does not want it any more.
    fn withdraw(&self, plan: &Plan) {
        self.plans.borrow_mut().withdraw(plan.id);
    }

    fn new_id(&self) -> PlanId {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        PlanId(id)
    }

    /// The decision of whoever is right here, if anybody is.
    fn here(&self, plan: &Plan) -> Option<bool> {
        self.board.borrow().as_ref()?.decide(plan)
    }

    fn page(&self) -> Option<String> {
        self.board.borrow().as_ref()?.page()
    }

    fn record(&self, event: &Event<'_>) {
        if let Some(board) = &*self.board.borrow() {
            board.record(event);
        }
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals").finish_non_exhaustive()
    }
}
