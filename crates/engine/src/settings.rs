//! Operations on settings: validate, persist, then take effect, in that order.
//!
//! One at a time (see `settings_lock`), so that what was checked still holds when it is written.
//! Rules about one parameter's spelling live in the HTTP layer; rules about the whole live here.

mod accounts;
mod channel_senders;
mod keys;
mod numbers;
mod opt_out;
mod pool;
mod pool_warning;
mod registered_senders;
mod services;
mod short_codes;
mod us_a2p;

pub use self::accounts::new_account;
pub use self::pool::NewPoolEntry;
pub use self::pool_warning::PoolWarning;

use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::SenderNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{Document, Sender};
use postrider_core::sid::AccountSid;
use postrider_store::DocumentChange;

use crate::Engine;
use crate::directory::Directory;

fn not_found(what: &str, sid: impl std::fmt::Display) -> Fault {
    Fault::because(
        ErrorCode::NotFound,
        format!("The requested {what} {sid} was not found"),
    )
}

impl Engine {
    /// The queue identity of an address, made on first use.
    pub(crate) fn sender_for(
        &self,
        account: AccountSid,
        address: SenderAddress,
        country: Option<Country>,
        changes: &mut Vec<DocumentChange>,
    ) -> SenderNo {
        let known = self.directory().sender_no_in(account, &address, country);
        if let Some(no) = known {
            return no;
        }
        let no = self.directory().next_sender_no();
        changes.push(DocumentChange::Put(Document::Sender(Sender {
            no,
            account,
            address,
            country,
        })));
        no
    }
}

/// A number speaks for one account, whatever the channel: customers of another must not get its answers.
fn refuse_number_of_others(
    directory: &Directory,
    number: PhoneNumber,
    account: AccountSid,
) -> Result<(), Fault> {
    let owner = directory.owner_of(number);
    if owner.is_some_and(|owner| owner != account) {
        let text = format!("{number} belongs to another account");
        return Err(Fault::because(ErrorCode::Conflict, text));
    }
    Ok(())
}
