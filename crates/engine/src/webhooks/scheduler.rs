//! Decides which attempt is made when: a plain value, without clock, tasks or chance.

use postrider_core::clock::Millis;

/// The bounds that a scheduler keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts in flight, over all endpoints.
    pub concurrency: usize,
    /// Attempts in flight to one endpoint.
    pub per_endpoint_concurrency: usize,
    /// Jobs waiting in memory, over all endpoints.
    pub queue: usize,
    /// Jobs of one endpoint waiting in memory.
    pub per_endpoint_queue: usize,
    /// Age at which a job that was not tried yet is given up.
    pub age_ms_max: Millis,
}
