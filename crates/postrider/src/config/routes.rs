//! `[[routes]]`: which carriers take which messages; the first route that matches wins.

use postrider_carriers::CarrierNo;
use postrider_core::pacing::Rate;
use postrider_core::route;
use postrider_core::select::SenderKind;
use serde::Deserialize;

use super::carriers::{Carrier, names, no_carrier};
use super::pace::not_a_rate;
use super::problem::Problem;

/// One route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Route {
    /// `+` and the recipient's leading digits; empty for all.
    pub(crate) destination: String,
    pub(crate) sender: Option<SenderKind>,
    /// Names, the first preferred.
    pub(crate) carriers: Vec<String>,
    /// Segments per second of all that goes this way; 0 = no limit.
    pub(crate) rate: f64,
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
        sender: route.sender,
        carriers: route
            .carriers
            .iter()
            .filter_map(|name| number(name))
            .collect(),
        rate: Rate::per_second(route.rate),
    });
    route::Routes(routes.collect())
}

pub(super) fn check(routes: &[Route], carriers: &[Carrier], problems: &mut Vec<Problem>) {
    let names = names(carriers);
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
        if let Some(problem) = not_a_rate(route.rate) {
            wrong("rate", problem);
        }
        if route.carriers.is_empty() {
            wrong(
                "carriers",
                "is empty, expected the names of one or more carriers".to_owned(),
            );
        }
        for name in &route.carriers {
            if let Some(text) = no_carrier(name, &names) {
                wrong("carriers", text);
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
            sender: Some(SenderKind::Alpha),
            carriers: vec!["b".into(), "gone".into(), "a".into()],
            rate: 2.5,
        };
        let carriers = [("a", CarrierNo(4)), ("b", CarrierNo(1))];
        let table_of = |routes: &[Route]| table(routes, &carriers).0;
        let expected = route::Route {
            destination: "44".into(),
            sender: Some(SenderKind::Alpha),
            carriers: vec![1, 4],
            rate: Rate::per_second(2.5),
        };
        assert_eq!(table_of(&[route]), [expected]);
        assert_eq!(table_of(&[])[0].carriers, [4, 1]);
    }
}
