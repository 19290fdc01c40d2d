//! Results as either dialect has them.

use crate::limits;
use crate::mcp::message::{result, value};
use crate::mcp::{Engine, Id, Peer, Revision};

impl Engine {
    /// Writes a result; `members` appends its members. In the stateless dialect it says what kind of result it is, from
    /// whom, and for how long it may be kept.
    pub(super) fn result(&self, peer: &Peer, id: &Id, cache: Cache, members: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        result(id, |json| self.write_result(json, peer.revision, cache, members))
    }

    /// Writes what is the result in an answer.
    pub(super) fn write_result(&self, json: &mut Vec<u8>, revision: Revision, cache: Cache, members: impl FnOnce(&mut Vec<u8>)) {
        json.push(b'{');
        if revision.is_stateless() {
            json.extend_from_slice(br#""resultType":"complete","#);
            self.write_meta(json);
        }
        members(json);
        if revision.is_stateless() {
            cache.write(json);
        }
        json.push(b'}');
    }

    pub(super) fn write_meta(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(br#""_meta":{"io.modelcontextprotocol/serverInfo":"#);
        value(json, &self.implementation);
        json.extend_from_slice(b"},");
    }
}

/// For how long, and for whom, a result of the stateless dialect may be kept.
#[derive(Clone, Copy)]
pub(super) enum Cache {
    /// The dialect does not say.
    No,
    /// Not at all.
    Never,
    /// By this client.
    Private,
    /// By everybody.
    Public,
}

impl Cache {
    fn write(self, json: &mut Vec<u8>) {
        let (ttl_ms, scope) = match self {
            Cache::No => return,
            Cache::Never => (0, "private"),
            Cache::Private => (limits::LIST_TTL_MS, "private"),
            Cache::Public => (limits::LIST_TTL_MS, "public"),
        };
        member(json, "ttlMs", &ttl_ms);
        member(json, "cacheScope", scope);
    }
}

/// Appends a member with its comma.
pub(super) fn member(json: &mut Vec<u8>, name: &str, content: &(impl serde::Serialize + ?Sized)) {
    json.extend_from_slice(b",\"");
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
    value(json, content);
}
