//! Whether a sender may be used, in the operator's word. What is waiting in its queue goes out all the
//! same; the next message asks.

use serde::{Deserialize, Serialize};

/// The status of a number, short code or WhatsApp sender. (Alpha senders have registrations instead.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SenderStatus {
    #[default]
    Active,
    /// By the operator or a carrier.
    Suspended,
    /// On its way to or from another provider.
    Porting,
    /// Its registration is applied for.
    Pending,
}

impl SenderStatus {
    pub const ALL: [Self; 4] = [Self::Active, Self::Suspended, Self::Porting, Self::Pending];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Porting => "porting",
            Self::Pending => "pending",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Why no message may have this sender; `None` if any may.
    pub fn objection(self) -> Option<&'static str> {
        match self {
            Self::Active => None,
            Self::Suspended => Some("it is suspended"),
            Self::Porting => Some("it is being ported"),
            Self::Pending => Some("it waits for its registration"),
        }
    }

    pub fn is_usable(self) -> bool {
        self.objection().is_none()
    }

    /// For documents, which say nothing of a sender that is as most are.
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    pub(super) fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer as _;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    #[test]
    fn words_are_read_as_they_are_written_and_stored() {
        for status in SenderStatus::ALL {
            assert_eq!(SenderStatus::parse(status.as_str()), Some(status));
            let stored: StrDeserializer<'_, Error> = status.as_str().into_deserializer();
            assert_eq!(SenderStatus::deserialize(stored), Ok(status));
            assert_eq!(status.is_usable(), status == SenderStatus::Active);
        }
        for word in ["", "Active", "in-use", "closed"] {
            assert_eq!(SenderStatus::parse(word), None, "{word}");
        }
    }
}
