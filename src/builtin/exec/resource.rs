//! Declared resources: a file, or what a command prints.

use crate::builtin::exec::capture::Capture;
use crate::builtin::exec::gate::{Commands, Gate, Share};
use crate::builtin::exec::{argv, execute, outcome};
use crate::config::declared::{DeclaredResource, Origin, Setting, Template};
use crate::limits;
use crate::tool::{Call, Contents, Resource, ToolError};
use rustix::fs::OFlags;
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

pub(super) fn resource(declared: &DeclaredResource, commands: &Rc<Commands>) -> Resource {
    let mut draft = Resource::new(&declared.uri, &declared.name);
    if let Some(title) = &declared.title {
        draft = draft.title(title);
    }
    if let Some(about) = &declared.about {
        draft = draft.about(about);
    }
    if let Some(mime_type) = &declared.mime {
        draft = draft.mime_type(mime_type.clone());
    }
    if let Some(scope) = &declared.scope {
        draft = draft.scope(scope);
    }
    let (uri, mime_type) = (declared.uri.clone(), declared.mime.clone());
    match declared.origin.clone() {
        // A file may lie on a disk that must first wake up.
        Origin::File { path, most_bytes } => draft.handler_blocking(move |_| {
            let data = read(&path, most_bytes).map_err(|error| ToolError::new(format!("The file cannot be read: {error}.")))?;
            Ok(outcome::contents(uri.clone(), mime_type.clone(), data))
        }),
        Origin::Command { run, setting } => {
            let source = Rc::new(Source { uri, mime_type, run, setting, gate: commands.gate(&declared.uri) });
            let commands = Rc::clone(commands);
            draft.handler(move |call| print(Rc::clone(&source), Rc::clone(&commands), call))
        }
    }
}

struct Source {
    uri: String,
    mime_type: Option<String>,
    run: Template,
    setting: Setting,
    gate: Rc<Gate>,
}

async fn print(source: Rc<Source>, commands: Rc<Commands>, call: Call) -> Result<Contents, ToolError> {
    let Setting { timeout, output_bytes, .. } = source.setting;
    let argv = argv::fill(&source.run, &[], |_| &Value::Null)?;
    let share = Share { concurrency: limits::COMMAND_CONCURRENCY, rate: None, output_bytes };
    let permit = commands.admit(&source.gate, share, &call.principal().subject)?;
    let ran = execute(&argv, &source.setting, Capture::new(output_bytes, true), permit).await?;
    let data = outcome::whole("the resource", timeout, &ran)?.to_vec();
    Ok(outcome::contents(source.uri.clone(), source.mime_type.clone(), data))
}

/// The whole file, if it is one and not too large. A pipe or device in its place would block.
fn read(path: &Path, most_bytes: usize) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut data = Vec::new();
    file.take(most_bytes as u64 + 1).read_to_end(&mut data)?;
    if data.len() > most_bytes {
        return Err(io::Error::other(format!("it is larger than {most_bytes} bytes")));
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_or_too_large_is_refused() {
        assert!(read(Path::new("/"), 1000).is_err());
        assert!(read(Path::new("/dev/zero"), 1000).unwrap_err().to_string().contains("no file"));
        assert!(read(Path::new("/nonexistent"), 1000).is_err());
        assert!(read(Path::new("/proc/self/status"), 10).unwrap_err().to_string().contains("larger than 10"));
        assert!(!read(Path::new("/proc/self/status"), 100_000).unwrap().is_empty());
    }
}
