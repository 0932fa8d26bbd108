//! `I-Twilio-Idempotency-Token`: one UUID per event, by which a receiver drops repeats.
//!
//! It is derived, not drawn, so that every attempt has the same one, also after a crash that forgot
//! the first attempt, and nothing needs to be stored.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderValue;
use sha2::Sha256;
use uuid::Builder;
use zeroize::Zeroizing;

use super::job::Event;

/// The instance's secret for idempotency tokens. With it tokens can't be guessed, and two instances
/// never agree on one.
#[derive(Clone)]
pub struct TokenSecret(Zeroizing<[u8; 32]>);

impl TokenSecret {
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    pub(super) fn token(&self, event: Event) -> HeaderValue {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("HMAC takes any key");
        match event {
            Event::StatusCallback { message, status } => {
                mac.update(b"status callback");
                mac.update(&message.id.as_u128().to_be_bytes());
                mac.update(&[status as u8]);
            }
            Event::Inbound { message, step } => {
                mac.update(b"inbound message");
                mac.update(&message.id.as_u128().to_be_bytes());
                mac.update(&[step]);
            }
        }
        let digest = mac.finalize().into_bytes();
        let mut random = [0; 16];
        random.copy_from_slice(&digest[..16]);
        // Version 4, the one that receivers' columns and validators expect: to anyone without the
        // secret the bits are random.
        let uuid = Builder::from_random_bytes(random).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = uuid.hyphenated().encode_lower(&mut text);
        HeaderValue::from_str(text).expect("a UUID is fit for a header")
    }
}

impl std::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::message::Status;
    use postrider_core::sid::{Id, MessageKind, MessageSid};

    use super::*;

    fn token(secret: u8, id: u128, status: Status) -> String {
        let message = MessageSid {
            id: Id::from_u128(id),
            kind: MessageKind::Sms,
        };
        let event = Event::StatusCallback { message, status };
        let token = TokenSecret::new([secret; 32]).token(event);
        token.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_belongs_to_one_event_of_one_instance() {
        let sent = token(1, 7, Status::Sent);
        assert_eq!(sent, token(1, 7, Status::Sent));
        assert_ne!(sent, token(1, 7, Status::Delivered));
        assert_ne!(sent, token(1, 8, Status::Sent));
        assert_ne!(sent, token(2, 7, Status::Sent));
        assert_eq!(uuid::Uuid::parse_str(&sent).unwrap().get_version_num(), 4);
    }
}
