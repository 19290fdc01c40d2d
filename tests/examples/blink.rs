//! A tool that does something: it blinks a light of the board.
//!
//! ```text
//! blink perchd.toml [/sys/class/leds/ACT]
//! ```
//!
//! Who writes there must be allowed to: run it as root, or give the file `brightness` to the user that it runs as.

use perchd::{Arg, Server, Tool};
use std::path::PathBuf;
use std::time::Duration;

fn main() -> Result<(), perchd::Error> {
    let mut words = std::env::args().skip(1);
    let config = words.next().unwrap_or_else(|| "/etc/perchd/perchd.toml".to_owned());
    let led = PathBuf::from(words.next().unwrap_or_else(|| "/sys/class/leds/ACT".to_owned()));
    Server::from_config(config)?.tool(blink(led.join("brightness"))).run()
}

fn blink(brightness: PathBuf) -> Tool {
    Tool::new("blink", "Blinks the board's green light, so that somebody can find it")
        .title("Blink")
        .arg(Arg::integer("times", "how often").between(1, 20).default(3))
        .writes()
        .handler(move |call| {
            let brightness = brightness.clone();
            async move {
                let times: u32 = call.arg("times")?;
                for done in 0..times {
                    std::fs::write(&brightness, "1")?;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    // A client that gives up drops this future here: the light is not left on for longer than that.
                    std::fs::write(&brightness, "0")?;
                    call.progress(done + 1, Some(times), None);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Ok(format!("blinked {times} times"))
            }
        })
}
