//! The board's health, read from `/proc` and `/sys`: the first thing that an owner asks about.
//!
//! Each fact is optional. Boards differ, and a file that is not there, not readable or not understood leaves its fact
//! out; nothing here fails.

mod board;
mod disks;
mod heat;
mod memory;
mod network;
mod power;
mod processes;

use board::Board;
use disks::Disk;
use heat::Temperature;
use memory::{Memory, Size, Swap};
use network::Network;
use power::Power;
use processes::{Sample, Top};

use crate::builtin::root::Root;
use crate::tool::{Arg, Output, Tool};
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::thread::sleep;
use std::time::Duration;

/// What a token needs for it.
pub(super) const SCOPE: &str = "system:read";

/// A disk this full is worth a warning.
const DISK_PERCENT: u8 = 95;
/// Less available memory than this part is worth a warning: one in twenty.
const MEMORY_PART: u64 = 20;
/// From here on a board throttles or soon will: a Raspberry Pi does at 80 to 85.
const HOT_CELSIUS: f64 = 80.0;

/// How long a process is watched to see what it uses.
const WATCH: Duration = Duration::from_millis(if cfg!(fuzzing) { 0 } else { 500 });

/// `board_health`, `board_network` and `top_processes`.
pub(super) fn tools(root: &Root) -> Vec<Tool> {
    vec![health(root), network(root), processes(root)]
}

/// The highest temperature of the thermal zones: what else measures may be slow to ask.
pub(super) fn warmest(root: &Root) -> Option<f64> {
    heat::zones(root).into_iter().map(|zone| zone.celsius).reduce(f64::max)
}

fn network(root: &Root) -> Tool {
    let root = root.clone();
    let about = "Reads the network interfaces of the board: state, addresses, speed, signal, and how much went through them.";
    Tool::new("board_network", about)
        .title("Board network")
        .scope(SCOPE)
        .idempotent()
        .vouched_schema(&network::schema())
        .handler_blocking(move |_| {
            let network = Network::read(&root);
            Output::text_and_structured(network.to_string(), &network)
        })
}

fn processes(root: &Root) -> Tool {
    let root = root.clone();
    let about = "Reads which processes of the board use the most processor time, watched for half a second, and which hold the \
                 most memory. It shows their names, not their arguments.";
    Tool::new("top_processes", about)
        .title("Top processes")
        .arg(Arg::integer("count", "how many of each").between(1, 32).default(8))
        .scope(SCOPE)
        .idempotent()
        .vouched_schema(&processes::schema())
        .handler_blocking(move |arguments| {
            let count = arguments.arg("count")?;
            let before = Sample::read(&root);
            sleep(WATCH);
            let top = Top::since(&before, &root, count);
            Output::text_and_structured(top.to_string(), &top)
        })
}

fn health(root: &Root) -> Tool {
    let root = root.clone();
    let about = "Reads the health of the board that this server runs on: model, uptime, load, memory, disks, temperatures, and \
                 on a Raspberry Pi whether its power supply is too weak or it is throttled. Warnings come first.";
    Tool::new("board_health", about)
        .title("Board health")
        .scope(SCOPE)
        .idempotent()
        .vouched_schema(&schema())
        // A sensor on a slow bus takes its time to read.
        .handler_blocking(move |_| {
            let health = Health::read(&root);
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
    written!({
        "type": "object",
        "properties": {
            "warnings": { "type": "array", "items": { "type": "string" }, "description": "what needs the owner's attention" },
            "model": { "type": "string" },
            "hostname": { "type": "string" },
            "kernel": { "type": "string" },
            "uptime_s": { "type": "integer", "minimum": 0 },
            "load": {
                "type": "array", "items": { "type": "number" }, "minItems": 3, "maxItems": 3,
                "description": "over 1, 5 and 15 minutes"
            },
            "cpus": { "type": "integer", "minimum": 1 },
            "memory": {
                "type": "object",
                "properties": { "total_bytes": { "type": "integer", "minimum": 0 }, "available_bytes": { "type": "integer", "minimum": 0 } },
                "required": ["total_bytes", "available_bytes"],
                "additionalProperties": false
            },
            "swap": {
                "type": "object",
                "properties": { "total_bytes": { "type": "integer", "minimum": 0 }, "free_bytes": { "type": "integer", "minimum": 0 } },
                "required": ["total_bytes", "free_bytes"],
                "additionalProperties": false
            },
            "disks": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "mount": { "type": "string" },
                    "fs": { "type": "string" },
                    "total_bytes": { "type": "integer", "minimum": 0 },
                    "available_bytes": { "type": "integer", "minimum": 0 },
                    "used_percent": { "type": "integer", "minimum": 0, "maximum": 100 },
                    "is_read_only": { "type": "boolean" }
                },
                "required": ["mount", "fs", "total_bytes", "available_bytes", "used_percent", "is_read_only"],
                "additionalProperties": false
            } },
            "temperatures": { "type": "array", "items": {
                "type": "object",
                "properties": { "name": { "type": "string" }, "celsius": { "type": "number" } },
                "required": ["name", "celsius"],
                "additionalProperties": false
            } },
            "power": {
                "type": "object",
                "properties": {
                    "under_voltage_now": { "type": "boolean" },
                    "frequency_capped_now": { "type": "boolean" },
                    "throttled_now": { "type": "boolean" },
                    "soft_temperature_limit_now": { "type": "boolean" },
                    "under_voltage_since_boot": { "type": "boolean" },
                    "frequency_capped_since_boot": { "type": "boolean" },
                    "throttled_since_boot": { "type": "boolean" },
                    "soft_temperature_limit_since_boot": { "type": "boolean" }
                },
                "required": ["under_voltage_now"],
                "additionalProperties": false
            }
        },
        "required": ["warnings", "model", "disks", "temperatures"],
        "additionalProperties": false
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::tree::{Tree, recorded};
    use serde_json::json;

    fn read(tree: &Tree) -> Health {
        let health = Health::read(&tree.0);
        assert_fits(&schema(), &serde_json::to_value(&health).unwrap(), "health");
        health
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

    #[test]
    fn a_weak_supply_on_a_pi_zero_comes_first() {
        let text = read(&Tree::of("pi-zero")).to_string();
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
        let mut health = read(&Tree::of("pi-4"));
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
        let health = read(&Tree::of("pc"));
        let expected = "HOT: x86_pkg_temp is at 86.0 °C\nNUC11TNKi5, up 1 h 2 min\n8 CPUs\n\
                        Temperature: x86_pkg_temp 86.0 °C, nvme Composite 38.9 °C, nvme temp3 40.9 °C, iwlwifi_1 51.0 °C";
        assert_eq!(health.to_string(), expected);
        assert_eq!(health.power, None);
    }

    #[test]
    fn a_kernel_without_the_firmwares_word_still_tells_under_voltage() {
        let files = [("/sys/class/hwmon/hwmon0/name", "rpi_volt\n"), ("/sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")];
        let health = read(&Tree::new(&files));
        assert_eq!(health.warnings.len(), 1);
        assert_eq!(serde_json::to_value(&health.power).unwrap(), json!({ "under_voltage_now": true }));
    }

    #[test]
    fn a_board_that_tells_nothing_is_no_error() {
        let health = read(&Tree::new(&[]));
        assert_eq!(health.to_string(), std::env::consts::ARCH);
        let json = serde_json::to_value(&health).unwrap();
        let expected = json!({ "warnings": [], "model": std::env::consts::ARCH, "disks": [], "temperatures": [] });
        assert_eq!(json, expected);
    }

    #[test]
    fn broken_files_are_left_out() {
        let paths = recorded("pi-4");
        let broken: Vec<(&str, &str)> = paths.keys().map(|path| (path.as_str(), "\u{fffd}\n")).collect();
        let json = serde_json::to_value(read(&Tree::new(&broken))).unwrap();
        for name in ["uptime_s", "load", "cpus", "memory", "swap", "power"] {
            assert!(json.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn an_endless_file_is_read_up_to_its_bound() {
        let tree = Tree::new(&[]);
        let line = format!("/dev/sda1 {} ext4 rw 0 0\n", "/".repeat(99));
        tree.write("/proc/self/mountinfo", line.repeat(2000));
        let text = tree.0.read("/proc/self/mountinfo").unwrap();
        assert!(text.len() <= 64 * 1024 && text.ends_with(" 0 0"), "{}", text.len());
        std::os::unix::fs::symlink("/dev/zero", tree.0.place("/proc/uptime")).unwrap();
        assert_eq!(read(&tree).board.uptime_s, None);
    }

    #[test]
    fn a_full_disk_is_a_warning_unless_nobody_can_write_to_it() {
        let mut health = read(&Tree::new(&[]));
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
