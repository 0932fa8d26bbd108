//! Integers that stand for texts in indexes: stable for ever, because files hold them.
//!
//! An address or a carrier's id of any length becomes one 64-bit integer, which makes the indexes half
//! as big as they would be with text. Equal integers do not prove equal texts: queries compare those
//! too. The functions must never change; their test holds fixed values.

use sha2::{Digest, Sha256};

use crate::contract::SubmittedKey;

/// The integer of an address: the digits of an E.164 number as they are, of anything else (short
/// codes, alpha senders, channel addresses) a hash with the sign bit set, so that they never meet.
pub(super) fn address_key(address: &str) -> i64 {
    e164_digits(address).unwrap_or_else(|| hash(&[address.as_bytes()]) | i64::MIN)
}

fn e164_digits(address: &str) -> Option<i64> {
    // 18 digits fit; E.164 has at most 15.
    let digits = address.strip_prefix('+').filter(|d| d.len() <= 18)?;
    let is_plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_plain.then(|| digits.parse().ok()).flatten()
}

/// The reference of a carrier's id within a group.
pub(super) fn submitted_ref(key: &SubmittedKey) -> i64 {
    hash(&[key.group.as_bytes(), &[0], key.carrier_id.as_bytes()])
}

/// The first eight octets of SHA-256, big-endian.
fn hash(parts: &[&[u8]]) -> i64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&digest.finalize()[..8]);
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(group: &str, id: &str) -> i64 {
        submitted_ref(&SubmittedKey {
            group: group.into(),
            carrier_id: id.into(),
        })
    }

    #[test]
    fn the_integers_in_files_never_change() {
        assert_eq!(address_key("+14155550100"), 14_155_550_100);
        assert_eq!(address_key("12345"), -2_768_509_690_793_881_302);
        assert_eq!(reference("acme", "00a1b2c3"), 2_654_463_116_779_217_343);
    }

    #[test]
    fn numbers_and_other_addresses_never_meet() {
        for address in [
            "",
            "+",
            "12345",
            "ACME",
            "whatsapp:+14155550100",
            "+1234567890123456789",
        ] {
            assert!(address_key(address) < 0, "{address}");
        }
        assert!(address_key("+999999999999999999") > 0);
    }

    #[test]
    fn groups_keep_their_ids_apart() {
        assert_ne!(reference("acme", "77001"), reference("bell", "77001"));
        assert_ne!(reference("acme", "77001"), reference("acme", "78001"));
    }
}
