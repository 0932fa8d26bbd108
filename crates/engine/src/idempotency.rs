//! Create requests with an idempotency key: the first one creates, the others get its answer.
//!
//! Of two that are in flight together the second waits for its turn ([`Turn`]); what was done before is
//! in the store. A message's request is remembered in the message's own transaction
//! ([`Engine::create_message_once`]), any other's answer in that of the settings it made
//! ([`Engine::begin`]). One key is for one request whatever it creates, so each looks for both.

use std::sync::Arc;

use parking_lot::Mutex;
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::idempotency::{Fingerprint, KeyHash, Repeatable, remembered_since_ms};
use postrider_core::message::AccountNo;
use postrider_core::settings::Account;
use postrider_store::{GivenAnswer, Remembered};
use rustc_hash::FxHashMap;
use tokio::sync::OwnedMutexGuard;

use crate::messages::Created;
use crate::settings_draft::SettingsDraft;
use crate::{Engine, lost_task};

/// Answers remembered at once for a main account and its subaccounts together. They are some kilobytes
/// each; no honest client creates so many senders and services in a day.
const ANSWERS_MAX: u64 = 50_000;

/// So many are forgotten in one transaction, for which other writes of settings wait.
const FORGOTTEN_AT_ONCE: usize = 1_000;

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

/// What was created with a key.
enum Earlier {
    Message(Remembered),
    Other(GivenAnswer),
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
    draft: Arc<SettingsDraft>,
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
        match self.earlier(account, repeatable.key).await? {
            None => {
                let created = self.create(account, request, Some(repeatable)).await?;
                Ok(Once::Done(created))
            }
            Some(Earlier::Message(first)) => {
                check(first.request.fingerprint, repeatable)?;
                let created = Created::again(account, &request, first.message)?;
                Ok(Once::Repeated(created))
            }
            Some(Earlier::Other(_)) => Err(other_request()),
        }
    }
}

/// Everything else.
impl Engine {
    async fn turn(&self, account: &Account, key: KeyHash) -> Turn {
        self.shared.turns.take(account.no, key).await
    }

    /// How many answers are remembered for the account's main account.
    fn answers_of(&self, account: &Account) -> u64 {
        self.shared.answers.of(self.directory(), account.no)
    }

    /// What is remembered under this key.
    async fn earlier(&self, account: &Account, key: KeyHash) -> Result<Option<Earlier>, Fault> {
        // Most clients give keys to messages only, which then cost no look among the others.
        let has_answers = self.answers_of(account) > 0;
        let (store, account) = (self.shared.store.clone(), account.no);
        let since_ms = remembered_since_ms(self.now_ms());
        let earlier = self.read(move || {
            if has_answers && let Some(answer) = store.answers().find(account, key, since_ms)? {
                return Ok(Some(Earlier::Other(answer)));
            }
            let message = store.remembered(account, key, since_ms)?;
            Ok(message.map(Earlier::Message))
        });
        earlier.await
    }

    /// Begins a request with a key, unless it was answered before.
    pub async fn begin(&self, account: &Arc<Account>, request: Repeatable) -> Result<Begun, Fault> {
        let turn = self.turn(account, request.key).await;
        match self.earlier(account, request.key).await? {
            None => {}
            Some(Earlier::Other(first)) => {
                check(first.request.fingerprint, request)?;
                let body = self.directory().vault().open(&first.body_sealed);
                let body = body.map_err(|error| {
                    tracing::error!(%error, "a remembered answer can't be read");
                    Fault::new(ErrorCode::InternalError)
                })?;
                return Ok(Begun::Repeated(first.status, body));
            }
            Some(Earlier::Message(_)) => return Err(other_request()),
        }
        if self.answers_of(account) >= ANSWERS_MAX {
            let text = format!(
                "This account and its subaccounts have created {ANSWERS_MAX} resources with idempotency \
                 keys within a day, the most that are remembered; leave the key away or try again later"
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
        let before_ms = remembered_since_ms(self.now_ms());
        loop {
            let store = self.shared.store.clone();
            let forget = move || store.answers().forget(before_ms, FORGOTTEN_AT_ONCE);
            let gone = self.write(forget).await?;
            if gone.is_empty() {
                return Ok(());
            }
            for account in gone {
                self.shared.answers.one_less(self.directory(), account);
            }
        }
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
        let (lock, changes) = draft.take();
        drop(draft);
        let answer = answer.map(|(status, body)| {
            let mut nonce = [0; 12];
            engine.ids().fill(&mut nonce);
            GivenAnswer {
                account: account.no,
                request,
                status,
                body_sealed: engine.directory().vault().seal(body, nonce),
                at_ms: engine.now_ms(),
            }
        });
        if changes.is_empty() && answer.is_none() {
            return Ok(());
        }
        let held = (lock, turn);
        engine.commit_settings(held, changes, answer).await
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::message::SenderNo;
    use postrider_core::sender_rate::SenderRate;
    use postrider_store::Store;
    use postrider_store::memory::MemoryStore;

    use super::*;
    use crate::loads::QueueBound;
    use crate::testing::engine_over;

    fn request(key: u8) -> Repeatable {
        Repeatable {
            key: KeyHash([key; 16]),
            fingerprint: Fingerprint([key; 16]),
        }
    }

    #[tokio::test]
    async fn a_turn_is_waited_for_and_leaves_nothing_behind() {
        use futures_util::FutureExt as _;
        let turns = Arc::new(Turns::default());
        let take = |account, key| turns.take(AccountNo(account), KeyHash([key; 16]));
        let first = take(1, 1).await;
        // Others have their own.
        drop((take(1, 2).await, take(2, 1).await));
        let mut second = Box::pin(take(1, 1));
        assert!((&mut second).now_or_never().is_none());
        // A client that hangs up is no longer waited for.
        let mut third = Box::pin(take(1, 1));
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        let second = second.await;
        drop(third);
        assert_eq!(turns.0.lock().len(), 1);
        assert!(take(1, 1).now_or_never().is_none());
        drop(second);
        assert!(turns.0.lock().is_empty());
    }

    /// Carries out a request that changes nothing itself and is to be remembered.
    async fn remember(engine: &Engine, account: &Arc<Account>, key: u8) {
        let Begun::First(first) = engine.begin(account, request(key)).await.unwrap() else {
            panic!("it was never answered");
        };
        first.finish(Some((201, "secret"))).await.unwrap();
    }

    #[tokio::test]
    async fn answers_are_sealed_and_swept_when_they_are_a_day_old() {
        let store = Arc::new(MemoryStore::new());
        let test = engine_over(store.clone());
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (main, _) = main.unwrap();
        let child = engine.create_account(main.sid, None).await.unwrap();
        let kept = |account: &Account, key| {
            let found = store.answers().find(account.no, request(key).key, 0);
            found.unwrap()
        };
        remember(engine, &main, 1).await;
        remember(engine, &child, 1).await;
        test.clock
            .advance(postrider_core::idempotency::REMEMBERED_MS - 1);
        remember(engine, &main, 2).await;
        for (account, key) in [(&main, 1), (&child, 1), (&main, 2)] {
            let answer = kept(account, key).unwrap();
            assert!(!answer.body_sealed.contains("secret"));
        }
        engine.forget_answers().await.unwrap();
        assert_eq!(engine.answers_of(&child), 3);
        test.clock.advance(1);
        engine.forget_answers().await.unwrap();
        assert_eq!((kept(&main, 1), kept(&child, 1)), (None, None));
        assert_eq!(engine.answers_of(&main), 1);
        let repeated = engine.begin(&main, request(2)).await.unwrap();
        assert!(matches!(repeated, Begun::Repeated(201, body) if body == "secret"));
    }

    #[tokio::test]
    async fn an_answer_alone_is_no_change_of_settings() {
        let test = engine_over(Arc::new(MemoryStore::new()));
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (main, _) = main.unwrap();
        let sender = SenderNo(1);
        let bound = QueueBound {
            rate: SenderRate::UNLIMITED,
            queue_ms: 0,
        };
        let loads = &engine.shared.acceptor.loads;
        let is_known = || {
            let mut is_known = true;
            let find = || {
                is_known = false;
                bound
            };
            loads.with(|table| table.bound(sender, find));
            is_known
        };
        is_known();
        remember(engine, &main, 1).await;
        assert!(is_known());
        engine.forget_answers().await.unwrap();
        assert!(is_known());
        engine.create_service(main.sid, |_| {}).await.unwrap();
        assert!(!is_known());
    }

    #[tokio::test]
    async fn nobody_sees_a_draft_and_one_that_is_dropped_has_done_nothing() {
        let test = engine_over(Arc::new(MemoryStore::new()));
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (main, _) = main.unwrap();
        let Begun::First(first) = engine.begin(&main, request(1)).await.unwrap() else {
            panic!("it was never answered");
        };
        let draft = first.engine();
        let service = draft.create_service(main.sid, |_| {}).await.unwrap();
        // It goes on from what it did.
        draft.update_service(service.sid, |_| {}).await.unwrap();
        assert!(engine.directory().service(service.sid).is_none());
        drop((first, draft));
        // Others may write again.
        engine.create_service(main.sid, |_| {}).await.unwrap();
        assert_eq!(engine.directory().services_of(main.sid).len(), 1);
    }

    #[tokio::test]
    async fn an_account_has_only_so_many_answers_remembered() {
        let store = Arc::new(MemoryStore::new());
        let test = engine_over(store.clone());
        let main = test.engine.create_main_account(None, None, "Main").await;
        let (main, _) = main.unwrap();
        let child = test.engine.create_account(main.sid, None).await;
        let child = child.unwrap();
        for index in 0..ANSWERS_MAX - 1 {
            let answer = GivenAnswer {
                account: if index % 2 == 0 { main.no } else { child.no },
                request: Repeatable {
                    key: KeyHash((u128::from(index) + (1 << 127)).to_be_bytes()),
                    fingerprint: Fingerprint([0; 16]),
                },
                status: 201,
                body_sealed: String::new(),
                at_ms: test.engine.now_ms(),
            };
            store.commit_documents(&[], Some(&answer)).unwrap();
        }
        // Counted once, and then as they come and go.
        let test = engine_over(store);
        let engine = &test.engine;
        remember(engine, &child, 1).await;
        for account in [&main, &child] {
            let refused = engine.begin(account, request(2)).await.err().unwrap();
            assert_eq!(refused.code, ErrorCode::TooManyRequests);
            // What is remembered is answered all the same.
            let again = engine.begin(&child, request(1)).await.unwrap();
            assert!(matches!(again, Begun::Repeated(201, _)));
        }
        let other = engine.create_main_account(None, None, "Other").await;
        remember(engine, &other.unwrap().0, 2).await;
        test.clock
            .advance(postrider_core::idempotency::REMEMBERED_MS);
        engine.forget_answers().await.unwrap();
        remember(engine, &main, 2).await;
        assert_eq!(engine.answers_of(&main), 1);
    }
}
