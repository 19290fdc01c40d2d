//! Industrial I/O (kernel documentation, ABI/testing/sysfs-bus-iio): sensors on I²C, SPI and single wires, and ADCs.

use crate::builtin::root::Root;
use crate::builtin::sensors::{CHANNELS, Measure, Sensor};

const DEVICES: &str = "/sys/bus/iio/devices";

/// The type of a channel, what it measures, how many of the kernel's units make one of ours, and that unit.
const TYPES: &[(&str, &str, f64, &str)] = &[
    ("accel", "acceleration", 1.0, "m/s²"),
    ("altvoltage", "voltage", 1e3, "V"),
    ("angl", "angle", 1.0, "rad"),
    ("anglvel", "angular velocity", 1.0, "rad/s"),
    ("capacitance", "capacitance", 1.0, "nF"),
    ("concentration", "concentration", 1.0, "%"),
    ("current", "current", 1e3, "A"),
    ("energy", "energy", 1.0, "J"),
    ("gravity", "acceleration", 1.0, "m/s²"),
    ("humidityrelative", "humidity", 1e3, "%"),
    ("illuminance", "illuminance", 1.0, "lx"),
    ("incli", "inclination", 1.0, "°"),
    ("magn", "magnetic field", 1.0, "Gs"),
    ("massconcentration", "mass concentration", 1.0, "µg/m³"),
    ("power", "power", 1e3, "W"),
    ("pressure", "pressure", 1.0, "kPa"),
    ("resistance", "resistance", 1.0, "Ω"),
    ("temp", "temperature", 1e3, "°C"),
    ("velocity", "velocity", 1.0, "m/s"),
    ("voltage", "voltage", 1e3, "V"),
];

/// Every channel that goes in.
pub(super) fn find(root: &Root) -> Vec<Sensor> {
    let devices: Vec<(String, String)> = root
        .names(DEVICES, "iio:device")
        .into_iter()
        .map(|device| {
            let folder = format!("{DEVICES}/{device}");
            let name = root.label(&format!("{folder}/name")).unwrap_or(device);
            (folder, name)
        })
        .collect();
    let mut sensors = Vec::new();
    for (folder, chip) in &devices {
        let is_alone = devices.iter().filter(|(_, other)| other == chip).count() == 1;
        let label = root.label(&format!("{folder}/label"));
        let prefix = match (&label, is_alone) {
            (Some(label), false) => format!("{chip}-{label}"),
            _ => chip.clone(),
        };
        sensors.extend(channels(root, folder, chip, &prefix));
    }
    sensors
}

fn channels(root: &Root, folder: &str, chip: &str, prefix: &str) -> Vec<Sensor> {
    let files = root.most_names(folder, "in_", CHANNELS);
    let channels = files.iter().filter_map(|file| {
        let whole = file.strip_prefix("in_")?;
        let (channel, is_raw) = match whole.strip_suffix("_input") {
            Some(channel) => (channel, false),
            None => (whole.strip_suffix("_raw")?, true),
        };
        if is_raw && files.contains(&format!("in_{channel}_input")) {
            return None;
        }
        let word = type_of(channel);
        let (kind, per_unit, unit) =
            TYPES.iter().find(|(name, ..)| *name == word).map_or((word, 1.0, ""), |(_, kind, per, unit)| (kind, *per, unit));
        let beside = |what: &str| {
            let names = shared(channel).into_iter().map(|name| format!("in_{name}{what}"));
            let found = names.into_iter().find(|name| files.contains(name)).filter(|_| is_raw)?;
            Some(format!("{folder}/{found}"))
        };
        let measure =
            Measure::Channel { path: format!("{folder}/{file}"), offset: beside("_offset"), scale: beside("_scale"), per_unit };
        let label = root.label(&format!("{folder}/in_{channel}_label"));
        Some(Sensor { name: format!("{prefix}.{channel}"), chip: chip.to_owned(), label, kind: kind.to_owned(), unit, measure })
    });
    channels.collect()
}

/// The type of a channel: `voltage` of `voltage0-voltage1`, `temp` of `temp_object`.
fn type_of(channel: &str) -> &str {
    let end = channel.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(channel.len());
    &channel[..end]
}

/// The names under which a channel's scale or offset may stand: its own, without numbers, that of its type.
fn shared(channel: &str) -> [String; 3] {
    let unnumbered = channel.chars().filter(|c| !c.is_ascii_digit()).collect();
    [channel.to_owned(), unnumbered, type_of(channel).to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_looked_for_from_the_channel_to_its_type() {
        assert_eq!(shared("voltage0-voltage1"), ["voltage0-voltage1", "voltage-voltage", "voltage"]);
        assert_eq!(shared("accel_x"), ["accel_x", "accel_x", "accel"]);
        assert_eq!(shared(""), ["", "", ""]);
    }
}
