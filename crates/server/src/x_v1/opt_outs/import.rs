//! `/x/v1/OptOuts/Import`: a file of opt-outs is read in while its sender does something else.

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::sid::{AccountSid, OptOutImportSid};
use postrider_engine::{Import, ImportEnd};
use serde::Serialize;

use super::csv::Rows;
use super::invalid;
use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

pub(super) fn create(call: &Call<'_>) -> Answer {
    if call.method != Method::Post {
        return Err(Refusal::method_not_allowed("POST"));
    }
    let rows = Rows::new(call.body.clone()).map_err(|error| invalid(error.to_string()))?;
    let (account, actor) = (call.caller.account.clone(), call.caller.actor());
    let import = call.engine().import_opt_outs(account, &actor, rows);
    Ok(Reply::accepted_new(&ImportJson::new(call, &import)))
}

pub(super) fn list(call: &Call<'_>) -> Answer {
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let request = PageRequest::new("/v1/OptOuts/Imports".to_owned(), &call.query()?, &[])?;
    let imports = call.engine().opt_out_imports(call.caller.account.sid);
    let page = request.page_of(imports, |import| import.sid.0.as_u128());
    let shown = page.map(|import| ImportJson::new(call, import));
    Ok(Reply::ok(&shown.in_v1("imports", call.base)))
}

pub(super) fn instance(call: &Call<'_>, sid: &str) -> Answer {
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let sid: OptOutImportSid = sid.parse().map_err(|_| ErrorCode::NotFound)?;
    let imports = call.engine().opt_out_imports(call.caller.account.sid);
    let import = imports.iter().find(|import| import.sid == sid);
    let import = import.ok_or(ErrorCode::NotFound)?;
    Ok(Reply::ok(&ImportJson::new(call, import)))
}

#[derive(Serialize)]
struct ImportJson {
    sid: OptOutImportSid,
    account_sid: AccountSid,
    status: &'static str,
    rows_read: u64,
    rows_changed: u64,
    rows_rejected: u64,
    /// The first of them.
    errors: Vec<ErrorJson>,
    date_created: Iso8601,
    date_completed: Option<Iso8601>,
    url: String,
}

#[derive(Serialize)]
struct ErrorJson {
    line: u64,
    message: String,
}

impl ImportJson {
    fn new(call: &Call<'_>, import: &Arc<Import>) -> Self {
        let progress = import.progress();
        let errors = progress.errors.into_iter();
        Self {
            sid: import.sid,
            account_sid: import.account,
            status: match progress.end {
                None => "running",
                Some((_, ImportEnd::Completed)) => "completed",
                Some((_, ImportEnd::Failed)) => "failed",
            },
            rows_read: progress.rows,
            rows_changed: progress.changed,
            rows_rejected: progress.rejected,
            errors: errors
                .map(|(line, message)| ErrorJson { line, message })
                .collect(),
            date_created: Iso8601(import.created_ms),
            date_completed: progress.end.map(|(at_ms, _)| Iso8601(at_ms)),
            url: format!("{}/v1/OptOuts/Imports/{}", call.base, import.sid),
        }
    }
}
