//! Lines of GPIO chips, as the owner names them.

use super::file::{LineTable, NumberOrName, Placed};
use super::read::Source;
use super::tree::Named;
use crate::error::Error;
use crate::limits;
use std::fmt;

/// The lines that assistants may read or switch, already checked.
#[derive(Clone, Debug, Default)]
pub struct Gpio {
    pub(crate) lines: Vec<GpioLine>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GpioLine {
    pub(crate) name: String,
    pub(crate) about: Option<String>,
    pub(crate) wiring: Wiring,
    /// Off or on, where nobody wants it otherwise; of an output, and of no other.
    pub(crate) safe: Option<bool>,
}

/// Which line it is, and how it is used. What is equal here is one line to the kernel, whatever it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wiring {
    /// The name or path of a device, or the label of a chip.
    pub(crate) chip: String,
    pub(crate) line: Which,
    pub(crate) is_output: bool,
    pub(crate) is_active_low: bool,
    pub(crate) bias: Option<Bias>,
}

/// Which line of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Number(u32),
    Name(String),
}

/// What pulls at a line that nobody drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bias {
    PullUp,
    PullDown,
    Off,
}

impl fmt::Display for Wiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Which::Number(number) => write!(f, "line {number} of {}", self.chip),
            Which::Name(name) => write!(f, "line `{name}` of {}", self.chip),
        }
    }
}

impl Source<'_> {
    pub(super) fn gpio(&self, tables: &Named<LineTable>) -> Result<Gpio, Error> {
        let mut lines: Vec<GpioLine> = Vec::new();
        for (name, table) in &tables.0 {
            if lines.len() >= limits::GPIO_LINES {
                let what = format!("there are more than {} lines", limits::GPIO_LINES);
                return Err(self.fault(name.span(), what, "A model chooses badly among more: leave some out."));
            }
            let line = self.line(name, table)?;
            let is_same = |other: &&GpioLine| other.wiring.chip == line.wiring.chip && other.wiring.line == line.wiring.line;
            if let Some(other) = lines.iter().find(is_same) {
                let what = format!("`{}` is {} already", other.name, line.wiring);
                return Err(self.fault(table.line.span(), what, "A line is one thing only: take one of the two out."));
            }
            lines.push(line);
        }
        Ok(Gpio { lines })
    }

    fn line(&self, name: &Placed<String>, table: &LineTable) -> Result<GpioLine, Error> {
        let is_output = self.checked(&table.direction, direction)?;
        let safe = match (&table.safe, is_output) {
            (Some(safe), true) => Some(*safe.get_ref()),
            (None, false) => None,
            (None, true) => {
                let what = "an output must say what is safe, as it is switched to that when perchd starts, stops or gives it up";
                return Err(self.fault(name.span(), what, "Say safe = false if it is off then, safe = true if it is on."));
            }
            (Some(safe), false) => {
                return Err(self.fault(
                    safe.span(),
                    "an input is not switched, so that nothing of it is safe",
                    "Take `safe` out.",
                ));
            }
        };
        let wiring = Wiring {
            chip: self.checked(&table.chip, chip)?,
            line: match table.line.get_ref() {
                NumberOrName::Number(number) => Which::Number(*number),
                NumberOrName::Name(line) if is_label(line) => Which::Name(line.clone()),
                NumberOrName::Name(_) => return Err(self.fault(table.line.span(), LABEL, "See them: gpioinfo")),
            },
            is_output,
            is_active_low: table.active_low,
            bias: table.bias.as_ref().map(|name| self.checked(name, bias)).transpose()?,
        };
        let about = table.about.as_ref().map(|about| self.checked(about, about_line)).transpose()?;
        Ok(GpioLine { name: self.checked(name, line_name)?, about, wiring, safe })
    }
}

/// The kernel has no longer ones (`GPIO_MAX_NAME_SIZE`).
const LABEL: &str = "the name of a chip or line has 1 to 31 bytes and no control characters";

fn is_label(text: &str) -> bool {
    (1..=31).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Names and paths are the same device.
fn chip(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("/dev/").filter(|name| name.starts_with("gpiochip") && !name.contains('/')).unwrap_or(text);
    let is_path = name.starts_with('/') && name.len() <= 255 && !name.chars().any(char::is_control);
    if is_path || is_label(name) { Ok(name.to_owned()) } else { Err(LABEL.to_owned()) }
}

fn direction(name: &str) -> Result<bool, String> {
    match name {
        "in" => Ok(false),
        "out" => Ok(true),
        other => Err(format!("`{other}` is no direction: there are \"in\" and \"out\"")),
    }
}

fn bias(name: &str) -> Result<Bias, String> {
    match name {
        "pull-up" => Ok(Bias::PullUp),
        "pull-down" => Ok(Bias::PullDown),
        "off" => Ok(Bias::Off),
        other => Err(format!("`{other}` is no bias: there are \"pull-up\", \"pull-down\" and \"off\"")),
    }
}

/// It stands in a URI, too.
fn line_name(name: &str) -> Result<String, String> {
    let is_good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if (1..=limits::GPIO_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_good) {
        return Ok(name.to_owned());
    }
    Err(format!("the name of a line is 1 to {} letters, digits, `_` and `-`", limits::GPIO_NAME_BYTES))
}

fn about_line(text: &str) -> Result<String, String> {
    if (1..=256).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err("what a line is for is said in 1 to 256 bytes, on one line".to_owned())
}
