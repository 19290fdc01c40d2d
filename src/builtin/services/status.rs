//! How a unit is, from what `systemctl show` prints.

use crate::builtin::services::text::{bounded, date};
use crate::limits;
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// What is asked for. `systemctl` prints them in an order of its own.
pub(super) const PROPERTIES: &str = "--property=Id,Description,LoadState,ActiveState,SubState,UnitFileState,MainPID,MemoryCurrent,NRestarts,\
                                     Result,ExecMainStatus,StatusText,ActiveEnterTimestamp,ActiveExitTimestamp,\
                                     InactiveEnterTimestamp,InactiveExitTimestamp";

/// The states that a unit can be in as a whole (systemctl(1), `--state=help`).
pub(super) const STATES: [&str; 6] = ["active", "reloading", "inactive", "failed", "activating", "deactivating"];

/// One unit. What systemd does not say is left out.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Status {
    pub(super) unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Such as `loaded`, `not-found`, `masked`.
    pub(super) load: String,
    pub(super) active: String,
    sub: String,
    /// Whether it starts by itself: `enabled`, `disabled`, `static`.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<String>,
    /// Since when it is in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    main_pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    /// How often systemd has started it again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    restarts: Option<u32>,
    /// How it went last: `success`, or what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// The exit code or signal of its main process.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    /// What it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<String>,
}

impl Status {
    /// Every unit that is told of; an empty line stands between two.
    pub(super) fn read(printed: &[u8]) -> Vec<Status> {
        let printed = String::from_utf8_lossy(printed);
        printed.split("\n\n").map(str::trim).filter(|block| block.contains('=')).map(Status::one).collect()
    }

    fn one(block: &str) -> Self {
        // Of two with one name the first counts.
        let raw = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let text = |name| raw(name).map(|value| bounded(value, limits::UNIT_TEXT_BYTES).0).filter(|value| !value.is_empty());
        let active = text("ActiveState").unwrap_or_else(|| "unknown".to_owned());
        let turned = match active.as_str() {
            "active" | "reloading" => "ActiveEnterTimestamp",
            "inactive" | "failed" => "InactiveEnterTimestamp",
            "activating" => "InactiveExitTimestamp",
            _ => "ActiveExitTimestamp",
        };
        let result = text("Result");
        let is_good = result.as_deref().is_none_or(|result| result == "success");
        Status {
            unit: text("Id").unwrap_or_else(|| "unknown".to_owned()),
            description: text("Description"),
            load: text("LoadState").unwrap_or_else(|| "unknown".to_owned()),
            sub: text("SubState").unwrap_or_else(|| "unknown".to_owned()),
            enabled: text("UnitFileState"),
            since: raw(turned).and_then(date),
            main_pid: raw("MainPID").and_then(|pid| pid.parse().ok()).filter(|pid| *pid != 0),
            // Where it is not counted, some versions say `[not set]`, and others the highest number.
            memory_bytes: raw("MemoryCurrent").and_then(|bytes| bytes.parse().ok()).filter(|bytes| *bytes != u64::MAX),
            restarts: raw("NRestarts").and_then(|count| count.parse().ok()),
            exit_code: raw("ExecMainStatus").and_then(|code| code.parse().ok()).filter(|code| *code != 0 || !is_good),
            result,
            says: text("StatusText"),
            active,
        }
    }

    /// The JSON Schema of it.
    pub(super) fn schema() -> Value {
        let mut schema = written!({
            "type": "object",
            "properties": {
                "unit": { "type": "string" },
                "description": { "type": "string" },
                "load": { "type": "string", "description": "loaded, not-found, masked, …" },
                "active": { "type": "string" },
                "sub": { "type": "string", "description": "running, exited, dead, auto-restart, …" },
                "enabled": { "type": "string", "description": "whether it starts at boot: enabled, disabled, static, …" },
                "since": { "type": "string", "description": "when it came into this state, in UTC" },
                "main_pid": { "type": "integer", "minimum": 0 },
                "memory_bytes": { "type": "integer", "minimum": 0 },
                "restarts": { "type": "integer", "minimum": 0, "description": "how often systemd restarted it by itself" },
                "result": { "type": "string", "description": "success, or what went wrong: exit-code, signal, timeout, …" },
                "exit_code": { "type": "integer", "minimum": 0, "description": "exit code or signal of its main process" },
                "says": { "type": "string", "description": "what the service says of itself" }
            },
            "required": ["unit", "load", "active", "sub"],
            "additionalProperties": false
        });
        schema["properties"]["active"]["description"] = STATES.join(", ").into();
        schema
    }
}

/// What a person or a model takes in at a glance.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.unit)?;
        if self.load != "loaded" {
            write!(f, "{}, ", self.load)?;
        }
        write!(f, "{} ({})", self.active, self.sub)?;
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        if let Some(result) = self.result.as_ref().filter(|result| *result != "success") {
            write!(f, ", result {result}")?;
        }
        if let Some(code) = self.exit_code {
            write!(f, ", exit code {code}")?;
        }
        if let Some(restarts) = self.restarts.filter(|count| *count > 0) {
            write!(f, ", restarted {restarts} times")?;
        }
        if let Some(bytes) = self.memory_bytes {
            write!(f, ", {} KiB of memory", bytes / 1024)?;
        }
        for text in [&self.description, &self.says].into_iter().flatten() {
            write!(f, "; {text}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NGINX: &str = "MainPID=812\nNRestarts=2\nExecMainStatus=0\nMemoryCurrent=8388608\nResult=success\nStatusText=\n\
                         Id=nginx.service\nDescription=A high performance web server\nLoadState=loaded\nActiveState=active\n\
                         SubState=running\nUnitFileState=enabled\nActiveEnterTimestamp=Tue 2026-11-24 03:36:17 UTC\n\
                         InactiveEnterTimestamp=\n";
    const FAILED: &str = "Id=backup.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nMainPID=0\n\
                          ExecMainStatus=3\nMemoryCurrent=[not set]\nInactiveEnterTimestamp=Mon 2026-11-23 22:00:01 UTC\n";

    fn one(block: &str) -> Status {
        let mut units = Status::read(block.as_bytes());
        assert_eq!(units.len(), 1, "{block}");
        units.remove(0)
    }

    #[test]
    fn units_are_told_of_one_after_the_other() {
        let units = Status::read(format!("{NGINX}\n{FAILED}").as_bytes());
        let lines: Vec<_> = units.iter().map(Status::to_string).collect();
        assert_eq!(
            lines,
            [
                "nginx.service: active (running) since 2026-11-24T03:36:17Z, restarted 2 times, 8192 KiB of memory; \
                 A high performance web server",
                "backup.service: failed (failed) since 2026-11-23T22:00:01Z, result exit-code, exit code 3",
            ]
        );
        let json = serde_json::to_value(&units).unwrap();
        assert_eq!(
            (&json[0]["main_pid"], &json[0]["memory_bytes"], &json[0]["enabled"]),
            (&json!(812), &json!(8_388_608), &json!("enabled"))
        );
        for absent in ["main_pid", "memory_bytes", "description", "says"] {
            assert!(json[1].get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn what_is_not_counted_is_left_out() {
        let block = "Id=a.mount\nMemoryCurrent=18446744073709551615\nNRestarts=-1\nMainPID=x\nExecMainStatus=999999\n";
        let unit = one(block);
        assert_eq!((unit.memory_bytes, unit.restarts, unit.main_pid, unit.exit_code), (None, None, None, None));
        assert_eq!(unit.to_string(), "a.mount: unknown, unknown (unknown)");
        assert_eq!(one("Id=b.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead").load, "not-found");
    }

    #[test]
    fn each_state_has_a_time_of_its_own() {
        for (state, property) in [
            ("active", "ActiveEnterTimestamp"),
            ("failed", "InactiveEnterTimestamp"),
            ("activating", "InactiveExitTimestamp"),
            ("deactivating", "ActiveExitTimestamp"),
        ] {
            let unit = one(&format!("Id=a.service\nActiveState={state}\n{property}=Tue 2026-11-24 03:36:17 UTC"));
            assert_eq!(unit.since.as_deref(), Some("2026-11-24T03:36:17Z"), "{state}");
        }
    }

    #[test]
    fn what_a_unit_says_is_short_and_has_no_control_characters() {
        let long = "x".repeat(100_000);
        let unit = one(&format!("Id=a.service\nStatusText=\u{1b}[31mred\u{7}\nDescription={long}\nDescription=second"));
        assert_eq!(unit.says.unwrap(), "\u{fffd}[31mred\u{fffd}");
        assert!(unit.description.unwrap().len() <= limits::UNIT_TEXT_BYTES);
    }

    /// Whatever is printed, what is told of it fits the schema and stays small.
    #[test]
    fn nothing_that_is_printed_upsets_it() {
        assert!(Status::read(b"").is_empty() && Status::read(b"\n\n\n\nno\n\n").is_empty());
        let known = Status::schema();
        let mut seed = 7_u64;
        for round in 0..2000 {
            let mut printed = format!("{NGINX}\n{FAILED}").into_bytes();
            for _ in 0..=round % 12 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = usize::try_from(seed >> 33).unwrap() % printed.len();
                match seed >> 20 & 3 {
                    0 => printed[at] = seed.to_be_bytes()[2],
                    1 => printed.truncate(at + 1),
                    2 => printed.splice(at..at, *b"\n\nId=").for_each(drop),
                    _ => printed.splice(at..at, vec![0xff; 900]).for_each(drop),
                }
            }
            for unit in Status::read(&printed) {
                let json = serde_json::to_value(&unit).unwrap();
                for (name, value) in json.as_object().unwrap() {
                    assert_eq!(known["properties"][name]["type"] == "string", value.is_string(), "{name}");
                    assert!(value.to_string().len() <= 2 * limits::UNIT_TEXT_BYTES);
                }
                assert!(!unit.to_string().contains(['\n', '\0', '\u{1b}']));
            }
        }
    }
}
