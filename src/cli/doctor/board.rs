//! The board itself: its configuration, its keys, its service, and the devices of the tools that are configured.

use super::report::Report;
use crate::builtin::gpio::device;
use crate::cli::{Which, server, when};
use crate::config::{Config, FILE};
use crate::error::{Error, Exit};
use crate::order;
use crate::server::desk::{Answer, Request};
use crate::server::{Server, state, tls};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where systemd says that it runs (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";

/// Looks at everything that is here. The configuration, and how many tools it offers; `None` where it is wrong.
pub(super) fn examine(report: &Report, which: &Which) -> Option<(Config, usize)> {
    report.title("This board");
    report.begin("configuration");
    let (config, tool_count) = match configuration(which) {
        Ok(found) => found,
        Err(error) => {
            let is_denied = error.exit() == Exit::Permission;
            let error = if is_denied { error.remedy("Ask as root: sudo perchd doctor") } else { error };
            report.failed("configuration", &error, "");
            return None;
        }
    };
    let file = config.file.as_ref().map_or_else(|| "none: what holds without one".to_owned(), |file| file.display().to_string());
    report.ok("configuration", &format!("{file}, {tool_count} tools"));
    keys(report, &config);
    unit(report, &config);
    let pid = service(report, which);
    let user = pid.and_then(User::of);
    readable(report, &config, user.as_ref());
    gpio(report, &config, user.as_ref());
    i2c(report, &config, user.as_ref());
    journal(report, &config, user.as_ref());
    Some((config, tool_count))
}

fn configuration(which: &Which) -> Result<(Config, usize), Error> {
    let (config, catalog) = Server::new(which.config()?).builtin().checked()?;
    tls::Tls::check(&config)?;
    let count = catalog.tools().len();
    Ok((config, count))
}

/// The files that nobody else may read, and that the server must be able to.
fn keys(report: &Report, config: &Config) {
    const STEP: &str = "keys";
    report.begin(STEP);
    let owner = match fs::metadata(&config.state) {
        Ok(about) => owner(config).unwrap_or(about.uid()),
        Err(_) => return report.absent(STEP, &format!("none yet in {}: made at the first start", config.state.display())),
    };
    let mut seen = Vec::new();
    for (name, what) in [("keys", "the key ring"), ("ca.key", "the key of the CA"), ("server.key", "the server's key")] {
        let path = config.state.join(name);
        let about = match fs::metadata(&path) {
            Ok(about) => about,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                report.unreached(STEP, "only their owner can look at them: sudo perchd doctor");
                return;
            }
            Err(_) => continue,
        };
        if let Err(error) = state::check_secret(&path, what) {
            report.failed(STEP, &error, "");
            return;
        }
        if about.uid() != owner {
            let (is, must) = (name_of("/etc/passwd", about.uid()), name_of("/etc/passwd", owner));
            let error = Error::new(Exit::Config, format!("{what} belongs to {is}, and perchd runs as {must}"));
            let remedy = format!("sudo chown {must} {}", path.display());
            report.failed(STEP, &error.at(path.display()).remedy(remedy), "");
            return;
        }
        seen.push(name);
    }
    match seen.as_slice() {
        [] => report.absent(STEP, &format!("none yet in {}: made at the first start", config.state.display())),
        seen => report.ok(STEP, &format!("{} in {}, for their owner alone", seen.join(", "), config.state.display())),
    }
}

/// Whose the state of the system's server is.
fn owner(config: &Config) -> Option<u32> {
    let is_system = config.file.as_deref() == Some(Path::new(FILE));
    entry("/etc/passwd", "perchd").filter(|_| is_system)?.get(2)?.parse().ok()
}

/// What systemd says of the system's server.
fn unit(report: &Report, config: &Config) {
    const STEP: &str = "unit";
    report.begin(STEP);
    if config.file.as_deref() != Some(Path::new(FILE)) {
        return;
    }
    if !Path::new(BOOTED).exists() {
        return report.absent(STEP, "no systemd runs here");
    }
    let ask = Command::new("systemctl").args(["is-active", "perchd.service", "perchd.socket"]).stdin(Stdio::null()).output();
    let Ok(output) = ask else { return report.absent(STEP, "there is no systemctl") };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let states: Vec<_> = said.lines().collect();
    if let [service @ ("active" | "reloading"), socket] = states.as_slice() {
        return report.ok(STEP, &format!("perchd.service is {service}, perchd.socket {socket}"));
    }
    let error = Error::new(Exit::Failed, format!("perchd.service is {}", states.first().unwrap_or(&"unknown")));
    let remedy = "Start it: sudo systemctl enable --now perchd. Why it ended: journalctl -u perchd -n 20";
    report.failed(STEP, &error.remedy(remedy), "");
}

/// The server that runs; its process.
fn service(report: &Report, which: &Which) -> Option<u32> {
    const STEP: &str = "server";
    report.begin(STEP);
    match server::ask(which, &Request::Health) {
        Ok(Answer::Health { version, pid, uptime_secs, .. }) => {
            report.ok(STEP, &format!("perchd {version} has run for {}, process {pid}", when::spoken(uptime_secs)));
            Some(pid)
        }
        Err(error) if error.exit() == Exit::Permission => {
            report.unreached(STEP, "it is another user's: sudo perchd doctor");
            None
        }
        told => {
            report.failed(STEP, &told.err().unwrap_or_else(server::odd), "");
            None
        }
    }
}

/// Root reads what the server may not.
fn readable(report: &Report, config: &Config, user: Option<&User>) {
    let (Some(file), Some(user)) = (&config.file, user) else { return };
    if fs::metadata(file).is_ok_and(|about| !user.may(&about, 0o4)) {
        let name = name_of("/etc/passwd", user.uid);
        let error = Error::new(Exit::Permission, format!("{name}, whom the server runs as, may not read it")).at(file.display());
        let remedy = format!("sudo chgrp {name} {0} && sudo chmod 640 {0}", file.display());
        report.failed("configuration", &error.remedy(remedy), "");
    }
}

/// Whom the server runs as.
struct User {
    uid: u32,
    groups: Vec<u32>,
}

impl User {
    /// By its process: systemd may have put it into more groups than `/etc/group` says.
    fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let numbers = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>()
        };
        let groups = [numbers("Groups:"), numbers("Gid:")].concat();
        Some(User { uid: *numbers("Uid:").get(1)?, groups })
    }

    /// Whether it may do this with a file (`path_resolution(7)`): 4 is to read, 2 to write.
    fn may(&self, about: &fs::Metadata, wanted: u32) -> bool {
        let bits = if self.uid == 0 {
            return true;
        } else if about.uid() == self.uid {
            about.mode() >> 6
        } else if self.groups.contains(&about.gid()) {
            about.mode() >> 3
        } else {
            about.mode()
        };
        bits & wanted == wanted
    }

    /// Why it may not open a device.
    fn refused(&self, path: &Path, about: &fs::Metadata) -> Option<Error> {
        if self.may(about, 0o6) {
            return None;
        }
        let (user, group) = (name_of("/etc/passwd", self.uid), name_of("/etc/group", about.gid()));
        let what = format!("{user} may not open it: it is of the group {group}, and {user} is not in that");
        Some(Error::new(Exit::Permission, what).at(path.display()).remedy(join(&group, &user)))
    }
}

/// Looks at a device that a table of the configuration names.
fn check(path: &Path, table: &str, user: Option<&User>) -> Result<(), Error> {
    let about = fs::metadata(path).map_err(|error| {
        let remedy = match table {
            "[i2c]" => "Is the bus switched on? On a Raspberry Pi: dtparam=i2c_arm=on in config.txt, then a restart.",
            _ => "Which chips there are: gpiodetect, or ls /dev/gpiochip*",
        };
        let what = format!("there is no such device, which {table} names");
        Error::new(Exit::Config, what).at(path.display()).because(error).remedy(remedy)
    })?;
    user.and_then(|user| user.refused(path, &about)).map_or(Ok(()), Err)
}

fn gpio(report: &Report, config: &Config, user: Option<&User>) {
    const STEP: &str = "gpio";
    report.begin(STEP);
    let mut chips: Vec<_> = config.gpio.lines.iter().map(|line| line.wiring.chip.as_str()).collect();
    order::sort(&mut chips, |a, b| a < b);
    chips.dedup();
    let found = chips.iter().map(|chip| {
        let path = device::path(chip).map_err(|error| Error::new(Exit::Config, error.to_string()).at("[gpio]"))?;
        check(&path, "[gpio]", user).map(|()| path)
    });
    devices(report, STEP, found.collect(), user.is_some());
}

fn i2c(report: &Report, config: &Config, user: Option<&User>) {
    const STEP: &str = "i2c";
    report.begin(STEP);
    let mut buses: Vec<_> = config.i2c.iter().map(|device| device.bus).collect();
    order::sort(&mut buses, |a, b| a < b);
    buses.dedup();
    let found = buses.iter().map(|bus| {
        let path = PathBuf::from(format!("/dev/i2c-{bus}"));
        check(&path, "[i2c]", user).map(|()| path)
    });
    devices(report, STEP, found.collect(), user.is_some());
}

fn devices(report: &Report, step: &str, found: Result<Vec<PathBuf>, Error>, has_server: bool) {
    match found {
        Ok(paths) if paths.is_empty() => {}
        Ok(paths) => {
            let list: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            let open = if has_server { ", and open to perchd" } else { "; whether perchd may open it is seen when it runs" };
            report.ok(step, &format!("{}: there{open}", list.join(", ")));
        }
        Err(error) => _ = report.failed(step, &error, ""),
    }
}

/// What units wrote is for a group.
fn journal(report: &Report, config: &Config, user: Option<&User>) {
    const STEP: &str = "journal";
    const GROUP: &str = "systemd-journal";
    report.begin(STEP);
    let group = entry("/etc/group", GROUP).and_then(|fields| fields.get(2)?.parse::<u32>().ok());
    let (Some(_), Some(group)) = (&config.allowed.services, group) else { return };
    let Some(user) = user else {
        report.unreached(STEP, "whether perchd may read it is seen when it runs, by root");
        return;
    };
    if user.uid == 0 || user.groups.contains(&group) {
        return report.ok(STEP, "perchd may read it");
    }
    let name = name_of("/etc/passwd", user.uid);
    let what = format!("{name} may not read what units write: it is not in the group {GROUP}");
    report.failed(STEP, &Error::new(Exit::Permission, what).at("[services]").remedy(join(GROUP, &name)), "");
}

/// How a user gets into a group.
fn join(group: &str, user: &str) -> String {
    if user == "perchd" {
        return "Put /usr/share/doc/perchd/examples/hardware.conf into /etc/systemd/system/perchd.service.d/, then: \
                systemctl daemon-reload && systemctl restart perchd"
            .to_owned();
    }
    format!("sudo usermod -aG {group} {user}, and start perchd anew")
}

/// The lines of `/etc/passwd` or `/etc/group`, in fields.
fn entries(file: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
}

fn entry(file: &str, name: &str) -> Option<Vec<String>> {
    entries(file).into_iter().find(|fields| fields[0] == name)
}

/// What the user or the group of this number is called.
fn name_of(file: &str, number: u32) -> String {
    let number = number.to_string();
    let found = entries(file).into_iter().find(|fields| fields.get(2) == Some(&number));
    found.map_or(number, |mut fields| fields.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn the_class_of_a_user_says_what_he_may_do_and_no_other() {
        let file = std::env::temp_dir().join(format!("perchd-doctor-{}", std::process::id()));
        fs::write(&file, "").unwrap();
        let about = |mode: u32| {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            fs::metadata(&file).unwrap()
        };
        let (uid, gid) = (about(0o600).uid(), about(0o600).gid());
        let own = User { uid: uid + 1, groups: vec![gid] };
        let other = User { uid: uid + 1, groups: vec![gid + 1] };
        assert!(own.may(&about(0o660), 6) && own.may(&about(0o640), 4) && other.may(&about(0o666), 6));
        assert!(!own.may(&about(0o640), 6) && !own.may(&about(0o606), 6), "others may more, and that does not count");
        assert!(!other.may(&about(0o660), 4) && !other.may(&about(0o600), 6));
        assert!(User { uid: 0, groups: Vec::new() }.may(&about(0o000), 6));
        fs::remove_file(&file).unwrap();
    }
}
