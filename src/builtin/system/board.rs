//! What the board is, and how busy.

use crate::builtin::root::Root;
use crate::json;
use serde::Serialize;
use std::fmt;

/// What the board is, and how busy.
#[derive(Debug, Serialize)]
pub(super) struct Board {
    pub(super) model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kernel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uptime_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) load: Option<[f64; 3]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpus: Option<u32>,
}

impl Board {
    pub(super) fn read(root: &Root) -> Self {
        Board {
            model: model(root),
            hostname: root.read("/proc/sys/kernel/hostname"),
            kernel: root.read("/proc/sys/kernel/osrelease"),
            uptime_s: root.read("/proc/uptime").and_then(|text| text.split('.').next()?.parse().ok()),
            load: root.read("/proc/loadavg").and_then(|text| load(&text)),
            cpus: root.read("/sys/devices/system/cpu/online").and_then(|text| count(&text)),
        }
    }
}

/// The board's name; of a board that does not know it, what kind of processor it has.
fn model(root: &Root) -> String {
    root.read("/proc/device-tree/model")
        .or_else(|| root.read("/sys/class/dmi/id/product_name"))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn load(text: &str) -> Option<[f64; 3]> {
    let mut numbers = text.split(' ').map(json::number);
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// How many are in a list such as `0-3,6`.
fn count(cpus: &str) -> Option<u32> {
    let sizes = cpus.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)?.checked_add(1)
    });
    sizes.sum()
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.model)?;
        if let Some(hostname) = &self.hostname {
            write!(f, " ({hostname})")?;
        }
        if let Some(uptime_s) = self.uptime_s {
            write!(f, ", up {}", Uptime(uptime_s))?;
        }
        if let Some(kernel) = &self.kernel {
            write!(f, ", Linux {kernel}")?;
        }
        if let Some([one, five, fifteen]) = self.load {
            write!(f, "\nLoad: {one} {five} {fifteen} (1, 5, 15 min)")?;
        }
        match self.cpus {
            Some(1) => f.write_str(if self.load.is_some() { " on 1 CPU" } else { "\n1 CPU" }),
            Some(cpus) => write!(f, "{}{cpus} CPUs", if self.load.is_some() { " on " } else { "\n" }),
            None => Ok(()),
        }
    }
}

/// Seconds as people say them: the two largest units.
struct Uptime(u64);

impl fmt::Display for Uptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, hours, minutes) = (self.0 / 86_400, self.0 / 3600 % 24, self.0 / 60 % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{} s", self.0),
            (0, 0, _) => write!(f, "{minutes} min"),
            (0, ..) => write!(f, "{hours} h {minutes} min"),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_list_or_load_is_no_fact() {
        for list in ["", "a", "3-0", "0-", "1,,2", "0-4294967295"] {
            assert_eq!(count(list), None, "{list}");
        }
        for text in ["", "1 2", "1 2 x", "NaN 1 1", "inf 1 1"] {
            assert_eq!(load(text), None, "{text}");
        }
        assert_eq!(count("0"), Some(1));
        assert_eq!(count("0-3,6"), Some(5));
        assert_eq!(load("0.10 0.20 12.30 1/99 1234"), Some([0.1, 0.2, 12.3]));
    }

    #[test]
    fn uptime_is_told_in_its_two_largest_units() {
        let told = |secs: u64| Uptime(secs).to_string();
        assert_eq!(told(59), "59 s");
        assert_eq!(told(60), "1 min");
        assert_eq!(told(3_661), "1 h 1 min");
        assert_eq!(told(273_600), "3 d 4 h");
    }
}
