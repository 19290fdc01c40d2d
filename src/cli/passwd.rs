//! `perchd passwd`: a password becomes the lines of a configuration.

use crate::cli::{Which, Word, next, remark, say, secret, server, surplus, terminal, unknown};
use crate::config::{self, Config};
use crate::error::{Error, Exit};
use crate::limits;
use crate::oauth::Phc;
use crate::server::control;
use crate::server::desk::{Answer, Request};
use crate::world::{Kernel, Random};
use lexopt::Parser;
use std::time::Instant;
use zeroize::Zeroizing;

const HELP: &str = "\
Asks for a password, twice, and prints the lines that let a user sign in with
it. They hold a hash, which takes this board about 0.3 s to check; the password
itself is kept nowhere.

Usage: perchd passwd USER [OPTIONS]

  --stdin               Read the password from stdin, once
  --keep-tokens         Leave a user signed in who is in the configuration
                        already. Else all of his tokens end, as if revoked: at
                        once, and again when the server reads the new password
  --config FILE         The configuration of the server
  --state DIR           Its state folder

Put the lines into the configuration, and have it read: systemctl reload perchd

Exit: 0 if all is done; 64 if there is no password; 77 or 78 if the lines are
there, but tokens could not be ended.

Examples:
  perchd passwd anna
  perchd passwd anna --stdin <password.txt
";

/// Asks, and prints the lines.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut user, mut is_stdin, mut stays) = (Which::default(), None, false, false);
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) if name == "help" => return say(HELP),
            Word::Option(name) if name == "stdin" => is_stdin = true,
            Word::Option(name) if name == "keep-tokens" => stays = true,
            Word::Option(name) => which.take(&name, &mut words)?,
            Word::Value(text) if user.is_none() => user = Some(text),
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    let user = user.ok_or_else(|| unknown("`passwd` needs the name of a user".to_owned()))?;
    let user = config::user_name(&user)
        .map_err(|what| Error::new(Exit::Usage, what).at(format!("`{user}`")).remedy("Such as: perchd passwd anna"))?;
    let password = if is_stdin { secret::from_stdin("password", limits::PASSWORD_BYTES_MAX)? } else { asked(&user)? };
    check(&password)?;
    let phc = hash(&password);
    say(&format!("[auth.users.{}]\npassword = \"{}\"\n", key(&user), phc.to_text()))?;
    which.file = which.file.or_else(config::find);
    let place = which.file.clone().unwrap_or_else(config::place);
    remark(&format!("\nPut these lines into {},\nthen have it read: systemctl reload perchd\n", place.display()));
    sign_out(&which, &user, stays).inspect_err(|_| {
        remark(&format!("\nThe tokens of `{user}` were not ended, if he has any: perchd revoke --user {user}\n\n"));
    })
}

/// Ends the tokens of a user who is there already: whoever knew the old password is to be out.
fn sign_out(which: &Which, user: &str, stays: bool) -> Result<(), Error> {
    let Some(file) = &which.file else { return Ok(()) };
    // One that may not be looked for may be there all the same.
    if matches!(file.try_exists(), Ok(false)) || !Config::user_names(file)?.iter().any(|name| name == user) {
        return Ok(());
    }
    let request = Request::Password { user: user.to_owned(), stays };
    let state = which.state()?;
    if stays {
        // Where no server runs, nothing is to be done for it.
        control::ask(&state, &request)?;
        return Ok(());
    }
    if state.join("keys").try_exists().is_ok_and(|is_there| !is_there) {
        // Nothing was ever sealed here.
        return Ok(());
    }
    match server::ask_or_do(which, request)? {
        Answer::Revoked => remark(&format!("Every token of `{user}` is dead: with the new password, he signs in again.\n")),
        _ => return Err(server::odd()),
    }
    Ok(())
}

fn asked(user: &str) -> Result<Zeroizing<String>, Error> {
    let nobody = || {
        let remedy = "Hand the password in: perchd passwd USER --stdin < FILE";
        Error::new(Exit::Usage, "nobody can be asked for a password: stdin is no terminal").remedy(remedy)
    };
    let first = terminal::hidden(&format!("Password for {user}: "))?.ok_or_else(nobody)?;
    check(&first)?;
    let second = terminal::hidden("Once more: ")?.ok_or_else(nobody)?;
    if *first != *second {
        return Err(Error::new(Exit::Usage, "the two passwords differ").remedy("Try again."));
    }
    Ok(first)
}

fn check(password: &str) -> Result<(), Error> {
    let (least, most) = (limits::PASSWORD_BYTES_MIN, limits::PASSWORD_BYTES_MAX);
    if password.len() < least || password.len() > most || password.chars().any(char::is_control) {
        let what = format!("a password has {least} to {most} bytes, and nothing that cannot be typed");
        return Err(Error::new(Exit::Usage, what).remedy("Four words that do not belong together are good, and easy to type."));
    }
    Ok(())
}

/// The hash, which costs this board as much as it should.
fn hash(password: &str) -> Phc {
    let salt = || {
        let mut salt = [0; 16];
        Kernel::new().fill(&mut salt);
        salt
    };
    let waiting = terminal::Waiting::begin("Finding out how much work this board can do for a password …");
    let began = Instant::now();
    let least = Phc::make(password, limits::PASSWORD_ITERATIONS_MIN, salt());
    let took = began.elapsed();
    let iterations = Phc::calibrated(limits::PASSWORD_ITERATIONS_MIN, took);
    if iterations == limits::PASSWORD_ITERATIONS_MIN {
        drop(waiting);
        let secs = took.as_secs_f64();
        remark(&format!("This board is slow: to check the password takes it {secs:.1} s.\n"));
        return least;
    }
    Phc::make(password, iterations, salt())
}

/// A user's name as a key of TOML: bare if it can be.
fn key(user: &str) -> String {
    let is_bare = user.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    // JSON escapes what a basic string of TOML escapes, in the same way.
    if is_bare { user.to_owned() } else { serde_json::Value::from(user).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_easily_guessed_or_cannot_be_typed_is_refused() {
        for bad in ["", "short", "seven77", "with\nnewline", "tab\ttab\ttab", &"x".repeat(limits::PASSWORD_BYTES_MAX + 1)] {
            let told = check(bad).unwrap_err().to_string();
            assert!(told.starts_with("a password has 8 to 256 bytes"), "{told}");
        }
        assert!(check("eight888").is_ok() && check("ein schöner Tag").is_ok());
    }

    #[test]
    fn a_name_is_a_key_of_toml() {
        assert_eq!(["anna", "a-b_1", "ben@example.org"].map(key), ["anna", "a-b_1", "\"ben@example.org\""]);
        assert_eq!(key("a\"b\\c"), r#""a\"b\\c""#);
    }
}
