//! Any octets as SMPP frames: cutting never reads beyond a frame, decoding never panics, and what was
//! decoded can be written again within the limits or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_carriers::smpp::decode::{Cut, cut, decode};
use postrider_carriers::smpp::encode::encode;

fuzz_target!(|octets: &[u8]| {
    let mut rest = octets;
    while let Cut::Frame { frame, length } = cut(rest) {
        assert!(length <= rest.len());
        let decoded = decode(&frame);
        let mut written = Vec::new();
        let header = &frame.header;
        let _ = encode(&mut written, header.status, header.sequence, &decoded.pdu);
        rest = &rest[length..];
    }
});
