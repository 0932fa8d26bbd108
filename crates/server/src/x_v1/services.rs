//! `/x/v1/Services/{MG}`: settings of a Messaging Service that Twilio has in its Console only, and what there
//! is to warn of.

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::settings::Service;
use postrider_core::sid::{AccountSid, ServiceSid};
use postrider_engine::PoolWarning;
use serde::Serialize;

use super::warning::WarningJson;
use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::reply::{Answer, Reply};

pub(super) async fn instance(call: &Call<'_>, sid: &str) -> Answer {
    let service = find(call, sid).ok_or(ErrorCode::NotFound)?;
    match call.method {
        Method::Get => Ok(Reply::ok(&ServiceJson::new(call, &service))),
        Method::Post => {
            let alert = call.form()?.switch("SenderIdPreregAlert")?;
            let change = |service: &mut Service| {
                alert.apply_or(&mut service.preregistration_alert, false);
            };
            let updated = call.engine().update_service(service.sid, change).await?;
            Ok(Reply::ok(&ServiceJson::new(call, &updated)))
        }
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

fn find(call: &Call<'_>, sid: &str) -> Option<Arc<Service>> {
    let sid: ServiceSid = sid.parse().ok()?;
    call.directory()
        .service(sid)
        .filter(|service| service.account == call.caller.account.sid)
}

#[derive(Serialize)]
struct ServiceJson {
    sid: ServiceSid,
    account_sid: AccountSid,
    sender_id_prereg_alert: bool,
    warnings: Vec<WarningJson>,
    date_updated: Iso8601,
    url: String,
}

impl ServiceJson {
    fn new(call: &Call<'_>, service: &Service) -> Self {
        let pool = call.directory().service_and_pool(service.sid);
        let warnings = pool.and_then(|(_, pool)| PoolWarning::of(&pool));
        Self {
            sid: service.sid,
            account_sid: service.account,
            sender_id_prereg_alert: service.preregistration_alert,
            warnings: warnings.into_iter().map(Into::into).collect(),
            date_updated: Iso8601(service.updated_ms),
            url: format!("{}/v1/Services/{}", call.base, service.sid),
        }
    }
}
