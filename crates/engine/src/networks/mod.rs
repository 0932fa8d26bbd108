//! Which mobile network serves a recipient: asked of the operator's table, then of a lookup over HTTP.
//!
//! Short codes are brought up network by network, so one that some networks of its country do not know
//! must not be chosen for their handsets. Nothing else asks. A network that nobody can tell counts as
//! served (`docs/sender-selection.md`), so a lookup that is slow or fails holds a message up for its
//! timeout at most, and never fails it.

mod cache;
mod config;
mod http;
mod table;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use postrider_core::clock::{Clock, Millis};
use postrider_core::network::Network;
use postrider_core::phone_number::PhoneNumber;

use crate::metrics::{Metrics, NetworkLabel};
use crate::webhooks::ClientError;

pub use config::{Config, NUMBER};
pub use http::{HttpLookup, LookupFailure};
pub use table::{BadTable, Table};

/// Tells the networks of numbers.
pub trait NetworkLookup: Send + Sync {
    fn look_up(&self, number: PhoneNumber) -> Lookup;
}

/// What a lookup says: at once, or when somebody has answered. The wait has an end of its own.
pub enum Lookup {
    Answered(Answer),
    Asking(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

/// What is known of a number's network, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub finding: Finding,
    pub source: Source,
    /// When the source said so: when it was asked, or the table read.
    pub as_of_ms: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Known(Network),
    Unknown,
    /// The source did not answer: for the message the same as unknown.
    Failed(LookupFailure),
}

/// Who told a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The question itself, as in "what if".
    Question,
    Table,
    /// The HTTP lookup, asked earlier.
    Cache,
    Http,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Table => "table",
            Self::Cache => "cache",
            Self::Http => "http",
        }
    }
}

impl Finding {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known(_) => "known",
            Self::Unknown => "unknown",
            Self::Failed(LookupFailure::Busy) => "busy",
            Self::Failed(_) => "failed",
        }
    }
}

impl Answer {
    pub fn network(&self) -> Option<Network> {
        match self.finding {
            Finding::Known(network) => Some(network),
            Finding::Unknown | Finding::Failed(_) => None,
        }
    }

    /// A network that the question supposes.
    pub fn supposed(network: Network, now_ms: Millis) -> Self {
        Self {
            finding: Finding::Known(network),
            source: Source::Question,
            as_of_ms: now_ms,
        }
    }
}

/// Why there can be no lookups.
#[derive(Debug, thiserror::Error)]
pub enum NetworksError {
    #[error("networks.table {}: {problem}", path.display())]
    Table { path: PathBuf, problem: BadTable },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("networks.lookup_token cannot be sent in a header")]
    Token,
}

/// What the lookups are connected to.
pub struct Wiring {
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    /// Authorities trusted besides the system's, in PEM.
    pub ca_file: Option<PathBuf>,
}

/// The lookups of a configuration, in the order in which they are asked.
#[derive(Clone)]
pub struct Networks {
    config: Config,
    ca_file: Option<PathBuf>,
    table: Option<Arc<Table>>,
    http: Option<Arc<HttpLookup>>,
    metrics: Arc<Metrics>,
}

impl Networks {
    /// Reads the table and makes the client; `None` where neither is configured. A lookup over HTTP
    /// that `former` has and that is configured as before goes on with what it remembers.
    pub fn open(
        config: &Config,
        wiring: &Wiring,
        former: Option<&Self>,
    ) -> Result<Option<Self>, NetworksError> {
        if config.table.is_none() && config.lookup_url.is_none() {
            return Ok(None);
        }
        let table = config.table.as_ref().map(|path| {
            let table = Table::of_file(path, wiring.clock.now_ms());
            table.map(Arc::new).map_err(|problem| NetworksError::Table {
                path: path.clone(),
                problem,
            })
        });
        let kept = former.filter(|former| {
            former.config.is_same_lookup(config) && former.ca_file == wiring.ca_file
        });
        let http = match (&config.lookup_url, kept.and_then(|kept| kept.http.clone())) {
            (None, _) => None,
            (Some(_), Some(kept)) => Some(kept),
            (Some(url), None) => Some(Arc::new(HttpLookup::new(url, config, wiring)?)),
        };
        Ok(Some(Self {
            config: config.clone(),
            ca_file: wiring.ca_file.clone(),
            table: table.transpose()?,
            http,
            metrics: wiring.metrics.clone(),
        }))
    }

    /// Rows of the table.
    pub fn table_rows(&self) -> Option<usize> {
        self.table.as_ref().map(|table| table.len())
    }

    /// How many numbers may well be looked up at a time.
    pub(crate) fn concurrency(&self) -> usize {
        self.config.concurrency.get() as usize
    }

    /// Whether nobody would wait for [`Networks::find`].
    pub(crate) fn is_at_hand(&self, number: PhoneNumber) -> bool {
        let Some(http) = &self.http else {
            return true;
        };
        let told = self.table.as_ref().map(|table| table.look_up(number));
        let is_told = matches!(told, Some(Lookup::Answered(answer)) if answer.network().is_some());
        is_told || http.is_remembered(number)
    }

    /// The first answer that names a network, else the last one.
    pub async fn find(&self, number: PhoneNumber) -> Option<Answer> {
        let table = self
            .table
            .iter()
            .map(|table| &**table as &dyn NetworkLookup);
        let http = self.http.iter().map(|http| &**http as &dyn NetworkLookup);
        let mut last = None;
        for lookup in table.chain(http).map(|provider| provider.look_up(number)) {
            let answer = match lookup {
                Lookup::Answered(answer) => answer,
                Lookup::Asking(answer) => answer.await,
            };
            self.count(answer);
            if answer.network().is_some() {
                return Some(answer);
            }
            last = Some(answer);
        }
        last
    }

    fn count(&self, answer: Answer) {
        let label = NetworkLabel {
            source: answer.source.as_str(),
            result: answer.finding.as_str(),
        };
        self.metrics.network_lookups.get_or_create(&label).inc();
    }
}

impl std::fmt::Debug for Networks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Networks")
            .field("rows", &self.table_rows())
            .field("has_http", &self.http.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
