//! `/x/v1/Recipients/{number}`: `DELETE` erases what the account and its subaccounts have of a phone number,
//! and answers with what went and what could not.

use percent_encoding::percent_decode_str;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::{AccountSid, MessageSid};
use postrider_engine::{Erasure, Left};
use serde::Serialize;

use crate::call::{Call, Method};
use crate::error::Refusal;
use crate::reply::{Answer, Reply, as_text};

pub(super) async fn instance(call: &Call<'_>, number: &str) -> Answer {
    let number = percent_decode_str(number).decode_utf8_lossy();
    let number = PhoneNumber::parse(&number).map_err(|_| {
        let text = "a recipient is a phone number in E.164, such as %2B14155550142";
        Fault::because(ErrorCode::InvalidParameter, text)
    })?;
    if call.method != Method::Delete {
        return Err(Refusal::method_not_allowed("DELETE"));
    }
    let account = call.caller.account.sid;
    let erasure = call.engine().erase(account, number).await?;
    Ok(Reply::ok(&ErasureJson::new(account, number, &erasure)))
}

#[derive(Serialize)]
struct ErasureJson {
    account_sid: AccountSid,
    #[serde(serialize_with = "as_text")]
    phone_number: PhoneNumber,
    /// Nothing was left.
    complete: bool,
    erased: ErasedJson,
    left_count: u64,
    left: Vec<LeftJson>,
}

#[derive(Serialize)]
struct ErasedJson {
    messages: u64,
    sticky_senders: u64,
    long_texts: u64,
    alerts: u64,
    raw_receipts: u64,
}

#[derive(Serialize)]
struct LeftJson {
    account_sid: AccountSid,
    #[serde(serialize_with = "as_text")]
    message_sid: MessageSid,
    reason: &'static str,
}

impl ErasureJson {
    fn new(account: AccountSid, number: PhoneNumber, erasure: &Erasure) -> Self {
        Self {
            account_sid: account,
            phone_number: number,
            complete: erasure.left_count == 0,
            erased: ErasedJson {
                messages: erasure.messages,
                sticky_senders: erasure.sticky_senders,
                long_texts: erasure.long_texts,
                alerts: erasure.alerts,
                raw_receipts: erasure.raw_receipts,
            },
            left_count: erasure.left_count,
            left: erasure.left.iter().map(LeftJson::from).collect(),
        }
    }
}

impl From<&Left> for LeftJson {
    fn from(left: &Left) -> Self {
        Self {
            account_sid: left.account,
            message_sid: left.message,
            reason: left.reason.as_str(),
        }
    }
}
