//! The 2010 API: accounts, keys, numbers, short codes and messages.
//!
//! Dates are RFC 2822, lists carry their links at the top, and every path but the account list
//! names an account. Paths may end in `.json` or not: the answer is JSON either way.

use smallvec::SmallVec;

use crate::call::{Call, Method};
use crate::error::Refusal;
use crate::reply::Answer;

mod accounts;
mod feedback;
mod incoming_phone_numbers;
mod keys;
mod messages;
mod short_codes;

pub(crate) use self::messages::read_create;

/// As bodies name it.
const API_VERSION: &str = "2010-04-01";

pub(crate) async fn route(call: &Call<'_>, path: &[&str]) -> Answer {
    let mut path: SmallVec<[&str; 8]> = path.into();
    if let Some(last) = path.last_mut() {
        *last = last.strip_suffix(".json").unwrap_or(last);
    }
    let [API_VERSION, "Accounts", ref path @ ..] = *path else {
        return Err(Refusal::not_found());
    };
    match *path {
        [] => accounts::collection(call).await,
        [sid] => accounts::instance(call, sid).await,
        [sid, ref path @ ..] => {
            let account = call.account_in_path(sid)?;
            match *path {
                ["Messages"] => messages::collection(call, &account).await,
                ["Messages", sid] => messages::instance(call, &account, sid).await,
                ["Messages", sid, "Media"] => messages::media(call, &account, sid).await,
                ["Messages", sid, "Feedback"] => feedback::create(call, &account, sid).await,
                ["Keys"] => keys::collection(call, &account).await,
                ["Keys", sid] => keys::instance(call, &account, sid).await,
                ["IncomingPhoneNumbers"] => {
                    incoming_phone_numbers::collection(call, &account, None).await
                }
                [
                    "IncomingPhoneNumbers",
                    kind @ ("Local" | "Mobile" | "TollFree"),
                ] => incoming_phone_numbers::collection(call, &account, Some(kind)).await,
                ["IncomingPhoneNumbers", sid] => {
                    incoming_phone_numbers::instance(call, &account, sid).await
                }
                ["SMS", "ShortCodes"] => short_codes::collection(call, &account),
                ["SMS", "ShortCodes", sid] => short_codes::instance(call, &account, sid).await,
                _ => Err(Refusal::not_found()),
            }
        }
    }
}

/// Whether a number matches a pattern: part of it, where `*` stands for any digit. A pattern that
/// begins with `+` begins where the number does.
fn matches_number(number: &str, pattern: &str) -> bool {
    let (number, pattern) = (number.as_bytes(), pattern.as_bytes());
    let matches_at = |part: &[u8]| {
        part.iter()
            .zip(pattern)
            .all(|(digit, wanted)| *wanted == b'*' || digit == wanted)
    };
    pattern.is_empty() || number.windows(pattern.len()).any(matches_at)
}

/// The methods of most single resources.
fn not_offered(call: &Call<'_>, allow: &'static str) -> Answer {
    debug_assert!(
        !matches!(call.method, Method::Get),
        "every resource can be read"
    );
    Err(Refusal::method_not_allowed(allow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_part_of_a_number() {
        for (number, pattern, is_match) in [
            ("+14155550101", "+14155550101", true),
            ("+14155550101", "415", true),
            ("+14155550101", "+1415", true),
            ("+14155550101", "+415", false),
            ("+14155550101", "415***01", true),
            ("+14155550101", "555*9", false),
            ("+14155550101", "", true),
            ("+14155550101", "+141555501011", false),
            ("55501", "555", true),
        ] {
            assert_eq!(
                matches_number(number, pattern),
                is_match,
                "{number} {pattern}"
            );
        }
    }
}
