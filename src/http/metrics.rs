//! `GET /metrics`, in the text format 0.0.4 of Prometheus, and `GET /healthz`.
//!
//! No label says what strangers choose: names of tools are those of the catalog, all else is a list that is written here.

use crate::config::Metrics;
use crate::http::reply::{self, Reply};
use crate::http::told::Told;
use crate::http::watch::Count;
use crate::http::{Link, Service, bearer, live, oauth};
use crate::oauth::{Endpoint, Endpoints};
use crate::tool::{Fate, Tally};
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use rustix::process::{Resource, getrlimit};
use std::fmt::Write as _;
use std::fs;

/// Where they are.
pub(crate) const PATH: &str = "/metrics";

/// Where a watcher asks whether the server answers: under any name, without a token, and over plain HTTP as well, as there is
/// nothing to see.
pub(crate) const HEALTH_PATH: &str = "/healthz";

/// `GET /healthz`.
pub(crate) fn health(service: &Service, method: &Method) -> Reply {
    match *method {
        Method::GET | Method::HEAD if service.is_stopping.get() => reply::text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        Method::GET | Method::HEAD => reply::text(StatusCode::OK, "ok\n"),
        _ => reply::method_not_allowed("GET"),
    }
}

/// `GET /metrics`.
pub(crate) fn page(service: &Service, link: Link, method: &Method, headers: &HeaderMap) -> Reply {
    let config = service.config();
    let Some(Metrics { scope }) = &config.metrics else { return oauth::nothing(headers) };
    if let Some(scope) = scope {
        match bearer::principal(service, link, &Told::read(headers), Endpoints::ANY, Endpoint::Mcp) {
            Ok(principal) if principal.scopes.contains(scope) => {}
            Ok(_) => return bearer::lacks_scope(service, link, headers, scope),
            Err(challenge) => return challenge,
        }
    }
    match *method {
        Method::GET | Method::HEAD => reply::metrics(text(service)),
        _ => reply::method_not_allowed("GET"),
    }
}

/// A family of samples.
struct Text(String);

// Writing to a String does not fail.
impl Text {
    fn family(&mut self, name: &str, kind: &str, about: &str) {
        let _ = writeln!(self.0, "# HELP {name} {about}\n# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, about: &str, value: u64) {
        self.family(name, kind, about);
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// One for each value of a label.
    fn each(&mut self, name: &str, about: &str, label: &str, values: &[(&str, u64)]) {
        self.family(name, "counter", about);
        for (word, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{word}\"}} {value}");
        }
    }

    fn fates(&mut self, name: &str, tool: &str, tally: &Tally) {
        for fate in Fate::ALL {
            let _ = writeln!(self.0, "{name}{{{tool}outcome=\"{}\"}} {}", fate.as_str(), tally.count(fate));
        }
    }
}

fn text(service: &Service) -> String {
    let mut text = Text(String::with_capacity(6 * 1024));
    server(&mut text, service);
    calls(&mut text, service);
    signing_in(&mut text, service);
    process(&mut text);
    text.0
}

fn server(text: &mut Text, service: &Service) {
    let (version, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    text.family("perchd_build_info", "gauge", "The version that runs.");
    let _ = writeln!(text.0, "perchd_build_info{{version=\"{version}\",arch=\"{arch}\"}} 1");
    let now_ms = service.clock.now().uptime_ms;
    text.one("perchd_uptime_seconds", "gauge", "For how long the server has run.", now_ms / 1000);
    if let Some(celsius) = live::heat(service, now_ms) {
        text.family("perchd_temperature_celsius", "gauge", "The highest temperature of the board.");
        let _ = writeln!(text.0, "perchd_temperature_celsius {celsius}");
    }
    text.one("perchd_connections", "gauge", "Open connections.", service.connections() as u64);
    text.family("perchd_streams", "gauge", "Open event streams of clients and of home pages.");
    for (kind, count) in [("mcp", service.streams.count()), ("page", service.live.count())] {
        let _ = writeln!(text.0, "perchd_streams{{kind=\"{kind}\"}} {count}");
    }
    let watch = &service.watch;
    let classes = [("2xx", 2), ("3xx", 3), ("4xx", 4), ("5xx", 5)].map(|(word, class)| (word, watch.answers(class)));
    text.each("perchd_requests_total", "Requests, by the class of their status.", "status", &classes);
    let hits = [
        ("connections", Count::ConnectionsTurnedAway),
        ("calls", Count::CallsTurnedAway),
        ("rate", Count::TooMany),
        ("busy", Count::TooBusy),
        ("body_bytes", Count::TooLarge),
        ("body_seconds", Count::TooSlow),
    ];
    let hits = hits.map(|(word, count)| (word, watch.count(count)));
    text.each("perchd_limit_hits_total", "How often a bound refused something.", "limit", &hits);
}

fn calls(text: &mut Text, service: &Service) {
    let engine = service.engine();
    let name = "perchd_tool_calls_total";
    text.family(name, "counter", "Calls of tools, by how they ended.");
    for tool in engine.catalog().tools() {
        text.fates(name, &format!("tool=\"{}\",", tool.spec().name()), tool.tally());
    }
    let name = "perchd_resource_reads_total";
    text.family(name, "counter", "Reads of resources, by how they ended.");
    text.fates(name, "", &service.watch.resources);
    let name = "perchd_prompts_total";
    text.family(name, "counter", "Prompts, by how they ended.");
    text.fates(name, "", &service.watch.prompts);
}

fn signing_in(text: &mut Text, service: &Service) {
    let count = |count| service.watch.count(count);
    let sign_ins = [("ok", count(Count::SignIns)), ("refused", count(Count::SignInsRefused))];
    text.each("perchd_sign_ins_total", "People who signed in, and who did not get in.", "outcome", &sign_ins);
    text.one("perchd_tokens_issued_total", "counter", "Access tokens that were given.", count(Count::TokensIssued));
    let refused = [("grant", count(Count::TokensRefused)), ("bearer", count(Count::BearersRefused))];
    let about = "Codes and refresh tokens that were refused, and access tokens.";
    text.each("perchd_tokens_refused_total", about, "kind", &refused);
    let about = "How often access was taken back.";
    text.one("perchd_revocations_total", "counter", about, count(Count::Revocations));
    let waiting = service.approvals.waiting().len() as u64;
    text.one("perchd_approvals_waiting", "gauge", "Calls that wait for a person.", waiting);
}

fn process(text: &mut Text) {
    if let Some(kib) = resident_kib() {
        text.one("process_resident_memory_bytes", "gauge", "Resident memory.", kib * 1024);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder itself is one of them.
        let open = open.count().saturating_sub(1) as u64;
        text.one("process_open_fds", "gauge", "Open file descriptors.", open);
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        text.one("process_max_fds", "gauge", "As many as there may be.", most);
    }
}

fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
