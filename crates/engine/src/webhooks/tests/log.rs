//! What the log says of attempts.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::server::{Server, Webhooks, config};

/// Keeps the fields' names of each event.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<Vec<&'static str>>>>);

impl Subscriber for Names {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let fields = event.metadata().fields();
        self.0
            .lock()
            .push(fields.iter().map(|field| field.name()).collect());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The text of an event is its field `message`: a second one makes the JSON line ambiguous.
#[tokio::test]
async fn no_line_of_the_log_has_a_key_twice() {
    let names = Names::default();
    let _guard = tracing::subscriber::set_default(names.clone());
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    let answered = server.url("/");
    let failed = server.url("/status/404#rc=x");
    webhooks.finish(&[&answered, &failed]).await;
    let events = names.0.lock().clone();
    let about_messages = events.iter().filter(|names| names.contains(&"message_sid"));
    assert_eq!(about_messages.count(), 4, "{events:?}");
    for names in events {
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{names:?}");
    }
}
