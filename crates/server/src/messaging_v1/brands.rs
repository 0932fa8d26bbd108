//! `/v1/a2p/BrandRegistrations`: companies registered for US traffic.
//!
//! A record, as campaigns are: what carriers said is written down by the operator, through `Status` and
//! `TcrId`, extensions of the update.
//! <https://www.twilio.com/docs/messaging/api/brand-registration-resource>

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{Brand, BrandStatus};
use postrider_core::sid::{AccountSid, BrandSid, BundleSid};
use serde::Serialize;

use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::{Change, Form};
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

/// As in the answer of TCR: `BXXXXXX`.
const TCR_ID_MAX: usize = 64;

pub(super) async fn collection(call: &Call<'_>) -> Answer {
    match call.method {
        Method::Post => create(call).await,
        Method::Get => list(call),
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

pub(super) async fn instance(call: &Call<'_>, sid: &str) -> Answer {
    let brand = find(call, sid).ok_or(ErrorCode::NotFound)?;
    match call.method {
        Method::Get => Ok(Reply::ok(&BrandJson::new(call, &brand))),
        Method::Post => {
            let changes = Changes::read(&call.form()?)?;
            let apply = |brand: &mut Brand| changes.apply(brand);
            let updated = call.engine().update_brand(brand.sid, apply).await?;
            Ok(Reply::accepted(&BrandJson::new(call, &updated)))
        }
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

fn find(call: &Call<'_>, sid: &str) -> Option<Arc<Brand>> {
    let sid: BrandSid = sid.parse().ok()?;
    call.directory()
        .brand(sid)
        .filter(|brand| brand.account == call.caller.account.sid)
}

async fn create(call: &Call<'_>) -> Answer {
    let form = call.form()?;
    let customer_profile = read_bundle(&form, "CustomerProfileBundleSid")?;
    let a2p_profile = read_bundle(&form, "A2PProfileBundleSid")?;
    let brand_type = match form.text("BrandType") {
        None | Some("STANDARD") => "STANDARD",
        Some("SOLE_PROPRIETOR") => "SOLE_PROPRIETOR",
        Some(_) => {
            let text = "'BrandType' must be STANDARD or SOLE_PROPRIETOR";
            return Err(Fault::because(ErrorCode::InvalidParameter, text).into());
        }
    };
    let is_mock = form.boolean("Mock")?.unwrap_or(false);
    let skip_automatic_sec_vet = form.boolean("SkipAutomaticSecVet")?.unwrap_or(false);
    let account = call.caller.account.sid;
    let make = |sid, now_ms| Brand {
        sid,
        account,
        customer_profile,
        a2p_profile,
        brand_type: brand_type.to_owned(),
        skip_automatic_sec_vet,
        is_mock,
        status: BrandStatus::Pending,
        tcr_id: None,
        created_ms: now_ms,
        updated_ms: now_ms,
    };
    let created = call.engine().create_brand(make).await?;
    Ok(Reply::created(&BrandJson::new(call, &created)))
}

/// A bundle of the trust hub, which is not here: its SID is kept.
fn read_bundle(form: &Form<'_>, name: &str) -> Result<BundleSid, Refusal> {
    let sid = form.required(name)?;
    Ok(sid.parse().map_err(|_| ErrorCode::InvalidSid)?)
}

fn list(call: &Call<'_>) -> Answer {
    let path = "/v1/a2p/BrandRegistrations".to_owned();
    let request = PageRequest::new(path, &call.query()?, &[])?;
    let mut brands = call.directory().brands_of(call.caller.account.sid);
    brands.reverse();
    let page = request.page_of(brands, |brand| brand.sid.0.as_u128());
    let shown = page.map(|brand| BrandJson::new(call, brand));
    Ok(Reply::ok(&shown.in_v1("data", call.base)))
}

struct Changes {
    status: Change<BrandStatus>,
    tcr_id: Change<String>,
}

impl Changes {
    fn read(form: &Form<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            status: form.change("Status", read_status)?,
            tcr_id: form.change("TcrId", |text| {
                if text.len() > TCR_ID_MAX {
                    return Err(ErrorCode::ParameterTooLong.into());
                }
                Ok(text.to_owned())
            })?,
        })
    }

    /// Without a parameter it is Twilio's update: a brand that failed is submitted once more.
    fn apply(self, brand: &mut Brand) -> Result<(), Fault> {
        if self.status == Change::Keep && self.tcr_id == Change::Keep {
            if brand.status != BrandStatus::Failed {
                return Err(ErrorCode::BrandNotFailed.into());
            }
            brand.status = BrandStatus::Pending;
        }
        self.status
            .apply_or(&mut brand.status, BrandStatus::default());
        self.tcr_id.apply(&mut brand.tcr_id);
        Ok(())
    }
}

fn read_status(text: &str) -> Result<BrandStatus, Refusal> {
    Ok(match text {
        "PENDING" => BrandStatus::Pending,
        "APPROVED" => BrandStatus::Approved,
        "FAILED" => BrandStatus::Failed,
        "IN_REVIEW" => BrandStatus::InReview,
        "DELETION_PENDING" => BrandStatus::DeletionPending,
        "DELETION_FAILED" => BrandStatus::DeletionFailed,
        "SUSPENDED" => BrandStatus::Suspended,
        _ => {
            let text = "'Status' must be PENDING, APPROVED, FAILED, IN_REVIEW, DELETION_PENDING, \
                        DELETION_FAILED or SUSPENDED";
            return Err(Fault::because(ErrorCode::InvalidParameter, text).into());
        }
    })
}

#[derive(Serialize)]
struct BrandJson<'a> {
    sid: BrandSid,
    account_sid: AccountSid,
    customer_profile_bundle_sid: BundleSid,
    a2p_profile_bundle_sid: BundleSid,
    date_created: Iso8601,
    date_updated: Iso8601,
    brand_type: &'a str,
    status: BrandStatus,
    tcr_id: Option<&'a str>,
    failure_reason: Option<()>,
    errors: [(); 0],
    url: String,
    // What only the registry could tell.
    brand_score: Option<()>,
    brand_feedback: Option<()>,
    identity_status: Option<()>,
    russell_3000: Option<()>,
    government_entity: Option<()>,
    tax_exempt_status: Option<()>,
    skip_automatic_sec_vet: bool,
    mock: bool,
    links: Links,
}

#[derive(Serialize)]
struct Links {
    brand_vettings: String,
    brand_registration_otps: String,
}

impl<'a> BrandJson<'a> {
    fn new(call: &Call<'_>, brand: &'a Brand) -> Self {
        let url = format!("{}/v1/a2p/BrandRegistrations/{}", call.base, brand.sid);
        Self {
            sid: brand.sid,
            account_sid: brand.account,
            customer_profile_bundle_sid: brand.customer_profile,
            a2p_profile_bundle_sid: brand.a2p_profile,
            date_created: Iso8601(brand.created_ms),
            date_updated: Iso8601(brand.updated_ms),
            brand_type: &brand.brand_type,
            status: brand.status,
            tcr_id: brand.tcr_id.as_deref(),
            failure_reason: None,
            errors: [],
            brand_score: None,
            brand_feedback: None,
            identity_status: None,
            russell_3000: None,
            government_entity: None,
            tax_exempt_status: None,
            skip_automatic_sec_vet: brand.skip_automatic_sec_vet,
            mock: brand.is_mock,
            links: Links {
                brand_vettings: format!("{url}/Vettings"),
                brand_registration_otps: format!("{url}/SmsOtp"),
            },
            url,
        }
    }
}
