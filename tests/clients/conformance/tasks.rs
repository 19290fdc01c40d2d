//! Tools whose calls may be tasks: their results are fetched later.

use crate::rounds;
use perchd::tool::{Answer, Arg, Call, Form, TaskSupport, Tool, ToolError, TryJoin};
use std::time::Duration;
use tokio::time::sleep;

/// What makes a call one that is not done at once.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("greet", "Greets at once")
            .arg(Arg::string("name", "Whom"))
            .handler(|call| async move { Ok(format!("Hello, {}!", call.arg::<String>("name")?)) }),
        Tool::new("slow_compute", "Takes its time")
            .arg(Arg::number("seconds", "How much").between(0, 3600))
            .arg(Arg::string("label", "What for").optional())
            .task_support(TaskSupport::Optional)
            .deadline(Duration::from_secs(3700))
            .handler(compute),
        Tool::new("failing_job", "Fails after a second").task_support(TaskSupport::Required).handler(|_| async {
            sleep(Duration::from_secs(1)).await;
            Err::<String, _>(ToolError::new("The job has failed, as it always does"))
        }),
        Tool::new("protocol_error_job", "Breaks").task_support(TaskSupport::Optional).handler(|call| async move {
            sleep(PAUSE).await;
            assert!(call.arg::<Option<bool>>("never")?.is_some(), "a fault of the tool");
            Ok("")
        }),
        Tool::new("confirm_delete", "Asks before it deletes nothing")
            .arg(Arg::string("filename", "What not to delete"))
            .task_support(TaskSupport::Optional)
            .handler(confirm),
        Tool::new("multi_input", "Asks two things at once").task_support(TaskSupport::Optional).handler(|call| async move {
            sleep(PAUSE).await;
            let (first, last) =
                (name(&call, "first", "Your first name?"), name(&call, "last", "Your last name?")).try_join().await?;
            Ok(format!("{first} {last}"))
        }),
        Tool::new("test_tool_with_task", "Asks for a name first, then takes its time")
            .task_support(TaskSupport::Required)
            .handler(|call| async move {
                let name = name(&call, "user_name", "What is your name?").await?;
                sleep(PAUSE).await;
                Ok(format!("Hello, {name}!"))
            }),
    ]
}

async fn compute(call: Call) -> Result<String, ToolError> {
    let seconds: f64 = call.arg("seconds")?;
    if seconds > 0.0 {
        call.progress(0.0, Some(seconds), Some("computing"));
        sleep(Duration::from_secs_f64(seconds)).await;
    }
    let label: Option<String> = call.arg("label")?;
    Ok(format!("Computed {} in {seconds} s", label.unwrap_or_else(|| "something".to_owned())))
}

async fn confirm(call: Call) -> Result<String, ToolError> {
    sleep(PAUSE).await;
    let name: String = call.arg("filename")?;
    let form = Form::new([Arg::boolean("confirm", "Whether to delete it")]);
    match call.elicit("confirm", &format!("Delete {name}?"), form).await? {
        Answer::Accepted(fields) if fields.get("confirm").is_some_and(|confirm| confirm == true) => Ok(format!("{name} is gone")),
        _ => Ok(format!("{name} stays")),
    }
}

async fn name(call: &Call, key: &str, message: &str) -> Result<String, ToolError> {
    rounds::field(call, key, message, "name").await
}
