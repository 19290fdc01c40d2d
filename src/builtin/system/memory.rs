//! Memory and swap, from `/proc/meminfo`.

use crate::builtin::root::Root;
use serde::Serialize;
use std::fmt;

/// Memory.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    pub(super) total_bytes: u64,
    pub(super) available_bytes: u64,
}

/// Swap.
#[derive(Debug, Serialize)]
pub(super) struct Swap {
    pub(super) total_bytes: u64,
    pub(super) free_bytes: u64,
}

/// What the kernel says of both.
pub(super) fn read(root: &Root) -> (Option<Memory>, Option<Swap>) {
    let text = root.read("/proc/meminfo").unwrap_or_default();
    let memory = || Some(Memory { total_bytes: bytes(&text, "MemTotal")?, available_bytes: bytes(&text, "MemAvailable")? });
    let swap = || Some(Swap { total_bytes: bytes(&text, "SwapTotal")?, free_bytes: bytes(&text, "SwapFree")? });
    (memory(), swap())
}

/// The line `name:   1234 kB`, in bytes.
fn bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// A number of bytes as people say it.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0x400_0000_0000.. => (1_u64 << 40, "TiB"),
            0x4000_0000.. => (1 << 30, "GiB"),
            0x10_0000.. => (1 << 20, "MiB"),
            _ => (1 << 10, "KiB"),
        };
        // What is lost is far beyond the one decimal that is shown.
        #[allow(clippy::cast_precision_loss)]
        let number = self.0 as f64 / unit as f64;
        if number < 10.0 { write!(f, "{number:.1} {name}") } else { write!(f, "{number:.0} {name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_there_or_not_understood_is_no_fact() {
        let text = "MemTotal:  10 kB\nMemFree: x kB\nMemAvailable: 18446744073709551615 kB\nSwapTotal: 3\n";
        assert_eq!(bytes(text, "MemTotal"), Some(10_240));
        assert_eq!(bytes(text, "Mem"), None);
        assert_eq!(bytes(text, "MemFree"), None);
        assert_eq!(bytes(text, "MemAvailable"), None);
        assert_eq!(bytes(text, "SwapTotal"), None);
    }

    #[test]
    fn sizes_are_told_with_two_figures_or_more() {
        let told = |bytes: u64| Size(bytes).to_string();
        assert_eq!(told(0), "0.0 KiB");
        assert_eq!(told(512 * 1024), "512 KiB");
        assert_eq!(told(3_900_000_000), "3.6 GiB");
        assert_eq!(told(31_000_000_000), "29 GiB");
        assert_eq!(told(u64::MAX), "16777216 TiB");
    }
}
