//! Lines of GPIO chips, which the owner has named: read, switched and pulsed by tools, watched as resources.

pub(crate) mod bank;
pub(crate) mod device;
#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use crate::builtin::gpio::bank::Bank;
use crate::config::Gpio;
use crate::config::gpio::GpioLine;
use crate::error::Error;
use crate::limits;
use crate::tool::{Arg, Call, Catalog, Contents, Output, Resource, Tool, ToolError};
use serde::Serialize;
use serde_json::Value;
use std::future::ready;
use std::rc::Rc;
use std::time::Duration;

/// What a token needs to read a line.
const READ: &str = "gpio:read";
/// And to switch one.
const WRITE: &str = "gpio:write";

/// Offers the tools, as far as there are lines for them, and each line as a resource. Nothing is opened for it: `bank`
/// does that, and outlives the configuration.
///
/// # Errors
/// When a name is taken.
pub(crate) fn offer(catalog: &mut Catalog, gpio: &Gpio, bank: &Rc<Bank>) -> Result<(), Error> {
    if gpio.lines.is_empty() {
        return Ok(());
    }
    let names = |lines: &[&GpioLine]| lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>().join(", ");
    let all: Vec<_> = gpio.lines.iter().collect();
    let outputs: Vec<_> = gpio.lines.iter().filter(|line| line.wiring.is_output).collect();
    catalog.describe(READ, format!("See whether these are on: {}", names(&all)));
    catalog.add(read_gpio(&all, bank))?;
    if !outputs.is_empty() {
        catalog.describe(WRITE, format!("Switch these on and off: {}", names(&outputs)));
        catalog.add(write_gpio(&outputs, bank))?;
        catalog.add(pulse_gpio(&outputs, bank))?;
    }
    all.iter().try_for_each(|line| catalog.add_resource(resource(line, bank)))
}

/// The URI of a line.
fn uri(name: &str) -> String {
    format!("gpio://{name}")
}

/// The argument that names a line, and says what each is for.
fn which(lines: &[&GpioLine]) -> Arg {
    let uses = lines.iter().filter_map(|line| Some(format!("{}: {}", line.name, line.about.as_ref()?.trim_end_matches('.'))));
    let about = ["Which line".to_owned()].into_iter().chain(uses).collect::<Vec<_>>().join(". ");
    Arg::string("line", about).one_of(lines.iter().map(|line| line.name.clone()))
}

/// What a line is like.
#[derive(Serialize)]
struct State {
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    line: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<bool>,
}

impl State {
    fn told(&self) -> String {
        match (self.on, &self.fault) {
            (Some(on), _) => format!("{} is {}", self.line, word(on)),
            (None, fault) => format!("{}: {}", self.line, fault.as_deref().unwrap_or_default()),
        }
    }
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn is_on(bank: &Bank, name: &str) -> Result<bool, ToolError> {
    bank.is_on(&bank.line(name)?)
}

fn read_gpio(lines: &[&GpioLine], bank: &Rc<Bank>) -> Tool {
    let known: Rc<[(String, bool)]> = lines.iter().map(|line| (line.name.clone(), line.wiring.is_output)).collect();
    let bank = Rc::clone(bank);
    let about = "Reads whether a line (GPIO) of the board is on, or all lines if none is named. On is what the owner means by it, \
                 whatever the voltage.";
    Tool::new("read_gpio", about)
        .title("Read GPIO")
        .scope(READ)
        .idempotent()
        .arg(which(lines).optional())
        .vouched_schema(&schema())
        .handler(move |call| ready(read(&call, &known, &bank)))
}

fn schema() -> Value {
    written!({
        "type": "object",
        "properties": {"lines": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "line": {"type": "string"},
                "direction": {"type": "string", "enum": ["in", "out"]},
                "on": {"type": "boolean"},
                "fault": {"type": "string", "description": "Why it cannot be read"}
            },
            "required": ["line", "direction"]
        }}},
        "required": ["lines"]
    })
}

fn read(call: &Call, known: &[(String, bool)], bank: &Bank) -> Result<Output, ToolError> {
    let wanted: Option<String> = call.arg("line")?;
    let mut states = Vec::new();
    for (name, is_output) in known.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == name)) {
        let direction = if *is_output { "out" } else { "in" };
        let state = match is_on(bank, name) {
            Ok(on) => State { line: name.clone(), direction, on: Some(on), fault: None },
            Err(error) if wanted.is_some() => return Err(error),
            Err(error) => State { line: name.clone(), direction, on: None, fault: Some(error.to_string()) },
        };
        states.push(state);
    }
    let told: Vec<_> = states.iter().map(State::told).collect();
    Output::text_and_member(told.join("\n"), "lines", &states)
}

fn write_gpio(outputs: &[&GpioLine], bank: &Rc<Bank>) -> Tool {
    let bank = Rc::clone(bank);
    Tool::new("write_gpio", "Switches a line (GPIO) of the board on or off; it stays so until it is switched again.")
        .title("Switch GPIO")
        .scope(WRITE)
        .writes()
        .idempotent()
        .audited()
        .arg(which(outputs))
        .arg(Arg::boolean("on", "true switches it on, false off"))
        .handler(move |call| ready(write(&call, &bank)))
}

fn write(call: &Call, bank: &Bank) -> Result<String, ToolError> {
    let (name, on) = (call.arg::<String>("line")?, call.arg("on")?);
    bank.switch(&bank.line(&name)?, on)?;
    Ok(format!("{name} is {}", word(on)))
}

fn pulse_gpio(outputs: &[&GpioLine], bank: &Rc<Bank>) -> Tool {
    let bank = Rc::clone(bank);
    let about = "Switches a line (GPIO) of the board out of its safe state for a time, as a finger does with a button, and back \
                 into it: also when the call is cancelled.";
    let most = u32::try_from(limits::PULSE_MS).unwrap_or(u32::MAX);
    Tool::new("pulse_gpio", about)
        .title("Pulse GPIO")
        .scope(WRITE)
        .writes()
        .audited()
        .arg(which(outputs))
        .arg(Arg::integer("milliseconds", "for how long").between(1, most))
        .handler(move |call| pulse(call, Rc::clone(&bank)))
}

/// What ends the call ends the pulse: it is dropped with it.
async fn pulse(call: Call, bank: Rc<Bank>) -> Result<String, ToolError> {
    let (name, milliseconds) = (call.arg::<String>("line")?, call.arg("milliseconds")?);
    let line = bank.line(&name)?;
    let pulse = bank.pulse(&line)?;
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    if !pulse.holds() {
        return Err(ToolError::new(format!("The pulse of {name} was cut short: it was switched otherwise meanwhile.")));
    }
    drop(pulse);
    Ok(format!("{name} was pulsed for {milliseconds} ms and is {} again", word(bank.is_on(&line)?)))
}

fn resource(line: &GpioLine, bank: &Rc<Bank>) -> Resource {
    let (name, bank) = (line.name.clone(), Rc::clone(bank));
    let what = if line.wiring.is_output { "An output: " } else { "An input: " };
    let about = what.to_owned() + line.about.as_deref().unwrap_or("on or off");
    let draft = Resource::new(uri(&name), &name).about(about).mime_type("text/plain").scope(READ);
    draft.handler(move |_| {
        let contents = is_on(&bank, &name).map(|on| Contents::text(uri(&name), word(on)).mime_type("text/plain"));
        ready(contents)
    })
}
