//! How long dispatch takes for a message, from its acceptance to the carrier's answer, without a store:
//! `cargo run --release -p postrider-engine --example dispatch`. With an argument, under limits
//! that all its senders share, so wide that nobody waits (`wide`) or so narrow that everybody does (`narrow`).

use std::sync::Arc;
use std::time::Instant;

use postrider_carriers::{CarrierNo, Event, EventBatch, Health, Outcome, UnknownOutcome};
use postrider_core::clock::Millis;
use postrider_core::lifecycle::ReceiptParts;
use postrider_core::message::{AccountNo, Message, SenderNo};
use postrider_core::pacing::PaceSettings;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::route::{Route, Routes};
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{Account, Document, Sender};
use postrider_core::sid::{AccountSid, Id};
use postrider_core::testing;
use postrider_engine::Directory;
use postrider_engine::dispatch::{CarrierPolicy, Dispatch, DispatchLimits, Effect, Input};
use postrider_engine::secrets::Vault;
use postrider_store::Applied;
use smallvec::smallvec;

const START_MS: Millis = 1_767_225_600_000;
const SENDERS: u32 = 1_000;
const MESSAGES: u32 = 400_000;
const BATCH: u32 = 256;

#[expect(clippy::print_stdout, reason = "its result is what it prints")]
fn main() {
    let paces = paces(std::env::args().nth(1).as_deref());
    let mut dispatch = dispatch(paces);
    let mut now_ms = START_MS;
    let mut done = 0;
    let mut accepted = 0;
    let started = now();
    while done < MESSAGES {
        let mut inputs = Vec::new();
        if accepted < MESSAGES {
            let batch = accepted..(accepted + BATCH).min(MESSAGES);
            accepted = batch.end;
            inputs.push(Input::Accepted(batch.map(|n| message(n, now_ms)).collect()));
        }
        inputs.push(Input::Timer);
        while !inputs.is_empty() {
            let mut effects = Vec::new();
            for input in inputs.drain(..) {
                dispatch.handle(input, now_ms, &mut effects);
            }
            dispatch.poll(now_ms, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Commit { commit, changes } => inputs.push(Input::Committed {
                        commit,
                        applied: vec![Applied::Yes; changes.len()],
                    }),
                    Effect::Submit { carrier, batch } => {
                        done += u32::try_from(batch.len()).expect("a batch is small");
                        let events = batch.into_iter().map(|submission| Event::Outcome {
                            ticket: submission.ticket,
                            outcome: Outcome::Accepted {
                                ids: smallvec![format!("{:x}", submission.ticket.0).into()],
                            },
                        });
                        let events = events.collect();
                        inputs.push(Input::Carrier(EventBatch { carrier, events }));
                    }
                    _ => {}
                }
            }
        }
        now_ms += 10;
    }
    let took = started.elapsed();
    println!(
        "{MESSAGES} messages of {SENDERS} senders: {:.2} µs each, {:.1} s of virtual time",
        took.as_secs_f64() * 1e6 / f64::from(MESSAGES),
        f64::from(u32::try_from(now_ms - START_MS).expect("minutes")) / 1e3,
    );
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn paces(limits: Option<&str>) -> PaceSettings {
    let account = match limits {
        None => 0.0,
        Some("wide") => 1e6,
        Some("narrow") => 5_000.0,
        Some(other) => panic!("{other} is neither wide nor narrow"),
    };
    PaceSettings {
        long_code: Some(0.0),
        account,
        ..PaceSettings::default()
    }
}

fn dispatch(paces: PaceSettings) -> Dispatch {
    let vault = Vault::new(&[9; 32]);
    let account = Account {
        auth_token_sealed: vault.seal("token", [1; 12]),
        ..testing::account(AccountSid(Id::new(START_MS, 0, 1)), AccountNo(1))
    };
    let sid = account.sid;
    let mut documents = vec![Document::Account(account)];
    documents.extend((0..SENDERS).map(|no| {
        Document::Sender(Sender {
            no: SenderNo(no),
            account: sid,
            address: SenderAddress::Number(number(no)),
            country: None,
        })
    }));
    let policies = ["a", "b"].map(|name| CarrierPolicy {
        name: name.into(),
        group: name.into(),
        unknown_outcome: UnknownOutcome::Resend,
        receipt_parts: ReceiptParts::All,
        keep_receipts: false,
    });
    let route = |destination: &str, carrier| Route {
        destination: destination.to_owned(),
        carriers: vec![carrier],
        ..Route::default()
    };
    let mut dispatch = Dispatch::new(
        Arc::new(Directory::load(documents, vault).expect("the key opens what it sealed")),
        Arc::default(),
        Arc::default(),
        DispatchLimits::default(),
        Arc::new(paces),
        Arc::new(Routes(vec![route("44", 1), route("", 0)])),
        policies.to_vec(),
    );
    for carrier in [0, 1].map(CarrierNo) {
        let health = Health {
            links_configured: 1,
            links_bound: 1,
            ..Health::default()
        };
        let capacity = Event::Capacity {
            segments: 1_000,
            health,
        };
        let events = vec![capacity];
        let input = Input::Carrier(EventBatch { carrier, events });
        dispatch.handle(input, START_MS, &mut Vec::new());
    }
    dispatch
}

fn number(no: u32) -> PhoneNumber {
    PhoneNumber::parse(&format!("+1415{:07}", 2_000_000 + no)).expect("a number")
}

fn message(number_of: u32, now_ms: Millis) -> Message {
    let sender = number_of % SENDERS;
    let to = if number_of.is_multiple_of(2) {
        format!("+447{number_of:09}")
    } else {
        format!("+1212{:07}", 2_000_000 + number_of)
    };
    Message {
        from: Some(number(sender).to_string().into()),
        sender: Some(SenderNo(sender)),
        to: to.into(),
        ..testing::message(Id::new(now_ms, number_of, 7))
    }
}
