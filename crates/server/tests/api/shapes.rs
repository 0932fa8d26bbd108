//! The keys of every resource, in the order of the published OpenAPI documents
//! (<https://github.com/twilio/twilio-oai>: `twilio_api_v2010.json`, `twilio_messaging_v1.json`,
//! `twilio_messaging_v2.json` and `twilio_monitor_v1.json`).

pub(crate) const MESSAGE: &[&str] = &[
    "body",
    "num_segments",
    "direction",
    "from",
    "to",
    "date_updated",
    "price",
    "error_message",
    "uri",
    "account_sid",
    "num_media",
    "status",
    "messaging_service_sid",
    "sid",
    "date_sent",
    "date_created",
    "error_code",
    "price_unit",
    "api_version",
    "subresource_uris",
];

pub(crate) const ACCOUNT: &[&str] = &[
    "auth_token",
    "date_created",
    "date_updated",
    "friendly_name",
    "owner_account_sid",
    "sid",
    "status",
    "subresource_uris",
    "type",
    "uri",
];

pub(crate) const KEY: &[&str] = &["sid", "friendly_name", "date_created", "date_updated"];

pub(crate) const NEW_KEY: &[&str] = &[
    "sid",
    "friendly_name",
    "date_created",
    "date_updated",
    "secret",
];

pub(crate) const INCOMING_PHONE_NUMBER: &[&str] = &[
    "account_sid",
    "address_sid",
    "address_requirements",
    "api_version",
    "beta",
    "capabilities",
    "date_created",
    "date_updated",
    "friendly_name",
    "identity_sid",
    "phone_number",
    "origin",
    "sid",
    "sms_application_sid",
    "sms_fallback_method",
    "sms_fallback_url",
    "sms_method",
    "sms_url",
    "status_callback",
    "status_callback_method",
    "trunk_sid",
    "uri",
    "voice_receive_mode",
    "voice_application_sid",
    "voice_caller_id_lookup",
    "voice_fallback_method",
    "voice_fallback_url",
    "voice_method",
    "voice_url",
    "emergency_status",
    "emergency_address_sid",
    "emergency_address_status",
    "bundle_sid",
    "status",
    "type",
];

pub(crate) const SHORT_CODE: &[&str] = &[
    "account_sid",
    "api_version",
    "date_created",
    "date_updated",
    "friendly_name",
    "short_code",
    "sid",
    "sms_fallback_method",
    "sms_fallback_url",
    "sms_method",
    "sms_url",
    "uri",
];

pub(crate) const SERVICE: &[&str] = &[
    "sid",
    "account_sid",
    "friendly_name",
    "date_created",
    "date_updated",
    "inbound_request_url",
    "inbound_method",
    "fallback_url",
    "fallback_method",
    "status_callback",
    "sticky_sender",
    "mms_converter",
    "smart_encoding",
    "scan_message_content",
    "fallback_to_long_code",
    "area_code_geomatch",
    "synchronous_validation",
    "validity_period",
    "url",
    "links",
    "usecase",
    "us_app_to_person_registered",
    "use_inbound_webhook_on_number",
];

pub(crate) const SERVICE_LINKS: &[&str] = &[
    "phone_numbers",
    "short_codes",
    "alpha_senders",
    "messages",
    "us_app_to_person",
    "us_app_to_person_usecases",
    "channel_senders",
    "destination_alpha_senders",
];

pub(crate) const POOL_PHONE_NUMBER: &[&str] = &[
    "sid",
    "account_sid",
    "service_sid",
    "date_created",
    "date_updated",
    "phone_number",
    "country_code",
    "capabilities",
    "url",
];

pub(crate) const POOL_SHORT_CODE: &[&str] = &[
    "sid",
    "account_sid",
    "service_sid",
    "date_created",
    "date_updated",
    "short_code",
    "country_code",
    "capabilities",
    "url",
];

pub(crate) const ALPHA_SENDER: &[&str] = &[
    "sid",
    "account_sid",
    "service_sid",
    "date_created",
    "date_updated",
    "alpha_sender",
    "capabilities",
    "url",
];

pub(crate) const DESTINATION_ALPHA_SENDER: &[&str] = &[
    "sid",
    "account_sid",
    "service_sid",
    "date_created",
    "date_updated",
    "alpha_sender",
    "capabilities",
    "url",
    "iso_country_code",
];

/// Beside the list itself.
pub(crate) const PAGE_2010: &[&str] = &[
    "end",
    "first_page_uri",
    "next_page_uri",
    "page",
    "page_size",
    "previous_page_uri",
    "start",
    "uri",
];

pub(crate) const META_V1: &[&str] = &[
    "page",
    "page_size",
    "first_page_url",
    "previous_page_url",
    "next_page_url",
    "url",
    "key",
];

pub(crate) const ALERT: &[&str] = &[
    "account_sid",
    "alert_text",
    "api_version",
    "date_created",
    "date_generated",
    "date_updated",
    "error_code",
    "log_level",
    "more_info",
    "request_method",
    "request_url",
    "resource_sid",
    "sid",
    "url",
    "service_sid",
];

pub(crate) const ALERT_INSTANCE: &[&str] = &[
    "account_sid",
    "alert_text",
    "api_version",
    "date_created",
    "date_generated",
    "date_updated",
    "error_code",
    "log_level",
    "more_info",
    "request_method",
    "request_url",
    "request_variables",
    "resource_sid",
    "response_body",
    "response_headers",
    "sid",
    "url",
    "request_headers",
    "service_sid",
];
pub(crate) const POOL_CHANNEL_SENDER: &[&str] = &[
    "account_sid",
    "messaging_service_sid",
    "sid",
    "sender",
    "sender_type",
    "country_code",
    "date_created",
    "date_updated",
    "url",
];

pub(crate) const CHANNELS_SENDER: &[&str] = &[
    "sid",
    "status",
    "sender_id",
    "configuration",
    "webhook",
    "profile",
    "properties",
    "offline_reasons",
    "compliance",
    "url",
];

pub(crate) const CHANNELS_SENDER_CONFIGURATION: &[&str] = &[
    "waba_id",
    "verification_method",
    "verification_code",
    "voice_application_sid",
    "account_type",
];

pub(crate) const CHANNELS_SENDER_WEBHOOK: &[&str] = &[
    "callback_url",
    "callback_method",
    "fallback_url",
    "fallback_method",
    "status_callback_url",
    "status_callback_method",
];

pub(crate) const CHANNELS_SENDER_PROFILE: &[&str] = &[
    "name",
    "about",
    "address",
    "description",
    "logo_url",
    "banner_url",
    "privacy_url",
    "terms_of_service_url",
    "accent_color",
    "vertical",
    "websites",
    "emails",
    "phone_numbers",
];

pub(crate) const CAMPAIGN: &[&str] = &[
    "sid",
    "account_sid",
    "brand_registration_sid",
    "messaging_service_sid",
    "description",
    "message_samples",
    "us_app_to_person_usecase",
    "has_embedded_links",
    "has_embedded_phone",
    "subscriber_opt_in",
    "age_gated",
    "direct_lending",
    "campaign_status",
    "campaign_id",
    "is_externally_registered",
    "rate_limits",
    "message_flow",
    "opt_in_message",
    "opt_out_message",
    "help_message",
    "opt_in_keywords",
    "opt_out_keywords",
    "help_keywords",
    "date_created",
    "date_updated",
    "url",
    "mock",
    "errors",
    "privacy_policy_url",
    "terms_and_conditions_url",
];

pub(crate) const BRAND: &[&str] = &[
    "sid",
    "account_sid",
    "customer_profile_bundle_sid",
    "a2p_profile_bundle_sid",
    "date_created",
    "date_updated",
    "brand_type",
    "status",
    "tcr_id",
    "failure_reason",
    "errors",
    "url",
    "brand_score",
    "brand_feedback",
    "identity_status",
    "russell_3000",
    "government_entity",
    "tax_exempt_status",
    "skip_automatic_sec_vet",
    "mock",
    "links",
];

pub(crate) const BRAND_LINKS: &[&str] = &["brand_vettings", "brand_registration_otps"];
