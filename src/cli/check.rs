//! `perchd check`: what a configuration comes to, or the first thing that is wrong with it.

use crate::cli::{Which, Word, next, say, server, surplus, when};
use crate::config::{Config, Lifetimes, Tls};
use crate::error::Error;
use crate::http;
use crate::server::{Server, tls};
use crate::tool::Catalog;
use lexopt::Parser;
use std::fmt::Write;

const HELP: &str = "\
Reads the configuration, and the certificate and the key that it names, and
prints what it comes to, or the first thing that is wrong. Changes nothing.

Usage: perchd check [FILE]

  FILE                  The configuration [the one that `perchd serve` takes]
  --config FILE         The same
  --state DIR           Its state folder

Exit: 0 if it is good, 77 if a file may not be read, 78 if it is not.

Examples:
  perchd check
  perchd check /etc/perchd/perchd.toml && sudo systemctl reload perchd
";

/// Prints what holds.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let mut which = Which::default();
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) if name == "help" => return say(HELP),
            Word::Option(name) => which.take(&name, &mut words)?,
            Word::Value(file) if which.file.is_none() => which.file = Some(file.into()),
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    let (config, catalog) = Server::new(which.config()?).builtin().checked()?;
    let ends = tls::Tls::check(&config)?;
    say(&effective(&config, ends, &catalog))
}

// Writing to a String does not fail.
fn effective(config: &Config, certificate_ends: Option<u64>, catalog: &Catalog) -> String {
    let mut text = String::new();
    let file = config.file.as_ref().map_or_else(|| "none: what holds without one".to_owned(), |file| file.display().to_string());
    let _ = writeln!(text, "Configuration  {file}\nBoard          {}", config.name);
    let listens = server::listens(config);
    for address in &listens {
        let _ = writeln!(text, "Listens on     {address}");
    }
    let tls = match &config.tls {
        Tls::Off => "off: plain HTTP".to_owned(),
        Tls::Own => "certificate of the board's own CA".to_owned(),
        Tls::Files { certificate, .. } => {
            let until = certificate_ends.map_or_else(String::new, |ends| format!(", until {}", when::date(ends)));
            format!("certificate {}{until}", certificate.path.display())
        }
    };
    let plain = if config.allow_plain { ", plain HTTP is allowed as well" } else { "" };
    let _ = writeln!(text, "TLS            {tls}{plain}");
    for base in http::origins(config, &listens) {
        let _ = writeln!(text, "Reached as     {base}");
    }
    let _ = writeln!(text, "State          {}", config.state.display());
    let _ = writeln!(text, "Signing in     {}", config.auth.as_str());
    for user in &config.users {
        let scopes = user.scopes.as_ref().map_or_else(|| "everything".to_owned(), |scopes| scopes.as_str().to_owned());
        let _ = writeln!(text, "  user         {}: {scopes}", user.name);
    }
    if let Some(metrics) = &config.metrics {
        let who = metrics.scope.as_ref().map_or_else(|| "everybody".to_owned(), |scope| format!("tokens with {scope}"));
        let _ = writeln!(text, "Metrics        for {who}");
    }
    let Lifetimes { access_secs, refresh_secs } = config.tokens;
    let (access, refresh) = (when::spoken(access_secs), when::spoken(refresh_secs));
    let _ = writeln!(text, "Tokens last    {access}, renewed for {refresh}");
    text.push_str("Limits\n");
    for (name, limit) in config.limits.named() {
        let _ = writeln!(text, "  {name:<24} {limit}");
    }
    tools(&mut text, catalog);
    text
}

fn tools(text: &mut String, catalog: &Catalog) {
    for scope in catalog.scopes() {
        let writes = if scope.is_write { " (writes)" } else { "" };
        let _ = writeln!(text, "Scope          {}{writes}", scope.name);
        for tool in catalog.tools().iter().filter(|tool| tool.spec().scope() == scope.name) {
            let spec = tool.spec();
            let effect = spec.effect().as_str();
            let _ = writeln!(text, "  {:<12} {effect}: {}", spec.name(), spec.about());
        }
    }
}
