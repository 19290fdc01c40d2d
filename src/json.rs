//! JSON that each call writes some of.

/// Appends `text` as a string (RFC 8259 7).
pub(crate) fn push_text(json: &mut Vec<u8>, text: &str) {
    // Most text has nothing to escape. serde appends the quotes and each part by itself.
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        // A Vec takes all that is written.
        let _ = serde_json::to_writer(json, text);
        return;
    }
    json.reserve(text.len() + 2);
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_as_serde_writes_it() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        let each = all.chars().map(String::from);
        for text in
            each.chain([String::new(), "ada@example.org".into(), "a\"b\\c\nd".into(), "ä €\u{1f600}\u{2028}".into(), all.clone()])
        {
            let mut json = b"{".to_vec();
            push_text(&mut json, &text);
            assert_eq!(String::from_utf8(json).unwrap(), format!("{{{}", serde_json::to_string(&text).unwrap()));
        }
    }
}
