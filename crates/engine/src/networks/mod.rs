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

/// What a lookup says: at once, or when somebody has answered.
pub enum Lookup {
    Answered(Answer),
    Asking(Asking),
}

/// An answer that somebody has to be asked for, which begins when it is first waited for. The wait has
/// an end of its own.
pub type Asking = Pin<Box<dyn Future<Output = Answer> + Send>>;

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
    http: Option<HttpLookup>,
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
            (Some(url), None) => Some(HttpLookup::new(url, config, wiring)?),
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

    /// How many numbers may well be asked about at a time: more would wait for each other, and the last
    /// ones for too long.
    pub(crate) fn concurrency(&self) -> usize {
        self.config.concurrency.get() as usize
    }

    /// The first answer that names a network, else the last one.
    pub async fn find(&self, number: PhoneNumber) -> Option<Answer> {
        Some(match self.look_up(number)? {
            Lookup::Answered(answer) => answer,
            Lookup::Asking(answer) => answer.await,
        })
    }

    /// The same for who has something else to do meanwhile.
    pub(crate) fn look_up(&self, number: PhoneNumber) -> Option<Lookup> {
        let told = self.table.as_ref().map(|table| table.tell(number));
        let is_told = told.is_some_and(|told| told.network().is_some());
        let metrics = self.metrics.clone();
        let Some(http) = self.http.as_ref().filter(|_| !is_told) else {
            let told = told?;
            count(&metrics, told);
            return Some(Lookup::Answered(told));
        };
        let count_all = move |answer| {
            for answer in told.into_iter().chain([answer]) {
                count(&metrics, answer);
            }
        };
        Some(match http.look_up(number) {
            Lookup::Answered(answer) => {
                count_all(answer);
                Lookup::Answered(answer)
            }
            Lookup::Asking(answer) => Lookup::Asking(Box::pin(async move {
                let answer = answer.await;
                count_all(answer);
                answer
            })),
        })
    }
}

fn count(metrics: &Metrics, answer: Answer) {
    let label = NetworkLabel {
        source: answer.source.as_str(),
        result: answer.finding.as_str(),
    };
    metrics.network_lookups.get_or_create(&label).inc();
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
pub(crate) mod testing;
#[cfg(test)]
mod tests;
