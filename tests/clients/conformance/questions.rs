//! Tools that ask the client something, in the handshake dialect: one request while the call waits.

use perchd::tool::{Answer, Arg, Form, Sample, Tool};
use serde_json::{Value, json};

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("test_sampling", "Has the client's model answer").arg(Arg::string("prompt", "What to ask it")).handler(
            |call| async move {
                let sample = Sample { prompt: call.arg("prompt")?, max_tokens: 100, system_prompt: None };
                Ok(format!("LLM response: {}", call.sample("prompt", sample).await?.text))
            },
        ),
        Tool::new("test_elicitation", "Asks the user who he is").arg(Arg::string("message", "What to ask him")).handler(
            |call| async move {
                let form = Form::new([Arg::string("username", "User's response"), Arg::string("email", "User's email address")]);
                let answer = call.elicit("user", &call.arg::<String>("message")?, form).await?;
                Ok(format!("User response: {}", told(&answer)))
            },
        ),
        Tool::new("test_elicitation_sep1034_defaults", "Asks with a form whose fields are filled in already").handler(
            |call| async move {
                let answer = call.elicit("review", "Please review and update the form fields with defaults", defaults()).await?;
                Ok(format!("Elicitation completed: {}", told(&answer)))
            },
        ),
        Tool::new("test_elicitation_sep1330_enums", "Asks with a form of choices").handler(|call| async move {
            let form = Form::schema(json!({ "type": "object", "properties": choices(), "required": [] }));
            let answer = call.elicit("choices", "Please select options from the enum fields", form).await?;
            Ok(format!("Elicitation completed: {}", told(&answer)))
        }),
    ]
}

/// What the user did with a form, in words.
pub(crate) fn told(answer: &Answer) -> String {
    match answer {
        Answer::Accepted(content) => format!("action=accept, content={}", Value::Object(content.clone())),
        Answer::Declined => "action=decline, content={}".to_owned(),
        Answer::Cancelled => "action=cancel, content={}".to_owned(),
    }
}

/// SEP-1034: a default for each simple kind.
fn defaults() -> Form {
    Form::new([
        Arg::string("name", "User name").default("John Doe"),
        Arg::integer("age", "User age").default(30),
        Arg::number("score", "User score").default(95.5),
        Arg::string("status", "User status").one_of(["active", "inactive", "pending"]).default("active"),
        Arg::boolean("verified", "Verification status").default(true),
    ])
}

/// SEP-1330: each way to write a choice.
fn choices() -> Value {
    let titled = |title: &str| {
        let choice = |(number, word): (usize, &&str)| json!({ "const": format!("value{}", number + 1), "title": format!("{word} {title}") });
        ["First", "Second", "Third"].iter().enumerate().map(choice).collect::<Vec<_>>()
    };
    let untitled = json!({ "type": "string", "enum": ["option1", "option2", "option3"] });
    json!({
        "untitledSingle": untitled,
        "titledSingle": { "type": "string", "oneOf": titled("Option") },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": { "type": "array", "items": untitled },
        "titledMulti": { "type": "array", "items": { "anyOf": titled("Choice") } },
    })
}
