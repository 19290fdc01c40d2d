//! What a Raspberry Pi's firmware says about its power supply, and about what it does against heat.

use crate::builtin::root::Root;
use serde::Serialize;

/// The firmware's word, as `vcgencmd get_throttled` prints it.
const WORD: &str = "/sys/devices/platform/soc/soc:firmware/get_throttled";

/// What is wrong with power or heat, now and since the board was started. A fact that the board does not tell is `None`.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Power {
    under_voltage_now: bool,
    #[serde(flatten)]
    rest: Option<Rest>,
}

/// What only the firmware's word tells.
#[derive(Debug, PartialEq, Serialize)]
#[allow(clippy::struct_excessive_bools)] // They are the bits of one word.
struct Rest {
    frequency_capped_now: bool,
    throttled_now: bool,
    soft_temperature_limit_now: bool,
    under_voltage_since_boot: bool,
    frequency_capped_since_boot: bool,
    throttled_since_boot: bool,
    soft_temperature_limit_since_boot: bool,
}

impl Power {
    /// What the board says; `None` where it says nothing.
    pub(super) fn read(root: &Root) -> Option<Self> {
        match root.read(WORD) {
            Some(word) => Power::from_word(&word),
            None => Power::from_alarm(root),
        }
    }

    /// The bits of the firmware's word, which is hexadecimal.
    fn from_word(word: &str) -> Option<Self> {
        let word = u32::from_str_radix(word.trim_start_matches("0x"), 16).ok()?;
        let bit = |number: u32| word & (1 << number) != 0;
        let rest = Rest {
            frequency_capped_now: bit(1),
            throttled_now: bit(2),
            soft_temperature_limit_now: bit(3),
            under_voltage_since_boot: bit(16),
            frequency_capped_since_boot: bit(17),
            throttled_since_boot: bit(18),
            soft_temperature_limit_since_boot: bit(19),
        };
        Some(Power { under_voltage_now: bit(0), rest: Some(rest) })
    }

    /// Kernels without the Raspberry Pi's own patches have an alarm of the monitor `rpi_volt` instead.
    fn from_alarm(root: &Root) -> Option<Self> {
        let monitors = root.names("/sys/class/hwmon", "hwmon").into_iter().map(|name| format!("/sys/class/hwmon/{name}"));
        let monitor = monitors.into_iter().find(|folder| root.read(&format!("{folder}/name")).as_deref() == Some("rpi_volt"))?;
        let alarm = root.number::<u8>(&format!("{monitor}/in0_lcrit_alarm"))?;
        Some(Power { under_voltage_now: alarm != 0, rest: None })
    }

    /// What is wrong, the worst first.
    pub(super) fn warnings(&self) -> Vec<String> {
        let supply = "UNDER-VOLTAGE now: use a stronger power supply or a shorter cable";
        let mut warnings: Vec<&str> = Vec::new();
        warnings.extend(self.under_voltage_now.then_some(supply));
        if let Some(rest) = &self.rest {
            warnings.extend(rest.throttled_now.then_some("THROTTLED now: the processor runs slower than it could"));
            warnings.extend(rest.frequency_capped_now.then_some("FREQUENCY CAPPED now"));
            warnings.extend(rest.soft_temperature_limit_now.then_some("SOFT TEMPERATURE LIMIT reached now: cool the board"));
        }
        let mut warnings: Vec<String> = warnings.into_iter().map(str::to_owned).collect();
        warnings.extend(self.past());
        warnings
    }

    /// What was wrong since the start and is over.
    fn past(&self) -> Option<String> {
        let rest = self.rest.as_ref()?;
        let past = [
            (rest.under_voltage_since_boot && !self.under_voltage_now, "under-voltage"),
            (rest.throttled_since_boot && !rest.throttled_now, "throttling"),
            (rest.frequency_capped_since_boot && !rest.frequency_capped_now, "a capped frequency"),
            (rest.soft_temperature_limit_since_boot && !rest.soft_temperature_limit_now, "the soft temperature limit"),
        ];
        let names: Vec<&str> = past.into_iter().filter_map(|(is_past, name)| is_past.then_some(name)).collect();
        (!names.is_empty()).then(|| format!("Since the start, and over now: {}", names.join(", ")))
    }

    /// Whether nothing is or was wrong.
    pub(super) fn is_good(&self) -> bool {
        self.warnings().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_number_is_no_fact() {
        for word in ["", "x", "-1", "100000000"] {
            assert_eq!(Power::from_word(word), None, "{word}");
        }
    }

    #[test]
    fn each_bit_has_its_warning() {
        let warnings = |word: &str| Power::from_word(word).unwrap().warnings().join("; ");
        assert_eq!(warnings("0"), "");
        assert_eq!(warnings("1"), "UNDER-VOLTAGE now: use a stronger power supply or a shorter cable");
        assert_eq!(warnings("0x2"), "FREQUENCY CAPPED now");
        assert_eq!(warnings("4"), "THROTTLED now: the processor runs slower than it could");
        assert_eq!(warnings("8"), "SOFT TEMPERATURE LIMIT reached now: cool the board");
        assert_eq!(warnings("10000"), "Since the start, and over now: under-voltage");
        assert_eq!(
            warnings("e0000"),
            "Since the start, and over now: throttling, a capped frequency, the soft temperature limit"
        );
        assert!(Power::from_word("0").unwrap().is_good());
    }

    #[test]
    fn what_goes_on_is_not_told_as_over() {
        let warnings = Power::from_word("50005").unwrap().warnings();
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].starts_with("UNDER-VOLTAGE now"), "{warnings:?}");
    }
}
