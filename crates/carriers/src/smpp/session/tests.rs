//! Sessions against a scripted peer, on virtual time. The bench is here; the claims are in the
//! modules.

use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::text::count_segments;

use super::*;
use crate::contract::{Event as CarrierEvent, Refusal, Ticket};
use crate::smpp::command_status::{Fault, StatusClass, StatusOverride};
use crate::smpp::config::{Config, FixedTlv, PortAddressed, RequestReceipts};
use crate::smpp::decode::{Cut, cut, decode};
use crate::smpp::pdu::{CommandId, ShortMessage};
use crate::smpp::tlv;
use crate::smpp::tlv::Tlvs;
use crate::smpp::validity_period::ValidityForm;
use crate::smpp::wire_text::LongMessages;

mod alarms;
mod deliveries;
mod link;
mod lives;
mod outcomes;
mod submits;
mod watched;

/// One PDU that the session wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    command_id: CommandId,
    status: u32,
    sequence: u32,
    octets: Vec<u8>,
}

impl Written {
    fn message(&self) -> ShortMessage<'_> {
        let Cut::Frame { frame, .. } = cut(&self.octets) else {
            panic!("{self:?}")
        };
        match decode(&frame).pdu {
            Pdu::SubmitSm(message) => message,
            other => panic!("{other:?}"),
        }
    }
}

/// A session, its clock, and both ends of its wire.
struct Bench {
    session: Session,
    now_ms: i64,
    events: Vec<Event>,
    next_ticket: u64,
}

impl Bench {
    fn binding(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            name: "acme".into(),
            host: "smsc".into(),
            system_id: "user".into(),
            window: 3,
            ..Config::default()
        };
        change(&mut config);
        let setup = Setup {
            settings: Arc::new(config.compile().unwrap()),
            mode: config.bind.modes()[0],
            number: 77,
            references: Arc::new(References::new(7)),
            seed: 7,
        };
        let now_ms = 1_000_000;
        let session = Session::new(setup, now_ms);
        Self {
            session,
            now_ms,
            events: Vec::new(),
            next_ticket: 0,
        }
    }

    fn bound(change: impl FnOnce(&mut Config)) -> Self {
        let mut bench = Self::binding(change);
        let bind = bench.written();
        assert_eq!(bind.len(), 1);
        bench.receive(
            CommandId(bind[0].command_id.0).response(),
            0,
            bind[0].sequence,
            b"smsc\0",
        );
        let events = bench.events();
        assert!(matches!(&events[..], [Event::Bound { system_id, .. }] if &**system_id == "smsc"));
        bench
    }

    fn receive(&mut self, command_id: CommandId, status: u32, sequence: u32, body: &[u8]) {
        let octets = pdu_octets(command_id, status, sequence, body);
        self.session
            .on_bytes(&octets, self.now_ms, &mut self.events);
    }

    fn receive_delivery(&mut self, esm_class: u8, text: &[u8], sequence: u32) {
        let message = ShortMessage {
            source: Address {
                ton: 1,
                npi: 1,
                octets: b"447700900123",
            },
            destination: Address {
                ton: 3,
                npi: 0,
                octets: b"55501",
            },
            esm_class,
            short_message: text,
            ..ShortMessage::default()
        };
        let mut octets = Vec::new();
        encode(
            &mut octets,
            CommandStatus::OK,
            sequence,
            &Pdu::DeliverSm(message),
        )
        .unwrap();
        self.session
            .on_bytes(&octets, self.now_ms, &mut self.events);
    }

    fn answer(&mut self, submit: &Written, id: &str) {
        let body = [id.as_bytes(), b"\0"].concat();
        self.receive(CommandId::SUBMIT_SM_RESP, 0, submit.sequence, &body);
    }

    fn refuse(&mut self, submit: &Written, status: u32) {
        self.receive(CommandId::SUBMIT_SM_RESP, status, submit.sequence, b"");
    }

    fn submit(&mut self, body: &str) -> u64 {
        self.submit_from("+14155550101", body)
    }

    fn submit_from(&mut self, from: &str, body: &str) -> u64 {
        self.next_ticket += 1;
        let count = count_segments(body);
        let submission = Submission {
            ticket: Ticket(self.next_ticket),
            from: SenderAddress::parse(from).unwrap(),
            to: PhoneNumber::parse("+447700900123").unwrap(),
            body: body.into(),
            encoding: count.encoding,
            segments: count.segments,
            deadline_ms: self.now_ms + 4 * 3_600_000,
        };
        self.session
            .submit(submission, self.now_ms, &mut self.events);
        self.next_ticket
    }

    /// Lets time pass, with every deadline met on the way.
    fn pass(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while let Some(deadline_ms) = self.session.next_deadline(self.now_ms)
            && deadline_ms <= until_ms
        {
            assert!(deadline_ms > self.now_ms || !self.session.is_closed());
            self.now_ms = self.now_ms.max(deadline_ms);
            let before = self.events.len();
            self.session.poll(self.now_ms, &mut self.events);
            let is_stuck = before == self.events.len()
                && self.session.next_deadline(self.now_ms) == Some(deadline_ms)
                && deadline_ms < self.now_ms;
            assert!(!is_stuck, "a deadline that never goes away");
            if self
                .session
                .next_deadline(self.now_ms)
                .is_some_and(|next| next <= self.now_ms)
            {
                self.now_ms += 1;
            }
        }
        self.now_ms = self.now_ms.max(until_ms);
        self.session.poll(self.now_ms, &mut self.events);
    }

    fn written(&mut self) -> Vec<Written> {
        let mut out = Vec::new();
        self.session.take_output(self.now_ms, &mut out);
        let mut rest = &out[..];
        let mut pdus = Vec::new();
        while !rest.is_empty() {
            let Cut::Frame { frame, length } = cut(rest) else {
                panic!("{rest:?}")
            };
            pdus.push(Written {
                command_id: frame.header.command_id,
                status: frame.header.status.0,
                sequence: frame.header.sequence,
                octets: frame.octets.to_vec(),
            });
            rest = &rest[length..];
        }
        pdus
    }

    fn submits(&mut self) -> Vec<Written> {
        self.written()
            .into_iter()
            .filter(|w| w.command_id == CommandId::SUBMIT_SM)
            .collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn outcomes(&mut self) -> Vec<(u64, Outcome)> {
        let events = self.events();
        let outcomes = events.into_iter().filter_map(|event| match event {
            Event::Carrier(CarrierEvent::Outcome { ticket, outcome }) => Some((ticket.0, outcome)),
            _ => None,
        });
        outcomes.collect()
    }

    fn late_outcomes(&mut self) -> Vec<(u64, Outcome)> {
        let events = self.events();
        let outcomes = events.into_iter().filter_map(|event| match event {
            Event::Carrier(CarrierEvent::LateOutcome { ticket, outcome }) => {
                Some((ticket.0, outcome))
            }
            _ => None,
        });
        outcomes.collect()
    }

    fn alarms(&mut self) -> Vec<Alarm> {
        let events = self.events();
        let alarms = events.into_iter().filter_map(|event| match event {
            Event::Alarm(alarm) => Some(alarm),
            _ => None,
        });
        alarms.collect()
    }

    fn closed(&mut self) -> Option<CloseReason> {
        self.events().into_iter().find_map(|event| match event {
            Event::Closed(reason) => Some(reason),
            _ => None,
        })
    }
}

fn pdu_octets(command_id: CommandId, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let words = [length, command_id.0, status, sequence];
    let mut octets: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    octets.extend_from_slice(body);
    octets
}

fn accepted(ids: &[&str]) -> Outcome {
    Outcome::Accepted {
        ids: ids.iter().map(|id| Box::from(*id)).collect(),
    }
}

fn refusal(outcome: &Outcome) -> &Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}
