//! The parameters that are kept with a message and don't decide who sends it (`docs/message-lifecycle.md`).

use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::MessageOptions;
use postrider_core::select::Channel;

/// Reads them, or tells the first one that can't be kept.
pub(super) fn read(request: &CreateMessage, channel: Channel) -> Result<MessageOptions, Fault> {
    let discard_content = match request.content_retention.as_deref() {
        None | Some("retain") => false,
        Some("discard") => true,
        Some(_) => return Err(ErrorCode::InvalidContentRetention.into()),
    };
    let obfuscate_address = match request.address_retention.as_deref() {
        None | Some("retain") => false,
        Some("obfuscate") => true,
        Some(_) => return Err(ErrorCode::InvalidAddressRetention.into()),
    };
    let skip_risk_check = match request.risk_check.as_deref() {
        None | Some("enable") => false,
        Some("disable") => true,
        Some(_) => {
            let text = "'RiskCheck' must be enable or disable";
            return Err(Fault::because(ErrorCode::InvalidParameter, text));
        }
    };
    let is_free_traffic = match request.traffic_type.as_deref() {
        None => false,
        Some("free") => true,
        Some(_) => {
            let text = "'TrafficType' can only be free";
            return Err(Fault::because(ErrorCode::InvalidParameter, text));
        }
    };
    let attempt = request.attempt.as_deref().map(|text| {
        text.parse().map_err(|_| {
            Fault::because(
                ErrorCode::InvalidParameter,
                "Attempt must be a whole number",
            )
        })
    });
    if request
        .max_price
        .as_deref()
        .is_some_and(|text| !is_price(text))
    {
        return Err(ErrorCode::InvalidMaxPrice.into());
    }
    Ok(MessageOptions {
        discard_content,
        obfuscate_address,
        provide_feedback: request.provide_feedback.unwrap_or(false),
        attempt: attempt.transpose()?,
        skip_risk_check,
        is_free_traffic,
        persistent_actions: read_persistent_actions(request, channel)?,
        auto_reply: request.auto_reply,
        ..MessageOptions::default()
    })
}

fn is_price(text: &str) -> bool {
    text.parse::<f64>()
        .is_ok_and(|price| price.is_finite() && price >= 0.0)
}

fn read_persistent_actions(
    request: &CreateMessage,
    channel: Channel,
) -> Result<Vec<Box<str>>, Fault> {
    let actions = &request.persistent_actions;
    if !actions.is_empty() && channel != Channel::WhatsApp {
        let text = "'PersistentAction' is for WhatsApp messages only";
        return Err(Fault::because(ErrorCode::InvalidParameter, text));
    }
    if !actions.iter().all(|action| is_place(action)) {
        let text = "'PersistentAction' must be a place, such as geo:37.787890,-122.391664|Office";
        return Err(Fault::because(ErrorCode::InvalidParameter, text));
    }
    Ok(actions.iter().map(|action| (**action).into()).collect())
}

/// `geo:<latitude>,<longitude>|<label>`, the label at will.
fn is_place(action: &str) -> bool {
    let within = |text: &str, most: f64| {
        text.parse::<f64>()
            .is_ok_and(|degrees| degrees.abs() <= most)
    };
    action
        .strip_prefix("geo:")
        .map(|place| place.split_once('|').map_or(place, |(at, _)| at))
        .and_then(|at| at.split_once(','))
        .is_some_and(|(latitude, longitude)| within(latitude, 90.0) && within(longitude, 180.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_no_less_than_nothing() {
        for (text, expected) in [
            ("0", true),
            ("0.05", true),
            ("1e-2", true),
            ("-0.01", false),
            ("-1", false),
            ("NaN", false),
            ("inf", false),
            ("5 cents", false),
        ] {
            assert_eq!(is_price(text), expected, "{text}");
        }
    }

    #[test]
    fn a_place_is_two_angles_and_perhaps_a_label() {
        for (action, expected) in [
            ("geo:37.787890,-122.391664|375 Beale St", true),
            ("geo:-90,180", true),
            ("geo:90.1,0", false),
            ("geo:0,180.1", false),
            ("geo:NaN,0", false),
            ("geo:37.787890", false),
            ("37.787890,-122.391664", false),
            ("", false),
        ] {
            assert_eq!(is_place(action), expected, "{action:?}");
        }
    }
}
