//! Create requests with an idempotency key: the first one creates, the others get its answer.
//!
//! Of two that are in flight together the second waits for its turn ([`Turn`]); what was done before is
//! in the store. A message's request is remembered in the message's own transaction
//! ([`Engine::create_message_once`]), any other's answer in that of the settings it made
//! ([`Engine::begin`]). One key is for one request whatever it creates, so each looks at both.

use std::sync::Arc;

use parking_lot::Mutex;
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::idempotency::{Fingerprint, KeyHash, Repeatable, remembered_since_ms};
use postrider_core::message::AccountNo;
use postrider_core::settings::{Account, Document, GivenAnswer};
use postrider_core::sid::MessageSid;
use postrider_store::DocumentChange;
use rustc_hash::FxHashMap;
use tokio::sync::OwnedMutexGuard;

use crate::draft::Draft;
use crate::messages::Created;
use crate::{Engine, lost_task};

/// Answers remembered for an account at once. They are in memory, some kilobytes each; no honest client
/// creates so many senders and services in a day.
const ANSWERS_MAX: usize = 50_000;

/// Which requests with a key are in flight.
#[derive(Default)]
pub(crate) struct Turns(Mutex<FxHashMap<(AccountNo, KeyHash), Queue>>);

/// Those who want one key's turn.
#[derive(Default)]
struct Queue {
    lock: Arc<tokio::sync::Mutex<()>>,
    len: usize,
}

/// The right to work on an account's key. Whoever holds it finds finished whatever others began.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    key: (AccountNo, KeyHash),
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    async fn take(self: &Arc<Self>, account: AccountNo, key: KeyHash) -> Turn {
        let key = (account, key);
        let lock = {
            let mut queues = self.0.lock();
            let queue = queues.entry(key).or_default();
            queue.len += 1;
            queue.lock.clone()
        };
        // Leaves the queue also when its client hangs up while it waits.
        let mut turn = Turn {
            turns: self.clone(),
            key,
            guard: None,
        };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut queues = self.turns.0.lock();
        if let Some(queue) = queues.get_mut(&self.key) {
            queue.len -= 1;
            if queue.len == 0 {
                queues.remove(&self.key);
            }
        }
    }
}

/// What a request with a key is answered.
#[derive(Debug)]
pub enum Once<T> {
    /// It was the first.
    Done(T),
    /// The first one's answer, again.
    Repeated(T),
}

/// A request with a key that may change settings.
pub enum Begun {
    /// It is the first: to be carried out.
    First(First),
    /// The status and body of the answer that the first one got.
    Repeated(u16, String),
}

/// A request that is carried out, on [`First::engine`]. Its changes are seen by itself alone until
/// [`First::finish`] commits them; dropped, it has done nothing.
pub struct First {
    /// Held until all is written.
    turn: Turn,
    engine: Engine,
    draft: Arc<Draft>,
    account: Arc<Account>,
    request: Repeatable,
}

/// Of a key that was used for another request.
fn other_request() -> Fault {
    let text = "This idempotency key was used for another request within the last 24 hours; \
                give each request a key of its own";
    Fault::because(ErrorCode::Conflict, text)
}

fn check(first: Fingerprint, request: Repeatable) -> Result<(), Fault> {
    if first == request.fingerprint {
        Ok(())
    } else {
        Err(other_request())
    }
}

/// Messages.
impl Engine {
    /// Creates a message, unless a request with this key has done so: then that one's answer is given
    /// again. It goes to its end also when the client hangs up, so that the next one finds it.
    pub async fn create_message_once(
        &self,
        account: &Arc<Account>,
        request: CreateMessage,
        repeatable: Repeatable,
    ) -> Result<Once<Created>, Fault> {
        let turn = self.turn(account, repeatable.key).await;
        let (engine, account) = (self.clone(), account.clone());
        let created = tokio::spawn(async move {
            let _turn = turn;
            engine.create_or_repeat(&account, request, repeatable).await
        });
        created
            .await
            .unwrap_or_else(|error| Err(lost_task::fault("creating a message", &error)))
    }

    async fn create_or_repeat(
        &self,
        account: &Arc<Account>,
        request: CreateMessage,
        repeatable: Repeatable,
    ) -> Result<Once<Created>, Fault> {
        if self.answer_to(account, repeatable.key).is_some() {
            return Err(other_request());
        }
        let Some((first, sid)) = self.remembered_message(account, repeatable.key).await? else {
            let created = self.create(account, request, Some(repeatable)).await?;
            return Ok(Once::Done(created));
        };
        check(first, repeatable)?;
        let created = Created::again(account, &request, sid)?;
        Ok(Once::Repeated(created))
    }

    /// The message that was made with this key, and by which request.
    async fn remembered_message(
        &self,
        account: &Account,
        key: KeyHash,
    ) -> Result<Option<(Fingerprint, MessageSid)>, Fault> {
        let (store, account) = (self.shared.store.clone(), account.no);
        let since_ms = remembered_since_ms(self.now_ms());
        let remembered = self.read(move || store.remembered(account, key, since_ms));
        let remembered = remembered.await?;
        Ok(remembered.map(|first| (first.request.fingerprint, first.message)))
    }
}

/// Everything else.
impl Engine {
    async fn turn(&self, account: &Account, key: KeyHash) -> Turn {
        self.shared.turns.take(account.no, key).await
    }

    /// The answer that is remembered under this key.
    fn answer_to(&self, account: &Account, key: KeyHash) -> Option<Arc<GivenAnswer>> {
        let since_ms = remembered_since_ms(self.now_ms());
        let answer = self.directory().answer(account.sid, key);
        answer.filter(|answer| answer.at_ms >= since_ms)
    }

    /// Begins a request with a key, unless it was answered before.
    pub async fn begin(&self, account: &Arc<Account>, request: Repeatable) -> Result<Begun, Fault> {
        let turn = self.turn(account, request.key).await;
        if let Some(answer) = self.answer_to(account, request.key) {
            check(answer.fingerprint, request)?;
            let body = self.directory().vault().open(&answer.body_sealed);
            let body = body.map_err(|error| {
                tracing::error!(%error, "a remembered answer can't be read");
                Fault::new(ErrorCode::InternalError)
            })?;
            return Ok(Begun::Repeated(answer.status, body));
        }
        if let Some((first, _)) = self.remembered_message(account, request.key).await? {
            check(first, request)?;
        }
        if self.directory().answers_of(account.sid) >= ANSWERS_MAX {
            let text = format!(
                "This account has created {ANSWERS_MAX} resources with idempotency keys within a day, \
                 the most that are remembered; leave the key away or try again later"
            );
            return Err(Fault::because(ErrorCode::TooManyRequests, text));
        }
        Ok(Begun::First(First {
            turn,
            engine: self.clone(),
            draft: Arc::default(),
            account: account.clone(),
            request,
        }))
    }

    /// Drops answers that nobody can ask for any more.
    pub(crate) async fn forget_answers(&self) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let since_ms = remembered_since_ms(self.now_ms());
        let old = self.directory().answers_before(since_ms);
        let old: Vec<_> = old.into_iter().map(DocumentChange::Delete).collect();
        if old.is_empty() {
            return Ok(());
        }
        self.write_settings(lock, old).await
    }
}

impl First {
    /// What the request is to be carried out on.
    pub fn engine(&self) -> Engine {
        Engine {
            draft: Some(self.draft.clone()),
            ..self.engine.clone()
        }
    }

    /// Makes what the request has changed durable and lets it take effect, together with the answer if
    /// that is to be remembered. It goes to its end also when the client hangs up.
    pub async fn finish(self, answer: Option<(u16, &str)>) -> Result<(), Fault> {
        let Self {
            turn,
            engine,
            draft,
            account,
            request,
        } = self;
        let (lock, mut changes) = draft.take();
        if let Some((status, body)) = answer {
            let mut nonce = [0; 12];
            engine.ids().fill(&mut nonce);
            changes.push(DocumentChange::Put(Document::Answer(GivenAnswer {
                account: account.sid,
                key: request.key,
                fingerprint: request.fingerprint,
                status,
                body_sealed: engine.directory().vault().seal(body, nonce),
                at_ms: engine.now_ms(),
            })));
        }
        if changes.is_empty() {
            return Ok(());
        }
        let lock = match lock {
            Some(lock) => lock,
            None => engine.settings_lock().await,
        };
        let written = tokio::spawn(async move {
            let _turn = turn;
            engine.write_settings(lock, changes).await
        });
        written
            .await
            .unwrap_or_else(|error| Err(lost_task::fault("a write of settings", &error)))
    }
}
