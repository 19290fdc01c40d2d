//! The network: interfaces with their state, addresses and traffic (kernel documentation, ABI/testing/sysfs-class-net).

use crate::builtin::root::{Root, label};
use crate::builtin::system::memory::Size;
use crate::json;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// More addresses are not shown. A board has five to ten.
const ADDRESSES: usize = 128;

/// The network.
#[derive(Debug, Serialize)]
pub(super) struct Network {
    interfaces: Vec<Interface>,
    /// Where what is meant for other networks goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    /// Addresses of which the routes do not say where they belong.
    other_addresses: Vec<String>,
}

/// One interface.
#[derive(Debug, Serialize)]
struct Interface {
    name: String,
    /// `up`, `down`, or another word of RFC 2863.
    state: String,
    addresses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed_mbit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal_dbm: Option<f64>,
    received_bytes: u64,
    sent_bytes: u64,
    errors: u64,
    dropped: u64,
}

impl Network {
    pub(super) fn read(root: &Root) -> Self {
        let routes = root.read("/proc/net/route").unwrap_or_default();
        let routes: Vec<Route<'_>> = routes.lines().filter_map(Route::parse).collect();
        let mut interfaces: Vec<Interface> =
            root.names("/sys/class/net", "").iter().map(|name| Interface::read(root, name)).collect();
        let mut other_addresses = Vec::new();
        for address in local_addresses(&root.read("/proc/net/fib_trie").unwrap_or_default()) {
            let name = if address.is_loopback() { Some("lo") } else { interface_of(address, &routes) };
            match interfaces.iter_mut().find(|interface| Some(interface.name.as_str()) == name) {
                Some(interface) => interface.addresses.push(address.to_string()),
                None => other_addresses.push(address.to_string()),
            }
        }
        let text = root.read("/proc/net/if_inet6").unwrap_or_default();
        for (address, name) in text.lines().filter_map(address_v6).take(ADDRESSES) {
            if let Some(interface) = interfaces.iter_mut().find(|interface| interface.name == name) {
                interface.addresses.push(address.to_string());
            }
        }
        let gateway = routes.iter().find(|route| route.mask == 0 && route.gateway != 0);
        let gateway = gateway.map(|route| Ipv4Addr::from(route.gateway).to_string());
        Network { interfaces, gateway, other_addresses }
    }
}

impl Interface {
    fn read(root: &Root, name: &str) -> Self {
        let folder = format!("/sys/class/net/{name}");
        let count = |what: &str| root.number::<u64>(&format!("{folder}/statistics/{what}")).unwrap_or_default();
        let mac = root.label(&format!("{folder}/address")).filter(|mac| mac != "00:00:00:00:00:00");
        Interface {
            name: label(name),
            state: root.label(&format!("{folder}/operstate")).unwrap_or_else(|| "unknown".to_owned()),
            addresses: Vec::new(),
            mac,
            // An interface without a cable says -1.
            speed_mbit: root.number(&format!("{folder}/speed")),
            signal_dbm: signal(&root.read("/proc/net/wireless").unwrap_or_default(), name),
            received_bytes: count("rx_bytes"),
            sent_bytes: count("tx_bytes"),
            errors: count("rx_errors").saturating_add(count("tx_errors")),
            dropped: count("rx_dropped").saturating_add(count("tx_dropped")),
        }
    }
}

/// A route of `/proc/net/route`. The numbers are as the processor has them in memory.
#[derive(Debug, PartialEq)]
struct Route<'a> {
    interface: &'a str,
    network: u32,
    gateway: u32,
    mask: u32,
}

impl<'a> Route<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = |index: usize| Some(u32::from_be(u32::from_str_radix(words.get(index)?, 16).ok()?));
        Some(Route { interface: words.first()?, network: address(1)?, gateway: address(2)?, mask: address(7)? })
    }
}

/// The interface whose network an address is of: the smallest of them that holds it.
fn interface_of<'a>(address: Ipv4Addr, routes: &[Route<'a>]) -> Option<&'a str> {
    let holds = |route: &&Route<'_>| route.mask != 0 && route.gateway == 0 && u32::from(address) & route.mask == route.network;
    routes.iter().filter(holds).max_by_key(|route| route.mask).map(|route| route.interface)
}

/// The board's own addresses, which `/proc/net/fib_trie` shows as a line with the address and one with `/32 host LOCAL`, in
/// more than one table.
fn local_addresses(text: &str) -> Vec<Ipv4Addr> {
    let mut addresses: Vec<Ipv4Addr> = Vec::new();
    let mut last = None;
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line.starts_with("/32 host LOCAL") && addresses.len() < ADDRESSES {
            addresses.extend(last.filter(|address| !addresses.contains(address)));
        }
    }
    addresses
}

/// A line of `/proc/net/if_inet6`: the address, four numbers, the interface.
fn address_v6(line: &str) -> Option<(Ipv6Addr, &str)> {
    let mut words = line.split_whitespace();
    let address = words.next().filter(|digits| digits.len() == 32)?;
    Some((Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?), words.nth(4)?))
}

/// How strong the signal of a wireless interface is, out of `/proc/net/wireless`.
fn signal(text: &str, interface: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'))?;
    json::number(line.split_whitespace().nth(2)?.trim_end_matches('.'))
}

/// A line for each interface.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.interfaces.is_empty() {
            f.write_str("The kernel shows no network interfaces.")?;
        }
        for (index, interface) in self.interfaces.iter().enumerate() {
            let start = if index == 0 { "" } else { "\n" };
            write!(f, "{start}{interface}")?;
        }
        if let Some(gateway) = &self.gateway {
            write!(f, "\nGateway: {gateway}")?;
        }
        if !self.other_addresses.is_empty() {
            write!(f, "\nOther addresses: {}", self.other_addresses.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.state)?;
        if !self.addresses.is_empty() {
            write!(f, ": {}", self.addresses.join(", "))?;
        }
        if let Some(speed) = self.speed_mbit {
            write!(f, ", {speed} Mbit/s")?;
        }
        if let Some(signal) = self.signal_dbm {
            write!(f, ", signal {signal} dBm")?;
        }
        write!(f, "; received {}, sent {}", Size(self.received_bytes), Size(self.sent_bytes))?;
        if self.errors > 0 || self.dropped > 0 {
            write!(f, "; {} errors, {} dropped", self.errors, self.dropped)?;
        }
        Ok(())
    }
}

/// The JSON Schema of [`Network`].
pub(super) fn schema() -> Value {
    written!({
        "type": "object",
        "properties": {
            "interfaces": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "name": { "type": "string" },
                    "state": { "type": "string", "description": "up, down, or another word of RFC 2863; loopback is unknown" },
                    "addresses": { "type": "array", "items": { "type": "string" } },
                    "mac": { "type": "string" },
                    "speed_mbit": { "type": "integer", "minimum": 0 },
                    "signal_dbm": { "type": "number", "description": "of a wireless interface: -50 is strong, -80 weak" },
                    "received_bytes": { "type": "integer", "minimum": 0 },
                    "sent_bytes": { "type": "integer", "minimum": 0 },
                    "errors": { "type": "integer", "minimum": 0 },
                    "dropped": { "type": "integer", "minimum": 0 }
                },
                "additionalProperties": false,
                "required": ["name", "state", "addresses", "received_bytes", "sent_bytes", "errors", "dropped"]
            } },
            "gateway": { "type": "string" },
            "other_addresses": { "type": "array", "items": { "type": "string" }, "description": "addresses of no interface that the routes tell" }
        },
        "required": ["interfaces", "other_addresses"],
        "additionalProperties": false
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::tree::{Tree, recorded};

    #[test]
    fn lines_that_are_not_understood_are_no_facts() {
        for line in
            ["", "eth0", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask", "e 0 0 0 0 0 0 fffffffff", "\u{fffd}"]
        {
            assert_eq!(Route::parse(line), None, "{line}");
        }
        for line in
            ["", "::1 1 1 1 1 lo", "00000000000000000000000000000001 01 80", "zz000000000000000000000000000001 1 1 1 1 lo"]
        {
            assert_eq!(address_v6(line), None, "{line}");
        }
        assert!(local_addresses("/32 host LOCAL\n|-- x\n/32 host LOCAL\n|-- 1.2.3.4\n/32 link BROADCAST").is_empty());
        for text in ["", "wlan0", "wlan0:", "wlan0: 0000 57.", "wlan0: 0000 57. nan", "wlan01: 0000 57. -53."] {
            assert_eq!(signal(text, "wlan0"), None, "{text}");
        }
    }

    #[test]
    fn a_pi_zero_has_its_wireless_and_its_signal() {
        let expected = "lo (unknown): 127.0.0.1, ::1; received 82 KiB, sent 82 KiB\n\
                        wlan0 (up): 192.168.1.20, fe80::ba27:ebff:fe12:3456, signal -53 dBm; received 10 MiB, sent 2.0 MiB\n\
                        Gateway: 192.168.1.1";
        assert_eq!(Network::read(&Tree::of("pi-zero").0).to_string(), expected);
    }

    #[test]
    fn an_address_that_no_route_places_is_still_shown() {
        let expected = "lo (unknown): 127.0.0.1; received 82 KiB, sent 82 KiB\n\
                        eth0 (up): 192.168.1.30, 2001:db8::30, 1000 Mbit/s; received 5.0 GiB, sent 700 MiB; 3 errors, 0 dropped\n\
                        wlan0 (down); received 0.0 KiB, sent 0.0 KiB\n\
                        Gateway: 192.168.1.1\nOther addresses: 10.8.0.2";
        assert_eq!(Network::read(&Tree::of("pi-4").0).to_string(), expected);
    }

    #[test]
    fn whatever_the_files_hold_it_is_bounded_and_no_fault() {
        let paths = recorded("pi-4");
        let many = "|-- 10.0.0.1\n/32 host LOCAL\n|-- 10.0.0.2\n/32 host LOCAL\n".repeat(5000);
        for bytes in [&b""[..], b"\xff\xfe\0", many.as_bytes(), "9".repeat(200_000).as_bytes(), b"-1\n"] {
            let tree = Tree::new(&[]);
            for path in paths.keys() {
                tree.write(path, bytes);
            }
            let network = Network::read(&tree.0);
            assert!(network.interfaces.len() == 3 && network.to_string().len() < 4096, "{network}");
        }
    }

    #[test]
    fn this_machine_has_a_loopback_interface() {
        let network = Network::read(&Root::default());
        let lo = network.interfaces.iter().find(|interface| interface.name == "lo").unwrap();
        assert!(lo.addresses.iter().any(|address| address == "127.0.0.1"), "{network}");
    }
}
