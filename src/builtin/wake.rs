//! Wakes hosts of the local network: a packet with the hardware address of the host sixteen times over, for whose like its
//! network card keeps listening (AMD, Magic Packet Technology, 1995).

use crate::config::WakeHost;
use crate::error::Error;
use crate::tool::{Arg, Catalog, Output, Tool, ToolError};
use serde_json::Value;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What a token needs for it.
const SCOPE: &str = "network:write";

/// Offers `wake_host`.
pub(super) fn offer(catalog: &mut Catalog, hosts: &[WakeHost]) -> Result<(), Error> {
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    catalog.describe(SCOPE, &*format!("Wake hosts of the network: {}", names.join(", ")));
    catalog.add(tool(hosts))
}

fn tool(hosts: &[WakeHost]) -> Tool {
    let schema = written!({
        "type": "object",
        "properties": {
            "host": { "type": "string" },
            "mac": { "type": "string" },
            "sent_to": { "type": "string", "description": "the address that the packet was sent to" }
        },
        "required": ["host", "mac", "sent_to"],
        "additionalProperties": false
    });
    let about =
        "Wakes a host of the local network (wake-on-LAN). Whether it wakes does not show here: it takes up to some minutes.";
    let choices = hosts.iter().map(|host| host.name.clone());
    let arg = Arg::string("host", "which host").one_of(choices);
    let hosts = hosts.to_vec();
    Tool::new("wake_host", about)
        .title("Wake a host")
        .audited()
        .arg(arg)
        .writes()
        .idempotent()
        .scope(SCOPE)
        .vouched_schema(&schema)
        .handler_blocking(move |arguments| {
            let name: String = arguments.arg("host")?;
            let host = hosts.iter().find(|host| host.name == name).ok_or("There is no such host.")?;
            wake(host)
        })
}

fn wake(host: &WakeHost) -> Result<Output, ToolError> {
    let mac = Mac(host.mac);
    send(&packet(host.mac), host.broadcast)
        .map_err(|error| format!("The packet for `{}` cannot be sent to {}: {error}.", host.name, host.broadcast))?;
    let told = format!("Sent a packet to {} that wakes {} ({mac}).", host.broadcast, host.name);
    // Neither an address of hardware nor one of the network has anything to escape.
    let name = Value::from(&*host.name);
    Ok(Output::text_and_json(told, format!("{{\"host\":{name},\"mac\":\"{mac}\",\"sent_to\":\"{}\"}}", host.broadcast)))
}

fn send(packet: &[u8], to: SocketAddr) -> std::io::Result<()> {
    let from: SocketAddr = if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(from)?;
    socket.set_broadcast(true)?;
    socket.send_to(packet, to).map(|_| ())
}

fn packet(mac: [u8; 6]) -> Vec<u8> {
    let mut packet = vec![0xff; 6];
    packet.extend(mac.repeat(16));
    packet
}

/// A hardware address as people write it.
struct Mac([u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { ":" };
            write!(f, "{between}{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn host(broadcast: SocketAddr) -> WakeHost {
        WakeHost { name: "nas".into(), mac: [0, 0x11, 0x32, 0xab, 0xcd, 0xef], broadcast }
    }

    #[test]
    fn the_packet_that_arrives_is_the_one_that_network_cards_wait_for() {
        let ear = UdpSocket::bind("127.0.0.1:0").unwrap();
        ear.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let output = wake(&host(ear.local_addr().unwrap())).unwrap();
        let mut bytes = [0; 200];
        let (length, _) = ear.recv_from(&mut bytes).unwrap();
        assert_eq!(length, 102);
        assert_eq!(bytes[..6], [0xff; 6]);
        assert!(bytes[6..length].chunks(6).all(|mac| mac == [0, 0x11, 0x32, 0xab, 0xcd, 0xef]));
        assert!(output.structured_content().unwrap().contains(r#""mac":"00:11:32:ab:cd:ef""#));
    }

    #[test]
    fn a_network_that_is_not_there_is_told_to_the_model() {
        // An address for documentation (RFC 3849), from a socket that cannot have a port of 0 as its goal.
        let told = wake(&host("[2001:db8::1]:0".parse().unwrap())).unwrap_err().to_string();
        assert!(told.starts_with("The packet for `nas` cannot be sent to [2001:db8::1]:0"), "{told}");
    }
}
