//! The way of a client to a server: from its name to a connection that can be trusted, and to the first answer.

use super::Plan;
use super::report::{Report, Stop};
use super::talk::{Talk, in_time, initialize};
use crate::cli::when;
use crate::client::dial;
use crate::client::fault::Fault;
use crate::client::http::{Client, Response};
use crate::client::oauth::plain;
use crate::client::tls::{self, Tls, Trust};
use crate::client::url::Url;
use crate::error::{Error, Exit};
use crate::limits;
use crate::mcp::Revision;
use crate::server::certificate;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;

/// The steps, in their order.
const STEPS: [&str; 13] = [
    "address",
    "name",
    "TCP",
    "TLS",
    "HTTP",
    "clock",
    "challenge",
    "resource",
    "sign-in server",
    "registration",
    "token",
    "MCP",
    "tools",
];

/// Walks it; the steps behind a broken one are not reached.
pub(super) async fn walk(report: &Report, plan: &Plan) {
    let way = Way { report, plan, url: &plan.url };
    report.title(&format!("The way to {}", plan.url));
    if way.go().await.is_err() {
        let reached = STEPS.iter().position(|step| *step == report.step()).unwrap_or_default();
        for step in &STEPS[reached + 1..] {
            report.unreached(step, "");
        }
    }
}

/// A way, and where it is told of.
pub(super) struct Way<'a> {
    pub(super) report: &'a Report,
    pub(super) plan: &'a Plan,
    pub(super) url: &'a Url,
}

impl Way<'_> {
    async fn go(&self) -> Result<(), Stop> {
        self.address()?;
        let addresses = self.name().await?;
        let socket = self.tcp(&addresses).await?;
        let tls = self.tls(socket).await?;
        let client = Client::new(tls);
        let response = self.http(&client, &addresses).await?;
        self.clock(&response);
        self.enter(client, response).await
    }

    /// Nothing is sent where everybody could read it: not even this.
    fn address(&self) -> Result<(), Stop> {
        self.report.begin("address");
        if self.url.is_private() || self.plan.sign_in.allows_http {
            let how = match (self.url.is_tls(), self.url.is_here()) {
                (true, _) => "https: nobody on the way can read it",
                (_, true) => "http, and nobody is on the way",
                _ => "http, as --allow-http says: everybody on the way can read tokens",
            };
            self.report.ok("address", how);
            return Ok(());
        }
        let remedy = "Nothing was sent. Does the board speak https? If it must be http, --allow-http takes the risk.";
        let what = "everybody on the way could read what is sent there in the clear";
        Err(self.failed("address", &Error::new(Exit::Usage, what).at(self.url).remedy(remedy), ""))
    }

    async fn name(&self) -> Result<Vec<SocketAddr>, Stop> {
        self.report.begin("name");
        let found = in_time(dial::resolve(self.url)).await.map_err(|fault| self.fault("name", fault))?;
        let list: Vec<_> = found.iter().map(|address| address.ip().to_string()).collect();
        self.report.ok("name", &format!("{} is {}", self.url.host(), list.join(", ")));
        Ok(found)
    }

    async fn tcp(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Stop> {
        self.report.begin("TCP");
        let socket = in_time(dial::tcp(addresses)).await.map_err(|fault| self.fault("TCP", fault))?;
        self.report.ok("TCP", &socket.peer_addr().map_or_else(|_| String::new(), |peer| peer.to_string()));
        Ok(socket)
    }

    async fn tls(&self, socket: TcpStream) -> Result<Tls, Stop> {
        self.report.begin("TLS");
        let Some(trust) = self.plan.trust.clone().filter(|_| self.url.is_tls()) else {
            if !self.url.is_tls() {
                self.report.absent("TLS", "none: the address is http");
                return Tls::new(Trust::System).map_err(|error| self.failed("TLS", &error, ""));
            }
            return Err(self.report.unreached("TLS", "only root reads the board's CA: sudo perchd doctor, or name it with --ca"));
        };
        let by = match trust {
            Trust::System => "this computer",
            Trust::Ca(_) => "--ca",
            Trust::Pin(_) => "--pin",
        };
        let by = if self.plan.is_own_ca { "the board's own CA" } else { by };
        let tls = Tls::new(trust).map_err(|error| self.failed("TLS", &error, ""))?;
        match in_time(tls.handshake(self.url.host(), socket)).await {
            Ok(_) => self.report.ok("TLS", &vouched(&tls, by)),
            Err(Fault::Late) => return Err(self.silent("TLS")),
            Err(fault) => return Err(self.fault("TLS", fault)),
        }
        Ok(tls)
    }

    /// The first message of a client that has no token.
    async fn http(&self, client: &Client, addresses: &[SocketAddr]) -> Result<Response, Stop> {
        self.report.begin("HTTP");
        let talk = Talk { client, token: None };
        let response = match talk.post(self.url, &[], &initialize(Revision::NEWEST.as_str())).await {
            Ok(response) => response,
            Err(Fault::Late) => return Err(self.silent("HTTP")),
            Err(Fault::Lost(_) | Fault::Odd(_)) if !self.url.is_tls() && speaks_tls(self.url, addresses).await => {
                let error =
                    Error::new(Exit::Unavailable, "what answers there speaks TLS, and no plain HTTP").at(self.url.origin());
                return Err(self.failed("HTTP", &error.remedy("The address begins with https://"), &self.curl_message()));
            }
            Err(fault) => return Err(self.fault("HTTP", fault)),
        };
        let who = response.header("server").map_or_else(String::new, |server| format!(", from {}", plain(server)));
        self.report.ok("HTTP", &format!("POST is answered with {}{who}", response.status));
        Ok(response)
    }

    /// What lasts until a certain time must mean the same time to both.
    fn clock(&self, response: &Response) {
        self.report.begin("clock");
        let date = response.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        let unix = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let Some(theirs) = date.map(unix) else { return self.report.absent("clock", "the server says no time") };
        let ours = unix(SystemTime::now());
        let apart = ours.abs_diff(theirs);
        if apart <= limits::SKEW_SECS {
            return self.report.ok("clock", &format!("the server's is {} from ours", when::spoken(apart)));
        }
        let is_early = |unix: u64| unix < limits::BUILD_UNIX_SECS;
        let (what, remedy) = match (is_early(ours), is_early(theirs)) {
            (true, false) => ("the clock of this computer is wrong", "Set it: sudo timedatectl set-ntp true"),
            (false, true) => (
                "the clock of the server is wrong",
                "On the board: sudo timedatectl set-ntp true. It waits until its time is plausible.",
            ),
            _ => ("the clocks differ: that of the server or that of this computer is wrong", "On both: timedatectl"),
        };
        let what = format!("{what}: there it is {}, here {}", when::date(theirs), when::date(ours));
        self.failed("clock", &Error::new(Exit::Failed, what).remedy(remedy), &self.curl("-sI", self.url));
    }

    fn silent(&self, step: &'static str) -> Stop {
        let what = "the port is open, but nobody answers there";
        let remedy = "Another program may have the port, or the server hangs. On the board: perchd health, ss -ltnp";
        self.failed(step, &Error::new(Exit::Unavailable, what).at(self.url.origin()).remedy(remedy), &self.curl("-v", self.url))
    }

    pub(super) fn fault(&self, step: &'static str, fault: Fault) -> Stop {
        self.failed(step, &fault.told(self.url), &self.curl("-v", self.url))
    }

    pub(super) fn failed(&self, step: &str, error: &Error, curl: &str) -> Stop {
        self.report.failed(step, error, curl)
    }

    /// A command for the shell, whoever chose the address in it.
    pub(super) fn curl(&self, words: &str, url: &Url) -> String {
        let ca =
            self.plan.ca.as_ref().map_or_else(String::new, |file| format!(" --cacert {}", quoted(&file.display().to_string())));
        format!("curl {words}{ca} {}", quoted(&url.to_string()))
    }

    /// The same for the first message of a client.
    pub(super) fn curl_message(&self) -> String {
        let message = quoted(&initialize(Revision::NEWEST.as_str()));
        let words =
            format!("-i -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -d {message}");
        self.curl(&words, self.url)
    }
}

/// A word of the shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

async fn speaks_tls(url: &Url, addresses: &[SocketAddr]) -> bool {
    let Ok(tls) = Tls::new(Trust::System) else { return false };
    let shake = async { tls.handshake(url.host(), dial::tcp(addresses).await?).await.map(drop) };
    matches!(in_time(shake).await, Ok(()) | Err(Fault::Trust(_)))
}

/// What the server showed, and who vouches for it.
fn vouched(tls: &Tls, by: &str) -> String {
    let shown = tls.shown();
    let about = shown.first().and_then(|first| certificate::about(first));
    let Some((ends, names)) = about else { return format!("{by} vouches for it") };
    let more = if names.len() > 4 { ", ..." } else { "" };
    let names: Vec<_> = names.iter().take(4).map(|name| plain(name)).collect();
    let pin = shown.last().map(|last| tls::pin(last)).unwrap_or_default();
    format!("for {}{more} until {}; {by} vouches for {pin}", names.join(", "), when::date(ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_a_server_chose_is_one_word_of_the_shell() {
        assert_eq!(quoted("http://h/a?b=c&d=$(e)"), "'http://h/a?b=c&d=$(e)'");
        assert_eq!(quoted("a';reboot;'"), "'a'\\'';reboot;'\\'''");
    }
}
