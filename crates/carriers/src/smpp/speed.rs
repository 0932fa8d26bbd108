//! How fast the session is, without and with sockets:
//! `cargo test --release -p postrider-carriers -- --ignored --nocapture speed`.

use std::sync::Arc;

use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::text::Encoding;
use tokio::sync::mpsc;

use super::SmppCarrier;
use super::config::Config;
use super::decode::{Cut, cut, decode};
use super::encode::encode;
use super::pdu::{Address, BindMode, CommandId, CommandStatus, MessageResponse, Pdu, ShortMessage};
use super::session::{Event, Readiness, References, Session, Setup};
use super::testing::{Behavior, Dialect, ReceiptPlan, Timing, listen};
use super::tlv::Tlvs;
use crate::contract::{self, Carrier as _, CarrierNo, Submission, Ticket};

const MESSAGES: u32 = 1_000_000;

fn config() -> Config {
    Config {
        name: "acme".into(),
        host: "127.0.0.1".into(),
        system_id: "user".into(),
        window: 100,
        ..Config::default()
    }
}

fn submission(ticket: u64, body: &Arc<str>) -> Submission {
    Submission {
        ticket: Ticket(ticket),
        from: SenderAddress::Number(PhoneNumber::parse("+14155550101").unwrap()),
        to: PhoneNumber::parse("+447700900123").unwrap(),
        body: body.clone(),
        encoding: Encoding::Gsm7,
        segments: 1,
        deadline_ms: i64::MAX,
    }
}

fn body() -> Arc<str> {
    "Your order 12345 has left the warehouse and will reach you tomorrow before noon.".into()
}

fn rate(count: u32, since: tokio::time::Instant) -> f64 {
    f64::from(count) / since.elapsed().as_secs_f64()
}

#[test]
#[ignore = "a measurement"]
fn speed_of_the_codec() {
    let receipt = ShortMessage {
        source: Address {
            ton: 1,
            npi: 1,
            octets: b"447700900123",
        },
        destination: Address {
            ton: 1,
            npi: 1,
            octets: b"14155550101",
        },
        esm_class: 4,
        short_message: b"id:0123456789 sub:001 dlvrd:001 submit date:2611240323 done \
            date:2611240324 stat:DELIVRD err:000 text:Your order 12345 has",
        ..ShortMessage::default()
    };
    let mut octets = Vec::new();
    let since = tokio::time::Instant::now();
    for sequence in 0..MESSAGES {
        octets.clear();
        encode(
            &mut octets,
            CommandStatus::OK,
            sequence,
            &Pdu::DeliverSm(receipt),
        )
        .unwrap();
        std::hint::black_box(&octets);
    }
    println!("encode: {:.1} million/s", rate(MESSAGES, since) / 1e6);
    let since = tokio::time::Instant::now();
    for _ in 0..MESSAGES {
        let Cut::Frame { frame, .. } = cut(std::hint::black_box(&octets)) else {
            panic!()
        };
        std::hint::black_box(decode(&frame));
    }
    println!("decode: {:.1} million/s", rate(MESSAGES, since) / 1e6);
}

/// Submit, response, receipt, acknowledgement; the peer is as cheap as can be.
#[test]
#[ignore = "a measurement"]
fn speed_of_a_session_without_sockets() {
    let setup = Setup {
        settings: Arc::new(config().compile().unwrap()),
        mode: BindMode::Transceiver,
        number: 1,
        references: Arc::new(References::new(1)),
        seed: 1,
    };
    let body = body();
    let mut session = Session::new(setup, 0);
    let (mut events, mut wire, mut back) = (Vec::new(), Vec::new(), Vec::new());
    let (mut accepted, mut receipts) = (0_u32, 0_u32);
    let mut next = 0_u64;
    let mut session_time = std::time::Duration::ZERO;
    while receipts < MESSAGES {
        let since = tokio::time::Instant::now();
        session.on_bytes(&back, 1, &mut events);
        for event in events.drain(..) {
            match event {
                Event::Carrier(contract::Event::Outcome { .. }) => accepted += 1,
                Event::Carrier(contract::Event::Receipt { ack, .. }) => {
                    receipts += 1;
                    session.acknowledge(ack);
                }
                _ => {}
            }
        }
        while session.readiness(1) == Readiness::Now {
            next += 1;
            session.submit(submission(next, &body), 1, &mut events);
        }
        wire.clear();
        session.take_output(1, &mut wire);
        session_time += since.elapsed();
        back.clear();
        let mut rest = &wire[..];
        while let Cut::Frame { frame, length } = cut(rest) {
            answer(frame.header.command_id, frame.header.sequence, &mut back);
            rest = &rest[length..];
        }
    }
    let per_second = f64::from(receipts) / session_time.as_secs_f64();
    println!("session: {per_second:.0} messages/s with receipts ({accepted} accepted)");
}

fn answer(command_id: CommandId, sequence: u32, out: &mut Vec<u8>) {
    let id = format!("{sequence:010}");
    let response = MessageResponse {
        message_id: Some(id.as_bytes()),
        tlvs: Tlvs::default(),
    };
    match command_id {
        CommandId::BIND_TRANSCEIVER => {
            let response = super::pdu::BindResponse::default();
            let pdu = Pdu::BindResponse(BindMode::Transceiver, response);
            encode(out, CommandStatus::OK, sequence, &pdu).unwrap();
        }
        CommandId::SUBMIT_SM => {
            let pdu = Pdu::SubmitSmResponse(response);
            encode(out, CommandStatus::OK, sequence, &pdu).unwrap();
            let text = format!(
                "id:{id} sub:001 dlvrd:001 submit date:2611240323 done date:2611240324 \
                 stat:DELIVRD err:000 text:Your order 12345 has"
            );
            let receipt = ShortMessage {
                source: Address {
                    ton: 1,
                    npi: 1,
                    octets: b"447700900123",
                },
                destination: Address {
                    ton: 1,
                    npi: 1,
                    octets: b"14155550101",
                },
                esm_class: 4,
                short_message: text.as_bytes(),
                ..ShortMessage::default()
            };
            encode(out, CommandStatus::OK, sequence, &Pdu::DeliverSm(receipt)).unwrap();
        }
        _ => {}
    }
}

/// The same over loopback, one bind, with the SMSC of the tests on the other core.
#[test]
#[ignore = "a measurement"]
fn speed_of_a_carrier_over_loopback() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = super::loopback::clock();
        let timing = Timing::After { ms: 0 };
        let receipts = Some(ReceiptPlan {
            timing,
            dialect: Dialect::Text,
            stat: "DELIVRD",
        });
        let behavior = Behavior {
            receipts,
            ..Behavior::default()
        };
        let smsc = listen(behavior, clock.clone()).await.unwrap();
        smsc.record.lock().unwrap().is_count_only = true;
        let (sender, mut events) = mpsc::channel(64);
        let config = Config {
            port: smsc.address.port(),
            ..config()
        };
        let carrier = SmppCarrier::start(CarrierNo(0), &config, clock, 1, sender).unwrap();
        let body = body();
        let (mut accepted, mut receipts, mut next) = (0_u32, 0_u32, 0_u64);
        let mut since = None;
        let count = MESSAGES / 2;
        while receipts < count {
            let mut tokens = Vec::new();
            let mut batch = Vec::new();
            for event in events.recv().await.unwrap().events {
                match event {
                    contract::Event::Capacity { segments, .. } if segments > 0 => {
                        since = Some(tokio::time::Instant::now());
                        for _ in 0..segments {
                            next += 1;
                            batch.push(submission(next, &body));
                        }
                    }
                    contract::Event::Outcome { .. } => {
                        accepted += 1;
                        next += 1;
                        batch.push(submission(next, &body));
                    }
                    contract::Event::Receipt { ack, .. } => {
                        receipts += 1;
                        tokens.push(ack);
                    }
                    _ => {}
                }
            }
            carrier.acknowledge(tokens);
            carrier.submit(batch);
        }
        let per_second = rate(count, since.unwrap());
        println!("carrier: {per_second:.0} messages/s with receipts ({accepted} accepted)");
    });
}
