//! What a person can choose to say.

use crate::{rounds, samples};
use perchd::tool::{Contents, Messages, Prompt, Role};

/// What `arg1` can be completed to.
const WORDS: [&str; 4] = ["paris", "park", "party", "test"];

pub(crate) fn all() -> Vec<Prompt> {
    vec![
        Prompt::new("test_simple_prompt", "Says a line").handler(|_| async { Ok("This is a simple prompt for testing.") }),
        Prompt::new("test_prompt_with_arguments", "Says a line with two blanks")
            .arg("arg1", "First test argument")
            .arg("arg2", "Second test argument")
            .complete("arg1", |typed| {
                WORDS.iter().filter(|word| word.starts_with(typed)).map(|word| (*word).to_owned()).collect()
            })
            .handler(|call| async move {
                let (first, second): (String, String) = (call.arg("arg1")?, call.arg("arg2")?);
                Ok(format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))
            }),
        Prompt::new("test_prompt_with_embedded_resource", "Says what a resource holds")
            .arg("resourceUri", "URI of the resource to embed")
            .handler(|call| async move {
                let uri: String = call.arg("resourceUri")?;
                let resource = Contents::text(uri, "Embedded resource content for testing.").mime_type("text/plain");
                Ok(Messages::user(resource).and(Role::User, "Please process the embedded resource above."))
            }),
        Prompt::new("test_prompt_with_image", "Shows an image")
            .handler(|_| async { Ok(Messages::user(samples::image()).and(Role::User, "Please analyze the image above.")) }),
        Prompt::new("test_input_required_result_prompt", "Asks for its context").handler(|call| async move {
            let context = rounds::field(&call, "user_context", "What context should the prompt use?", "context").await?;
            Ok(format!("Use this context: {context}"))
        }),
    ]
}
