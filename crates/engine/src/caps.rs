//! What capped senders took over today, so that none takes over more than it may.
//!
//! Counted in memory as messages are accepted, and counted again from the store when a process starts. Without
//! caps nothing is counted, and nobody asks. Asked and counted under the lock of the loads, so that two
//! messages accepted at the same instant see each other.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use postrider_core::cap::{CapRule, DailyCap, DayOfUse, cap_of, day_of};
use postrider_core::clock::Millis;
use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::SenderNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::route::kind_of;
use postrider_core::select::SenderKind;
use postrider_core::sender::{SenderAddress, number_of};
use postrider_core::settings::Sender;
use postrider_store::{Store, StoreError};
use rustc_hash::FxHashMap;

use crate::accept::Warning;
use crate::alerts::{Alerts, Details};
use crate::directory::Directory;

/// The caps of all senders, and how much of them is used.
#[derive(Default)]
pub struct Caps {
    rules: Vec<CapRule>,
    today: Mutex<Today>,
}

#[derive(Default)]
struct Today {
    began_ms: Millis,
    /// Of those that were asked about; without a cap, those that have none.
    senders: FxHashMap<SenderNo, Option<(DailyCap, DayOfUse)>>,
}

/// What is asked about, or counted.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    pub sender: SenderNo,
    pub segments: u16,
    pub to: PhoneNumber,
}

impl Caps {
    /// Counts what was taken over today before this process started.
    pub fn open(
        rules: Vec<CapRule>,
        store: &dyn Store,
        directory: &Directory,
        now_ms: Millis,
    ) -> Result<Self, StoreError> {
        let caps = Self {
            rules,
            today: Mutex::default(),
        };
        if caps.are_off() {
            return Ok(caps);
        }
        let senders = directory.senders();
        let capped = senders
            .iter()
            .filter(|sender| caps.cap(directory, sender).is_some());
        let capped: BTreeSet<_> = capped.map(|sender| sender.no).collect();
        let mut counted = 0_u64;
        store.taken_over(day_of(now_ms), &capped, &mut |taken| {
            if let Some(to) = number_of(&taken.to) {
                let used = Use {
                    sender: taken.sender,
                    segments: taken.segments,
                    to,
                };
                counted += 1;
                caps.with(directory, used.sender, now_ms, |cap, day| {
                    day.add(cap, used.segments, used.to);
                });
            }
        })?;
        tracing::info!(
            senders = capped.len(),
            messages = counted,
            "what capped senders took over today is counted"
        );
        Ok(caps)
    }

    pub fn are_off(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether its cap keeps a sender from taking a message over today.
    pub fn is_over(&self, directory: &Directory, message: Use, now_ms: Millis) -> bool {
        if self.are_off() {
            return false;
        }
        let is_over = self.with(directory, message.sender, now_ms, |cap, day| {
            day.is_over(cap, message.segments, message.to)
        });
        is_over.unwrap_or(false)
    }

    /// Whether there is a message that a sender's cap might keep from it.
    pub fn is_nearly_over(&self, directory: &Directory, sender: SenderNo, now_ms: Millis) -> bool {
        if self.are_off() {
            return false;
        }
        let is_nearly_over = self.with(directory, sender, now_ms, |cap, day| {
            day.is_nearly_over(cap)
        });
        is_nearly_over.unwrap_or(false)
    }

    /// Counts a message that a sender takes over, and warns its owner when much of the cap is used.
    pub fn count(&self, directory: &Directory, alerts: &Alerts, message: Use, now_ms: Millis) {
        if self.are_off() {
            return;
        }
        let news = self.with(directory, message.sender, now_ms, |cap, day| {
            let code = day.add(cap, message.segments, message.to)?;
            Some((cap, code))
        });
        if let Some(Some((cap, code))) = news {
            warn(directory, alerts, message.sender, cap, code);
        }
    }

    /// What there would be to say of a sender's cap if it took the message over.
    pub(crate) fn foresee(
        &self,
        directory: &Directory,
        message: Use,
        now_ms: Millis,
    ) -> Option<Warning> {
        if self.are_off() {
            return None;
        }
        let news = self.with(directory, message.sender, now_ms, |cap, day| {
            Some((cap, day.foresee(cap, message.segments, message.to)?))
        });
        let (cap, code) = news??;
        let sender = directory.sender(message.sender)?;
        Some(Warning {
            code: Some(code),
            text: sentence(&sender, cap, code),
        })
    }

    /// A message that was counted is not sent after all.
    pub fn uncount(&self, message: Use) {
        let mut today = self.today.lock();
        if let Some(Some((_, day))) = today.senders.get_mut(&message.sender) {
            day.remove(message.segments, message.to);
        }
    }

    fn with<T>(
        &self,
        directory: &Directory,
        sender: SenderNo,
        now_ms: Millis,
        work: impl FnOnce(DailyCap, &mut DayOfUse) -> T,
    ) -> Option<T> {
        let mut today = self.today.lock();
        let began_ms = day_of(now_ms);
        // A clock that steps back over midnight begins no day a second time.
        if began_ms > today.began_ms {
            today.senders.clear();
            today.began_ms = began_ms;
        }
        let of_sender = today.senders.entry(sender).or_insert_with(|| {
            let cap = self.cap(directory, &*directory.sender(sender)?)?;
            Some((cap, DayOfUse::default()))
        });
        let (cap, day) = of_sender.as_mut()?;
        Some(work(*cap, day))
    }

    fn cap(&self, directory: &Directory, sender: &Sender) -> Option<DailyCap> {
        let kind = kind_of(&sender.address);
        let country = match &sender.address {
            // Those of +800 are of no country, and count as the US's.
            SenderAddress::Number(number) if kind == SenderKind::TollFree => {
                directory.country_of(*number).or(Some(Country::US))
            }
            SenderAddress::Number(number) => directory.country_of(*number),
            SenderAddress::WhatsApp(number) => number.country(),
            SenderAddress::ShortCode(_) => directory.short_code_of(sender.no).map(|it| it.country),
            SenderAddress::Alpha(_) => None,
        };
        cap_of(&self.rules, kind, country)
    }
}

fn warn(directory: &Directory, alerts: &Alerts, sender: SenderNo, cap: DailyCap, code: ErrorCode) {
    let Some(known) = directory.sender(sender) else {
        return;
    };
    let Some(account) = directory.account(known.account) else {
        return;
    };
    let scope = sender.0.to_string();
    alerts.raise(account.no, code, &scope, || Details {
        service: directory.service_of(sender),
        text: Some(sentence(&known, cap, code).into()),
        ..Details::default()
    });
}

fn sentence(sender: &Sender, cap: DailyCap, code: ErrorCode) -> String {
    let caps = [(cap.segments, "segments"), (cap.recipients, "recipients")];
    let caps = caps.iter().filter(|(most, _)| *most > 0);
    let caps: Vec<_> = caps.map(|(most, what)| format!("{most} {what}")).collect();
    format!(
        "{} Sender: {}. Cap of a day: {}.",
        code.message(),
        sender.address,
        caps.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postrider_core::create::CreateMessage;
    use postrider_store::memory::MemoryStore;

    use super::*;
    use crate::testing::engine_with;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_new_process_counts_what_was_taken_over_today() {
        let rules = vec![CapRule {
            daily_segments: 5,
            daily_recipients: 2,
            ..CapRule::default()
        }];
        let store = Arc::new(MemoryStore::new());
        let test = engine_with(store.clone(), |setup| setup.caps.clone_from(&rules));
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (account, _) = main.unwrap();
        let from = number("+14155550101");
        let sender = engine.register_number(account.sid, from, |_| {}).await;
        let sender = sender.unwrap().sender;
        for body in ["Hi".to_owned(), "x".repeat(300)] {
            let request = CreateMessage {
                to: Some("+14155550199".to_owned()),
                from: Some(from.to_string()),
                body: Some(body),
                ..CreateMessage::default()
            };
            engine.create_message(&account, request).await.unwrap();
        }
        let now_ms = engine.now_ms();
        let running = &engine.shared.acceptor.caps;
        let open = |now_ms| Caps::open(rules.clone(), &*store, engine.directory(), now_ms).unwrap();
        let restarted = open(now_ms);
        let tomorrow_ms = day_of(now_ms) + 86_400_000;
        let tomorrow = open(tomorrow_ms);
        // Columns: segments, recipient, whether it is over the cap today.
        for (segments, to, expected) in [
            (2, "+14155550199", false),
            (3, "+14155550199", true),
            (1, "+14155550198", false),
        ] {
            let message = Use {
                sender,
                segments,
                to: number(to),
            };
            for (caps, now_ms, expected) in [
                (running, now_ms, expected),
                (&restarted, now_ms, expected),
                (&tomorrow, tomorrow_ms, false),
            ] {
                let is_over = caps.is_over(engine.directory(), message, now_ms);
                assert_eq!(is_over, expected, "{message:?} {now_ms}");
            }
        }
        // What is given back can be taken again, and the day after all of it.
        let message = Use {
            sender,
            segments: 3,
            to: number("+14155550199"),
        };
        restarted.uncount(Use {
            segments: 2,
            ..message
        });
        assert!(!restarted.is_over(engine.directory(), message, now_ms));
        assert!(running.is_over(engine.directory(), message, now_ms));
        assert!(!running.is_over(engine.directory(), message, tomorrow_ms));
    }
}
