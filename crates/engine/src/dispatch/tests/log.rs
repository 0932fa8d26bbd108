//! What the log says of a message on its way, and by which name.

use std::fmt::{self, Write as _};

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};
use tracing::{Level, Metadata, Subscriber};

use super::*;

/// One line of the log.
#[derive(Clone)]
struct Line {
    level: Level,
    fields: BTreeMap<&'static str, String>,
}

impl Line {
    fn summary(&self) -> (Level, &str, &str) {
        let status = self.fields.get("status").map_or("", String::as_str);
        (self.level, &self.fields["message"], status)
    }
}

/// Keeps every line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Line>>>);

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().push(Line {
            level: *event.metadata().level(),
            fields: fields.0,
        });
    }

    fn enter(&self, _: &tracing::Id) {}

    fn exit(&self, _: &tracing::Id) {}
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = self.0.entry(field.name()).or_default();
        write!(text, "{value:?}").unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Lines {
    fn about(&self, id: Id) -> Vec<Line> {
        let sid = testing::message(id).sid.to_string();
        let mut lines = self.0.lock().clone();
        lines.retain(|line| line.fields.get("message_sid") == Some(&sid));
        lines
    }
}

#[test]
fn the_way_of_a_message_can_be_followed_by_its_sid() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept(1);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&["1"]));
    bench.receive(0, delivered("1", 1));
    let way = lines.about(id);
    let way: Vec<_> = way.iter().map(Line::summary).collect();
    let wanted = [
        (Level::DEBUG, "a message was accepted", "queued"),
        (Level::DEBUG, "a message is submitted", ""),
        (Level::DEBUG, "a message has a new status", "sent"),
        (Level::DEBUG, "a message has a new status", "delivered"),
    ];
    assert_eq!(way, wanted);
    let way = lines.about(id);
    assert_eq!(way[0].fields["from"], FROM);
    assert_eq!(way[1].fields["carrier"], "a");
    let values = way.iter().flat_map(|line| line.fields.values());
    assert!(!values.into_iter().any(|value| value.contains("message 1")));
}

#[test]
fn what_befalls_a_message_is_told_with_its_sid() {
    for (outcome, text) in [
        (refused(RefusalClass::Fail), "the carrier refused a message"),
        (Outcome::Unknown, "a submission has no answer"),
    ] {
        let lines = Lines::default();
        let _guard = tracing::subscriber::set_default(lines.clone());
        let mut bench = Bench::new(UnknownOutcome::Resend);
        let id = bench.accept(1);
        let ticket = bench.take_one().ticket;
        bench.answer(0, ticket, outcome);
        let told = lines.about(id);
        let told = told.iter().find(|line| line.level == Level::INFO);
        assert_eq!(told.unwrap().fields["message"], text);
    }
}
