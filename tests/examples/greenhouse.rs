//! A whole server of one's own: its configuration in code, its own runtime, listener and end, and nothing of what is in the box.
//!
//! ```text
//! greenhouse ADDRESS:PORT FOLDER
//! ```
//!
//! FOLDER keeps the keys, so that nobody signs in again after a restart. It ends when its stdin does, as a program that another
//! one starts should.

use perchd::config::Auth;
use perchd::mcp::Implementation;
use perchd::{Arg, Changes, Config, Contents, Messages, Output, Prompt, Resource, Server, Tool};
use serde_json::json;
use std::cell::RefCell;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

/// What the greenhouse is like. One thread has it, so that it needs no lock.
#[derive(Default)]
struct Greenhouse {
    window_percent: u8,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(address), Some(folder)) = (words.next(), words.next()) else { return Err("greenhouse ADDRESS:PORT FOLDER".into()) };
    let address: SocketAddr = address.parse()?;
    let config = Config {
        name: "Greenhouse".to_owned(),
        // Nobody signs in; the server refuses this mode on an address that others reach.
        auth: Auth::Open,
        ..Config::with_state(PathBuf::from(folder))
    };
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let stop = end_of_stdin();
        Ok(server(config).serve(listener, async { drop(stop.await) }).await?)
    })
}

fn server(config: Config) -> Server {
    let greenhouse = Rc::new(RefCell::new(Greenhouse::default()));
    let changes = Changes::new();
    Server::new(config)
        .implementation(Implementation::new("greenhouse", env!("CARGO_PKG_VERSION")))
        .instructions("One greenhouse with one window. Look before you open it.")
        .describe("greenhouse:read", "See how far the window is open")
        .describe("greenhouse:write", "Open and shut the window")
        .changes(&changes)
        .tool(set_window(Rc::clone(&greenhouse), changes))
        .resource(window(greenhouse))
        .prompt(too_hot())
}

fn set_window(greenhouse: Rc<RefCell<Greenhouse>>, changes: Changes) -> Tool {
    Tool::new("set_window", "Opens the window so far, and says how far it was open before")
        .arg(Arg::integer("percent", "0 is shut, 100 is open").between(0, 100))
        .scope("greenhouse:write")
        .writes()
        .idempotent()
        .output_schema(&json!({"type": "object", "properties": {"before": {"type": "integer"}}, "required": ["before"]}))
        .handler(move |call| {
            let (greenhouse, changes) = (Rc::clone(&greenhouse), changes.clone());
            async move {
                let before = std::mem::replace(&mut greenhouse.borrow_mut().window_percent, call.arg("percent")?);
                changes.resource("greenhouse://window");
                Output::structured(&json!({"before": before}))
            }
        })
}

fn window(greenhouse: Rc<RefCell<Greenhouse>>) -> Resource {
    Resource::new("greenhouse://window", "Window").about("How far it is open, in percent").scope("greenhouse:read").handler(
        move |_| {
            let percent = greenhouse.borrow().window_percent;
            async move { Ok(Contents::text("greenhouse://window", percent.to_string())) }
        },
    )
}

fn too_hot() -> Prompt {
    Prompt::new("too_hot", "Cools the greenhouse").arg("degrees", "how warm it is").scope("greenhouse:read").handler(
        |call| async move {
            let degrees: String = call.arg("degrees")?;
            Ok(Messages::user(format!("It is {degrees} degrees in the greenhouse. Open the window as far as it takes.")))
        },
    )
}

/// Word that nobody is left who could write to us. Reading stdin blocks, and so has a thread.
fn end_of_stdin() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    end
}
