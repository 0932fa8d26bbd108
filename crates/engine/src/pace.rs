//! Which rate a sender has: its own, else the default of its kind.

use postrider_core::message::SenderNo;
use postrider_core::pacing::{PaceSettings, Rate};
use postrider_core::route::kind_of;
use postrider_core::sender::SenderAddress;
use postrider_core::sender_rate::SenderRate;

use crate::directory::Directory;

/// The rate of a sender; unlimited for one that is not known.
pub fn rate_of(directory: &Directory, paces: &PaceSettings, sender: SenderNo) -> SenderRate {
    let Some(sender) = directory.sender(sender) else {
        return SenderRate::UNLIMITED;
    };
    if let Some(own) = directory.pace_override(&sender) {
        return SenderRate::everywhere(Rate::per_second(own));
    }
    let country = match &sender.address {
        SenderAddress::Number(number) => directory.country_of(*number),
        SenderAddress::ShortCode(_) | SenderAddress::Alpha(_) | SenderAddress::WhatsApp(_) => None,
    };
    paces.rate(kind_of(&sender.address), country)
}
