//! Operations on messages, as the API offers them.

use std::sync::Arc;
use std::time::Duration;

use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::idempotency::Repeatable;
use postrider_core::message::{AccountNo, Feedback, FeedbackOutcome, Message, Status, StatusSet};
use postrider_core::privacy::Concealment;
use postrider_core::sender::{AlphaSenderId, SenderAddress, ShortCode};
use postrider_core::settings::Account;
use postrider_core::sid::MessageSid;
use postrider_store::{Applied, Change, Cursor, MessageFilter, Remembered, is_settled};

use crate::accept::{Preview, Reserved};
use crate::alerts::Gone;
use crate::committer::CommitFailed;
use crate::in_hand::Place;
use crate::metrics::RefusalLabel;
use crate::networks::Answer;
use crate::{Engine, accept, lost_task};

/// A message that was created.
#[derive(Clone, Debug)]
pub struct Created {
    pub message: Message,
    /// Its answer says `accepted` and names no sender but one that was asked for, whatever has been
    /// decided already.
    pub through_service: bool,
    /// The sender that the request named beside the service.
    pub named_sender: Option<SenderAddress>,
}

impl Created {
    fn new(message: Message, request: &CreateMessage) -> Self {
        let through_service = message.service.is_some();
        let named_sender = request
            .from
            .as_deref()
            .filter(|_| through_service)
            .and_then(|from| accept::read_from(from).ok());
        Self {
            message,
            through_service,
            named_sender,
        }
    }

    /// What was told of a message when it was created, by the request that created it.
    pub(crate) fn again(
        account: &Account,
        request: &CreateMessage,
        sid: MessageSid,
    ) -> Result<Self, Fault> {
        let message = accept::first_message(account, request, sid)?;
        Ok(Self::new(message, request))
    }
}

impl Engine {
    /// Creates a message. When this returns, it is durable.
    pub async fn create_message(
        &self,
        account: &Arc<Account>,
        request: CreateMessage,
    ) -> Result<Created, Fault> {
        self.create(account, request, None).await
    }

    /// The same; with a key, the request is remembered in the same transaction.
    pub(crate) async fn create(
        &self,
        account: &Arc<Account>,
        request: CreateMessage,
        repeatable: Option<Repeatable>,
    ) -> Result<Created, Fault> {
        let created = self.try_create(account, request, repeatable).await;
        let metrics = self.metrics();
        match &created {
            Ok(_) => drop(metrics.accepted.inc()),
            Err(fault) => drop(
                metrics
                    .refused
                    .get_or_create(&RefusalLabel {
                        code: fault.code.code(),
                        result: fault.code.title(),
                    })
                    .inc(),
            ),
        }
        created
    }

    /// What [`Engine::create_message`] would make of a request, to a recipient of the network that the
    /// request supposes or a lookup tells. Changes nothing.
    pub async fn preview(
        &self,
        account: &Account,
        request: &CreateMessage,
    ) -> Result<Preview, Fault> {
        let acceptor = &self.shared.acceptor;
        let network = match request.recipient_network {
            Some(network) => Some(Answer::supposed(network, self.now_ms())),
            None => acceptor.look_up(account, request).await,
        };
        let scheduled = match request.send_at {
            Some(_) => self.scheduled().await?.of(account.no),
            None => 0,
        };
        let preview = acceptor.preview(account, request, scheduled, network)?;
        if self.unknown_alpha_sender(account, request).is_some() {
            self.check_room_for_alpha(account)?;
        }
        Ok(preview)
    }

    async fn try_create(
        &self,
        account: &Arc<Account>,
        mut request: CreateMessage,
        repeatable: Option<Repeatable>,
    ) -> Result<Created, Fault> {
        let place = self.place_of(account)?;
        self.check_room()?;
        let acceptor = &self.shared.acceptor;
        // One to be sent later is looked up then.
        if request.send_at.is_none() {
            let answer = acceptor.look_up(account, &request).await;
            request.recipient_network = answer.and_then(|answer| answer.network());
        }
        let request = &request;
        let message = if request.send_at.is_some() {
            let scheduled = self.scheduled().await?;
            scheduled.admit(account.no, |waiting| {
                acceptor.prepare(account, request, waiting, None)
            })?
        } else {
            self.prepare_now(account, request).await?
        };
        // From here to the commit nothing waits: a client that hangs up can't leave a place taken.
        let insert = Change::Insert(Box::new(message.clone().kept()));
        let committed = match repeatable {
            None => self.commit(place, insert).await.map(drop),
            Some(request) => {
                let remember = Change::Remember(Remembered {
                    account: account.no,
                    request,
                    message: message.sid,
                });
                self.commit_all(place, vec![insert, remember]).await
            }
        };
        if let Err(fault) = committed {
            // The store is gone and the process about to stop: what was counted goes with it.
            acceptor.abandon(&message);
            return Err(fault);
        }
        if message.status == Status::Scheduled {
            self.shared.schedule_changed.notify_one();
        }
        Ok(Created::new(message, request))
    }

    /// What a request becomes that asks for no later time, to be committed by the caller or abandoned.
    pub(crate) async fn draw_up(
        &self,
        account: &Arc<Account>,
        mut request: CreateMessage,
    ) -> Result<Message, Fault> {
        let answer = self.shared.acceptor.look_up(account, &request).await;
        request.recipient_network = answer.and_then(|answer| answer.network());
        self.prepare_now(account, &request).await
    }

    async fn prepare_now(
        &self,
        account: &Arc<Account>,
        request: &CreateMessage,
    ) -> Result<Message, Fault> {
        match self.unknown_alpha_sender(account, request) {
            Some(sender) => self.introduce(account, request, sender).await,
            None => self.shared.acceptor.prepare(account, request, 0, None),
        }
    }

    /// A place in the backlog of the committer. An account and its subaccounts have half of them, so
    /// that no customer fills it for all the others. Requests in flight are limited before, but not
    /// those whose clients have hung up.
    fn place_of(&self, account: &Account) -> Result<Place, Fault> {
        let parent = account.parent;
        let parent = parent.and_then(|parent| self.directory().account(parent));
        let main = parent.map_or(account.no, |parent| parent.no);
        let max = self.limits().commit_backlog_max.div_ceil(2);
        self.shared.waiting.take(main, max).ok_or_else(|| {
            let text = "This account has more requests than the disk can take; try again shortly";
            Fault::because(ErrorCode::TooManyRequests, text)
        })
    }

    fn place_of_no(&self, account: AccountNo) -> Result<Place, Fault> {
        let account = self.directory().account_by_no(account);
        self.place_of(&*account.ok_or(ErrorCode::NotFound)?)
    }

    fn check_room(&self) -> Result<(), Fault> {
        if self.shared.committer.backlog() > self.limits().commit_backlog_max {
            let text = "The server has more requests than its disk can take; try again shortly";
            return Err(Fault::because(ErrorCode::Unavailable, text));
        }
        self.shared.store.room().map_err(|error| {
            tracing::warn!(%error, "a message is refused");
            Fault::because(ErrorCode::Unavailable, "The server's disk is full")
        })
    }

    /// The alpha sender that the request names and the account has not used before.
    fn unknown_alpha_sender(
        &self,
        account: &Account,
        request: &CreateMessage,
    ) -> Option<SenderAddress> {
        let from = request.from.as_deref()?;
        let is_number = from.starts_with('+') || ShortCode::parse(from).is_some();
        if request.messaging_service.is_some() || is_number {
            return None;
        }
        let address = SenderAddress::Alpha(AlphaSenderId::parse_new(from)?);
        let is_known = self.directory().sender_no(account.sid, &address).is_some();
        (!is_known).then_some(address)
    }

    /// An alpha sender needs no registration to be named; its queue is made with its first message.
    /// Queues are for ever, so a request that is refused makes none, and an account has only so many.
    async fn introduce(
        &self,
        account: &Arc<Account>,
        request: &CreateMessage,
        sender: SenderAddress,
    ) -> Result<Message, Fault> {
        // Nobody else takes the number meanwhile.
        let lock = self.settings_lock().await;
        let mut changes = Vec::new();
        let no = self.sender_for(account.sid, sender, None, &mut changes);
        let acceptor = &self.shared.acceptor;
        // Without a service nothing is scheduled, so it does not matter how much is.
        let message = acceptor.prepare(account, request, 0, Some(no))?;
        // Also given back when the client hangs up before the sender is known.
        let reserved = Reserved::new(acceptor, message);
        if !changes.is_empty() {
            self.check_room_for_alpha(account)?;
            self.write_settings(lock, changes).await?;
        }
        Ok(reserved.keep())
    }

    fn check_room_for_alpha(&self, account: &Account) -> Result<(), Fault> {
        let max = self.limits().alpha_senders_max;
        if self.directory().alpha_senders(account.sid) < max {
            return Ok(());
        }
        let text = format!(
            "This account has sent from {max} alphanumeric senders, the most there may be; use one of \
             them, or a Messaging Service that has it in its pool"
        );
        Err(Fault::because(ErrorCode::InvalidFrom, text))
    }

    /// The account's message with this SID, as long as it is kept.
    pub async fn message(&self, account: AccountNo, sid: MessageSid) -> Result<Message, Fault> {
        let message = self.record(account, sid).await?;
        if !self.is_kept(&message) {
            return Err(not_found(sid));
        }
        Ok(message)
    }

    async fn record(&self, account: AccountNo, sid: MessageSid) -> Result<Message, Fault> {
        let store = self.shared.store.clone();
        let message = self.read(move || store.message(sid.id)).await?;
        message
            .filter(|message| message.sid == sid && message.account == account)
            .ok_or_else(|| not_found(sid))
    }

    pub async fn messages(
        &self,
        mut filter: MessageFilter,
        cursor: Cursor,
        limit: usize,
    ) -> Result<Vec<Message>, Fault> {
        filter.settled_from_ms = filter.account.map(|account| self.kept_from_ms(account));
        let store = self.shared.store.clone();
        self.read(move || store.list(&filter, cursor, limit)).await
    }

    /// Withdraws a scheduled message.
    pub async fn cancel_message(
        &self,
        account: AccountNo,
        sid: MessageSid,
    ) -> Result<Message, Fault> {
        let engine = self.clone();
        // Its count and its callback follow the commit also when the client hangs up meanwhile.
        let canceled = tokio::spawn(async move { engine.cancel(account, sid).await });
        canceled
            .await
            .unwrap_or_else(|error| Err(lost_task::fault("canceling a message", &error)))
    }

    async fn cancel(&self, account: AccountNo, sid: MessageSid) -> Result<Message, Fault> {
        let scheduled = self.scheduled().await?;
        let message = self.message(account, sid).await?;
        let callbacks_due = match message.status_callback {
            Some(_) => StatusSet::of(Status::Canceled),
            None => StatusSet::EMPTY,
        };
        let change = Change::Cancel {
            id: sid.id,
            at_ms: self.now_ms(),
            callbacks_due,
            concealment: Concealment::at(&message, Status::Canceled),
        };
        let place = self.place_of_no(account)?;
        let canceling = scheduled.canceling().await;
        let applied = self.commit(place, change).await?;
        drop(canceling);
        match applied {
            Applied::Yes => scheduled.left(account),
            Applied::Stale => {
                let text = format!(
                    "Message {sid} can't be canceled: it is {}",
                    message.status.as_str()
                );
                return Err(Fault::because(ErrorCode::NotCancelable, text));
            }
            Applied::Missing => return Err(not_found(sid)),
        }
        self.metrics().count_status(Status::Canceled);
        // Now that it is settled, it may be too old to be kept.
        let message = self.record(account, sid).await?;
        self.call_back_now(&message);
        Ok(message)
    }

    /// Empties the body of a message that needs it no more.
    pub async fn redact_message(
        &self,
        account: AccountNo,
        sid: MessageSid,
    ) -> Result<Message, Fault> {
        let engine = self.clone();
        // Its alerts and its record change together, also when the client hangs up in between.
        let redacted = tokio::spawn(async move { engine.redact(account, sid).await });
        redacted
            .await
            .unwrap_or_else(|error| Err(lost_task::fault("redacting a message", &error)))
    }

    async fn redact(&self, account: AccountNo, sid: MessageSid) -> Result<Message, Fault> {
        let on_its_way = || {
            let text = format!("Message {sid} is still on its way; its body is needed");
            Fault::because(ErrorCode::NotDeletableYet, text)
        };
        let message = self.message(account, sid).await?;
        if !is_settled(message.status) {
            return Err(on_its_way());
        }
        let change = Change::Redact {
            id: sid.id,
            at_ms: self.now_ms(),
        };
        let place = self.place_of_no(account)?;
        let concealed = self.conceal_alerts(account, sid, Gone::Body).await?;
        let applied = self.commit(place, change).await?;
        drop(concealed);
        match applied {
            Applied::Yes => self.message(account, sid).await,
            Applied::Stale => Err(on_its_way()),
            Applied::Missing => Err(not_found(sid)),
        }
    }

    /// Keeps what the customer tells of the recipient's reaction. Nothing is decided by it.
    pub async fn keep_feedback(
        &self,
        account: AccountNo,
        sid: MessageSid,
        outcome: FeedbackOutcome,
    ) -> Result<Feedback, Fault> {
        self.message(account, sid).await?;
        let feedback = Feedback {
            outcome,
            at_ms: self.now_ms(),
        };
        let id = sid.id;
        let change = Change::Feedback { id, feedback };
        match self.commit(self.place_of_no(account)?, change).await? {
            Applied::Yes => Ok(feedback),
            Applied::Stale => {
                let text = format!("Message {sid} is scheduled; nobody has got it yet");
                Err(Fault::because(ErrorCode::Conflict, text))
            }
            Applied::Missing => Err(not_found(sid)),
        }
    }

    /// Forgets a message that is not in flight.
    pub async fn delete_message(&self, account: AccountNo, sid: MessageSid) -> Result<(), Fault> {
        let engine = self.clone();
        let deleted = tokio::spawn(async move { engine.delete(account, sid).await });
        deleted
            .await
            .unwrap_or_else(|error| Err(lost_task::fault("deleting a message", &error)))
    }

    async fn delete(&self, account: AccountNo, sid: MessageSid) -> Result<(), Fault> {
        let on_its_way = || {
            let text = format!("Message {sid} is still on its way and can't be deleted yet");
            Fault::because(ErrorCode::NotDeletableYet, text)
        };
        let message = self.message(account, sid).await?;
        if !is_settled(message.status) {
            return Err(on_its_way());
        }
        let place = self.place_of_no(account)?;
        let concealed = self.conceal_alerts(account, sid, Gone::All).await?;
        let change = Change::Delete { id: sid.id };
        let applied = self.commit(place, change).await?;
        drop(concealed);
        match applied {
            Applied::Yes => Ok(()),
            Applied::Stale => Err(on_its_way()),
            Applied::Missing => Err(not_found(sid)),
        }
    }

    async fn commit(&self, place: Place, change: Change) -> Result<Applied, Fault> {
        self.timed(self.shared.committer.commit_in(place, change))
            .await
    }

    async fn commit_all(&self, place: Place, changes: Vec<Change>) -> Result<(), Fault> {
        self.timed(self.shared.committer.commit_all_in(place, changes))
            .await
            .map(drop)
    }

    async fn timed<T>(
        &self,
        commit: impl Future<Output = Result<T, CommitFailed>>,
    ) -> Result<T, Fault> {
        let started_ms = self.now_ms();
        let applied = commit.await;
        let applied = applied.map_err(|_| Fault::new(ErrorCode::Unavailable))?;
        let waited_ms = u64::try_from(self.now_ms() - started_ms).unwrap_or(0);
        let waited = Duration::from_millis(waited_ms);
        let histogram = &self.metrics().commit_duration_seconds;
        histogram.observe(waited.as_secs_f64());
        Ok(applied)
    }
}

fn not_found(sid: MessageSid) -> Fault {
    Fault::because(
        ErrorCode::NotFound,
        format!("The requested message {sid} was not found"),
    )
}

#[cfg(test)]
mod tests {
    use postrider_core::settings::{Document, Sender};
    use postrider_store::DocumentChange;
    use postrider_store::memory::MemoryStore;

    use super::*;
    use crate::testing::{engine, engine_with};

    fn from(alpha: &str) -> CreateMessage {
        CreateMessage {
            to: Some("+447911123456".to_owned()),
            from: Some(alpha.to_owned()),
            body: Some("Hi".to_owned()),
            ..CreateMessage::default()
        }
    }

    #[tokio::test]
    async fn an_account_has_only_half_of_the_backlog() {
        let test = engine_with(Arc::new(MemoryStore::new()), |setup| {
            setup.limits.commit_backlog_max = 4;
        });
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (main, _) = main.unwrap();
        let child = engine.create_account(main.sid, None).await.unwrap();
        let other = engine.create_main_account(None, None, "Other").await;
        let (other, _) = other.unwrap();
        let code_of = async |account: &Arc<Account>| {
            let created = engine.create_message(account, from("Shop")).await;
            created.err().map(|fault| fault.code)
        };
        // As if their clients had hung up.
        let waiting = [&main, &child].map(|account| engine.place_of(account).unwrap());
        for account in [&main, &child] {
            assert_eq!(code_of(account).await, Some(ErrorCode::TooManyRequests));
        }
        assert_eq!(code_of(&other).await, None);
        drop(waiting);
        for account in [&main, &child] {
            assert_eq!(code_of(account).await, None);
        }
    }

    #[tokio::test]
    async fn an_account_has_only_so_many_alpha_senders() {
        let test = engine();
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (main, _) = main.unwrap();
        let other = engine.create_account(main.sid, None).await.unwrap();
        let max = engine.limits().alpha_senders_max;
        let sender = |i: usize| {
            let id = AlphaSenderId::parse(&format!("Shop {i}")).unwrap();
            DocumentChange::Put(Document::Sender(Sender {
                no: postrider_core::message::SenderNo(u32::try_from(i).unwrap()),
                account: main.sid,
                address: SenderAddress::Alpha(id),
                country: None,
            }))
        };
        let lock = engine.settings_lock().await;
        let senders = (1..max).map(sender).collect();
        engine.write_settings(lock, senders).await.unwrap();
        // Columns: account, sender, whether it is refused.
        for (account, alpha, is_refused) in [
            (&main, "Last", false),
            (&main, "Too many", true),
            (&main, "Last", false),
            (&main, "Shop 1", false),
            (&other, "Too many", false),
        ] {
            let created = engine.create_message(account, from(alpha)).await;
            let code = created.err().map(|fault| fault.code);
            let refusal = is_refused.then_some(ErrorCode::InvalidFrom);
            assert_eq!(code, refusal, "{alpha}");
        }
    }
}
