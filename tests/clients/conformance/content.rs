//! Tools that return each kind of content.

use crate::samples;
use perchd::tool::{Contents, Output, Tool, ToolError};

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("test_simple_text", "Returns a line of text")
            .handler(|_| async { Ok("This is a simple text response for testing.") }),
        Tool::new("test_image_content", "Returns an image").handler(|_| async { Ok(samples::image()) }),
        Tool::new("test_audio_content", "Returns a sound").handler(|_| async { Ok(samples::sound()) }),
        Tool::new("test_embedded_resource", "Returns what a resource holds").handler(|_| async { Ok(Output::from(embedded())) }),
        Tool::new("test_multiple_content_types", "Returns text, an image and a resource").handler(|_| async { Ok(mixed()) }),
        Tool::new("test_error_handling", "Always fails")
            .handler(|_| async { Err::<Output, _>(ToolError::new("This tool intentionally returns an error for testing")) }),
        shaped(),
    ]
}

/// One whose answer has a shape, which no scenario of the suite asks for and clients check.
fn shaped() -> Tool {
    let number = serde_json::json!({"type": "number"});
    let schema = serde_json::json!({"type": "object", "properties": {"celsius": number}, "required": ["celsius"]});
    Tool::new("test_structured_output", "Returns JSON of a known shape")
        .output_schema(&schema)
        .handler(|_| async { Output::structured(&serde_json::json!({"celsius": 21.5})) })
}

fn embedded() -> perchd::tool::Content {
    Contents::text("test://embedded-resource", "This is an embedded resource content.").mime_type("text/plain").into()
}

fn mixed() -> Output {
    let json = r#"{"test":"data","value":123}"#;
    Output::text("Multiple content types test:")
        .and(samples::image())
        .and(Contents::text("test://mixed-content-resource", json).mime_type("application/json"))
}
