//! Hardware monitors (kernel documentation, hwmon/sysfs-interface) and thermal zones (driver-api/thermal/sysfs-api).

use crate::builtin::root::Root;
use crate::builtin::sensors::{CHANNELS, Measure, Sensor};

/// How a file's name begins, what it measures, how many of what it counts make one unit, and the unit.
const KINDS: &[(&str, &str, f64, &str)] = &[
    ("temp", "temperature", 1e3, "°C"),
    ("in", "voltage", 1e3, "V"),
    ("fan", "fan", 1.0, "RPM"),
    ("curr", "current", 1e3, "A"),
    ("power", "power", 1e6, "W"),
    ("energy", "energy", 1e6, "J"),
    ("humidity", "humidity", 1e3, "%"),
    ("freq", "frequency", 1.0, "Hz"),
];

/// The thermal zones, and the monitors that do not show one of them or a 1-wire sensor a second time.
pub(super) fn find(root: &Root) -> Vec<Sensor> {
    let mut sensors = zones(root);
    let zones: Vec<String> = sensors.iter().map(|zone| zone.chip.replace('-', "_")).collect();
    let monitors = root.names("/sys/class/hwmon", "hwmon").into_iter().map(|monitor| {
        let folder = format!("/sys/class/hwmon/{monitor}");
        let name = root.label(&format!("{folder}/name")).unwrap_or(monitor);
        (folder, name)
    });
    let monitors: Vec<(String, String)> = monitors.filter(|(_, name)| name != "w1_slave_temp" && !zones.contains(name)).collect();
    for (folder, chip) in &monitors {
        // Of two that are called alike, the place of each says which it is: numbers change from start to start.
        let is_alone = monitors.iter().filter(|(_, other)| other == chip).count() == 1;
        let place = if is_alone { None } else { root.target(&format!("{folder}/device")) };
        let prefix = place.map_or_else(|| chip.clone(), |place| format!("{chip}-{place}"));
        sensors.extend(channels(root, folder, chip, &prefix));
    }
    sensors
}

fn zones(root: &Root) -> Vec<Sensor> {
    let zones = root.names("/sys/class/thermal", "thermal_zone").into_iter().map(|zone| {
        let folder = format!("/sys/class/thermal/{zone}");
        let chip = root.label(&format!("{folder}/type")).unwrap_or(zone);
        let measure = Measure::Count { path: format!("{folder}/temp"), fault: None, per_unit: 1e3 };
        Sensor { name: chip.clone(), chip, label: None, kind: "temperature".into(), unit: "°C", measure }
    });
    zones.collect()
}

/// What one monitor measures.
fn channels(root: &Root, folder: &str, chip: &str, prefix: &str) -> Vec<Sensor> {
    let files = root.most_names(folder, "", CHANNELS);
    let channels = files.iter().filter_map(|file| {
        // A meter of power may give nothing but its average.
        let channel = file.strip_suffix("_input").or_else(|| {
            let channel = file.strip_suffix("_average")?;
            (!files.contains(&format!("{channel}_input"))).then_some(channel)
        })?;
        let number = channel.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let (_, kind, per_unit, unit) = KINDS.iter().find(|(word, ..)| channel.strip_suffix(number) == Some(word))?;
        let fault = format!("{folder}/{channel}_fault");
        let measure = Measure::Count { path: format!("{folder}/{file}"), fault: Some(fault), per_unit: *per_unit };
        let label = root.label(&format!("{folder}/{channel}_label"));
        Some(Sensor { name: format!("{prefix}.{channel}"), chip: chip.to_owned(), label, kind: (*kind).into(), unit, measure })
    });
    channels.collect()
}
