//! Thermometers on a 1-wire bus (kernel documentation, `w1/slaves/w1_therm`).

use crate::builtin::root::Root;
use crate::builtin::sensors::{Measure, Sensor};

const DEVICES: &str = "/sys/bus/w1/devices";

/// The families that measure temperatures.
const FAMILIES: &[(&str, &str)] =
    &[("10-", "DS18S20"), ("22-", "DS1822"), ("28-", "DS18B20"), ("3b-", "DS1825"), ("42-", "DS28EA00")];

/// Every thermometer. Its name is the number that is burnt into it.
pub(super) fn find(root: &Root) -> Vec<Sensor> {
    let found = FAMILIES.iter().flat_map(|(family, chip)| root.names(DEVICES, family).into_iter().map(move |name| (name, chip)));
    let sensors = found.map(|(name, chip)| {
        let folder = format!("{DEVICES}/{name}");
        let path = format!("{folder}/temperature");
        // The older file is there as well, and on kernels before 5.8 it is the only one.
        let measure = if root.place(&path).exists() {
            Measure::Count { path, fault: None, per_unit: 1e3 }
        } else {
            Measure::Slave { path: format!("{folder}/w1_slave") }
        };
        Sensor { name, chip: (*chip).to_owned(), label: None, kind: "temperature".into(), unit: "°C", measure }
    });
    sensors.collect()
}

/// What the older file says: two lines, the first of which ends in whether the checksum was right.
pub(super) fn slave(text: &str) -> Result<f64, String> {
    let mut lines = text.lines();
    match lines.next().and_then(|line| line.rsplit(' ').next()) {
        Some("YES") => {}
        Some("NO") => return Err("its checksum is wrong: look at the wiring and the pull-up".to_owned()),
        _ => return Err("what it says is not understood".to_owned()),
    }
    let millis = lines.next().and_then(|line| line.rsplit_once("t=")?.1.parse::<i32>().ok());
    millis.map(|millis| f64::from(millis) / 1e3).ok_or_else(|| "what it says is not understood".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_checksum_or_a_strange_text_is_no_temperature() {
        assert!(slave("ff ff : crc=c9 NO\nff ff t=-62").unwrap_err().contains("checksum"));
        for text in ["", "YES", "a : YES\n", "a : YES\nt=", "a : YES\nt=99999999999", "a : YES\nt=1e3", "\u{fffd}\n\u{fffd}"] {
            assert!(slave(text).unwrap_err().contains("understood"), "{text:?}");
        }
        assert_eq!(slave("72 01 : crc=57 YES\n72 01 t=-1250"), Ok(-1.25));
    }
}
