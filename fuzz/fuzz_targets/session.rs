//! A whole bind with a peer that says anything: no panic, and the books balance at the end.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use postrider_carriers::smpp::Config;
use postrider_carriers::smpp::pdu::BindMode;
use postrider_carriers::smpp::session::{References, Session, Setup};

fuzz_target!(|pieces: Vec<(u16, &[u8])>| {
    let config = Config {
        name: "fuzz".into(),
        host: "smsc".into(),
        system_id: "user".into(),
        ..Config::default()
    };
    let setup = Setup {
        settings: Arc::new(config.compile().expect("the defaults are good")),
        mode: BindMode::Transceiver,
        number: 1,
        references: Arc::new(References::new(7)),
        seed: 7,
    };
    let mut now_ms = 0;
    let mut session = Session::new(setup, now_ms);
    let (mut events, mut written) = (Vec::new(), Vec::new());
    for (wait_ms, octets) in pieces {
        now_ms += i64::from(wait_ms);
        session.poll(now_ms, &mut events);
        session.on_bytes(octets, now_ms, &mut events);
        written.clear();
        session.take_output(now_ms, &mut written);
        events.clear();
    }
    session.lost(&mut events);
    assert!(session.is_closed());
    assert_eq!(session.in_flight(), 0);
});
