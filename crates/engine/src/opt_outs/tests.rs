//! Handsets say STOP, and whom that keeps from hearing of us.

use std::sync::Arc;
use std::time::Duration;

use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{Direction, Message, Status};
use postrider_core::opt_out::{AdvancedOptOut, ChannelGroup, KeywordType};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::Account;
use postrider_core::sid::ServiceSid;
use postrider_store::OptOutSource;
use postrider_store::memory::MemoryStore;

use super::{Consent, Import, ImportEnd, ImportProgress, ImportRow, ListOwner};
use crate::settings::NewPoolEntry;
use crate::testing::{TestEngine, engine_with};

const HANDSET: &str = "+14155550199";
const NUMBER: &str = "+14155550101";
const OTHER: &str = "+14155550102";

struct World {
    test: TestEngine,
    account: Arc<Account>,
}

impl World {
    /// Two numbers; numbers send so many segments a second, 0 for no limit.
    async fn with_pace(pace: f64) -> Self {
        let test = engine_with(Arc::new(MemoryStore::new()), |setup| {
            setup.paces.long_code = Some(pace);
        });
        let created = test.engine.create_main_account(None, None, "Test").await;
        let (account, _) = created.unwrap();
        for number in [NUMBER, OTHER] {
            let number = PhoneNumber::parse(number).unwrap();
            let registered = test.engine.register_number(account.sid, number, |_| {});
            registered.await.unwrap();
        }
        Self { test, account }
    }

    async fn new() -> Self {
        Self::with_pace(0.0).await
    }

    /// A service with [`NUMBER`] in its pool.
    async fn service(&self, advanced: bool) -> ServiceSid {
        let engine = &self.test.engine;
        let created = engine.create_service(self.account.sid, |service| {
            service.advanced_opt_out = advanced.then(|| {
                Box::new(AdvancedOptOut {
                    is_enabled: true,
                    ..AdvancedOptOut::default()
                })
            });
        });
        let service = created.await.unwrap().sid;
        let number = PhoneNumber::parse(NUMBER).unwrap();
        let number = engine.directory().number_by_digits(number).unwrap().sid;
        let entry = NewPoolEntry::Number(number);
        engine.add_to_pool(service, entry).await.unwrap();
        service
    }

    async fn text(&self, to: &str, text: &str) {
        self.test.inbound(HANDSET, to, text).await;
    }

    async fn send(&self, from: &str) -> Result<Message, ErrorCode> {
        let request = CreateMessage {
            to: Some(HANDSET.to_owned()),
            from: Some(from.to_owned()),
            body: Some("Sale!".to_owned()),
            ..CreateMessage::default()
        };
        let created = self
            .test
            .engine
            .create_message(&self.account, request)
            .await;
        created
            .map(|created| created.message)
            .map_err(|fault| fault.code)
    }

    async fn send_through(&self, service: ServiceSid, send_at: Option<&str>) -> Message {
        let request = CreateMessage {
            to: Some(HANDSET.to_owned()),
            messaging_service: Some(service.to_string()),
            body: Some("Sale!".to_owned()),
            schedule_type: send_at.map(|_| "fixed".to_owned()),
            send_at: send_at.map(str::to_owned),
            ..CreateMessage::default()
        };
        let created = self
            .test
            .engine
            .create_message(&self.account, request)
            .await;
        created.unwrap().message
    }

    async fn messages(&self, direction: Direction) -> Vec<Message> {
        self.test.messages(self.account.no, direction).await
    }

    async fn replies(&self) -> Vec<String> {
        let replies = self.messages(Direction::OutboundReply).await;
        replies.iter().map(|reply| reply.body.to_string()).collect()
    }

    /// The message once it is over.
    async fn settled(&self, message: &Message) -> Message {
        for _ in 0..1_000 {
            let found = self.test.engine.message(self.account.no, message.sid).await;
            let found = found.unwrap();
            if found.status.is_final() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{} is not over", message.sid);
    }
}

#[tokio::test]
async fn a_stop_holds_until_a_start() {
    let world = World::new().await;
    world.send(NUMBER).await.unwrap();
    world.text(NUMBER, "Stop.").await;
    assert_eq!(world.send(NUMBER).await, Err(ErrorCode::RecipientOptedOut));
    // A number in no service speaks for itself only.
    world.send(OTHER).await.unwrap();
    world.text(NUMBER, "STOP").await;
    world.text(NUMBER, "HELP").await;
    world.text(NUMBER, "start").await;
    world.send(NUMBER).await.unwrap();
    let replies = world.replies().await;
    assert_eq!(replies.len(), 2);
    assert!(replies[0].contains("unsubscribed") && replies[1].contains("again"));
    for reply in world.messages(Direction::OutboundReply).await {
        assert_eq!(world.settled(&reply).await.status, Status::Delivered);
        assert_eq!(reply.from.as_deref(), Some(NUMBER));
    }
}

#[tokio::test]
async fn in_a_service_a_stop_is_for_all_its_senders() {
    let world = World::new().await;
    let service = world.service(false).await;
    world.text(NUMBER, "STOP").await;
    let message = world.send_through(service, None).await;
    assert_eq!(message.status, Status::Failed);
    assert_eq!(message.error, Some(ErrorCode::RecipientOptedOut));
    assert_eq!(world.send(NUMBER).await, Err(ErrorCode::RecipientOptedOut));
    world.text(NUMBER, "UNSTOP").await;
    let message = world.send_through(service, None).await;
    assert_eq!(world.settled(&message).await.status, Status::Delivered);
}

#[tokio::test]
async fn who_opted_out_of_a_number_stays_out_when_it_joins_a_service() {
    let world = World::new().await;
    world.text(NUMBER, "STOP").await;
    let service = world.service(false).await;
    let message = world.send_through(service, None).await;
    assert_eq!(message.error, Some(ErrorCode::RecipientOptedOut));
    world.text(NUMBER, "START").await;
    assert_eq!(world.send_through(service, None).await.error, None);
}

#[tokio::test]
async fn a_stop_catches_what_waits() {
    let world = World::with_pace(1.0).await;
    let mut queued = Vec::new();
    for _ in 0..5 {
        queued.push(world.send(NUMBER).await.unwrap());
    }
    let first = world.settled(&queued[0]).await;
    assert_eq!(first.status, Status::Delivered);
    world.text(NUMBER, "STOP").await;
    world.test.clock.advance(60_000);
    for message in &queued[1..] {
        let message = world.settled(message).await;
        assert_eq!(message.status, Status::Failed);
        assert_eq!(message.error, Some(ErrorCode::RecipientOptedOut));
    }
    let [confirmation] = &world.messages(Direction::OutboundReply).await[..] else {
        panic!("one confirmation")
    };
    assert_eq!(world.settled(confirmation).await.status, Status::Delivered);
}

#[tokio::test]
async fn a_stop_catches_what_is_scheduled() {
    let world = World::new().await;
    let service = world.service(false).await;
    let scheduled = world
        .send_through(service, Some("2026-01-01T01:00:00Z"))
        .await;
    assert_eq!(scheduled.status, Status::Scheduled);
    world.text(NUMBER, "STOP").await;
    world.test.clock.advance(3_700_000);
    let message = world.settled(&scheduled).await;
    assert_eq!(message.error, Some(ErrorCode::RecipientOptedOut));
}

#[tokio::test]
async fn the_list_says_why() {
    let world = World::new().await;
    world.text(NUMBER, "Unsubscribe!").await;
    let store = world.test.engine.shared.store.clone();
    let user = PhoneNumber::parse(HANDSET).unwrap();
    let history = store
        .opt_outs()
        .history(world.account.no, user, 10)
        .unwrap();
    let [event] = &history[..] else {
        panic!("one event")
    };
    let cause = &event.cause;
    let inbound = &world.messages(Direction::Inbound).await[0];
    assert_eq!(cause.source, OptOutSource::OptOutMessage);
    assert_eq!(cause.message, Some(inbound.sid));
    assert_eq!(cause.keyword.as_deref(), Some("UNSUBSCRIBE"));
}

#[tokio::test]
async fn advanced_opt_out_tells_the_webhook() {
    for (advanced, expected) in [(false, None), (true, Some(KeywordType::Help))] {
        let world = World::new().await;
        world.service(advanced).await;
        world.text(NUMBER, "info").await;
        world.text(NUMBER, "Hello").await;
        let inbound = world.messages(Direction::Inbound).await;
        let types: Vec<_> = inbound
            .iter()
            .map(|message| message.options.opt_out_type)
            .collect();
        assert_eq!(types, [expected, None]);
        assert_eq!(world.replies().await.len(), 1);
    }
}

/// Another process goes on with the list of the one before.
#[tokio::test]
async fn a_restart_forgets_no_opt_out() {
    let store = Arc::new(MemoryStore::new());
    let test = engine_with(store.clone(), |_| {});
    let created = test.engine.create_main_account(None, None, "Test").await;
    let (account, _) = created.unwrap();
    let number = PhoneNumber::parse(NUMBER).unwrap();
    let registered = test.engine.register_number(account.sid, number, |_| {});
    registered.await.unwrap();
    let world = World { test, account };
    world.text(NUMBER, "STOP").await;
    let World { account, .. } = world;
    let world = World {
        test: engine_with(store, |_| {}),
        account,
    };
    assert_eq!(world.send(NUMBER).await, Err(ErrorCode::RecipientOptedOut));
}

/// A row that says that a user wants nothing from the service.
fn row(line: u64, service: ServiceSid) -> ImportRow {
    let user = PhoneNumber::from_digits(14_155_500_000 + line).unwrap();
    ImportRow {
        line,
        consent: Ok(Consent {
            owner: ListOwner::Service(service),
            channels: ChannelGroup::Text,
            user,
            is_opt_out: true,
            source: OptOutSource::Others,
            note: None,
            consent_ms: None,
        }),
    }
}

async fn ended(import: &Import) -> ImportProgress {
    for _ in 0..1_000 {
        let progress = import.progress();
        if progress.end.is_some() {
            return progress;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the import does not end");
}

#[tokio::test]
async fn an_import_that_breaks_off_leaves_what_it_has_applied() {
    let world = World::new().await;
    let service = world.service(false).await;
    let (engine, account) = (&world.test.engine, &world.account);
    // Two batches and a half, and then a bug.
    let broken = (1..).map(move |line| match line {
        2_501 => panic!("a bug"),
        line => row(line, service),
    });
    let import = engine.import_opt_outs(account.clone(), "AC1", broken);
    let progress = ended(&import).await;
    assert_eq!((progress.rows, progress.changed), (2_000, 2_000));
    assert_eq!(progress.end.map(|(_, end)| end), Some(ImportEnd::Failed));
    // The same again changes the rest.
    let whole = (1..=2_501).map(move |line| row(line, service));
    let import = engine.import_opt_outs(account.clone(), "AC1", whole);
    let progress = ended(&import).await;
    assert_eq!((progress.rows, progress.changed), (2_501, 501));
    assert_eq!(progress.end.map(|(_, end)| end), Some(ImportEnd::Completed));
    let imports = engine.opt_out_imports(account.sid);
    assert_eq!(imports[0].sid, import.sid);
}

#[tokio::test]
async fn an_import_catches_messages_that_wait() {
    let world = World::with_pace(1.0).await;
    let service = world.service(false).await;
    world.send(NUMBER).await.unwrap();
    let waiting = world.send_through(service, None).await;
    let mut out = row(1, service);
    if let Ok(consent) = &mut out.consent {
        consent.user = PhoneNumber::parse(HANDSET).unwrap();
    }
    let engine = &world.test.engine;
    let import = engine.import_opt_outs(world.account.clone(), "AC1", std::iter::once(out));
    ended(&import).await;
    // Its turn comes.
    world.test.clock.advance(60_000);
    let caught = world.settled(&waiting).await;
    assert_eq!(caught.error, Some(ErrorCode::RecipientOptedOut));
}
