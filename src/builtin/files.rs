//! Files in the folders that the owner lists, and nowhere else.

mod beneath;
mod budget;
mod content;
mod inside;
mod list;
mod write;

use beneath::{Base, told};
use budget::Budget;
use content::{Part, mime_type};
use inside::Inside;

use crate::config::{Config, Folder, Tls};
use crate::error::{Error, Exit};
use crate::limits;
use crate::tool::{Arg, Arguments, Catalog, Content, Contents, Draft, Output, Resource, Tool, ToolError};
use list::Listing;
use serde::Serialize;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a token needs to read.
const READ: &str = "files:read";
/// And to write.
const WRITE: &str = "files:write";

/// Offers the tools, and each folder as a resource.
///
/// # Errors
/// When a folder has the board's own secrets in it.
pub(super) fn offer(catalog: &mut Catalog, config: &Config) -> Result<(), Error> {
    let folders = &config.allowed.folders;
    folders.iter().try_for_each(|folder| check(folder, config))?;
    catalog.describe(READ, &*format!("Read files in {}", names(folders.iter())));
    let shelf = Shelf { folders: folders.clone().into(), budget: Budget::new(limits::FILES_BYTES) };
    catalog.add(list_files(&shelf))?;
    catalog.add(read_file(&shelf))?;
    catalog.add(tail_file(&shelf))?;
    if folders.iter().any(|folder| folder.may_write) {
        catalog.describe(WRITE, &*format!("Write files in {}", names(folders.iter().filter(|folder| folder.may_write))));
        catalog.add(write_file(&shelf))?;
    }
    for folder in folders {
        let (shelf, name) = (shelf.clone(), folder.name.clone());
        let listing = Resource::new(format!("folder://{name}"), &name)
            .about("The files in this folder")
            .mime_type("application/json")
            .scope(READ)
            .handler_blocking(move |arguments| shelf.contents(&arguments, &name, ""));
        catalog.add_resource(listing)?;
    }
    let known: Vec<String> = folders.iter().map(|folder| folder.name.clone()).collect();
    let template = Resource::new("folder://{folder}/{path}", "File")
        .about("A file, or what is in a folder. Slashes in the path are written %2F.")
        .scope(READ)
        .complete("folder", move |typed| known.iter().filter(|name| name.starts_with(typed)).cloned().collect())
        .handler_blocking(move |arguments| {
            shelf.contents(&arguments, &arguments.arg::<String>("folder")?, &arguments.arg::<String>("path")?)
        });
    catalog.add_resource(template)
}

fn names<'a>(folders: impl Iterator<Item = &'a Folder>) -> String {
    folders.map(|folder| folder.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Refuses a folder in which the keys of the board are, or what decides who comes in.
fn check(folder: &Folder, config: &Config) -> Result<(), Error> {
    let real = real(&folder.path);
    let mut secret = vec![real_parent(&config.state)];
    if let Some(file) = &config.file {
        secret.push(real_parent(file));
        secret.push(real_parent(&file.with_file_name("tools.d")));
    }
    if let Tls::Files { key, .. } = &config.tls {
        secret.push(real_parent(&key.path));
    }
    let holds = secret.iter().find(|secret| secret.starts_with(&real) || real.starts_with(secret));
    let what = match holds {
        Some(secret) => format!("{} must not be read or written by a model, and is in this folder", secret.display()),
        None if ["/proc", "/sys", "/dev"].iter().any(|special| real.starts_with(special)) => {
            "what is in /proc, /sys and /dev are no files: reading them can do something, or never end".to_owned()
        }
        None => return Ok(()),
    };
    let place = config.file.as_ref().map_or_else(String::new, |file| format!("{}: ", file.display()));
    let remedy = "List another folder, such as one that has nothing else in it.";
    Err(Error::new(Exit::Config, what).at(format!("{place}[[folder]] `{}`", folder.name)).remedy(remedy))
}

/// The path without links; of what is not there yet, as it stands.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The same of what may be made later.
fn real_parent(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    })
}

fn arg_folder<'a>(folders: impl Iterator<Item = &'a Folder>) -> Arg {
    Arg::string("folder", "which folder").one_of(folders.map(|folder| &folder.name))
}

fn arg_path(about: &str) -> Arg {
    Arg::string("path", format!("{about}, within the folder and as list_files shows it")).chars(1, limits::PATH_BYTES)
}

fn reader(draft: Draft, title: &str, shelf: &Shelf, properties: &Value, required: &[&str]) -> Draft {
    draft
        .audited()
        .title(title)
        .arg(arg_folder(shelf.folders.iter()))
        .scope(READ)
        .idempotent()
        .vouched_schema(&schema(properties, required))
}

/// The schema of an answer about a path.
fn schema(properties: &Value, required: &[&str]) -> Value {
    let mut schema = written!({
        "type": "object",
        "properties": { "folder": { "type": "string" }, "path": { "type": "string" } },
        "additionalProperties": false
    });
    for (name, property) in properties.as_object().into_iter().flatten() {
        schema["properties"][name] = property.clone();
    }
    schema["required"] = ["folder", "path"].iter().chain(required).copied().map(Value::from).collect();
    schema
}

fn list_files(shelf: &Shelf) -> Tool {
    let properties = written!({
        "entries": { "type": "array", "items": {
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "kind": { "type": "string", "enum": ["file", "folder", "link", "pipe", "socket", "device"] },
                "size_bytes": { "type": "integer", "minimum": 0 },
                "modified_unix": { "type": "integer", "description": "seconds since 1970" }
            },
            "required": ["name", "kind", "size_bytes", "modified_unix"],
            "additionalProperties": false
        } },
        "next": { "type": "string", "description": "give it as `after` to see what follows" },
        "is_truncated": { "type": "boolean", "description": "whether there are more than can be listed" }
    });
    let draft = Tool::new("list_files", "Lists what is in a folder of the board that its owner opened for this.");
    let answer = shelf.clone();
    reader(draft, "List files", shelf, &properties, &["entries", "is_truncated"])
        .arg(Arg::string("path", "a folder within it, if not it itself").chars(0, limits::PATH_BYTES).default(""))
        .arg(Arg::string("after", "the `next` of the answer before").chars(0, limits::PATH_BYTES).default(""))
        .handler_blocking(move |arguments| {
            let asked = answer.asked(&arguments)?;
            let after = Inside::parse(&arguments.arg::<String>("after")?)?;
            let after = after.0.first().map(std::ffi::OsString::as_os_str).unwrap_or_default();
            let listing = asked.list(after)?;
            Output::text_and_structured(listing.to_string(), &listing)
        })
}

fn read_file(shelf: &Shelf) -> Tool {
    let properties = written!({
        "size_bytes": { "type": "integer", "minimum": 0 },
        "offset": { "type": "integer", "minimum": 0 },
        "text": { "type": "string", "description": "missing where it is no text: then the bytes are in the content" },
        "mime_type": { "type": "string" },
        "next_offset": { "type": "integer", "minimum": 0, "description": "where to go on, if there is more" }
    });
    let about = "Reads a file on the board, or a part of one. What is no text comes as bytes, a picture as a picture.";
    let answer = shelf.clone();
    reader(Tool::new("read_file", about), "Read a file", shelf, &properties, &["size_bytes", "offset", "mime_type"])
        .arg(arg_path("the file"))
        // A double holds each whole number up to 2^53.
        .arg(Arg::integer("offset", "the byte to begin at").between(0, 9_007_199_254_740_991.0).default(0))
        .handler_blocking(move |arguments| answer.asked(&arguments)?.read(&answer.budget, arguments.arg("offset")?))
}

fn tail_file(shelf: &Shelf) -> Tool {
    let properties = written!({
        "size_bytes": { "type": "integer", "minimum": 0 },
        "text": { "type": "string" },
        "lines": { "type": "integer", "minimum": 0 },
        "is_truncated": { "type": "boolean", "description": "whether there are lines before these" }
    });
    let draft = Tool::new("tail_file", "Reads the last lines of a file on the board, such as a log.");
    let answer = shelf.clone();
    reader(draft, "End of a file", shelf, &properties, &["size_bytes", "text", "lines", "is_truncated"])
        .arg(arg_path("the file"))
        .arg(Arg::integer("lines", "how many").between(1, 1000).default(50))
        .handler_blocking(move |arguments| answer.asked(&arguments)?.tail(&answer.budget, arguments.arg("lines")?))
}

fn write_file(shelf: &Shelf) -> Tool {
    let properties = written!({
        "size_bytes": { "type": "integer", "minimum": 0 },
        "is_replaced": { "type": "boolean", "description": "whether there was another in its place" }
    });
    let about = "Writes a text file on the board, whole or not at all. One that is there already is kept unless `replace` says \
                 otherwise.";
    let answer = shelf.clone();
    Tool::new("write_file", about)
        .title("Write a file")
        .audited()
        .arg(arg_folder(shelf.folders.iter().filter(|folder| folder.may_write)))
        .arg(arg_path("the file"))
        .arg(Arg::string("text", "what will be in it").chars(0, limits::FILE_BYTES_MAX).secret())
        .arg(Arg::boolean("replace", "whether one that is there is replaced").default(false))
        .scope(WRITE)
        .destroys()
        .vouched_schema(&schema(&properties, &["size_bytes", "is_replaced"]))
        .handler_blocking(move |arguments| {
            answer.asked(&arguments)?.write(&arguments.arg::<String>("text")?, arguments.arg("replace")?)
        })
}

/// The folders, and the memory for what is in them.
#[derive(Clone, Debug)]
struct Shelf {
    folders: Arc<[Folder]>,
    budget: Budget,
}

impl Shelf {
    fn asked(&self, arguments: &Arguments) -> Result<Asked, ToolError> {
        self.find(&arguments.arg::<String>("folder")?, &arguments.arg::<String>("path")?)
    }

    fn find(&self, folder: &str, path: &str) -> Result<Asked, ToolError> {
        let folder = self.folders.iter().find(|known| known.name == folder);
        let folder = folder.ok_or_else(|| format!("There is no such folder: there are {}.", names(self.folders.iter())))?;
        let inside = Inside::parse(path)?;
        let base = Base::open(&folder.path)
            .map_err(|error| format!("The folder `{}` cannot be opened: {}.", folder.name, told(&error)))?;
        Ok(Asked { folder: folder.clone(), base, inside })
    }

    /// What a resource holds: a whole file, or the list of a folder.
    fn contents(&self, arguments: &Arguments, folder: &str, path: &str) -> Result<Contents, ToolError> {
        let uri: String = arguments.arg("uri")?;
        let asked = self.find(folder, path)?;
        let metadata = asked.base.metadata(&asked.inside).map_err(|error| asked.fault("read", &error))?;
        if metadata.is_dir() {
            let listing = serde_json::to_string(&asked.list("".as_ref())?)?;
            return Ok(Contents::text(uri, listing).mime_type("application/json"));
        }
        let most = asked.folder.max_bytes;
        if metadata.len() > most as u64 {
            return Err(
                format!("It has {} bytes, and at most {most} are shown at once: read_file shows parts.", metadata.len()).into()
            );
        }
        let _share = self.budget.take(most)?;
        let (mut file, _) = asked.base.file(&asked.inside).map_err(|error| asked.fault("read", &error))?;
        match content::read(&mut file, 0, most).map_err(|error| asked.fault("read", &error))? {
            Part::Text(text) => Ok(Contents::text(uri, text).mime_type("text/plain")),
            Part::Bytes(bytes) => Ok(blob(uri, bytes)),
        }
    }
}

fn blob(uri: String, bytes: Vec<u8>) -> Contents {
    let mime_type = mime_type(&bytes);
    Contents::blob(uri, bytes).mime_type(mime_type)
}

/// A path in a folder that somebody asked about.
#[derive(Debug)]
struct Asked {
    folder: Folder,
    base: Base,
    inside: Inside,
}

#[derive(Serialize)]
struct Portion<'a> {
    folder: &'a str,
    path: String,
    size_bytes: u64,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u64>,
}

#[derive(Serialize)]
struct End<'a> {
    folder: &'a str,
    is_truncated: bool,
    lines: usize,
    path: String,
    size_bytes: u64,
    text: &'a str,
}

#[derive(Serialize)]
struct Written<'a> {
    folder: &'a str,
    is_replaced: bool,
    path: &'a str,
    size_bytes: usize,
}

impl Asked {
    fn list(&self, after: &std::ffi::OsStr) -> Result<Listing, ToolError> {
        list::list(&self.base, &self.folder.name, &self.inside, after).map_err(|error| self.fault("listed", &error))
    }

    fn read(&self, budget: &Budget, offset: u64) -> Result<Output, ToolError> {
        let _share = budget.take(self.folder.max_bytes)?;
        let fault = |error: io::Error| self.fault("read", &error);
        let (mut file, metadata) = self.base.file(&self.inside).map_err(fault)?;
        let part = content::read(&mut file, offset, self.folder.max_bytes).map_err(fault)?;
        let size_bytes = metadata.len();
        let end = offset + part.len();
        let next_offset = (part.len() > 0 && end < size_bytes).then_some(end);
        let (text, mime_type) = match &part {
            Part::Text(text) => (Some(text.as_str()), "text/plain".into()),
            Part::Bytes(bytes) => (None, mime_type(bytes)),
        };
        let (folder, path) = (self.folder.name.as_str(), self.inside.shown());
        let portion = Portion { folder, path, size_bytes, offset, text, mime_type: &mime_type, next_offset };
        let mut output = match text {
            Some(text) => Output::text_and_structured(text, &portion)?,
            None => Output::text_and_structured(format!("It is no text: {mime_type}, {size_bytes} bytes."), &portion)?,
        };
        if let Part::Bytes(bytes) = part {
            output = output.and(if mime_type.starts_with("image/") && offset == 0 && next_offset.is_none() {
                Content::Image { data: bytes, mime_type }
            } else {
                Content::from(Contents::blob(self.inside.uri(folder), bytes).mime_type(mime_type))
            });
        }
        Ok(match next_offset {
            Some(next) => output.and(format!("This is not all: it has {size_bytes} bytes. Go on with offset = {next}.")),
            None => output,
        })
    }

    fn tail(&self, budget: &Budget, lines: usize) -> Result<Output, ToolError> {
        let _share = budget.take(self.folder.max_bytes)?;
        let fault = |error: io::Error| self.fault("read", &error);
        let (mut file, metadata) = self.base.file(&self.inside).map_err(fault)?;
        let tail = content::tail(&mut file, metadata.len(), lines, self.folder.max_bytes).map_err(fault)?;
        let answer = End {
            folder: &self.folder.name,
            is_truncated: tail.is_truncated,
            lines: tail.lines,
            path: self.inside.shown(),
            size_bytes: metadata.len(),
            text: &tail.text,
        };
        Output::text_and_structured(&*tail.text, &answer)
    }

    fn write(&self, text: &str, may_replace: bool) -> Result<Output, ToolError> {
        let most = self.folder.max_bytes;
        if !self.folder.may_write {
            return Err(format!("The folder `{}` can be read, not written to.", self.folder.name).into());
        }
        if text.len() > most {
            return Err(format!("The text has {} bytes, and at most {most} can be written to this folder.", text.len()).into());
        }
        let is_replaced = write::write(&self.base, &self.inside, text.as_bytes(), may_replace)
            .map_err(|error| self.fault("written", &error))?;
        let (path, size_bytes) = (self.inside.shown(), text.len());
        let told =
            format!("Wrote {size_bytes} bytes to {path}{}.", if is_replaced { ", in place of what was there" } else { "" });
        let answer = Written { folder: &self.folder.name, is_replaced, path: &path, size_bytes };
        Output::text_and_structured(told, &answer)
    }

    fn fault(&self, done: &str, error: &io::Error) -> ToolError {
        let path = self.inside.shown();
        format!("`{path}` in the folder `{}` cannot be {done}: {}.", self.folder.name, told(error)).into()
    }
}

#[cfg(test)]
mod tests;
