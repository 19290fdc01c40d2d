//! Lists, page by page (MCP 2025-11-25, server/utilities/pagination).

use crate::json::{Members, Raw};
use crate::limits;
use crate::mcp::Error;
use crate::mcp::answer::member;
use crate::mcp::message::value;

/// Where a page begins. Cursors are ours: the number of what was listed already.
pub(super) fn start(params: Option<Raw<'_>>) -> Result<usize, Error> {
    let Some(params) = params else { return Ok(0) };
    let read = Members::read(params.get().as_bytes()).and_then(|mut params| {
        let cursor = params.text_if_any("cursor");
        params.sound(cursor)
    });
    let Some(cursor) = read else {
        return Err(Error::invalid_params("Invalid params: an object with a text as `cursor` is expected"));
    };
    let Some(cursor) = cursor else { return Ok(0) };
    // Only as we wrote it: no sign, no leading zero, and never the beginning.
    let is_ours =
        cursor.starts_with(|first: char| matches!(first, '1'..='9')) && cursor.bytes().all(|digit| digit.is_ascii_digit());
    let start = is_ours.then(|| cursor.parse().ok()).flatten();
    start.ok_or_else(|| Error::invalid_params("Invalid params: unknown cursor"))
}

/// Writes the page that begins at `start`, as the member `name`.
pub(super) fn write<T>(
    json: &mut Vec<u8>,
    name: &str,
    start: usize,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) -> Result<(), Error> {
    value(json, name);
    json.extend_from_slice(b":[");
    let mut items = items.skip(start).peekable();
    if start > 0 && items.peek().is_none() {
        return Err(Error::invalid_params("Invalid params: unknown cursor"));
    }
    for (index, item) in items.by_ref().take(limits::PAGE).enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write(json, item);
    }
    json.push(b']');
    if items.peek().is_some() {
        member(json, "nextCursor", &(start + limits::PAGE).to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_of(params: &str) -> Result<usize, i32> {
        start(Raw::read(params)).map_err(|error| error.code)
    }

    #[test]
    fn a_cursor_that_is_not_ours_is_refused() {
        for params in [
            r#"{"cursor":""}"#,
            r#"{"cursor":"0"}"#,
            r#"{"cursor":"01"}"#,
            r#"{"cursor":"+1"}"#,
            r#"{"cursor":"-1"}"#,
            r#"{"cursor":"x"}"#,
            r#"{"cursor":"99999999999999999999"}"#,
            r#"{"cursor":1}"#,
        ] {
            assert_eq!(start_of(params), Err(-32602), "{params}");
        }
        assert!(write(&mut Vec::new(), "tools", 5, 0..5, |_, _| ()).is_err());
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let mut seen = Vec::new();
        let mut params = "{}".to_owned();
        loop {
            let mut json = vec![b'{'];
            write(&mut json, "items", start_of(&params).unwrap(), 0..=2 * limits::PAGE, |json, item| value(json, &item)).unwrap();
            json.push(b'}');
            let page: serde_json::Value = serde_json::from_slice(&json).unwrap();
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item.as_u64().unwrap()));
            let Some(cursor) = page.get("nextCursor") else { break };
            params = serde_json::json!({ "cursor": cursor }).to_string();
        }
        assert!(seen.into_iter().eq(0..=2 * limits::PAGE as u64));
    }
}
