//! How the receipts of one carrier group were read so far: the self-check of guessing.
//!
//! Only receipts count whose id could be read in several ways, of which exactly one led to a message
//! to the receipt's handset. From them comes what the carrier usually means (`matching.rs` asks), and
//! after a hundred the settings that would end the guessing are proposed to the operator.
//!
//! Kept in memory only: after a restart the first receipts teach it again.

use postrider_carriers::correlation::Reading;
use postrider_core::clock::Millis;

/// So many receipts agree before settings are proposed.
const AGREED_ENOUGH: u64 = 100;

/// So many receipts make a habit. One or two may be chance, or early: a receipt that overtook its
/// answer may name the id of somebody else's message.
const HABIT: u64 = 3;

/// Warnings about one group are this far apart.
const WARN_EVERY_MS: Millis = 3_600_000;

#[derive(Debug, Default)]
pub(super) struct TrackRecord {
    /// By [`Reading`].
    agreed: [u64; 3],
    contradicted: u64,
    warned_ms: Option<Millis>,
}

impl TrackRecord {
    /// What the carrier's ids mean most often. One receipt is enough to choose by between messages
    /// to one handset: without it there would be nothing to choose by.
    pub(super) fn usual(&self) -> Option<Reading> {
        let counted = Reading::ALL.into_iter().zip(self.agreed);
        // The last of equals is the most literal.
        let most = counted.rev().max_by_key(|(_, count)| *count);
        most.filter(|(_, count)| *count > 0)
            .map(|(reading, _)| reading)
    }

    /// Whether the literal id is enough when the receipt's handset does not confirm it: the carrier
    /// means ids literally, or never writes handsets as we do.
    pub(super) fn trusts_id_alone(&self) -> bool {
        match self.usual() {
            Some(Reading::AsWritten) => self.agreed[0] >= HABIT,
            Some(_) => false,
            None => self.contradicted >= HABIT,
        }
    }

    /// A receipt went to a message to its handset, and no other reading led to one.
    pub(super) fn agreed(&mut self, group: &str, reading: Reading) {
        self.agreed[reading as usize] += 1;
        let total: u64 = self.agreed.iter().sum();
        if total != AGREED_ENOUGH {
            return;
        }
        if self.agreed[reading as usize] == total {
            let (resp_id, dlr_id) = reading.settings();
            tracing::info!(
                group,
                resp_id,
                dlr_id,
                "{AGREED_ENOUGH} receipts agree on the form of their ids: with these settings \
                 nothing needs to be guessed"
            );
        } else {
            tracing::warn!(
                group,
                as_written = self.agreed[0],
                decimal_to_hexadecimal = self.agreed[1],
                hexadecimal_to_decimal = self.agreed[2],
                "receipts disagree on the form of their ids: ask the carrier, and set resp_id and \
                 dlr_id"
            );
        }
    }

    /// Several readings of a receipt's id led to a message to its handset.
    pub(super) fn ambiguous(&mut self, group: &str, now_ms: Millis) {
        if self.may_warn(now_ms) {
            tracing::warn!(
                group,
                "a receipt's id means two messages to one handset, read as decimal or as \
                 hexadecimal: set resp_id and dlr_id"
            );
        }
    }

    /// The message with a receipt's literal id went to another handset.
    pub(super) fn contradicted(&mut self, group: &str, now_ms: Millis) {
        self.contradicted += 1;
        if self.contradicted >= HABIT && self.usual().is_none() && self.may_warn(now_ms) {
            tracing::warn!(
                group,
                "receipts name other handsets than the messages with their ids: set resp_id and \
                 dlr_id, and rewrite_inbound_source where handsets come in another form"
            );
        }
    }

    fn may_warn(&mut self, now_ms: Millis) -> bool {
        let is_due = self.warned_ms.is_none_or(|at| now_ms - at >= WARN_EVERY_MS);
        if is_due {
            self.warned_ms = Some(now_ms);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(agreed: [u64; 3], contradicted: u64) -> TrackRecord {
        TrackRecord {
            agreed,
            contradicted,
            warned_ms: None,
        }
    }

    #[test]
    fn the_usual_reading_is_that_of_most_receipts_and_the_literal_one_of_equals() {
        use Reading::{AsWritten, DecimalToHexadecimal, HexadecimalToDecimal};
        for (agreed, usual) in [
            ([0, 0, 0], None),
            ([1, 0, 0], Some(AsWritten)),
            ([2, 2, 0], Some(AsWritten)),
            ([2, 3, 3], Some(DecimalToHexadecimal)),
            ([0, 0, 1], Some(HexadecimalToDecimal)),
        ] {
            assert_eq!(record(agreed, 0).usual(), usual, "{agreed:?}");
        }
    }

    #[test]
    fn an_id_is_trusted_alone_where_that_is_the_habit_or_handsets_never_agree() {
        for (agreed, contradicted, is_trusted) in [
            ([0, 0, 0], 2, false),
            ([0, 0, 0], 3, true),
            ([2, 0, 0], 9, false),
            ([3, 0, 0], 0, true),
            ([0, 1, 0], 9, false),
            ([3, 4, 0], 9, false),
        ] {
            let record = record(agreed, contradicted);
            assert_eq!(record.trusts_id_alone(), is_trusted, "{record:?}");
        }
    }

    #[test]
    fn warnings_are_an_hour_apart() {
        let mut record = TrackRecord::default();
        let warned = [0, 1, WARN_EVERY_MS - 1, WARN_EVERY_MS].map(|at_ms| record.may_warn(at_ms));
        assert_eq!(warned, [true, false, false, true]);
    }
}
