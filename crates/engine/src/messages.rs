//! Operations on messages, as the API offers them.

use std::sync::Arc;

use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::{AccountNo, Message, Status, StatusSet};
use postrider_core::sender::{AlphaSenderId, SenderAddress, ShortCode};
use postrider_core::settings::Account;
use postrider_core::sid::MessageSid;
use postrider_store::{Applied, Change, Cursor, MessageFilter};

use crate::{Engine, runtime};

/// A message that was created.
#[derive(Clone, Debug)]
pub struct Created {
    pub message: Message,
    /// Its answer says `accepted` and names no sender, whatever has been decided already.
    pub through_service: bool,
}

impl Engine {
    /// Creates a message. When this returns, it is durable.
    pub async fn create_message(
        &self,
        account: &Arc<Account>,
        request: CreateMessage,
    ) -> Result<Created, Fault> {
        let created = self.try_create(account, &request).await;
        let metrics = self.metrics();
        match &created {
            Ok(_) => drop(metrics.accepted.inc()),
            Err(fault) => drop(
                metrics
                    .refused
                    .get_or_create(&runtime::result_label(fault))
                    .inc(),
            ),
        }
        created
    }

    async fn try_create(
        &self,
        account: &Arc<Account>,
        request: &CreateMessage,
    ) -> Result<Created, Fault> {
        self.check_room()?;
        self.know_alpha_sender(account, request).await?;
        let acceptor = &self.shared.acceptor;
        let scheduled = self.scheduled_count(account.no, request).await?;
        let message = acceptor.prepare(account, request, scheduled)?;
        let insert = Change::Insert(Box::new(message.clone()));
        if self.shared.committer.commit(insert).await.is_err() {
            acceptor.abandon(&message);
            return Err(ErrorCode::Unavailable.into());
        }
        if message.status == Status::Scheduled {
            self.shared.schedule_changed.notify_one();
        }
        let through_service = message.service.is_some();
        Ok(Created {
            message,
            through_service,
        })
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

    /// An alpha sender needs no registration to be named; its queue is made on first use.
    async fn know_alpha_sender(
        &self,
        account: &Arc<Account>,
        request: &CreateMessage,
    ) -> Result<(), Fault> {
        let Some(from) = request
            .from
            .as_deref()
            .filter(|_| request.messaging_service.is_none())
        else {
            return Ok(());
        };
        let is_number = from.starts_with('+') || ShortCode::parse(from).is_some();
        let Some(id) = AlphaSenderId::parse(from).filter(|_| !is_number) else {
            return Ok(());
        };
        let address = SenderAddress::Alpha(id);
        if self.directory().sender_no(account.sid, &address).is_some() {
            return Ok(());
        }
        let _lock = self.settings_lock().await;
        let mut changes = Vec::new();
        self.sender_for(account.sid, address, &mut changes);
        self.write(changes).await
    }

    /// How many messages of the account are scheduled, if that matters to the request.
    async fn scheduled_count(
        &self,
        account: AccountNo,
        request: &CreateMessage,
    ) -> Result<u32, Fault> {
        if request.send_at.is_none() {
            return Ok(0);
        }
        let store = self.shared.store.clone();
        let count = self
            .blocking(move || store.scheduled_count(account))
            .await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The account's message with this SID.
    pub async fn message(&self, account: AccountNo, sid: MessageSid) -> Result<Message, Fault> {
        let store = self.shared.store.clone();
        let message = self.blocking(move || store.message(sid.id)).await?;
        message
            .filter(|message| message.sid == sid && message.account == account)
            .ok_or_else(|| not_found(sid))
    }

    pub async fn messages(
        &self,
        filter: MessageFilter,
        cursor: Cursor,
        limit: usize,
    ) -> Result<Vec<Message>, Fault> {
        let store = self.shared.store.clone();
        self.blocking(move || store.list(&filter, cursor, limit))
            .await
    }

    /// Withdraws a scheduled message.
    pub async fn cancel_message(
        &self,
        account: AccountNo,
        sid: MessageSid,
    ) -> Result<Message, Fault> {
        let message = self.message(account, sid).await?;
        let callbacks_due = match message.status_callback {
            Some(_) => StatusSet::of(Status::Canceled),
            None => StatusSet::EMPTY,
        };
        let change = Change::Cancel {
            id: sid.id,
            at_ms: self.now_ms(),
            callbacks_due,
        };
        match self.commit(change).await? {
            Applied::Yes => {}
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
        let message = self.message(account, sid).await?;
        self.call_back_now(&message);
        Ok(message)
    }

    /// Empties the body of a message that needs it no more.
    pub async fn redact_message(
        &self,
        account: AccountNo,
        sid: MessageSid,
    ) -> Result<Message, Fault> {
        self.message(account, sid).await?;
        let change = Change::Redact {
            id: sid.id,
            at_ms: self.now_ms(),
        };
        match self.commit(change).await? {
            Applied::Yes => self.message(account, sid).await,
            Applied::Stale => {
                let text = format!("Message {sid} is still on its way; its body is needed");
                Err(Fault::because(ErrorCode::NotDeletableYet, text))
            }
            Applied::Missing => Err(not_found(sid)),
        }
    }

    /// Forgets a message that is not in flight.
    pub async fn delete_message(&self, account: AccountNo, sid: MessageSid) -> Result<(), Fault> {
        self.message(account, sid).await?;
        match self.commit(Change::Delete { id: sid.id }).await? {
            Applied::Yes => Ok(()),
            Applied::Stale => {
                let text = format!("Message {sid} is still on its way and can't be deleted yet");
                Err(Fault::because(ErrorCode::NotDeletableYet, text))
            }
            Applied::Missing => Err(not_found(sid)),
        }
    }

    async fn commit(&self, change: Change) -> Result<Applied, Fault> {
        let applied = self.shared.committer.commit(change).await;
        applied.map_err(|_| Fault::new(ErrorCode::Unavailable))
    }
}

fn not_found(sid: MessageSid) -> Fault {
    Fault::because(
        ErrorCode::NotFound,
        format!("The requested message {sid} was not found"),
    )
}
