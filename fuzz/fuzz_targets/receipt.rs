//! Any short message as a receipt in every dialect, and as a text from a handset.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_carriers::smpp::Config;
use postrider_carriers::smpp::inbound_text::inbound_text;
use postrider_carriers::smpp::pdu::ShortMessage;
use postrider_carriers::smpp::receipt::receipt;
use postrider_carriers::smpp::wire_text::Gsm7Wire;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (esm_class, data_coding, short_message) = input;
    let config = Config {
        name: "fuzz".into(),
        host: "smsc".into(),
        system_id: "user".into(),
        ..Config::default()
    };
    let settings = config.compile().expect("the defaults are good");
    let message = ShortMessage {
        esm_class,
        data_coding,
        short_message,
        ..ShortMessage::default()
    };
    let _ = receipt(&message, &settings.receipts, &settings.addresses);
    for wire in [Gsm7Wire::Unpacked, Gsm7Wire::Packed, Gsm7Wire::Latin1] {
        let _ = inbound_text(&message, wire);
    }
});
