//! What is offered: by the box, as far as the configuration leaves it in, and by the program that this is a library of.

use crate::approval::{self, Approvals};
use crate::builtin::{self, exec, exec::Commands, gpio, gpio::bank::Bank, i2c, services};
use crate::config::{Auth, Config, Confirm, Confirmed, Tls as Source};
use crate::error::{Error, Exit};
use crate::http::Service;
use crate::limits;
use crate::principal::Scopes;
use crate::server::listen;
use crate::server::stop::Stop;
use crate::server::tls::Tls;
use crate::systemd;
use crate::tool::{Catalog, Changes};
use std::fmt;
use std::rc::Rc;
use tokio::signal::unix::Signal;

/// Reads a configuration anew.
pub(crate) struct Reread(pub(crate) Box<dyn Fn() -> Result<Config, Error>>);

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reread").finish_non_exhaustive()
    }
}

/// What the program says, whatever the configuration.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    pub(crate) catalog: Catalog,
    /// Whether the box is open.
    pub(crate) has_box: bool,
    /// What runs of what is declared.
    pub(crate) commands: Rc<Commands>,
    /// What waits for the approval of a person.
    pub(crate) approvals: Rc<Approvals>,
    /// The lines of GPIO chips, once the server runs.
    pub(crate) bank: Rc<Bank>,
}

impl Offer {
    /// The lines, which tell `changes` of edges. There is word of changes as soon as there is a line.
    pub(super) fn bank(&self, config: &Config, changes: &mut Option<Changes>) -> Rc<Bank> {
        if !config.gpio.lines.is_empty() {
            changes.get_or_insert_default();
        }
        self.bank.tell(&changes.clone().unwrap_or_default(), &self.approvals);
        Rc::clone(&self.bank)
    }

    /// What is offered under this configuration.
    pub(crate) fn under(&self, config: &Config) -> Result<Catalog, Error> {
        let mut catalog = Catalog::default();
        if self.has_box {
            builtin::offer(&mut catalog, config)?;
            if let Some(units) = &config.allowed.services {
                services::offer(&mut catalog, units, &self.commands)?;
            }
        }
        gpio::offer(&mut catalog, &config.gpio, &self.bank)?;
        i2c::offer(&mut catalog, &config.i2c, &self.commands)?;
        for name in &config.hidden {
            if !catalog.hide(name) {
                let what = format!("there is no tool `{name}` in the box to hide");
                let place = config.file.as_ref().map_or_else(|| "[tools]".to_owned(), |file| file.display().to_string());
                return Err(Error::new(Exit::Config, what).at(place).remedy("perchd tools lists those that there are."));
            }
        }
        exec::offer(&mut catalog, &config.declared, &self.commands, &self.approvals)?;
        catalog.join(self.catalog.clone())?;
        self.confirm(&mut catalog, config)?;
        fit(&catalog)?;
        readable(&catalog, config)?;
        Ok(catalog)
    }
}

impl Offer {
    /// Puts the tools that are named under `[tools]` behind their approval, and checks that each approval can be given.
    fn confirm(&self, catalog: &mut Catalog, config: &Config) -> Result<(), Error> {
        for Confirmed { place, tool, confirm } in &config.confirmed {
            if config.declared.tools.iter().any(|declared| declared.name == *tool) {
                let what = format!("`{tool}` is declared, and says itself who must approve it");
                return Err(Error::new(Exit::Config, what).at(place).remedy("Write confirm = … under its [[tool]]."));
            }
            if !catalog.replace(tool, |tool| approval::behind(tool, confirm, &self.approvals)) {
                let what = format!("there is no tool `{tool}` to be approved");
                return Err(Error::new(Exit::Config, what).at(place).remedy("perchd tools lists those that there are."));
            }
            can_be_given(confirm, config).map_err(|error| error.at(place))?;
        }
        let declared = config.declared.tools.iter().filter_map(|tool| Some((tool, tool.confirm.as_ref()?)));
        declared.into_iter().try_for_each(|(tool, confirm)| can_be_given(confirm, config).map_err(|error| error.at(&tool.place)))
    }
}

/// Whether anybody can approve in this way whom a model cannot play.
fn can_be_given(confirm: &Confirm, config: &Config) -> Result<(), Error> {
    match confirm {
        Confirm::Page if !matches!(config.auth, Auth::Own { .. }) => {
            let what = format!(
                "in the mode `{}` nobody proves who he is, so that a model could approve this itself",
                config.auth.as_str()
            );
            let remedy = "Let people sign in: mode = \"users\" or \"pairing\" under [auth]. Or wire a button: \
                          confirm = \"button:NAME\".";
            Err(Error::new(Exit::Config, what).remedy(remedy))
        }
        Confirm::Button(name) if !config.gpio.lines.iter().any(|line| line.name == *name && !line.wiring.is_output) => {
            let what = format!("there is no button `{name}`");
            let remedy =
                format!("Name the input that it is wired to: [gpio.{name}] with its chip, its line and direction = \"in\".");
            Err(Error::new(Exit::Config, what).remedy(remedy))
        }
        _ => Ok(()),
    }
}

/// Whether a token has room for every scope: one that has none could never be allowed.
fn fit(catalog: &Catalog) -> Result<(), Error> {
    let mut scopes = Scopes::none();
    for scope in catalog.scopes() {
        scopes.insert(&scope.name);
        if !scopes.contains(&scope.name) {
            let what = format!("the names of all scopes together are longer than {} bytes", limits::SCOPES_BYTES);
            let remedy = "Let several tools share a scope, or give the scopes shorter names.";
            return Err(Error::new(Exit::Config, what).at(format!("scope `{}`", scope.name)).remedy(remedy));
        }
    }
    Ok(())
}

/// Whether there can be a token for the metrics.
fn readable(catalog: &Catalog, config: &Config) -> Result<(), Error> {
    let scope = config.metrics.as_ref().and_then(|metrics| metrics.scope.as_ref());
    match scope.filter(|scope| !catalog.scopes().iter().any(|known| known.name == **scope)) {
        None => Ok(()),
        Some(scope) => {
            let what = format!("no tool has the scope `{scope}`, so that no token for the metrics can have it");
            let place = config.file.as_ref().map_or_else(|| "[metrics]".to_owned(), |file| file.display().to_string());
            let remedy = "Name another under [metrics]: scope = \"…\"; perchd check lists those that there are.";
            Err(Error::new(Exit::Config, what).at(place).remedy(remedy))
        }
    }
}

/// Puts a configuration in force that is read anew.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) reread: Reread,
    pub(crate) offer: Offer,
    pub(crate) tls: Option<Rc<Tls>>,
}

impl Reload {
    /// At each SIGHUP, as long as the server runs.
    pub(crate) async fn at_each(self, mut hangup: Signal, service: Rc<Service>, stop: Rc<Stop>) {
        while hangup.recv().await.is_some() {
            systemd::reloading();
            match self.reload(&service) {
                Ok(()) => log::info!("SIGHUP: the configuration was read anew"),
                Err(error) => log::error!("SIGHUP: the configuration stays as it was: {error}"),
            }
            stop.limit(listen::affordable(service.config().limits));
            systemd::ready();
        }
    }

    pub(super) fn reload(&self, service: &Service) -> Result<(), Error> {
        self.read_anew(service)?;
        // What was approved may be something else now.
        self.offer.approvals.clear();
        self.offer.bank.hold(&service.config().gpio);
        Ok(())
    }

    fn read_anew(&self, service: &Service) -> Result<(), Error> {
        let config = (self.reread.0)()?;
        let catalog = self.offer.under(&config)?;
        let Some(tls) = &self.tls else {
            if config.tls != Source::Off {
                let what = "TLS cannot be switched on while the server runs";
                return Err(Error::new(Exit::Config, what).at("[tls]").remedy("Start it anew: systemctl restart perchd"));
            }
            return service.reload(config, catalog, None);
        };
        let fresh = tls.read(&config)?;
        service.reload(config, catalog, fresh.own_ca())?;
        tls.take(fresh);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Tool;

    fn offer(scopes: usize) -> Offer {
        let mut offer = Offer::default();
        for n in 0..scopes {
            let tool = Tool::new(format!("tool-{n}"), "Does").scope(format!("a-scope-{n:03}")).handler(|_| async { Ok("done") });
            offer.catalog.add(tool).unwrap();
        }
        offer
    }

    #[test]
    fn scopes_that_no_token_has_room_for_are_refused_at_the_start() {
        let config = Config::with_state("/".into());
        assert_eq!(offer(21).under(&config).unwrap().scopes().len(), 21);
        let told = offer(22).under(&config).unwrap_err().to_string();
        assert!(told.starts_with("scope `a-scope-021`: the names of all scopes together are longer than 256 bytes"), "{told}");
    }

    #[test]
    fn a_tool_of_the_box_can_give_way_to_one_of_the_program() {
        let mut offer = Offer { has_box: true, ..Offer::default() };
        offer.catalog.add(Tool::new("add", "Adds otherwise").handler(|_| async { Ok("done") })).unwrap();
        let mut config = Config::with_state("/".into());
        assert!(offer.under(&config).unwrap_err().to_string().contains("tool `add`"));
        config.hidden = vec!["add".to_owned()];
        assert_eq!(offer.under(&config).unwrap().find("add").unwrap().spec().about(), "Adds otherwise");
    }

    fn offered(toml: &str) -> Result<Catalog, String> {
        let config = Config::parse(&format!("state = \"/\"\n{toml}"), std::path::Path::new("/perchd.toml"));
        let offer = Offer { has_box: true, ..Offer::default() };
        offer.under(&config.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_model_could_approve_itself_is_refused_at_the_start() {
        const BUTTON: &str = "[gpio.ok]\nchip = \"gpiochip0\"\nline = 4\ndirection = \"in\"\n";
        const LAMP: &str = "[gpio.ok]\nchip = \"gpiochip0\"\nline = 4\ndirection = \"out\"\nsafe = false\n";
        const TOOL: &str = "[[tool]]\nname = \"t\"\nabout = \"x\"\neffect = \"write\"\nrun = [\"/bin/true\"]\nconfirm = ";
        let auth = |mode: &str| format!("[auth]\nmode = \"{mode}\"\n");
        for (toml, what) in [
            (
                format!("{}[tools]\nconfirm = {{ add = \"page\" }}\n", auth("demo")),
                "/perchd.toml:5: in the mode `demo` nobody proves",
            ),
            (format!("{}{TOOL}\"page\"\n", auth("open")), "/perchd.toml:5: in the mode `open` nobody proves"),
            (format!("{}{TOOL}\"button:ok\"\n", auth("pairing")), "there is no button `ok`"),
            (format!("{}{TOOL}\"button:ok\"\n{LAMP}", auth("pairing")), "there is no button `ok`"),
            (format!("{}{TOOL}\"button:\"\n", auth("pairing")), "`button:` is none of"),
            (format!("{}{TOOL}\"plan\"\n", auth("pairing")), "`plan` is none of"),
            (format!("{}[tools]\nconfirm = {{ nothing = \"page\" }}\n", auth("pairing")), "there is no tool `nothing`"),
            (format!("{}{TOOL}\"page\"\n[tools]\nconfirm = {{ t = \"page\" }}\n", auth("pairing")), "`t` is declared"),
        ] {
            let told = offered(&toml).unwrap_err();
            assert!(told.contains(what) && told.contains("\n  "), "{toml}: {told}");
        }
        let good = format!("{}{TOOL}\"button:ok\"\n{BUTTON}", auth("open"));
        let about = offered(&good).unwrap().find("t").unwrap().spec().about().to_owned();
        assert!(about.ends_with("press the button `ok` at the board before each call runs."), "{about}");
    }
}
