//! A sensor as a resource: what it measures is read at `weather://here`, and who subscribes hears when it changes.
//!
//! ```text
//! weather perchd.toml [/sys/class/hwmon/hwmon0/temp1_input]
//! ```
//!
//! The file holds thousandths of a degree, as those of the kernel do. The sensor is looked at in the background, so the program
//! has a runtime of its own and hands the server to it.

use perchd::{Changes, Config, Contents, Resource, Server, ToolError};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};

const URI: &str = "weather://here";

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let config = words.next().unwrap_or_else(|| "/etc/perchd/perchd.toml".to_owned());
    let sensor = PathBuf::from(words.next().unwrap_or_else(|| "/sys/class/hwmon/hwmon0/temp1_input".to_owned()));
    let config = Config::from_file(Path::new(&config))?;
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener = TcpListener::bind(config.listen.as_slice()).await?;
        let changes = Changes::new();
        // One thread: what runs in the background shares what the server has, without a lock.
        tokio::task::spawn_local(watch(sensor.clone(), changes.clone()));
        let server = Server::new(config).builtin().changes(&changes).resource(weather(sensor));
        Ok(server.serve(listener, stop()).await?)
    })
}

fn weather(sensor: PathBuf) -> Resource {
    Resource::new(URI, "Weather").about("The temperature outside").mime_type("application/json").handler(move |_| {
        let sensor = sensor.clone();
        async move {
            let celsius = read(&sensor).ok_or_else(|| ToolError::new("The sensor does not answer. Is it plugged in?"))?;
            let json = format!("{{\"celsius\": {celsius:.1}}}");
            Ok(Contents::text(URI, json).mime_type("application/json"))
        }
    })
}

/// Tells those who watch the resource that it holds something else.
async fn watch(sensor: PathBuf, changes: Changes) {
    let mut before = read(&sensor);
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = read(&sensor);
        if now != before {
            changes.resource(URI);
            before = now;
        }
    }
}

fn read(sensor: &Path) -> Option<f64> {
    let thousandths: i32 = std::fs::read_to_string(sensor).ok()?.trim().parse().ok()?;
    Some(f64::from(thousandths) / 1000.0)
}

/// The end that systemd asks for. Ctrl-C ends it, too, without asking.
async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(_) => std::future::pending().await,
    }
}
