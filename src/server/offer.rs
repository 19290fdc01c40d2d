//! What is offered: by the box, as far as the configuration leaves it in, and by the program that this is a library of.

use crate::builtin;
use crate::config::Config;
use crate::error::{Error, Exit};
use crate::http::Service;
use crate::server::stop::Stop;
use crate::tool::Catalog;
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
}

impl Offer {
    /// What is offered under this configuration.
    pub(crate) fn under(&self, config: &Config) -> Result<Catalog, Error> {
        let mut catalog = Catalog::default();
        if self.has_box {
            builtin::offer(&mut catalog)?;
        }
        for name in &config.hidden {
            if !catalog.hide(name) {
                let what = format!("there is no tool `{name}` in the box to hide");
                let place = config.file.as_ref().map_or_else(|| "[tools]".to_owned(), |file| file.display().to_string());
                return Err(Error::new(Exit::Config, what).at(place).remedy("perchd tools lists those that there are."));
            }
        }
        catalog.join(self.catalog.clone())?;
        Ok(catalog)
    }
}

/// Puts a configuration in force that is read anew.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) reread: Reread,
    pub(crate) offer: Offer,
}

impl Reload {
    /// At each SIGHUP, as long as the server runs.
    pub(crate) async fn at_each(self, mut hangup: Signal, service: Rc<Service>, stop: Rc<Stop>) {
        while hangup.recv().await.is_some() {
            match self.reload(&service) {
                Ok(()) => log::info!("SIGHUP: the configuration was read anew"),
                Err(error) => log::error!("SIGHUP: the configuration stays as it was: {error}"),
            }
            stop.limit(service.config().limits.connections);
        }
    }

    fn reload(&self, service: &Service) -> Result<(), Error> {
        let config = (self.reread.0)()?;
        let catalog = self.offer.under(&config)?;
        service.reload(config, catalog)
    }
}
