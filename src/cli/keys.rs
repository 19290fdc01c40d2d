//! `perchd keys`: the key ring, which everything is sealed with.

use crate::cli::{Which, Word, next, remark, say, secret, server, surplus, unknown};
use crate::error::{Error, Exit};
use crate::limits;
use crate::seal::KeyRing;
use crate::server::desk::{Answer, Request};
use crate::server::state;
use lexopt::Parser;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const HELP: &str = "\
The key ring: what registrations, tokens and sessions are sealed with. Whoever
has it can make tokens for this board.

Usage: perchd keys rotate
       perchd keys export [FILE]
       perchd keys import [--force] FILE|-

  rotate                A new key from now on. Three older ones still open what
                        they have sealed, so that nobody signs in again; the
                        fourth falls out
  export                The ring, into a file for you alone, or to stdout
  import                The ring of another board: with one `audience` in the
                        configuration, each accepts the tokens of the other.
                        With --force it takes the place of the one that is
                        here, and whoever has signed in here signs in again
  --force               Of import: see there
  --config FILE         The configuration of the server
  --state DIR           Its state folder

Example:
  perchd keys export | ssh shed sudo perchd keys import --force -
";

/// The longest file with a ring: a header, and a line for each key.
const RING_BYTES: usize = 64 + 96 * limits::RING_KEYS;

/// Does what the next word says.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let verb = match next(&mut words)? {
        Some(Word::Option(name)) if name == "help" => return say(HELP),
        Some(Word::Value(verb)) => verb,
        _ => String::new(),
    };
    let (mut which, mut file, mut is_forced) = (Which::default(), None, false);
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) if name == "help" => return say(HELP),
            Word::Option(name) if name == "force" && verb == "import" => is_forced = true,
            Word::Option(name) => which.take(&name, &mut words)?,
            Word::Value(text) if file.is_none() && verb != "rotate" => file = Some(text),
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    match (verb.as_str(), file) {
        ("rotate", _) => rotate(&which),
        ("export", file) => export(&which.state()?, file.filter(|file| file != "-").map(PathBuf::from).as_deref()),
        ("import", Some(file)) => import(&which, &file, is_forced),
        ("import", None) => Err(unknown("`keys import` needs a file, or - for stdin".to_owned())),
        _ => Err(unknown("`keys` is followed by `rotate`, `export` or `import`".to_owned())),
    }
}

fn rotate(which: &Which) -> Result<(), Error> {
    let Answer::Keys { count, has_dropped } = server::ask_or_do(which, Request::Rotate)? else { return Err(server::odd()) };
    let kept = if has_dropped {
        "The oldest has fallen out: whoever still has something that it sealed signs in again."
    } else {
        "What the older ones sealed is good: nobody signs in again."
    };
    say(&format!("A new key seals from now on; the ring has {count}.\n{kept}\n"))
}

fn export(folder: &Path, file: Option<&Path>) -> Result<(), Error> {
    let path = folder.join("keys");
    let unread = |error| Error::new(Exit::Config, "cannot read the key ring").at(path.display()).because(error);
    let Some(text) = state::read(&path).map_err(unread)? else {
        let remedy = "Make one: perchd init. Or name the folder that it is in: --state DIR";
        return Err(Error::new(Exit::Config, "there is no key ring").at(folder.display()).remedy(remedy));
    };
    let Some(file) = file else {
        if io::stdout().is_terminal() {
            remark("perchd: whoever sees this can make tokens for this board; clear the screen after it\n");
        }
        return say(&text);
    };
    let write = || -> io::Result<()> {
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()
    };
    write().map_err(|error| {
        let remedy = "Name a file that is not there yet, in a folder that you may write to.";
        Error::new(Exit::System, "cannot write the key ring").at(file.display()).because(error).remedy(remedy)
    })?;
    remark(&format!("Written to {}, for you alone. Whoever has it can make tokens.\n", file.display()));
    Ok(())
}

fn import(which: &Which, file: &str, is_forced: bool) -> Result<(), Error> {
    let ring = read(file)?;
    let keys = KeyRing::parse(&ring).map_err(|fault| Error::new(Exit::Config, fault.to_string()).at(file))?;
    let folder = which.state()?;
    let is_here = folder.join("keys").exists();
    let is_same =
        is_here && state::read(&folder.join("keys")).is_ok_and(|here| here.is_some_and(|here| *here == *keys.to_text()));
    if is_same {
        return say("This ring is here already.\n");
    }
    if is_here && !is_forced {
        let remedy = "With --force it takes its place: whoever has signed in here signs in again.";
        return Err(Error::new(Exit::Config, "there is a key ring already").at(folder.display()).remedy(remedy));
    }
    let told = match if is_here {
        server::ask_or_do(which, Request::Import { ring: ring.to_string() })?
    } else {
        server::first_keys(&folder, &keys)?
    } {
        Answer::Keys { count: 1, .. } => "The ring with its key holds from now on.\n".to_owned(),
        Answer::Keys { count, .. } => format!("The ring with its {count} keys holds from now on.\n"),
        _ => return Err(server::odd()),
    };
    say(&told)
}

fn read(file: &str) -> Result<Zeroizing<String>, Error> {
    if file == "-" {
        return secret::from_stdin("key ring", RING_BYTES).map(|ring| Zeroizing::new(format!("{}\n", *ring)));
    }
    let path = Path::new(file);
    let unread = |error| Error::new(Exit::Config, "cannot read the key ring").at(file).because(error);
    let size = fs::metadata(path).map_err(unread)?.len();
    if size > RING_BYTES as u64 {
        return Err(Error::new(Exit::Config, "this is no key ring: it is too long").at(file));
    }
    state::read(path).map_err(unread)?.ok_or_else(|| unread(io::ErrorKind::NotFound.into()))
}
