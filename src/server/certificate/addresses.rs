//! The addresses of this machine, as the kernel lists them.

use crate::order;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every address under which somebody may reach this machine, loopback included.
pub(super) fn of_host() -> Vec<IpAddr> {
    // A kernel without one of the two families lacks its file.
    let v4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let mut addresses: Vec<_> = v4_local(&v4).map(IpAddr::V4).chain(v6_local(&v6).map(IpAddr::V6)).collect();
    addresses.extend([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    order::sort(&mut addresses, |a, b| a < b);
    addresses.dedup();
    addresses
}

/// An address stands on a line, and what it is for on the next one: `/32 host LOCAL` is ours.
fn v4_local(text: &str) -> impl Iterator<Item = Ipv4Addr> {
    let mut leaf = None;
    text.lines().filter_map(move |line| {
        let line = line.trim_start();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
            return None;
        }
        leaf.filter(|_| line == "/32 host LOCAL")
    })
}

/// Address, interface, length of the prefix, scope, flags, name (proc(5)). Those that only work with a zone (`fe80::1%eth0`)
/// stand in no URL, and those that change every day, for privacy, are not what a board is reached by.
fn v6_local(text: &str) -> impl Iterator<Item = Ipv6Addr> {
    const LINK: &str = "20";
    const TEMPORARY: u8 = 0x01;
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let mut words = words.skip(2);
        let (scope, flags) = (words.next()?, u8::from_str_radix(words.next()?, 16).ok()?);
        (scope != LINK && flags & TEMPORARY == 0).then(|| Ipv6Addr::from(address))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_routes_name_our_addresses() {
        let text = "Main:\n     |-- 192.168.1.0\n        /24 link UNICAST\nLocal:\n  +-- 0.0.0.0/0 3 0 5\n\
                    \x20          |-- 127.0.0.0\n              /8 host LOCAL\n           |-- 127.0.0.1\n              /32 host LOCAL\n\
                    \x20          |-- 192.168.1.20\n              /32 host LOCAL\n        |-- 192.168.1.255\n           /32 link BROADCAST\n";
        assert_eq!(v4_local(text).collect::<Vec<_>>(), [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 168, 1, 20)]);
    }

    #[test]
    fn addresses_that_stand_in_no_url_or_change_every_day_are_left_out() {
        let text = "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n\
                    fd000000000000000000000000000002 04 40 00 82     eth0\n\
                    20010db8000000000000000000000001 04 40 00 01     eth0\n\
                    00000000000000000000000000000001 01 80 10 80       lo\nrubbish\n";
        let addresses: Vec<_> = v6_local(text).collect();
        assert_eq!(addresses, ["fd00::2".parse::<Ipv6Addr>().unwrap(), Ipv6Addr::LOCALHOST]);
    }

    #[test]
    fn this_machine_has_its_loopback() {
        let addresses = of_host();
        assert!(addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)) && addresses.contains(&IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }
}
