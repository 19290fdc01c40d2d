//! Lines for the client's log (MCP 2025-11-25, server/utilities/logging).

use crate::json::{Members, Raw};
use crate::mcp::Error;
use crate::mcp::answer::member;
use crate::mcp::message::value;
use crate::tool::Level;
use serde_json::Value;

/// The level that `logging/setLevel` asks for.
pub(super) fn level(params: Option<Raw<'_>>) -> Result<Level, Error> {
    let params = params.and_then(|params| Members::read(params.get().as_bytes()));
    let level = params.and_then(|mut params| Level::parse(&params.text("level")));
    level.ok_or_else(|| Error::invalid_params("Invalid params: `level` must be one of debug … emergency"))
}

/// Writes `notifications/message`.
pub(crate) fn notification(level: Level, logger: Option<&str>, data: &Value) -> Vec<u8> {
    let mut json = Vec::with_capacity(160);
    json.extend_from_slice(br#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"#);
    value(&mut json, level.as_str());
    if let Some(logger) = logger {
        member(&mut json, "logger", logger);
    }
    member(&mut json, "data", data);
    json.extend_from_slice(b"}}");
    json
}
