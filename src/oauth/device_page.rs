//! `GET` and `POST /device`: which device is it? From there on a person signs in and consents as for any other client.

use super::form::Parameters;
use super::life::Deadline;
use super::page::{CodePage, Step};
use super::throttle::Source;
use super::transaction::{Asker, Browser, Request, Transaction};
use super::user_code::UserCode;
use super::{Authority, Error};
use crate::audit::Event;
use crate::limits;
use crate::seal::{Forged, Purpose, Reader, Writer};
use crate::world::World;

impl Authority {
    /// `GET /device`: asks for the code. One that is in the query stands in the field already, but the person has to
    /// compare it with what his device shows, and to send it himself (RFC 8628 5.4).
    pub fn device(&self, world: &World<'_>, query: &str, browser: Option<&str>) -> Step {
        let parameters = Parameters::parse(query.as_bytes(), limits::QUERY_BYTES).ok();
        let user_code = parameters.as_ref().and_then(|parameters| parameters.one("user_code").ok().flatten());
        let user_code = user_code.and_then(UserCode::parse).map(|code| code.to_string());
        self.code_page(world, Browser::known_or_new(world, browser), user_code.unwrap_or_default(), None, None)
    }

    /// `POST /device`: the form of that page.
    ///
    /// The answer is [`Step::SignIn`], [`Step::Code`] once more, or [`Step::Refuse`].
    pub fn enter(&self, world: &World<'_>, form: &[u8], browser: Option<&str>, source: Source) -> Step {
        self.entered(world, form, browser, source).unwrap_or_else(|error| {
            world.audit.record(&Event::AuthorizationRefused { reason: error.reason() });
            Step::Refuse(error)
        })
    }

    fn entered(&self, world: &World<'_>, form: &[u8], browser: Option<&str>, source: Source) -> Result<Step, Error> {
        let parameters = Parameters::parse(form, limits::FORM_BYTES)?;
        let text = parameters.required("transaction", "The form has no transaction.")?;
        let (known, deadline) =
            self.open_code_page(text).map_err(|Forged| Error::invalid_request("This form was not made here."))?;
        self.admit_page(world, deadline, known, browser)?;
        let typed = parameters.one("user_code")?.unwrap_or_default();
        if let Err(error) = self.try_code(world, source) {
            world.audit.record(&Event::AuthorizationRefused { reason: error.reason() });
            return Ok(self.code_page(world, known, String::new(), Some(error.description()), Some(error)));
        }
        let waiting = self.waiting.borrow();
        let Some(device) = UserCode::parse(typed).and_then(|code| waiting.find(world.now, code)) else {
            world.audit.record(&Event::AuthorizationRefused { reason: "no device shows this code" });
            let message = "No device waits with this code. Look again, or let the device show a new one.";
            return Ok(self.code_page(world, known, String::new(), Some(message), None));
        };
        self.code_was_right(source);
        let request = Request {
            client: device.client,
            client_name: device.client_name.clone(),
            scopes: device.scopes.clone(),
            target: device.target,
            asker: Asker::Device { id: device.id, user_code: device.user_code },
        };
        Ok(self.sign_in_page(&Transaction::begin(world, self.boot, known, request), None))
    }

    fn code_page(
        &self,
        world: &World<'_>,
        browser: Browser,
        user_code: String,
        message: Option<&'static str>,
        error: Option<Error>,
    ) -> Step {
        let deadline = Deadline::after(limits::LOGIN_SECS, world.now, self.boot);
        let fields = browser.write(deadline.write(Writer::<32>::new())).finish();
        match fields.map(|fields| self.ring().seal(Purpose::CodePage, &fields)) {
            Ok(transaction) => {
                Step::Code(Box::new(CodePage { user_code, message, error, transaction, cookie: browser.cookie() }))
            }
            Err(full) => Step::Refuse(full.into()),
        }
    }

    fn open_code_page(&self, text: &str) -> Result<(Browser, Deadline), Forged> {
        let opened = self.ring().open(Purpose::CodePage, text.as_bytes())?;
        let mut fields = Reader::new(&opened);
        let deadline = Deadline::read(&mut fields)?;
        let browser = Browser::read(&mut fields)?;
        fields.end().map(|()| (browser, deadline))
    }
}
