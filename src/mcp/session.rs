//! The session of Streamable HTTP: an id that carries its own proof, so that it outlives a restart and takes no memory.

use crate::limits;
use crate::mcp::{Peer, Revision};
use crate::principal::Principal;
use crate::seal::{Full, KeyRing, Purpose, Reader, Writer};
use crate::tool::{Capabilities, Client};
use crate::world::World;
use heapless::String as Bounded;

/// What an `Mcp-Session-Id` says (MCP 2025-11-25, basic/transports, session management). It is no proof of who calls:
/// that is the bearer token's part, and a session answers only to the person who opened it, through the client that he did
/// it with. It does not name the grant: a client that its user lets do more goes on with the session that it has, and
/// knows no way to begin another (TypeScript SDK 1 and 2). The older grant ends with the newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names it among all sessions.
    pub nonce: u64,
    /// Seconds since 1970 from which on it is unknown.
    pub expires: u64,
    revision: Revision,
    client: Client,
}

impl Session {
    /// A new session, through the client that `peer` is.
    pub fn open(world: &World<'_>, peer: Peer) -> Self {
        let nonce = u64::from_be_bytes(world.bytes());
        let Peer { revision, client, .. } = peer;
        Session { nonce, expires: world.now.unix + limits::SESSION_SECS, revision, client }
    }

    /// The id, for `principal` and nobody else: letters, digits, `-` and `_`.
    pub fn seal(&self, keys: &KeyRing, principal: &Principal) -> String {
        let fields = Writer::<96>::new()
            .u8(self.revision.number())
            .u64(self.nonce)
            .u64(self.expires)
            .u8(self.client.capabilities.bits())
            .text(&self.client.name);
        // 20 bytes and a name of 64 go into 96, and a client and a subject into a holder.
        let sealed = fields.finish().and_then(|payload| keys.seal_for(Purpose::Session, &payload, &owner(principal)?));
        sealed.unwrap_or_default()
    }

    /// The session of `principal` with this id, unless it is forged, out of date or somebody else's.
    pub fn read(world: &World<'_>, keys: &KeyRing, id: &[u8], principal: &Principal) -> Option<Session> {
        let payload = keys.known_for(Purpose::Session, id, &owner(principal).ok()?).ok()?;
        let mut fields = Reader::new(&payload);
        let revision = Revision::numbered(fields.u8().ok()?)?;
        let (nonce, expires) = (fields.u64().ok()?, fields.u64().ok()?);
        let capabilities = Capabilities::from_bits(fields.u8().ok()?);
        let name = Bounded::try_from(fields.text().ok()?).ok()?;
        fields.end().ok()?;
        let session = Session { nonce, expires, revision, client: Client { name, capabilities } };
        (session.expires > world.now.unix).then_some(session)
    }

    /// What the engine knows of the client that opened it.
    pub fn peer(self) -> Peer {
        Peer { is_initialized: true, client: self.client, ..Peer::stranger(self.revision) }
    }
}

/// Whom a session answers to. The proof covers it, so that the id need not name him, nor hold a hash of his name.
fn owner(principal: &Principal) -> Result<heapless::Vec<u8, { limits::HOLDER_BYTES }>, Full> {
    Writer::new().array(&principal.client.0).text(&principal.subject).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Nothing;
    use crate::principal::{ClientTag, GrantId, Scopes};
    use crate::world::{Now, Random};
    use std::cell::Cell;

    thread_local!(static NEXT: Cell<u8> = const { Cell::new(0) });

    /// Other bytes each time.
    struct Counting;

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            NEXT.set(NEXT.get() + 1);
            bytes.fill(NEXT.get());
        }
    }

    fn world(secs: u64) -> World<'static> {
        World { now: Now { unix: limits::BUILD_UNIX_SECS + secs, uptime_ms: 0 }, random: &Counting, audit: &Nothing }
    }

    fn principal(subject: &str, client: u8, grant: u8) -> Principal {
        let subject = Bounded::try_from(subject).unwrap();
        let (client, grant) = (ClientTag([client; 8]), GrantId([grant; 16]));
        Principal { subject, client, grant, scopes: Scopes::none() }
    }

    fn session() -> Session {
        let client = Client { name: Bounded::try_from("c").unwrap(), capabilities: Capabilities::from_bits(5) };
        Session::open(&world(0), Peer { client, ..Peer::stranger(Revision::V2025_06_18) })
    }

    #[test]
    fn a_session_answers_only_to_its_person_and_client_in_its_time_and_under_its_keys() {
        let keys = KeyRing::generate(&world(0));
        let id = session().seal(&keys, &principal("ada", 1, 1));
        let read = |keys: &KeyRing, secs, principal: Principal| Session::read(&world(secs), keys, id.as_bytes(), &principal);
        let ada = || principal("ada", 1, 1);
        assert!(read(&keys, 0, principal("bob", 1, 1)).is_none());
        assert!(read(&keys, 0, principal("ada", 2, 1)).is_none());
        assert!(read(&keys, limits::SESSION_SECS, ada()).is_none());
        assert!(read(&KeyRing::generate(&world(0)), 0, ada()).is_none());
        assert!(read(&keys, 0, principal("ada", 1, 2)).is_some(), "she has signed in once more");
        let peer = read(&keys, limits::SESSION_SECS - 1, ada()).unwrap().peer();
        assert_eq!((peer.revision, peer.client.name.as_str()), (Revision::V2025_06_18, "c"));
        assert_eq!(peer.client.capabilities.bits(), 5);
    }

    #[test]
    fn an_id_that_was_changed_is_refused_and_one_is_fit_for_a_header() {
        let keys = KeyRing::generate(&world(0));
        let id = session().seal(&keys, &principal("ada", 1, 1));
        assert!(id.len() < 200 && id.bytes().all(|b| b.is_ascii_graphic()), "{id}");
        for position in 0..id.len() {
            let mut changed = id.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            assert!(Session::read(&world(0), &keys, &changed, &principal("ada", 1, 1)).is_none());
        }
    }
}
