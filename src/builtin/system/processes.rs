//! What keeps the processor busy and the memory full (proc(5)). Names only: the arguments of a program may hold secrets.

use crate::builtin::root::{Root, label};
use crate::builtin::system::memory::Size;
use crate::order;
use serde::Serialize;
use serde_json::Value;
use std::cmp::Ordering;
use std::fmt;

/// More processes are not looked at. A Pi has 150, a busy server 2,000.
const PROCESSES: usize = 4096;

/// How much time the processors, and each process, had used at some moment, in the kernel's ticks.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// Of all processors together, idle or not.
    all: u64,
    cpus: u64,
    /// For each process, the oldest first.
    used: Vec<(u32, u64)>,
}

/// Those that use the most.
#[derive(Debug, Serialize)]
pub(super) struct Top {
    /// How many there are.
    processes: usize,
    by_cpu: Vec<Process>,
    by_memory: Vec<Process>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Process {
    pid: u32,
    name: String,
    /// Of one processor: 200 where it keeps two of them busy.
    cpu_percent: f64,
    memory_bytes: u64,
}

impl Sample {
    pub(super) fn read(root: &Root) -> Self {
        let mut sample = Sample::default();
        for line in root.read("/proc/stat").unwrap_or_default().lines() {
            if let Some(times) = line.strip_prefix("cpu ") {
                // The times of guests stand behind, and are in the first ones already.
                sample.all =
                    times.split_whitespace().take(8).filter_map(|time| time.parse::<u64>().ok()).fold(0, u64::saturating_add);
            } else if line.starts_with("cpu") {
                sample.cpus += 1;
            }
        }
        for pid in pids(root) {
            let stat = root.read(&format!("/proc/{pid}/stat")).unwrap_or_default();
            sample.used.extend(used(&stat).map(|used| (pid, used)));
        }
        sample
    }
}

/// The processes, the oldest first.
fn pids(root: &Root) -> Vec<u32> {
    root.most_names("/proc", "", PROCESSES).iter().filter_map(|name| name.parse().ok()).collect()
}

/// The time that a process has used: the 14th and 15th word of its `stat`, the second of which is a name in parentheses that may
/// hold anything.
fn used(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    words.next()?.ok()?.checked_add(words.next()?.ok()?)
}

impl Top {
    /// The `count` processes that used the most since `before`, and the `count` that hold the most memory.
    pub(super) fn since(before: &Sample, root: &Root, count: usize) -> Self {
        let now = Sample::read(root);
        let ticks = now.all.saturating_sub(before.all);
        let mut all: Vec<Process> = now
            .used
            .iter()
            .map(|(pid, used)| {
                // One that is new since then used all of it since then.
                let earlier = before.used.binary_search_by_key(pid, |(pid, _)| *pid).map_or(0, |place| before.used[place].1);
                let used = used.saturating_sub(earlier);
                let status = root.read(&format!("/proc/{pid}/status")).unwrap_or_default();
                Process {
                    pid: *pid,
                    name: name(&status),
                    cpu_percent: percent(used, ticks, now.cpus),
                    memory_bytes: memory(&status),
                }
            })
            .collect();
        let processes = all.len();
        let most = |a: &Process, b: &Process, order: Ordering| order.then(b.pid.cmp(&a.pid)).is_gt();
        order::sort(&mut all, |a, b| most(a, b, a.memory_bytes.cmp(&b.memory_bytes)));
        let by_memory = all.iter().take(count).cloned().collect();
        order::sort(&mut all, |a, b| most(a, b, a.cpu_percent.total_cmp(&b.cpu_percent)));
        all.truncate(count);
        Top { processes, by_cpu: all, by_memory }
    }
}

/// The part that `used` is of what one of the processors had, to a tenth.
fn percent(used: u64, ticks: u64, cpus: u64) -> f64 {
    let tenths = u128::from(used) * 1000 * u128::from(cpus.max(1)) / u128::from(ticks.max(1));
    // No process can use more than all of them; clocks that do not agree say so at times.
    let tenths = tenths.min(u128::from(cpus.max(1)) * 1000);
    u32::try_from(tenths).map_or(0.0, |tenths| f64::from(tenths) / 10.0)
}

fn line<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// A process chooses its name itself.
fn name(status: &str) -> String {
    line(status, "Name").map_or_else(|| "?".to_owned(), label)
}

/// What it holds of the memory; threads of the kernel hold none.
fn memory(status: &str) -> u64 {
    let kib = line(status, "VmRSS").and_then(|line| line.strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.and_then(|kib| kib.checked_mul(1024)).unwrap_or_default()
}

impl fmt::Display for Top {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} processes. By processor:", self.processes)?;
        self.by_cpu.iter().try_for_each(|it| write!(f, "\n  {} ({}): {} %", it.name, it.pid, it.cpu_percent))?;
        f.write_str("\nBy memory:")?;
        self.by_memory.iter().try_for_each(|it| write!(f, "\n  {} ({}): {}", it.name, it.pid, Size(it.memory_bytes)))
    }
}

/// The JSON Schema of [`Top`].
pub(super) fn schema() -> Value {
    let mut schema = written!({
        "type": "object",
        "properties": {
            "processes": { "type": "integer", "minimum": 0 },
            "by_cpu": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "pid": { "type": "integer", "minimum": 0 },
                    "name": { "type": "string" },
                    "cpu_percent": { "type": "number", "description": "of one processor: 200 where two are kept busy" },
                    "memory_bytes": { "type": "integer", "minimum": 0 }
                },
                "required": ["pid", "name", "cpu_percent", "memory_bytes"],
                "additionalProperties": false
            } }
        },
        "required": ["processes", "by_cpu", "by_memory"],
        "additionalProperties": false
    });
    schema["properties"]["by_memory"] = schema["properties"]["by_cpu"].clone();
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::tree::{Tree, recorded};

    #[test]
    fn a_name_that_imitates_the_fields_behind_it_deceives_nobody() {
        assert_eq!(used("7 (a) S 9 9 9 9 9 9 9 9 9 9 9) S 1 7 7 0 -1 4194560 100 0 0 0 30 12 0 0 20"), Some(42));
        for stat in [
            "",
            "1",
            "1 (a)",
            "1 (a) S 1",
            "1 (a) S 1 7 7 0 -1 4194560 100 0 0 0 x 12",
            "1 (a) S 1 1 1 1 1 1 1 1 1 1 18446744073709551615 1",
        ] {
            assert_eq!(used(stat), None, "{stat}");
        }
    }

    #[test]
    fn a_part_of_one_processor_is_never_more_than_all_of_them() {
        let told = |used, ticks, cpus| percent(used, ticks, cpus).to_string();
        assert_eq!(told(25, 400, 4), "25");
        assert_eq!(told(1, 3000, 4), "0.1");
        assert_eq!(told(200, 400, 4), "200");
        assert_eq!(told(u64::MAX, 1, 4), "400");
        assert_eq!(told(5, 0, 0), "100");
        assert_eq!(told(0, 0, 0), "0");
    }

    #[test]
    fn what_was_used_between_two_moments_decides() {
        let tree = Tree::of("pi-4");
        let before = Sample::read(&tree.0);
        tree.write("/proc/stat", "cpu  4100 0 2050 90210 4040 0 0 0 0 0\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\n");
        tree.write("/proc/900/stat", "900 (mosquitto) S 1 900 900 0 -1 4194560 100 0 0 0 170 50 0 0 20 0 1\n");
        let expected = "3 processes. By processor:\n  mosquitto (900): 100 %\n  systemd (1): 0 %\n\
                        By memory:\n  pihole-FTL (812): 60 MiB\n  systemd (1): 12 MiB";
        assert_eq!(Top::since(&before, &tree.0, 2).to_string(), expected);
    }

    #[test]
    fn whatever_the_files_hold_it_is_bounded_and_no_fault() {
        for bytes in
            [&b""[..], b"\xff\xfe\0)", b"Name:\t\x1b[2J\x07evil\nVmRSS: 99999999999999999999 kB", ")".repeat(100_000).as_bytes()]
        {
            let tree = Tree::new(&[]);
            for path in recorded("pi-zero").keys() {
                tree.write(path, bytes);
            }
            let mut before = Sample::read(&tree.0);
            before.used.insert(0, (1, u64::MAX));
            let text = Top::since(&before, &tree.0, 32).to_string();
            assert!(text.len() < 1000 && !text.contains('\x1b') && !text.contains('\0'), "{text}");
        }
    }

    #[test]
    fn this_process_is_among_those_of_this_machine() {
        let top = Top::since(&Sample::default(), &Root::default(), PROCESSES);
        let own = top.by_memory.iter().find(|process| process.pid == std::process::id()).unwrap();
        assert!(own.memory_bytes > 100_000 && top.processes == top.by_cpu.len(), "{own:?}");
    }
}
