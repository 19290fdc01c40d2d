//! The closed list of things worth remembering. No event carries a token, a code, a password or a key.

use crate::json::push_text;
use crate::limits;
use crate::principal::{ClientTag, GrantId};
use serde::Serialize;
use serde_json::value::RawValue;

/// Something that happened and that an owner may want to know about later.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// A client registered itself (RFC 7591). Costs nothing and allows nothing.
    Registered {
        /// The name that it gave itself.
        name: &'a str,
        /// Where it wants the browser sent.
        redirect_host: &'a str,
    },
    /// A registration was refused.
    RegistrationRefused {
        /// Why.
        reason: &'static str,
    },
    /// A browser came with a request for authorization that is not good.
    AuthorizationRefused {
        /// Why.
        reason: &'static str,
    },
    /// A person signed in.
    SignedIn {
        /// Who.
        subject: &'a str,
        /// For which client.
        client: ClientTag,
        /// How: `demo`, `password` or `pairing`.
        way: &'static str,
    },
    /// The owner made a code with which somebody may sign in once.
    PairingOffered {
        /// As whom.
        subject: &'a str,
    },
    /// A sign-in was refused.
    SignInRefused {
        /// Why.
        reason: &'static str,
    },
    /// A person allowed a client to act for him.
    Approved {
        /// Who.
        subject: &'a str,
        /// Which client.
        client: ClientTag,
        /// What that calls itself; may be empty, and may be a lie.
        name: &'a str,
        /// What it may do.
        scopes: &'a str,
    },
    /// A person refused a client.
    Rejected {
        /// Who.
        subject: &'a str,
        /// Which client.
        client: ClientTag,
    },
    /// An access token was minted.
    TokenIssued {
        /// For whom.
        subject: &'a str,
        /// For which client.
        client: ClientTag,
        /// The grant that it came from.
        grant: GrantId,
        /// The `grant_type` of the request.
        grant_type: &'static str,
    },
    /// A request to the token endpoint was refused.
    TokenRefused {
        /// The private reason, which the client does not get.
        reason: &'static str,
    },
    /// A code or an old refresh token came a second time: all tokens of its grant are dead.
    ReuseDetected {
        /// The grant.
        grant: GrantId,
    },
    /// The owner put a new key in front of the ring, or another ring in its place.
    KeysReplaced {
        /// `rotated` or `imported`.
        how: &'static str,
        /// How many keys there are now.
        keys: usize,
    },
    /// The owner made a token by hand.
    TokenMinted {
        /// What he calls it.
        name: &'a str,
        /// For whom it speaks.
        subject: &'a str,
        /// What stands for a client in it.
        client: ClientTag,
        /// Its grant.
        grant: GrantId,
        /// What it may do.
        scopes: &'a str,
        /// How long it lasts, in seconds.
        secs: u64,
    },
    /// A client gave its tokens back (RFC 7009), or the owner took them.
    Revoked {
        /// The grant.
        grant: GrantId,
    },
    /// Every token of one user is dead, as the owner wished.
    UserRevoked {
        /// Who.
        subject: &'a str,
    },
    /// Every token of one client is dead, as the owner wished.
    ClientRevoked {
        /// Which.
        client: ClientTag,
    },
    /// The same person allowed the same client anew: the older grant ends.
    Superseded {
        /// The older grant.
        grant: GrantId,
    },
    /// Every token that was ever issued is dead: too much was revoked to remember each, or the owner wished it.
    AllRevoked {
        /// Tokens of an epoch before this one are dead.
        epoch: u32,
    },
    /// A request came with a token that is not good.
    BearerRefused {
        /// The private reason, which the client does not get.
        reason: &'static str,
    },
    /// Strangers brought this about more often than is worth a line each.
    LeftOut {
        /// Which event.
        what: &'static str,
        /// How often, beside those that were written.
        count: u32,
    },
    /// A call needs the approval of a person, and waits for it.
    PlanMade {
        /// Which plan: the first bytes of its id.
        plan: &'a str,
        /// For whom.
        subject: &'a str,
        /// Through which client.
        client: ClientTag,
        /// Which tool.
        tool: &'a str,
    },
    /// A person approved it.
    PlanApproved {
        /// Which plan.
        plan: &'a str,
        /// How: `page`, `button` or `terminal`.
        way: &'static str,
        /// Who signed in, or which button it was.
        by: &'a str,
        /// For whom it runs.
        subject: &'a str,
        /// Which tool.
        tool: &'a str,
    },
    /// A person said no.
    PlanRejected {
        /// Which plan.
        plan: &'a str,
        /// How.
        way: &'static str,
        /// Who.
        by: &'a str,
        /// For whom it would have run.
        subject: &'a str,
        /// Which tool.
        tool: &'a str,
    },
    /// The call that was approved begins: its approval is used up.
    PlanRun {
        /// Which plan.
        plan: &'a str,
        /// For whom.
        subject: &'a str,
        /// Which tool.
        tool: &'a str,
    },
    /// A tool ran.
    ToolCalled {
        /// For whom.
        subject: &'a str,
        /// Through which client.
        client: ClientTag,
        /// Which tool.
        tool: &'a str,
        /// With what, where the tool has that shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        arguments: Option<&'a RawValue>,
        /// What the tool does: `reads`, `writes` or `destroys`; nothing of a resource or a prompt.
        #[serde(skip_serializing_if = "Option::is_none")]
        effect: Option<&'static str>,
        /// `ok`, `error` (the tool's own), `cancelled` or `timeout`.
        outcome: &'static str,
        /// How long it took, in milliseconds.
        ms: u64,
    },
}

/// Takes events. It must not block: it is called between two requests of everybody else.
pub trait Audit {
    /// Remembers `event`.
    fn record(&self, event: &Event<'_>);

    /// Says what was left out for a while, if anything was. It is called from time to time.
    fn catch_up(&self) {}
}

impl Event<'_> {
    /// Appends the event as JSON.
    pub(crate) fn write(&self, json: &mut Vec<u8>) {
        // Each call has a line of this kind, and serde takes three times as long, as it writes each colon for itself.
        let Event::ToolCalled { subject, client, tool, arguments, effect, outcome, ms } = *self else {
            // Text and numbers only: neither can fail.
            let _ = serde_json::to_writer(json, self);
            return;
        };
        json.extend_from_slice(br#"{"event":"tool_called","subject":"#);
        push_text(json, subject);
        json.extend_from_slice(br#","client":""#);
        json.extend_from_slice(&client.digits());
        json.extend_from_slice(br#"","tool":"#);
        push_text(json, tool);
        if let Some(arguments) = arguments {
            json.extend_from_slice(br#","arguments":"#);
            json.extend_from_slice(arguments.get().as_bytes());
        }
        // Both are words of ours, with nothing to escape. What most calls come to is one text.
        if let (Some("reads"), "ok") = (effect, outcome) {
            json.extend_from_slice(br#","effect":"reads","outcome":"ok","ms":"#);
        } else {
            if let Some(effect) = effect {
                json.extend_from_slice(br#","effect":""#);
                json.extend_from_slice(effect.as_bytes());
                json.push(b'"');
            }
            json.extend_from_slice(br#","outcome":""#);
            json.extend_from_slice(outcome.as_bytes());
            json.extend_from_slice(br#"","ms":"#);
        }
        match u8::try_from(ms) {
            // Most are done at once.
            Ok(ms @ 0..10) => json.push(b'0' + ms),
            _ => drop(serde_json::to_writer(&mut *json, &ms)),
        }
        json.push(b'}');
    }

    /// Whether it may be written a moment later: nothing was changed, so that nothing is lost to him who asks who changed it.
    pub(crate) fn can_wait(&self) -> bool {
        matches!(self, Event::ToolCalled { effect: Some("reads"), .. })
    }

    /// Which of the kinds that strangers can bring about as often as they like it is, if it is one.
    pub(crate) fn stranger(&self) -> Option<usize> {
        self.of_strangers().map(|(kind, _)| kind)
    }

    /// Whether strangers can bring it about as often as they like.
    pub(crate) fn is_of_strangers(&self) -> bool {
        self.of_strangers().is_some()
    }

    /// The name of an event that strangers can bring about as often as they like; none of one that takes a person who has
    /// signed in, or a token.
    const fn of_strangers(&self) -> Option<(usize, &'static str)> {
        match self {
            Event::Registered { .. } => Some((0, "registered")),
            Event::RegistrationRefused { .. } => Some((1, "registration_refused")),
            Event::AuthorizationRefused { .. } => Some((2, "authorization_refused")),
            Event::SignInRefused { .. } => Some((3, "sign_in_refused")),
            Event::TokenRefused { .. } => Some((4, "token_refused")),
            Event::BearerRefused { .. } => Some((5, "bearer_refused")),
            _ => None,
        }
    }
}

/// Keeps strangers from filling the log: of each kind of event that they can bring about, so many a minute are written,
/// and one more that says how many were not.
#[derive(Debug, Default)]
pub struct Strangers {
    /// Since when they are counted.
    since_ms: u64,
    counts: [(&'static str, u32); 6],
}

impl Strangers {
    /// Whether to write an event. What [`Strangers::left_out`] tells is to be written before.
    pub fn admits(&mut self, event: &Event<'_>) -> bool {
        let Some((kind, name)) = event.of_strangers() else { return true };
        let (known, count) = &mut self.counts[kind];
        (*known, *count) = (name, count.saturating_add(1));
        *count <= limits::STRANGERS_LINES
    }

    /// What was left out in a minute that is over.
    pub fn left_out(&mut self, uptime_ms: u64) -> impl Iterator<Item = Event<'static>> {
        let is_over = uptime_ms.saturating_sub(self.since_ms) >= 60_000;
        let counts = if is_over {
            self.since_ms = uptime_ms;
            std::mem::take(&mut self.counts)
        } else {
            Default::default()
        };
        counts.into_iter().filter_map(|(what, count)| {
            let count = count.checked_sub(limits::STRANGERS_LINES).filter(|count| *count > 0)?;
            Some(Event::LeftOut { what, count })
        })
    }
}

/// Remembers nothing; for tests and for those who do not want an audit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Audit for Nothing {
    fn record(&self, _: &Event<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Event<'static> = Event::BearerRefused { reason: "token expired" };

    /// Everything that is written of these events, which come in one moment.
    fn written(strangers: &mut Strangers, secs: u64, events: &[Event<'_>]) -> Vec<String> {
        let mut lines: Vec<_> = strangers.left_out(secs * 1000).map(|event| format!("{event:?}")).collect();
        lines.extend(events.iter().filter(|event| strangers.admits(event)).map(|event| format!("{event:?}")));
        lines
    }

    #[test]
    fn a_call_is_written_as_serde_writes_it() {
        let arguments = serde_json::value::to_raw_value(&["a \"b\"", "c"]).unwrap();
        for (arguments, effect, outcome, ms) in [
            (None, None, "ok", 0),
            (Some(&*arguments), Some("reads"), "ok", 12),
            (None, Some("reads"), "error", 1),
            (None, Some("writes"), "ok", 9),
            (None, None, "cancelled", 10),
        ] {
            let client = ClientTag([0, 1, 0x2f, 0xff, 16, 5, 6, 7]);
            let event = Event::ToolCalled { subject: "ada\n\"", client, tool: "add", arguments, effect, outcome, ms };
            let mut line = b"audit: ".to_vec();
            event.write(&mut line);
            assert_eq!(String::from_utf8(line).unwrap(), format!("audit: {}", serde_json::to_string(&event).unwrap()));
        }
        let mut line = Vec::new();
        REFUSED.write(&mut line);
        assert_eq!(line, serde_json::to_vec(&REFUSED).unwrap());
    }

    #[test]
    fn a_flood_of_refusals_is_a_few_lines_and_a_number() {
        let mut strangers = Strangers::default();
        let bound = limits::STRANGERS_LINES as usize;
        assert_eq!(written(&mut strangers, 10, &vec![REFUSED; 1000]).len(), bound);
        assert_eq!(written(&mut strangers, 59, &[REFUSED]).len(), 0);
        let later = written(&mut strangers, 60, &[REFUSED]);
        assert_eq!(later, ["LeftOut { what: \"bearer_refused\", count: 981 }".to_owned(), format!("{REFUSED:?}")]);
        assert_eq!(written(&mut strangers, 120, &[]), [""; 0], "nothing was left out since");
    }

    #[test]
    fn each_kind_has_lines_of_its_own() {
        let mut strangers = Strangers::default();
        written(&mut strangers, 0, &vec![REFUSED; 1000]);
        let reason = "wrong name or password";
        assert_eq!(written(&mut strangers, 0, &[Event::SignInRefused { reason }, Event::TokenRefused { reason }]).len(), 2);
    }

    #[test]
    fn what_takes_a_token_or_a_person_is_always_written() {
        let (subject, client, grant) = ("ada", ClientTag([0; 8]), GrantId([0; 16]));
        let events = [
            Event::SignedIn { subject, client, way: "password" },
            Event::PairingOffered { subject },
            Event::Approved { subject, client, name: "Claude", scopes: "math" },
            Event::Rejected { subject, client },
            Event::TokenIssued { subject, client, grant, grant_type: "refresh_token" },
            Event::ReuseDetected { grant },
            Event::Revoked { grant },
            Event::Superseded { grant },
            Event::AllRevoked { epoch: 1 },
            Event::PlanMade { plan: "01234567", subject, client, tool: "reboot" },
            Event::PlanApproved { plan: "01234567", way: "page", by: subject, subject, tool: "reboot" },
            Event::PlanRejected { plan: "01234567", way: "page", by: subject, subject, tool: "reboot" },
            Event::PlanRun { plan: "01234567", subject, tool: "reboot" },
            Event::ToolCalled { subject, client, tool: "add", arguments: None, effect: Some("reads"), outcome: "ok", ms: 1 },
        ];
        let mut strangers = Strangers::default();
        for _ in 0..100 {
            assert_eq!(written(&mut strangers, 0, &events).len(), events.len());
        }
    }
}
