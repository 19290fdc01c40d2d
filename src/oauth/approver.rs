//! Somebody who has signed in to approve what assistants want to run, or to see who uses his board.
//!
//! What proves it is a cookie of his browser. No client of MCP ever gets one: clients get tokens, and no token is looked at here.

use super::client::Name;
use super::form::Parameters;
use super::life::Deadline;
use super::login::{Subject, Way};
use super::page::Step;
use super::resource::Target;
use super::transaction::{Asker, Browser, Request, Transaction};
use super::{Authority, Base, Error};
use crate::limits;
use crate::principal::{ClientTag, GrantId, Scopes, Standing};
use crate::seal::{Forged, Purpose, Reader, Writer};
use crate::world::World;

/// What names a plan.
pub const PLAN_ID_BYTES: usize = 16;

/// No client: a person is here himself.
const NOBODY: ClientTag = ClientTag([0; 8]);

/// What the cookie holds: deadline, browser, grant, epoch, way, subject and scopes.
const BYTES: usize = 16 + 16 + 16 + 4 + 1 + 2 + limits::SUBJECT_BYTES + 2 + limits::SCOPES_BYTES;

/// What the forms of the owner's page are about, in place of a plan: no plan has this name, which is drawn at random.
const OWNER: [u8; PLAN_ID_BYTES] = *b"the owner's page";

/// The page that somebody signs in to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What waits for approval.
    Approvals,
    /// Who uses the board.
    Owner,
}

/// What he wants on the owner's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// That this client holds nothing any more.
    Revoke(ClientTag),
    /// To be signed in no longer.
    Leave,
}

/// What he wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// That this runs.
    Approve([u8; PLAN_ID_BYTES]),
    /// That it does not.
    Reject([u8; PLAN_ID_BYTES]),
    /// To be signed in no longer.
    Leave,
}

/// Somebody who may approve.
#[derive(Debug)]
pub struct Approver {
    /// Who.
    pub subject: String,
    /// What he could allow: he approves nothing else.
    pub scopes: Scopes,
    browser: Browser,
}

impl Authority {
    /// `GET` of a page for people who are not signed in: the sign-in page. `browser` is the value of its cookie.
    pub fn enter_place(&self, world: &World<'_>, base: &Base, place: Place, browser: Option<&str>) -> Step {
        let request = Request {
            client: NOBODY,
            client_name: Name::default(),
            scopes: self.scopes(),
            target: Target::whole(base),
            asker: Asker::Person(place),
        };
        let browser = Browser::known_or_new(world, browser);
        self.sign_in_page(&Transaction::begin(world, self.boot, browser, request), None)
    }

    /// The cookie of somebody who has just signed in.
    pub(super) fn entered_place(
        &self,
        world: &World<'_>,
        transaction: &Transaction,
        subject: &Subject,
        place: Place,
    ) -> Result<Step, Error> {
        let deadline = Deadline::after(limits::APPROVER_SECS, world.now, self.boot);
        let fields = transaction.browser.write(deadline.write(Writer::<BYTES>::new()));
        let fields = fields.array(&world.bytes::<16>()).u32(self.epoch());
        let fields = subject.write(fields).text(transaction.request.scopes.as_str());
        Ok(Step::Entered { cookie: self.ring().seal(Purpose::Approver, &fields.finish()?), place })
    }

    /// Who may approve, by the cookie of his browser. He must still be let in, and what he could allow is what he could allow
    /// today.
    pub fn approver(&self, world: &World<'_>, cookie: Option<&str>) -> Option<Approver> {
        let read = || {
            let opened = self.ring().open(Purpose::Approver, cookie.ok_or(Forged)?.as_bytes())?;
            let mut fields = Reader::new(&opened);
            let (deadline, browser) = (Deadline::read(&mut fields)?, Browser::read(&mut fields)?);
            let (grant, epoch) = (GrantId(fields.array()?), fields.u32()?);
            let (subject, scopes) = (Subject::read(&mut fields)?, Scopes::parse(fields.text()?, |_| true));
            fields.end().map(|()| (deadline, browser, grant, epoch, subject, scopes))
        };
        let (deadline, browser, grant, epoch, subject, scopes) = read().ok()?;
        let standing = Standing { subject: &subject, client: NOBODY, grant, epoch };
        let is_let_in = !deadline.is_past(world.now, self.boot)
            && self.admits(subject.way(), &subject)
            && subject.way() != Way::Made
            && !self.is_over(&standing);
        let scopes = self.settings().limited(&subject, scopes.as_str());
        is_let_in.then(|| Approver { subject: subject.to_string(), scopes, browser })
    }

    /// What the form about a plan carries: this person decides on it, in this browser, and soon.
    ///
    /// # Errors
    /// Never, as long as there is room for it.
    pub fn seal_plan(&self, world: &World<'_>, approver: &Approver, plan: [u8; PLAN_ID_BYTES]) -> Result<String, Error> {
        self.seal_form(world, approver, plan, limits::PLAN_SECS)
    }

    /// What the forms of the owner's page carry: this person sends them, in this browser, before long.
    ///
    /// # Errors
    /// Never, as long as there is room for it.
    pub fn seal_owner(&self, world: &World<'_>, approver: &Approver) -> Result<String, Error> {
        self.seal_form(world, approver, OWNER, limits::LOGIN_SECS)
    }

    fn seal_form(&self, world: &World<'_>, approver: &Approver, id: [u8; PLAN_ID_BYTES], secs: u64) -> Result<String, Error> {
        let deadline = Deadline::after(secs, world.now, self.boot);
        let fields = approver.browser.write(deadline.write(Writer::<{ 48 + 2 + limits::SUBJECT_BYTES }>::new()));
        Ok(self.ring().seal(Purpose::Plan, &fields.array(&id).text(&approver.subject).finish()?))
    }

    /// What a form of this person says.
    ///
    /// # Errors
    /// For a form that was made elsewhere, for somebody else, or too long ago.
    pub fn verb(&self, world: &World<'_>, approver: &Approver, form: &[u8]) -> Result<Verb, Error> {
        let parameters = Parameters::parse(form, limits::FORM_BYTES)?;
        let plan = || {
            let text = parameters.required("transaction", "The form has no transaction.")?;
            self.open_plan(world, approver, text)
        };
        match parameters.one("action")? {
            Some("approve") => plan().map(Verb::Approve),
            Some("reject") => plan().map(Verb::Reject),
            Some("leave") => Ok(Verb::Leave),
            _ => Err(Error::invalid_request("action is approve, reject or leave.")),
        }
    }

    /// What a form of the owner's page says.
    ///
    /// # Errors
    /// For a form that was made elsewhere, for somebody else, or too long ago.
    pub fn errand(&self, world: &World<'_>, approver: &Approver, form: &[u8]) -> Result<Errand, Error> {
        let parameters = Parameters::parse(form, limits::FORM_BYTES)?;
        if parameters.one("action")? == Some("leave") {
            return Ok(Errand::Leave);
        }
        let text = parameters.required("transaction", "The form has no transaction.")?;
        if self.open_plan(world, approver, text)? != OWNER {
            return Err(Error::invalid_request("This form was made for something else."));
        }
        let client = ClientTag::parse(parameters.required("client", "The form names no client.")?);
        client.map(Errand::Revoke).ok_or_else(|| Error::invalid_request("The form names no client."))
    }

    /// Whether somebody could allow everything there is: he looks after the whole board, and not for himself alone.
    pub fn is_owner(&self, approver: &Approver) -> bool {
        self.scopes().iter().all(|scope| approver.scopes.contains(scope))
    }

    fn open_plan(&self, world: &World<'_>, approver: &Approver, text: &str) -> Result<[u8; PLAN_ID_BYTES], Error> {
        let read = || {
            let opened = self.ring().open(Purpose::Plan, text.as_bytes())?;
            let mut fields = Reader::new(&opened);
            let (deadline, browser) = (Deadline::read(&mut fields)?, Browser::read(&mut fields)?);
            let (plan, is_his) = (fields.array()?, fields.text()? == approver.subject);
            fields.end()?;
            let is_good = is_his && browser == approver.browser && !deadline.is_past(world.now, self.boot);
            if is_good { Ok(plan) } else { Err(Forged) }
        };
        read().map_err(|Forged| Error::invalid_request("This form is too old, or was not made here for you."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::{Bench, HERE};

    const PLAN: [u8; PLAN_ID_BYTES] = [7; PLAN_ID_BYTES];

    /// Signs in, and gets the cookie.
    fn enter(bench: &Bench, name: &str, password: &str) -> String {
        let Step::SignIn(page) = bench.authority.enter_place(&bench.world(), &bench.base, Place::Owner, None) else { panic!() };
        assert!(page.place == Some(Place::Owner) && page.user_code.is_none());
        let fields = [("action", "sign_in"), ("email", name), ("password", password)];
        match bench.send(&page, &fields, Some(&page.cookie), HERE) {
            Step::Entered { cookie, place: Place::Owner } => cookie,
            other => panic!("{other:?}"),
        }
    }

    fn approver(bench: &Bench, cookie: &str) -> Option<Approver> {
        bench.authority.approver(&bench.world(), Some(cookie))
    }

    #[test]
    fn no_token_and_no_other_cookie_is_an_approver() {
        let bench = Bench::own(true, false);
        let cookie = enter(&bench, "anna", "anna-secret");
        assert_eq!(approver(&bench, &cookie).unwrap().subject, "anna");
        // Whatever a token says: even the same, to the byte.
        let said = bench.ring.open(Purpose::Approver, cookie.as_bytes()).unwrap();
        for purpose in Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Approver) {
            assert!(approver(&bench, &bench.ring.seal(purpose, &said)).is_none(), "{purpose:?}");
        }
        assert!(bench.authority.approver(&bench.world(), None).is_none());
        for position in 0..cookie.len() {
            let mut flipped = cookie.clone().into_bytes();
            flipped[position] = if flipped[position] == b'A' { b'B' } else { b'A' };
            assert!(approver(&bench, &String::from_utf8(flipped).unwrap()).is_none(), "{position}");
        }
        // Nor is the cookie a token.
        let header = format!("Bearer {cookie}");
        let bearer = bench.authority.bearer(&bench.world(), [header.as_bytes()], crate::oauth::Endpoints::ANY);
        assert!(bearer.is_err());
    }

    #[test]
    fn a_sign_in_lasts_a_day_of_work_and_ends_with_the_boot_or_the_user() {
        let mut bench = Bench::own(true, false);
        let cookies = enter(&bench, "anna", "anna-secret");
        bench.pass(limits::APPROVER_SECS - 1);
        assert!(approver(&bench, &cookies).is_some());
        bench.pass(1);
        assert!(approver(&bench, &cookies).is_none());
        let cookies = enter(&bench, "anna", "anna-secret");
        bench.authority.revoke_user(&bench.world(), "anna");
        assert!(approver(&bench, &cookies).is_none(), "the owner took it back");
        let cookies = enter(&bench, "anna", "anna-secret");
        bench.authority.reload(crate::oauth::Settings { users: Vec::new(), ..bench.settings() });
        assert!(approver(&bench, &cookies).is_none(), "he is no user any more");
        let mut bench = Bench::own(true, false);
        let cookies = enter(&bench, "anna", "anna-secret");
        bench.restart();
        assert!(approver(&bench, &cookies).is_none());
    }

    #[test]
    fn a_form_is_good_for_one_person_in_one_browser_for_a_while() {
        let mut bench = Bench::own(true, false);
        let anna = approver(&bench, &enter(&bench, "anna", "anna-secret")).unwrap();
        let elsewhere = approver(&bench, &enter(&bench, "anna", "anna-secret")).unwrap();
        let bob = approver(&bench, &enter(&bench, "bob", "bob-secret")).unwrap();
        let form = bench.authority.seal_plan(&bench.world(), &anna, PLAN).unwrap();
        assert_eq!(bench.authority.open_plan(&bench.world(), &anna, &form).unwrap(), PLAN);
        for other in [&elsewhere, &bob, &Approver { subject: "bob".to_owned(), ..anna_again(&anna) }] {
            assert!(bench.authority.open_plan(&bench.world(), other, &form).is_err(), "{other:?}");
        }
        for position in 0..form.len() {
            let mut flipped = form.clone().into_bytes();
            flipped[position] = if flipped[position] == b'A' { b'B' } else { b'A' };
            let flipped = String::from_utf8(flipped).unwrap();
            assert!(bench.authority.open_plan(&bench.world(), &anna, &flipped).is_err(), "{position}");
        }
        bench.pass(limits::PLAN_SECS);
        assert!(bench.authority.open_plan(&bench.world(), &anna, &form).is_err());
    }

    fn anna_again(anna: &Approver) -> Approver {
        Approver { subject: anna.subject.clone(), scopes: anna.scopes.clone(), browser: anna.browser }
    }

    #[test]
    fn a_form_of_the_owners_page_is_no_form_about_a_plan_and_the_other_way_round() {
        let mut bench = Bench::own(true, false);
        let anna = approver(&bench, &enter(&bench, "anna", "anna-secret")).unwrap();
        let bob = approver(&bench, &enter(&bench, "bob", "bob-secret")).unwrap();
        assert!(bench.authority.is_owner(&anna) && !bench.authority.is_owner(&bob));
        let form = |transaction: &str| format!("action=revoke&client=0102030405060708&transaction={transaction}");
        let errand =
            |bench: &Bench, who, transaction: &str| bench.authority.errand(&bench.world(), who, form(transaction).as_bytes());
        let (of_page, of_plan) = {
            let (authority, world) = (&bench.authority, bench.world());
            (authority.seal_owner(&world, &anna).unwrap(), authority.seal_plan(&world, &anna, PLAN).unwrap())
        };
        assert!(errand(&bench, &anna, &of_plan).is_err() && errand(&bench, &bob, &of_page).is_err());
        let wanted = Errand::Revoke(ClientTag([1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(errand(&bench, &anna, &of_page).unwrap(), wanted);
        let Verb::Approve(plan) =
            bench.authority.verb(&bench.world(), &anna, format!("action=approve&transaction={of_page}").as_bytes()).unwrap()
        else {
            panic!()
        };
        assert_eq!(plan, OWNER, "the name of no plan");
        for wrong in ["action=revoke", "action=revoke&client=x&transaction=", "action=revoke&transaction="] {
            let form = format!("{wrong}{}", if wrong.ends_with('=') { &of_page } else { "" });
            assert!(bench.authority.errand(&bench.world(), &anna, form.as_bytes()).is_err(), "{wrong}");
        }
        bench.pass(limits::LOGIN_SECS);
        assert!(errand(&bench, &anna, &of_page).is_err());
    }

    #[test]
    fn who_may_allow_less_approves_less() {
        let bench = Bench::own(true, false);
        let bob = approver(&bench, &enter(&bench, "bob", "bob-secret")).unwrap();
        assert_eq!(bob.scopes, bench.settings().limited("bob", bench.authority.scopes().as_str()));
    }

    #[test]
    fn the_longest_name_with_all_scopes_has_room() {
        let bench = Bench::own(true, false);
        let mut fields = Writer::<BYTES>::new().array(&[0; 16]).array(&[0; 16]).array(&[0; 16]).u32(0);
        fields = Subject::named(&"x".repeat(limits::SUBJECT_BYTES)).unwrap().write(fields);
        let text = bench.ring.seal(Purpose::Approver, &fields.text(&"x".repeat(limits::SCOPES_BYTES)).finish().unwrap());
        assert!(text.len() <= limits::TOKEN_BYTES && bench.ring.open(Purpose::Approver, text.as_bytes()).is_ok());
    }
}
