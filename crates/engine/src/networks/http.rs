//! The lookup over HTTP: one question per number at a time, a few at once, answers remembered.
//!
//! A question is a GET of the operator's URL through the guarded client. It is asked by a task of its
//! own, for everyone who wants to know it, and ends at the timeout. After ten failures in a row nobody
//! is asked for some seconds, so that a lookup that is down does not hold up every message.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};
use postrider_core::network::Network;
use postrider_core::phone_number::PhoneNumber;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use super::cache::{Cache, Remembered};
use super::config::{Config, NUMBER};
use super::{Answer, Finding, Lookup, NetworkLookup, NetworksError, Source, Wiring};
use crate::webhooks::{self, AttemptFailure, Client};

/// Failures in a row after which nobody is asked for a while.
const FAILURES_MAX: u32 = 10;
const REST_MS: Millis = 5_000;

/// Most of an answer's body. It has two codes in it, and whatever else the operator's service tells.
const BODY_LEN_MAX: usize = 64 * 1024;

/// Why the lookup told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupFailure {
    #[error("no answer within networks.timeout_ms")]
    Timeout,
    #[error("{0}")]
    Request(AttemptFailure),
    #[error("the answer's body is not JSON with mcc and mnc")]
    NotUnderstood,
    #[error("it failed too often, and is asked again in some seconds")]
    Resting,
    /// That is no fault of the lookup, and no reason to leave it alone.
    #[error(
        "more numbers were to be looked up than networks.concurrency allows in networks.timeout_ms"
    )]
    Busy,
}

/// See the module. Clones are the same lookup.
#[derive(Clone)]
pub struct HttpLookup(Arc<Inner>);

struct Inner {
    url: String,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    client: Client,
    clock: Arc<dyn Clock>,
    slots: Semaphore,
    state: Mutex<State>,
}

struct State {
    cache: Cache,
    /// What is being asked, and who waits to hear it.
    asking: FxHashMap<PhoneNumber, watch::Receiver<Option<Finding>>>,
    failures: u32,
    rests_until_ms: Millis,
}

impl HttpLookup {
    pub(super) fn new(url: &str, config: &Config, wiring: &Wiring) -> Result<Self, NetworksError> {
        let client = Client::new(&webhooks::Config {
            allow_private_networks: config.allow_private_networks,
            concurrency: config.concurrency,
            per_endpoint_concurrency: config.concurrency,
            ca_file: wiring.ca_file.clone(),
            ..webhooks::Config::default()
        })?;
        let token = config.lookup_token.as_ref();
        let authorization = token.map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| NetworksError::Token)?;
            value.set_sensitive(true);
            Ok::<_, NetworksError>(value)
        });
        let ms = |seconds: u32| Millis::from(seconds) * 1_000;
        Ok(Self(Arc::new(Inner {
            url: url.to_owned(),
            authorization: authorization.transpose()?,
            timeout: Duration::from_millis(config.timeout_ms.get().into()),
            client,
            clock: wiring.clock.clone(),
            slots: Semaphore::new(config.concurrency.get() as usize),
            state: Mutex::new(State {
                cache: Cache::new(
                    config.cache_size.get(),
                    ms(config.known_for_s),
                    ms(config.unknown_for_s),
                ),
                asking: FxHashMap::default(),
                failures: 0,
                rests_until_ms: Millis::MIN,
            }),
        })))
    }
}

impl NetworkLookup for HttpLookup {
    fn look_up(&self, number: PhoneNumber) -> Lookup {
        let inner = self.0.clone();
        let now_ms = inner.clock.now_ms();
        let known = inner.state.lock().known(number, now_ms);
        match known {
            Some(answer) => Lookup::Answered(answer),
            None => Lookup::Asking(Box::pin(inner.ask(number))),
        }
    }
}

impl State {
    /// What can be said without asking.
    fn known(&mut self, number: PhoneNumber, now_ms: Millis) -> Option<Answer> {
        if let Some(remembered) = self.cache.get(number, now_ms) {
            return Some(Answer {
                finding: remembered.network.map_or(Finding::Unknown, Finding::Known),
                source: Source::Cache,
                as_of_ms: remembered.at_ms,
            });
        }
        // A clock that was set back makes no longer rest.
        let rest_ms = self.rests_until_ms.saturating_sub(now_ms);
        let is_resting = (1..=REST_MS).contains(&rest_ms);
        is_resting.then_some(Answer {
            finding: Finding::Failed(LookupFailure::Resting),
            source: Source::Http,
            as_of_ms: now_ms,
        })
    }
}

impl Inner {
    /// Asks, or waits with those who ask already.
    async fn ask(self: Arc<Self>, number: PhoneNumber) -> Answer {
        let now_ms = self.clock.now_ms();
        let deadline = Instant::now() + self.timeout;
        let (tell, mut asked) = {
            let mut state = self.state.lock();
            // It may have been told since.
            if let Some(answer) = state.known(number, now_ms) {
                return answer;
            }
            if let Some(asked) = state.asking.get(&number) {
                (None, asked.clone())
            } else {
                let (tell, asked) = watch::channel(None);
                state.asking.insert(number, asked.clone());
                (Some(tell), asked)
            }
        };
        // Not under the lock: a runtime that is stopping drops the question at once, and that takes it.
        if let Some(tell) = tell {
            let lookup = self.clone();
            tokio::spawn(Question { lookup, number }.ask(deadline, tell));
        }
        let told = timeout_at(deadline, asked.wait_for(Option::is_some)).await;
        let told = told.ok().and_then(|told| *told.ok()?);
        Answer {
            finding: told.unwrap_or(Finding::Failed(LookupFailure::Timeout)),
            source: Source::Http,
            as_of_ms: now_ms,
        }
    }
}

/// A question under way. Whatever ends it, it is no longer asked then.
struct Question {
    lookup: Arc<Inner>,
    number: PhoneNumber,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.lookup.state.lock().asking.remove(&self.number);
    }
}

impl Question {
    async fn ask(self, deadline: Instant, tell: watch::Sender<Option<Finding>>) {
        let told = self.lookup.get(self.number, deadline).await;
        self.lookup.note(self.number, told);
        let finding = match told {
            Ok(network) => network.map_or(Finding::Unknown, Finding::Known),
            Err(failure) => Finding::Failed(failure),
        };
        // Whoever comes now finds it in the cache, or asks anew.
        drop(self);
        tell.send_replace(Some(finding));
    }
}

impl Inner {
    /// Waits for its turn until `deadline`, then has the whole timeout: an answer that comes too late
    /// for who asked still tells that the service works, and is remembered.
    async fn get(
        &self,
        number: PhoneNumber,
        deadline: Instant,
    ) -> Result<Option<Network>, LookupFailure> {
        let slot = timeout_at(deadline, self.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else {
            return Err(LookupFailure::Busy);
        };
        let url = self.url.replace(NUMBER, &number.digits().to_string());
        let authorization = self.authorization.as_ref();
        let until = Instant::now() + self.timeout;
        let got = self.client.get(&url, authorization, until, BODY_LEN_MAX);
        let got = timeout_at(until, got).await;
        let got = got.map_err(|_| LookupFailure::Timeout)?;
        let (status, body) = got.map_err(LookupFailure::Request)?;
        match status {
            StatusCode::OK => read(&body),
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(None),
            status => Err(LookupFailure::Request(AttemptFailure::Status(
                status.as_u16(),
            ))),
        }
    }

    fn note(&self, number: PhoneNumber, told: Result<Option<Network>, LookupFailure>) {
        let now_ms = self.clock.now_ms();
        let mut state = self.state.lock();
        match told {
            Ok(network) => {
                let at_ms = now_ms;
                state.cache.put(number, Remembered { network, at_ms });
                if state.failures >= FAILURES_MAX {
                    tracing::info!("networks: the lookup answers again");
                }
                state.failures = 0;
            }
            Err(LookupFailure::Busy) => {}
            Err(failure) => {
                state.failures = state.failures.saturating_add(1);
                if state.failures >= FAILURES_MAX {
                    if state.failures == FAILURES_MAX {
                        tracing::warn!(
                            %failure,
                            "networks: the lookup fails; recipients it would tell of count as served"
                        );
                    }
                    state.rests_until_ms = now_ms.saturating_add(REST_MS);
                }
            }
        }
    }
}

/// What the service answers. Anything else in it is passed over.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    mcc: Option<Code>,
    #[serde(default)]
    mnc: Option<Code>,
}

/// Some services write codes as texts and some as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Text(String),
    Number(u16),
}

impl Code {
    fn into_digits(self, width: usize) -> String {
        match self {
            Self::Text(digits) => digits,
            Self::Number(number) => format!("{number:0width$}"),
        }
    }
}

/// The network that an answer names; `None` where it says that it knows none.
fn read(body: &[u8]) -> Result<Option<Network>, LookupFailure> {
    let body: Body = serde_json::from_slice(body).map_err(|_| LookupFailure::NotUnderstood)?;
    match (body.mcc, body.mnc) {
        (None, None) => Ok(None),
        (Some(mcc), Some(mnc)) => Network::of_digits(&mcc.into_digits(3), &mnc.into_digits(2))
            .map(Some)
            .map_err(|_| LookupFailure::NotUnderstood),
        (Some(_), None) | (None, Some(_)) => Err(LookupFailure::NotUnderstood),
    }
}
