//! The session of Streamable HTTP: an id that carries its own proof, so that it outlives a restart and takes no memory.

use crate::limits;
use crate::mcp::{Peer, Revision};
use crate::seal::{KeyRing, Purpose, Reader, Writer};
use crate::world::World;
use ring::digest::{SHA256, digest};

/// What an `Mcp-Session-Id` says (MCP 2025-11-25, basic/transports, session management). It is no proof of who calls:
/// that is the bearer token's part, and a session answers only to the subject that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names it among all sessions.
    pub nonce: u64,
    /// Seconds since 1970 from which on it is unknown.
    pub expires: u64,
    revision: Revision,
    owner: [u8; 16],
}

impl Session {
    /// A new session of `subject`.
    pub fn open(world: &World<'_>, revision: Revision, subject: &str) -> Self {
        let nonce = u64::from_be_bytes(world.bytes());
        Session { nonce, expires: world.now.unix + limits::SESSION_SECS, revision, owner: owner(subject) }
    }

    /// The id, 21 to 7E hexadecimal only.
    pub fn seal(&self, keys: &KeyRing) -> String {
        let fields = Writer::<64>::new().u8(self.revision.number()).u64(self.nonce).u64(self.expires).array(&self.owner);
        // 33 bytes go into 64.
        fields.finish().map_or_else(|_| String::new(), |payload| keys.seal(Purpose::Session, &payload))
    }

    /// The session of `subject` with this id, unless it is forged, out of date or somebody else's.
    pub fn read(world: &World<'_>, keys: &KeyRing, id: &[u8], subject: &str) -> Option<Session> {
        let payload = keys.open(Purpose::Session, id).ok()?;
        let mut fields = Reader::new(&payload);
        let revision = Revision::numbered(fields.u8().ok()?)?;
        let session = Session { revision, nonce: fields.u64().ok()?, expires: fields.u64().ok()?, owner: fields.array().ok()? };
        fields.end().ok()?;
        (session.expires > world.now.unix && session.owner == owner(subject)).then_some(session)
    }

    /// What the engine knows of the client that opened it.
    pub fn peer(&self) -> Peer {
        Peer { revision: self.revision, is_initialized: true }
    }
}

/// Enough of a hash to tell subjects apart without naming them in a header.
fn owner(subject: &str) -> [u8; 16] {
    let mut owner = [0; 16];
    owner.copy_from_slice(&digest(&SHA256, subject.as_bytes()).as_ref()[..16]);
    owner
}
