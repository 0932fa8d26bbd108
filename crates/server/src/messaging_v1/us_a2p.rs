//! `/v1/Services/{MG}/Compliance/Usa2p`: the campaign under which a service's US long codes send.
//!
//! A record. Carriers decide on it, and the operator who deals with them writes down what they said:
//! `CampaignStatus` and `CampaignId` are extensions of the update for that.
//! <https://www.twilio.com/docs/messaging/api/usapptoperson-resource>

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{Campaign, CampaignStatus, Service};
use postrider_core::sid::{AccountSid, BrandSid, CampaignSid, ServiceSid};
use serde::Serialize;

use super::{find, usecases};
use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::{Change, Form};
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

/// What a campaign must tell when it is created.
const REQUIRED: [&str; 7] = [
    "BrandRegistrationSid",
    "Description",
    "MessageFlow",
    "MessageSamples",
    "UsAppToPersonUsecase",
    "HasEmbeddedLinks",
    "HasEmbeddedPhone",
];

pub(super) async fn route(call: &Call<'_>, service: &Service, path: &[&str]) -> Answer {
    match *path {
        ["Usa2p"] => match call.method {
            Method::Post => create(call, service).await,
            Method::Get => list(call, service),
            Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
        },
        ["Usa2p", "Usecases"] => usecases::of_campaigns(call),
        ["Usa2p", sid] => instance(call, service, sid).await,
        _ => Err(Refusal::not_found()),
    }
}

/// `/v1/Services/PreregisteredUsa2p`: a campaign that was registered elsewhere, under its own id.
pub(super) async fn preregistered(call: &Call<'_>) -> Answer {
    if call.method != Method::Post {
        return Err(Refusal::method_not_allowed("POST"));
    }
    let form = call.form()?;
    let campaign_id = form.required("CampaignId")?.to_owned();
    check_length("CampaignId", &campaign_id, 1, 64)?;
    let service = form.required("MessagingServiceSid")?;
    let service: ServiceSid = service.parse().map_err(|_| ErrorCode::InvalidServiceSid)?;
    form.switch("CnpMigration")?;
    let service = find(call, &service.to_string()).ok_or(ErrorCode::ServiceNotFound)?;
    let change = |campaign: &mut Campaign| {
        campaign.campaign_id = Some(campaign_id);
        campaign.is_externally_registered = true;
        // Who has such an id has been registered.
        campaign.status = CampaignStatus::Verified;
    };
    let account = service.account;
    let created = call.engine().create_campaign(account, service.sid, change);
    let created = created.await?;
    Ok(Reply::created(&PreregisteredJson {
        sid: created.sid,
        account_sid: created.account,
        campaign_id: created.campaign_id.as_deref(),
        messaging_service_sid: created.service,
        date_created: Iso8601(created.created_ms),
    }))
}

async fn create(call: &Call<'_>, service: &Service) -> Answer {
    let form = call.form()?;
    if let Some(missing) = REQUIRED.iter().find(|name| form.text(name).is_none()) {
        let text = format!("the required parameter '{missing}' is missing");
        return Err(Fault::because(ErrorCode::CampaignParameterMissing, text).into());
    }
    let changes = Changes::read(&form)?;
    let brand: BrandSid = form
        .required("BrandRegistrationSid")?
        .parse()
        .map_err(|_| ErrorCode::InvalidSid)?;
    let usecase = form.required("UsAppToPersonUsecase")?.to_owned();
    if !usecases::is_of_campaign(&usecase) {
        return Err(ErrorCode::InvalidCampaignUseCase.into());
    }
    let change = |campaign: &mut Campaign| {
        campaign.brand = Some(brand);
        campaign.usecase = Some(usecase);
        changes.apply(campaign);
    };
    let account = service.account;
    let created = call.engine().create_campaign(account, service.sid, change);
    Ok(Reply::created(&CampaignJson::new(call, &*created.await?)))
}

fn list(call: &Call<'_>, service: &Service) -> Answer {
    let path = format!("/v1/Services/{}/Compliance/Usa2p", service.sid);
    let request = PageRequest::new(path, &call.query()?, &[])?;
    let campaigns: Vec<_> = call
        .directory()
        .campaign_of(service.sid)
        .into_iter()
        .collect();
    let page = request.page_of(campaigns, |campaign| campaign.sid.0.as_u128());
    let shown = page.map(|campaign| CampaignJson::new(call, campaign));
    Ok(Reply::ok(&shown.in_v1("compliance", call.base)))
}

async fn instance(call: &Call<'_>, service: &Service, sid: &str) -> Answer {
    let campaign = find_campaign(call, service, sid).ok_or(ErrorCode::NotFound)?;
    match call.method {
        Method::Get => Ok(Reply::ok(&CampaignJson::new(call, &campaign))),
        Method::Post => {
            let changes = Changes::read(&call.form()?)?;
            let apply = |campaign: &mut Campaign| changes.apply(campaign);
            let updated = call.engine().update_campaign(campaign.sid, apply).await?;
            Ok(Reply::ok(&CampaignJson::new(call, &updated)))
        }
        Method::Delete => {
            call.engine().delete_campaign(campaign.sid).await?;
            Ok(Reply::no_content())
        }
        Method::Other => Err(Refusal::method_not_allowed("GET, POST, DELETE")),
    }
}

fn find_campaign(call: &Call<'_>, service: &Service, sid: &str) -> Option<Arc<Campaign>> {
    let sid: CampaignSid = sid.parse().ok()?;
    call.directory()
        .campaign_of(service.sid)
        .filter(|campaign| campaign.sid == sid)
}

/// What a request sets, brand and use case apart, which stay.
struct Changes {
    description: Change<String>,
    message_flow: Change<String>,
    message_samples: Option<Vec<String>>,
    has_embedded_links: Change<bool>,
    has_embedded_phone: Change<bool>,
    subscriber_opt_in: Change<bool>,
    age_gated: Change<bool>,
    direct_lending: Change<bool>,
    opt_in_message: Change<String>,
    opt_out_message: Change<String>,
    help_message: Change<String>,
    opt_in_keywords: Option<Vec<String>>,
    opt_out_keywords: Option<Vec<String>>,
    help_keywords: Option<Vec<String>>,
    privacy_policy_url: Change<String>,
    terms_and_conditions_url: Change<String>,
    // Extensions: what carriers said.
    status: Change<CampaignStatus>,
    campaign_id: Change<String>,
}

impl Changes {
    fn read(form: &Form<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            description: read_text(form, "Description", 40, 4_096)?,
            message_flow: read_text(form, "MessageFlow", 40, 2_048)?,
            message_samples: read_samples(form)?,
            has_embedded_links: form.switch("HasEmbeddedLinks")?,
            has_embedded_phone: form.switch("HasEmbeddedPhone")?,
            subscriber_opt_in: form.switch("SubscriberOptIn")?,
            age_gated: form.switch("AgeGated")?,
            direct_lending: form.switch("DirectLending")?,
            opt_in_message: read_text(form, "OptInMessage", 20, 320)?,
            opt_out_message: read_text(form, "OptOutMessage", 20, 320)?,
            help_message: read_text(form, "HelpMessage", 20, 320)?,
            opt_in_keywords: read_keywords(form, "OptInKeywords")?,
            opt_out_keywords: read_keywords(form, "OptOutKeywords")?,
            help_keywords: read_keywords(form, "HelpKeywords")?,
            privacy_policy_url: form.url("PrivacyPolicyUrl")?,
            terms_and_conditions_url: form.url("TermsAndConditionsUrl")?,
            status: form.change("CampaignStatus", read_status)?,
            campaign_id: read_text(form, "CampaignId", 1, 64)?,
        })
    }

    fn apply(self, campaign: &mut Campaign) {
        self.description.apply(&mut campaign.description);
        self.message_flow.apply(&mut campaign.message_flow);
        set_list(&mut campaign.message_samples, self.message_samples);
        self.has_embedded_links
            .apply_or(&mut campaign.has_embedded_links, false);
        self.has_embedded_phone
            .apply_or(&mut campaign.has_embedded_phone, false);
        self.subscriber_opt_in
            .apply_or(&mut campaign.subscriber_opt_in, false);
        self.age_gated.apply_or(&mut campaign.age_gated, false);
        self.direct_lending
            .apply_or(&mut campaign.direct_lending, false);
        self.opt_in_message.apply(&mut campaign.opt_in_message);
        self.opt_out_message.apply(&mut campaign.opt_out_message);
        self.help_message.apply(&mut campaign.help_message);
        set_list(&mut campaign.opt_in_keywords, self.opt_in_keywords);
        set_list(&mut campaign.opt_out_keywords, self.opt_out_keywords);
        set_list(&mut campaign.help_keywords, self.help_keywords);
        self.privacy_policy_url
            .apply(&mut campaign.privacy_policy_url);
        self.terms_and_conditions_url
            .apply(&mut campaign.terms_and_conditions_url);
        self.status
            .apply_or(&mut campaign.status, CampaignStatus::default());
        self.campaign_id.apply(&mut campaign.campaign_id);
    }
}

fn set_list(setting: &mut Vec<String>, list: Option<Vec<String>>) {
    if let Some(list) = list {
        *setting = list;
    }
}

/// A text that a campaign can't be without is too short when it is empty.
fn read_text(
    form: &Form<'_>,
    name: &str,
    least: usize,
    most: usize,
) -> Result<Change<String>, Refusal> {
    if form.get(name) == Some("") && REQUIRED.contains(&name) {
        check_length(name, "", least, most)?;
    }
    form.change(name, |text| {
        check_length(name, text, least, most)?;
        Ok(text.to_owned())
    })
}

fn check_length(name: &str, text: &str, least: usize, most: usize) -> Result<(), Refusal> {
    if (least..=most).contains(&text.chars().count()) {
        return Ok(());
    }
    let text = format!("'{name}' must have {least} to {most} characters");
    Err(Fault::because(ErrorCode::CampaignFieldLength, text).into())
}

fn read_samples(form: &Form<'_>) -> Result<Option<Vec<String>>, Refusal> {
    let Some(samples) = read_list(form, "MessageSamples") else {
        return Ok(None);
    };
    if !(2..=5).contains(&samples.len()) {
        let text = "'MessageSamples' must be given 2 to 5 times";
        return Err(Fault::because(ErrorCode::CampaignFieldLength, text).into());
    }
    for sample in &samples {
        check_length("MessageSamples", sample, 20, 1_024)?;
    }
    Ok(Some(samples))
}

fn read_keywords(form: &Form<'_>, name: &str) -> Result<Option<Vec<String>>, Refusal> {
    let Some(keywords) = read_list(form, name) else {
        return Ok(None);
    };
    // All of them in one field, as carriers register them.
    check_length(name, &keywords.join(","), 0, 255)?;
    Ok(Some(keywords))
}

/// A repeated parameter; empty ones count for nothing, so that one alone clears the list.
fn read_list(form: &Form<'_>, name: &str) -> Option<Vec<String>> {
    form.get(name)?;
    let values = form.all(name).filter(|value| !value.is_empty());
    Some(values.map(str::to_owned).collect())
}

fn read_status(text: &str) -> Result<CampaignStatus, Refusal> {
    Ok(match text {
        "PENDING" => CampaignStatus::Pending,
        "IN_PROGRESS" => CampaignStatus::InProgress,
        "VERIFIED" => CampaignStatus::Verified,
        "FAILED" => CampaignStatus::Failed,
        "SUSPENDED" => CampaignStatus::Suspended,
        _ => {
            let text =
                "'CampaignStatus' must be PENDING, IN_PROGRESS, VERIFIED, FAILED or SUSPENDED";
            return Err(Fault::because(ErrorCode::InvalidParameter, text).into());
        }
    })
}

#[derive(Serialize)]
struct PreregisteredJson<'a> {
    sid: CampaignSid,
    account_sid: AccountSid,
    campaign_id: Option<&'a str>,
    messaging_service_sid: ServiceSid,
    date_created: Iso8601,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the API's shape")]
struct CampaignJson<'a> {
    sid: CampaignSid,
    account_sid: AccountSid,
    brand_registration_sid: Option<BrandSid>,
    messaging_service_sid: ServiceSid,
    description: Option<&'a str>,
    message_samples: &'a [String],
    us_app_to_person_usecase: Option<&'a str>,
    has_embedded_links: bool,
    has_embedded_phone: bool,
    subscriber_opt_in: bool,
    age_gated: bool,
    direct_lending: bool,
    campaign_status: CampaignStatus,
    campaign_id: Option<&'a str>,
    is_externally_registered: bool,
    /// Carriers would tell.
    rate_limits: Option<()>,
    message_flow: Option<&'a str>,
    opt_in_message: Option<&'a str>,
    opt_out_message: Option<&'a str>,
    help_message: Option<&'a str>,
    opt_in_keywords: &'a [String],
    opt_out_keywords: &'a [String],
    help_keywords: &'a [String],
    date_created: Iso8601,
    date_updated: Iso8601,
    url: String,
    mock: bool,
    errors: [(); 0],
    privacy_policy_url: Option<&'a str>,
    terms_and_conditions_url: Option<&'a str>,
}

impl<'a> CampaignJson<'a> {
    fn new(call: &Call<'_>, campaign: &'a Campaign) -> Self {
        let (service, sid) = (campaign.service, campaign.sid);
        let brand = campaign.brand;
        let brand_record = brand.and_then(|brand| call.directory().brand(brand));
        Self {
            sid,
            account_sid: campaign.account,
            brand_registration_sid: brand,
            messaging_service_sid: service,
            description: campaign.description.as_deref(),
            message_samples: &campaign.message_samples,
            us_app_to_person_usecase: campaign.usecase.as_deref(),
            has_embedded_links: campaign.has_embedded_links,
            has_embedded_phone: campaign.has_embedded_phone,
            subscriber_opt_in: campaign.subscriber_opt_in,
            age_gated: campaign.age_gated,
            direct_lending: campaign.direct_lending,
            campaign_status: campaign.status,
            campaign_id: campaign.campaign_id.as_deref(),
            is_externally_registered: campaign.is_externally_registered,
            rate_limits: None,
            message_flow: campaign.message_flow.as_deref(),
            opt_in_message: campaign.opt_in_message.as_deref(),
            opt_out_message: campaign.opt_out_message.as_deref(),
            help_message: campaign.help_message.as_deref(),
            opt_in_keywords: &campaign.opt_in_keywords,
            opt_out_keywords: &campaign.opt_out_keywords,
            help_keywords: &campaign.help_keywords,
            date_created: Iso8601(campaign.created_ms),
            date_updated: Iso8601(campaign.updated_ms),
            url: format!("{}/v1/Services/{service}/Compliance/Usa2p/{sid}", call.base),
            mock: brand_record.is_some_and(|brand| brand.is_mock),
            errors: [],
            privacy_policy_url: campaign.privacy_policy_url.as_deref(),
            terms_and_conditions_url: campaign.terms_and_conditions_url.as_deref(),
        }
    }
}
