//! What a user said about being written to, in the words of the Consents API, of our own list and of its
//! files: read in one place, with all that is wrong at once.

use postrider_core::clock::Millis;
use postrider_core::opt_out::ChannelGroup;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::{SenderAddress, WHATSAPP_PREFIX};
use postrider_engine::{Consent, ListOwner};
use postrider_store::OptOutSource;

use crate::date::Span;

/// As given. What is absent is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConsentFields<'a> {
    pub(crate) contact_id: &'a str,
    pub(crate) sender_id: &'a str,
    pub(crate) status: &'a str,
    pub(crate) source: &'a str,
    pub(crate) date_of_consent: &'a str,
}

/// A field that can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    ContactId,
    SenderId,
    Status,
    Source,
    DateOfConsent,
}

impl Flaw {
    /// As the Consents API names it.
    pub(crate) fn token(self) -> &'static str {
        match self {
            Self::ContactId => "INVALID_CONTACT_ID",
            Self::SenderId => "INVALID_SENDER_ID",
            Self::Status => "INVALID_STATUS",
            Self::Source => "INVALID_SOURCE",
            Self::DateOfConsent => "INVALID_DATE_OF_CONSENT",
        }
    }

    /// For people.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::ContactId => {
                "contact_id must be a phone number in E.164, with whatsapp: before it where WhatsApp is meant"
            }
            Self::SenderId => {
                "sender_id must be a Messaging Service's SID, or one of the account's senders or its SID"
            }
            Self::Status => "status must be opt-in or opt-out",
            Self::Source => {
                "source must be website, offline, opt-in-message, opt-out-message or others"
            }
            Self::DateOfConsent => "date_of_consent must be a date, or a date and time in ISO 8601",
        }
    }
}

/// Reads what is given; the source is `others` where nothing is said of it.
pub(crate) fn read(fields: ConsentFields<'_>) -> Result<Consent, Vec<Flaw>> {
    let mut flaws = Vec::new();
    let mut note = |is_wrong: bool, flaw| {
        if is_wrong {
            flaws.push(flaw);
        }
    };
    let contact = read_contact(fields.contact_id);
    note(contact.is_none(), Flaw::ContactId);
    let owner = read_owner(fields.sender_id);
    note(owner.is_none(), Flaw::SenderId);
    let is_opt_out = read_status(fields.status);
    note(is_opt_out.is_none(), Flaw::Status);
    let source = match fields.source {
        "" => Some(OptOutSource::Others),
        text => read_source(text),
    };
    note(source.is_none(), Flaw::Source);
    let date = read_date(fields.date_of_consent);
    note(date.is_err(), Flaw::DateOfConsent);
    let (Some((contact_channels, user)), Some(owner), Some(is_opt_out), Some(source), Ok(date)) =
        (contact, owner, is_opt_out, source, date)
    else {
        return Err(flaws);
    };
    // A sender has one channel, and a service both.
    let channels = match (channels_of(&owner), contact_channels) {
        (Some(of_sender), None) => of_sender,
        (Some(of_sender), Some(given)) if of_sender == given => given,
        (Some(_), Some(_)) => return Err(vec![Flaw::ContactId]),
        (None, given) => given.unwrap_or(ChannelGroup::Text),
    };
    Ok(Consent {
        owner,
        channels,
        user,
        is_opt_out,
        source,
        note: None,
        consent_ms: date,
    })
}

/// A number, and its list if the text says which: only WhatsApp's is ever said.
pub(crate) fn read_contact(text: &str) -> Option<(Option<ChannelGroup>, PhoneNumber)> {
    let (channels, number) = match text.strip_prefix(WHATSAPP_PREFIX) {
        Some(number) => (Some(ChannelGroup::WhatsApp), number),
        None => (None, text),
    };
    Some((channels, PhoneNumber::parse(number).ok()?))
}

/// A contact as [`read_contact`] reads it.
pub(crate) fn write_contact(channels: ChannelGroup, user: PhoneNumber) -> String {
    match channels {
        ChannelGroup::Text => user.to_string(),
        ChannelGroup::WhatsApp => format!("{WHATSAPP_PREFIX}{user}"),
    }
}

pub(crate) fn read_owner(text: &str) -> Option<ListOwner> {
    if let Ok(sid) = text.parse() {
        return Some(ListOwner::Service(sid));
    }
    if let Ok(sid) = text.parse() {
        return Some(ListOwner::Number(sid));
    }
    if let Ok(sid) = text.parse() {
        return Some(ListOwner::ShortCode(sid));
    }
    if let Ok(sid) = text.parse() {
        return Some(ListOwner::ChannelSender(sid));
    }
    let address = SenderAddress::parse(text);
    let number = || PhoneNumber::parse(text).ok().map(SenderAddress::Number);
    address.or_else(number).map(ListOwner::Sender)
}

pub(crate) fn read_status(text: &str) -> Option<bool> {
    match text {
        "opt-out" => Some(true),
        "opt-in" => Some(false),
        _ => None,
    }
}

pub(crate) fn write_status(is_opt_out: bool) -> &'static str {
    if is_opt_out { "opt-out" } else { "opt-in" }
}

/// Those that people may give. The network's own list speaks for itself.
pub(crate) fn read_source(text: &str) -> Option<OptOutSource> {
    OptOutSource::parse(text).filter(|source| *source != OptOutSource::Network)
}

/// `None` if nothing is said. A day begins at its midnight.
pub(crate) fn read_date(text: &str) -> Result<Option<Millis>, Flaw> {
    if text.is_empty() {
        return Ok(None);
    }
    let span = Span::parse(text).ok_or(Flaw::DateOfConsent)?;
    Ok(Some(span.start_ms))
}

fn channels_of(owner: &ListOwner) -> Option<ChannelGroup> {
    match owner {
        ListOwner::Service(_) => None,
        ListOwner::Sender(SenderAddress::WhatsApp(_)) | ListOwner::ChannelSender(_) => {
            Some(ChannelGroup::WhatsApp)
        }
        ListOwner::Sender(
            SenderAddress::Number(_) | SenderAddress::ShortCode(_) | SenderAddress::Alpha(_),
        )
        | ListOwner::Number(_)
        | ListOwner::ShortCode(_) => Some(ChannelGroup::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";

    fn fields<'a>(contact_id: &'a str, sender_id: &'a str) -> ConsentFields<'a> {
        ConsentFields {
            contact_id,
            sender_id,
            status: "opt-out",
            ..ConsentFields::default()
        }
    }

    /// Columns: contact, sender, the list, or what is wrong.
    #[test]
    fn contact_and_sender_say_which_list_is_meant() {
        use ChannelGroup::{Text, WhatsApp};
        for (contact, sender, expected) in [
            ("+14155550199", SERVICE, Ok(Text)),
            ("whatsapp:+14155550199", SERVICE, Ok(WhatsApp)),
            ("+14155550199", "+14155550101", Ok(Text)),
            ("+14155550199", "14155550101", Ok(Text)),
            ("+14155550199", "55501", Ok(Text)),
            ("+14155550199", "ACME", Ok(Text)),
            ("+14155550199", "whatsapp:+14155550101", Ok(WhatsApp)),
            (
                "whatsapp:+14155550199",
                "whatsapp:+14155550101",
                Ok(WhatsApp),
            ),
            (
                "whatsapp:+14155550199",
                "+14155550101",
                Err(vec![Flaw::ContactId]),
            ),
            ("", SERVICE, Err(vec![Flaw::ContactId])),
            ("ACME", "", Err(vec![Flaw::ContactId, Flaw::SenderId])),
        ] {
            let read = read(fields(contact, sender)).map(|consent| consent.channels);
            assert_eq!(read, expected, "{contact} {sender}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let wrong = ConsentFields {
            contact_id: "12",
            sender_id: "MG12,",
            status: "out",
            source: "network",
            date_of_consent: "soon",
        };
        let tokens: Vec<_> = read(wrong)
            .unwrap_err()
            .into_iter()
            .map(Flaw::token)
            .collect();
        assert_eq!(
            tokens,
            [
                "INVALID_CONTACT_ID",
                "INVALID_SENDER_ID",
                "INVALID_STATUS",
                "INVALID_SOURCE",
                "INVALID_DATE_OF_CONSENT"
            ]
        );
    }
}
