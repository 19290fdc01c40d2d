//! `perchd bundle`: this program as one file that Claude Desktop installs by a click (MCPB, manifest 0.3).

mod zip;

use crate::cli::{Word, connect, next, say, surplus, unknown, value};
use crate::client::url::Url;
use crate::error::{Error, Exit};
use lexopt::Parser;
use std::env::consts::{ARCH, EXE_SUFFIX, OS};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use zip::Zip;

const HELP: &str = "\
Puts this program into a bundle (.mcpb) that Claude Desktop, and whatever else
knows such bundles, installs when it is opened, with `perchd connect` in it. It
runs where this program does: on computers of the same system and processor.
There is no secret in it; it asks for address, pin, CA and token when it is
installed.

Usage: perchd bundle [URL] [OPTIONS]

  URL                   The board that it is for [it asks]
  --pin sha256:HEX      The fingerprint of the board's CA [it asks]
  --allow-http          Send secrets in the clear to other computers
  -o, --output FILE     The bundle [perchd.mcpb, or perchd-HOST.mcpb]

Exit: 0 if it is written, 64 for a wrong command line, 71 if it cannot be
written.

Examples:
  perchd bundle
  perchd bundle https://board.local:8787/mcp --pin sha256:HEX
";

/// What a bundle is for.
#[derive(Default)]
struct Order {
    url: Option<Url>,
    pin: String,
    allows_http: bool,
}

/// Writes one.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut order, mut file) = (Order::default(), None);
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) => match name.as_str() {
                "help" => return say(HELP),
                "pin" => {
                    order.pin = value(&mut words)?;
                    connect::pin(&order.pin)?;
                }
                "allow-http" => order.allows_http = true,
                "output" => file = Some(PathBuf::from(value(&mut words)?)),
                other => return Err(unknown(format!("there is no option --{other}"))),
            },
            Word::Value(text) if order.url.is_none() => order.url = Some(connect::address(&text)?),
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    if let Some(url) = &order.url {
        connect::private(url, order.allows_http)?;
    }
    let file = file.unwrap_or_else(|| PathBuf::from(order.name() + ".mcpb"));
    let unread = |error| Error::new(Exit::System, "cannot read this program").because(error);
    let program = std::env::current_exe().and_then(fs::read).map_err(unread)?;
    let mut zip = Zip::default();
    zip.add("manifest.json", 0o644, order.manifest().as_bytes());
    zip.add(&format!("server/perchd{EXE_SUFFIX}"), 0o755, &program);
    let bytes = zip.finish();
    write(&file, &bytes).map_err(|error| {
        let remedy = "Name a file in a folder where you may write: -o FILE";
        Error::new(Exit::System, "cannot write the bundle").at(file.display()).because(error).remedy(remedy)
    })?;
    say(&format!(
        "Written: {}, {} KB, for {OS} on {ARCH}. Open it with Claude Desktop there.\n",
        file.display(),
        bytes.len().div_ceil(1000)
    ))
}

impl Order {
    /// One for each board: a bundle takes the place of another one with its name.
    fn name(&self) -> String {
        let mut name = "perchd".to_owned();
        if let Some(url) = &self.url {
            name.push('-');
            name.extend(url.authority().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }));
        }
        name
    }

    /// The manifest. What its reader leaves empty comes to `perchd connect` as nothing, which is why each value stands behind a `=`.
    fn manifest(&self) -> String {
        let url = self.url.as_ref();
        // JSON has the same escapes as these: an address and a pin are visible ASCII.
        let text = |value: String| serde_json::Value::from(value).to_string();
        let platform = match OS {
            "macos" => "darwin",
            "windows" => "win32",
            other => other,
        };
        let fields = [
            ("NAME", text(self.name())),
            ("SHOWN", text(url.map_or_else(|| "perchd".to_owned(), |url| format!("perchd at {}", url.authority())))),
            ("VERSION", text(env!("CARGO_PKG_VERSION").to_owned())),
            ("REPOSITORY", text(env!("CARGO_PKG_REPOSITORY").to_owned())),
            (
                "MACHINE",
                text(format!(
                    "Made for {OS} on {ARCH}. Signs in by the browser, unless you give a token that `perchd token new` made on the board."
                )),
            ),
            ("PROGRAM", text(format!("server/perchd{EXE_SUFFIX}"))),
            ("COMMAND", text(format!("${{__dirname}}/server/perchd{EXE_SUFFIX}"))),
            ("FLAGS", if self.allows_http { ", \"--allow-http\"" } else { "" }.to_owned()),
            ("PLATFORM", text(platform.to_owned())),
            // One that is known need not be typed: then a click is enough.
            ("REQUIRED", url.is_none().to_string()),
            ("URL", text(url.map_or_else(String::new, Url::to_string))),
            ("PIN", text(self.pin.clone())),
        ];
        fields.iter().fold(MANIFEST.to_owned(), |manifest, (name, value)| manifest.replace(&format!("<{name}>"), value))
    }
}

const MANIFEST: &str = include_str!("bundle/manifest.json");

/// Puts a file in place at once, or not at all.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    let put = || {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
        let mut out = options.write(true).create_new(true).open(&new)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        fs::rename(&new, file)
    };
    put().inspect_err(|_| _ = fs::remove_file(&new))
}
