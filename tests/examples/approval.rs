//! Approval: a tool that asks its client's user first, in a form, whatever revision of the protocol the client speaks.
//!
//! ```text
//! approval perchd.toml
//! ```
//!
//! A client answers for its user here, and so could a model that drives one. What must not happen without a person is put under
//! `confirm` by the owner: `[tools] confirm = { open_gate = "page" }` works for this tool as it does for those in the box.

use perchd::tool::Answer;
use perchd::{Arg, Form, Server, Tool};

fn main() -> Result<(), perchd::Error> {
    let config = std::env::args().nth(1).unwrap_or_else(|| "/etc/perchd/perchd.toml".to_owned());
    Server::from_config(config)?.tool(open_gate()).run()
}

fn open_gate() -> Tool {
    Tool::new("open_gate", "Opens the gate to the street, once its owner has agreed")
        .arg(Arg::string("who", "for whom it is opened").chars(1, 64))
        .destroys()
        .needs_elicitation()
        .handler(|call| async move {
            let who: String = call.arg("who")?;
            let form = Form::new([
                Arg::boolean("open", "Open it").default(false),
                Arg::integer("minutes", "for how long").between(1, 30).default(5),
            ]);
            // In the newest revision this call ends here, and begins anew with the answer: what stands above is done twice.
            match call.elicit("gate", &format!("{who} stands at the gate. Open it?"), form).await? {
                Answer::Accepted(form) if form["open"] == true => {
                    let minutes = form.get("minutes").and_then(serde_json::Value::as_u64).unwrap_or(5);
                    Ok(format!("The gate is open for {who}, for {minutes} minutes."))
                }
                _ => Ok("The gate stays shut: its owner did not agree.".to_owned()),
            }
        })
}
