//! Tools that say something while they run: lines for the log, progress, word of changes.

use perchd::tool::{Arg, Changes, Level, Tool};
use std::time::Duration;
use tokio::time::sleep;

/// Between two signals, so that they are seen one by one.
const PAUSE: Duration = Duration::from_millis(50);

/// How long the client must do without a connection.
const ABSENCE: Duration = Duration::from_millis(200);

pub(crate) fn tools(changes: &Changes) -> Vec<Tool> {
    let (tools, prompts, watched) = (changes.clone(), changes.clone(), changes.clone());
    vec![
        Tool::new("test_tool_with_logging", "Writes three lines for the log").handler(|call| async move {
            call.log(Level::Info, "Tool execution started");
            sleep(PAUSE).await;
            call.log(Level::Info, "Tool processing data");
            sleep(PAUSE).await;
            call.log(Level::Info, "Tool execution completed");
            Ok("Tool with logging executed successfully")
        }),
        Tool::new("test_tool_with_progress", "Reports progress three times").handler(|call| async move {
            call.progress(0, Some(100), None);
            sleep(PAUSE).await;
            call.progress(50, Some(100), None);
            sleep(PAUSE).await;
            call.progress(100, Some(100), None);
            Ok("Tool with progress executed successfully")
        }),
        Tool::new("test_logging_tool", "Writes a line for the log at once").handler(|call| async move {
            call.log_as(Some("conformance"), Level::Info, "Tool called");
            Ok("Logged")
        }),
        Tool::new("test_reconnection", "Ends the connection and answers when the client has come back").handler(
            |call| async move {
                call.release();
                sleep(ABSENCE).await;
                Ok("Reconnection test completed successfully")
            },
        ),
        Tool::new("test_trigger_tool_change", "Says that the list of tools has changed").writes().handler(move |_| {
            tools.tools();
            async { Ok("Told") }
        }),
        Tool::new("test_trigger_prompt_change", "Says that the list of prompts has changed").writes().handler(move |_| {
            prompts.prompts();
            async { Ok("Told") }
        }),
        Tool::new("test_trigger_resource_update", "Says that what a resource holds has changed")
            .arg(Arg::string("uri", "Which").default("test://watched-resource"))
            .writes()
            .handler(move |call| {
                let watched = watched.clone();
                async move {
                    watched.resource(call.arg::<String>("uri")?);
                    Ok("Told")
                }
            }),
    ]
}
