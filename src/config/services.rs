//! `[services]`: which units of systemd may be looked at, and which may be started and stopped.

use super::declared::program;
use super::file::{OneOrMore, Placed, ServicesTable};
use super::read::Source;
use crate::error::Error;
use crate::limits;
use std::fmt;
use std::ops::Range;
use std::path::Path;

/// Where systemd's programs are, but for few distributions.
const SYSTEMCTL: &str = "/usr/bin/systemctl";
const JOURNALCTL: &str = "/usr/bin/journalctl";

/// The kinds of units (systemd.unit(5)).
const KINDS: [&str; 11] =
    ["service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope"];

/// Units that the owner lets clients see and control, already checked.
#[derive(Clone, Debug)]
pub struct Services {
    /// Those that may be looked at; those of `control` are among them.
    pub(crate) units: Vec<Unit>,
    /// Whether every other one may be looked at as well.
    pub(crate) is_all: bool,
    /// Those that may be started, stopped and restarted.
    pub(crate) control: Vec<Unit>,
    /// The program, and the words that come first.
    pub(crate) systemctl: Vec<String>,
    pub(crate) journalctl: Vec<String>,
}

impl Services {
    /// The units that may be started, stopped and restarted.
    pub fn control(&self) -> impl Iterator<Item = &str> {
        self.control.iter().map(Unit::as_str)
    }
}

/// The full name of one unit: neither a pattern nor a template, nor an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit(String);

impl Unit {
    /// By the grammar of systemd (`unit_name_is_valid` in its `basic/unit-name.c`).
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        let parts = name.rsplit_once('.').filter(|(stem, kind)| !stem.is_empty() && KINDS.contains(kind));
        let is_good = parts.is_some_and(|(stem, _)| {
            let is_instance = stem.split_once('@').is_none_or(|(before, behind)| !before.is_empty() && !behind.is_empty());
            stem.bytes().all(is_known) && is_instance
        });
        if is_good && name.len() <= limits::UNIT_NAME_BYTES {
            return Ok(Unit(name.to_owned()));
        }
        let shown: String = name.chars().take(60).collect();
        Err(format!("{shown:?} is no full name of a unit, such as nginx.service or backup@photos.timer"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Source<'_> {
    pub(super) fn services(&self, placed: &Placed<ServicesTable>) -> Result<Services, Error> {
        let table = placed.get_ref();
        let control = self.units(&table.control)?;
        let mut units = self.units(&table.units)?;
        for unit in &control {
            if !units.contains(unit) {
                units.push(unit.clone());
            }
        }
        if units.is_empty() && !table.all {
            let what = "no unit is named here";
            return Err(self.fault(placed.span(), what, "Write units = [\"nginx.service\"], or take the table out."));
        }
        Ok(Services {
            units,
            is_all: table.all,
            control,
            systemctl: self.program(table.systemctl.as_ref(), SYSTEMCTL, placed.span())?,
            journalctl: self.program(table.journalctl.as_ref(), JOURNALCTL, placed.span())?,
        })
    }

    fn units(&self, names: &[Placed<String>]) -> Result<Vec<Unit>, Error> {
        if let Some(name) = names.get(limits::UNITS) {
            let what = format!("there are more than {} units", limits::UNITS);
            return Err(self.fault(name.span(), what, "To let all be looked at, write all = true."));
        }
        let mut units = Vec::new();
        for name in names {
            if name.get_ref().contains(['*', '?', '[']) {
                let what = format!("{:?} is a pattern, and units are named one by one", name.get_ref());
                return Err(self.fault(name.span(), what, "To let all be looked at, write all = true."));
            }
            let unit = self.checked(name, Unit::parse)?;
            if !units.contains(&unit) {
                units.push(unit);
            }
        }
        Ok(units)
    }

    /// The program and its first words; nobody who calls perchd can have changed it.
    fn program(&self, given: Option<&OneOrMore>, usual: &str, table: Range<usize>) -> Result<Vec<String>, Error> {
        let Some(OneOrMore(words)) = given else {
            let remedy = "These tools need systemd; where its programs are elsewhere, name them: systemctl = \"/path\", \
                          journalctl = \"/path\"";
            program::check(Path::new(usual), &[]).map_err(|(what, _)| self.fault(table, what, remedy))?;
            return Ok(vec![usual.to_owned()]);
        };
        let line: Vec<String> = words.iter().map(|word| word.get_ref().clone()).collect();
        let (first, rest) = line.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let span = words.first().map_or(table, Placed::span);
        if line.iter().any(|word| word.contains('\0')) {
            return Err(self.fault(span, "there is a NUL in a word", "Take it out."));
        }
        let literals: Vec<&str> = rest.iter().map(String::as_str).collect();
        program::check(Path::new(first), &literals).map_err(|(what, remedy)| self.fault(span, what, remedy))?;
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_no_name_of_one_unit_is_refused() {
        let long = format!("{}.service", "x".repeat(limits::UNIT_NAME_BYTES - 7));
        for name in [
            "",
            ".",
            "nginx",
            ".service",
            "nginx.",
            "nginx.conf",
            "nginx.Service",
            "*.service",
            "ngin?.service",
            "[a].service",
            "a b.service",
            "a\nb.service",
            "a\0.service",
            "ä.service",
            "/etc/a.service",
            "../a.service",
            "a;b.service",
            "$(a).service",
            "@.service",
            "@a.service",
            "getty@.service",
            "--user",
            "-H.remote",
            "a.service ",
            " a.service",
            "a,b.service",
            "a=b.service",
            "nginx.service\n",
            &long,
        ] {
            assert!(Unit::parse(name).unwrap_err().contains("no full name of a unit"), "{name:?}");
        }
    }

    #[test]
    fn every_name_that_systemd_takes_is_taken() {
        let long = format!("{}.service", "x".repeat(limits::UNIT_NAME_BYTES - 8));
        for name in [
            "nginx.service",
            "getty@tty1.service",
            "a@b@c.service",
            "-.mount",
            "-.slice",
            "dbus-org.freedesktop.login1.service",
            "dev-disk-by\\x2duuid.swap",
            "user@1000.service",
            "a:b_c.timer",
            "0.path",
            "session-1.scope",
            &long,
        ] {
            assert_eq!(Unit::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_table_is_read_and_what_is_controlled_can_be_seen() {
        let toml = "state = \"/s\"\n[services]\nunits = [\"a.service\"]\ncontrol = [\"b.service\", \"a.service\", \"b.service\"]\n\
                    systemctl = [\"/bin/sh\", \"/x\"]\njournalctl = \"/bin/sh\"";
        let services = Config::parse(toml, Path::new("p")).unwrap().allowed.services.unwrap();
        assert_eq!(services.units.iter().map(Unit::as_str).collect::<Vec<_>>(), ["a.service", "b.service"]);
        assert_eq!(services.control().collect::<Vec<_>>(), ["b.service", "a.service"]);
        assert_eq!((services.systemctl.len(), services.journalctl.len(), services.is_all), (2, 1, false));
    }

    #[test]
    fn no_more_units_are_named_than_a_schema_has_room_for() {
        let names = |count: usize| (0..count).map(|n| format!("\"u{n}.service\"")).collect::<Vec<_>>().join(",");
        let read = |count| {
            let programs = "systemctl = \"/bin/sh\"\njournalctl = \"/bin/sh\"";
            Config::parse(&format!("state = \"/s\"\n[services]\nunits = [{}]\n{programs}", names(count)), Path::new("p"))
        };
        assert!(read(limits::UNITS).is_ok());
        assert!(read(limits::UNITS + 1).unwrap_err().to_string().contains("more than 64 units"));
    }
}
