//! The request to create a message, as the caller wrote it.
//!
//! Values are still text where their meaning depends on others; `engine::accept` reads them in the
//! documented order, so that the first fault reported is always the same one.

use crate::network::Network;
use crate::opt_out::KeywordType;

/// Longest body of a message, in code points as the customer wrote it.
pub const BODY_CHARS_MAX: usize = 1_600;
/// Most media of a message.
pub const MEDIA_MAX: usize = 10;

/// The parameters of a create request. Absent and empty are different for none of them: callers
/// pass `None` for both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateMessage {
    pub to: Option<String>,
    pub from: Option<String>,
    pub fallback_from: Option<String>,
    pub messaging_service: Option<String>,
    pub body: Option<String>,
    pub media_urls: Vec<String>,
    pub content_sid: Option<String>,
    pub content_variables: Option<String>,
    pub status_callback: Option<String>,
    pub application: Option<String>,
    pub validity_period: Option<String>,
    pub smart_encoded: Option<bool>,
    pub shorten_urls: Option<bool>,
    pub schedule_type: Option<String>,
    pub send_at: Option<String>,
    pub send_as_mms: Option<bool>,
    pub provide_feedback: Option<bool>,
    pub content_retention: Option<String>,
    pub address_retention: Option<String>,
    pub attempt: Option<String>,
    pub max_price: Option<String>,
    pub risk_check: Option<String>,
    pub traffic_type: Option<String>,
    pub persistent_actions: Vec<String>,
    /// No parameter of a message: the network that serves the recipient, where a lookup told or a
    /// question supposes one.
    pub recipient_network: Option<Network>,
    /// No parameter either: the message answers an opt-out keyword.
    pub auto_reply: Option<KeywordType>,
}
