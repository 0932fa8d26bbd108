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
    /// The network keeps an opt-out list of its own for toll-free numbers.
    pub(crate) network_optout: bool,
}

/// The routing table over these carriers with their numbers. Names that are not among them are left
/// out, which a checked configuration has none of. Without any route, every carrier in order takes
/// everything it can.
pub(crate) fn table(routes: &[Route], carriers: &[(&Carrier, CarrierNo)]) -> route::Routes {
    if routes.is_empty() {
        let all = Route {
            carriers: carriers
                .iter()
                .map(|(carrier, _)| carrier.name().to_owned())
                .collect(),
            ..Route::default()
        };
        return route::Routes(rows(&all, carriers).collect());
    }
    route::Routes(
        routes
            .iter()
            .flat_map(|route| rows(route, carriers))
            .collect(),
    )
}

/// What a route of the configuration comes to: WhatsApp messages go to those of its carriers that can
/// take them, and where it has none, the next route is asked.
fn rows(route: &Route, carriers: &[(&Carrier, CarrierNo)]) -> impl Iterator<Item = route::Route> {
    let numbers = |is_able: fn(&Carrier) -> bool| -> Vec<u16> {
        let named = route
            .carriers
            .iter()
            .filter_map(|name| carriers.iter().find(|(it, _)| it.name() == name));
        named
            .filter(|(carrier, _)| is_able(carrier))
            .map(|(_, number)| number.0)
            .collect()
    };
    let row = |sender, carriers, shares_rate| route::Route {
        destination: route.destination.trim_start_matches('+').to_owned(),
        sender,
        carriers,
        rate: Rate::per_second(route.rate),
        shares_rate,
        has_opt_out: route.network_optout,
    };
    let is_for_whatsapp = matches!(route.sender, None | Some(SenderKind::WhatsApp));
    let whatsapp = numbers(Carrier::carries_whatsapp);
    let sms = (route.sender != Some(SenderKind::WhatsApp))
        .then(|| row(route.sender, numbers(|_| true), false));
    let whatsapp = (is_for_whatsapp && !whatsapp.is_empty())
        .then(|| row(Some(SenderKind::WhatsApp), whatsapp, sms.is_some()));
    sms.into_iter().chain(whatsapp)
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
            let other_channel = carriers
                .iter()
                .any(|carrier| carrier.name() == name && !carrier.carries_whatsapp());
            if route.sender == Some(SenderKind::WhatsApp) && other_channel {
                wrong(
                    "carriers",
                    format!(
                        "\"{name}\" is a carrier of kind \"smpp\", which takes no WhatsApp messages"
                    ),
                );
            }
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
    use postrider_core::phone_number::PhoneNumber;
    use postrider_core::sender::SenderAddress;

    use super::*;

    #[test]
    fn names_become_numbers_and_no_route_means_all() {
        let route = Route {
            destination: "+44".into(),
            sender: Some(SenderKind::Alpha),
            carriers: vec!["b".into(), "gone".into(), "a".into()],
            rate: 2.5,
            network_optout: true,
        };
        let [a, b] = ["a", "b"].map(simulated);
        let carriers = [(&a, CarrierNo(4)), (&b, CarrierNo(1))];
        let table_of = |routes: &[Route]| table(routes, &carriers).0;
        let expected = route::Route {
            destination: "44".into(),
            sender: Some(SenderKind::Alpha),
            carriers: vec![1, 4],
            rate: Rate::per_second(2.5),
            shares_rate: false,
            has_opt_out: true,
        };
        assert_eq!(table_of(&[route]), [expected]);
        assert_eq!(table_of(&[])[0].carriers, [4, 1]);
    }

    #[test]
    fn a_route_that_becomes_two_rows_has_one_rate() {
        let simulator = simulated("simulator");
        let route = |sender| Route {
            sender,
            carriers: vec!["simulator".into()],
            ..Route::default()
        };
        let routes = [route(None), route(Some(SenderKind::WhatsApp)), route(None)];
        let table = table(&routes, &[(&simulator, CarrierNo(0))]);
        let rate_rows: Vec<_> = (0..table.0.len()).map(|row| table.rate_row(row)).collect();
        assert_eq!(rate_rows, [0, 0, 2, 3, 3]);
    }

    #[test]
    fn whatsapp_goes_to_the_carriers_that_can_take_it() {
        let smpp = Carrier::Smpp(Box::new(postrider_carriers::smpp::Config {
            name: "acme".into(),
            ..Default::default()
        }));
        let simulator = simulated("simulator");
        let carriers = [(&smpp, CarrierNo(0)), (&simulator, CarrierNo(1))];
        let route = |sender, carriers: &[&str]| Route {
            sender,
            carriers: carriers.iter().map(|&name| name.to_owned()).collect(),
            ..Route::default()
        };
        let alpha = Some(SenderKind::Alpha);
        let whatsapp = Some(SenderKind::WhatsApp);
        for (routes, expected) in [
            (vec![], &[1][..]),
            (vec![route(None, &["acme", "simulator"])], &[1]),
            (vec![route(None, &["acme"])], &[]),
            (
                vec![route(None, &["acme"]), route(None, &["simulator"])],
                &[1],
            ),
            (vec![route(alpha, &["simulator"])], &[]),
            (vec![route(whatsapp, &["simulator"])], &[1]),
            (vec![route(whatsapp, &["acme"])], &[]),
        ] {
            let table = table(&routes, &carriers);
            let from = SenderAddress::parse("whatsapp:+14155550101").unwrap();
            let to = PhoneNumber::parse("+5511999990000").unwrap();
            assert_eq!(table.find(&from, to), expected, "{routes:?}");
        }
        for (sender, carrier, is_wrong) in [
            (whatsapp, "acme", true),
            (whatsapp, "simulator", false),
            (None, "acme", false),
        ] {
            let mut problems = Vec::new();
            let carriers = [smpp.clone(), simulator.clone()];
            check(&[route(sender, &[carrier])], &carriers, &mut problems);
            assert_eq!(!problems.is_empty(), is_wrong, "{sender:?} {carrier}");
        }
    }

    fn simulated(name: &str) -> Carrier {
        Carrier::Simulator(postrider_carriers::simulator::Config {
            name: name.into(),
            ..Default::default()
        })
    }
}
