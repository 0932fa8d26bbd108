//! From a configuration to a running Postrider: every part is made here, and given to the others.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use postrider_carriers::simulator::{self, SimulatorCarrier, SimulatorHandle};
use postrider_carriers::smpp::SmppCarrier;
use postrider_carriers::{Carrier, CarrierNo, EventBatch};
use postrider_core::clock::Clock;
use postrider_engine::dispatch::DispatchLimits;
use postrider_engine::networks::{self, Networks, NetworksError};
use postrider_engine::runtime::{self, Running};
use postrider_engine::{Coverage, Engine, Metrics, webhooks};
use postrider_server::{App, Door, Ops};
use postrider_store::Store;
use postrider_store::sqlite::{Options, SqliteStore};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::SystemClock;
use crate::config::{self, Config};
use crate::ending::Opened;
use crate::simulator_control::Control;
use crate::{instance_key, open_files, telemetry};

/// Batches of a carrier's events on their way to the engine; beyond that the carrier waits.
const EVENTS: usize = 256;

/// For answering what the API has taken.
const ANSWERS_GRACE: Duration = Duration::from_secs(5);

/// Then for the carriers to answer what is in their windows. Whatever they have not answered by then
/// is unknown: sent again or failed by policy, and both are worse than a late exit.
const CARRIERS_GRACE: Duration = Duration::from_secs(10);

/// Operators are promised 30 seconds for all, of which the store has the last ones for its logs.
const _: () = assert!(
    ANSWERS_GRACE.as_secs() + CARRIERS_GRACE.as_secs() + runtime::SHUT_DOWN.as_secs() <= 26
);

/// A running Postrider.
pub(crate) struct Postrider {
    pub(crate) engine: Engine,
    /// By number; a reload appends.
    pub(crate) places: Vec<Place>,
    /// Of the first simulated carrier when this process started.
    pub(crate) simulator: Option<SimulatorHandle>,
    /// The API's hand on the first simulated carrier.
    pub(crate) control: Option<Arc<Control>>,
    /// `http://ADDRESS` of the API.
    pub(crate) url: String,
    running: Running,
    stop_http: oneshot::Sender<()>,
    http: JoinHandle<()>,
}

/// A carrier of this process at its number.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) config: config::Carrier,
    /// Left the configuration, or replaced by another place of the same name.
    pub(crate) is_retired: bool,
    /// If it is a simulated one that runs.
    pub(crate) simulator: Option<SimulatorHandle>,
}

impl Place {
    pub(crate) fn new(config: config::Carrier) -> Self {
        Self {
            config,
            is_retired: false,
            simulator: None,
        }
    }
}

/// The number of the carrier in this place.
pub(crate) fn number(place: usize) -> anyhow::Result<CarrierNo> {
    let number = u16::try_from(place);
    Ok(CarrierNo(number.context(
        "more than 65,536 carriers since this process started",
    )?))
}

/// The configuration's carriers, or the simulator where there are none.
pub(crate) fn carriers(config: &Config) -> Vec<config::Carrier> {
    if config.carriers.is_empty() {
        return vec![config::Carrier::Simulator(simulator::Config::default())];
    }
    config.carriers.clone()
}

pub(crate) fn store_options(config: &Config) -> Options {
    Options {
        messages_per_shard: config.store.messages_per_shard,
        reserve_bytes: config.store.reserve_mib << 20,
        ..Options::default()
    }
}

/// Opens the data directory; nobody else may have it open.
pub(crate) fn open_store(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<(PathBuf, Arc<dyn Store>, instance_key::Key)> {
    let directory = config
        .store
        .directory()
        .context("store.url names no directory")?;
    let store = SqliteStore::open(&directory, clock, store_options(config))?;
    let key = instance_key::of_directory(&directory, has_accounts(&store)?)?;
    Ok((directory, Arc::new(store), key))
}

fn has_accounts(store: &dyn Store) -> anyhow::Result<bool> {
    use postrider_core::settings::Document;
    let documents = store.documents()?;
    Ok(documents
        .iter()
        .any(|document| matches!(document, Document::Account(_))))
}

impl Postrider {
    /// Starts everything, and the API last: whoever connects to the listener waits until `prepare`
    /// has made what the first request may rely on, an account above all.
    pub(crate) async fn start<T>(
        config: &Config,
        listener: TcpListener,
        door: Option<Door>,
        opened: &Opened,
        prepare: impl AsyncFnOnce(&Engine) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Self, T)> {
        let open_files = open_files::raise();
        let shares = open_files::shares(config, open_files);
        if let Some(warning) = open_files::warning(config, open_files) {
            tracing::warn!("{warning}");
        }
        tracing::info!(
            open_files,
            connections = shares.http,
            webhooks = shares.webhooks,
            "open files are divided"
        );
        let webhooks_config = webhooks::Config {
            concurrency: shares.webhooks,
            ..config.webhooks.clone()
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let (directory, store, instance_key) = open_store(config, clock.clone())?;
        tracing::info!(directory = %directory.display(), "store is open");
        // Empty until now: a command opens one.
        let _ = opened.set(store.clone());
        let metrics = Arc::new(Metrics::default());
        let registry = telemetry::registry(&metrics);
        let mut places: Vec<_> = carriers(config).into_iter().map(Place::new).collect();
        let Started { carriers, events } = start_carriers(&mut places, 0, &clock)?;
        let simulator = places.iter().find_map(|place| place.simulator.clone());
        let control = simulator
            .clone()
            .map(|handle| Arc::new(Control::new(handle)));
        let names: Vec<_> = places
            .iter()
            .enumerate()
            .map(|(place, carrier)| Ok((&carrier.config, number(place)?)))
            .collect::<anyhow::Result<_>>()?;
        let policies = places.iter().map(|place| place.config.policy());
        let wiring = lookups(config, clock.clone(), metrics.clone());
        let coverage = coverage(config, &wiring, None)?;
        let (engine, running) = runtime::start(runtime::Setup {
            clock,
            seed: instance_key::random()?,
            instance_key,
            store: store.clone(),
            limits: config.limits,
            compliance: config.compliance,
            opt_out_wording: config.opt_out.clone(),
            dispatch_limits: DispatchLimits::default(),
            paces: config.pace.clone(),
            caps: config.caps.clone(),
            routes: config::route_table(&config.routes, &names),
            coverage,
            carriers: policies.zip(carriers).collect(),
            events,
            webhooks: webhooks_config,
            observer: Arc::new(webhooks::Logged),
            metrics,
        })?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = App::new(postrider_server::Setup {
            engine: engine.clone(),
            ops: Ops {
                ready: Box::new(readiness(engine.clone(), store)),
                metrics: Box::new(telemetry::writer(registry)),
            },
            simulator: control.clone().map(|control| control as Arc<_>),
            door,
            trusted_proxies: config.server.trusted_proxies()?,
            request_id_seed: u64::from_le_bytes(instance_key::random()?),
        });
        let limits = postrider_server::Limits {
            connections: shares.http as usize,
            ..postrider_server::Limits::default()
        };
        let prepared = prepare(&engine).await?;
        let (stop_http, stopped) = oneshot::channel::<()>();
        let http = tokio::spawn(postrider_server::serve(
            listener,
            Arc::new(app),
            limits,
            async {
                let _ = stopped.await;
            },
        ));
        let postrider = Self {
            engine,
            places,
            simulator,
            control,
            url,
            running,
            stop_http,
            http,
        };
        Ok((postrider, prepared))
    }

    /// Stops politely: no new requests, answers and commits for what is in flight.
    pub(crate) async fn stop(self) {
        let _ = self.stop_http.send(());
        let answered = tokio::time::timeout(ANSWERS_GRACE, self.http).await;
        if answered.is_err() {
            tracing::warn!("some requests were not answered in time and are dropped");
        }
        self.running.shut_down(CARRIERS_GRACE).await;
    }
}

/// What lookups of networks are connected to.
pub(crate) fn lookups(
    config: &Config,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> networks::Wiring {
    networks::Wiring {
        clock,
        metrics,
        ca_file: config.webhooks.ca_file.clone(),
    }
}

/// What the configuration says of carriers' reach, the table of networks read.
pub(crate) fn coverage(
    config: &Config,
    wiring: &networks::Wiring,
    former: Option<&Networks>,
) -> Result<Coverage, NetworksError> {
    let networks = Networks::open(&config.networks, wiring, former)?;
    if let Some(rows) = networks.as_ref().and_then(Networks::table_rows) {
        tracing::info!(rows, "networks: the table is read");
    }
    Ok(Coverage {
        networks,
        mms: config.mms.clone(),
        countries: config.countries.clone(),
    })
}

/// Listens on an address as the configuration writes it.
pub(crate) async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("can't listen on {address}"))
}

/// Carriers at work.
pub(crate) struct Started {
    pub(crate) carriers: Vec<Arc<dyn Carrier>>,
    /// Of each, in the same order: one that has much to say fills no other's channel.
    pub(crate) events: Vec<mpsc::Receiver<EventBatch>>,
}

/// Starts the carriers in the places from `first` on. Those that are started when one fails are
/// stopped again.
pub(crate) fn start_carriers(
    places: &mut [Place],
    first: usize,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Started> {
    let mut carriers = Vec::new();
    let mut events = Vec::new();
    for (index, place) in places.iter_mut().enumerate().skip(first) {
        let number = number(index)?;
        let seed = u64::from_le_bytes(instance_key::random()?);
        let clock = clock.clone();
        // It closes with the carrier.
        let (events_to, events_from) = mpsc::channel(EVENTS);
        let name = place.config.name();
        let carrier: Arc<dyn Carrier> = match &place.config {
            config::Carrier::Smpp(config) => {
                let carrier = SmppCarrier::start(number, config, clock, seed, events_to);
                Arc::new(carrier.with_context(|| format!("carrier {name}"))?)
            }
            config::Carrier::Simulator(config) => {
                let carrier = SimulatorCarrier::start(number, config, clock, seed, events_to)
                    .with_context(|| format!("carrier {name}"))?;
                place.simulator = Some(carrier.handle());
                Arc::new(carrier)
            }
        };
        carriers.push(carrier);
        events.push(events_from);
    }
    Ok(Started { carriers, events })
}

/// Ready to take messages: nothing has failed, the store has room, and a carrier is bound.
fn readiness(engine: Engine, store: Arc<dyn Store>) -> impl Fn() -> Result<(), String> {
    let failure = engine.failure();
    move || {
        if let Some(reason) = &*failure.borrow() {
            return Err(reason.clone());
        }
        store.room().map_err(|error| error.to_string())?;
        if !engine.readiness().has_carrier() {
            return Err("no carrier is bound".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
