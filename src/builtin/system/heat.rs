//! Temperatures, from the kernel's thermal zones and hardware monitors.

use crate::builtin::root::Root;
use serde::Serialize;

/// More temperatures are not read. A big PC has twenty.
const TEMPERATURES: usize = 32;
/// A sensor that says anything else is not connected: -273 and 255 are common.
const PLAUSIBLE: std::ops::RangeInclusive<i64> = -80_000..=200_000;

/// One temperature.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Temperature {
    pub(super) name: String,
    pub(super) celsius: f64,
}

/// Every temperature, each once.
pub(super) fn read(root: &Root) -> Vec<Temperature> {
    let (mut found, mut zones) = (Vec::new(), Vec::new());
    each_zone(root, &mut |kind, temperature| {
        found.extend(temperature);
        zones.push(kind.replace('-', "_"));
    });
    for monitor in root.names("/sys/class/hwmon", "hwmon") {
        let folder = format!("/sys/class/hwmon/{monitor}");
        let name = root.read(&format!("{folder}/name")).unwrap_or(monitor);
        // The kernel shows each thermal zone a second time, as a monitor with underscores in its name. A thermometer on a
        // 1-wire bus is none of the board's, and slow.
        if !zones.contains(&name) && name != "w1_slave_temp" {
            found.extend(monitored(root, &folder, &name));
        }
    }
    found.truncate(TEMPERATURES);
    found
}

/// The temperatures of the processor and what is on its chip.
pub(super) fn zones(root: &Root) -> Vec<Temperature> {
    let mut found = Vec::new();
    each_zone(root, &mut |_, temperature| found.extend(temperature));
    found
}

fn each_zone(root: &Root, take: &mut dyn FnMut(&str, Option<Temperature>)) {
    for zone in root.names("/sys/class/thermal", "thermal_zone") {
        let folder = format!("/sys/class/thermal/{zone}");
        let kind = root.read(&format!("{folder}/type")).unwrap_or(zone);
        take(&kind, temperature(root, &kind, &format!("{folder}/temp")));
    }
}

/// What one hardware monitor says.
fn monitored(root: &Root, folder: &str, monitor: &str) -> Vec<Temperature> {
    let files = root.names(folder, "temp");
    let inputs: Vec<&str> = files.iter().filter_map(|name| name.strip_suffix("_input")).collect();
    let readings = inputs.iter().filter_map(|input| {
        let name = match root.read(&format!("{folder}/{input}_label")) {
            Some(label) => format!("{monitor} {label}"),
            None if inputs.len() == 1 => monitor.to_owned(),
            None => format!("{monitor} {input}"),
        };
        temperature(root, &name, &format!("{folder}/{input}_input"))
    });
    readings.collect()
}

/// A file of thousandths of a degree.
fn temperature(root: &Root, name: &str, path: &str) -> Option<Temperature> {
    let millis = root.number::<i64>(path).filter(|millis| PLAUSIBLE.contains(millis))?;
    // Tenths of a plausible temperature are small.
    #[allow(clippy::cast_precision_loss)]
    let celsius = (millis as f64 / 100.0).round() / 10.0;
    Some(Temperature { name: name.to_owned(), celsius })
}
