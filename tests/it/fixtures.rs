//! A server with one of everything, for the transcripts that say `! fixtures`.

use perchd::tool::{Sample, TryJoin};
use perchd::{Arg, Changes, Config, Contents, Form, Output, Prompt, Resource, Server, Tool, ToolError};
use serde_json::json;
use std::time::Duration;

/// Longer than a client needs to leave, shorter than a test waits.
const WHILE: Duration = Duration::from_millis(300);

pub(crate) fn server(config: Config) -> Server {
    let changes = Changes::new();
    let server = Server::new(config).changes(&changes);
    let tools = [plain(), asking(), telling(&changes)];
    let server = tools.into_iter().flatten().fold(server, Server::tool);
    let lamp = Resource::new("lamp://{room}", "A lamp").mime_type("text/plain").handler(|call| async move {
        Ok(Contents::text(call.arg::<String>("uri")?, format!("{} is on", call.arg::<String>("room")?)).mime_type("text/plain"))
    });
    let broken =
        Resource::new("door://broken", "A door").handler(|_| async { Err::<Contents, _>(ToolError::new("The door is stuck.")) });
    let report = Prompt::new("report", "Asks for a report")
        .arg("room", "Which room")
        .complete("room", |typed| {
            ["cellar", "kitchen"].iter().filter(|room| room.starts_with(typed)).map(|room| (*room).into()).collect()
        })
        .handler(|call| async move { Ok(format!("How is the {}?", call.arg::<String>("room")?)) });
    let silent =
        Prompt::new("silent", "Says nothing").handler(|_| async { Err::<String, _>(ToolError::new("There is nothing to say.")) });
    server.resource(lamp).resource(broken).prompt(report).prompt(silent)
}

/// Tools that only answer.
fn plain() -> Vec<Tool> {
    vec![
        Tool::new("blink", "Blinks")
            .arg(Arg::integer("times", "How often").between(1, 20))
            .handler(|call| async move { Ok(format!("blinked {} times", call.arg::<u8>("times")?)) }),
        Tool::new("fails", "Fails").handler(|_| async { Err::<Output, _>(ToolError::new("The lamp is gone.")) }),
        Tool::new("measure", "Measures")
            .title("Measure it")
            .icon("https://example.org/icon.svg", None)
            .output_schema(&json!({"type": "object", "properties": {"celsius": {"type": "number"}}}))
            .handler(|_| async { Output::structured(&json!({"celsius": 21.5})) }),
        Tool::new("route", "Routes")
            .arg(Arg::string("region", "Where to").header("Region"))
            .arg(Arg::integer("priority", "How soon").header("Priority").optional())
            .arg(Arg::boolean("urgent", "Whether at once").header("Urgent").optional())
            .handler(|call| async move { Ok(format!("routed to {}", call.arg::<String>("region")?)) }),
    ]
}

/// Tools that ask their client something.
fn asking() -> Vec<Tool> {
    let sample = || Sample { prompt: "Say goodbye".into(), max_tokens: 10, system_prompt: None };
    vec![
        Tool::new("greet", "Asks for a name")
            .handler(|call| async move { Ok(format!("{:?}", call.elicit("name", "Who are you?", name()).await?)) }),
        Tool::new("visit", "Sends to a page").handler(|call| async move {
            Ok(format!("{:?}", call.elicit_url("page", "Sign in there", "https://example.org/", "visit-1").await?))
        }),
        Tool::new("part", "Has the client's model say goodbye")
            .handler(move |call| async move { Ok(call.sample("bye", sample()).await?.text) }),
        Tool::new("locate", "Asks for folders").handler(|call| async move {
            Ok(call.roots("folders").await?.into_iter().map(|root| root.uri).collect::<Vec<_>>().join(" "))
        }),
        Tool::new("meet", "Asks two things at once").handler(move |call| async move {
            let (name, bye) = (call.elicit("name", "Who are you?", name()), call.sample("bye", sample())).try_join().await?;
            Ok(format!("{name:?}, {}", bye.text))
        }),
        Tool::new("dream", "Needs the client's model")
            .needs_sampling()
            .handler(move |call| async move { Ok(call.sample("bye", sample()).await?.text) }),
    ]
}

fn name() -> Form {
    Form::new([Arg::string("name", "Your name").header("Of-No-Use")])
}

/// Tools that tell of changes or of themselves.
fn telling(changes: &Changes) -> Vec<Tool> {
    let (kitchen, cellar) = (changes.clone(), changes.clone());
    vec![
        Tool::new("switch", "Switches the lamp in the kitchen").writes().handler(move |_| {
            kitchen.resource("lamp://kitchen");
            async { Ok("switched") }
        }),
        Tool::new("dig", "Reports progress, and after a while that the lamp in the cellar has changed").writes().handler(
            move |call| {
                let cellar = cellar.clone();
                async move {
                    call.progress(1, Some(2), None);
                    tokio::time::sleep(WHILE).await;
                    cellar.resource("lamp://cellar");
                    Ok("dug")
                }
            },
        ),
        Tool::new("speak", "Writes two lines for the log").handler(|call| async move {
            call.log(perchd::tool::Level::Info, "all is well");
            call.log(perchd::tool::Level::Error, "all is lost");
            Ok("spoke")
        }),
    ]
}
