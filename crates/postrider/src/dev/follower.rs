//! Follows messages from their creation to their final status, by asking the store again and again.

use postrider_core::message::Message;
use postrider_core::sid::Id;
use postrider_engine::Engine;
use postrider_store::{Cursor, MessageFilter};

/// Messages looked after at once; of more, the oldest are no longer followed.
const OPEN_MAX: usize = 200;

/// New messages taken up at once.
const PAGE: usize = 100;

pub(super) struct Follower {
    engine: Engine,
    /// The newest message seen.
    newest: Option<Id>,
    /// Not final yet, oldest first.
    open: Vec<Message>,
}

impl Follower {
    /// Follows what is created from now on.
    pub(super) async fn start(engine: &Engine) -> anyhow::Result<Self> {
        let last = engine
            .messages(MessageFilter::default(), Cursor::Start, 1)
            .await?;
        Ok(Self {
            engine: engine.clone(),
            newest: last.first().map(|message| message.sid.id),
            open: Vec::new(),
        })
    }

    /// The messages that have become final, in the order of their creation.
    pub(super) async fn look(&mut self) -> anyhow::Result<Vec<Message>> {
        self.take_up_new().await?;
        let mut finished = Vec::new();
        let mut open = Vec::new();
        for message in std::mem::take(&mut self.open) {
            let message = self.engine.message(message.account, message.sid).await;
            match message {
                Ok(message) if message.status.is_final() => finished.push(message),
                Ok(message) => open.push(message),
                // Deleted meanwhile.
                Err(_) => {}
            }
        }
        self.open = open;
        Ok(finished)
    }

    /// Looks for new messages only.
    pub(super) async fn take_up_new(&mut self) -> anyhow::Result<()> {
        let cursor = self.newest.map_or(Cursor::Start, Cursor::Before);
        let new = self
            .engine
            .messages(MessageFilter::default(), cursor, PAGE)
            .await?;
        if let Some(message) = new.first() {
            self.newest = Some(message.sid.id);
        }
        self.open.extend(new.into_iter().rev());
        let too_many = self.open.len().saturating_sub(OPEN_MAX);
        self.open.drain(..too_many);
        Ok(())
    }

    /// Everything seen is final.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn open(&self) -> &[Message] {
        &self.open
    }
}
