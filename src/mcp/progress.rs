//! Progress of a running call (MCP 2025-11-25, basic/utilities/progress).

use crate::json::Raw;
use crate::mcp::Id;
use crate::mcp::answer::member;
use crate::mcp::message::value;
use crate::tool::Progress;
use serde::{Deserialize, Serializer};
use serde_json::value::RawValue;

/// The token under which a client wants to hear of the progress of its call: a string or a number, like an [`Id`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(Id);

impl Token {
    pub(super) fn parse(json: &str) -> Option<Token> {
        Id::parse(json).map(Token)
    }

    /// The token in the parameters of a request; one that is malformed is as good as none.
    pub(super) fn of(params: Option<Raw<'_>>) -> Option<Token> {
        #[derive(Deserialize)]
        struct Params<'a> {
            #[serde(borrow, default, rename = "_meta")]
            meta: Option<&'a RawValue>,
        }
        // Most requests hold none, and need not be read once more for it.
        let params = params.filter(|params| params.get().contains("progressToken"))?;
        let params: Params<'_> = serde_json::from_str(params.get()).ok()?;
        Token::within(params.meta.map(Raw::from))
    }

    /// The same where `_meta` was read already.
    pub(super) fn within(meta: Option<Raw<'_>>) -> Option<Token> {
        #[derive(Deserialize)]
        struct Meta<'a> {
            #[serde(borrow, default, rename = "progressToken")]
            progress_token: Option<&'a RawValue>,
        }
        let meta: Meta<'_> = serde_json::from_str(meta?.get()).ok()?;
        Token::parse(meta.progress_token?.get())
    }

    /// Its JSON text.
    pub fn as_json(&self) -> &str {
        self.0.as_json()
    }

    /// Writes `notifications/progress`.
    pub fn notification(&self, progress: Progress<'_>) -> Vec<u8> {
        let mut json = Vec::with_capacity(160);
        json.extend_from_slice(br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"#);
        json.extend_from_slice(self.as_json().as_bytes());
        member(&mut json, "progress", &Plain(progress.progress));
        if let Some(total) = progress.total {
            member(&mut json, "total", &Plain(total));
        }
        if let Some(message) = progress.message {
            json.extend_from_slice(br#","message":"#);
            value(&mut json, message);
        }
        json.extend_from_slice(b"}}");
        json
    }
}

/// A number as people write it: `2`, not `2.0`.
struct Plain(f64);

impl serde::Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Whole and far below 2^63: the cast changes nothing.
        #[allow(clippy::cast_possible_truncation)]
        if self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_goes_out_under_the_clients_token() {
        let token = Token::parse("\"t\"").unwrap();
        let half = Progress { progress: 0.5, total: Some(2.0), message: Some("a \"b\"") };
        assert_eq!(
            String::from_utf8(token.notification(half)).unwrap(),
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":0.5,"total":2,"message":"a \"b\""}}"#
        );
        let first = Progress { progress: 1.0, total: None, message: None };
        assert!(Token::parse("7").unwrap().notification(first).ends_with(br#""progressToken":7,"progress":1}}"#));
    }
}
