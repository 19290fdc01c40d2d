//! What a model is told of a command that ran.

use crate::builtin::exec::child::{End, Ran, SignalName};
use crate::config::declared::Product;
use crate::json;
use crate::tool::{Content, Contents, Output, ToolError};
use serde_json::value::RawValue;
use std::fmt::Write;
use std::time::Duration;

/// What the tool `name` returns.
pub(super) fn output(name: &str, product: &Product, timeout: Duration, ran: &Ran) -> Result<Output, ToolError> {
    if let Some(fault) = fault(ran, timeout) {
        return Err(failed(&fault, ran));
    }
    match product {
        Product::Text => Ok(text(ran)),
        Product::Json(_) => structured(ran),
        Product::File(mime_type) => file(name, mime_type, ran),
    }
}

/// The bytes that it printed, all of them.
pub(super) fn whole<'a>(what: &str, timeout: Duration, ran: &'a Ran) -> Result<&'a [u8], ToolError> {
    if let Some(fault) = fault(ran, timeout) {
        return Err(failed(&fault, ran));
    }
    if ran.is_cut {
        return Err(ToolError::new(format!("The command printed more than {}, so that {what} is not whole.", size(ran))));
    }
    Ok(&ran.stdout)
}

/// What went wrong, if anything did, with what it printed.
pub(crate) fn refusal(timeout: Duration, ran: &Ran) -> Option<ToolError> {
    fault(ran, timeout).map(|fault| failed(&fault, ran))
}

/// What went wrong, if anything did.
fn fault(ran: &Ran, timeout: Duration) -> Option<String> {
    match ran.end {
        End::Exited(0) | End::Full => None,
        End::Exited(code) => Some(format!("The command ended with the exit code {code}.")),
        End::Killed(signal) => Some(format!("The command was ended by {}.", SignalName(signal))),
        End::Overdue => Some(format!("The command did not end within {} s and was stopped.", timeout.as_secs_f64())),
        End::GivenUp => Some("The command was stopped: nobody waited for it any more.".to_owned()),
    }
}

fn failed(fault: &str, ran: &Ran) -> ToolError {
    let mut sentence = fault.to_owned();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    let stdout = readable(&ran.stdout, ran.is_cut);
    for (channel, text) in [("Its stderr ended with", stderr.trim_end()), ("It had printed", stdout.trim_end())] {
        if !text.is_empty() {
            // Writing to a String does not fail.
            let _ = write!(sentence, "\n{channel}:\n{text}");
        }
    }
    if ran.is_cut {
        let _ = write!(sentence, "\n{}", cut(ran));
    }
    ToolError::new(sentence)
}

fn text(ran: &Ran) -> Output {
    let mut text = readable(&ran.stdout, ran.is_cut);
    if text.is_empty() {
        text = "The command ended well and printed nothing.".into();
    }
    let mut output = Output::text(text);
    if ran.is_cut {
        output = output.and(cut(ran));
    }
    let stderr = String::from_utf8_lossy(&ran.stderr);
    if stderr.trim().is_empty() { output } else { output.and(format!("Its stderr ended with:\n{}", stderr.trim_end())) }
}

fn structured(ran: &Ran) -> Result<Output, ToolError> {
    if ran.is_cut {
        return Err(ToolError::new(format!("The command printed more than {}, so that its JSON is not whole.", size(ran))));
    }
    let json: &RawValue = json::read(&ran.stdout)
        .map_err(|error| failed(&format!("The command ended well, but what it printed is no JSON: {error}."), ran))?;
    let json = on_one_line(json.get());
    // Structured content is an object (MCP 2025-06-18, server/tools).
    Ok(Output::json(if json.starts_with('{') { json } else { format!("{{\"result\":{json}}}") }))
}

/// JSON without the white space between its words: a message has no line breaks, and numbers stay as they were written.
fn on_one_line(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    let mut keep = |c: char| {
        let is_kept = is_text || !c.is_ascii_whitespace();
        (is_text, is_escaped) = (is_text != (c == '"' && !is_escaped), is_text && c == '\\' && !is_escaped);
        is_kept
    };
    json.chars().filter(|c| keep(*c)).collect()
}

fn file(name: &str, mime_type: &str, ran: &Ran) -> Result<Output, ToolError> {
    let data = whole("the file", Duration::ZERO, ran)?.to_vec();
    if data.is_empty() {
        return Err(failed(&format!("The command ended well, but printed no {mime_type}."), ran));
    }
    let mime_type = mime_type.to_owned();
    let content = match mime_type.split_once('/') {
        Some(("image", _)) => Content::Image { data, mime_type: mime_type.into() },
        Some(("audio", _)) => Content::Audio { data, mime_type: mime_type.into() },
        _ => contents(format!("command://{name}/output"), Some(mime_type), data).into(),
    };
    Ok(content.into())
}

/// Text where it is one, bytes where it is not.
pub(super) fn contents(uri: String, mime_type: Option<String>, data: Vec<u8>) -> Contents {
    let is_text = mime_type.as_ref().is_none_or(|kind| kind.starts_with("text/") || kind == "application/json");
    let contents = match String::from_utf8(data) {
        Ok(text) if is_text => Contents::text(uri, text),
        Ok(text) => Contents::blob(uri, text),
        Err(bytes) => Contents::blob(uri, bytes.into_bytes()),
    };
    match mime_type {
        Some(mime_type) => contents.mime_type(mime_type),
        None => contents,
    }
}

/// As text; a character that the cut went through is left out.
fn readable(bytes: &[u8], is_cut: bool) -> String {
    let end = match std::str::from_utf8(bytes) {
        Err(error) if is_cut && error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn cut(ran: &Ran) -> String {
    let then = if ran.end == End::Full { "it was stopped there" } else { "the rest was thrown away" };
    format!("[Cut: the command printed more than {}; {then}.]", size(ran))
}

fn size(ran: &Ran) -> String {
    let bytes = ran.stdout.len();
    if bytes.is_multiple_of(1024) { format!("{} KiB", bytes / 1024) } else { format!("{bytes} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Data;

    const TIMEOUT: Duration = Duration::from_millis(1500);

    fn ran(end: End, stdout: &[u8], stderr: &str) -> Ran {
        Ran { end, stdout: stdout.to_vec(), is_cut: false, stderr: stderr.into() }
    }

    fn told(product: &Product, ran: &Ran) -> String {
        output("t", product, TIMEOUT, ran).unwrap_err().to_string()
    }

    fn texts(output: &Output) -> Vec<&str> {
        output.content().map(|content| if let Content::Text(text) = content { text.as_str() } else { "" }).collect()
    }

    #[test]
    fn a_failure_is_told_in_words_with_what_the_command_said() {
        assert_eq!(
            told(&Product::Text, &ran(End::Exited(3), b"half\n", "no such unit\n")),
            "The command ended with the exit code 3.\nIts stderr ended with:\nno such unit\nIt had printed:\nhalf"
        );
        assert_eq!(told(&Product::Text, &ran(End::Killed(11), b"", "")), "The command was ended by SIGSEGV.");
        assert_eq!(told(&Product::Text, &ran(End::Overdue, b"", "")), "The command did not end within 1.5 s and was stopped.");
    }

    #[test]
    fn what_is_no_json_and_what_is_cut_is_refused_where_it_must_be_whole() {
        let json = Product::Json(None);
        assert!(told(&json, &ran(End::Exited(0), b"oops", "")).contains("no JSON: expected value"));
        let cut = Ran { is_cut: true, ..ran(End::Full, &[b'{'; 1024], "") };
        assert_eq!(told(&json, &cut), "The command printed more than 1 KiB, so that its JSON is not whole.");
        let png = Product::File("image/png".to_owned());
        assert!(told(&png, &cut).contains("the file is not whole"));
        assert!(told(&png, &ran(End::Exited(0), b"", "no camera")).contains("no camera"));
    }

    #[test]
    fn text_says_where_it_was_cut_and_what_stood_in_stderr() {
        let whole = ran(End::Exited(0), "ä".as_bytes(), "");
        assert_eq!(texts(&output("t", &Product::Text, TIMEOUT, &whole).unwrap()), ["ä"]);
        let cut = Ran { is_cut: true, ..ran(End::Full, &"aä".as_bytes()[..2], "warning\n") };
        assert_eq!(
            texts(&output("t", &Product::Text, TIMEOUT, &cut).unwrap()),
            ["a", "[Cut: the command printed more than 2 bytes; it was stopped there.]", "Its stderr ended with:\nwarning"]
        );
        let none = ran(End::Exited(0), b"", "");
        assert_eq!(texts(&output("t", &Product::Text, TIMEOUT, &none).unwrap()), ["The command ended well and printed nothing."]);
    }

    #[test]
    fn json_that_is_no_object_is_put_into_one() {
        let structured = |json: &str| {
            let output = output("t", &Product::Json(None), TIMEOUT, &ran(End::Exited(0), json.as_bytes(), "")).unwrap();
            output.structured_content().unwrap().into_owned()
        };
        assert_eq!(
            structured(" {\r\n\t\"a \\\" b\": 1e400, \"\\\\\": [ 1,\n12345678901234567890123]}\n"),
            r#"{"a \" b":1e400,"\\":[1,12345678901234567890123]}"#
        );
        assert_eq!(structured("[1,2]"), r#"{"result":[1,2]}"#);
        assert_eq!(structured("null"), r#"{"result":null}"#);
    }

    #[test]
    fn files_are_images_sounds_or_resources() {
        let content = |kind: &str, data: &[u8]| {
            let output = output("t", &Product::File(kind.to_owned()), TIMEOUT, &ran(End::Exited(0), data, "")).unwrap();
            output.content().next().unwrap().clone()
        };
        assert!(matches!(content("image/jpeg", b"\xff"), Content::Image { mime_type, .. } if mime_type == "image/jpeg"));
        assert!(matches!(content("audio/wav", b"\xff"), Content::Audio { .. }));
        let Content::Resource(pdf) = content("application/pdf", b"text") else { panic!("a resource") };
        assert_eq!((pdf.uri.as_str(), &pdf.data), ("command://t/output", &Data::Blob(b"text".to_vec())));
        let Content::Resource(text) = content("text/csv", b"a,b") else { panic!("a resource") };
        assert_eq!(text.data, Data::Text("a,b".to_owned()));
    }
}
