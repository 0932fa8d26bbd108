//! Settings documents as senders of a pool.

use postrider_core::country::Country;
use postrider_core::message::SenderNo;
use postrider_core::select::PoolSender;
use postrider_core::sender::AlphaSenderId;
use postrider_core::settings::{ChannelSender, IncomingNumber, ShortCodeEntry};

pub(crate) fn of_number(number: &IncomingNumber, position: u64) -> PoolSender {
    PoolSender {
        country: number.country(),
        status: number.status,
        ..PoolSender::number(number.sender, number.number, number.capabilities, position)
    }
}

pub(crate) fn of_short_code(code: &ShortCodeEntry, position: u64) -> PoolSender {
    let address = code.code.clone();
    PoolSender {
        status: code.status,
        ..PoolSender::short_code(
            code.sender,
            address,
            code.country,
            code.capabilities,
            position,
        )
    }
}

pub(crate) fn of_alpha(
    id: &AlphaSenderId,
    sender: SenderNo,
    country: Option<Country>,
    position: u64,
) -> PoolSender {
    PoolSender::alpha(sender, id.clone(), country, position)
}

pub(crate) fn of_channel_sender(sender: &ChannelSender, position: u64) -> PoolSender {
    PoolSender {
        status: sender.status,
        ..PoolSender::whatsapp(sender.sender, sender.number, position)
    }
}
