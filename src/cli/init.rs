//! `perchd init`: everything that a board needs to be reached, made once.

use crate::cli::{Which, Word, next, pair, say, server, surplus, unknown, value};
use crate::config::{self, Auth, Config};
use crate::error::{Error, Exit};
use crate::http::{self, connect};
use crate::server::control;
use crate::server::desk::{Answer, Request};
use crate::server::first::{self, First};
use lexopt::Parser;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

const HELP: &str = "\
Makes what a board needs to be reached from other computers: a configuration
with every key explained, the key ring, and a CA with a certificate for every
name and address of this machine. Then prints what to paste into each client.
What is there already is kept; nothing is written over.

Usage: perchd init [OPTIONS]

  --listen ADDR:PORT    Where to listen [0.0.0.0:8787]
  --config FILE         The configuration [/etc/perchd/perchd.toml for root,
                        else $XDG_CONFIG_HOME/perchd/perchd.toml or
                        ~/.config/perchd/perchd.toml]
  --state DIR           The folder with the keys [/var/lib/perchd for the
                        configuration in /etc, else $XDG_STATE_HOME/perchd or
                        ~/.local/state/perchd]
  --force               Make configuration and key ring anew, so that everybody
                        signs in again. What was there stays beside them, with
                        .old at the end of its name. The CA is kept: other
                        computers trust it

Exit: 0 if all is there, 64, 77 or 78 if something cannot be made.

Examples:
  sudo perchd init
  perchd init --listen 127.0.0.1:9000 --config board.toml --state ~/board
";

/// The configuration of a new board.
const EXAMPLE: &str = include_str!("../../systemd/perchd.toml");
/// Lines of it that an option can change.
const LISTEN: &str = "listen = \"0.0.0.0:8787\"\n";
const STATE: &str = "# state = \"/var/lib/perchd\"\n";
/// The group that the system's server runs as.
const GROUP: &str = "perchd";

/// Makes what is missing.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut listen, mut is_forced) = (Which::default(), None, false);
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) => match name.as_str() {
                "help" => return say(HELP),
                "force" => is_forced = true,
                "listen" => listen = Some(address(&value(&mut words)?)?),
                other => which.take(other, &mut words)?,
            },
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    let file = which.file.clone().unwrap_or_else(config::place);
    let has_written = write_config(&file, which.state.as_deref(), listen, is_forced)?;
    which.file = Some(file.clone());
    // One that was there may be wrong; then this says where.
    let config = which.config()?;
    let first = first::prepare(&config, is_forced)?;
    let running = control::ask(&config.state, &Request::Health)?;
    let is_running = running.is_some();
    let listens = match running {
        Some(Answer::Health { listens, .. }) if !listens.is_empty() => listens,
        _ => server::listens(&config),
    };
    say(&told(&file, has_written, &config, &first, &listens))?;
    match config.auth {
        Auth::Own { pairing: true, .. } if is_running => {
            say("\nA code to sign in with\n")?;
            pair::show(&which, "owner", &[])
        }
        _ => say(&then(&config, &file, is_running)),
    }
}

fn address(text: &str) -> Result<SocketAddr, Error> {
    let parsed = text.replacen("localhost:", "127.0.0.1:", 1).parse();
    parsed.map_err(|_| unknown(format!("--listen {text}: not ADDRESS:PORT, such as 0.0.0.0:8787")))
}

/// Whether the configuration was written: one that is there stays, unless it is to be made anew.
fn write_config(file: &Path, state: Option<&Path>, listen: Option<SocketAddr>, is_forced: bool) -> Result<bool, Error> {
    if file.exists() && !is_forced {
        return Ok(false);
    }
    let text = example(state, listen)?;
    let write = || -> io::Result<()> {
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
        }
        if file.exists() {
            fs::rename(file, first::old(file))?;
        }
        // It will hold hashes of passwords.
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        if let Some(group) = group_of_the_server(file) {
            fchown(&out, None, Some(group))?;
            out.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o640))?;
        }
        out.write_all(text.as_bytes())?;
        out.sync_all()
    };
    write().map(|()| true).map_err(|error| {
        let remedy = "Ask as root, or name another file with --config.";
        Error::new(Exit::Config, "cannot write the configuration").at(file.display()).because(error).remedy(remedy)
    })
}

/// The example, with what the options say.
fn example(state: Option<&Path>, listen: Option<SocketAddr>) -> Result<String, Error> {
    let mut text = EXAMPLE.to_owned();
    if let Some(listen) = listen {
        text = text.replacen(LISTEN, &format!("listen = \"{listen}\"\n"), 1);
    }
    if let Some(state) = state {
        let absolute = std::env::current_dir().ok().map(|here| here.join(state).components().collect::<PathBuf>());
        let absolute = absolute.and_then(|path| path.to_str().map(str::to_owned));
        let absolute = absolute.ok_or_else(|| unknown(format!("--state {}: not a path in UTF-8", state.display())))?;
        // JSON escapes what a basic string of TOML escapes, in the same way.
        text = text.replacen(STATE, &format!("state = {}\n", serde_json::Value::from(absolute)), 1);
    }
    Ok(text)
}

/// The group of the system's server, which must be able to read the system's configuration.
fn group_of_the_server(file: &Path) -> Option<u32> {
    if file != Path::new(config::FILE) {
        return None;
    }
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| line.strip_prefix(GROUP)?.strip_prefix(':')?.split(':').nth(1)?.parse().ok())
}

// Writing to a String does not fail.
fn told(file: &Path, has_written: bool, config: &Config, first: &First, listens: &[SocketAddr]) -> String {
    let made = |is_made: bool| if is_made { "made" } else { "kept" };
    let mut text = format!("Configuration  {}: {}\n", made(has_written), file.display());
    let _ = writeln!(text, "Key ring       {}: {}", made(first.has_made_keys), config.state.join("keys").display());
    if let Some(ca) = &first.ca {
        let _ = writeln!(text, "CA             {}: {}", made(ca.is_new), config.state.join("ca.pem").display());
        // In two lines, as no terminal has room for it.
        let (begin, end) = ca.fingerprint.split_at(48);
        let _ = writeln!(text, "  SHA-256      {begin}\n               {end}");
    }
    // The first name is the one that other computers find.
    let origin = http::origins(config, listens).into_iter().next().unwrap_or_default();
    let pin = first.ca.as_ref().map(|ca| format!("sha256:{}", ca.fingerprint.replace(':', "").to_ascii_lowercase()));
    let _ = writeln!(
        text,
        "\nA client that starts programs, such as Claude Desktop, without Node.js\n  {}",
        pair::bridge(&origin, pin.as_deref())
    );
    let fingerprint = first.ca.as_ref().map(|ca| ca.fingerprint.as_str());
    for block in connect::blocks(&origin, &config.name, config.auth == Auth::Open, fingerprint) {
        let _ = write!(text, "\n{}\n", block.title);
        for line in block.text.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// What comes next, where there is no code to show.
// Writing to a String does not fail.
fn then(config: &Config, file: &Path, is_running: bool) -> String {
    // Where nobody looks, one must be told to look.
    let is_found = config::find().as_deref() == Some(file);
    let option = if is_found { String::new() } else { format!(" --config {}", file.display()) };
    let start = if file == Path::new(config::FILE) {
        "systemctl enable --now perchd".to_owned()
    } else {
        format!("perchd serve{option}")
    };
    let mut text = if is_running { "\nThe server runs.\n".to_owned() } else { format!("\nStart it:  {start}\n") };
    let _ = match config.auth {
        Auth::Own { pairing: true, .. } => writeln!(text, "Then, for a code to sign in with:  perchd pair{option}"),
        Auth::Own { .. } => writeln!(text, "People sign in with the passwords in the configuration: perchd passwd USER"),
        Auth::Demo => writeln!(text, "Anybody may sign in, with any password."),
        Auth::Open => writeln!(text, "Nobody has to sign in."),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_change_the_example() {
        assert_eq!(example(None, None).unwrap(), EXAMPLE);
        let text = example(Some(Path::new("/srv/my \"perchd\"")), Some("[::]:1".parse().unwrap())).unwrap();
        let config = Config::parse(&text, Path::new("x.toml")).unwrap();
        assert_eq!(config.listen, ["[::]:1".parse().unwrap()]);
        assert_eq!(config.state, Path::new("/srv/my \"perchd\""));
    }

    #[test]
    fn only_the_systems_configuration_is_for_the_group_of_the_server() {
        assert_eq!(group_of_the_server(Path::new("/home/ada/perchd.toml")), None);
    }
}
