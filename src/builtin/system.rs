//! The board's health, read from `/proc` and `/sys`: the first thing that an owner asks about.
//!
//! Each fact is optional. Boards differ, and a file that is not there, not readable or not understood leaves its fact
//! out; nothing here fails.

mod board;
mod disks;
mod heat;
mod memory;
mod power;
mod root;

use board::Board;
use disks::Disk;
use heat::Temperature;
use memory::{Memory, Size, Swap};
use power::Power;
use root::Root;

use crate::tool::{Output, Tool};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;

/// What a token needs for it.
pub(super) const SCOPE: &str = "system:read";

/// A disk this full is worth a warning.
const DISK_PERCENT: u8 = 95;
/// Less available memory than this part is worth a warning: one in twenty.
const MEMORY_PART: u64 = 20;
/// From here on a board throttles or soon will: a Raspberry Pi does at 80 to 85.
const HOT_CELSIUS: f64 = 80.0;

/// `board_health`.
pub(super) fn tool() -> Tool {
    let about = "Reads the health of the board that this server runs on: model, uptime, load, memory, disks, temperatures, and \
                 on a Raspberry Pi whether its power supply is too weak or it is throttled. Warnings come first.";
    Tool::new("board_health", about)
        .title("Board health")
        .scope(SCOPE)
        .idempotent()
        .output_schema(&schema())
        // A sensor on a slow bus takes its time to read.
        .handler_blocking(|_| {
            let health = Health::read(&Root::default());
            Output::text_and_structured(health.to_string(), &health)
        })
}

/// What there is to say about a board.
#[derive(Debug, Serialize)]
struct Health {
    warnings: Vec<String>,
    #[serde(flatten)]
    board: Board,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    swap: Option<Swap>,
    disks: Vec<Disk>,
    temperatures: Vec<Temperature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    power: Option<Power>,
}

impl Health {
    fn read(root: &Root) -> Self {
        let (memory, swap) = memory::read(root);
        let mut health = Health {
            warnings: Vec::new(),
            board: Board::read(root),
            memory,
            swap,
            disks: disks::read(root),
            temperatures: heat::read(root),
            power: Power::read(root),
        };
        health.warnings = health.warnings();
        health
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.power.as_ref().map(Power::warnings).unwrap_or_default();
        for heat in self.temperatures.iter().filter(|heat| heat.celsius >= HOT_CELSIUS) {
            warnings.push(format!("HOT: {} is at {:.1} °C", heat.name, heat.celsius));
        }
        for disk in self.disks.iter().filter(|disk| disk.used_percent >= DISK_PERCENT && !disk.is_read_only) {
            warnings.push(format!("DISK FULL: {} is {} % used", disk.mount, disk.used_percent));
        }
        if let Some(memory) = self.memory.as_ref().filter(|memory| memory.available_bytes < memory.total_bytes / MEMORY_PART) {
            warnings.push(format!("MEMORY LOW: {} available", Size(memory.available_bytes)));
        }
        warnings
    }
}

/// A few lines that a person or a model takes in at a glance.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for warning in &self.warnings {
            writeln!(f, "{warning}")?;
        }
        write!(f, "{}", self.board)?;
        if let Some(memory) = &self.memory {
            write!(f, "\nMemory: {} of {} available", Size(memory.available_bytes), Size(memory.total_bytes))?;
        }
        if let Some(swap) = self.swap.as_ref().filter(|swap| swap.total_bytes > 0) {
            write!(f, "; swap: {} of {} free", Size(swap.free_bytes), Size(swap.total_bytes))?;
        }
        self.disks.iter().try_for_each(|disk| write!(f, "\nDisk {disk}"))?;
        for (index, heat) in self.temperatures.iter().enumerate() {
            f.write_str(if index == 0 { "\nTemperature: " } else { ", " })?;
            write!(f, "{} {:.1} °C", heat.name, heat.celsius)?;
        }
        if self.power.as_ref().is_some_and(Power::is_good) {
            f.write_str("\nPower: no under-voltage and no throttling")?;
        }
        Ok(())
    }
}

/// The JSON Schema of [`Health`].
fn schema() -> Value {
    let bytes = json!({ "type": "integer", "minimum": 0 });
    let text = json!({ "type": "string" });
    let flag = json!({ "type": "boolean" });
    let object = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let disk = json!({
        "mount": text, "fs": text, "total_bytes": bytes, "available_bytes": bytes,
        "used_percent": { "type": "integer", "minimum": 0, "maximum": 100 }, "is_read_only": flag,
    });
    let power = json!({
        "under_voltage_now": flag, "frequency_capped_now": flag, "throttled_now": flag, "soft_temperature_limit_now": flag,
        "under_voltage_since_boot": flag, "frequency_capped_since_boot": flag, "throttled_since_boot": flag,
        "soft_temperature_limit_since_boot": flag,
    });
    let memory = object(json!({ "total_bytes": bytes, "available_bytes": bytes }), json!(["total_bytes", "available_bytes"]));
    let swap = object(json!({ "total_bytes": bytes, "free_bytes": bytes }), json!(["total_bytes", "free_bytes"]));
    let disk = object(disk, json!(["mount", "fs", "total_bytes", "available_bytes", "used_percent", "is_read_only"]));
    let temperature = object(json!({ "name": text, "celsius": { "type": "number" } }), json!(["name", "celsius"]));
    let health = json!({
        "warnings": { "type": "array", "items": text, "description": "what needs the owner's attention" },
        "model": text,
        "hostname": text,
        "kernel": text,
        "uptime_s": { "type": "integer", "minimum": 0 },
        "load": {
            "type": "array", "items": { "type": "number" }, "minItems": 3, "maxItems": 3,
            "description": "over 1, 5 and 15 minutes",
        },
        "cpus": { "type": "integer", "minimum": 1 },
        "memory": memory,
        "swap": swap,
        "disks": { "type": "array", "items": disk },
        "temperatures": { "type": "array", "items": temperature },
        "power": object(power, json!(["under_voltage_now"])),
    });
    object(health, json!(["warnings", "model", "disks", "temperatures"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A made-up board: a folder with files in it, gone when the test is over.
    struct Tree(Root);

    impl Tree {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let folder = std::env::temp_dir().join(format!("perchd-board-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            let tree = Tree(Root(folder));
            fs::create_dir_all(tree.0.place("/")).unwrap();
            for (path, text) in files {
                tree.write(path, text);
            }
            tree
        }

        fn write(&self, path: &str, text: &str) {
            let place = self.0.place(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }

        fn health(&self) -> Health {
            let health = Health::read(&self.0);
            assert_fits(&schema(), &serde_json::to_value(&health).unwrap(), "health");
            health
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0.0);
        }
    }

    /// As much of JSON Schema as our schema uses.
    fn assert_fits(schema: &Value, value: &Value, place: &str) {
        match schema["type"].as_str().unwrap() {
            "object" => {
                for (name, member) in value.as_object().unwrap() {
                    let known = schema["properties"].get(name).unwrap_or_else(|| panic!("{place}.{name} is not in the schema"));
                    assert_fits(known, member, &format!("{place}.{name}"));
                }
                for name in schema["required"].as_array().unwrap() {
                    assert!(value.get(name.as_str().unwrap()).is_some(), "{place}.{name} is missing");
                }
            }
            "array" => {
                let items = value.as_array().unwrap();
                assert!(schema["minItems"].as_u64().is_none_or(|least| items.len() as u64 >= least), "{place}");
                for item in items {
                    assert_fits(&schema["items"], item, place);
                }
            }
            "integer" => {
                let number = value.as_u64().unwrap_or_else(|| panic!("{place} is {value}"));
                assert!(number >= schema["minimum"].as_u64().unwrap(), "{place}");
                assert!(schema["maximum"].as_u64().is_none_or(|most| number <= most), "{place}");
            }
            "number" => assert!(value.is_number(), "{place}"),
            "string" => assert!(value.is_string(), "{place}"),
            "boolean" => assert!(value.is_boolean(), "{place}"),
            other => panic!("{place}: {other}"),
        }
    }

    const PI_ZERO: &[(&str, &str)] = &[
        ("/proc/device-tree/model", "Raspberry Pi Zero W Rev 1.1\0"),
        ("/proc/sys/kernel/hostname", "greenhouse\n"),
        ("/proc/sys/kernel/osrelease", "6.12.34+rpt-rpi-v6\n"),
        ("/proc/uptime", "183.11 95.20\n"),
        ("/proc/loadavg", "1.10 0.55 0.21 2/98 611\n"),
        ("/proc/meminfo", "MemTotal:         436152 kB\nMemFree:           18000 kB\nMemAvailable:      16000 kB\n"),
        ("/sys/devices/system/cpu/online", "0\n"),
        ("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
        ("/sys/class/thermal/thermal_zone0/temp", "41160\n"),
        ("/sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n"),
    ];

    const PI_4: &[(&str, &str)] = &[
        ("/proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
        ("/proc/sys/kernel/hostname", "kitchen\n"),
        ("/proc/sys/kernel/osrelease", "6.12.34+rpt-rpi-v8\n"),
        ("/proc/uptime", "273612.51 1091000.77\n"),
        ("/proc/loadavg", "0.12 0.20 0.31 1/187 23041\n"),
        (
            "/proc/meminfo",
            "MemTotal:        3884272 kB\nMemFree:          801216 kB\nMemAvailable:    3201816 kB\nSwapTotal:        524284 kB\n\
             SwapFree:         524284 kB\n",
        ),
        ("/sys/devices/system/cpu/online", "0-3\n"),
        ("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
        ("/sys/class/thermal/thermal_zone0/temp", "48312\n"),
        ("/sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
        ("/sys/class/hwmon/hwmon0/temp1_input", "48312\n"),
        ("/sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
        ("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n"),
        ("/sys/devices/platform/soc/soc:firmware/get_throttled", "0\n"),
        (
            "/proc/self/mounts",
            "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\nproc /proc proc rw,relatime 0 0\ntmpfs /run tmpfs rw,nosuid 0 0\n\
             /dev/mmcblk0p1 /boot/firmware vfat ro,relatime 0 0\n/dev/sda1 /gone ext4 rw 0 0\n",
        ),
        ("/boot/firmware/config.txt", ""),
    ];

    const PC: &[(&str, &str)] = &[
        ("/sys/class/dmi/id/product_name", "NUC11TNKi5\n"),
        ("/proc/uptime", "3723.00 100.00\n"),
        ("/sys/devices/system/cpu/online", "0-7\n"),
        ("/sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n"),
        ("/sys/class/thermal/thermal_zone0/temp", "86000\n"),
        ("/sys/class/hwmon/hwmon2/name", "nvme\n"),
        ("/sys/class/hwmon/hwmon2/temp1_input", "38850\n"),
        ("/sys/class/hwmon/hwmon2/temp1_label", "Composite\n"),
        ("/sys/class/hwmon/hwmon2/temp2_input", "-273150\n"),
        ("/sys/class/hwmon/hwmon2/temp3_input", "40850\n"),
        ("/sys/class/hwmon/hwmon10/name", "iwlwifi_1\n"),
        ("/sys/class/hwmon/hwmon10/temp1_input", "51000\n"),
    ];

    #[test]
    fn a_weak_supply_on_a_pi_zero_comes_first() {
        let text = Tree::new("zero", PI_ZERO).health().to_string();
        let expected = "UNDER-VOLTAGE now: use a stronger power supply or a shorter cable\n\
                        THROTTLED now: the processor runs slower than it could\n\
                        MEMORY LOW: 16 MiB available\n\
                        Raspberry Pi Zero W Rev 1.1 (greenhouse), up 3 min, Linux 6.12.34+rpt-rpi-v6\n\
                        Load: 1.1 0.55 0.21 (1, 5, 15 min) on 1 CPU\n\
                        Memory: 16 MiB of 426 MiB available\n\
                        Temperature: cpu-thermal 41.2 °C";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_pi_4_in_good_health_says_so() {
        let mut health = Tree::new("four", PI_4).health();
        let places: Vec<&str> = health.disks.iter().map(|disk| disk.mount.as_str()).collect();
        assert_eq!(places, ["/", "/boot/firmware"]);
        assert!(health.disks[1].is_read_only && health.disks[0].available_bytes <= health.disks[0].total_bytes);
        // How full the disks are is the testing machine's affair.
        health.disks.clear();
        let expected = "Raspberry Pi 4 Model B Rev 1.4 (kitchen), up 3 d 4 h, Linux 6.12.34+rpt-rpi-v8\n\
                        Load: 0.12 0.2 0.31 (1, 5, 15 min) on 4 CPUs\n\
                        Memory: 3.1 GiB of 3.7 GiB available; swap: 512 MiB of 512 MiB free\n\
                        Temperature: cpu-thermal 48.3 °C\n\
                        Power: no under-voltage and no throttling";
        assert_eq!(health.to_string().lines().filter(|line| !line.starts_with("DISK")).collect::<Vec<_>>().join("\n"), expected);
    }

    #[test]
    fn a_pc_tells_what_it_knows() {
        let health = Tree::new("pc", PC).health();
        let expected = "HOT: x86_pkg_temp is at 86.0 °C\nNUC11TNKi5, up 1 h 2 min\n8 CPUs\n\
                        Temperature: x86_pkg_temp 86.0 °C, nvme Composite 38.9 °C, nvme temp3 40.9 °C, iwlwifi_1 51.0 °C";
        assert_eq!(health.to_string(), expected);
        assert_eq!(health.power, None);
    }

    #[test]
    fn a_kernel_without_the_firmwares_word_still_tells_under_voltage() {
        let files = [("/sys/class/hwmon/hwmon0/name", "rpi_volt\n"), ("/sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")];
        let health = Tree::new("volt", &files).health();
        assert_eq!(health.warnings.len(), 1);
        assert_eq!(serde_json::to_value(&health.power).unwrap(), json!({ "under_voltage_now": true }));
    }

    #[test]
    fn a_board_that_tells_nothing_is_no_error() {
        let health = Tree::new("mute", &[]).health();
        assert_eq!(health.to_string(), std::env::consts::ARCH);
        let json = serde_json::to_value(&health).unwrap();
        let expected = json!({ "warnings": [], "model": std::env::consts::ARCH, "disks": [], "temperatures": [] });
        assert_eq!(json, expected);
    }

    #[test]
    fn broken_files_are_left_out() {
        let broken: Vec<(&str, &str)> = PI_4.iter().map(|(path, _)| (*path, "\u{fffd}\n")).collect();
        let json = serde_json::to_value(Tree::new("broken", &broken).health()).unwrap();
        for name in ["uptime_s", "load", "cpus", "memory", "swap", "power"] {
            assert!(json.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn an_endless_file_is_read_up_to_its_bound() {
        let tree = Tree::new("endless", &[]);
        let line = format!("/dev/sda1 {} ext4 rw 0 0\n", "/".repeat(99));
        tree.write("/proc/self/mounts", &line.repeat(2000));
        let text = tree.0.read("/proc/self/mounts").unwrap();
        assert!(text.len() <= 64 * 1024 && text.ends_with(" 0 0"), "{}", text.len());
        std::os::unix::fs::symlink("/dev/zero", tree.0.place("/proc/uptime")).unwrap();
        assert_eq!(tree.health().board.uptime_s, None);
    }

    #[test]
    fn a_full_disk_is_a_warning_unless_nobody_can_write_to_it() {
        let mut health = Tree::new("full", &[]).health();
        for (mount, is_read_only) in [("/", false), ("/cdrom", true)] {
            let (mount, fs) = (mount.to_owned(), "ext4".to_owned());
            health.disks.push(Disk { mount, fs, total_bytes: 100, available_bytes: 1, used_percent: 99, is_read_only });
        }
        assert_eq!(health.warnings(), ["DISK FULL: / is 99 % used"]);
    }

    #[test]
    fn this_machine_can_be_read() {
        let health = Health::read(&Root::default());
        assert_fits(&schema(), &serde_json::to_value(&health).unwrap(), "health");
        assert!(health.board.uptime_s.is_some() && health.memory.is_some(), "{health}");
    }
}
