//! What codes and tokens say.

use super::life::{Deadline, Life};
use super::login::Way;
use super::pkce::Challenge;
use super::redirect::Fingerprint;
use super::resource::{Audience, Endpoints, Target};
use crate::limits;
use crate::principal::{ClientTag, GrantId, Standing};
use crate::seal::{Forged, Full, KeyRing, Purpose, Reader, Writer};

/// Grant, epoch, client, audience, endpoints, way, subject and scopes.
const ALLOWANCE_BYTES: usize = 16 + 4 + 8 + 8 + 1 + 1 + 2 + limits::SUBJECT_BYTES + 2 + limits::SCOPES_BYTES;
/// A deadline or a life, a fingerprint, a challenge: what a code has beside.
const BYTES: usize = ALLOWANCE_BYTES + 16 + 16 + 32;

/// What a person allowed, to whom, for what: it stays the same from the code to the last token that comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance<'a> {
    pub(super) grant: GrantId,
    /// Tokens of an epoch before the present one are dead.
    pub(super) epoch: u32,
    pub(super) client: ClientTag,
    pub(super) target: Target,
    /// How the person signed in.
    pub(super) way: Way,
    pub(super) subject: &'a str,
    pub(super) scopes: &'a str,
}

impl<'a> Allowance<'a> {
    /// What a revocation finds it by.
    pub(super) fn standing(&self) -> Standing<'a> {
        let Allowance { subject, client, grant, epoch, .. } = *self;
        Standing { subject, client, grant, epoch }
    }

    fn write<const N: usize>(&self, fields: Writer<N>) -> Writer<N> {
        let fields = fields.array(&self.grant.0).u32(self.epoch).array(&self.client.0);
        let fields = fields.array(&self.target.audience.0).u8(self.target.endpoints.bits());
        fields.u8(self.way.number()).text(self.subject).text(self.scopes)
    }

    fn read(fields: &mut Reader<'a>) -> Result<Self, Forged> {
        Ok(Allowance {
            grant: GrantId(fields.array()?),
            epoch: fields.u32()?,
            client: ClientTag(fields.array()?),
            target: Target { audience: Audience(fields.array()?), endpoints: Endpoints::from_bits(fields.u8()?) },
            way: Way::numbered(fields.u8()?)?,
            subject: fields.text()?,
            scopes: fields.text()?,
        })
    }
}

/// An authorization code. Its id, which is spent, is that of the grant: each grant has one code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code<'a> {
    pub(super) deadline: Deadline,
    pub(super) redirect_uri: Fingerprint,
    pub(super) challenge: Challenge,
    pub(super) allowance: Allowance<'a>,
}

impl<'a> Code<'a> {
    pub(super) fn seal(&self, ring: &KeyRing) -> Result<String, Full> {
        let fields = self.deadline.write(Writer::<BYTES>::new()).array(&self.redirect_uri).array(&self.challenge.0);
        Ok(ring.seal(Purpose::Code, &self.allowance.write(fields).finish()?))
    }

    pub(super) fn read(payload: &'a [u8]) -> Result<Self, Forged> {
        let mut fields = Reader::new(payload);
        let code = Code {
            deadline: Deadline::read(&mut fields)?,
            redirect_uri: fields.array()?,
            challenge: Challenge(fields.array()?),
            allowance: Allowance::read(&mut fields)?,
        };
        fields.end().map(|()| code)
    }
}

/// An access token or a refresh token; the key that it is sealed with tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) life: Life,
    /// How often the grant was refreshed when this token came of it.
    pub(super) counter: u32,
    pub(super) allowance: Allowance<'a>,
}

impl<'a> Token<'a> {
    pub(super) fn seal(&self, ring: &KeyRing, purpose: Purpose) -> Result<String, Full> {
        let fields = self.life.write(Writer::<BYTES>::new()).u32(self.counter);
        Ok(ring.seal(purpose, &self.allowance.write(fields).finish()?))
    }

    pub(super) fn read(payload: &'a [u8]) -> Result<Self, Forged> {
        let mut fields = Reader::new(payload);
        let token = Token { life: Life::read(&mut fields)?, counter: fields.u32()?, allowance: Allowance::read(&mut fields)? };
        fields.end().map(|()| token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Base;
    use crate::oauth::life::Boot;
    use crate::oauth::testing::Bench;

    #[test]
    fn the_largest_code_and_token_have_room() {
        let bench = Bench::new();
        let (subject, scopes) = ("u".repeat(limits::SUBJECT_BYTES), "s".repeat(limits::SCOPES_BYTES));
        let allowance = Allowance {
            grant: GrantId([1; 16]),
            epoch: 2,
            client: ClientTag([3; 8]),
            target: Target::whole(&Base::new("http://localhost:8787")),
            way: Way::Pairing,
            subject: &subject,
            scopes: &scopes,
        };
        let (now, boot) = (bench.world().now, Boot([4; 8]));
        let token = Token { life: Life::lasting(5, now, boot), counter: 6, allowance };
        let text = token.seal(&bench.ring, Purpose::Access).unwrap();
        let opened = bench.ring.open(Purpose::Access, text.as_bytes()).unwrap();
        assert_eq!(Token::read(&opened), Ok(token));
        let code =
            Code { deadline: Deadline::after(5, now, boot), redirect_uri: [7; 16], challenge: Challenge([8; 32]), allowance };
        let text = code.seal(&bench.ring).unwrap();
        assert_eq!(Code::read(&bench.ring.open(Purpose::Code, text.as_bytes()).unwrap()).unwrap().allowance, allowance);
        assert_eq!(Token::read(&[0; 20]), Err(Forged));
    }
}
