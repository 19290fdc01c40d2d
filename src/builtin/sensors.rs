//! Whatever measures something and the kernel knows of: found by itself, under the names and in the units that it gives.

mod hwmon;
mod iio;
mod onewire;

use crate::builtin::root::Root;
use crate::error::Error;
use crate::json;
use crate::tool::{Arg, Arguments, Catalog, Contents, Output, Resource, Tool, ToolError};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// What a token needs for them.
const SCOPE: &str = "sensors:read";

/// More sensors are not shown. A server with two processors of 64 cores has more.
const SENSORS: usize = 128;
/// More files of one chip are not looked at.
const CHANNELS: usize = 1024;
/// Nothing is as cold as this: it is what a chip says to which nothing is connected.
const UNCONNECTED_CELSIUS: f64 = -250.0;

/// Offers the tool `sensors` and the resources.
pub(super) fn offer(catalog: &mut Catalog, root: &Root) -> Result<(), Error> {
    catalog.describe(SCOPE, "Read the sensors that are connected to the board");
    catalog.add(tool(root.clone()))?;
    let all = root.clone();
    let list = Resource::new("sensors://all", "Sensors")
        .about("Every sensor that the kernel knows of, and what it measures at the moment")
        .mime_type("application/json")
        .scope(SCOPE)
        .handler_blocking(move |arguments| {
            let sensors = serde_json::to_string(&Readings::of(&all, "").sensors)?;
            contents(&arguments, format!("{{\"sensors\":{sensors}}}"))
        });
    catalog.add_resource(list)?;
    let (one, known) = (root.clone(), root.clone());
    let template = Resource::new("sensor://{name}", "Sensor")
        .about("What one sensor measures at the moment")
        .mime_type("application/json")
        .scope(SCOPE)
        .complete("name", move |typed| {
            let names = find(&known).into_iter().map(|sensor| sensor.name);
            names.filter(|name| name.starts_with(typed)).collect()
        })
        .handler_blocking(move |arguments| {
            let name: String = arguments.arg("name")?;
            let sensor = find(&one).into_iter().find(|sensor| sensor.name == name);
            let sensor = sensor.ok_or("There is no sensor of this name: sensors://all has those that there are.")?;
            contents(&arguments, serde_json::to_string(&sensor.reading(&one))?)
        });
    catalog.add_resource(template)
}

fn contents(arguments: &Arguments, json: String) -> Result<Contents, ToolError> {
    Ok(Contents::text(arguments.arg::<String>("uri")?, json).mime_type("application/json"))
}

fn tool(root: Root) -> Tool {
    let about = "Reads the sensors that are connected to the board or built into it: temperatures, humidity, pressure, voltages, \
                 fans and whatever else its kernel knows of. A sensor that cannot be read says why.";
    Tool::new("sensors", about)
        .title("Sensors")
        .arg(
            Arg::string("filter", "only sensors in whose name, chip, label or kind this stands, such as temp")
                .chars(1, 64)
                .optional(),
        )
        .scope(SCOPE)
        .idempotent()
        .vouched_schema(&schema())
        // A thermometer on a 1-wire bus takes most of a second.
        .handler_blocking(move |arguments| {
            let filter = arguments.arg::<Option<String>>("filter")?.unwrap_or_default();
            let readings = Readings::of(&root, &filter);
            Output::text_and_structured(readings.text(&filter), &readings)
        })
}

fn schema() -> Value {
    written!({
        "type": "object",
        "properties": {
            "sensors": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "name": { "type": "string", "description": "its name in sensor://{name}" },
                    "chip": { "type": "string" },
                    "label": { "type": "string", "description": "what the board's maker says that it measures" },
                    "kind": { "type": "string", "description": "such as temperature, voltage, fan, humidity" },
                    "value": { "type": "number", "description": "missing where it cannot be read" },
                    "unit": { "type": "string", "description": "empty where the kernel gives none" },
                    "problem": { "type": "string", "description": "why it cannot be read" }
                },
                "required": ["name", "chip", "kind", "unit"],
                "additionalProperties": false
            } },
            "is_truncated": { "type": "boolean", "description": "whether there are more" }
        },
        "required": ["sensors", "is_truncated"],
        "additionalProperties": false
    })
}

/// Something that measures.
#[derive(Debug)]
struct Sensor {
    name: String,
    chip: String,
    label: Option<String>,
    kind: String,
    unit: &'static str,
    measure: Measure,
}

/// How it is read.
#[derive(Debug)]
enum Measure {
    /// A file with a number, of which so many make one unit; another says 1 if it is not to be believed.
    Count { path: String, fault: Option<String>, per_unit: f64 },
    /// A file with a number that an offset is added to, and a scale then multiplied with.
    Channel { path: String, offset: Option<String>, scale: Option<String>, per_unit: f64 },
    /// The file `w1_slave`.
    Slave { path: String },
}

/// What a sensor says.
#[derive(Debug, Serialize)]
struct Reading {
    name: String,
    chip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What several say.
#[derive(Debug, Serialize)]
struct Readings {
    sensors: Vec<Reading>,
    is_truncated: bool,
}

/// Every sensor, under a name of its own that needs no escapes in a URI. Nothing is measured yet.
fn find(root: &Root) -> Vec<Sensor> {
    let mut sensors: Vec<Sensor> = Vec::new();
    for mut sensor in hwmon::find(root).into_iter().chain(iio::find(root)).chain(onewire::find(root)) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        sensor.name = sensor.name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let is_taken = |name: &str| sensors.iter().any(|other| other.name == name);
        if is_taken(&sensor.name) {
            let names = (2..).map(|number| format!("{}-{number}", sensor.name));
            sensor.name = names.into_iter().find(|name| !is_taken(name)).unwrap_or_default();
        }
        sensors.push(sensor);
        if sensors.len() > SENSORS {
            break;
        }
    }
    sensors
}

impl Sensor {
    fn fits(&self, filter: &str) -> bool {
        let words = [Some(&self.name), Some(&self.chip), self.label.as_ref(), Some(&self.kind)];
        let filter = filter.to_ascii_lowercase();
        words.into_iter().flatten().any(|word| word.to_ascii_lowercase().contains(&filter))
    }

    fn reading(self, root: &Root) -> Reading {
        let measured = self.measure.read(root).and_then(|value| match value {
            value if !value.is_finite() => Err("what it says is no number".to_owned()),
            value if self.unit == "°C" && value < UNCONNECTED_CELSIUS => Err("nothing is connected to it".to_owned()),
            value => Ok(value),
        });
        let (value, problem) = match measured {
            Ok(value) => (Some(value), None),
            Err(problem) => (None, Some(problem)),
        };
        Reading { name: self.name, chip: self.chip, label: self.label, kind: self.kind, value, unit: self.unit, problem }
    }
}

impl Measure {
    fn read(&self, root: &Root) -> Result<f64, String> {
        match self {
            Measure::Count { path, fault, per_unit } => {
                if fault.as_ref().and_then(|fault| root.number::<u8>(fault)) == Some(1) {
                    return Err("its chip says that it is not connected, or broken".to_owned());
                }
                Ok(number(root, path)? / per_unit)
            }
            Measure::Channel { path, offset, scale, per_unit } => {
                let raw = number(root, path)?;
                let offset = offset.as_ref().map_or(Ok(0.0), |offset| number(root, offset))?;
                let scale = scale.as_ref().map_or(Ok(1.0), |scale| number(root, scale))?;
                Ok(rounded((raw + offset) * scale / per_unit))
            }
            Measure::Slave { path } => onewire::slave(&text(root, path)?),
        }
    }
}

fn text(root: &Root, path: &str) -> Result<String, String> {
    root.try_read(path).map_err(|error| format!("it cannot be read: {error}"))
}

fn number(root: &Root, path: &str) -> Result<f64, String> {
    json::number(&text(root, path)?).ok_or_else(|| "what it says is no number".to_owned())
}

/// Seven figures: no sensor has more, and products of decimal fractions end in noise. What is before the point stays as it is.
fn rounded(value: f64) -> f64 {
    let (mut size, mut decimals) = (value.abs(), 6_usize);
    while size >= 10.0 && decimals > 0 {
        (size, decimals) = (size / 10.0, decimals - 1);
    }
    while size > 0.0 && size < 1.0 && decimals < 30 {
        (size, decimals) = (size * 10.0, decimals + 1);
    }
    json::number(&format!("{value:.decimals$}")).unwrap_or(value)
}

impl Readings {
    /// Reads those that fit.
    fn of(root: &Root, filter: &str) -> Self {
        let mut sensors = find(root);
        let is_truncated = sensors.len() > SENSORS;
        sensors.truncate(SENSORS);
        let sensors = sensors.into_iter().filter(|sensor| sensor.fits(filter));
        Readings { sensors: sensors.map(|sensor| sensor.reading(root)).collect(), is_truncated }
    }

    /// A line for each.
    fn text(&self, filter: &str) -> String {
        if self.sensors.is_empty() && filter.is_empty() {
            return "The kernel knows of no sensors: none is connected, or no driver is loaded for it.".to_owned();
        }
        if self.sensors.is_empty() {
            return "No sensor fits this filter. Without a filter, all are shown.".to_owned();
        }
        let mut text = String::new();
        for Reading { name, label, value, unit, problem, .. } in &self.sensors {
            let label = label.as_ref().map_or_else(String::new, |label| format!(" ({label})"));
            // Writing to a String does not fail.
            let _ = match (value, problem) {
                (Some(value), _) => writeln!(text, "{name}{label}: {value} {unit}"),
                (None, problem) => writeln!(text, "{name}{label}: {}", problem.as_deref().unwrap_or_default()),
            };
        }
        if self.is_truncated {
            let _ = writeln!(text, "There are more than these {SENSORS}.");
        }
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::tree::{Tree, recorded};

    fn told(tree: &Tree) -> String {
        Readings::of(&tree.0, "").text("")
    }

    #[test]
    fn a_board_without_sensors_says_so() {
        let tree = Tree::new(&[]);
        assert!(told(&tree).starts_with("The kernel knows of no sensors"));
        assert!(Readings::of(&tree.0, "x").text("x").starts_with("No sensor fits"));
    }

    #[test]
    fn a_pi_zero_shows_its_1_wire_and_its_dht11() {
        let expected = "cpu-thermal: 41.16 °C\ndht11_4.temp: 22 °C\ndht11_4.humidityrelative: 41 %\n\
                        10-000802b4ba0e: its checksum is wrong: look at the wiring and the pull-up\n28-0316a2791bff: 23.125 °C";
        assert_eq!(told(&Tree::of("pi-zero")), expected);
    }

    #[test]
    fn a_pi_4_shows_its_fan_and_what_is_on_its_i2c() {
        let expected = "cpu-thermal: 48.312 °C\npwmfan.fan1: 2412 RPM\nbme280.temp: 21.93 °C\nbme280.pressure: 101.3252 kPa\n\
                        bme280.humidityrelative: 45.213 %\nads1015.voltage0: 3.3 V\nads1015.voltage0-voltage1: -0.012 V\n\
                        hdc1000.temp: 21.875 °C";
        assert_eq!(told(&Tree::of("pi-4")), expected);
    }

    #[test]
    fn a_pc_shows_labels_and_what_is_not_connected() {
        let expected = "x86_pkg_temp: 86 °C\nnvme.temp1 (Composite): 38.85 °C\nnvme.temp2: nothing is connected to it\n\
                        nvme.temp3: 40.85 °C\niwlwifi_1.temp1: 51 °C\nnct6798.in0 (Vcore): 1.032 V\nnct6798.fan2: 874 RPM\n\
                        amdgpu.freq1: 800000000 Hz\namdgpu.power1: 12 W";
        assert_eq!(told(&Tree::of("pc")), expected);
    }

    #[test]
    fn a_filter_looks_at_name_chip_label_and_kind_whatever_the_case() {
        let tree = Tree::of("pc");
        let names = |filter: &str| Readings::of(&tree.0, filter).sensors.into_iter().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(names("VCORE"), ["nct6798.in0"]);
        assert_eq!(names("fan"), ["nct6798.fan2"]);
        assert_eq!(names("nvme").len(), 3);
        assert_eq!(names("temperature").len(), 5);
    }

    #[test]
    fn what_cannot_be_read_says_why_and_the_others_go_on() {
        let tree = Tree::of("pc");
        std::fs::remove_file(tree.0.place("/sys/class/hwmon/hwmon10/temp1_input")).unwrap();
        std::fs::create_dir(tree.0.place("/sys/class/hwmon/hwmon10/temp1_input")).unwrap();
        tree.write("/sys/class/hwmon/hwmon11/fan2_fault", "1\n");
        let told = told(&tree);
        assert!(told.contains("iwlwifi_1.temp1: it cannot be read: "), "{told}");
        assert!(told.contains("nct6798.fan2: its chip says that it is not connected"), "{told}");
        assert!(told.contains("nct6798.in0 (Vcore): 1.032 V"), "{told}");
    }

    #[test]
    fn two_chips_of_one_name_are_told_apart_by_their_places() {
        let tree = Tree::new(&[]);
        for (number, place) in [(0, "0000:01:00.0"), (1, "0000:02:00.0")] {
            tree.write(&format!("/sys/class/hwmon/hwmon{number}/name"), "nvme\n");
            tree.write(&format!("/sys/class/hwmon/hwmon{number}/temp1_input"), "1000\n");
            let link = tree.0.place(&format!("/sys/class/hwmon/hwmon{number}/device"));
            std::os::unix::fs::symlink(format!("../../{place}"), link).unwrap();
        }
        for number in 0..2 {
            tree.write(&format!("/sys/class/thermal/thermal_zone{number}/type"), "soc\n");
            tree.write(&format!("/sys/class/thermal/thermal_zone{number}/temp"), "1000\n");
        }
        let names: Vec<String> = find(&tree.0).into_iter().map(|sensor| sensor.name).collect();
        assert_eq!(names, ["soc", "soc-2", "nvme-0000_01_00.0.temp1", "nvme-0000_02_00.0.temp1"]);
    }

    #[test]
    fn whatever_the_files_hold_the_schema_is_kept_and_the_answer_stays_short() {
        let huge = "9".repeat(300_000);
        let hostile: [&[u8]; 9] =
            [b"", b"\0", b"\xff\xfe\0\x01", b"nan\n", b"-inf", b"1e308", b"99999999999999999999", b"\n\n\n", huge.as_bytes()];
        for board in ["pi-zero", "pi-4", "pc"] {
            for bytes in hostile {
                let tree = Tree::new(&[]);
                for path in recorded(board).keys() {
                    tree.write(path, bytes);
                }
                let readings = Readings::of(&tree.0, "");
                let json = serde_json::to_string(&readings).unwrap();
                assert!(json.len() < 8192 && !json.contains("null"), "{json}");
                assert!(readings.sensors.iter().all(|it| it.value.is_some() != it.problem.is_some()));
                assert!(readings.text("").len() < 4096 && !readings.text("").contains('\0'));
            }
        }
    }

    #[test]
    fn a_thousand_sensors_are_cut_and_told() {
        let tree = Tree::new(&[("/sys/class/hwmon/hwmon0/name", "many")]);
        for number in 0..200 {
            tree.write(&format!("/sys/class/hwmon/hwmon0/in{number}_input"), "5000\n");
        }
        let readings = Readings::of(&tree.0, "");
        assert_eq!((readings.sensors.len(), readings.is_truncated), (SENSORS, true));
        assert!(readings.text("").ends_with("There are more than these 128."));
    }

    #[test]
    fn this_machine_can_be_read() {
        let readings = Readings::of(&Root::default(), "");
        assert!(readings.sensors.iter().all(|it| it.value.is_some() != it.problem.is_some()), "{readings:?}");
    }
}
