//! What messages are for: the use cases of services, and those of US campaigns.
//!
//! <https://www.twilio.com/docs/messaging/api/service-resource>

use serde::Serialize;

use crate::call::{Call, Method};
use crate::error::Refusal;
use crate::reply::{Answer, Reply};

/// Of `/v1/Services/Usecases`: word, what it is for.
const OF_SERVICES: [(&str, &str, &str); 6] = [
    (
        "notifications",
        "Messages about what happened: orders, appointments, alarms",
        "Notify my users.",
    ),
    (
        "marketing",
        "Messages about products, offers and events",
        "Market my services.",
    ),
    (
        "verification",
        "One-time passwords and other proofs of identity",
        "Verify users.",
    ),
    (
        "discussion",
        "Messages between people, in both directions",
        "Engage in a discussion.",
    ),
    ("poll", "Questions, votes and surveys", "Poll my audience."),
    ("undeclared", "Not told", "Not declared yet."),
];

pub(super) fn is_of_service(usecase: &str) -> bool {
    OF_SERVICES.iter().any(|(word, ..)| *word == usecase)
}

#[derive(Serialize)]
struct UsecasesJson {
    usecases: [UsecaseJson; OF_SERVICES.len()],
}

#[derive(Serialize)]
struct UsecaseJson {
    usecase: &'static str,
    description: &'static str,
    purpose: &'static str,
}

pub(super) fn of_services(call: &Call<'_>) -> Answer {
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let usecases = OF_SERVICES.map(|(usecase, description, purpose)| UsecaseJson {
        usecase,
        description,
        purpose,
    });
    Ok(Reply::ok(&UsecasesJson { usecases }))
}

/// Of US campaigns: code, name, what it is for, whether carriers look at it again after it is approved.
const OF_CAMPAIGNS: [(&str, &str, &str, bool); 21] = [
    (
        "2FA",
        "Two-Factor authentication (2FA)",
        "One-time passwords",
        false,
    ),
    (
        "ACCOUNT_NOTIFICATION",
        "Account Notification",
        "News of an account its owner has",
        false,
    ),
    (
        "AGENTS_FRANCHISES",
        "Agents and Franchises",
        "Local branches of one brand",
        true,
    ),
    (
        "CHARITY",
        "Charity",
        "Donations to a registered charity",
        false,
    ),
    (
        "PROXY",
        "Proxy",
        "Two people behind numbers of a third",
        true,
    ),
    (
        "CUSTOMER_CARE",
        "Customer Care",
        "Support of customers",
        false,
    ),
    (
        "DELIVERY_NOTIFICATION",
        "Delivery Notification",
        "Where a delivery is",
        false,
    ),
    (
        "EMERGENCY",
        "Emergency",
        "Warnings by or for public services",
        true,
    ),
    (
        "FRAUD_ALERT",
        "Fraud Alert Messaging",
        "Suspicious use of an account",
        false,
    ),
    (
        "HIGHER_EDUCATION",
        "Higher Education",
        "Colleges and universities",
        false,
    ),
    ("K12_EDUCATION", "K-12 Education", "Schools", true),
    (
        "LOW_VOLUME",
        "Low Volume Mixed",
        "Several uses, few messages",
        false,
    ),
    ("MARKETING", "Marketing", "Offers and promotions", false),
    ("MIXED", "Mixed", "Several uses", false),
    ("POLITICAL", "Political", "Election campaigns", false),
    (
        "POLLING_VOTING",
        "Polling and voting",
        "Surveys and votes, not political",
        false,
    ),
    (
        "PUBLIC_SERVICE_ANNOUNCEMENT",
        "Public Service Announcement",
        "News of public interest",
        false,
    ),
    (
        "SECURITY_ALERT",
        "Security Alert",
        "A breach that asks for action",
        false,
    ),
    ("SOCIAL", "Social", "Talk in communities", true),
    (
        "SOLE_PROPRIETOR",
        "Sole Proprietor",
        "A person's own small business",
        false,
    ),
    ("SWEEPSTAKE", "Sweepstake", "Prize draws", true),
];

pub(super) fn is_of_campaign(usecase: &str) -> bool {
    OF_CAMPAIGNS.iter().any(|(code, ..)| *code == usecase)
}

#[derive(Serialize)]
struct CampaignUsecasesJson {
    us_app_to_person_usecases: Vec<CampaignUsecaseJson>,
}

#[derive(Serialize)]
struct CampaignUsecaseJson {
    code: &'static str,
    name: &'static str,
    description: &'static str,
    post_approval_required: bool,
}

/// The same for every brand: which of them a brand may have is its carriers' word.
pub(super) fn of_campaigns(call: &Call<'_>) -> Answer {
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let shown = |(code, name, description, post_approval_required)| CampaignUsecaseJson {
        code,
        name,
        description,
        post_approval_required,
    };
    Ok(Reply::ok(&CampaignUsecasesJson {
        us_app_to_person_usecases: OF_CAMPAIGNS.map(shown).into(),
    }))
}
