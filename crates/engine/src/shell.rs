//! The task around [`Dispatch`]: takes what happened in batches, and performs the effects.

use std::sync::Arc;
use std::time::Duration;

use postrider_carriers::CarrierNo;
use postrider_store::Store;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::alerts::Details;
use crate::carriers::Carriers;
use crate::dispatch::{
    Dispatch, Effect, Failure, Input, Reconfigured, find_others, find_receipted,
};
use crate::runtime::{Reconfiguration, Reconfigure};
use crate::{Engine, receive};

/// What a carrier that is retired may take for its last answers. An SMSC that answers at all does so
/// within seconds.
const RETIREMENT: Duration = Duration::from_secs(10);

/// Inputs, and about as many events of carriers, that are taken at one time.
const ROUND: usize = 1_024;

/// Reads of the store at once.
const READS: usize = 4;

/// Inbound messages on their way to the store at once.
const INBOUND: usize = 4_096;

/// The task around [`Dispatch`].
pub(crate) struct Shell {
    engine: Engine,
    carriers: Carriers,
    reads: Arc<Semaphore>,
    inbound: Arc<Semaphore>,
}

/// The longest sleep, so that a clock that was set forward is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(1);

impl Shell {
    pub(crate) fn new(engine: Engine, carriers: Carriers) -> Self {
        Self {
            engine,
            carriers,
            reads: Arc::new(Semaphore::new(READS)),
            inbound: Arc::new(Semaphore::new(INBOUND)),
        }
    }

    pub(crate) async fn run(
        mut self,
        mut dispatch: Dispatch,
        mut inbox: mpsc::Receiver<Input>,
        mut reconfigurations: mpsc::Receiver<Reconfigure>,
        mut stopping: watch::Receiver<Option<Duration>>,
    ) {
        let clock = self.engine.clock().clone();
        let mut inputs = Vec::new();
        let mut batches = Vec::new();
        let mut effects = Vec::new();
        let mut has_carriers = true;
        let mut is_stopping = false;
        loop {
            let now_ms = clock.now_ms();
            dispatch.poll(now_ms, &mut effects);
            for effect in effects.drain(..) {
                self.perform(effect);
            }
            if is_stopping && !has_carriers && dispatch.is_quiet() {
                return self.last_words(dispatch, inbox).await;
            }
            let sleep = dispatch.next_deadline().map_or(SLEEP_MAX, |at| {
                Duration::from_millis(u64::try_from(at - clock.now_ms()).unwrap_or(0))
                    .min(SLEEP_MAX)
            });
            tokio::select! {
                biased;
                count = inbox.recv_many(&mut inputs, 256) => if count == 0 { return },
                batch = self.carriers.recv(), if has_carriers && dispatch.takes_events() => {
                    has_carriers = batch.is_some();
                    batches.extend(batch);
                }
                _ = stopping.changed(), if !is_stopping => {
                    is_stopping = true;
                    inputs.push(Input::Stop);
                    let grace = stopping.borrow_and_update().unwrap_or_default();
                    self.carriers.shut_down(grace);
                }
                Some(reconfigure) = reconfigurations.recv(), if !is_stopping => {
                    self.reconfigure(reconfigure, &mut dispatch, &mut effects);
                    has_carriers = true;
                }
                () = tokio::time::sleep(sleep) => inputs.push(Input::Timer),
            }
            // Whatever else has come meanwhile is taken in the same round: fewer, larger commits.
            while inputs.len() < ROUND
                && let Ok(input) = inbox.try_recv()
            {
                inputs.push(input);
            }
            if dispatch.takes_events() {
                self.carriers.take(&mut batches, ROUND);
            }
            let now_ms = clock.now_ms();
            for input in inputs.drain(..) {
                dispatch.handle(input, now_ms, &mut effects);
            }
            for batch in batches.drain(..) {
                dispatch.handle(Input::Carrier(batch), now_ms, &mut effects);
            }
        }
    }

    /// Takes what was sent until now: the webhooks go on for a while, and a callback of theirs that is
    /// done must not be made again. Whoever sends later is refused, and knows.
    async fn last_words(&self, mut dispatch: Dispatch, mut inbox: mpsc::Receiver<Input>) {
        inbox.close();
        let now_ms = self.engine.now_ms();
        let mut effects = Vec::new();
        while let Some(input) = inbox.recv().await {
            dispatch.handle(input, now_ms, &mut effects);
        }
        // Quiet until now, it has room for a commit. Nothing that waits for its answer matters to the
        // next process.
        dispatch.poll(now_ms, &mut effects);
        for effect in effects {
            self.perform(effect);
        }
    }

    /// The new carriers get their numbers before anything they say is heard, and the API takes
    /// messages by the new routes only when dispatch knows them.
    fn reconfigure(
        &mut self,
        (reconfiguration, in_force): Reconfigure,
        dispatch: &mut Dispatch,
        effects: &mut Vec<Effect>,
    ) {
        let Reconfiguration {
            routes,
            carriers,
            retired,
            started,
            events,
            paces,
        } = reconfiguration;
        let new = carriers.len().saturating_sub(started.len());
        let names = carriers.iter().skip(new).map(|policy| policy.name.clone());
        self.carriers.add(names.zip(started), events);
        let routes = Arc::new(routes);
        let paces = Arc::new(paces);
        let reconfigured = Reconfigured {
            routes: routes.clone(),
            carriers,
            retired,
            paces: paces.clone(),
        };
        let now_ms = self.engine.now_ms();
        dispatch.handle(Input::Reconfigured(reconfigured), now_ms, effects);
        let acceptor = &self.engine.shared.acceptor;
        acceptor.routes.store(routes);
        acceptor.paces.store(paces);
        acceptor.loads.forget_rates();
        let _ = in_force.send(());
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::Commit { commit, changes } => {
                self.engine.shared.committer.commit_many(commit, changes);
            }
            Effect::Submit { carrier, batch } => {
                self.carriers.get(carrier).submit(batch);
            }
            Effect::Acknowledge { carrier, tokens } => {
                self.carriers.get(carrier).acknowledge(tokens);
            }
            Effect::Decline { carrier, tokens } => self.carriers.get(carrier).decline(tokens),
            Effect::Refill {
                load,
                sender,
                after,
                limit,
            } => self.read(load, move |store| {
                store
                    .queued(sender, after, limit)
                    .map(|messages| Input::Refilled { load, messages })
            }),
            Effect::Expiring {
                load,
                before_ms,
                after,
                limit,
            } => self.read(load, move |store| {
                store
                    .expiring(before_ms, after, limit)
                    .map(|messages| Input::Expiring { load, messages })
            }),
            Effect::Unshelved {
                load,
                sender,
                after,
                limit,
            } => self.read(load, move |store| {
                store
                    .unshelved(sender, after, limit)
                    .map(|ids| Input::Unshelved { load, ids })
            }),
            Effect::Find {
                load,
                keys,
                first,
                to,
                since_ms,
            } => self.read(load, move |store| {
                let found = find_receipted(store, &keys, first, to.as_deref(), since_ms)?;
                Ok(Input::Found { load, found })
            }),
            Effect::Others {
                load,
                account,
                to,
                limit,
            } => self.read(load, move |store| {
                let messages = find_others(store, account, &to, limit)?;
                Ok(Input::Others { load, messages })
            }),
            Effect::CallBack(jobs) => self.engine.shared.webhooks.offer(jobs),
            Effect::Alert(failures) => {
                for failure in &failures {
                    self.alert(failure);
                }
            }
            Effect::Inbound {
                carrier: number,
                inbound,
                ack,
            } => {
                let carrier = self.carriers.get(number).clone();
                // Beyond what we can take at once the carrier is asked to come again.
                let Ok(place) = self.inbound.clone().try_acquire_owned() else {
                    return carrier.decline(vec![ack]);
                };
                let engine = self.engine.clone();
                let name = self.carriers.name(number).clone();
                tokio::spawn(async move {
                    let _place = place;
                    if receive::store(&engine, &name, &inbound).await {
                        carrier.acknowledge(vec![ack]);
                    } else {
                        carrier.decline(vec![ack]);
                    }
                });
            }
            Effect::Retire(carrier) => self.retire(carrier),
            Effect::Health { carrier, health } => {
                let name = self.carriers.name(carrier).clone();
                let readiness = self.engine.readiness();
                readiness.note(carrier, name, health, self.engine.metrics());
            }
        }
    }

    /// Reads the store on the blocking pool and tells dispatch, also of a failure (which is in the
    /// log then): it reads again later.
    fn read(
        &self,
        load: u64,
        read: impl FnOnce(&dyn Store) -> postrider_store::Result<Input> + Send + 'static,
    ) {
        let engine = self.engine.clone();
        let reads = self.reads.clone();
        tokio::spawn(async move {
            let Ok(_permit) = reads.acquire().await else {
                return;
            };
            let store = engine.shared.store.clone();
            let answer = engine.read(move || read(&*store)).await;
            let input = answer.unwrap_or(Input::ReadFailed { load });
            let _ = engine.shared.dispatch.send(input).await;
        });
    }

    /// Tells the customer of a message that failed after its request was answered.
    fn alert(&self, failure: &Failure) {
        let scope = failure.service.map(|service| service.to_string());
        let scope = scope.as_deref().unwrap_or_default();
        let alerts = self.engine.alerting();
        alerts.raise(failure.account, failure.code, scope, || Details {
            level: Some(failure.level),
            resource: Some(failure.message.to_string().into()),
            service: failure.service,
            text: failure.text.clone(),
            ..Details::default()
        });
    }

    /// The carrier is no news any more. A successor of the same name speaks up after this.
    fn retire(&self, carrier: CarrierNo) {
        self.carriers.get(carrier).shut_down(RETIREMENT);
        let name = self.carriers.name(carrier);
        let readiness = self.engine.readiness();
        readiness.forget(carrier, name, self.engine.metrics());
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::message::{Status, StatusSet};
    use postrider_core::sid::Id;
    use postrider_core::testing::message;
    use postrider_store::Change;

    use super::*;
    use crate::dispatch::DispatchLimits;
    use crate::testing::{START_MS, engine};

    #[tokio::test]
    async fn callbacks_that_are_done_as_dispatch_ends_are_written() {
        let test = engine();
        let shared = &test.engine.shared;
        let sent = StatusSet::of(Status::Sent);
        let mut message = message(Id::new(START_MS, 0, 0));
        message.status = Status::Sent;
        message.callbacks_due = sent;
        let done = Input::CallbacksDone(vec![(message.sid.id, sent)]);
        let insert = Change::Insert(Box::new(message));
        shared.store.commit(&[insert]).unwrap();
        let shell = Shell::new(test.engine.clone(), Carriers::new());
        let dispatch = Dispatch::new(
            shared.acceptor.directory.clone(),
            Arc::default(),
            Arc::default(),
            DispatchLimits::default(),
            Arc::default(),
            Arc::default(),
            Vec::new(),
        );
        let (inputs, inbox) = mpsc::channel(1);
        inputs.send(done).await.unwrap();
        shell.last_words(dispatch, inbox).await;
        inputs.send(Input::Timer).await.unwrap_err();
        let store = shared.store.clone();
        test.running.shut_down(Duration::from_secs(5)).await;
        assert_eq!(store.callbacks_due(None, 1).unwrap(), []);
    }
}
