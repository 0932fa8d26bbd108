//! What of a message is not kept once it is no longer needed: `ContentRetention=discard` and
//! `AddressRetention=obfuscate` (content-and-inbound.md 7).
//!
//! A pure function of the message and the status that it reaches, so that the store can do it in the
//! transaction of that status: no crash leaves a record that has its status and its text still.

use std::borrow::Cow;
use std::sync::Arc;

use crate::message::{Message, Status};

/// Digits that [`mask`] hides.
const HIDDEN: usize = 4;

/// What of a record goes, and what takes its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concealment {
    /// The text, in both its forms.
    pub body: bool,
    /// The recipient as it is kept from now on.
    pub to: Option<Box<str>>,
}

impl Concealment {
    /// What goes when the message reaches this status, as far as it has not gone already. The text is
    /// needed until a carrier has all of it, the recipient until no receipt can change the message.
    pub fn at(message: &Message, status: Status) -> Self {
        let is_with_carrier = status.rank() >= Status::Sent.rank();
        let hides_to = message.options.obfuscate_address && status.is_final();
        Self {
            body: message.options.discard_content && is_with_carrier,
            to: hides_to.then(|| mask(&message.to)),
        }
    }

    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub fn apply(&self, message: &mut Message) {
        if self.body {
            message.forget_body();
        }
        if let Some(to) = &self.to {
            message.to.clone_from(to);
        }
    }
}

impl Message {
    /// The record as it is to be kept, in the status that it has.
    #[must_use]
    pub fn kept(mut self) -> Self {
        Concealment::at(&self, self.status).apply(&mut self);
        self
    }

    /// The recipient as customers are shown it, from the first on.
    pub fn shown_to(&self) -> Cow<'_, str> {
        if self.options.obfuscate_address {
            Cow::Owned(mask(&self.to).into())
        } else {
            Cow::Borrowed(&self.to)
        }
    }

    pub fn forget_body(&mut self) {
        self.body = Arc::from("");
        self.submitted_body = None;
    }
}

/// An address without its last four digits: `+1415555XXXX`. One that is masked stays as it is.
pub fn mask(address: &str) -> Box<str> {
    let shown = address.chars().count().saturating_sub(HIDDEN);
    let masked = address.chars().enumerate().map(|(at, c)| {
        if at >= shown && c.is_ascii_digit() {
            'X'
        } else {
            c
        }
    });
    masked.collect::<String>().into()
}

/// Whether a record that names its recipient so, masked perhaps, may be of this one. A masked one is
/// that of ten thousand.
pub fn may_be(kept: &str, address: &str) -> bool {
    kept == address || (kept.ends_with('X') && *kept == *mask(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sid::Id;
    use crate::testing;

    #[test]
    fn four_digits_are_hidden_once() {
        for (address, masked) in [
            ("+14155550142", "+1415555XXXX"),
            ("+1415555XXXX", "+1415555XXXX"),
            ("whatsapp:+447700900199", "whatsapp:+44770090XXXX"),
            ("123", "XXX"),
            ("", ""),
        ] {
            assert_eq!(&*mask(address), masked, "{address}");
        }
    }

    #[test]
    fn a_masked_recipient_may_be_any_of_ten_thousand() {
        assert!(may_be("+14155550142", "+14155550142"));
        assert!(may_be("+1415555XXXX", "+14155550142"));
        assert!(may_be("+1415555XXXX", "+14155550143"));
        assert!(!may_be("+1415555XXXX", "+14155560142"));
        assert!(!may_be("+14155550142", "+14155550143"));
        assert!(!may_be("+1415555XXXX", "+141555501420"));
        assert!(!may_be("", "+14155550142"));
    }

    #[test]
    fn each_part_goes_as_soon_as_it_is_not_needed() {
        use Status::{
            Accepted, Canceled, Delivered, Failed, Queued, Scheduled, Sending, Sent, Undelivered,
        };
        let mut message = testing::message(Id::from_u128(1));
        for status in Status::ALL {
            assert!(Concealment::at(&message, status).is_nothing(), "{status:?}");
        }
        message.options.discard_content = true;
        message.options.obfuscate_address = true;
        // Columns: status, whether the body goes, whether the recipient does.
        for (status, body, to) in [
            (Scheduled, false, false),
            (Accepted, false, false),
            (Queued, false, false),
            (Sending, false, false),
            (Sent, true, false),
            (Delivered, true, true),
            (Undelivered, true, true),
            (Failed, true, true),
            (Canceled, true, true),
        ] {
            let concealment = Concealment::at(&message, status);
            assert_eq!(
                (concealment.body, concealment.to.is_some()),
                (body, to),
                "{status:?}"
            );
            let mut kept = message.clone();
            kept.submitted_body = Some("long".into());
            kept.status = status;
            let kept = kept.kept();
            assert_eq!(kept.body.is_empty(), body);
            assert_eq!(kept.submitted_body.is_none(), body);
            assert_eq!(&*kept.to == "+44770090XXXX", to, "{status:?}");
        }
    }
}
