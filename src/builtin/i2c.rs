//! Registers of I2C devices that the owner has named, read through `i2ctransfer` of i2c-tools: by the exec engine, without a
//! shell, with a command line that no call chooses. Nothing is ever written but the number of the register.

use crate::builtin::exec::{self, Commands, Program};
use crate::config::declared::Setting;
use crate::config::i2c::{Device, Register};
use crate::error::Error;
use crate::limits;
use crate::tool::{Arg, Call, Catalog, Output, Tool, ToolError};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// What a token needs.
const SCOPE: &str = "i2c:read";

/// Where Debian and others have it.
const PLACES: [&str; 2] = ["/usr/sbin/i2ctransfer", "/usr/bin/i2ctransfer"];

/// Offers the tool for these devices. `commands` outlives the configuration.
///
/// # Errors
/// When its name is taken.
pub(crate) fn offer(catalog: &mut Catalog, devices: &[Device], commands: &Rc<Commands>) -> Result<(), Error> {
    let found = PLACES.into_iter().find(|place| Path::new(place).exists()).unwrap_or(PLACES[0]);
    offer_through(catalog, devices, commands, found)
}

fn offer_through(catalog: &mut Catalog, devices: &[Device], commands: &Rc<Commands>, program: &str) -> Result<(), Error> {
    if devices.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    catalog.describe(SCOPE, format!("Read devices on the I2C bus: {}", names.join(", ")));
    let uses = devices.iter().filter_map(|device| Some(format!("{}: {}", device.name, device.about.as_ref()?)));
    let about = ["Which device; all of them if none is named".to_owned()].into_iter().chain(uses).collect::<Vec<_>>().join(". ");
    let schema = written!({
        "type": "object",
        "properties": {"values": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "device": {"type": "string"},
                "name": {"type": "string"},
                "value": {"type": "number"},
                "unit": {"type": "string"},
                "fault": {"type": "string", "description": "Why it cannot be read"}
            },
            "required": ["device", "name"]
        }}},
        "required": ["values"]
    });
    let setting = Setting {
        cwd: PathBuf::from("/"),
        env: vec![("LC_ALL".to_owned(), "C".to_owned())],
        timeout: Duration::from_secs(limits::I2C_SECS),
        output_bytes: 1024,
    };
    let reader = Program::reading("read_i2c", vec![program.to_owned()], setting, commands);
    let bus = Rc::new(Bus { devices: devices.to_vec(), deadline: reader.deadline(), reader, program: program.to_owned() });
    let registers = devices.iter().map(|device| device.registers.len()).sum::<usize>();
    let tool = Tool::new("read_i2c", "Reads what devices on the I2C bus of the board measure, as the owner has named it.")
        .title("Read I2C devices")
        .scope(SCOPE)
        .idempotent()
        .deadline(bus.deadline.saturating_mul(u32::try_from(registers).unwrap_or(u32::MAX)))
        .arg(Arg::string("device", about).one_of(names.iter().map(|name| (*name).to_owned())).optional())
        .vouched_schema(&schema)
        .handler(move |call| read(Rc::clone(&bus), call));
    catalog.add(tool)
}

struct Bus {
    devices: Vec<Device>,
    reader: Program,
    deadline: Duration,
    program: String,
}

/// What a register says.
#[derive(Serialize)]
struct Told<'a> {
    device: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

async fn read(bus: Rc<Bus>, call: Call) -> Result<Output, ToolError> {
    if !Path::new(&bus.program).exists() {
        return Err(ToolError::new(format!("The board has no {}. Its owner can install i2c-tools.", bus.program)));
    }
    let wanted: Option<String> = call.arg("device")?;
    let mut values = Vec::new();
    for device in bus.devices.iter().filter(|device| wanted.as_ref().is_none_or(|wanted| *wanted == device.name)) {
        for register in &device.registers {
            let (value, fault) = match bus.value(device, register, &call).await {
                Ok(value) => (Some(value), None),
                Err(error) => (None, Some(error.to_string())),
            };
            let unit = register.unit.as_deref();
            values.push(Told { device: &device.name, name: &register.name, value, unit, fault });
        }
    }
    let line = |told: &Told<'_>| match (told.value, &told.fault) {
        (Some(value), _) => format!("{} {}: {value} {}", told.device, told.name, told.unit.unwrap_or_default()),
        (None, fault) => format!("{} {}: {}", told.device, told.name, fault.as_deref().unwrap_or_default()),
    };
    let text: Vec<_> = values.iter().map(line).collect();
    if values.iter().all(|told| told.value.is_none()) {
        return Err(ToolError::new(text.join("\n")));
    }
    Output::text_and_member(text.join("\n"), "values", &values)
}

impl Bus {
    async fn value(&self, device: &Device, register: &Register, call: &Call) -> Result<f64, ToolError> {
        let ran = self.reader.run(words(device, register), &call.principal().subject).await?;
        if let Some(refusal) = exec::refusal(self.reader.timeout(), &ran) {
            return Err(refusal);
        }
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        value(register, &text).ok_or_else(|| ToolError::new(format!("i2ctransfer printed no bytes but {text:?}.")))
    }
}

/// Says which register, and reads it in the same transfer: nothing else on the bus comes between.
fn words(device: &Device, register: &Register) -> Vec<String> {
    let Device { bus, address, .. } = device;
    [
        "-y".to_owned(),
        bus.to_string(),
        format!("w1@{address:#04x}"),
        format!("{:#04x}", register.number),
        format!("r{}", register.bytes),
    ]
    .to_vec()
}

/// What the bytes mean; `None` unless there are as many as were asked for.
fn value(register: &Register, text: &str) -> Option<f64> {
    let byte = |word: &str| u8::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let mut bytes: Vec<u8> = text.split_ascii_whitespace().map(byte).collect::<Option<_>>()?;
    if bytes.len() != register.bytes as usize {
        return None;
    }
    if register.is_little {
        bytes.reverse();
    }
    let number = bytes.iter().fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
    let whole = 1_i64 << (8 * register.bytes);
    let number = if register.is_signed && number >= whole / 2 { number - whole } else { number };
    // Four bytes at most: no number is lost.
    #[allow(clippy::cast_precision_loss)]
    let raw = number as f64;
    // 0.0625 and the like are exact; what is not shall not be shown with the noise of its seventeenth digit.
    let value = raw * register.scale + register.offset;
    Some((value * 1e9).round() / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::json::Raw;
    use crate::principal::{Principal, Scopes};
    use crate::tool::{Client, Handler, Nobody, Wire, Yield};
    use serde_json::Value;
    use serde_json::json;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use tokio::runtime::{Builder, LocalOptions};

    const CLIMATE: &str = "
        [i2c.climate]
        bus = 1
        address = 0x48
        about = \"In the greenhouse\"
        registers.temperature = { register = 0x00, bytes = 2, signed = true, scale = 0.00390625, unit = \"°C\" }
        registers.humidity = { register = 0x0a, offset = 5, unit = \"%\" }

        [i2c.level]
        bus = 0
        address = 0x20
        registers.raw = { register = 16, bytes = 4, order = \"little\" }
    ";

    fn devices(toml: &str) -> Result<Vec<Device>, String> {
        let config = Config::parse(&format!("state = \"/\"\n{toml}"), Path::new("/perchd.toml"));
        config.map(|config| config.i2c).map_err(|error| error.to_string())
    }

    #[test]
    fn what_no_device_can_be_is_refused_with_its_line() {
        let table = |keys: &str| devices(&format!("[i2c.a]\n{keys}\n")).unwrap_err();
        for (keys, what) in [
            ("bus = 1\naddress = 0x48", "there is no register"),
            ("bus = 1\naddress = 0x03\nregisters.x = { register = 0 }", "perchd.toml:4: the address of a device"),
            ("bus = 1\naddress = 0x78\nregisters.x = { register = 0 }", "the address of a device"),
            ("bus = 999\naddress = 0x48\nregisters.x = { register = 0 }", "perchd.toml:3: a bus is a number"),
            ("bus = 1\naddress = 0x48\nregisters.x = { register = 256 }", "a register is a number"),
            ("bus = 1\naddress = 0x48\nregisters.x = { register = 0, bytes = 5 }", "1 to 4 bytes"),
            ("bus = 1\naddress = 0x48\nregisters.x = { register = 0, order = \"middle\" }", "`middle` is no order"),
            ("bus = 1\naddress = 0x48\nregisters.x = { register = 0, scale = inf }", "no number to calculate with"),
            ("bus = 1\naddress = 0x48\nregisters.x = { register = 0, write = true }", "write"),
            ("bus = 1\naddress = 0x48\nregisters.\"x y\" = { register = 0 }", "`x y` is no name"),
        ] {
            let told = table(keys);
            assert!(told.contains(what), "{keys}: {told}");
        }
        let many: Vec<_> = (0..=limits::I2C_REGISTERS).map(|n| format!("registers.x{n} = {{ register = {n} }}\n")).collect();
        assert!(table(&format!("bus = 1\naddress = 0x48\n{}", many.concat())).contains("registers"));
        let table = |n| format!("[i2c.d{n}]\nbus = 1\naddress = 0x48\nregisters.x = {{ register = 0 }}\n");
        let many: Vec<_> = (0..=limits::I2C_DEVICES).map(table).collect();
        assert!(devices(&many.concat()).unwrap_err().contains("devices"));
    }

    #[test]
    fn bytes_mean_what_the_data_sheet_says() {
        let devices = devices(CLIMATE).unwrap();
        let register =
            |name: &str| devices.iter().flat_map(|device| &device.registers).find(|register| register.name == name).unwrap();
        let table = [
            ("temperature", "0x19 0x80\n", Some(25.5)),
            ("temperature", "0xe7 0x00", Some(-25.0)),
            ("temperature", "0x80 0x00", Some(-128.0)),
            ("humidity", "0xff", Some(260.0)),
            ("raw", "0x01 0x00 0x00 0xff", Some(4_278_190_081.0)),
            ("temperature", "0x19", None),
            ("temperature", "0x19 0x80 0x00", None),
            ("temperature", "", None),
            ("temperature", "25 26", None),
            ("temperature", "0x19 0x100", None),
            ("temperature", "0x19 0x-1", None),
        ];
        for (name, text, meant) in table {
            assert_eq!(value(register(name), text), meant, "{name} {text}");
        }
    }

    /// Calls the tool with `script` in the place of i2ctransfer.
    fn called(name: &str, script: &str, arguments: &Value) -> Result<Value, String> {
        let program = std::env::temp_dir().join(format!("perchd-i2c-{}-{name}", std::process::id()));
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        let mut catalog = Catalog::default();
        let commands = Rc::<Commands>::default();
        offer_through(&mut catalog, &devices(CLIMATE).unwrap(), &commands, program.to_str().unwrap()).unwrap();
        let told = runtime.block_on(async {
            let tool = catalog.find("read_i2c").unwrap();
            let arguments = tool.read(Raw::read(&arguments.to_string()))?;
            let call = Call::new(arguments, Principal::anonymous(Scopes::none()), Client::default(), Wire::new(Nobody));
            let Handler::Local(handler) = tool.handler() else { panic!("it does not block") };
            let Yield::Output(output) = handler(call).await? else { panic!("a tool returns output") };
            tool.check(&output)?;
            Ok::<_, ToolError>(serde_json::from_str(&output.structured_content().unwrap()).unwrap())
        });
        fs::remove_file(program).unwrap();
        told.map_err(|error| error.to_string())
    }

    #[test]
    fn each_register_is_one_transfer_that_writes_nothing_but_its_number() {
        let script = "#!/bin/sh\ncase \"$*\" in\n'-y 1 w1@0x48 0x00 r2') echo 0x19 0x80;;\n'-y 1 w1@0x48 0x0a r1') echo 0x28;;\n\
                      '-y 0 w1@0x20 0x10 r4') echo 'Error: Sending messages failed: Remote I/O error' >&2; exit 1;;\n*) exit 9;;\nesac\n";
        let all = called("all", script, &json!({})).unwrap();
        assert_eq!(all["values"][0], json!({"device": "climate", "name": "humidity", "value": 45.0, "unit": "%"}));
        assert_eq!(all["values"][1], json!({"device": "climate", "name": "temperature", "value": 25.5, "unit": "°C"}));
        assert!(all["values"][2]["fault"].as_str().unwrap().contains("Remote I/O error"), "{all}");
        let one = called("one", script, &json!({"device": "level"})).unwrap_err();
        assert!(one.starts_with("level raw: The command ended with the exit code 1."), "{one}");
        assert!(called("other", script, &json!({"device": "other"})).unwrap_err().contains("climate"));
    }

    #[test]
    fn whatever_i2ctransfer_prints_is_a_number_or_a_fault() {
        for script in ["#!/bin/sh\necho 0xzz\n", "#!/bin/sh\nhead -c 100000 /dev/zero\n", "#!/bin/sh\nkill -9 $$\n"] {
            assert!(called("odd", script, &json!({})).is_err(), "{script}");
        }
    }

    #[test]
    fn a_board_without_i2c_tools_says_what_to_install() {
        let mut catalog = Catalog::default();
        offer_through(&mut catalog, &devices(CLIMATE).unwrap(), &Rc::default(), "/nonexistent/i2ctransfer").unwrap();
        let runtime = Builder::new_current_thread().build_local(LocalOptions::default()).unwrap();
        let tool = catalog.find("read_i2c").unwrap();
        let call =
            Call::new(tool.read(None).unwrap(), Principal::anonymous(Scopes::none()), Client::default(), Wire::new(Nobody));
        let Handler::Local(handler) = tool.handler() else { panic!("it does not block") };
        assert!(runtime.block_on(handler(call)).unwrap_err().to_string().contains("install i2c-tools"));
    }
}
