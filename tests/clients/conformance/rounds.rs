//! Tools that ask the client something in the stateless dialect: the call is answered with the questions, and repeated with
//! the answers.

use crate::questions::told;
use perchd::tool::{Answer, Arg, Call, Form, Sample, Tool, ToolError, TryJoin};
use serde_json::Value;

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("test_input_required_result_elicitation", "Asks for a name")
            .handler(|call| async move { Ok(format!("Hello, {}!", name(&call, "user_name", "What is your name?").await?)) }),
        Tool::new("test_input_required_result_sampling", "Has the client's model answer")
            .handler(|call| async move { sampled(&call, "capital_question", CAPITAL).await }),
        Tool::new("test_input_required_result_list_roots", "Asks in which folders the client works")
            .handler(|call| async move { folders(&call, "client_roots").await }),
        Tool::new("test_input_required_result_request_state", "Asks for a confirmation, and knows its question again")
            .handler(|call| async move { Ok(format!("state-ok: {}", confirmed(&call).await?)) }),
        Tool::new("test_input_required_result_tampered_state", "Asks for a confirmation, and takes no state but its own")
            .handler(|call| async move { Ok(format!("state-ok: {}", confirmed(&call).await?)) }),
        Tool::new("test_input_required_result_multiple_inputs", "Asks for a name, a greeting and folders at once")
            .handler(|call| async move { together(&call).await }),
        Tool::new("test_input_required_result_multi_round", "Asks one question after another").handler(|call| async move {
            let name = name(&call, "step1", "Step 1: What is your name?").await?;
            let color = field(&call, "step2", "Step 2: What is your favorite color?", "color").await?;
            Ok(format!("{name} likes {color}"))
        }),
        Tool::new("test_input_required_result_capabilities", "Asks only what the client can be asked")
            .handler(|call| async move { as_able(&call).await }),
        Tool::new("test_missing_capability", "Needs the client's model")
            .needs_sampling()
            .handler(|_| async { Ok("It is there") }),
        Tool::new("test_streaming_elicitation", "Asks for a confirmation while it reports progress").handler(|call| async move {
            call.progress(1, Some(2), None);
            Ok(told(&call.elicit("confirm", "Please confirm", Form::new([Arg::boolean("ok", "Whether to go on")])).await?))
        }),
    ]
}

async fn together(call: &Call) -> Result<String, ToolError> {
    let name = name(call, "user_name", "What is your name?");
    let (name, greeting, folders) =
        (name, sampled(call, "greeting", "Generate a greeting"), folders(call, "client_roots")).try_join().await?;
    Ok(format!("{name}, {greeting}, {folders}"))
}

async fn as_able(call: &Call) -> Result<String, ToolError> {
    let able = call.client().capabilities;
    let capital = async { if able.sampling { sampled(call, "capital_question", CAPITAL).await } else { Ok(String::new()) } };
    let name = async { if able.elicitation { name(call, "user_name", "What is your name?").await } else { Ok(String::new()) } };
    let (capital, name) = (capital, name).try_join().await?;
    Ok(format!("{capital} {name}"))
}

async fn name(call: &Call, key: &str, message: &str) -> Result<String, ToolError> {
    field(call, key, message, "name").await
}

/// One field of text, filled in by the user.
pub(crate) async fn field(call: &Call, key: &str, message: &str, field: &str) -> Result<String, ToolError> {
    match call.elicit(key, message, Form::new([Arg::string(field, "")])).await? {
        Answer::Accepted(content) => Ok(content.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()),
        other => Err(ToolError::new(told(&other))),
    }
}

async fn confirmed(call: &Call) -> Result<String, ToolError> {
    Ok(told(&call.elicit("confirm", "Please confirm", Form::new([Arg::boolean("ok", "")])).await?))
}

const CAPITAL: &str = "What is the capital of France?";

async fn sampled(call: &Call, key: &str, prompt: &str) -> Result<String, ToolError> {
    let sample = Sample { prompt: prompt.to_owned(), max_tokens: 100, system_prompt: None };
    Ok(call.sample(key, sample).await?.text)
}

async fn folders(call: &Call, key: &str) -> Result<String, ToolError> {
    let roots = call.roots(key).await?;
    Ok(roots.into_iter().map(|root| root.uri).collect::<Vec<_>>().join(" "))
}
