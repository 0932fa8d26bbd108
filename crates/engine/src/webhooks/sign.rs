//! `X-Twilio-Signature`: how a customer knows that a webhook is ours.
//!
//! The rules, and the vectors in the tests, are those of Twilio's page on webhook security
//! (<https://www.twilio.com/docs/usage/webhooks/webhooks-security>) and of the official SDKs'
//! request validators. The key is the account's auth token, never an API key's secret.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::job::{AuthToken, Params};

/// What is signed for a form: the URL, then each name and value, by name, without separators.
pub(super) fn form_text(url: &str, params: &Params) -> String {
    let mut sorted: Vec<_> = params.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let len = params
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum::<usize>();
    let mut text = String::with_capacity(url.len() + len);
    text.push_str(url);
    for (name, value) in sorted {
        text.push_str(name);
        text.push_str(value);
    }
    text
}

/// The pair that a JSON body adds to the query: the signature covers the URL, the URL the body.
pub(super) fn body_hash_pair(body: &[u8]) -> String {
    let mut pair = String::from("bodySHA256=");
    for octet in Sha256::digest(body) {
        let _ = write!(pair, "{octet:02x}");
    }
    pair
}

pub(super) fn signature(token: &AuthToken, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes any key");
    mac.update(text.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    #[test]
    fn a_form_is_signed_as_the_sdks_check_it() {
        let params: Params = vec![
            ("To", "+18005551212".into()),
            ("CallSid", "CA1234567890ABCDE".into()),
            ("Digits", "1234".into()),
            ("Caller", "+14158675309".into()),
            ("From", "+14158675309".into()),
        ];
        let text = form_text(URL, &params);
        assert_eq!(
            text,
            "https://mycompany.com/myapp.php?foo=1&bar=2CallSidCA1234567890ABCDE\
             Caller+14158675309Digits1234From+14158675309To+18005551212"
        );
        assert_eq!(
            signature(&AuthToken::new("12345"), &text),
            "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        );
    }

    #[test]
    fn a_json_body_is_signed_by_its_hash() {
        let pair = body_hash_pair(br#"{"property": "value", "boolean": true}"#);
        assert_eq!(
            pair,
            "bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
        );
        let signature = signature(&AuthToken::new("12345"), &format!("{URL}&{pair}"));
        assert_eq!(signature, "a9nBmqA0ju/hNViExpshrM61xv4=");
    }

    #[test]
    fn names_are_sorted_by_octets() {
        let params: Params = vec![("b", "2".into()), ("B", "1".into()), ("a", "3".into())];
        assert_eq!(form_text("u", &params), "uB1a3b2");
    }
}
