//! Registrations of application-to-person traffic from US long codes: brands and campaigns.
//!
//! Records only: carriers register, and the operator who deals with them writes down what they said.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::sid::{AccountSid, BrandSid, BundleSid, CampaignSid, ServiceSid};

/// A company that sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Brand {
    pub sid: BrandSid,
    pub account: AccountSid,
    pub customer_profile: BundleSid,
    pub a2p_profile: BundleSid,
    pub brand_type: String,
    pub skip_automatic_sec_vet: bool,
    pub is_mock: bool,
    pub status: BrandStatus,
    /// What The Campaign Registry calls it.
    pub tcr_id: Option<String>,
    pub created_ms: Millis,
    pub updated_ms: Millis,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BrandStatus {
    #[default]
    Pending,
    Approved,
    Failed,
    InReview,
    DeletionPending,
    DeletionFailed,
    Suspended,
}

/// What a company sends through one Messaging Service.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the resource has these switches"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    pub sid: CampaignSid,
    pub account: AccountSid,
    pub service: ServiceSid,
    /// `None` for one that was registered elsewhere.
    pub brand: Option<BrandSid>,
    pub status: CampaignStatus,
    /// What The Campaign Registry calls it.
    pub campaign_id: Option<String>,
    pub is_externally_registered: bool,
    pub usecase: Option<String>,
    pub description: Option<String>,
    pub message_flow: Option<String>,
    pub message_samples: Vec<String>,
    pub has_embedded_links: bool,
    pub has_embedded_phone: bool,
    pub subscriber_opt_in: bool,
    pub age_gated: bool,
    pub direct_lending: bool,
    pub opt_in_message: Option<String>,
    pub opt_out_message: Option<String>,
    pub help_message: Option<String>,
    pub opt_in_keywords: Vec<String>,
    pub opt_out_keywords: Vec<String>,
    pub help_keywords: Vec<String>,
    pub privacy_policy_url: Option<String>,
    pub terms_and_conditions_url: Option<String>,
    pub created_ms: Millis,
    pub updated_ms: Millis,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CampaignStatus {
    #[default]
    Pending,
    InProgress,
    Verified,
    Failed,
    Suspended,
}

impl Campaign {
    /// A campaign of which nothing is known yet.
    pub fn new(sid: CampaignSid, account: AccountSid, service: ServiceSid, now_ms: Millis) -> Self {
        Self {
            sid,
            account,
            service,
            brand: None,
            status: CampaignStatus::Pending,
            campaign_id: None,
            is_externally_registered: false,
            usecase: None,
            description: None,
            message_flow: None,
            message_samples: Vec::new(),
            has_embedded_links: false,
            has_embedded_phone: false,
            subscriber_opt_in: false,
            age_gated: false,
            direct_lending: false,
            opt_in_message: None,
            opt_out_message: None,
            help_message: None,
            opt_in_keywords: Vec::new(),
            opt_out_keywords: Vec::new(),
            help_keywords: Vec::new(),
            privacy_policy_url: None,
            terms_and_conditions_url: None,
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }

    pub fn is_verified(&self) -> bool {
        self.status == CampaignStatus::Verified
    }
}
