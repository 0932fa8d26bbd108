//! Who a reply goes to, and from: what its verb says, filled in from the inbound message.
//!
//! Without a `to` it goes to whoever wrote, without a `from` it comes from what they wrote to; no
//! sender is chosen for a reply. An address without a channel's prefix is one of the channel that the
//! inbound message came on. Which channels are carried, and which senders are the account's, is not
//! asked here.

use super::{ReplyMessage, shown};
use crate::country::Country;
use crate::error_code::ErrorCode;
use crate::fault::Fault;
use crate::phone_number::PhoneNumber;
use crate::sender::{SenderAddress, ShortCode};

/// `From` and `To` of an inbound message, as it is recorded: with their channel's prefix.
#[derive(Clone, Copy, Debug)]
pub struct InboundAddresses<'a> {
    /// Who wrote.
    pub from: &'a str,
    /// The sender of ours that they wrote to.
    pub to: &'a str,
}

/// `To` and `From` of a message to send, each in its full form: E.164, or the address of a channel
/// with its prefix in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub to: String,
    pub from: String,
}

impl ReplyMessage {
    /// Fails with 14101 for a recipient and 14102 for a sender that none can be, and with 21910 when
    /// the two are on different channels.
    pub fn addresses(&self, inbound: InboundAddresses<'_>) -> Result<Addresses, Fault> {
        let wrote = Address::parse(inbound.from);
        let written_to = Address::parse(inbound.to);
        let from = match &self.from {
            Some(given) => Address::parse(given).or_channel_of(written_to),
            None => written_to,
        };
        let to = match &self.to {
            Some(given) => Address::parse(given).or_channel_of(wrote),
            None => wrote,
        };
        if to.channel != from.channel {
            return Err(ErrorCode::ChannelsDiffer.into());
        }
        let full_from = match &self.from {
            Some(given) => from.sender().ok_or_else(|| {
                let given = shown(given);
                let text = format!("The sender {given} is no number, short code or other sender");
                Fault::because(ErrorCode::ReplyFromInvalid, text)
            })?,
            None => inbound.to.to_owned(),
        };
        // A short code has no country in its digits. Who reaches it is in the one where it is valid.
        let country = from.country().or_else(|| wrote.country());
        let full_to = to.recipient(country).ok_or_else(|| {
            let given = shown(self.to.as_deref().unwrap_or(inbound.from));
            let text = format!("The recipient {given} is no number that can be texted");
            Fault::because(ErrorCode::ReplyToInvalid, text)
        })?;
        Ok(Addresses {
            to: full_to,
            from: full_from,
        })
    }
}

/// Channels beside SMS. The list only tells a prefix from a text with a colon in it.
const CHANNELS: [&str; 3] = ["whatsapp", "rcs", "messenger"];
const WHATSAPP: &str = "whatsapp";

/// An address cut after its channel's prefix.
#[derive(Clone, Copy)]
struct Address<'a> {
    /// `None` for SMS.
    channel: Option<&'static str>,
    /// The address names its channel itself.
    is_prefixed: bool,
    rest: &'a str,
}

impl<'a> Address<'a> {
    /// Prefixes are read in either case.
    fn parse(text: &'a str) -> Self {
        let text = text.trim();
        let prefixed = text.split_once(':').and_then(|(prefix, rest)| {
            let channel = CHANNELS
                .into_iter()
                .find(|channel| channel.eq_ignore_ascii_case(prefix))?;
            Some((channel, rest.trim()))
        });
        match prefixed {
            Some((channel, rest)) => Self {
                channel: Some(channel),
                is_prefixed: true,
                rest,
            },
            None => Self {
                channel: None,
                is_prefixed: false,
                rest: text,
            },
        }
    }

    fn or_channel_of(self, other: Address<'_>) -> Self {
        Self {
            channel: self.channel.or(other.channel),
            ..self
        }
    }

    fn country(self) -> Option<Country> {
        self.sender_number()?.country()
    }

    fn sender_number(self) -> Option<PhoneNumber> {
        match self.channel {
            Some(WHATSAPP) if self.is_prefixed => whatsapp_number(self.rest),
            // Digits that may be a short code are one.
            None if ShortCode::parse(self.rest).is_some() => None,
            None | Some(_) => PhoneNumber::parse(self.rest).ok(),
        }
    }

    /// In full, as a sender.
    fn sender(self) -> Option<String> {
        match self.channel {
            Some(channel @ WHATSAPP) => {
                let number = self.sender_number()?;
                Some(format!("{channel}:{number}"))
            }
            Some(channel) => self.verbatim(channel),
            None => match self.sender_number() {
                Some(number) => Some(number.to_string()),
                None => SenderAddress::parse(self.rest).map(|sender| sender.to_string()),
            },
        }
    }

    /// In full, as a recipient whose number may be written as in `country`.
    fn recipient(self, country: Option<Country>) -> Option<String> {
        match self.channel {
            Some(channel @ WHATSAPP) => {
                let number = if self.is_prefixed {
                    whatsapp_number(self.rest)
                } else {
                    recipient_number(self.rest, country)
                };
                number.map(|number| format!("{channel}:{number}"))
            }
            Some(channel) => self.verbatim(channel),
            None => recipient_number(self.rest, country).map(|number| number.to_string()),
        }
    }

    fn verbatim(self, channel: &str) -> Option<String> {
        (!self.rest.is_empty()).then(|| format!("{channel}:{}", self.rest))
    }
}

/// WhatsApp's own ids are digits with the country code and without the plus sign.
fn whatsapp_number(text: &str) -> Option<PhoneNumber> {
    let is_bare = text.starts_with(|c: char| c.is_ascii_digit());
    let digits = is_bare.then(|| PhoneNumber::parse(&format!("+{text}")).ok());
    digits.flatten().or_else(|| PhoneNumber::parse(text).ok())
}

fn recipient_number(text: &str, country: Option<Country>) -> Option<PhoneNumber> {
    let is_short_code = ShortCode::parse(text).is_some_and(|code| code.as_str().len() <= 6);
    if is_short_code {
        return None;
    }
    match country {
        Some(country) => PhoneNumber::parse_in(country, text).ok(),
        None => PhoneNumber::parse(text).ok(),
    }
}
