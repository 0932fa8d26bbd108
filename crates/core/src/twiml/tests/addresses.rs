//! Who a reply goes to and from.

use super::super::{InboundAddresses, ReplyMessage};

#[test]
fn a_reply_is_addressed_by_its_verb_and_the_inbound_message() {
    const US: (&str, &str) = ("+14155550199", "+14155550101");
    const GB: (&str, &str) = ("+447700900199", "+447700900101");
    const CODE: (&str, &str) = ("+447700900199", "55501");
    const CHAT: (&str, &str) = ("whatsapp:+14155550199", "whatsapp:+14155550101");
    const RCS: (&str, &str) = ("rcs:+14155550199", "rcs:acme_agent");
    // Inbound From and To; 'to' and 'from' of the verb, - for none; To and From, or a code.
    #[rustfmt::skip]
    let rows: &[((&str, &str), &str, &str, &str)] = &[
        (US, "-", "-", "+14155550199 +14155550101"),
        (US, "+447700900199", "-", "+447700900199 +14155550101"),
        (US, "-", "+14155550102", "+14155550199 +14155550102"),
        (US, "-", "55501", "+14155550199 55501"),
        (US, "-", "ACME", "+14155550199 ACME"),
        (US, "-", "(415) 555-0102", "+14155550199 +14155550102"),
        (CODE, "-", "-", "+447700900199 55501"),
        // A bare number is one of the country of the sender.
        (US, "4155550198", "-", "+14155550198 +14155550101"),
        (US, "(415) 555-0198", "-", "+14155550198 +14155550101"),
        (US, "14155550198", "-", "+14155550198 +14155550101"),
        (GB, "07700900198", "-", "+447700900198 +447700900101"),
        (GB, "4155550198", "+14155550101", "+14155550198 +14155550101"),
        (US, "07700900198", "+447700900101", "+447700900198 +447700900101"),
        // A short code is in the country of who wrote to it.
        (CODE, "07700900198", "-", "+447700900198 55501"),
        // Channels are inherited, named in either case, and repaired.
        (CHAT, "-", "-", "whatsapp:+14155550199 whatsapp:+14155550101"),
        (CHAT, "+14155550198", "+14155550102", "whatsapp:+14155550198 whatsapp:+14155550102"),
        (CHAT, "4155550198", "-", "whatsapp:+14155550198 whatsapp:+14155550101"),
        (CHAT, "WhatsApp:+447700900199", "-", "whatsapp:+447700900199 whatsapp:+14155550101"),
        (CHAT, "whatsapp:447700900199", "whatsapp:14155550102", "whatsapp:+447700900199 whatsapp:+14155550102"),
        (CHAT, "-", "4155550102", "whatsapp:+14155550199 whatsapp:+14155550102"),
        // Without a prefix it is no WhatsApp id, so these digits are not Germany's.
        (CHAT, "-", "4915110000001", "14102"),
        (US, "whatsapp:+14155550198", "whatsapp:+14155550102", "whatsapp:+14155550198 whatsapp:+14155550102"),
        (RCS, "-", "-", "rcs:+14155550199 rcs:acme_agent"),
        (RCS, "-", "other_agent", "rcs:+14155550199 rcs:other_agent"),
        // Two channels at once.
        (US, "whatsapp:+14155550198", "-", "21910"),
        (US, "-", "whatsapp:+14155550102", "21910"),
        (CHAT, "rcs:+14155550199", "-", "21910"),
        // No recipient: nobody can text a name, and short codes are senders.
        (("ACME", "+14155550101"), "-", "-", "14101"),
        (("55502", "+14155550101"), "-", "-", "14101"),
        (("", "+14155550101"), "-", "-", "14101"),
        (("ACME", "+14155550101"), "+14155550199", "-", "+14155550199 +14155550101"),
        (US, "55502", "-", "14101"),
        (US, "555-0198", "-", "14101"),
        (US, "+1415555", "-", "14101"),
        (US, "bob", "-", "14101"),
        (US, "sip:bob@example.com", "-", "14101"),
        (CHAT, "bob", "-", "14101"),
        (RCS, "rcs:", "-", "14101"),
        // No sender.
        (US, "-", "+1415555", "14102"),
        (US, "-", "twelve letters", "14102"),
        (US, "-", "MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "14102"),
        (CHAT, "-", "ACME", "14102"),
        (CHAT, "-", "whatsapp:", "14102"),
    ];
    let given = |text: &str| (text != "-").then(|| text.to_owned());
    for ((inbound_from, inbound_to), to, from, expected) in rows {
        let message = ReplyMessage {
            to: given(to),
            from: given(from),
            ..ReplyMessage::default()
        };
        let addressed = message.addresses(InboundAddresses {
            from: inbound_from,
            to: inbound_to,
        });
        let read = match addressed {
            Ok(addresses) => format!("{} {}", addresses.to, addresses.from),
            Err(fault) => fault.code.to_string(),
        };
        assert_eq!(
            read, *expected,
            "{inbound_from} {inbound_to}: to={to} from={from}"
        );
    }
}
