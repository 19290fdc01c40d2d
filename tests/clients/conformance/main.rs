//! The server that the official conformance suite is run against: every tool, resource and prompt that its scenarios call.
//!
//! It is written with the public interface of the library only, as a stranger would write it:
//!
//! ```text
//! conformance --listen 127.0.0.1:PORT [--auth open|demo]
//! ```

mod content;
mod prompts;
mod questions;
mod resources;
mod rounds;
mod samples;
mod schemas;
mod signals;
#[cfg(feature = "tasks")]
mod tasks;

use lexopt::{Arg, Parser, ValueExt};
use perchd::config::{Auth, Config};
use perchd::server::Server;
use perchd::tool::Changes;
use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A state of its own: nobody who signed in elsewhere is known here, and nothing is left behind.
    let state = std::env::temp_dir().join(format!("perchd-conformance-{}", std::process::id()));
    let ended = run(&state);
    let _ = std::fs::remove_dir_all(&state);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(state: &Path) -> Result<(), Box<dyn Error>> {
    let (listen, auth) = options(Parser::from_env())?;
    let config = Config { listen: vec![listen], auth, ..Config::with_state(state.to_owned()) };
    let bound = server(config).bind()?;
    writeln!(io::stdout(), "listening on {}", bound.address())?;
    Ok(bound.run()?)
}

fn options(mut words: Parser) -> Result<(SocketAddr, Auth), Box<dyn Error>> {
    let (mut listen, mut auth) = (None, Auth::Open);
    while let Some(word) = words.next()? {
        match word {
            Arg::Long("listen") => listen = Some(words.value()?.parse()?),
            Arg::Long("auth") => auth = words.value()?.parse_with(|name| Auth::parse(name).ok_or("open or demo"))?,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok((listen.ok_or("--listen 127.0.0.1:PORT is missing")?, auth))
}

fn server(config: Config) -> Server {
    let changes = Changes::new();
    let server = Server::new(config).changes(&changes);
    // The suite calls the first tool of the list without arguments and expects it to work.
    let tools = [content::tools(), signals::tools(&changes), schemas::tools(), questions::tools(), rounds::tools()];
    let server = tools.into_iter().flatten().fold(server, Server::tool);
    #[cfg(feature = "tasks")]
    let server = tasks::tools().into_iter().fold(server, Server::tool);
    let server = resources::all().into_iter().fold(server, Server::resource);
    prompts::all().into_iter().fold(server, Server::prompt)
}
