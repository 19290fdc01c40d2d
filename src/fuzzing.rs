//! Doors for the fuzz targets; there only when they are built.

use crate::builtin::{self, exec, exec::argv::fill};
use crate::config::Config;
use crate::config::declared::argv::{element, pieces};
use crate::config::declared::{DeclaredArg, Element, Piece, Template};
use crate::http::event::{Event, Outbox};
use crate::json::Raw;
use crate::limits;
use crate::oauth::fuzzing as oauth;
use crate::seal::Purpose;
use crate::server::fuzzing::Bench;
use crate::tool::{Arg, Catalog, Draft, Pattern, Tool};
use serde_json::Value;
use std::cell::OnceCell;
use std::path::Path;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

thread_local!(static BENCH: OnceCell<Bench> = const { OnceCell::new() });

/// What a connection answers on which `bytes` come, and then no more.
pub fn converse(bytes: &[u8]) -> Vec<u8> {
    BENCH.with(|bench| bench.get_or_init(Bench::new).converse(bytes))
}

/// The same where there is TLS: whether the first byte began a handshake, and what came back.
pub fn greet(bytes: &[u8]) -> (bool, Vec<u8>) {
    BENCH.with(|bench| bench.get_or_init(Bench::new).greet(bytes))
}

/// Everything that is sealed.
pub fn purposes() -> &'static [Purpose] {
    &Purpose::ALL
}

/// What an authority says to a query of `/authorize`; in it, `{client}` is one that is registered.
pub fn authorize(query: &str) {
    thread_local!(static BENCH: oauth::Bench = oauth::Bench::new());
    BENCH.with(|bench| bench.authorize(query));
}

/// What an authority says to a form of `/token`; in it, `{client}`, `{verifier}`, `{code}` and `{refresh}` stand for good ones.
pub fn token(form: &str) {
    oauth::Bench::new().token(form);
}

/// A script of an outbox, a byte a step.
pub fn frames(steps: &[u8]) {
    let outbox = Rc::<Outbox>::default();
    outbox.number(1);
    let mut reader = outbox.read();
    let (mut pushed, mut read) = (0_u32, 0_u32);
    for step in steps.iter().take(512) {
        match step % 4 {
            0 if !outbox.is_closed() => {
                pushed += 1;
                outbox.push(Event::Message(format!("{{\"n\":{pushed}}}").into()));
            }
            1 => outbox.keep_alive(),
            2 => {
                let after = u32::from(step / 4).min(read);
                if outbox.rewind(after) {
                    read = after;
                    reader = outbox.read();
                }
            }
            _ => {
                let Poll::Ready(Some(frame)) = reader.poll_frame(&Context::from_waker(Waker::noop())) else { continue };
                let frame = String::from_utf8(frame.to_vec()).unwrap_or_default();
                assert!(frame.ends_with("\n\n") && frame.trim_end().matches("\n\n").count() == 0, "{frame:?}");
                if !frame.starts_with(':') {
                    read += 1;
                    assert_eq!(frame, format!("id: 1-{read}\nevent: message\ndata: {{\"n\":{read}}}\n\n"));
                }
            }
        }
    }
    assert!(read <= pushed);
}

/// A configuration with whatever it declares: it is offered, or refused with its line and a remedy.
pub fn tool_toml(text: &str) {
    match Config::parse(text, Path::new("fuzz.toml")) {
        Ok(config) => {
            let mut catalog = Catalog::default();
            if let Err(error) = exec::offer(&mut catalog, &config.declared, &Rc::default(), &Rc::default()) {
                assert!(error.to_string().starts_with("fuzz.toml:"), "{error}");
            }
        }
        Err(error) => assert!(error.to_string().starts_with("fuzz.toml"), "{error}"),
    }
}

/// Arguments of every kind: what is let through is within its bounds, and what is refused is told in words.
pub fn arg_check(json: &str) {
    let pattern = Pattern::new("[a-z]{2,5}(-[0-9]+)?").unwrap_or_else(|fault| unreachable!("{fault}"));
    let args = [
        Arg::string("text", "").chars(1, 8),
        Arg::string("one", "").one_of(["a", "b"]).default("a"),
        Arg::string("like", "").pattern(pattern).optional(),
        Arg::strings("list", "").items(0, 3).chars(1, 4).optional(),
        Arg::integer("whole", "").between(-5, 100).optional(),
        Arg::number("real", "").between(-0.5, 1.5).optional(),
        Arg::boolean("is", "").optional(),
    ];
    let tool = args.into_iter().fold(Tool::new("t", ""), Draft::arg).handler(|_| async { Ok("") });
    let Some(raw) = Raw::read(json) else { return };
    let read = match tool.read(Some(raw)) {
        Ok(read) => read,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("Argument") || told.starts_with("The arguments"), "{told}");
            assert!(told.chars().count() < 1000, "{told}");
            return;
        }
    };
    let value = |name: &str| read.value(name).clone();
    let chars = |value: &Value| value.as_str().map(|text| text.chars().count());
    assert!(chars(&value("text")).is_some_and(|chars| (1..=8).contains(&chars)));
    assert!(matches!(value("one").as_str(), Some("a" | "b")));
    let like = value("like");
    assert!(like.as_str().is_none_or(|text| (2..=5).contains(&text.find('-').unwrap_or(text.len()))));
    assert!(value("list").as_array().is_none_or(|items| items.len() <= 3 && items.iter().all(|item| chars(item) <= Some(4))));
    assert!(value("whole").as_f64().is_none_or(|whole| (-5.0..=100.0).contains(&whole) && whole.fract() == 0.0));
    assert!(value("real").as_f64().is_none_or(|real| (-0.5..=1.5).contains(&real)));
    assert!(value("is").is_null() || value("is").is_boolean());
}

/// A tree of `/proc` and `/sys` in lines `path = text`, as those of recorded boards: every tool that looks there answers.
pub fn proc_parse(tree: &str) {
    let folder = std::env::temp_dir().join(format!("perchd-fuzz-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let is_plain = |path: &str| {
        let is_name = |part: &str| !matches!(part, "" | "." | "..") && part.len() < 64 && !part.contains('\0');
        path.strip_prefix('/').is_some_and(|path| path.len() < 256 && path.split('/').all(is_name))
    };
    for (path, text) in tree.lines().take(256).filter_map(|line| line.split_once(" = ")).filter(|(path, _)| is_plain(path)) {
        let place = folder.join(&path[1..]);
        let made = place.parent().map(std::fs::create_dir_all);
        // What is a file already cannot be a folder, too.
        if made.is_some_and(|made| made.is_ok()) {
            let before = std::fs::read_to_string(&place).unwrap_or_default();
            let _ = std::fs::write(&place, before + text + "\n");
        }
    }
    builtin::look(folder.clone());
    let _ = std::fs::remove_dir_all(folder);
}

/// An element of a command line, and what an argument in it is: it arrives as it is, in one element, or is refused.
pub fn argv_template(text: &str, value: &str) {
    let Ok(element) = element(text, |name| (name == "a").then_some(0)) else { return };
    let prefix = match &element {
        Element::Argument { prefix, .. } => Some(prefix.clone()),
        Element::Literal(literal) => {
            assert_eq!(pieces(&literal.replace('{', "{{").replace('}', "}}")), Ok(vec![Piece::Text(literal.clone())]));
            None
        }
    };
    let template = Template { program: "/p".to_owned(), elements: vec![element.clone()] };
    let arg = DeclaredArg { arg: Arg::string("a", ""), allows_dash: false, flag: None };
    let given = Value::from(value);
    let filled = fill(&template, &[arg], |_| &given);
    match (prefix, filled) {
        (None, Ok(line)) => assert_eq!(Element::Literal(line[1..].concat()), element),
        (Some(prefix), Ok(line)) => {
            assert!(!value.starts_with('-') && !value.contains('\0') && !(prefix.ends_with('/') && value.contains('/')));
            assert_eq!(line, ["/p".to_owned(), format!("{prefix}{value}")]);
        }
        (prefix, Err(_)) => {
            let is_path =
                prefix.is_some_and(|prefix| prefix.ends_with('/')) && (value.contains('/') || matches!(value, "." | ".."));
            let is_long = text.len() + value.len() > limits::ELEMENT_BYTES;
            assert!(value.starts_with('-') || value.contains('\0') || is_path || is_long, "{value:?}");
        }
    }
}
