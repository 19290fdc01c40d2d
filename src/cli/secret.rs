//! Secrets are read from stdin: what stands in the command line, everybody on the machine can read.

use crate::error::{Error, Exit};
use std::io::{self, Read};
use zeroize::Zeroizing;

/// Reads all of stdin, at most `bytes_max`, without white space around it. `what` is read, in words.
pub(super) fn from_stdin(what: &str, bytes_max: usize) -> Result<Zeroizing<String>, Error> {
    let mut text = Zeroizing::new(String::with_capacity(bytes_max + 2));
    let read = io::stdin().lock().take(bytes_max as u64 + 2).read_to_string(&mut text);
    read.map_err(|error| Error::new(Exit::System, format!("cannot read {what} from stdin")).because(error))?;
    let trimmed = text.trim_matches(['\n', '\r', ' ', '\t']);
    if trimmed.is_empty() || trimmed.len() > bytes_max {
        let remedy = format!("Hand it in, such as: perchd ... < FILE; it has at most {bytes_max} bytes.");
        return Err(Error::new(Exit::Usage, format!("there is no {what} on stdin")).remedy(remedy));
    }
    Ok(Zeroizing::new(trimmed.to_owned()))
}
