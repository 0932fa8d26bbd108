//! What the customer asks for, and when; and what troubles are in store for it.

use postrider_core::clock::{Clock, Millis};
use postrider_core::create::CreateMessage;
use postrider_store::Store;
use postrider_store::memory::Fault;
use rand::Rng;

use super::{Action, START_MS, TROUBLE_MS, Work, World};

const CALLBACK_URL: &str = "https://customer.example/status";

impl World {
    pub(super) fn plan_customer(&mut self) {
        for _ in 0..self.rng.random_range(20..120) {
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            self.plan(START_MS + at_ms, Action::Request);
        }
        // Some come together, so that queues grow.
        for _ in 0..self.rng.random_range(0..3) {
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            for _ in 0..self.rng.random_range(10..40) {
                let after_ms = self.rng.random_range(0..2_000);
                self.plan(START_MS + at_ms + after_ms, Action::Request);
            }
        }
        for _ in 0..self.rng.random_range(0..4) {
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            self.plan(START_MS + at_ms, Action::CancelSome);
            self.plan_disconnect(100..20_000);
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            self.plan(START_MS + at_ms, Action::Crash);
        }
        // Now and then one stays away.
        if self.rng.random_bool(0.5) {
            self.plan_disconnect(60_000..TROUBLE_MS);
        }
        for _ in 0..self.rng.random_range(0..5) {
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            self.plan(START_MS + at_ms, Action::Reload);
        }
        if self.rng.random_bool(0.4) {
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            let fault = [Fault::Lost, Fault::Kept, Fault::Split][self.rng.random_range(0..3)];
            self.plan(START_MS + at_ms, Action::FailCommit(fault));
        }
        self.plan_stops();
        self.plan(START_MS + TROUBLE_MS, Action::Heal);
    }

    fn plan_disconnect(&mut self, for_ms: std::ops::Range<Millis>) {
        let at_ms = self.rng.random_range(0..TROUBLE_MS);
        let which = self.rng.random_range(0..self.carriers.len());
        let for_ms = self.rng.random_range(for_ms);
        self.plan(START_MS + at_ms, Action::Disconnect(which, for_ms));
    }

    /// The customer asks for a message.
    pub(super) fn request(&mut self) {
        self.bodies += 1;
        let long = "x".repeat(self.rng.random_range(0..400));
        let number = self.bodies;
        let handset = self.rng.random_range(self.handsets.clone());
        let to = if self.rng.random_bool(0.7) {
            format!("+1415555{handset:04}")
        } else {
            format!("+447700900{handset:03}")
        };
        let mut request = CreateMessage {
            to: Some(to),
            body: Some(format!("message {number} {long}")),
            status_callback: Some(CALLBACK_URL.to_owned()),
            ..CreateMessage::default()
        };
        if self.rng.random_bool(0.8) {
            request.messaging_service = Some(self.service.to_string());
        } else {
            let which = self.rng.random_range(0..self.numbers.len());
            request.from = Some(self.numbers[which].clone());
        }
        if self.rng.random_bool(0.2) {
            request.validity_period = Some(self.rng.random_range(1..60).to_string());
        }
        if request.messaging_service.is_some() && self.rng.random_bool(0.1) {
            request.schedule_type = Some("fixed".to_owned());
            // Many are due at the same time.
            let earliest_ms = self.clock.now_ms() + self.rng.random_range(6_000..60_000);
            request.send_at = Some(iso(earliest_ms - earliest_ms % 30_000 + 30_000));
        }
        // By the number itself: another draw would give every seed another life.
        if number.is_multiple_of(3) {
            request.content_retention = Some("discard".to_owned());
        }
        if number.is_multiple_of(5) {
            request.address_retention = Some("obfuscate".to_owned());
        }
        let is_late = self.rng.random_bool(0.2);
        let account = self.account;
        let Some(process) = self.serving() else {
            return;
        };
        let account = process
            .acceptor
            .directory
            .account(account)
            .expect("the account is there");
        match process.acceptor.prepare(&account, &request, 0, None) {
            // Those of others that were made later may be committed first.
            Ok(message) if is_late => {
                self.plan_in(1..1_000, Action::Insert(Box::new(message)));
            }
            Ok(message) => process.mailbox.push_back(Work::Insert(Box::new(message))),
            Err(fault) => panic!("an ordinary request is refused: {fault}"),
        }
    }

    pub(super) fn cancel_some(&mut self) {
        let Some(process) = self.serving() else {
            return;
        };
        let scheduled = process
            .store
            .scheduled(Millis::MAX, None, 100)
            .expect("the store reads");
        if !scheduled.is_empty() {
            let which = self.rng.random_range(0..scheduled.len());
            let cancel = Work::Cancel(Box::new(scheduled[which].clone()));
            if let Some(process) = &mut self.process {
                process.mailbox.push_back(cancel);
            }
        }
    }
}

/// ISO 8601, whole seconds, UTC.
fn iso(at_ms: Millis) -> String {
    jiff::Timestamp::from_second(at_ms / 1_000)
        .expect("a time of this century")
        .to_string()
}
