//! The server: what was declared, put together and run on one thread.

mod bell;
pub(crate) mod certificate;
mod conn;
pub(crate) mod control;
pub(crate) mod desk;
pub(crate) mod first;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod listen;
pub(crate) mod local;
mod offer;
mod pace;
mod rounds;
mod signals;
mod socket;
pub(crate) mod state;
mod stop;
#[cfg(test)]
mod tests;
pub(crate) mod tls;

use crate::audit::{Audit, Nothing};
use crate::builtin::gpio::bank::Bank;
use crate::config::Config;
use crate::errand;
use crate::error::{Error, Exit};
use crate::http::{Identity, Parts, Service};
use crate::log::{Holding, Stderr};
use crate::mcp::Implementation;
use crate::server::control::Control;
use crate::server::desk::Desk;
use crate::server::offer::{Offer, Reload, Reread};
use crate::server::signals::Signals;
use crate::server::state::{Lock, State};
use crate::server::stop::Stop;
use crate::server::tls::Tls;
use crate::systemd;
use crate::tool::{Catalog, Changes, Prompt, Resource, Tool};
use crate::world::{Clock, Kernel, World};
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::rc::Rc;
use std::task::Poll;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::task::JoinHandle;

/// A server that is being put together.
#[derive(Debug)]
pub struct Server {
    config: Config,
    reread: Option<Reread>,
    offer: Offer,
    instructions: Option<String>,
    changes: Option<Changes>,
    implementation: Option<Implementation>,
    fault: Option<Error>,
}

impl Server {
    /// A server with this configuration and no tools.
    pub fn new(config: Config) -> Self {
        Server {
            config,
            reread: None,
            offer: Offer::default(),
            instructions: None,
            changes: None,
            implementation: None,
            fault: None,
        }
    }

    /// Offers one more tool. What is wrong with it is said when the server starts.
    pub fn tool(mut self, tool: Tool) -> Self {
        let added = self.offer.catalog.add(tool);
        self.note(added)
    }

    /// Offers one more resource, or template of resources.
    pub fn resource(mut self, resource: Resource) -> Self {
        let added = self.offer.catalog.add_resource(resource);
        self.note(added)
    }

    /// Offers one more prompt.
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        let added = self.offer.catalog.add_prompt(prompt);
        self.note(added)
    }

    /// Tells the model of each client how to use this server.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Lets clients hear of changes that `changes` is told of.
    pub fn changes(mut self, changes: &Changes) -> Self {
        self.changes = Some(changes.clone());
        self
    }

    /// What the server calls itself towards clients, in place of perchd and its version.
    pub fn implementation(mut self, implementation: Implementation) -> Self {
        self.implementation = Some(implementation);
        self
    }

    /// Offers the tools in the box: arithmetic and the board's health.
    pub fn builtin(mut self) -> Self {
        self.offer.has_box = true;
        self
    }

    /// Reads the configuration anew when the process gets SIGHUP. What `reread` says holds from then on, but for the
    /// addresses and the state folder; if it fails, all stays as it was, and the log says why.
    ///
    /// [`Server::from_config`] does this with its file.
    pub fn reread(mut self, reread: impl Fn() -> Result<Config, Error> + 'static) -> Self {
        self.reread = Some(Reread(Box::new(reread)));
        self.changes.get_or_insert_default();
        self
    }

    /// Says what a scope lets the assistant do, in the words of the consent page.
    pub fn describe(mut self, scope: impl Into<String>, about: impl Into<String>) -> Self {
        self.offer.catalog.describe(scope, about);
        self
    }

    /// The configuration, and what is offered under it; nothing is opened for it.
    ///
    /// # Errors
    /// When a tool, resource or prompt is wrong.
    pub(crate) fn checked(self) -> Result<(Config, Catalog), Error> {
        let catalog = self.fault.map_or_else(|| self.offer.under(&self.config), Err)?;
        Ok((self.config, catalog))
    }

    /// A server with the tools in the box and this configuration.
    ///
    /// # Errors
    /// When the file cannot be read or something in it is wrong.
    pub fn from_config(file: impl AsRef<Path>) -> Result<Self, Error> {
        let file = file.as_ref().to_owned();
        let config = Config::from_file(&file)?;
        Ok(Server::new(config).builtin().reread(move || Config::from_file(&file)))
    }

    fn note(mut self, result: Result<(), Error>) -> Self {
        self.fault = self.fault.or(result.err());
        self
    }

    /// Takes the address, and runs until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// When a tool is wrong, the address is taken or the state cannot be read or written.
    pub fn run(self) -> Result<(), Error> {
        self.bind()?.run()
    }

    /// Takes the addresses, or the sockets that systemd hands over in their place; clients that connect from now on wait.
    ///
    /// # Errors
    /// When a tool is wrong, the address is taken or the state cannot be read or written.
    pub fn bind(self) -> Result<Bound, Error> {
        let listeners = listen::all(&self.config.listen)?;
        let address = |listener: &StdListener| listener.local_addr();
        let addresses = listeners.iter().map(address).collect::<Result<Vec<_>, _>>();
        let addresses = addresses.map_err(|error| Error::new(Exit::System, "cannot listen").because(error))?;
        addresses.iter().try_for_each(|address| self.config.check(*address))?;
        let state = State::open(&self.config.state)?;
        let lock = state.lock()?.ok_or_else(|| in_use(&state))?;
        let tls = Tls::open(&self.config)?;
        let Served { service, tls, bank, reload } = self.service(&addresses, tls, Box::new(Stderr::new()))?;
        let control = Control::open(state.folder());
        let control = control.inspect_err(|error| log::error!("no command can reach this server: {error}")).ok();
        let runtime = runtime().map_err(unstarted)?;
        let signals = Signals::listen(&runtime, reload.is_some()).map_err(unstarted)?;
        Ok(Bound { listeners, addresses, service, tls, bank, reload, control, state, lock, runtime, signals })
    }

    /// Serves connections of `listener` until `stop` is done, on the runtime of whoever calls; it must be a
    /// [`LocalRuntime`] or inside a [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// When a tool is wrong, or the state cannot be read or written.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let address = listener.local_addr().map_err(|error| Error::new(Exit::System, "cannot listen").because(error))?;
        self.config.check(address)?;
        let tls = Tls::open(&self.config)?;
        let Served { service, tls, bank, .. } = self.service(&[address], tls, Box::new(Stderr::new()))?;
        serve(vec![listener], service, tls, bank, Rc::default(), stop).await;
        Ok(())
    }

    /// Where no server runs: what can be done with the state alone. `None` while a server runs, or something else uses it.
    ///
    /// # Errors
    /// When a tool is wrong, or the state cannot be read.
    pub(crate) fn desk(self) -> Result<Option<Offline>, Error> {
        let state = State::open(&self.config.state)?;
        let Some(lock) = state.lock()? else { return Ok(None) };
        let listen = self.config.listen.clone();
        let Served { service, .. } = self.service(&listen, None, Box::new(Nothing))?;
        Ok(Some(Offline { desk: Desk::new(service, state, Rc::default()), _lock: lock }))
    }

    fn service(mut self, addresses: &[SocketAddr], tls: Option<Rc<Tls>>, audit: Box<dyn Audit>) -> Result<Served, Error> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        addresses.iter().try_for_each(|address| self.config.check(*address))?;
        if self.config.is_readable() {
            log::warn!(
                "plain HTTP on the network: whoever is on it can read passwords, tokens and what assistants do; \
                 a sign-in there lasts a day at most"
            );
        }
        let state = State::open(&self.config.state)?;
        let clock = Clock::start(0);
        let world = World { now: clock.now(), random: &Kernel::new(), audit: &*audit };
        let keys = Rc::new(state.keys(&world)?);
        let boot = world.bytes();
        let clock = Clock::start(keys.born());
        let revoked = state.revoked()?;
        let implementation = self.implementation.take();
        let implementation = implementation
            .unwrap_or_else(|| Implementation::new("perchd", env!("CARGO_PKG_VERSION")).title(self.config.name.clone()));
        let keep = Box::new(move |text: &str| state.keep_revoked(text));
        let catalog = self.offer.under(&self.config)?;
        let bank = self.offer.bank(&self.config, &mut self.changes);
        let service = Service::new(Parts {
            addresses: addresses.to_vec(),
            config: self.config,
            ca: tls.as_ref().and_then(|tls| tls.own_ca()),
            identity: Identity { implementation, instructions: self.instructions, changes: self.changes },
            catalog,
            approvals: Rc::clone(&self.offer.approvals),
            keys,
            boot,
            revoked,
            clock,
            audit,
            keep,
        })?;
        let reload = self.reread.map(|reread| Reload { reread, offer: self.offer, tls: tls.clone() });
        Ok(Served { service, tls, bank, reload })
    }
}

/// A server that has its address.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<StdListener>,
    addresses: Vec<SocketAddr>,
    service: Rc<Service>,
    tls: Option<Rc<Tls>>,
    bank: Rc<Bank>,
    reload: Option<Reload>,
    control: Option<Control>,
    state: State,
    lock: Lock,
    runtime: LocalRuntime,
    signals: Signals,
}

/// The state, while no server runs.
pub(crate) struct Offline {
    pub(crate) desk: Desk,
    _lock: Lock,
}

/// A service, its TLS if it has any, its lines, and the way to reload them if there is one.
struct Served {
    service: Rc<Service>,
    tls: Option<Rc<Tls>>,
    bank: Rc<Bank>,
    reload: Option<Reload>,
}

impl Bound {
    /// Where it listens: never nowhere.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The first of them.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where it is reached, under its first name.
    pub fn origin(&self) -> String {
        self.service.origin()
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The SHA-256 of the certificate of the board's own CA, if it has one: what people compare before they trust it.
    pub fn fingerprint(&self) -> Option<String> {
        self.tls.as_ref().and_then(|tls| tls.own_ca()).map(|ca| ca.fingerprint)
    }

    /// Runs until SIGTERM or SIGINT, on this thread.
    ///
    /// # Errors
    /// When the system refuses what a runtime needs.
    pub fn run(self) -> Result<(), Error> {
        let Bound { listeners, service, tls, bank, reload, control, state, lock, runtime, signals, .. } = self;
        let holding = Holding::begin();
        errand::wait(&runtime, async {
            let listeners = listeners.into_iter().map(TcpListener::from_std).collect::<Result<_, _>>().map_err(unstarted)?;
            let Signals { mut terminate, mut interrupt, hangup } = signals;
            let stop = poll_fn(|context| match terminate.poll_recv(context) {
                Poll::Ready(_) => Poll::Ready("SIGTERM"),
                Poll::Pending => interrupt.poll_recv(context).map(|_| "SIGINT"),
            });
            let stop = async {
                // Not inside the macro: it does not look at its arguments when nobody logs.
                let signal = stop.await;
                log::info!("{signal}: stopping");
                systemd::stopping();
            };
            let connections = Rc::<Stop>::default();
            if let Some((reload, hangup)) = reload.zip(hangup) {
                errand::begin(reload.at_each(hangup, Rc::clone(&service), Rc::clone(&connections)));
            }
            let desk = Desk::new(Rc::clone(&service), state, Rc::clone(&connections));
            let serving = control.map(|control| errand::begin(control.serve(desk)));
            let telling = errand::begin(rounds::tell_systemd());
            serve(listeners, service, tls, bank, connections, stop).await;
            telling.abort();
            serving.inspect(JoinHandle::abort);
            Ok(())
        })?;
        drop((runtime, holding, lock));
        Ok(())
    }
}

fn in_use(state: &State) -> Error {
    let remedy = "Stop it first (systemctl stop perchd), or name another folder with --state.";
    Error::new(Exit::Config, "another perchd uses this state folder").at(state.folder().display()).remedy(remedy)
}

fn unstarted(error: std::io::Error) -> Error {
    Error::new(Exit::System, "cannot start the event loop").because(error)
}

fn runtime() -> std::io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .on_thread_park(rounds::before_sleep)
        .build_local(LocalOptions::default())
}

async fn serve(
    listeners: Vec<TcpListener>,
    service: Rc<Service>,
    tls: Option<Rc<Tls>>,
    bank: Rc<Bank>,
    stop: Rc<Stop>,
    until: impl Future<Output = ()>,
) {
    bank.hold(&service.config().gpio);
    stop.limit(listen::affordable(service.config().limits));
    let counted = Rc::clone(&stop);
    service.counts_connections(move || counted.count());
    let accept = |listener| {
        let accepting = listen::accept(listener, Rc::clone(&service), tls.clone(), Rc::clone(&stop));
        errand::begin(accepting)
    };
    let accepting: Vec<_> = listeners.into_iter().map(accept).collect();
    let keeping_alive = errand::begin(rounds::keep_alive(Rc::clone(&service)));
    let looking_after = tls.map(|tls| errand::begin(rounds::look_after(tls)));
    until.await;
    bank.close();
    stop.begin();
    service.close_streams();
    // Its end closes the listener: who connects now is refused at once and tries the next start.
    for accepting in accepting {
        let _ = accepting.await;
    }
    keeping_alive.abort();
    looking_after.inspect(JoinHandle::abort);
    match stop.drained().await {
        0 => log::debug!("all connections are closed"),
        left => log::warn!("{left} connections did not end in time and are cut off"),
    }
}
