//! What dispatch knows of a carrier: its policy, its room, and who is waiting for it.

use std::sync::Arc;

use postrider_carriers::UnknownOutcome;
use postrider_core::lifecycle::ReceiptParts;

use super::ring::Ring;

/// The settings of a carrier that the engine, not the carrier, obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierPolicy {
    pub name: Arc<str>,
    /// Carriers of one group share the ids they give: all binds of one account at a carrier.
    pub group: Arc<str>,
    pub unknown_outcome: UnknownOutcome,
    pub receipt_parts: ReceiptParts,
}

#[derive(Debug)]
pub(super) struct CarrierState {
    pub(super) policy: CarrierPolicy,
    /// Segments it takes at once; 0 while no link is up.
    pub(super) limit: u32,
    /// Segments it has and has not answered for.
    pub(super) outstanding: u32,
    /// Lanes with a message that may go now.
    pub(super) ready: Ring,
}

impl CarrierState {
    pub(super) fn new(policy: CarrierPolicy) -> Self {
        Self {
            policy,
            limit: 0,
            outstanding: 0,
            ready: Ring::default(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.outstanding < self.limit
    }
}
