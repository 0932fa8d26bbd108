//! `[[routes]]`: which carriers take which messages; the first route that matches wins.

use postrider_carriers::CarrierNo;
use postrider_core::route;
use postrider_core::select::SenderKind;
use serde::Deserialize;

use super::carriers::Carrier;
use super::problem::{Problem, nearest};

/// One route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Route {
    /// `+` and the recipient's leading digits; empty for all.
    pub(crate) destination: String,
    pub(crate) sender: Option<RouteSender>,
    /// Names, the first preferred.
    pub(crate) carriers: Vec<String>,
}

/// The kinds of senders that routes tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RouteSender {
    LongCode,
    TollFree,
    ShortCode,
    Alpha,
    #[serde(rename = "whatsapp")]
    WhatsApp,
}

impl From<RouteSender> for SenderKind {
    fn from(sender: RouteSender) -> Self {
        match sender {
            RouteSender::LongCode => Self::LongCode,
            RouteSender::TollFree => Self::TollFree,
            RouteSender::ShortCode => Self::ShortCode,
            RouteSender::Alpha => Self::Alpha,
            RouteSender::WhatsApp => Self::WhatsApp,
        }
    }
}

/// The routing table over carriers with these names and numbers. Names that are not among them are
/// left out, which a checked configuration has none of. Without any route, every carrier in order
/// takes everything.
pub(crate) fn table(routes: &[Route], carriers: &[(&str, CarrierNo)]) -> route::Routes {
    let number = |wanted: &str| {
        let found = carriers.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, number)| number.0)
    };
    if routes.is_empty() {
        let all = route::Route {
            carriers: carriers.iter().map(|(_, number)| number.0).collect(),
            ..route::Route::default()
        };
        return route::Routes(vec![all]);
    }
    let routes = routes.iter().map(|route| route::Route {
        destination: route.destination.trim_start_matches('+').to_owned(),
        sender: route.sender.map(SenderKind::from),
        carriers: route
            .carriers
            .iter()
            .filter_map(|name| number(name))
            .collect(),
    });
    route::Routes(routes.collect())
}

pub(super) fn check(routes: &[Route], carriers: &[Carrier], problems: &mut Vec<Problem>) {
    let names: Vec<_> = carriers.iter().map(Carrier::name).collect();
    for (index, route) in routes.iter().enumerate() {
        let mut wrong = |key: &str, text: String| {
            problems.push(
                Problem::at(key, text)
                    .within_element(index)
                    .within("routes"),
            );
        };
        if !is_prefix(&route.destination) {
            let expected = "expected + and leading digits such as \"+1\", or \"\" for all";
            wrong(
                "destination",
                format!("given \"{}\", {expected}", route.destination),
            );
        }
        if route.carriers.is_empty() {
            wrong(
                "carriers",
                "is empty, expected the names of one or more carriers".to_owned(),
            );
        }
        for name in &route.carriers {
            // Without carriers, the simulator stands in under its default name.
            let is_known =
                names.contains(&name.as_str()) || (names.is_empty() && name == "simulator");
            if !is_known {
                let hint = nearest(name, &names)
                    .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
                wrong("carriers", format!("there is no carrier \"{name}\"{hint}"));
            }
        }
    }
}

fn is_prefix(destination: &str) -> bool {
    destination.is_empty()
        || destination
            .strip_prefix('+')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_numbers_and_no_route_means_all() {
        let route = Route {
            destination: "+44".into(),
            sender: Some(RouteSender::Alpha),
            carriers: vec!["b".into(), "gone".into(), "a".into()],
        };
        let carriers = [("a", CarrierNo(4)), ("b", CarrierNo(1))];
        let table_of = |routes: &[Route]| table(routes, &carriers).0;
        let expected = route::Route {
            destination: "44".into(),
            sender: Some(SenderKind::Alpha),
            carriers: vec![1, 4],
        };
        assert_eq!(table_of(&[route]), [expected]);
        assert_eq!(table_of(&[])[0].carriers, [4, 1]);
    }
}
